//! Unread responses and blocked logs.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use rustix::process::Signal;

use crate::Scale;
use crate::ordinary::{OrdinaryClients, connect};
use crate::promise::Promise;
use crate::victim::{SMALL, Victim};

/// The start of a request, the bytes repeated after it, and the status that the client must receive.
type Unread = (&'static str, &'static [u8], &'static str);

const UNREAD: [Unread; 6] = [
    ("POST /small.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n", b"xxxxxxxx", "405"),
    ("POST /small.txt HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n", "405"),
    ("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\n", b"xxxxxxxx", "413"),
    ("GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\nHost: localhost\r\n", b"X-More: and more\r\n", "431"),
    ("PUT /small.txt HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n", b"xxxxxxxx", "405"),
];

/// Error responses while the client is still sending: it must receive them.
pub fn unread_contents(scale: &Scale) -> Vec<Promise> {
    let victim = Victim::start(&[]);
    let each = scale.of(100);
    let mut promises: Vec<Promise> = UNREAD
        .iter()
        .map(|(head, more, status)| {
            let seen = (0..each)
                .filter(|_| insist(victim.address, head, more).is_ok_and(|answer| answer[9..].starts_with(status)))
                .count();
            Promise::all(format!("{status} received with an unread body: {}", &head[..12]), each, seen)
        })
        .collect();
    promises.extend(victim.back_at_rest());
    promises
}

/// Sends half a megabyte despite errors, and only then reads.
fn insist(address: SocketAddr, head: &str, more: &[u8]) -> io::Result<String> {
    let mut stream = connect(address)?;
    let much: Vec<u8> = head.bytes().chain(more.iter().copied().cycle().take(512 * 1024 / more.len() * more.len())).collect();
    let _ = stream.write_all(&much);
    let mut answer = Vec::new();
    let outcome = stream.read_to_end(&mut answer);
    if answer.len() > 12 {
        Ok(String::from_utf8_lossy(&answer).into_owned())
    } else {
        Err(outcome.err().unwrap_or(io::ErrorKind::UnexpectedEof.into()))
    }
}

/// Sends requests on four persistent connections.
fn many_requests(address: SocketAddr, count: usize) -> OrdinaryClients {
    let per_connection = count / 4;
    thread::scope(|scope| {
        let connections: Vec<_> =
            (0..4).map(|_| scope.spawn(move || requests_on_one_connection(address, per_connection))).collect();
        let mut all = OrdinaryClients::default();
        connections.into_iter().for_each(|one| all.join(one.join().unwrap()));
        all
    })
}

fn requests_on_one_connection(address: SocketAddr, count: usize) -> OrdinaryClients {
    let mut ordinary = OrdinaryClients::default();
    let mut stream = connect(address).unwrap();
    let mut buffer = vec![0; 4096];
    for _ in 0..count {
        let begun = Instant::now();
        let outcome = stream.write_all(b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n").and_then(|()| {
            let mut length = 0;
            while !buffer[..length].ends_with(SMALL) {
                match stream.read(&mut buffer[length..])? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    more => length += more,
                }
            }
            Ok(begun.elapsed())
        });
        ordinary.note(outcome);
    }
    ordinary
}

/// A log pipe that is not read until the end.
pub fn stuck_log(scale: &Scale) -> Vec<Promise> {
    let mut victim = Victim::of(Command::new(env!("CARGO_BIN_EXE_threadbare")), Stdio::piped());
    let count = scale.of(100_000);
    let ordinary = many_requests(victim.address, count);
    // Now the log is read: each line either arrives or is counted as dropped. One more line is from the warm-up request.
    let (mut kept, mut dropped) = (0, 0);
    let mut log = BufReader::new(victim.log()).lines().map_while(Result::ok);
    while kept + dropped < count + 1
        && let Some(line) = log.next()
    {
        kept += usize::from(line.contains("\"GET /small.txt "));
        if let Some((_, after)) = line.split_once("dropped ") {
            dropped += after.split(' ').next().and_then(|number| number.parse::<usize>().ok()).unwrap_or(0);
        }
    }
    victim.signal(Signal::TERM);
    log.for_each(drop);
    println!("             lines: {kept} written, {dropped} dropped and counted");
    let mut promises = ordinary.promises(5.0);
    promises.push(Promise::all("lines written or counted as dropped", count + 1, kept + dropped));
    promises.push(Promise::all("exit code", 0, victim.wait().code().map_or(usize::MAX, |code| code.try_into().unwrap())));
    promises
}

/// A log on a full disk.
pub fn full_disk(scale: &Scale) -> Vec<Promise> {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let victim = Victim::of(Command::new(env!("CARGO_BIN_EXE_threadbare")), full.into());
    let ordinary = many_requests(victim.address, scale.of(100_000));
    let mut promises = ordinary.promises(5.0);
    promises.extend(victim.back_at_rest());
    promises
}
