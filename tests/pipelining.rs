//! Which responses to pipelined requests leave together?

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use threadbare::cli::Cli;
use threadbare::files::Site;
use threadbare::handlers::AppState;
use threadbare::http::forwarded::PeerAddr;
use threadbare::net::Transport;
use threadbare::server::connection;
use threadbare::server::registry::ConnState;

/// Sends all requests at once, and records each write.
struct Client {
    requests: Vec<u8>,
    writes: Vec<Vec<u8>>,
}

impl Transport for &mut Client {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.requests.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.requests[..count]);
        self.requests.drain(..count);
        Ok(count)
    }
    fn has_unread(&mut self) -> bool {
        !self.requests.is_empty()
    }
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes.push(bytes.to_vec());
        Ok(bytes.len())
    }
    fn write_vectored(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        self.write(&[first, second].concat())
    }
    fn set_read_timeout(&mut self, _: Duration) -> io::Result<()> {
        Ok(())
    }
    fn set_write_timeout(&mut self, _: Duration) -> io::Result<()> {
        Ok(())
    }
    fn shutdown_write(&mut self) {}
    fn reset_on_close(&mut self) {}
    fn set_send_buffer_size(&mut self, _: usize) {}
}

#[test]
fn responses_leave_together_until_a_file_must_be_opened() {
    // A file that has just changed is not kept in memory: these have not.
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/site");
    let config = Cli::try_parse_from(["threadbare", "--quiet", root]).unwrap().config();
    let site = Site::open(&config).unwrap();
    let app = AppState::new(config, site, None);
    for (targets, want, why) in [
        (&["/ten.txt"][..], &[1][..], "not in memory before"),
        (&["/ten.txt", "/ten.txt", "/ten.txt"], &[3], "in memory"),
        (&["/ten.txt", "/hello.txt", "/hello.txt"], &[1, 2], "the first opens it"),
        (&["/ten.txt", "/", "/ten.txt"], &[1, 2], "so does that of the index"),
        (&["/", "/ten.txt", "/hello.txt"], &[3], "now all are in memory"),
        (&["/ten.txt", "/none", "/ten.txt", "/health"], &[1, 2, 1], "what is no file in memory might be on disk"),
        (&["/docs/guide.txt", "/ten.txt"], &[2], "nothing waits for the first"),
    ] {
        let requests =
            targets.iter().map(|target| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")).collect::<String>();
        let mut client = Client { requests: requests.into_bytes(), writes: Vec::new() };
        let peer = PeerAddr::from(SocketAddr::from(([127, 0, 0, 1], 50_000)));
        connection::serve_connection(&mut client, peer, &app, &ConnState::new(Instant::now()), app.memory.hold_none(None));
        let responses = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).matches("HTTP/1.1 ").count();
        assert_eq!(client.writes.iter().map(responses).collect::<Vec<_>>(), want, "{why}");
    }
}
