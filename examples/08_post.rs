//! Request bodies.
//!
//! New: two ways to mark the end of a body. `Content-Length` gives its length in bytes. A client that does not know the length sends chunks:
//! each begins with its size in hexadecimal, and one of size 0 is the last. This server sends the body back. Before a large body, curl sends
//! `Expect: 100-continue` and waits up to a second for a `100 Continue`.
//!
//! Try: `curl -T Cargo.toml http://127.0.0.1:8080/`, `date | curl -T - http://127.0.0.1:8080/`, `curl -d a=b http://127.0.0.1:8080/`
//!
//! Still wrong: every client may send (step 10). An error may be lost, since closing a socket with unread bytes resets the connection
//! (`src/server/connection.rs`). The body is held in memory (`src/server/request_body.rs`). Every error is a 400 (`src/http/error.rs`).

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

const HEAD_BYTES_MAX: u64 = 8 * 1024;
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

fn main() -> io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}; choose another: PORT=9000 cargo run --example 08_post");
        std::process::exit(1)
    });
    println!("listening on http://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        let serve = || stream.and_then(respond).unwrap_or_else(|error| eprintln!("{error}"));
        thread::Builder::new().spawn(serve).map_or_else(|error| eprintln!("{error}"), drop);
    }
    Ok(())
}

fn respond(stream: TcpStream) -> io::Result<()> {
    let (status, body) = read_body(&stream).map_or(("400 Bad Request", Vec::new()), |body| ("200 OK", body));
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    (&stream).write_all(&[head.as_bytes(), &body].concat())
}

fn read_body(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut reader = BufReader::new(stream);
    let head = read_until("\r\n\r\n", &mut reader)?.to_ascii_lowercase();
    let values = |name| head.split("\r\n").filter_map(move |line| line.strip_prefix(name)).map(str::trim).collect::<Vec<_>>();
    let length = match (&values("content-length:")[..], &values("transfer-encoding:")[..]) {
        ([], []) => Some(0),
        ([length], []) => Some(number(length, 10, BODY_BYTES_MAX)?),
        ([], ["chunked"]) => None,
        // With both fields, or one of them twice, two servers could disagree about where the next request begins (request smuggling).
        _ => return Err(ErrorKind::InvalidData.into()),
    };
    if head.contains("\r\nexpect:") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let mut is_complete = length.is_some();
    while !is_complete {
        let line = read_until("\r\n", &mut reader)?;
        // A semicolon may follow the size, with an extension that no client uses.
        let size = number(line.split([';', '\r']).next().unwrap_or_default(), 16, BODY_BYTES_MAX - body.len())?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk)?;
        body.extend(chunk.strip_suffix(b"\r\n").ok_or(ErrorKind::InvalidData)?);
        is_complete = size == 0;
    }
    Ok(body)
}

/// Parses a number of at most `max`. The sign in "+5" is an error, although the standard library accepts it.
fn number(digits: &str, radix: u32, max: usize) -> io::Result<usize> {
    let number = usize::from_str_radix(digits, radix).ok().filter(|number| *number <= max && !digits.starts_with('+'));
    number.ok_or(ErrorKind::InvalidData.into())
}

/// Reads lines up to this end. It is an error if they are too long, incomplete or not UTF-8.
fn read_until(end: &str, reader: &mut impl BufRead) -> io::Result<String> {
    let mut lines = String::new();
    let mut limited = reader.take(HEAD_BYTES_MAX);
    while limited.read_line(&mut lines)? > 2 && !lines.ends_with(end) {}
    if lines.ends_with(end) { Ok(lines) } else { Err(ErrorKind::InvalidData.into()) }
}
