//! What would a client do? A client in memory, for tests, fuzzing and benches.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use crate::net::stream::Stream;

/// A client that sends what it was given, piece by piece, then ends its side, and keeps all that it is sent.
#[derive(Debug, Default)]
pub struct Scripted {
    pieces: VecDeque<Vec<u8>>,
    /// Every byte that the server wrote.
    pub received: Vec<u8>,
}

impl Scripted {
    /// A client that sends these pieces: each read sees at most one of them.
    pub fn new(pieces: impl IntoIterator<Item = Vec<u8>>) -> Scripted {
        Scripted { pieces: pieces.into_iter().filter(|piece| !piece.is_empty()).collect(), received: Vec::new() }
    }
}

/// By reference, so that whoever made it can look at what it received.
impl Stream for &mut Scripted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.pieces.front_mut() else { return Ok(0) };
        let count = piece.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(piece.drain(..count)) {
            *to = from;
        }
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        Ok(count)
    }

    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        self.read(buffer).map(Some)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.received.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn write_two(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        Ok(self.write(first)? + self.write(second)?)
    }

    fn set_read_timeout(&mut self, _: Duration) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Duration) -> io::Result<()> {
        Ok(())
    }

    fn close_write(&mut self) {}

    fn reset_on_close(&mut self) {}

    fn limit_send_queue(&mut self, _: usize) {}
}
