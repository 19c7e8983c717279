//! How does a server speak first?
//!
//! New: an answer that waits, while its thread sleeps until a message comes. `/wait?N` answers when there are messages
//! after the first N (long polling). `/events?N` never ends its answer: server-sent events, for which browsers have `EventSource`.
//!
//! Try: `curl -N http://127.0.0.1:8000/events?0` in two terminals, `curl -X POST http://127.0.0.1:8000/say?hello` in a third
//!
//! Still wrong: each listener costs a thread that does nothing (step 13), and cannot answer on the same connection (step 12). A page of
//! any site may say something here (step 14 tells it of Host). Who connects again hears all again.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::{thread, time::Duration};

const HEAD_BYTES_MAX: u64 = 8 * 1024;
const MESSAGES_MAX: usize = 1000;
const PAGE: &str = "<!doctype html><title>News</title><pre id=news></pre><script>
new EventSource('/events?0').onmessage = (event) => news.append(event.data + '\\n')</script>\n";
static MESSAGES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static NEWS: Condvar = Condvar::new();

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

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let head = read_head(&mut BufReader::new(&stream)).unwrap_or_default();
    // No word has a line end in it: in a message it would end a line of the stream.
    let words: Vec<&str> = head.split("\r\n").next().unwrap_or_default().split(['?', ' ', '\r', '\n']).collect();
    let (status, content) = match words[..] {
        ["GET", "/", _] => ("200 OK\r\nContent-Type: text/html", PAGE.to_owned()),
        ["GET", "/events", seen, _] => return tell(&mut stream, seen.parse().unwrap_or(0)),
        ["GET", "/wait", seen, _] => ("200 OK\r\nContent-Type: text/plain", wait(seen.parse().unwrap_or(0)).join("\n")),
        ["POST", "/say", message, _] if messages().len() < MESSAGES_MAX => {
            messages().push(message.to_owned());
            NEWS.notify_all();
            ("200 OK\r\nContent-Type: text/plain", "said\n".to_owned())
        }
        _ => ("404 Not Found", String::new()),
    };
    let fields = format!("Content-Length: {}\r\nConnection: close\r\n", content.len());
    stream.write_all(format!("HTTP/1.1 {status}\r\n{fields}\r\n{content}").as_bytes())
}

/// An answer that ends with the connection. Without news it sends a comment, for only that shows whether the client is still there.
fn tell(stream: &mut TcpStream, mut seen: usize) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")?;
    loop {
        let news = wait(seen);
        seen += news.len();
        let events: String = news.iter().map(|message| format!("data: {message}\n\n")).collect();
        stream.write_all(if events.is_empty() { b":\n\n" } else { events.as_bytes() })?;
    }
}

/// The messages after so many. If there are none, the thread sleeps until one comes; but proxies give up after a minute.
fn wait(seen: usize) -> Vec<String> {
    let waited = NEWS.wait_timeout_while(messages(), Duration::from_secs(25), |messages| messages.len() <= seen);
    waited.unwrap_or_else(PoisonError::into_inner).0.get(seen..).unwrap_or_default().to_vec()
}

fn messages() -> MutexGuard<'static, Vec<String>> {
    MESSAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads up to the empty line. What is too long, cut short, or not UTF-8, is no head.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    let mut limited = reader.take(HEAD_BYTES_MAX);
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
