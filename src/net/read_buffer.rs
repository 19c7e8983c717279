//! Received bytes that have not been used yet.
//!
//! That is all that pipelining needs: the next request is what is left after a response.

use std::io;

use crate::net::Transport;
use crate::net::deadline::DeadlineStream;

/// The first allocation: a short request fits, and ten thousand connections need 5 MiB.
const INITIAL_CAPACITY: usize = 512;
/// What an idle connection keeps at most. A browser that has sent a kilobyte of fields sends as many again.
const IDLE_CAPACITY_MAX: usize = 2048;

/// Bytes received and not consumed yet. It grows up to a maximum.
#[derive(Debug)]
pub struct ReadBuffer {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    bytes_max: usize,
}

impl ReadBuffer {
    /// Creates an empty buffer that holds at most `bytes_max`.
    pub fn new(bytes_max: usize) -> ReadBuffer {
        ReadBuffer { buffer: vec![0; INITIAL_CAPACITY.min(bytes_max)], start: 0, end: 0, bytes_max }
    }

    /// The bytes, oldest first.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.split_at(self.end).0.split_at(self.start).1
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Waits for more bytes and returns how many have arrived; 0 is the end of the connection.
    ///
    /// # Errors
    /// Whatever the connection fails with, or `OutOfMemory` if the buffer is full, which the limits of a head prevent.
    pub fn fill<S: Transport>(&mut self, stream: &mut DeadlineStream<S>) -> io::Result<usize> {
        if self.end == self.buffer.len() {
            self.make_room()?;
        }
        let count = stream.read(self.buffer.split_at_mut(self.end).1)?;
        self.end += count;
        Ok(count)
    }

    /// Removes the oldest `count` bytes.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Appends bytes that were read beyond the body of a request: they are the start of the next.
    pub fn unread(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut all = self.bytes().to_vec();
        all.extend_from_slice(bytes);
        self.start = 0;
        self.end = all.len();
        all.resize(all.len().max(INITIAL_CAPACITY), 0);
        self.buffer = all;
    }

    /// Frees memory that only a large head needed: an idle connection should hold as little as possible.
    pub fn shrink(&mut self) {
        if self.is_empty() && self.buffer.len() > IDLE_CAPACITY_MAX {
            self.buffer.truncate(INITIAL_CAPACITY.min(self.bytes_max));
            self.buffer.shrink_to_fit();
        }
    }

    fn make_room(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        } else if self.buffer.len() < self.bytes_max {
            self.buffer.resize((self.buffer.len() * 4).min(self.bytes_max), 0);
        } else {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::net::memory::MemoryTransport;

    #[test]
    fn buffer_grows_moves_and_shrinks() {
        let limit = Duration::from_secs(1);
        let bytes: Vec<u8> = (0..5000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let mut client = MemoryTransport::new([bytes.clone()]);
        let mut stream = DeadlineStream::new(&mut client, Instant::now(), limit, limit);
        let mut buffer = ReadBuffer::new(4096);
        while buffer.bytes().len() < 4096 {
            buffer.fill(&mut stream).unwrap();
        }
        assert_eq!(buffer.fill(&mut stream).unwrap_err().kind(), io::ErrorKind::OutOfMemory, "full");
        buffer.consume(4000);
        buffer.fill(&mut stream).unwrap();
        assert_eq!(buffer.bytes(), &bytes[4000..5000], "what was left, and what arrived");
        buffer.unread(b"next");
        buffer.consume(1000);
        assert_eq!(buffer.bytes(), b"next");
        buffer.consume(100);
        for (length, kept, why) in [
            (IDLE_CAPACITY_MAX, IDLE_CAPACITY_MAX, "it will be needed again"),
            (IDLE_CAPACITY_MAX + 1, INITIAL_CAPACITY, "too much for an idle connection"),
        ] {
            buffer.unread(&vec![0; length]);
            buffer.consume(length);
            buffer.shrink();
            assert!(buffer.is_empty() && buffer.buffer.len() == kept, "{why}");
        }
    }
}
