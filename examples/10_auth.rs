//! Passwords.
//!
//! New: authentication. A 401 asks for credentials, and `WWW-Authenticate` names the scheme. With `Basic`, the oldest one, each request
//! carries the user name, a colon and the password in base64, which is not encryption. A comparison looks at every byte of a password.
//! Otherwise its duration would show how much of a guess was right.
//!
//! Try: `curl -i http://127.0.0.1:8080/diary`, then with `-u ada:engine`, then open it in a browser
//!
//! Still wrong: without TLS, every router on the way can read the password (docs/guide/tls.md). The passwords are in the source code;
//! `src/handlers/access.rs` stores hashes. And the number of guesses is unlimited.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

const HEAD_BYTES_MAX: u64 = 8 * 1024;

/// The users that may read the diary: a name, a colon, a password.
const USERS: &[&str] = &["ada:engine", "grace:na:no"];

fn main() -> io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}; choose another: PORT=9000 cargo run --example 10_auth");
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
    let head = read_head(&mut BufReader::new(&stream)).unwrap_or_default();
    let (status, body) = match head.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["GET", "/"] => ("200 OK", "this page is public, /diary is not\n".to_owned()),
        ["GET", "/diary"] => match user(&head) {
            Some(name) => ("200 OK", format!("dear {name}, today we wrote a server\n")),
            None => ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"diary\"", "authentication required\n".to_owned()),
        },
        _ => ("404 Not Found", "not found\n".to_owned()),
    };
    let headers = format!("Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
    (&stream).write_all(format!("HTTP/1.1 {status}\r\n{headers}\r\n{body}").as_bytes())
}

/// The name of the user whose credentials are in the head.
fn user(head: &str) -> Option<&'static str> {
    let mut fields = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case("Authorization"))?;
    let (scheme, credentials) = value.trim().split_once(' ')?;
    let credentials = BASE64_STANDARD.decode(credentials.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("Basic"))?;
    let user = USERS.iter().find(|user| equal(user.as_bytes(), &credentials))?;
    user.split(':').next()
}

/// Compares two byte strings in a time that depends on their lengths only.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// Reads a request head, up to the empty line. It is an error if the head is too long, incomplete or not UTF-8.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let (mut head, mut limited) = (String::new(), reader.take(HEAD_BYTES_MAX));
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
