//! How does something get to the server?
//!
//! New: content, of two kinds. With Content-Length it is so many bytes. Who does not know the length in advance sends chunks, each
//! with its size in hexadecimal digits before it; one of size 0 is the last. What is sent here is sent back. Before a large upload
//! curl asks whether it is welcome (`Expect: 100-continue`), and waits a second for the answer.
//!
//! Try: `curl -T Cargo.toml http://127.0.0.1:8000/`, `date | curl -T - http://127.0.0.1:8000/`, `curl -d a=b http://127.0.0.1:8000/`
//!
//! Still wrong: anybody may write (step 10). A refusal may be lost: to close a socket on bytes that nobody has read is to reset the
//! connection (`src/conn.rs` lingers). The content is held in memory (`src/net/content.rs` is a reader), and has no trailers.

#![forbid(unsafe_code)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

const HEAD_BYTES_MAX: u64 = 8 * 1024;
const CONTENT_BYTES_MAX: usize = 4 * 1024 * 1024;
const BAD_REQUEST: &str = "400 Bad Request";

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
    let (status, content) = receive(&stream).map_or_else(|status| (status, Vec::new()), |content| ("200 OK", content));
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
    (&stream).write_all(&[head.as_bytes(), &content].concat())
}

/// The content of a request, however it is framed; or the status that says why there is none.
fn receive(mut stream: &TcpStream) -> Result<Vec<u8>, &'static str> {
    let mut reader = BufReader::new(stream);
    let head = read_up_to("\r\n\r\n", &mut reader)?;
    let fixed = match (field(&head, "Transfer-Encoding").as_deref(), field(&head, "Content-Length")) {
        (None, Some(length)) => Some(number(&length, 10, CONTENT_BYTES_MAX)?),
        (Some("chunked"), None) => None,
        (None, None) => return Err("411 Length Required"),
        // Who gives both hopes that two servers on the way disagree about where the next request begins.
        (Some(_), _) => return Err(BAD_REQUEST),
    };
    if field(&head, "Expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").map_err(|_| BAD_REQUEST)?;
    }
    let mut content = vec![0; fixed.unwrap_or(0)];
    reader.read_exact(&mut content).map_err(|_| BAD_REQUEST)?;
    let mut is_whole = fixed.is_some();
    while !is_whole {
        let line = read_up_to("\r\n", &mut reader)?;
        // Behind a semicolon there may be an extension, which nobody uses.
        let size = number(line.split([';', '\r']).next().unwrap_or_default(), 16, CONTENT_BYTES_MAX - content.len())?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).map_err(|_| BAD_REQUEST)?;
        content.extend(chunk.strip_suffix(b"\r\n").ok_or(BAD_REQUEST)?);
        is_whole = size == 0;
    }
    Ok(content)
}

/// A number in its digits only (the standard library takes "+5" as well), if it is not too large.
fn number(digits: &str, radix: u32, max: usize) -> Result<usize, &'static str> {
    let number = usize::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+')).ok_or(BAD_REQUEST)?;
    if number <= max { Ok(number) } else { Err("413 Content Too Large") }
}

/// The value of a field, whose name is case-blind; if it comes more than once, all of them as a list.
fn field(head: &str, name: &str) -> Option<String> {
    let fields = head.lines().filter_map(|line| line.split_once(':')).filter(|(found, _)| found.eq_ignore_ascii_case(name));
    fields.map(|(_, value)| value.trim().to_owned()).reduce(|list, value| list + ", " + &value)
}

/// Reads lines up to this end. What is too long, cut short, not UTF-8, or has other line ends than CR LF, is refused.
fn read_up_to(end: &str, reader: &mut impl BufRead) -> Result<String, &'static str> {
    let (mut lines, mut limited) = (String::new(), reader.take(HEAD_BYTES_MAX));
    while limited.read_line(&mut lines).is_ok_and(|length| length > 0) && lines.ends_with("\r\n") {
        if lines.ends_with(end) {
            return Ok(lines);
        }
    }
    Err(BAD_REQUEST)
}
