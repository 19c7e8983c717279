//! An event loop: one thread for all connections.
//!
//! New: `poll`. The sockets never block, and one call waits until any of them is ready. In step 05 the position in the code shows how far a
//! connection has come; here a value has to. The response is that of step 02, byte for byte.
//!
//! Try: `nc 127.0.0.1 8080`, type nothing, and run `curl http://127.0.0.1:8080/` in another terminal: it gets its response at once
//!
//! Responses per second, here and in step 05: 21,400 and 13,400; 900 and 10,900 if each waits 1 ms (`docs/book/10-threads-and-event-loops.md`).
//!
//! Still wrong: a handler that waits or computes delays all clients (`src/server/thread_pool.rs` has a thread for each). Each call of `poll`
//! passes all sockets, also the idle ones; `epoll` does not. After an error, `accept` is called again at once (`src/server/mod.rs`).

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use rustix::event::{PollFd, PollFlags, poll};

const HEAD_BYTES_MAX: usize = 8 * 1024;
const PAGE: &str = "<!doctype html><title>Hello</title><h1>Hello</h1><p>Grüße from twenty lines of Rust.\n";

/// The state of a connection: the bytes of the request so far, then the bytes of the response that are left to send.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    unsent: Vec<u8>,
}

fn main() -> io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}; choose another: PORT=9000 cargo run --example 13_select");
        std::process::exit(1)
    });
    println!("listening on http://{}/", listener.local_addr()?);
    listener.set_nonblocking(true)?;
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        let streams = connections.iter().map(|connection| PollFd::new(&connection.stream, connection.events()));
        let mut sockets: Vec<PollFd> = streams.chain([PollFd::new(&listener, PollFlags::IN)]).collect();
        poll(&mut sockets, None)?;
        let mut ready = sockets.iter().map(|socket| !socket.revents().is_empty()).collect::<Vec<_>>().into_iter();
        // A connection stays if it is not ready, or if it would block again before its end.
        connections.retain_mut(|connection| {
            ready.next() == Some(false) || connection.advance().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        });
        let can_accept = ready.next() == Some(true);
        while can_accept && let Ok((stream, _)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok() {
                connections.push(Connection { stream, received: Vec::new(), unsent: Vec::new() });
            }
        }
    }
}

impl Connection {
    fn events(&self) -> PollFlags {
        if self.unsent.is_empty() { PollFlags::IN } else { PollFlags::OUT }
    }

    /// Reads and writes until the response is sent, or until the socket would block.
    fn advance(&mut self) -> io::Result<()> {
        while self.unsent.is_empty() {
            let mut buffer = [0; 1024];
            let length = self.stream.read(&mut buffer)?;
            self.received.extend(&buffer[..length]);
            if length == 0 || self.received.len() > HEAD_BYTES_MAX {
                return Err(ErrorKind::InvalidData.into());
            }
            if self.received.windows(4).any(|end| end == b"\r\n\r\n") {
                let headers = "Content-Type: text/html; charset=utf-8\r\nContent-Length: 87\r\nConnection: close\r\n";
                self.unsent = format!("HTTP/1.1 200 OK\r\n{headers}\r\n{PAGE}").into_bytes();
            }
        }
        while !self.unsent.is_empty() {
            let sent = self.stream.write(&self.unsent)?;
            self.unsent.drain(..sent);
        }
        Ok(())
    }
}
