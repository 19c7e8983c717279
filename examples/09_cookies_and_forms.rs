//! Forms, cookies and sessions.
//!
//! New: a session. Each HTTP request stands alone, so `Set-Cookie` gives the browser a value to send with the next ones: a random number
//! that other clients cannot guess. A form arrives as `name=Ada+L%C3%B6v`. The response to it is 303, so that a reload repeats the page and
//! not the form. User input is escaped before it becomes part of a page.
//!
//! Try: open <http://127.0.0.1:8080/>, or `curl -L -c jar -d 'name=<Ada>' http://127.0.0.1:8080/login`
//!
//! Still wrong: the server believes any name (step 10). The cookie is not `Secure`, which needs TLS, and only `SameSite` prevents other
//! sites from sending the form. Sessions never end, and there is no room for more than a thousand.

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

/// Session numbers, each with the name of a user.
static SESSIONS: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

fn main() -> io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}; choose another: PORT=9000 cargo run --example 09_cookies_and_forms");
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
    let mut reader = BufReader::new(&stream);
    let head = read_head(&mut reader)?;
    let fields: Vec<(&str, &str)> = head.split("\r\n").filter_map(|line| line.split_once(':')).collect();
    let header = |name| fields.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim());
    let mut form = String::new();
    reader.take(header("Content-Length").parse().unwrap_or(0).min(FORM_BYTES_MAX)).read_to_string(&mut form)?;
    let session = header("Cookie").split("; ").find_map(|cookie| cookie.strip_prefix("session=")).unwrap_or_default();
    let mut sessions = SESSIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, body) = match (head.split("HTTP").next(), sessions.get(session)) {
        (Some("GET / "), Some(name)) => ("200 OK".to_owned(), format!("<!doctype html><h1>Hello, {name}</h1>\n")),
        (Some("GET / "), None) => ("200 OK".to_owned(), FORM.to_owned()),
        (Some("POST /login "), _) if sessions.len() < SESSIONS_MAX => {
            let mut random = [0; 16];
            File::open("/dev/urandom")?.read_exact(&mut random)?;
            let session = format!("{:032x}", u128::from_ne_bytes(random));
            let cookie = format!("Set-Cookie: session={session}; HttpOnly; SameSite=Lax");
            sessions.insert(session, escaped_name(&form));
            (format!("303 See Other\r\nLocation: /\r\n{cookie}"), String::new())
        }
        _ => ("404 Not Found".to_owned(), String::new()),
    };
    drop(sessions);
    let headers = format!("Content-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
    (&stream).write_all(format!("HTTP/1.1 {status}\r\n{headers}\r\n{body}").as_bytes())
}

/// The field `name` of a form, escaped for HTML.
fn escaped_name(form: &str) -> String {
    let value = form.split('&').find_map(|pair| pair.strip_prefix("name=")).unwrap_or_default().replace('+', " ");
    percent_decode_str(&value).decode_utf8_lossy().replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// Reads a request head, up to the empty line. It is an error if the head is too long, incomplete or not UTF-8.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let (mut head, mut limited) = (String::new(), reader.take(HEAD_BYTES_MAX));
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
