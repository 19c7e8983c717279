//! Too many connections, too few descriptors, and connections that are reset.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::Scale;
use crate::crowd::Crowd;
use crate::ordinary::{OrdinaryClients, connect};
use crate::promise::Promise;
use crate::victim::{SMALL, Victim};

const KEEP_ALIVE: &[u8] = b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Opens idle connections, each after one request.
fn idle_crowd(victim: &Victim, count: usize) -> Crowd {
    let mut crowd = Crowd::new(victim.address, KEEP_ALIVE);
    while crowd.count() < count {
        crowd.grow((count - crowd.count()).min(500)).unwrap();
        crowd.read(Duration::from_millis(20));
    }
    while crowd.read(Duration::from_millis(300)) > 0 {}
    crowd
}

/// Ten thousand idle connections, below the limit.
pub fn idle(scale: &Scale) -> Vec<Promise> {
    let count = scale.of(10_000);
    let victim = Victim::start(&["--max-connections", "12000", "--idle-timeout", "120"]);
    let mut crowd = idle_crowd(&victim, count);
    let rss_mib = victim.figures().rss_kib.div_ceil(1024);
    let ordinary = OrdinaryClients::visit(victim.address, scale.ordinary(500), Duration::from_millis(2));
    crowd.watch(Duration::ZERO);
    crowd.drip(KEEP_ALIVE);
    let mut answers = 0;
    while let more @ 1.. = crowd.read(Duration::from_millis(500)) {
        answers += more;
    }
    let mut promises = vec![
        Promise::at_most(format!("memory with {count} idle connections"), 192, rss_mib, "MiB"),
        Promise::all("of them still connected", count, crowd.count()),
        Promise::all("of them served on a second request", count, answers),
    ];
    promises.extend(ordinary.promises(50.0));
    drop(crowd);
    promises.extend(victim.back_at_rest());
    promises
}

/// Idle clients use all allowed connections.
pub fn full(scale: &Scale) -> Vec<Promise> {
    let victim = Victim::start(&["--max-connections", "1000", "--idle-timeout", "120"]);
    let mut crowd = idle_crowd(&victim, 1000);
    let asked = scale.ordinary(500);
    let ordinary = OrdinaryClients::visit(victim.address, asked, Duration::from_millis(2));
    crowd.read(Duration::ZERO);
    let mut promises = ordinary.promises(10.0);
    promises.push(Promise::at_most("idle connections evicted for them", asked, 1000 - crowd.count(), ""));
    drop(crowd);
    promises.extend(victim.back_at_rest());
    promises
}

/// Six hundred clients connect while the server process is stopped.
pub fn stalled(_: &Scale) -> Vec<Promise> {
    let victim = Victim::start(&[]);
    victim.signal(Signal::STOP);
    let begun = Instant::now();
    let clients: Vec<_> = (0..600)
        .map(|_| {
            let mut stream = connect(victim.address).unwrap();
            stream.write_all(b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
            stream
        })
        .collect();
    thread::sleep(Duration::from_millis(300).saturating_sub(begun.elapsed()));
    victim.signal(Signal::CONT);
    let mut ordinary = OrdinaryClients::default();
    for mut client in clients {
        let mut answer = Vec::new();
        let outcome = client.read_to_end(&mut answer);
        assert!(outcome.is_err() || answer.ends_with(SMALL));
        ordinary.note(outcome.map(|_| begun.elapsed()));
    }
    let mut promises = ordinary.promises(500.0);
    promises.push(Promise::at_most("slowest of them", 500.0, ordinary.millis_at(1000), "ms"));
    promises.extend(victim.back_at_rest());
    promises
}

/// Sixty-four descriptors, and two hundred clients that connect and send nothing.
pub fn few_descriptors(scale: &Scale) -> Vec<Promise> {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_threadbare")]);
    let victim = Victim::of(command, Stdio::null());
    let mut crowd = Crowd::new(victim.address, b"");
    let silent = 200;
    crowd.grow(silent).unwrap();
    let (begun, used) = (Instant::now(), victim.processor_time());
    let over = AtomicBool::new(false);
    let ordinary = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                crowd.watch(Duration::from_millis(100));
                // A client that was evicted connects again.
                crowd.grow(silent - crowd.count()).unwrap();
                thread::sleep(Duration::from_millis(400));
            }
        });
        let ordinary = OrdinaryClients::visit(victim.address, scale.ordinary(100), Duration::from_millis(50));
        over.store(true, Ordering::Relaxed);
        ordinary
    });
    let spent = (victim.processor_time() - used).as_secs_f64() / begun.elapsed().as_secs_f64();
    let mut promises = ordinary.promises(500.0);
    promises.push(Promise::at_most("CPU usage meanwhile", 5.0, spent * 100.0, "%"));
    drop(crowd);
    promises.extend(victim.back_at_rest());
    promises
}

/// Clients that connect, send a request or nothing, and reset the connection.
pub fn resets(scale: &Scale) -> Vec<Promise> {
    let victim = Victim::start(&[]);
    let openings: [&[u8]; 4] = [b"", b"GET /large.bin HT", b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n", KEEP_ALIVE];
    let over = AtomicBool::new(false);
    let ordinary = thread::scope(|scope| {
        let ordinary = scope.spawn(|| OrdinaryClients::visit_until(victim.address, &over, Duration::from_millis(2)));
        for round in 0..scale.of(20_000) / 100 {
            let mut crowd = Crowd::new(victim.address, openings[round % openings.len()]);
            crowd.grow(100).unwrap();
            crowd.reset();
        }
        over.store(true, Ordering::Relaxed);
        ordinary.join().unwrap()
    });
    // Ordinary clients are in the same accept queue, behind hundreds of others.
    let mut promises = ordinary.promises(250.0);
    promises.extend(victim.back_at_rest());
    promises
}

/// Clients that half-close before they read the response.
pub fn half_closes(scale: &Scale) -> Vec<Promise> {
    let victim = Victim::start(&[]);
    let count = scale.of(1000);
    let mut whole = 0;
    for number in 0..count {
        let mut stream = connect(victim.address).unwrap();
        let target = if number % 10 == 0 { "large.bin" } else { "small.txt" };
        write!(stream, "GET /{target} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let outcome = stream.read_to_end(&mut answer);
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
        let length = if target == "large.bin" { crate::victim::LARGE_BYTES } else { SMALL.len() };
        whole += usize::from(outcome.is_ok() && answer.len() - head == length);
    }
    let mut promises = vec![Promise::all("complete responses", count, whole)];
    promises.extend(victim.back_at_rest());
    promises
}
