//! A thread per connection.
//!
//! New: threads. A browser may open a connection before it has a request to send. A server with one thread then waits for that request, and
//! does not answer a request on a second connection. With a thread per connection, each waits for one client only, and the code for a
//! connection stays the same.
//!
//! Try: `nc 127.0.0.1 8080`, type nothing, and run `curl http://127.0.0.1:8080/` in another terminal: it gets its response at once
//!
//! Still wrong: each request costs a connection and a thread (step 06). A silent client keeps its thread forever (step 06 adds a timeout), and
//! the number of threads is unlimited (`src/server/registry.rs`). After an error, `accept` is called again at once (`src/server/mod.rs`).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

const HEAD_BYTES_MAX: u64 = 8 * 1024;

fn main() -> io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}; choose another: PORT=9000 cargo run --example 05_threads");
        std::process::exit(1)
    });
    println!("listening on http://{}/", listener.local_addr()?);
    // A scope waits for its threads before it ends, so they may borrow values from outside of it.
    thread::scope(|scope| {
        for stream in listener.incoming() {
            let serve = || {
                if let Err(error) = stream.and_then(respond) {
                    eprintln!("{error}");
                }
            };
            // `thread::spawn` panics if the system cannot create a thread. `Builder` returns an error, and the connection is closed.
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, serve) {
                eprintln!("cannot create a thread: {error}");
            }
        }
    });
    Ok(())
}

fn respond(stream: TcpStream) -> io::Result<()> {
    let head = read_head(&mut BufReader::new(&stream)).unwrap_or_default();
    let request_line = head.split("\r\n").next().unwrap_or_default();
    let (status, body) = if request_line.starts_with("GET / HTTP/1.") {
        ("200 OK", format!("served by {:?}\n", thread::current().id()))
    } else {
        ("404 Not Found", "only GET / exists\n".to_owned())
    };
    let headers = format!("Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
    (&stream).write_all(format!("HTTP/1.1 {status}\r\n{headers}\r\n{body}").as_bytes())
}

/// Reads a request head, up to the empty line. It is an error if the head is too long, incomplete or not UTF-8.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let (mut head, mut limited) = (String::new(), reader.take(HEAD_BYTES_MAX));
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
