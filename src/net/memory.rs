//! A client in memory, for tests, fuzzing and benches.

use std::collections::VecDeque;
use std::io::{self, Read};

use crate::net::Transport;

/// A client that sends given pieces, then ends its direction, and records what it receives.
#[derive(Debug, Default)]
pub struct MemoryTransport {
    pieces: VecDeque<Vec<u8>>,
    /// Bytes of the first piece that have been sent.
    sent: usize,
    /// How often the first piece is sent again before the next.
    repeats: usize,
    /// Every byte that the server wrote.
    pub received: Vec<u8>,
}

impl MemoryTransport {
    /// Creates a client that sends these pieces: each read returns bytes of one of them.
    pub fn new(pieces: impl IntoIterator<Item = Vec<u8>>) -> MemoryTransport {
        MemoryTransport { pieces: pieces.into_iter().filter(|piece| !piece.is_empty()).collect(), ..MemoryTransport::default() }
    }

    /// Creates a client that sends the same request several times.
    pub fn repeating(request: Vec<u8>, times: usize) -> MemoryTransport {
        MemoryTransport { repeats: times.saturating_sub(1), ..MemoryTransport::new([request]) }
    }
}

/// By reference, so that the owner can look at what was received.
impl Transport for &mut MemoryTransport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(mut rest) = self.pieces.front().and_then(|piece| piece.get(self.sent..)) else { return Ok(0) };
        let count = rest.read(buffer)?;
        self.sent += count;
        if rest.is_empty() {
            self.sent = 0;
            match self.repeats {
                0 => drop(self.pieces.pop_front()),
                _ => self.repeats -= 1,
            }
        }
        Ok(count)
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        self.read(buffer).map(Some)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.received.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        Ok(self.write(first)? + self.write(second)?)
    }
}
