//! Where is the program of an example, how is it started, and how does one talk to it?
#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::{self, Write};
use std::net::Shutdown;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::process::{Client, Log, Process};

/// Starts an example on a free port of the loopback; `args` come behind the address.
pub fn start(name: &str, args: &[&str]) -> Process {
    let mut command = Command::new(program(name));
    command.arg("127.0.0.1:0").args(args);
    Process::of(command, Log::Read)
}

/// Where cargo puts examples: beside the folder of this test, whatever the profile, the target or `CARGO_TARGET_DIR`.
///
/// `cargo test` builds them first, but `cargo test --test ladder` does not: an old one would be tested in place of the new one.
fn program(name: &str) -> PathBuf {
    let me = std::env::current_exe().unwrap();
    let name_here = format!("examples/{name}{}", std::env::consts::EXE_SUFFIX);
    let Some(program) = me.ancestors().map(|folder| folder.join(&name_here)).find(|program| program.is_file()) else {
        panic!("no {name_here} above {}: cargo build --examples", me.display());
    };
    let age = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).unwrap().elapsed().unwrap_or_default();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{name}.rs"));
    assert!(age(&program) <= age(&source), "{} is older than its source: cargo build --examples", program.display());
    program
}

/// What a command prints; `None`, and a word about it, where there is no such command.
pub fn run(command: &str, args: &[&str]) -> Option<Output> {
    match Command::new(command).args(args).stdin(Stdio::null()).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Not `eprintln!`, which the harness keeps to itself when the test passes.
            let _ = writeln!(io::stderr(), "SKIPPED: no {command} here, so nothing is known about {command} {args:?}");
            None
        }
        Err(error) => panic!("{command}: {error}"),
    }
}

/// Runs curl, without progress but with errors, and not for ever.
pub fn curl(args: &[&str]) -> Option<Output> {
    run("curl", &[&["--silent", "--show-error", "--max-time", "20", "--noproxy", "*"], args].concat())
}

/// What curl prints for these arguments, as text, if it is here. It must succeed.
pub fn curl_text(args: &[&str]) -> Option<String> {
    let output = curl(args)?;
    assert!(output.status.success(), "curl {args:?}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Everything that a server says to these bytes on a connection of its own.
pub fn said_to(server: &Process, bytes: &[u8]) -> String {
    let mut client = server.client();
    client.send(bytes);
    String::from_utf8(client.rest()).unwrap()
}

/// Tells the server that no more will come.
pub fn hang_up(client: &Client) {
    client.stream.get_ref().shutdown(Shutdown::Write).unwrap();
}
