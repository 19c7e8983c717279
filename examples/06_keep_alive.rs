//! How do several requests travel on one connection?
//!
//! New: framing. The next request begins where the last one ends: behind its head and as many bytes as Content-Length says. HTTP/1.1
//! goes on unless one side says `Connection: close`, HTTP/1.0 only if it is asked to. What comes before we have answered (pipelining)
//! waits in the buffer, which therefore lives as long as the connection.
//!
//! Try: `curl -v http://127.0.0.1:8000/ http://127.0.0.1:8000/`, and `curl --data hello http://127.0.0.1:8000/`
//!
//! Still wrong: content in chunks is refused (step 08). `Content-Length : 5`, with a space, is overlooked, so the content would be
//! taken for a request (`src/http/request.rs`). A byte every nine seconds holds a thread for ever (`src/net/deadline.rs`).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{thread, time::Duration};

const HEAD_BYTES_MAX: u64 = 8 * 1024;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on http://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        let serve = || stream.and_then(converse).unwrap_or_else(|error| eprintln!("{error}"));
        thread::Builder::new().spawn(serve).map_or_else(|error| eprintln!("{error}"), drop);
    }
    Ok(())
}

fn converse(stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(&stream);
    let mut connection = "keep-alive";
    // The client may go between two requests, and nowhere else.
    while connection == "keep-alive" && !reader.fill_buf()?.is_empty() {
        let head = read_head(&mut reader).unwrap_or_default();
        // Where the end of this request is not known, it is also unknown where the next one begins.
        let (status, then, length) = framing(&head).unwrap_or(("400 Bad Request", "close", 0));
        connection = then;
        reader.read_exact(&mut vec![0; length.into()])?;
        let content = format!("{}\n{length} bytes of content\n", head.split("\r\n").next().unwrap_or_default());
        let fields = format!("Connection: {connection}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n", content.len());
        (&stream).write_all(format!("HTTP/1.1 {status}\r\n{fields}\r\n{content}").as_bytes())?;
    }
    Ok(())
}

/// The status, what becomes of the connection, and the length of the content, for which `u16` is the limit.
fn framing(head: &str) -> Option<(&'static str, &'static str, u16)> {
    let asked = field(head, "Connection").unwrap_or_default().to_ascii_lowercase();
    let asks = |word| asked.split(',').any(|token| token.trim() == word);
    let persists = match head.split("\r\n").next()?.rsplit(' ').next()? {
        "HTTP/1.1" => !asks("close"),
        "HTTP/1.0" => asks("keep-alive") && !asks("close"),
        _ => return None,
    };
    // Two lengths are "5, 5" here; "+5" is none either, but `parse` would take it.
    let length = field(head, "Content-Length").unwrap_or_else(|| "0".to_owned());
    let is_known = field(head, "Transfer-Encoding").is_none() && !length.starts_with('+');
    let length = length.parse().ok().filter(|_| is_known)?;
    Some(("200 OK", if persists { "keep-alive" } else { "close" }, length))
}

/// The value of a field, whose name is case-blind; if it comes more than once, all of them as a list (RFC 9110 §5.3).
fn field(head: &str, name: &str) -> Option<String> {
    let fields = head.split("\r\n").filter_map(|line| line.split_once(':')).filter(|(found, _)| found.eq_ignore_ascii_case(name));
    fields.map(|(_, value)| value.trim().to_owned()).reduce(|list, value| list + ", " + &value)
}

/// Reads up to the empty line. What is too long, cut short, or not UTF-8, is no head.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    let mut limited = reader.take(HEAD_BYTES_MAX);
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
