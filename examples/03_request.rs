//! An HTTP request.
//!
//! New: a request head ends with an empty line, and reading it may take several calls of `read`. Its first line has a method, a target and
//! a version. The head has a maximum length. Without one, a single client could fill the memory.
//!
//! Try: `curl http://127.0.0.1:8080/any/where?you=like`, and look at both terminals
//!
//! Still wrong: every target gets the same response, and an invalid request gets none (step 04). While the server waits for the rest of one
//! head, it serves no other client (step 05).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// Apache has this limit for a single line. Typical heads are a tenth of it.
const HEAD_BYTES_MAX: u64 = 8 * 1024;

fn main() -> io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}; choose another: PORT=9000 cargo run --example 03_request");
        std::process::exit(1)
    });
    println!("listening on http://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        if let Err(error) = stream.and_then(respond) {
            eprintln!("{error}");
        }
    }
    Ok(())
}

fn respond(stream: TcpStream) -> io::Result<()> {
    let head = read_head(&mut BufReader::new(&stream))?;
    // request-line = method SP request-target SP HTTP-version
    let words: Vec<&str> = head.split("\r\n").next().unwrap_or_default().split(' ').collect();
    let [method, target, version] = words[..] else { return Err(io::ErrorKind::InvalidData.into()) };
    // Escaped, because control characters from a client could change the colors, the title or the text of your terminal.
    println!("{} {}", method.escape_debug(), target.escape_debug());
    let body = format!("method:  {method}\ntarget:  {target}\nversion: {version}\nfields:  {}\n", head.split("\r\n").count() - 3);
    let headers = format!("Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
    (&stream).write_all(format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body}").as_bytes())
}

/// Reads a request head, up to the empty line. It is an error if the head is too long, incomplete or not UTF-8.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let (mut head, mut limited) = (String::new(), reader.take(HEAD_BYTES_MAX));
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
