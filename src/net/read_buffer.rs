//! Which bytes have come and are not yet used?
//!
//! That is all that pipelining needs: the next request is simply what is left when one has been answered.

use std::io;

use crate::net::Transport;
use crate::net::deadline::DeadlineStream;

/// What a connection begins with: a short request fits, and ten thousand of them are 5 MiB.
const INITIAL_CAPACITY: usize = 512;
/// What a waiting connection keeps at most. A browser that has sent a kilobyte of fields sends as many again.
const IDLE_CAPACITY_MAX: usize = 2048;

/// Bytes received but not yet consumed. It grows with a head that needs it, up to a maximum.
#[derive(Debug)]
pub struct ReadBuffer {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    bytes_max: usize,
}

impl ReadBuffer {
    /// An empty one that will hold at most `bytes_max`.
    pub fn new(bytes_max: usize) -> ReadBuffer {
        ReadBuffer { buffer: vec![0; INITIAL_CAPACITY.min(bytes_max)], start: 0, end: 0, bytes_max }
    }

    /// What is there, oldest first.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Waits for more bytes, and says how many came; 0 is the end of the connection.
    ///
    /// # Errors
    /// What the connection fails with; `OutOfMemory` if the inbox is full, which a caller that keeps the limits of a head never sees.
    pub fn fill<S: Transport>(&mut self, from: &mut DeadlineStream<S>) -> io::Result<usize> {
        if self.end == self.buffer.len() {
            self.make_room()?;
        }
        let count = from.read(self.buffer.get_mut(self.end..).unwrap_or_default())?;
        self.end += count;
        Ok(count)
    }

    /// The same without waiting, but for a moment; `None` if nothing came.
    ///
    /// # Errors
    /// The same.
    pub fn try_fill<S: Transport>(&mut self, from: &mut DeadlineStream<S>) -> io::Result<Option<usize>> {
        if self.end == self.buffer.len() {
            self.make_room()?;
        }
        let count = from.poll_read(self.buffer.get_mut(self.end..).unwrap_or_default())?;
        self.end += count.unwrap_or(0);
        Ok(count)
    }

    /// Forgets the oldest `count` bytes.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Puts bytes back that were read beyond the content of a request: they are the beginning of the next.
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

    /// Gives memory back that only a large head needed: a waiting connection should hold next to nothing.
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
    fn it_grows_moves_and_rests() {
        let limit = Duration::from_secs(1);
        let bytes: Vec<u8> = (0..5000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let mut client = MemoryTransport::new([bytes.clone()]);
        let mut from = DeadlineStream::new(&mut client, Instant::now(), limit, limit);
        let mut inbox = ReadBuffer::new(4096);
        while inbox.bytes().len() < 4096 {
            inbox.fill(&mut from).unwrap();
        }
        assert_eq!(inbox.fill(&mut from).unwrap_err().kind(), io::ErrorKind::OutOfMemory, "full");
        inbox.consume(4000);
        inbox.fill(&mut from).unwrap();
        assert_eq!(inbox.bytes(), &bytes[4000..5000], "what was left, and what came");
        inbox.unread(b"next");
        inbox.consume(1000);
        assert_eq!(inbox.bytes(), b"next");
        inbox.consume(100);
        for (length, kept, why) in [
            (IDLE_CAPACITY_MAX, IDLE_CAPACITY_MAX, "it will be needed again"),
            (IDLE_CAPACITY_MAX + 1, INITIAL_CAPACITY, "too much for one who waits"),
        ] {
            inbox.unread(&vec![0; length]);
            inbox.consume(length);
            inbox.shrink();
            assert!(inbox.is_empty() && inbox.buffer.len() == kept, "{why}");
        }
    }
}
