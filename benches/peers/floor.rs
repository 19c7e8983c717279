//! A thread-per-connection server without HTTP: the upper bound of speed.
//!
//! It writes a prepared response for each request. With `SCHED_BATCH`, the scheduling policy of threadbare, it
//! is the limit of one blocking thread per connection.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use rustix::net::listen;

/// The longest response in one buffer; longer ones write the buffer several times.
const PIECE_BYTES_MAX: usize = 1 << 20;

/// The response to every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    pub status: u16,
    pub length: usize,
    pub closes: bool,
}

impl Answers {
    /// Formats it as a command line argument.
    pub fn to_argument(self) -> String {
        format!("{} {} {}", self.status, self.length, u8::from(self.closes))
    }

    /// Parses the command line argument.
    pub fn from_argument(argument: &str) -> Answers {
        let mut numbers = argument.split(' ').map(|number| number.parse::<usize>().unwrap());
        let mut next = || numbers.next().unwrap();
        Answers { status: next().try_into().unwrap(), length: next(), closes: next() == 1 }
    }
}

/// Serves until it is killed.
pub fn serve(port: u16, answers: Answers) -> ! {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    listen(&listener, 4096).unwrap();
    let length = if answers.status == 304 { String::new() } else { format!("Content-Length: {}\r\n", answers.length) };
    let connection = if answers.closes { "Connection: close\r\n" } else { "" };
    let mut one = format!("HTTP/1.1 {} Floor\r\n{length}{connection}\r\n", answers.status).into_bytes();
    one.extend((0..answers.length.min(PIECE_BYTES_MAX) as u64).map(crate::place::byte_at));
    let (one, pieces): (&[u8], usize) = (one.leak(), answers.length.saturating_sub(1) / PIECE_BYTES_MAX);
    loop {
        if let Ok((stream, _)) = listener.accept() {
            let _ = thread::Builder::new().stack_size(128 * 1024).spawn(move || exchange(&stream, one, pieces, answers));
        }
    }
}

fn exchange(mut stream: &TcpStream, one: &[u8], pieces: usize, answers: Answers) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut inbox, mut outbox) = ([0; 4096], Vec::new());
    loop {
        let count = stream.read(&mut inbox)?;
        // The clients send only `GET`, so counting its first letter counts requests.
        match inbox[..count].iter().filter(|byte| **byte == b'G').count() {
            _ if count == 0 => return Ok(()),
            1 => stream.write_all(one)?,
            several => {
                outbox.clear();
                (0..several).for_each(|_| outbox.extend_from_slice(one));
                stream.write_all(&outbox)?;
            }
        }
        for _ in 0..pieces {
            stream.write_all(&one[one.len() - PIECE_BYTES_MAX..])?;
        }
        if answers.closes {
            return Ok(());
        }
    }
}
