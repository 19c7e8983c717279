//! Clients that send or read as slowly as possible.

use std::fs::{self, File};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Scale;
use crate::crowd::Crowd;
use crate::ordinary::OrdinaryClients;
use crate::promise::Promise;
use crate::victim::Victim;

/// The header timeout of the server: shorter than usual, so that it expires within the siege.
const HEADER_TIMEOUT_SECONDS: u64 = 5;
/// How long a response may go without progress.
const SEND_TIMEOUT_SECONDS: u64 = 5;
/// How long after its deadline a connection may close: a write notes its progress within 250 ms, and then checks the deadline as often.
const LATE_SECONDS: f64 = 0.5;
/// The time in which [`when_nothing_moves`] watches the server. It returns the start of it.
const WATCHED_SECONDS: f64 = 0.2;

const SLOW_HEAD: &[u8] = b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
const SLOW_UPLOAD: &[u8] = b"PUT /slow.bin HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n";
/// Uploads that the server accepts at once.
const UPLOADS: usize = 64;
const SLOW_CONTENT: &[u8] = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n";

/// A thousand clients that send a byte per second and reconnect when closed, at a limit of 512 connections.
fn at_the_cap(scale: &Scale, opening: &[u8], ordinary: usize) -> (OrdinaryClients, Crowd, Victim) {
    let timeout = HEADER_TIMEOUT_SECONDS.to_string();
    let victim = Victim::start(&["--max-connections", "512", "--header-timeout", &timeout]);
    let slow = scale.of(1000).max(600);
    let mut crowd = Crowd::new(victim.address, opening);
    crowd.grow(slow).unwrap();
    let over = AtomicBool::new(false);
    let ordinary = thread::scope(|scope| {
        scope.spawn(|| {
            let mut dripped = Instant::now();
            while !over.load(Ordering::Relaxed) {
                // At most five hundred new ones per second.
                crowd.watch(Duration::ZERO);
                crowd.grow((slow - crowd.count()).min(50)).unwrap();
                if dripped.elapsed() >= Duration::from_secs(1) {
                    crowd.drip(b"a");
                    dripped = Instant::now();
                }
                thread::sleep(Duration::from_millis(100));
            }
        });
        let ordinary = OrdinaryClients::visit(victim.address, ordinary, Duration::from_millis(20));
        over.store(true, Ordering::Relaxed);
        ordinary
    });
    (ordinary, crowd, victim)
}

/// Far below the limit no connection is evicted: only the timeout closes them.
fn longest_life(opening: &[u8], limit: Duration) -> f64 {
    let timeout = HEADER_TIMEOUT_SECONDS.to_string();
    let victim = Victim::start(&["--header-timeout", &timeout]);
    let mut crowd = Crowd::new(victim.address, opening);
    crowd.grow(200).unwrap();
    let deadline = Instant::now() + limit;
    while crowd.count() > 0 && Instant::now() < deadline {
        crowd.watch(Duration::from_millis(100));
        crowd.drip(b"a");
        thread::sleep(Duration::from_millis(100));
    }
    crowd.longest_life()
}

/// Slow heads.
pub fn heads(scale: &Scale) -> Vec<Promise> {
    let (ordinary, crowd, victim) = at_the_cap(scale, SLOW_HEAD, scale.ordinary(400));
    let mut promises = ordinary.promises(25.0);
    let allowed = HEADER_TIMEOUT_SECONDS as f64 + LATE_SECONDS;
    promises.push(Promise::at_most("longest lifetime of a slow head at the limit", allowed, crowd.longest_life(), "s"));
    drop(crowd);
    promises.extend(victim.back_at_rest());
    let life = longest_life(SLOW_HEAD, Duration::from_secs(HEADER_TIMEOUT_SECONDS * 2));
    promises.push(Promise::at_most("longest lifetime of a slow head below the limit", allowed, life, "s"));
    promises
}

/// Slow bodies.
pub fn contents(scale: &Scale) -> Vec<Promise> {
    let (ordinary, crowd, victim) = at_the_cap(scale, SLOW_CONTENT, scale.ordinary(400));
    let mut promises = ordinary.promises(25.0);
    drop(crowd);
    promises.extend(victim.back_at_rest());
    // The deadline is 20 s plus the time at 1 KiB/s; the two hundred bytes received add a fifth of a second.
    let allowed = 20.2;
    let life = longest_life(SLOW_CONTENT, Duration::from_secs_f64(allowed + 5.0));
    promises.push(Promise::at_most("longest lifetime of a slow body below the limit", allowed + LATE_SECONDS, life, "s"));
    promises
}

/// As many slow uploads as the server accepts, and more that it refuses, while ordinary clients request a file.
pub fn uploads(scale: &Scale) -> Vec<Promise> {
    let victim = Victim::start(&["--upload"]);
    let mut crowd = Crowd::new(victim.address, SLOW_UPLOAD);
    crowd.grow(UPLOADS + 100).unwrap();
    let over = AtomicBool::new(false);
    let ordinary = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                crowd.watch(Duration::ZERO);
                crowd.drip(b"a");
                thread::sleep(Duration::from_millis(500));
            }
        });
        let ordinary = OrdinaryClients::visit(victim.address, scale.ordinary(400), Duration::from_millis(20));
        over.store(true, Ordering::Relaxed);
        ordinary
    });
    let mut promises = ordinary.promises(25.0);
    promises.push(Promise::at_most("uploads in progress", UPLOADS, crowd.count(), ""));
    let memory = victim.figures().rss_kib.div_ceil(1024);
    promises.push(Promise::at_most("memory of the server meanwhile", 32, memory, "MiB"));
    drop(crowd);
    promises.extend(victim.back_at_rest());
    let names = std::fs::read_dir(victim.site()).unwrap().map(|entry| entry.unwrap().file_name());
    let left = names.filter(|name| name != "small.txt" && name != "large.bin").count();
    promises.push(Promise::none("temporary files left", left));
    promises
}

