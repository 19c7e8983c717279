//! Clients that guess passwords, and users that log in.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use crate::Scale;
use crate::ordinary::OrdinaryClients;
use crate::promise::Promise;
use crate::victim::Victim;

/// A hash from `htpasswd -B -C 10`: a check takes about 50 ms.
const BCRYPT_COST: u32 = 10;
/// Connections that send wrong passwords.
const GUESSERS: u8 = 40;
const RIGHT: &str = "right";

/// Forty connections send wrong passwords, from one address and then from forty, while users log in for the first time.
pub fn wrong(scale: &Scale) -> Vec<Promise> {
    let users = scale.ordinary(40);
    let file = std::env::temp_dir().join(format!("threadbare-siege-{}.passwords", std::process::id()));
    let hash = bcrypt::hash(RIGHT, BCRYPT_COST).unwrap();
    fs::write(&file, (0..users).map(|user| format!("user{user}:{hash}\n")).collect::<String>()).unwrap();
    let mut promises = Vec::new();
    for (addresses, seconds) in [(1, 2.0), (GUESSERS, 4.0)] {
        let victim = Victim::start(&["--auth-file", file.to_str().unwrap()]);
        let (over, guesses) = (AtomicBool::new(false), AtomicUsize::new(0));
        let logins = thread::scope(|scope| {
            for guesser in 0..GUESSERS {
                let from = Ipv4Addr::new(127, 0, 1, guesser % addresses + 1);
                let (address, over, guesses) = (victim.address, &over, &guesses);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let _ = log_in(address, from, "user0:wrong");
                        guesses.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            thread::sleep(Duration::from_millis(500));
            let mut logins = OrdinaryClients::default();
            for user in 0..users {
                logins.note(log_in(victim.address, Ipv4Addr::LOCALHOST, &format!("user{user}:{RIGHT}")));
            }
            over.store(true, Ordering::Relaxed);
            logins
        });
        println!("              from {addresses} addresses, {} guesses", guesses.load(Ordering::Relaxed));
        promises.extend(logins.promises(seconds * 1000.0));
        promises.push(Promise::at_most("peak memory", 32, victim.rss_peak_kib().div_ceil(1024), "MiB"));
        promises.extend(victim.back_at_rest());
    }
    let _ = fs::remove_file(&file);
    promises
}

/// Requests the small file with a name and a password, from an address of this machine, and returns the time it took.
fn log_in(address: SocketAddr, from: Ipv4Addr, credentials: &str) -> io::Result<Duration> {
    let begun = Instant::now();
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddr::from((from, 0)))?;
    connect(&socket, &address)?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let credentials = BASE64_STANDARD.encode(credentials);
    write!(
        stream,
        "GET /small.txt HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {credentials}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200 ") { Ok(begun.elapsed()) } else { Err(io::Error::other(answer)) }
}
