//! How many bytes go each way?
//!
//! A connection whose bytes are counted as they move, so that a download of an hour shows from its first second on. Where nobody counts,
//! it is the connection itself.

use std::io;
use std::time::Duration;

use crate::metrics::tally::Tally;
use crate::net::stream::Stream;

/// A connection, and where its bytes are counted; `None` is nowhere.
#[derive(Debug)]
pub struct Counted<'a, S> {
    stream: S,
    tally: Option<&'a Tally>,
}

impl<'a, S: Stream> Counted<'a, S> {
    /// That connection, counted there.
    pub fn new(stream: S, tally: Option<&'a Tally>) -> Counted<'a, S> {
        Counted { stream, tally }
    }

    fn received(&self, count: usize) {
        if let Some(tally) = self.tally {
            tally.received(count);
        }
    }

    fn sent(&self, count: usize) {
        if let Some(tally) = self.tally {
            tally.sent(count);
        }
    }
}

impl<S: Stream> Stream for Counted<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer).inspect(|count| self.received(*count))
    }

    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        self.stream.read_now(buffer).inspect(|count| self.received(count.unwrap_or(0)))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes).inspect(|count| self.sent(*count))
    }

    fn write_two(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        self.stream.write_two(first, second).inspect(|count| self.sent(*count))
    }

    fn set_read_timeout(&mut self, limit: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(limit)
    }

    fn set_write_timeout(&mut self, limit: Duration) -> io::Result<()> {
        self.stream.set_write_timeout(limit)
    }

    fn close_write(&mut self) {
        self.stream.close_write();
    }

    fn reset_on_close(&mut self) {
        self.stream.reset_on_close();
    }

    fn limit_send_queue(&mut self, bytes: usize) {
        self.stream.limit_send_queue(bytes);
    }
}
