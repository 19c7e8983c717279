//! A client in memory, for tests, fuzzing and benches.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use crate::net::Transport;

/// A client that sends given pieces, then ends its direction, and records what it receives.
#[derive(Debug, Default)]
pub struct MemoryTransport {
    pieces: VecDeque<Arc<[u8]>>,
    /// Bytes of the first piece that have been sent.
    sent: usize,
    /// Every byte that the server wrote.
    pub received: Vec<u8>,
}

impl MemoryTransport {
    /// Creates a client that sends these pieces: each read returns bytes of one of them.
    pub fn new(pieces: impl IntoIterator<Item = impl Into<Arc<[u8]>>>) -> MemoryTransport {
        let pieces = pieces.into_iter().map(Into::into).filter(|piece| !piece.is_empty()).collect();
        MemoryTransport { pieces, ..MemoryTransport::default() }
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
            self.pieces.pop_front();
        }
        Ok(count)
    }

    fn has_unread(&mut self) -> bool {
        !self.pieces.is_empty()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.received.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        Ok(self.write(first)? + self.write(second)?)
    }
}
