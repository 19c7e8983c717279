//! How does a server speak first?
//!
//! New: an answer that waits. With a thread for each connection, to wait for news is one line: the thread sleeps until somebody has
//! something to say. `/wait?N` answers when there are messages after the first N (long polling). `/events` never ends its answer, and
//! sends each message as it comes: server-sent events, for which browsers have `EventSource`.
//!
//! Try: `curl -N http://127.0.0.1:8000/events` in two terminals, `curl -X POST http://127.0.0.1:8000/say?hello` in a third
//!
//! Still wrong: each listener costs a thread that does nothing (step 13), and cannot answer on the same connection (step 12). Any page
//! in a browser may say something here (step 14, Host and Origin). What was said is kept until there is too much of it.

#![forbid(unsafe_code)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::{thread, time::Duration};

const HEAD_BYTES_MAX: u64 = 8 * 1024;
const MESSAGES_MAX: usize = 1000;
/// Proxies cut connections on which nothing has moved for a minute.
const WAIT_MAX: Duration = Duration::from_secs(25);
const PAGE: &str = "<!doctype html><title>News</title><pre id=news></pre><script>
new EventSource('/events').onmessage = (event) => news.append(event.data + '\\n')</script>\n";

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
    let words: Vec<&str> = head.lines().next().unwrap_or_default().split(['?', ' ']).collect();
    let (status, content) = match words[..] {
        ["GET", "/", _] => ("200 OK\r\nContent-Type: text/html", PAGE.to_owned()),
        ["GET", "/events", _] => return tell(&mut stream),
        ["GET", "/wait", seen, _] => ("200 OK\r\nContent-Type: text/plain", wait(seen.parse().unwrap_or(0)).join("\n")),
        ["POST", "/say", message, _] if messages().len() < MESSAGES_MAX => {
            messages().push(message.replace('\r', "")); // A CR would end a line of the stream.
            NEWS.notify_all();
            ("200 OK\r\nContent-Type: text/plain", "said\n".to_owned())
        }
        _ => ("404 Not Found\r\nContent-Type: text/plain", "nothing here\n".to_owned()),
    };
    let fields = format!("Content-Length: {}\r\nConnection: close\r\n", content.len());
    stream.write_all(format!("HTTP/1.1 {status}\r\n{fields}\r\n{content}").as_bytes())
}

/// An answer without a length, which ends with the connection.
fn tell(stream: &mut TcpStream) -> io::Result<()> {
    let mut seen = messages().len();
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")?;
    loop {
        let news = wait(seen);
        seen += news.len();
        // Whether the client is still there shows only when something is sent. A colon begins a comment, which it overlooks.
        let events: String = news.iter().map(|message| format!("data: {message}\n\n")).collect();
        stream.write_all(if events.is_empty() { b":\n\n" } else { events.as_bytes() })?;
    }
}

/// The messages after so many. If there are none, the thread sleeps until somebody says one, or time is over.
fn wait(seen: usize) -> Vec<String> {
    let waited = NEWS.wait_timeout_while(messages(), WAIT_MAX, |messages| messages.len() <= seen);
    waited.unwrap_or_else(PoisonError::into_inner).0.get(seen..).unwrap_or_default().to_vec()
}

fn messages() -> MutexGuard<'static, Vec<String>> {
    MESSAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads up to the empty line. What is too long, cut short, not UTF-8, or has other line ends than CR LF, is no head.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let (mut head, mut limited) = (String::new(), reader.take(HEAD_BYTES_MAX));
    while limited.read_line(&mut head)? > 0 && head.ends_with("\r\n") {
        if head.ends_with("\r\n\r\n") {
            return Ok(head);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}
