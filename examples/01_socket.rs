//! How do two programs talk over a network?
//!
//! New: a socket. `bind` asks the system for an address and a port, `listen` lets connections queue up there (the standard library
//! does both at once), `accept` takes one from the queue. What it gives is a stream of bytes in each direction, and no more than
//! that: no messages, no lines. This server says "OK" to anyone.
//!
//! Try: `telnet 127.0.0.1 8080`
//!
//! Still wrong: a browser shows an error, for "OK" is not HTTP (step 02). What the client says is never read (step 03), and closing
//! a socket that holds unread bytes tells the peer that the connection was reset.

use std::io::{self, Write};
use std::net::TcpListener;

fn main() -> io::Result<()> {
    // 127.0.0.1 is this machine alone; the system sends what comes for port 8080 to this program. Port 0 is any that is free.
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on http://{}/", listener.local_addr()?);
    loop {
        // Waits here until a client connects.
        match listener.accept() {
            Ok((mut stream, peer)) => match stream.write_all(b"OK\n") {
                Ok(()) => println!("said OK to {peer}"),
                Err(error) => eprintln!("{peer}: {error}"),
            },
            Err(error) => eprintln!("accept: {error}"),
        }
        // Here `stream` is dropped, which closes the connection.
    }
}
