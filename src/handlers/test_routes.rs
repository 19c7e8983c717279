//! Routes that misbehave on purpose, for tests of the sandbox and of panics; only with the feature `test-routes`.
//!
//! `/escape?open=/etc/passwd` attempts what no route may do, and the sandbox must prevent it.

use std::fmt::Write;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use crate::handlers::AppState;
use crate::handlers::message::{Request, Response};
use crate::http::status::StatusCode;

/// Panics.
pub fn panic(_: &mut Request<'_>, _: &AppState) -> Response {
    panic!("as asked")
}

/// Attempts what the query says, `open=PATH`, `list=PATH`, `write=PATH`, `connect=ADDRESS`, `bind=ADDRESS`, `run=PROGRAM`, `signal=PID`,
/// and reports each result.
pub fn sandbox_probe(request: &mut Request<'_>, _: &AppState) -> Response {
    let mut report = String::new();
    for (how, what) in request.target.query_pairs() {
        let (how, what) = (String::from_utf8_lossy(&how), String::from_utf8_lossy(&what));
        let outcome = attempt(&how, &what).unwrap_or_else(|error| format!("{:?}", error.kind()));
        let _ = writeln!(report, "{how} {what}: {outcome}");
    }
    Response::with_content(StatusCode::OK, "text/plain; charset=utf-8", report.into_bytes())
}

fn attempt(how: &str, what: &str) -> io::Result<String> {
    let done = |()| "done".to_owned();
    match how {
        "open" => std::fs::read(what).map(|bytes| format!("{} bytes", bytes.len())),
        "list" => std::fs::read_dir(what).map(|entries| format!("{} entries", entries.count())),
        "write" => std::fs::write(what, "x").map(done),
        "connect" => TcpStream::connect(what).map(|_| "done".to_owned()),
        "bind" => TcpListener::bind(what).map(|_| "done".to_owned()),
        "run" => Command::new(what).stdout(Stdio::null()).status().map(|_| "done".to_owned()),
        "signal" => {
            let pid = what.parse().ok().and_then(rustix::process::Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
            Ok(rustix::process::test_kill_process(pid).map(done)?)
        }
        _ => Ok("no such way".to_owned()),
    }
}
