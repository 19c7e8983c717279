//! Starts and stops the real binary.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server on a free loopback port, killed on drop.
pub struct Server {
    child: Child,
    /// `127.0.0.1:PORT`
    pub address: String,
}

impl Server {
    /// Starts it, and waits for its ready line.
    pub fn start(root: &Path, options: &[String]) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_threadbare"))
            .args(["--port", "0", "--bind", "127.0.0.1", "--quiet"])
            .args(options)
            .arg(root)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().last().unwrap_or_else(|| panic!("no address in {line:?}"));
        let address = url.trim_start_matches("http://").trim_start_matches("https://").trim_end_matches('/').to_owned();
        Server { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