/// Waits until all send queues are full: then the server uses the CPU only for ordinary clients.
fn when_nothing_moves(victim: &Victim) -> Instant {
    loop {
        let (began, used) = (Instant::now(), victim.processor_time());
        thread::sleep(Duration::from_secs_f64(WATCHED_SECONDS));
        if victim.processor_time() - used <= Duration::from_millis(40) {
            return began;
        }
    }
}

/// Clients that request a large file and read nothing of it.
pub fn readers(scale: &Scale) -> Vec<Promise> {
    let victim = Victim::start(&["--send-timeout", &SEND_TIMEOUT_SECONDS.to_string()]);
    let rest = victim.figures();
    let slow = scale.of(500);
    let mut crowd = Crowd::new(victim.address, b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
    crowd.grow(slow).unwrap();
    let (ordinary, during, longest) = thread::scope(|scope| {
        let ordinary = scope.spawn(|| OrdinaryClients::visit(victim.address, scale.ordinary(400), Duration::from_millis(10)));
        let filled = when_nothing_moves(&victim);
        let during = victim.figures();
        victim.settled(Duration::from_secs(15), |now| now.descriptors <= rest.descriptors);
        (ordinary.join().unwrap(), during, filled.elapsed().as_secs_f64())
    });
    let mut promises = ordinary.promises(10.0);
    let held = during.descriptors.saturating_sub(rest.descriptors);
    promises.push(Promise::at_most("descriptors meanwhile, two for each", 2 * slow + 2, held, ""));
    promises.push(Promise::at_most(
        "last one closed after no progress for",
        SEND_TIMEOUT_SECONDS as f64 + LATE_SECONDS + WATCHED_SECONDS,
        longest,
        "s",
    ));
    promises.push(Promise::at_most("peak memory", 64, victim.rss_peak_kib().div_ceil(1024), "MiB"));
    drop(crowd);
    promises.extend(victim.back_at_rest());
    promises
}

/// Clients that read a large file at 293 bytes/s take all connections, and reconnect when evicted.
pub fn readers_at_the_cap(scale: &Scale) -> Vec<Promise> {
    let cap = 64;
    let victim = Victim::start(&["--max-connections", &cap.to_string()]);
    let mut crowd = Crowd::new(victim.address, b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
    crowd.grow_narrow(cap).unwrap();
    let over = AtomicBool::new(false);
    let (held, ordinary) = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                crowd.sip(293);
                crowd.grow_narrow(cap - crowd.count()).unwrap();
                thread::sleep(Duration::from_secs(1));
            }
        });
        // At this rate they are 10 s behind 1 KiB/s after 14 s. Until then they keep all connections.
        thread::sleep(Duration::from_secs(2));
        let held = victim.figures().threads.min(cap.try_into().unwrap());
        thread::sleep(Duration::from_secs(14));
        let ordinary = OrdinaryClients::visit(victim.address, scale.ordinary(80), Duration::from_millis(500));
        over.store(true, Ordering::Relaxed);
        (held, ordinary)
    });
    let mut promises = vec![Promise::all("connections taken by slow readers", cap, held.try_into().unwrap())];
    promises.extend(ordinary.promises(50.0));
    promises.push(Promise::at_most("peak memory", 32, victim.rss_peak_kib().div_ceil(1024), "MiB"));
    drop(crowd);
    promises.extend(victim.back_at_rest());
    promises
}

/// Clients who ask for an archive and read nothing of it. Four get one; the others are told to come back.
pub fn archives(scale: &Scale) -> Vec<Promise> {
    let victim = Victim::start(&["--archive", "--send-timeout", &SEND_TIMEOUT_SECONDS.to_string()]);
    let directory = victim.site().join("many");
    fs::create_dir(&directory).unwrap();
    (0..scale.of(10_000)).for_each(|number| fs::write(directory.join(number.to_string()), b"x").unwrap());
    File::create(directory.join("large")).unwrap().set_len(256 << 20).unwrap();
    let rest = victim.figures();
    let mut crowd = Crowd::new(victim.address, b"GET /many/?archive=zip HTTP/1.1\r\nHost: localhost\r\n\r\n");
    crowd.grow(100).unwrap();
    let (ordinary, during, longest) = thread::scope(|scope| {
        let ordinary = scope.spawn(|| OrdinaryClients::visit(victim.address, scale.ordinary(400), Duration::from_millis(10)));
        let filled = when_nothing_moves(&victim);
        let during = victim.figures();
        victim.settled(Duration::from_secs(15), |now| now.descriptors <= rest.descriptors + 96);
        (ordinary.join().unwrap(), during, filled.elapsed().as_secs_f64())
    });
    let mut promises = ordinary.promises(25.0);
    let held = during.descriptors.saturating_sub(rest.descriptors);
    promises.push(Promise::at_most("descriptors while they wait, two more for each of four", 100 + 2 * 4 + 2, held, ""));
    let limit = SEND_TIMEOUT_SECONDS as f64 + LATE_SECONDS + WATCHED_SECONDS;
    promises.push(Promise::at_most("the last archive ended, after nothing had moved for", limit, longest, "s"));
    promises.push(Promise::at_most("the most memory ever held", 64, victim.rss_peak_kib().div_ceil(1024), "MiB"));
    drop(crowd);
    promises.extend(victim.back_at_rest());
    promises
}
