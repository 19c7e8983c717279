//! Clients that begin a TLS handshake and do not complete it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::Scale;
use crate::crowd::Crowd;
use crate::ordinary::{OrdinaryClients, ask_over, connect};
use crate::promise::Promise;
use crate::tls::{Pair, over};
use crate::victim::Victim;

/// Connections that the server allows, half of those that attack it.
const CONNECTIONS_MAX: usize = 512;
/// The header of a handshake record of 512 bytes, and the start of its ClientHello.
const INCOMPLETE: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

/// A thousand clients send the start of a handshake; those that are evicted connect again.
pub fn incomplete(scale: &Scale) -> Vec<Promise> {
    let directory = std::env::temp_dir().join(format!("threadbare-siege-{}.tls", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let pair = Pair::new(&directory, "siege", 30);
    let limit = CONNECTIONS_MAX.to_string();
    let mut options = vec!["--max-connections", &limit];
    let files = pair.options();
    options.extend(files.iter().map(String::as_str));
    let victim = Victim::start(&options);
    let count = 2 * CONNECTIONS_MAX - 24;
    let mut crowd = Crowd::new(victim.address, INCOMPLETE);
    crowd.grow(count).unwrap();
    let is_over = AtomicBool::new(false);
    let mut again = 0;
    let ordinary = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                crowd.watch(Duration::from_millis(100));
                let missing = count - crowd.count();
                again += missing;
                crowd.grow(missing).unwrap();
                thread::sleep(Duration::from_millis(100));
            }
        });
        let mut ordinary = OrdinaryClients::default();
        for _ in 0..scale.ordinary(400) {
            ordinary.note(ask_over(|| Ok(over(connect(victim.address)?, &pair.der))));
            thread::sleep(Duration::from_millis(10));
        }
        is_over.store(true, Ordering::Relaxed);
        ordinary
    });
    println!(
        "             {count} incomplete handshakes, {again} of them begun again after the server had closed the connection"
    );
    let mut promises = ordinary.promises(50.0);
    let memory = victim.figures().rss_kib.div_ceil(1024);
    promises.push(Promise::at_most("memory of the server meanwhile", 64, memory, "MiB"));
    drop(crowd);
    promises.extend(victim.back_at_rest());
    std::fs::remove_dir_all(&directory).unwrap();
    promises
}
