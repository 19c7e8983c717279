//! The port of each step, and the message if it is in use.

use std::net::TcpListener;
use std::process::{Command, Output};

use crate::example::{program, start};
use crate::shape::Step;

/// Runs a step that cannot listen on this port.
fn output(name: &str, port: &str) -> Output {
    Command::new(program(name)).env("PORT", port).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap()
}

#[test]
fn steps_name_a_port_in_use_and_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = TcpListener::bind(taken.local_addr().unwrap()).unwrap_err();
    let port = taken.local_addr().unwrap().port().to_string();
    for Step { name, .. } in Step::all() {
        let output = output(&name, &port);
        let message = format!("cannot listen on port {port}: {error}; choose another: PORT=9000 cargo run --example {name}\n");
        assert_eq!(String::from_utf8_lossy(&output.stderr), message);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"".as_slice()), "{name}");
    }
}

#[test]
fn a_value_that_is_not_a_port_is_named() {
    for port in ["http", "65536", "-1", ""] {
        let output = output("02_hello", port);
        let start = format!("cannot listen on port {port}: ");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with(&start), "{port:?}: {output:?}");
        assert_eq!(output.status.code(), Some(1), "{port:?}");
    }
}

#[test]
fn port_0_is_any_free_port() {
    let (one, other) = (start("02_hello", &[]), start("02_hello", &[]));
    assert!(one.address.starts_with("127.0.0.1:") && !one.address.ends_with(":0"), "{}", one.address);
    assert_ne!(one.address, other.address);
}
