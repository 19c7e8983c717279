//! How does something get to the server?
//!
//! New: content, of two kinds. With Content-Length it is so many bytes. Who does not know the length in advance sends chunks, each
//! with its size in hexadecimal digits before it; one of size 0 is the last. What is sent here is sent back. Before a large upload
//! curl asks whether it is welcome (`Expect: 100-continue`), and waits a second for the answer.
//!
//! Try: `curl -T Cargo.toml http://127.0.0.1:8000/`, `date | curl -T - http://127.0.0.1:8000/`, `curl -d a=b http://127.0.0.1:8000/`
//!
//! Still wrong: any client may write (step 10). A refusal may be lost: to close a socket on bytes that were not read is to reset the
//! connection (`src/server/connection.rs` lingers). The content is held in memory (`src/server/request_body.rs` reads). Each refusal is 400
//! (`src/http/error.rs`).

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

const HEAD_BYTES_MAX: u64 = 8 * 1024;
const CONTENT_BYTES_MAX: usize = 4 * 1024 * 1024;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on http://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        let serve = || stream.and_then(answer).unwrap_or_else(|error| eprintln!("{error}"));
        thread::Builder::new().spawn(serve).map_or_else(|error| eprintln!("{error}"), drop);
    }
    Ok(())
}

fn answer(stream: TcpStream) -> io::Result<()> {
    let (status, content) = receive(&stream).map_or(("400 Bad Request", Vec::new()), |content| ("200 OK", content));
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
    (&stream).write_all(&[head.as_bytes(), &content].concat())
}

/// The content of a request, however it is framed.
fn receive(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut reader = BufReader::new(stream);
    let head = read_up_to("\r\n\r\n", &mut reader)?.to_ascii_lowercase();
    let values = |name| head.split("\r\n").filter_map(move |line| line.strip_prefix(name)).map(str::trim).collect::<Vec<_>>();
    let length = match (&values("content-length:")[..], &values("transfer-encoding:")[..]) {
        ([], []) => Some(0),
        ([length], []) => Some(number(length, 10, CONTENT_BYTES_MAX)?),
        ([], ["chunked"]) => None,
        // Who gives both, or one of them twice, hopes that two servers disagree about where the next request begins.
        _ => return Err(ErrorKind::InvalidData.into()),
    };
    if head.contains("\r\nexpect:") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut content = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut content)?;
    let mut is_whole = length.is_some();
    while !is_whole {
        let line = read_up_to("\r\n", &mut reader)?;
        // Behind a semicolon there may be an extension, which no client uses.
        let size = number(line.split([';', '\r']).next().unwrap_or_default(), 16, CONTENT_BYTES_MAX - content.len())?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk)?;
        content.extend(chunk.strip_suffix(b"\r\n").ok_or(ErrorKind::InvalidData)?);
        is_whole = size == 0;
    }
    Ok(content)
}

/// A number in its digits only (the standard library takes "+5" as well), if it is not too large.
fn number(digits: &str, radix: u32, max: usize) -> io::Result<usize> {
    let number = usize::from_str_radix(digits, radix).ok().filter(|number| *number <= max && !digits.starts_with('+'));
    number.ok_or(ErrorKind::InvalidData.into())
}

/// Reads lines up to this end. What is too long, cut short, or not UTF-8, is refused.
fn read_up_to(end: &str, reader: &mut impl BufRead) -> io::Result<String> {
    let mut lines = String::new();
    let mut limited = reader.take(HEAD_BYTES_MAX);
    while limited.read_line(&mut lines)? > 2 && !lines.ends_with(end) {}
    if lines.ends_with(end) { Ok(lines) } else { Err(ErrorKind::InvalidData.into()) }
}
