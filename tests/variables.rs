//! Does an environment variable say the same as its option?

#[path = "support/process.rs"]
mod process;

use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use process::{Log, Process, Scratch};

/// The binary with these variables, and nothing typed but these words.
fn command(variables: &[(&str, &str)], words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("THREADBARE_")) {
        command.env_remove(name);
    }
    command.env_remove("PORT").envs(variables.iter().copied()).args(words);
    command
}

fn started(variables: &[(&str, &str)], words: &[&str]) -> Process {
    Process::of(command(variables, words), Log::Read)
}

/// Runs it to its end, which is near.
fn output(variables: &[(&str, &str)], words: &[&str]) -> Output {
    command(variables, words).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_service_without_a_command_line() {
    let scratch = Scratch::new();
    scratch.file("start.htm", "start");
    scratch.file(".env", "hidden");
    let root = scratch.path().to_str().unwrap();
    let variables = [
        ("THREADBARE_ROOT", root),
        ("THREADBARE_PORT", "0"),
        ("THREADBARE_BIND", "127.0.0.1,127.0.0.2"),
        ("THREADBARE_INDEX", "nothing.html,start.htm"),
        ("THREADBARE_HIDDEN", "yes"),
        ("THREADBARE_NO_ROUTES", "1"),
        ("THREADBARE_VERBOSE", "2"),
    ];
    if cfg!(not(target_os = "linux")) {
        eprintln!("SKIPPED: only on Linux has the loopback a second address");
        return;
    }
    let process = started(&variables, &[]);
    assert!(process.ready.contains(root), "{}", process.ready);
    assert!(process.stdout_line().unwrap().contains("http://127.0.0.2:"), "two addresses, with a comma between");
    assert_eq!(process.get("/").text(), "start", "the second of two names");
    assert_eq!(process.get("/.env").text(), "hidden", "a flag");
    assert_eq!(process.get("/health").status, 404, "another");
    process.wait_for_log("connected");
}

#[test]
fn what_is_typed_wins() {
    let scratch = Scratch::new();
    let root = scratch.path().to_str().unwrap();
    let process = started(&[("THREADBARE_PORT", "1"), ("PORT", "2"), ("THREADBARE_ROOT", "/nowhere")], &["--port", "0", root]);
    assert!(process.ready.contains(root), "{}", process.ready);
    // Also where the two rule each other out.
    let process = started(&[("THREADBARE_LAN", "1")], &["--port", "0", "--bind", "127.0.0.1", root]);
    assert!(process.ready.contains("127.0.0.1"), "{}", process.ready);
}

#[test]
fn the_port_that_platforms_choose() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (variables, why) in [
        (&[("PORT", &*port)][..], "of a platform"),
        (&[("PORT", "1"), ("THREADBARE_PORT", &port)], "ours comes first"),
        // What Kubernetes gives to every container beside a service of our name.
        (&[("THREADBARE_PORT", "tcp://10.0.0.1:80"), ("THREADBARE_PORT_80_TCP", "x"), ("PORT", &port)], "no port of ours"),
    ] {
        let left = output(variables, &["--bind", "127.0.0.1"]);
        let line = String::from_utf8(left.stderr).unwrap();
        assert!(
            left.status.code() == Some(1) && line.contains(&format!("127.0.0.1:{port}: the port is in use")),
            "{why}: {line}"
        );
    }
}

#[test]
fn an_empty_variable_is_none() {
    let scratch = Scratch::new();
    let names = ["THREADBARE_BIND", "THREADBARE_LAN", "THREADBARE_INDEX", "THREADBARE_PORT", "THREADBARE_SANDBOX", "PORT"];
    let process = started(&names.map(|name| (name, "")), &["--port", "0", scratch.path().to_str().unwrap()]);
    assert!(process.ready.contains("127.0.0.1"), "{}", process.ready);
    for (value, is_set) in
        [("0", false), ("off", false), ("No", false), ("false", false), ("1", true), ("TRUE", true), ("on", true)]
    {
        let process = started(&[("THREADBARE_NO_ROUTES", value)], &["--port", "0", scratch.path().to_str().unwrap()]);
        assert_eq!(process.get("/health").status, if is_set { 404 } else { 200 }, "{value}");
    }
}

#[test]
fn a_wrong_value_is_named_with_its_variable() {
    for (variables, words, says, why) in [
        (&[("THREADBARE_PORT", "x")][..], &[][..], &["'x'", "'--port <PORT>' (from THREADBARE_PORT)"][..], "no number"),
        (&[("PORT", "65536")], &[], &["'65536'", "'--port <PORT>' (from PORT)"], "of another"),
        (&[("THREADBARE_LAN", "maybe")], &[], &["'maybe'", "'--lan' (from THREADBARE_LAN)", "1 or 0"], "a flag"),
        (&[("THREADBARE_BIND", "::1,here")], &[], &["'here'", "(from THREADBARE_BIND)"], "one of two"),
        (&[("THREADBARE_SANDBOX", "x")], &[], &["'x'", "(from THREADBARE_SANDBOX)", "auto, require, off"], "one of three words"),
        (&[("THREADBARE_HEAD_TIMEOUT", "0")], &[], &["'0'", "(from THREADBARE_HEAD_TIMEOUT)"], "out of range"),
        (
            &[("THREADBARE_LAN", "1"), ("THREADBARE_BIND", "::1")],
            &[],
            &["(from THREADBARE_LAN)", "(from THREADBARE_BIND)"],
            "they rule each other out",
        ),
        (&[("THREADBARE_LAN", "1")], &["--port", "x"], &["'x' for '--port <PORT>':"], "the command line is looked at first"),
    ] {
        let left = output(variables, words);
        let line = String::from_utf8(left.stderr).unwrap();
        assert_eq!(left.status.code(), Some(2), "{why}: {line}");
        assert!(line.starts_with("threadbare: ") && line.lines().count() == 1 && left.stdout.is_empty(), "{why}: {line}");
        for part in says {
            assert!(line.contains(part), "{why}: {part:?} is not in {line}");
        }
    }
}

#[test]
fn a_variable_that_means_nothing_is_named() {
    let scratch = Scratch::new();
    let process = started(&[("THREADBARE_PROT", "1")], &["--port", "0", scratch.path().to_str().unwrap()]);
    assert!(process.wait_for_log("THREADBARE_PROT").starts_with("warn: "));
}

#[test]
fn help_names_each_variable_and_no_value() {
    let left = output(&[("THREADBARE_PORT", "12345"), ("THREADBARE_AUTH", "a:secret")], &["--help"]);
    let text = String::from_utf8(left.stdout).unwrap();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for name in ["ROOT", "PORT", "LAN", "NO_LISTING", "MAX_CONNECTIONS", "AUTH_FILE", "QUIET"] {
        assert!(text.contains(&format!("[env: THREADBARE_{name}]")), "{name}: {text}");
    }
    assert!(text.contains("$THREADBARE_AUTH") && !text.contains("12345") && !text.contains("secret"), "{text}");
}
