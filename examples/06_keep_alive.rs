//! Several requests on one connection.
//!
//! New: framing. A request ends after its head and as many bytes as `Content-Length` says, and the next one begins there. HTTP/1.1 keeps
//! the connection open unless one side sends `Connection: close`. HTTP/1.0 keeps it open only if the client asks for it. A client may send a
//! request before the response to the previous one (pipelining). It waits in the buffer, which therefore lives as long as the connection.
//!
//! Try: `curl -v http://127.0.0.1:8080/ http://127.0.0.1:8080/`, and `curl --data hello http://127.0.0.1:8080/`. Connect with `nc` and wait
//! ten seconds: the step prints `Resource temporarily unavailable`, which is the system's error for a timeout.
//!
//! Still wrong: chunked bodies are refused (step 08). `Content-Length : 5`, with a space, is ignored, so the body would be read as a
//! request (`src/http/request.rs`). A client that sends a byte every nine seconds keeps a thread forever (`src/net/deadline.rs`).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{thread, time::Duration};

const HEAD_BYTES_MAX: u64 = 8 * 1024;

fn main() -> io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}; choose another: PORT=9000 cargo run --example 06_keep_alive");
        std::process::exit(1)
    });
    println!("listening on http://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        let serve = || stream.and_then(serve_connection).unwrap_or_else(|error| eprintln!("{error}"));
        thread::Builder::new().spawn(serve).map_or_else(|error| eprintln!("{error}"), drop);
    }
    Ok(())
}

fn serve_connection(stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(&stream);
    let mut connection = "keep-alive";
    // The end of the stream is an error within a request, but not between two requests.
    while connection == "keep-alive" && !reader.fill_buf()?.is_empty() {
        let head = read_head(&mut reader).unwrap_or_default();
        // If the end of this request is unknown, so is the beginning of the next one, and the connection must close.
        let (status, persistence, length) = framing(&head).unwrap_or(("400 Bad Request", "close", 0));
        connection = persistence;
        reader.read_exact(&mut vec![0; length.into()])?;
        let body = format!("{}\nbody of {length} bytes\n", head.split("\r\n").next().unwrap_or_default());
        let headers = format!("Connection: {connection}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n", body.len());
        (&stream).write_all(format!("HTTP/1.1 {status}\r\n{headers}\r\n{body}").as_bytes())?;
    }
    Ok(())
}

/// Returns the status, the value of `Connection` in the response, and the length of the body, which `u16` limits.
fn framing(head: &str) -> Option<(&'static str, &'static str, u16)> {
    let options = header(head, "Connection").unwrap_or_default().to_ascii_lowercase();
    let has_option = |name| options.split(',').any(|option| option.trim() == name);
    let persists = match head.split("\r\n").next()?.rsplit(' ').next()? {
        "HTTP/1.1" => !has_option("close"),
        "HTTP/1.0" => has_option("keep-alive") && !has_option("close"),
        _ => return None,
    };
    // Two lengths become "5, 5", which is not a number. Nor is "+5", although `parse` accepts it.
    let length = header(head, "Content-Length").unwrap_or_else(|| "0".to_owned());
    let is_known = header(head, "Transfer-Encoding").is_none() && !length.starts_with('+');
    let length = length.parse().ok().filter(|_| is_known)?;
    Some(("200 OK", if persists { "keep-alive" } else { "close" }, length))
}

/// The value of a header field. Names are case-insensitive, and the values of fields with the same name form a list (RFC 9110 §5.3).
fn header(head: &str, name: &str) -> Option<String> {
    let fields = head.split("\r\n").filter_map(|line| line.split_once(':')).filter(|(found, _)| found.eq_ignore_ascii_case(name));
    fields.map(|(_, value)| value.trim().to_owned()).reduce(|list, value| list + ", " + &value)
}

/// Reads a request head, up to the empty line. It is an error if the head is too long, incomplete or not UTF-8.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let (mut head, mut limited) = (String::new(), reader.take(HEAD_BYTES_MAX));
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
