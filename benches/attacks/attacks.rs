//! Attack requests, and the judgement of the answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::servers::SECRET;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a client may be slow before that is worth a word.
const SLOW: Duration = Duration::from_secs(15);
/// Connections that say nothing.
const SILENT: usize = 600;

/// One attack.
pub struct Attack {
    /// What it is.
    pub says: &'static str,
    /// Makes it, and says what came of it.
    pub run: fn(SocketAddr) -> String,
}

/// All of them.
pub const ATTACKS: [Attack; 15] = [
    Attack { says: "`..` in 8 spellings", run: dots },
    Attack { says: "a sibling whose name begins like the root's", run: |to| leak(to, "/../site-secret/secret.txt") },
    Attack { says: "a link that leaves the root", run: |to| worst([leak(to, "/link"), leak(to, "/links/secret.txt")]) },
    Attack { says: "a name that begins with a dot", run: |to| worst([leak(to, "/.env"), leak(to, "/%2eenv")]) },
    Attack {
        says: "DNS rebinding: `Host: evil.example`",
        run: |to| outcome(to, b"GET /ten.txt HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"),
    },
    Attack { says: "a FIFO", run: |to| outcome(to, &get("/pipe")) },
    Attack {
        says: "two lengths that differ",
        run: |to| outcome(to, b"GET /ten.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n"),
    },
    Attack { says: "a length and chunks, and a request in them", run: smuggled },
    Attack {
        says: "a space before a colon",
        run: |to| outcome(to, b"GET /ten.txt HTTP/1.1\r\nHost : localhost\r\nConnection: close\r\n\r\n"),
    },
    Attack {
        says: "a folded line",
        run: |to| outcome(to, b"GET /ten.txt HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\nConnection: close\r\n\r\n"),
    },
    Attack { says: "NUL in the target", run: |to| outcome(to, &get("/ten.txt\0.png")) },
    Attack { says: "a tag in a file's name, in the listing", run: tag },
    Attack { says: "what `Server` tells", run: version },
    Attack { says: "a byte of a head every second", run: slow_head },
    Attack { says: "600 silent connections: a new client then", run: silent },
];

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").into_bytes()
}

/// Everything that comes within our patience, and whether the connection ended.
fn ask(to: SocketAddr, bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut answer = Vec::new();
    let Ok(mut stream) = TcpStream::connect_timeout(&to, PATIENCE) else { return (answer, true) };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(bytes);
    let ended = stream.read_to_end(&mut answer).is_ok();
    (answer, ended)
}

/// The status, in a word.
fn outcome(to: SocketAddr, bytes: &[u8]) -> String {
    let (answer, ended) = ask(to, bytes);
    match answer.get(9..12) {
        Some(b"200") => "served".into(),
        Some(status) => String::from_utf8_lossy(status).into_owned(),
        None if ended => "closed".into(),
        None => "**hangs**".into(),
    }
}

fn leak(to: SocketAddr, target: &str) -> String {
    let (answer, _) = ask(to, &get(target));
    if answer.windows(SECRET.len()).any(|window| window == SECRET) { "**leaks**".into() } else { outcome(to, &get(target)) }
}

/// A leak if there is one, else what the others were.
fn worst(outcomes: impl IntoIterator<Item = String>) -> String {
    let mut outcomes: Vec<String> = outcomes.into_iter().collect();
    outcomes.sort();
    outcomes.dedup();
    outcomes.iter().find(|outcome| outcome.contains("leaks")).cloned().unwrap_or_else(|| outcomes.join(", "))
}

fn dots(to: SocketAddr) -> String {
    let spellings = ["..", "%2e%2e", ".%2e", "%252e%252e", "..%2f..", "..%5c..", "%c0%ae%c0%ae", "..;"];
    worst(spellings.map(|dots| leak(to, &format!("/sub/{dots}/{dots}/outside/secret.txt"))))
}

/// Whether a request that stands in the content is answered as one of its own.
fn smuggled(to: SocketAddr) -> String {
    let inner = "GET /ten.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let bytes = format!(
        "GET /ten.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}",
        5 + inner.len()
    );
    let (answer, _) = ask(to, bytes.as_bytes());
    let answers = answer.windows(9).filter(|window| window.starts_with(b"HTTP/1.")).count();
    if answers > 1 { format!("**{answers} answers**") } else { outcome(to, bytes.as_bytes()) }
}

fn tag(to: SocketAddr) -> String {
    let (answer, _) = ask(to, &get("/"));
    if answer.windows(10).any(|window| window == b"<img src=x") {
        "**not escaped**".into()
    } else if answer.windows(3).any(|window| window == b"ten") {
        "escaped".into()
    } else {
        "no listing".into()
    }
}

fn version(to: SocketAddr) -> String {
    let (answer, _) = ask(to, &get("/ten.txt"));
    let text = String::from_utf8_lossy(&answer).into_owned();
    let server = text.lines().find_map(|line| line.strip_prefix("Server: ")).map(str::trim);
    server.map_or("nothing".into(), |server| format!("`{server}`"))
}

fn slow_head(to: SocketAddr) -> String {
    let began = Instant::now();
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ");
    while began.elapsed() < SLOW {
        let _ = stream.write_all(b"a");
        let mut answer = [0; 512];
        let seconds = || began.elapsed().as_secs_f64();
        match stream.read(&mut answer) {
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Ok(count) if count > 12 => return format!("{} after {:.0} s", String::from_utf8_lossy(&answer[9..12]), seconds()),
            _ => return format!("closed after {:.0} s", seconds()),
        }
    }
    format!("> {} s", SLOW.as_secs())
}

fn silent(to: SocketAddr) -> String {
    let held: Vec<_> = (0..SILENT).map_while(|_| TcpStream::connect_timeout(&to, PATIENCE).ok()).collect();
    let began = Instant::now();
    let outcome = outcome(to, &get("/ten.txt"));
    let took = began.elapsed();
    drop(held);
    format!("{outcome} in {:.1} ms", took.as_secs_f64() * 1000.0)
}
