//! Clients that make the server buffer large responses, and do not read them.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Scale;
use crate::crowd::Crowd;
use crate::ordinary::{OrdinaryClients, connect};
use crate::promise::Promise;
use crate::victim::Victim;

/// The largest body that `/echo` accepts. In JSON each of these bytes becomes six.
const ECHO_BYTES: usize = 64 * 1024;

/// Clients that send `/echo` the longest body, made of bytes that are escaped, and do not read the response.
pub fn echo(scale: &Scale) -> Vec<Promise> {
    let victim = Victim::start(&[]);
    let count = scale.of(1000);
    let head =
        format!("POST /echo HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nContent-Length: {ECHO_BYTES}\r\n\r\n");
    let mut crowd = Crowd::new(victim.address, &[head.as_bytes(), &[1; ECHO_BYTES]].concat());
    crowd.grow_narrow(count).unwrap();
    let (over, address) = (AtomicBool::new(false), victim.address);
    let ordinary = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                crowd.send_openings();
                thread::sleep(Duration::from_millis(5));
            }
        });
        thread::sleep(Duration::from_secs(2));
        let ordinary = OrdinaryClients::visit(address, scale.ordinary(400), Duration::from_millis(10));
        over.store(true, Ordering::Relaxed);
        ordinary
    });
    let mut promises = vec![Promise::all("connected clients that do not read", count, crowd.count())];
    promises.extend(ordinary.promises(50.0));
    // 64 KiB of body, and the thread with its buffers.
    let allowed = 16 + u64::try_from(count / 8).unwrap();
    promises.push(Promise::at_most("peak memory", allowed, victim.rss_peak_kib().div_ceil(1024), "MiB"));
    drop(crowd);
    promises.extend(victim.back_at_rest());
    promises
}

/// Clients that request a long listing, read it at 293 bytes/s, and reconnect when closed.
pub fn listings(scale: &Scale) -> Vec<Promise> {
    let victim = Victim::start(&[]);
    let many = victim.site().join("many");
    fs::create_dir(&many).unwrap();
    // The names of 32 listings need twice the memory that all connections share.
    for number in 0..40_000 {
        File::create(many.join(format!("{number:0200}"))).unwrap();
    }
    let mut crowd = Crowd::new(victim.address, LISTING);
    crowd.grow_narrow(32).unwrap();
    let over = AtomicBool::new(false);
    let (ordinary, listings) = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                crowd.sip(293);
                crowd.grow_narrow(32 - crowd.count()).unwrap();
                thread::sleep(Duration::from_secs(1));
            }
        });
        thread::sleep(Duration::from_secs(5));
        let ordinary = scope.spawn(|| OrdinaryClients::visit_until(victim.address, &over, Duration::from_millis(10)));
        let mut listings = OrdinaryClients::default();
        (0..scale.ordinary(20)).for_each(|_| listings.note(list(&victim)));
        over.store(true, Ordering::Relaxed);
        (ordinary.join().unwrap(), listings)
    });
    let mut promises = ordinary.promises(100.0);
    promises.push(Promise::all("complete listings", listings.asked(), listings.served()));
    promises.push(Promise::at_most("slowest of them", 10.0, listings.millis_at(1000) / 1000.0, "s"));
    // 128 MiB are in use; the arena of each thread keeps what was freed (MALLOC_ARENA_MAX limits them).
    promises.push(Promise::at_most("peak memory", 384, victim.rss_peak_kib().div_ceil(1024), "MiB"));
    drop(crowd);
    promises.extend(victim.back_at_rest());
    promises
}

const LISTING: &[u8] = b"GET /many/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Reads a whole listing, and returns the time it took.
fn list(victim: &Victim) -> io::Result<Duration> {
    let begun = Instant::now();
    let mut stream = connect(victim.address)?;
    stream.write_all(LISTING)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if answer.ends_with(b"\r\n0\r\n\r\n") {
        Ok(begun.elapsed())
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&answer[..answer.len().min(500)]).into_owned()))
    }
}
