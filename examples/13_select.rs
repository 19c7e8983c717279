//! Can one thread serve them all?
//!
//! New: `poll`. Sockets that never block, and one call that sleeps until any of them can go on. Where a thread remembers by its place in
//! the code how far a client has come, here a value must say so. The answer is that of step 02, byte for byte.
//!
//! Try: `telnet 127.0.0.1 8000`, say nothing, and in another terminal `curl http://127.0.0.1:8000/`; it is answered at once
//!
//! Measured against step 05: 21,400 answers a second to 13,400; 900 to 10,900 if each waits 1 ms (`docs/book/10-threads-and-event-loops.md`).
//!
//! Still wrong: a handler that waits or computes stops all clients (`src/server/thread_pool.rs` has a thread for each). Each call of `poll` hands
//! over all sockets, also those that sleep, which `epoll` does not. An `accept` that fails is tried again at once (`src/server/mod.rs`).

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use rustix::event::{PollFd, PollFlags, poll};

const HEAD_BYTES_MAX: usize = 8 * 1024;
const PAGE: &str = "<!doctype html><title>Hello</title><h1>Hello</h1><p>Grüße from twenty lines of Rust.\n";

/// How far a connection has come: what is here of its head, and what is left of the answer once there is one.
struct Client {
    stream: TcpStream,
    received: Vec<u8>,
    answer: Vec<u8>,
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on http://{}/", listener.local_addr()?);
    listener.set_nonblocking(true)?;
    let mut clients: Vec<Client> = Vec::new();
    loop {
        let client_sockets = clients.iter().map(|client| PollFd::new(&client.stream, client.waits_for()));
        let mut sockets: Vec<PollFd> = client_sockets.chain([PollFd::new(&listener, PollFlags::IN)]).collect();
        poll(&mut sockets, None)?;
        let mut ready = sockets.iter().map(|socket| !socket.revents().is_empty()).collect::<Vec<_>>().into_iter();
        // Who is not ready stays; who is goes on, and stays if it then would have to wait.
        clients.retain_mut(|client| {
            ready.next() == Some(false) || client.go_on().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        });
        let connection_waits = ready.next() == Some(true);
        while connection_waits && let Ok((stream, _)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok() {
                clients.push(Client { stream, received: Vec::new(), answer: Vec::new() });
            }
        }
    }
}

impl Client {
    fn waits_for(&self) -> PollFlags {
        if self.answer.is_empty() { PollFlags::IN } else { PollFlags::OUT }
    }

    /// Goes on to the end of the connection, or to where it would have to wait.
    fn go_on(&mut self) -> io::Result<()> {
        while self.answer.is_empty() {
            let mut piece = [0; 1024];
            let length = self.stream.read(&mut piece)?;
            self.received.extend(&piece[..length]);
            if length == 0 || self.received.len() > HEAD_BYTES_MAX {
                return Err(ErrorKind::InvalidData.into());
            }
            if self.received.windows(4).any(|end| end == b"\r\n\r\n") {
                let fields = "Content-Type: text/html; charset=utf-8\r\nContent-Length: 87\r\nConnection: close\r\n";
                self.answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n{PAGE}").into_bytes();
            }
        }
        while !self.answer.is_empty() {
            let sent = self.stream.write(&self.answer)?;
            self.answer.drain(..sent);
        }
        Ok(())
    }
}
