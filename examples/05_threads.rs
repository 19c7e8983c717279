//! How are two clients served at the same time?
//!
//! New: a thread for each connection. A browser likes to open a connection before it has anything to ask. A server with one thread
//! waits for that silent one, and the page that the user wants waits behind it. With threads each waits for its own client, and the
//! code of a connection stays as simple as it was.
//!
//! Try: `telnet 127.0.0.1 8000`, say nothing, and in another terminal `curl http://127.0.0.1:8000/`; it is answered at once
//!
//! Still wrong: each request costs a connection and a thread (step 06). The silent one keeps its thread for ever (step 06 gives it a
//! time), and nothing limits how many there are (`src/server/registry.rs`). An `accept` that fails is tried again at once (`src/server/mod.rs`).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

const HEAD_BYTES_MAX: u64 = 8 * 1024;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on http://{}/", listener.local_addr()?);
    // A scope does not end before its threads do, so they may borrow what lives outside of it.
    thread::scope(|scope| {
        for stream in listener.incoming() {
            let serve = || {
                if let Err(error) = stream.and_then(answer) {
                    eprintln!("{error}");
                }
            };
            // `thread::spawn` would panic where the system has no thread left. This one says so, and drops the connection.
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, serve) {
                eprintln!("no thread: {error}");
            }
        }
    });
    Ok(())
}

fn answer(stream: TcpStream) -> io::Result<()> {
    let head = read_head(&mut BufReader::new(&stream)).unwrap_or_default();
    let request_line = head.split("\r\n").next().unwrap_or_default();
    let (status, content) = if request_line.starts_with("GET / HTTP/1.") {
        ("200 OK", format!("served by {:?}\n", thread::current().id()))
    } else {
        ("404 Not Found", "only / is here, and only GET\n".to_owned())
    };
    let fields = format!("Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n", content.len());
    (&stream).write_all(format!("HTTP/1.1 {status}\r\n{fields}\r\n{content}").as_bytes())
}

/// Reads up to the empty line. What is too long, cut short, or not UTF-8, is no head.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    let mut limited = reader.take(HEAD_BYTES_MAX);
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
