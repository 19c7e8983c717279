//! An HTTP response.
//!
//! New: a response is a status line, header fields, an empty line and a body. The status line and each field end with CR LF. `Content-Type`
//! tells the browser what the body is, and `Content-Length` where it ends. The length is in bytes: `ü` has two.
//!
//! Try: open <http://127.0.0.1:8080/>, then `curl -i http://127.0.0.1:8080/`
//!
//! Still wrong: the server calls `read` once and takes the bytes for a whole request, even if they are half of one. It always sends the same
//! page (step 03). A server with a clock must send `Date` (`src/server/response_writer.rs`).

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

const PAGE: &str = "<!doctype html><title>Hello</title><h1>Hello</h1><p>Grüße from twenty lines of Rust.\n";

fn main() -> io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}; choose another: PORT=9000 cargo run --example 02_hello");
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

fn respond(mut stream: TcpStream) -> io::Result<()> {
    let length = stream.read(&mut [0; 1024])?;
    println!("received {length} bytes");
    let headers = format!("Content-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n", PAGE.len());
    // A single write: the system might send two small ones in two packets, and delay the second.
    stream.write_all(format!("HTTP/1.1 200 OK\r\n{headers}\r\n{PAGE}").as_bytes())
}
