//! How does a server recognize a client?
//!
//! New: a session. HTTP forgets the client after each answer, so `Set-Cookie` hands it something to bring along: a number that no one
//! can guess, since a client that brings it is taken for its owner. A form comes as `name=Ada+L%C3%B6v`, and the answer is 303: a reload then
//! repeats the page and not the form. What a user has typed is escaped before it stands in a page.
//!
//! Try: open <http://127.0.0.1:8000/>, or `curl -L -c jar -d 'name=<Ada>' http://127.0.0.1:8000/login`
//!
//! Still wrong: whatever name you give is believed (step 10). The cookie is not `Secure`, for that needs TLS, and only `SameSite` keeps
//! other sites from sending our form. Sessions never end; the thousand and first is refused.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::{fs::File, thread};

use percent_encoding::percent_decode_str;

const HEAD_BYTES_MAX: u64 = 8 * 1024;
const FORM_BYTES_MAX: u64 = 1024;
const SESSIONS_MAX: usize = 1000;
const FORM: &str = "<!doctype html><form method=post action=/login>Your name? <input name=name><button>Log in</button></form>\n";

static SESSIONS: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

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
    let mut reader = BufReader::new(&stream);
    let head = read_head(&mut reader)?;
    let fields: Vec<(&str, &str)> = head.split("\r\n").filter_map(|line| line.split_once(':')).collect();
    let field = |name| fields.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim());
    let mut form = String::new();
    reader.take(field("Content-Length").parse().unwrap_or(0).min(FORM_BYTES_MAX)).read_to_string(&mut form)?;
    let session = field("Cookie").split("; ").find_map(|cookie| cookie.strip_prefix("session=")).unwrap_or_default();
    let mut sessions = SESSIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, content) = match (head.split("HTTP").next(), sessions.get(session)) {
        (Some("GET / "), Some(name)) => ("200 OK".to_owned(), format!("<!doctype html><h1>Hello, {name}</h1>\n")),
        (Some("GET / "), None) => ("200 OK".to_owned(), FORM.to_owned()),
        (Some("POST /login "), _) if sessions.len() < SESSIONS_MAX => {
            let mut random = [0; 16];
            File::open("/dev/urandom")?.read_exact(&mut random)?;
            let session = format!("{:032x}", u128::from_ne_bytes(random));
            let cookie = format!("Set-Cookie: session={session}; HttpOnly; SameSite=Lax");
            sessions.insert(session, name_in(&form));
            (format!("303 See Other\r\nLocation: /\r\n{cookie}"), String::new())
        }
        _ => ("404 Not Found".to_owned(), String::new()),
    };
    drop(sessions);
    let fields = format!("Content-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n", content.len());
    (&stream).write_all(format!("HTTP/1.1 {status}\r\n{fields}\r\n{content}").as_bytes())
}

/// The field `name` of a form, escaped so that it may stand in a page.
fn name_in(form: &str) -> String {
    let value = form.split('&').find_map(|pair| pair.strip_prefix("name=")).unwrap_or_default().replace('+', " ");
    percent_decode_str(&value).decode_utf8_lossy().replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// Reads up to the empty line. What is too long, cut short, or not UTF-8, is no head.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    let mut limited = reader.take(HEAD_BYTES_MAX);
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
