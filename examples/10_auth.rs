//! How does a server ask who you are?
//!
//! New: a password. 401 means: say who you are, and `WWW-Authenticate` says how. `Basic` is the oldest way: the name, a colon and the
//! password in base64, which hides nothing, with each request. Passwords are compared to their last byte, so that the time it takes
//! does not tell how much of a guess was right.
//!
//! Try: `curl -i http://127.0.0.1:8000/diary`, then with `-u ada:engine`, then open it in a browser
//!
//! Still wrong: everyone on the way can read the password, so this needs TLS before it (docs/SECURITY.md). It stands in the source, and a
//! thief would have it; `src/handlers/access.rs` keeps hashes. And the guesses are not counted.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

const HEAD_BYTES_MAX: u64 = 8 * 1024;

/// Who may read the diary: a name, a colon, a password.
const USERS: &[&str] = &["ada:engine", "grace:na:no"];

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
    let head = read_head(&mut BufReader::new(&stream)).unwrap_or_default();
    let (status, content) = match head.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["GET", "/"] => ("200 OK", "anyone may read this, and some /diary\n".to_owned()),
        ["GET", "/diary"] => match user(&head) {
            Some(name) => ("200 OK", format!("dear {name}, today we wrote a server\n")),
            None => ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"diary\"", "who are you?\n".to_owned()),
        },
        _ => ("404 Not Found", "nothing here\n".to_owned()),
    };
    let fields = format!("Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n", content.len());
    (&stream).write_all(format!("HTTP/1.1 {status}\r\n{fields}\r\n{content}").as_bytes())
}

/// The name of the user whose password stands in the head.
fn user(head: &str) -> Option<&'static str> {
    let mut fields = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case("Authorization"))?;
    let (scheme, credentials) = value.trim().split_once(' ')?;
    let given = BASE64_STANDARD.decode(credentials.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("Basic"))?;
    let user = USERS.iter().find(|user| is_same(user.as_bytes(), &given))?;
    user.split(':').next()
}

/// Whether two texts are the same. It looks at all of their bytes, whatever the first ones were.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

/// Reads up to the empty line. What is too long, cut short, or not UTF-8, is no head.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    let mut limited = reader.take(HEAD_BYTES_MAX);
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
