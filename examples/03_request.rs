//! What does the client ask for, and where does the question end?
//!
//! New: a request. Its head ends with an empty line, however many reads that takes; its first line is a method, a target and a
//! version. The head has a limit: else one client could fill the memory.
//!
//! Try: `curl http://127.0.0.1:8000/any/where?you=like`, and look at both terminals
//!
//! Still wrong: every target gets the same answer, and who sends nonsense gets none at all (step 04). While one client keeps us
//! waiting for the rest of its head, no other client is served (step 05).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// Apache's limit for one line; real heads are a tenth of it.
const HEAD_BYTES_MAX: u64 = 8 * 1024;

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

fn answer(stream: TcpStream) -> io::Result<()> {
    let head = read_head(&mut BufReader::new(&stream))?;
    // request-line = method SP request-target SP HTTP-version
    let words: Vec<&str> = head.split("\r\n").next().unwrap_or_default().split(' ').collect();
    let [method, target, version] = words[..] else { return Err(io::ErrorKind::InvalidData.into()) };
    // A terminal obeys control characters: what a client sends is escaped before it is shown.
    println!("{} {}", method.escape_debug(), target.escape_debug());
    let content =
        format!("method:  {method}\ntarget:  {target}\nversion: {version}\nfields:  {}\n", head.split("\r\n").count() - 3);
    let fields = format!("Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n", content.len());
    (&stream).write_all(format!("HTTP/1.1 200 OK\r\n{fields}\r\n{content}").as_bytes())
}

/// Reads up to the empty line. What is too long, cut short, or not UTF-8, is no head.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    let mut limited = reader.take(HEAD_BYTES_MAX);
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
