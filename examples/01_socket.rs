//! A TCP server.
//!
//! New: a socket. `bind` asks the system for an address and a port, and `listen` makes the system queue connections there. (The standard
//! library does both at once.) `accept` takes a connection from the queue. It is a stream of bytes in each direction, without messages or
//! lines. This server sends "OK" to every client.
//!
//! Try: `nc 127.0.0.1 8080` in a second terminal. Then run `curl http://127.0.0.1:8080/`, which reports that "OK" is not HTTP.
//!
//! Still wrong: a browser shows an error, because "OK" is not HTTP (step 02). The request is never read (step 03). Closing a socket with
//! unread bytes resets the connection, and the response may be lost (`src/server/connection.rs`).

use std::io::{self, Write};
use std::net::TcpListener;

fn main() -> io::Result<()> {
    // 127.0.0.1 is reachable from this machine only. With PORT=0 the system chooses a free port.
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}; choose another: PORT=9000 cargo run --example 01_socket");
        std::process::exit(1)
    });
    println!("listening on http://{}/", listener.local_addr()?);
    loop {
        // Waits until a client connects.
        match listener.accept() {
            Ok((mut stream, peer)) => match stream.write_all(b"OK\n") {
                Ok(()) => println!("sent OK to {peer}"),
                Err(error) => eprintln!("{peer}: {error}"),
            },
            Err(error) => eprintln!("accept: {error}"),
        }
        // `stream` is dropped here, which closes the connection.
    }
}
