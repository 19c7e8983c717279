//! Thousands of connections held by one thread.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{AddressFamily, SocketType, connect, socket};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The start of a response.
const BEGINNING: &[u8] = b"HTTP/1.1 ";

/// Many misbehaving connections.
pub struct Crowd {
    address: SocketAddr,
    opening: Vec<u8>,
    members: Vec<Member>,
    /// The longest lifetime of a connection that the server closed.
    pub lives: Vec<Duration>,
}

struct Member {
    stream: TcpStream,
    born: Instant,
    /// Bytes of the opening that have been sent.
    sent: usize,
}

impl Member {
    /// Sends what is left of the opening, as far as that is possible without waiting.
    fn send(&mut self, opening: &[u8]) {
        let rest = &opening[self.sent..];
        if !rest.is_empty() {
            self.sent += (&self.stream).write(rest).unwrap_or(0);
        }
    }
}

/// Raises the descriptor limit to the maximum.
pub fn allow_many_sockets() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

impl Crowd {
    /// Creates an empty crowd; each client will first send these bytes.
    pub fn new(address: SocketAddr, opening: &[u8]) -> Crowd {
        Crowd { address, opening: opening.to_vec(), members: Vec::new(), lives: Vec::new() }
    }

    /// Adds clients.
    pub fn grow(&mut self, count: usize) -> io::Result<()> {
        for _ in 0..count {
            let born = Instant::now();
            let stream = TcpStream::connect(self.address)?;
            self.add(stream, born)?;
        }
        Ok(())
    }

    /// Adds clients with a receive buffer of a few kilobytes.
    pub fn grow_narrow(&mut self, count: usize) -> io::Result<()> {
        for _ in 0..count {
            let born = Instant::now();
            let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
            set_socket_recv_buffer_size(&socket, 1024)?;
            connect(&socket, &self.address)?;
            self.add(TcpStream::from(socket), born)?;
        }
        Ok(())
    }

    fn add(&mut self, stream: TcpStream, born: Instant) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let mut member = Member { stream, born, sent: 0 };
        member.send(&self.opening);
        self.members.push(member);
        Ok(())
    }

    /// Each sends what is left of its opening, as far as it can without waiting.
    pub fn send_openings(&mut self) {
        self.members.iter_mut().for_each(|member| member.send(&self.opening));
    }

    /// Each reads so many bytes at most, if there are any; those whose connection has ended are dropped.
    pub fn sip(&mut self, bytes_max: usize) {
        let mut buffer = vec![0; bytes_max];
        let now = Instant::now();
        self.members.retain(|member| {
            let ended = match (&member.stream).read(&mut buffer) {
                Ok(count) => count == 0,
                Err(error) => error.kind() != io::ErrorKind::WouldBlock,
            };
            if ended {
                self.lives.push(now - member.born);
            }
            !ended
        });
    }

    /// The number of open connections.
    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// Sends bytes on each connection, if it would not block.
    pub fn drip(&self, bytes: &[u8]) {
        for member in &self.members {
            let _ = (&member.stream).write(bytes);
        }
    }

    /// Waits for events, at most for this time, and drops closed connections.
    pub fn watch(&mut self, limit: Duration) {
        // POLLHUP is always reported; POLLIN only if requested.
        self.look(limit, PollFlags::RDHUP, |_| true);
    }

    /// Waits for responses, at most for this time, reads them, and returns how many began.
    pub fn read(&mut self, limit: Duration) -> usize {
        let mut answers = 0;
        let mut buffer = vec![0; 64 * 1024];
        self.look(limit, PollFlags::IN | PollFlags::RDHUP, |mut stream| {
            loop {
                match stream.read(&mut buffer) {
                    Ok(0) => return true,
                    Ok(count) => answers += buffer[..count].windows(BEGINNING.len()).filter(|bytes| *bytes == BEGINNING).count(),
                    Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
                }
            }
        });
        answers
    }

    fn look(&mut self, limit: Duration, flags: PollFlags, mut has_ended: impl FnMut(&TcpStream) -> bool) {
        let timeout = Timespec { tv_sec: limit.as_secs().try_into().unwrap(), tv_nsec: limit.subsec_nanos().into() };
        let mut sockets: Vec<PollFd<'_>> = self.members.iter().map(|member| PollFd::new(&member.stream, flags)).collect();
        if sockets.is_empty() {
            std::thread::sleep(limit);
            return;
        }
        poll(&mut sockets, Some(&timeout)).unwrap();
        let happened: Vec<bool> = sockets.iter().map(|socket| !socket.revents().is_empty()).collect();
        drop(sockets);
        let now = Instant::now();
        let mut happened = happened.into_iter();
        self.members.retain(|member| {
            let ended = happened.next() == Some(true) && has_ended(&member.stream);
            if ended {
                self.lives.push(now - member.born);
            }
            !ended
        });
    }

    /// Resets all connections.
    pub fn reset(&mut self) {
        for member in self.members.drain(..) {
            let _ = rustix::net::sockopt::set_socket_linger(&member.stream, Some(Duration::ZERO));
        }
    }

    /// The longest lifetime of a connection in seconds, open ones included.
    pub fn longest_life(&self) -> f64 {
        let living = self.members.iter().map(|member| member.born.elapsed());
        self.lives.iter().copied().chain(living).max().unwrap_or_default().as_secs_f64()
    }
}
