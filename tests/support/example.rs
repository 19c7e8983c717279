//! Starting the programs of `examples/`, and sending requests to them.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::{self, Write};
use std::net::Shutdown;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::process::{Client, Log, Process};

/// Starts an example on a free port.
pub fn start(name: &str, args: &[&str]) -> Process {
    let mut command = Command::new(program(name));
    command.env("PORT", "0").args(args);
    Process::of(command, Log::Read)
}

/// The path of an example: cargo puts it beside the directory of this test, for any profile, target and `CARGO_TARGET_DIR`.
///
/// `cargo test` builds examples first, but `cargo test --test ladder` does not. So that no old program is tested, its age is checked.
pub fn program(name: &str) -> PathBuf {
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

/// Runs a command and returns its output. Returns `None` and reports it if the command is not installed.
pub fn run(command: &str, args: &[&str]) -> Option<Output> {
    match Command::new(command).args(args).stdin(Stdio::null()).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Not `eprintln!`, which the test harness hides if the test passes.
            let _ = writeln!(io::stderr(), "SKIPPED: {command} is not installed: {command} {args:?}");
            None
        }
        Err(error) => panic!("{command}: {error}"),
    }
}

/// Runs curl with a timeout, without its progress meter but with its errors.
pub fn curl(args: &[&str]) -> Option<Output> {
    run("curl", &[&["--silent", "--show-error", "--max-time", "20", "--noproxy", "*"], args].concat())
}

/// Runs curl and returns its output as text. Panics if curl fails.
pub fn curl_text(args: &[&str]) -> Option<String> {
    let output = curl(args)?;
    assert!(output.status.success(), "curl {args:?}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Sends bytes on a new connection and returns everything that comes back.
pub fn response_to(server: &Process, bytes: &[u8]) -> String {
    let mut client = server.client();
    client.send(bytes);
    String::from_utf8(client.rest()).unwrap()
}

/// Closes the sending side of a connection.
pub fn close_write(client: &Client) {
    client.stream.get_ref().shutdown(Shutdown::Write).unwrap();
}
