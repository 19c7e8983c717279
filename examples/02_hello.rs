//! What does a browser want to hear?
//!
//! New: a response. A status line, then fields, each on a line that ends with CR LF; an empty line; then the content. The browser
//! learns from Content-Type what the content is, and from Content-Length where it ends: in bytes, and `ü` is two of them.
//!
//! Try: open <http://127.0.0.1:8000/>, then `curl -i http://127.0.0.1:8000/`
//!
//! Still wrong: whatever the first `read` brings is taken for a request, be it half of one or none, and everyone gets the same page
//! (step 03). There is no Date, which a server with a clock must send (`src/server/response_writer.rs` does).

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

const PAGE: &str = "<!doctype html><title>Hello</title><h1>Hello</h1><p>Grüße from twenty lines of Rust.\n";

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on http://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        if let Err(error) = stream.and_then(answer) {
            eprintln!("{error}");
        }
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let length = stream.read(&mut [0; 1024])?;
    println!("the request seems to be {length} bytes long");
    let fields = format!("Content-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n", PAGE.len());
    // One write: two small ones would travel, and be waited for, one by one.
    stream.write_all(format!("HTTP/1.1 200 OK\r\n{fields}\r\n{PAGE}").as_bytes())
}
