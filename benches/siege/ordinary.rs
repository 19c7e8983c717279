//! Well-behaved clients, and the time they wait.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::promise::Promise;
use crate::victim::SMALL;

/// Much longer than any promise allows.
const PATIENCE: Duration = Duration::from_secs(20);

/// Requests the small file on a new connection, and returns the time from connect to the last byte.
pub fn ask(address: SocketAddr) -> io::Result<Duration> {
    ask_over(|| connect(address))
}

/// Requests the small file on a stream that is opened first, and returns the time from the start of that to the last byte.
pub fn ask_over<S: Read + Write>(open: impl FnOnce() -> io::Result<S>) -> io::Result<Duration> {
    let begun = Instant::now();
    let mut stream = open()?;
    stream.write_all(b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::with_capacity(512);
    stream.read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(SMALL) {
        Ok(begun.elapsed())
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned()))
    }
}

/// Connects, with a timeout for each operation.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Results of ordinary clients.
#[derive(Default)]
pub struct OrdinaryClients {
    asked: usize,
    times: Vec<Duration>,
    first_failure: Option<String>,
}

impl OrdinaryClients {
    /// Runs `count` clients in sequence, with `pause` between them.
    pub fn visit(address: SocketAddr, count: usize, pause: Duration) -> OrdinaryClients {
        let mut ordinary = OrdinaryClients::default();
        for _ in 0..count {
            ordinary.note(ask(address));
            std::thread::sleep(pause);
        }
        ordinary
    }

    /// Runs clients in sequence until the flag is set.
    pub fn visit_until(address: SocketAddr, stop: &AtomicBool, pause: Duration) -> OrdinaryClients {
        let mut ordinary = OrdinaryClients::default();
        while !stop.load(Ordering::Relaxed) {
            ordinary.note(ask(address));
            std::thread::sleep(pause);
        }
        ordinary
    }

    /// Records one result.
    pub fn note(&mut self, outcome: io::Result<Duration>) {
        self.asked += 1;
        match outcome {
            Ok(time) => self.times.push(time),
            Err(error) => {
                self.first_failure.get_or_insert(error.to_string());
            }
        }
    }

    /// Adds the results of others.
    pub fn join(&mut self, other: OrdinaryClients) {
        self.asked += other.asked;
        self.times.extend(other.times);
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }

    /// The number of clients served.
    pub fn served(&self) -> usize {
        self.times.len()
    }

    /// The number of requests.
    pub fn asked(&self) -> usize {
        self.asked
    }

    /// The latency in milliseconds at this permille.
    pub fn millis_at(&self, per_mille: usize) -> f64 {
        let mut times = self.times.clone();
        times.sort_unstable();
        let index = (times.len() * per_mille / 1000).min(times.len().saturating_sub(1));
        times.get(index).map_or(f64::INFINITY, |time| time.as_secs_f64() * 1000.0)
    }

    /// All clients served, and 99 % of them within this many milliseconds.
    pub fn promises(&self, millis: f64) -> Vec<Promise> {
        if let Some(failure) = &self.first_failure {
            println!("             first client that was not served: {failure}");
        }
        println!(
            "             ordinary clients: p50 {:.3} ms, p99 {:.3} ms, slowest {:.3} ms",
            self.millis_at(500),
            self.millis_at(990),
            self.millis_at(1000)
        );
        vec![
            Promise::all("ordinary clients served", self.asked, self.times.len()),
            Promise::at_most("ordinary clients, 99th percentile", millis, self.millis_at(990), "ms"),
        ]
    }
}
