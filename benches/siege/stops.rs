//! Shutdowns under attack.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::Scale;
use crate::promise::Promise;
use crate::victim::{SMALL, Victim};

/// The shutdown timeout of the flooded server.
const SHUTDOWN_TIMEOUT_SECONDS: u64 = 2;

/// Results of clients during a shutdown.
#[derive(Default)]
struct Seen {
    whole: AtomicUsize,
    /// Incomplete responses.
    cut: AtomicUsize,
    /// Requests on accepted connections without a response.
    ignored: AtomicUsize,
}

/// Shutdown while eight clients send requests as fast as possible.
pub fn under_load(scale: &Scale) -> Vec<Promise> {
    let count = scale.of(100);
    let (seen, mut clean, mut slowest) = (Seen::default(), 0, Duration::ZERO);
    for round in 0..count {
        let mut victim = Victim::start(&[]);
        let address = victim.address;
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for client in 0..8 {
                let (over, seen) = (&over, &seen);
                scope.spawn(move || ask_until_it_stops(address, client % 2 == 0, over, seen));
            }
            thread::sleep(Duration::from_millis(20 + u64::try_from(round).unwrap() % 17));
            let told = Instant::now();
            victim.signal(Signal::TERM);
            clean += usize::from(victim.wait().code() == Some(0));
            slowest = slowest.max(told.elapsed());
            over.store(true, Ordering::Relaxed);
        });
    }
    println!(
        "             {} complete responses, {} requests on new connections without a response",
        seen.whole.load(Ordering::Relaxed),
        seen.ignored.load(Ordering::Relaxed)
    );
    vec![
        Promise::all("shutdowns under load with exit code 0", count, clean),
        Promise::none("incomplete responses", seen.cut.load(Ordering::Relaxed)),
        Promise::at_most("slowest shutdown", 10.0, slowest.as_secs_f64(), "s"),
    ]
}

fn ask_until_it_stops(address: SocketAddr, persists: bool, over: &AtomicBool, seen: &Seen) {
    let mut connection: Option<(TcpStream, usize)> = None;
    let mut buffer = vec![0; 64 * 1024];
    while !over.load(Ordering::Relaxed) {
        let (mut stream, asked) = match connection.take() {
            Some(open) => open,
            None => match TcpStream::connect(address) {
                Ok(stream) => (stream, 0),
                Err(_) => continue,
            },
        };
        let mut answer = Vec::new();
        let outcome = stream.write_all(b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n").and_then(|()| {
            while !answer.ends_with(SMALL) {
                match stream.read(&mut buffer)? {
                    0 => break,
                    count => answer.extend_from_slice(&buffer[..count]),
                }
            }
            Ok(())
        });
        let counter = match (outcome.is_ok() && answer.ends_with(SMALL), answer.is_empty()) {
            (true, _) => &seen.whole,
            (false, false) => &seen.cut,
            // On a persistent connection, the server may close just as the client sends: it retries (RFC 9112 §9.5).
            (false, true) if asked > 0 => continue,
            (false, true) => &seen.ignored,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if persists && answer.ends_with(SMALL) && !answer.windows(17).any(|text| text == b"Connection: close") {
            connection = Some((stream, asked + 1));
        }
    }
}

/// Shutdown while clients connect as fast as possible and send nothing.
pub fn flooded(scale: &Scale) -> Vec<Promise> {
    let (count, mut connected, mut slowest) = (scale.of(10), 0, Duration::ZERO);
    for _ in 0..count {
        let mut victim = Victim::start(&["--shutdown-timeout", &SHUTDOWN_TIMEOUT_SECONDS.to_string()]);
        let (address, over) = (victim.address, AtomicBool::new(false));
        connected += thread::scope(|scope| {
            let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| connect_until(address, &over))).collect();
            thread::sleep(Duration::from_millis(200));
            let told = Instant::now();
            victim.signal(Signal::TERM);
            victim.wait();
            slowest = slowest.max(told.elapsed());
            over.store(true, Ordering::Relaxed);
            clients.into_iter().map(|client| client.join().unwrap()).sum::<usize>()
        });
    }
    println!("              {connected} connections");
    let allowed = SHUTDOWN_TIMEOUT_SECONDS as f64 + 0.5;
    vec![Promise::at_most("slowest shutdown while clients connect", allowed, slowest.as_secs_f64(), "s")]
}

/// Connects repeatedly, keeps the last 200 connections, and returns their total number.
fn connect_until(address: SocketAddr, over: &AtomicBool) -> usize {
    let (mut kept, mut count) = (VecDeque::new(), 0);
    while !over.load(Ordering::Relaxed) {
        let Ok(stream) = TcpStream::connect(address) else { continue };
        count += 1;
        kept.push_back(stream);
        if kept.len() > 200 {
            kept.pop_front();
        }
    }
    count
}
