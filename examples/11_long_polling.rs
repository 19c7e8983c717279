//! Messages from the server.
//!
//! New: a response that waits, with its thread asleep until a message arrives. `/wait?N` responds when there are more than N messages (long
//! polling). The response of `/events?N` never ends: server-sent events, which a browser reads with `EventSource`.
//!
//! Try: `curl -N http://127.0.0.1:8080/events?0` in two terminals, `curl -X POST http://127.0.0.1:8080/say?hello` in a third
//!
//! Still wrong: each waiting client costs a thread (step 13), and cannot send on that connection (step 12). A page of any site may send
//! messages (step 14 checks Host). A client that reconnects gets all messages again.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::{thread, time::Duration};

const HEAD_BYTES_MAX: u64 = 8 * 1024;
const PAGE: &str = "<!doctype html><title>News</title><pre id=news></pre><script>
new EventSource('/events?0').onmessage = (event) => news.append(event.data + '\\n')</script>\n";
static MESSAGES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static NEWS: Condvar = Condvar::new();

fn main() -> io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}; choose another: PORT=9000 cargo run --example 11_long_polling");
        std::process::exit(1)
    });
    println!("listening on http://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        let serve = || stream.and_then(respond).unwrap_or_else(|error| eprintln!("{error}"));
        thread::Builder::new().spawn(serve).map_or_else(|error| eprintln!("{error}"), drop);
    }
    Ok(())
}

fn respond(mut stream: TcpStream) -> io::Result<()> {
    let head = read_head(&mut BufReader::new(&stream)).unwrap_or_default();
    // Split at CR and LF as well: in a message they would end a line of the event stream.
    let words: Vec<&str> = head.split("\r\n").next().unwrap_or_default().split(['?', ' ', '\r', '\n']).collect();
    let (status, body) = match words[..] {
        ["GET", "/", _] => ("200 OK\r\nContent-Type: text/html", PAGE.to_owned()),
        ["GET", "/events", seen, _] => return send_events(&mut stream, seen.parse().unwrap_or(0)),
        ["GET", "/wait", seen, _] => ("200 OK\r\nContent-Type: text/plain", wait(seen.parse().unwrap_or(0)).join("\n")),
        ["POST", "/say", message, _] if messages().len() < 1000 => {
            messages().push(message.to_owned());
            NEWS.notify_all();
            ("200 OK\r\nContent-Type: text/plain", "sent\n".to_owned())
        }
        _ => ("404 Not Found", String::new()),
    };
    stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).as_bytes())
}

/// Sends events until the client is gone. If none arrives, it sends a comment: only a failed write shows that the client is gone.
fn send_events(stream: &mut TcpStream, mut seen: usize) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")?;
    loop {
        let news = wait(seen);
        seen += news.len();
        let events: String = news.iter().map(|message| format!("data: {message}\n\n")).collect();
        stream.write_all(if events.is_empty() { b":\n\n" } else { events.as_bytes() })?;
    }
}

/// Returns the messages after the first `seen`. Waits for one at most 25 s, because many proxies close a silent connection after 30 or 60 s.
fn wait(seen: usize) -> Vec<String> {
    let waited = NEWS.wait_timeout_while(messages(), Duration::from_secs(25), |messages| messages.len() <= seen);
    waited.unwrap_or_else(PoisonError::into_inner).0.get(seen..).unwrap_or_default().to_vec()
}

fn messages() -> MutexGuard<'static, Vec<String>> {
    MESSAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads a request head, up to the empty line. It is an error if the head is too long, incomplete or not UTF-8.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let (mut head, mut limited) = (String::new(), reader.take(HEAD_BYTES_MAX));
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
