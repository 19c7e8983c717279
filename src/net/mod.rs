//! Transports, timeouts and buffers.
//!
//! This module moves bytes and knows no HTTP message. [`transport`] is the trait that the rest of the server uses, so that tests can
//! replace the socket by [`memory`].

pub mod busy_poll;
pub mod deadline;
pub mod memory;
pub mod read_buffer;
pub mod socket;

use std::io;
use std::time::Duration;

/// Both directions of a connection: a socket, or a client that lives in memory.
///
/// A read or write that takes longer than the time set fails with [`io::ErrorKind::TimedOut`], on every platform.
pub trait Transport {
    /// Reads some bytes; 0 is the end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Reads what is there already; `None` if that is nothing. It never waits.
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>>;
    /// Writes some bytes and says how many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Writes some bytes of the first, and of the second only behind the whole first: a head and what follows it, in one call.
    fn write_vectored(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize>;
    /// How long a read may wait, from now on.
    fn set_read_timeout(&mut self, limit: Duration) -> io::Result<()>;
    /// How long a write may wait, from now on.
    fn set_write_timeout(&mut self, limit: Duration) -> io::Result<()>;
    /// Says that no more will be written. What is under way still arrives.
    fn shutdown_write(&mut self);
    /// Makes closing visible as an error at the other end, where an end of the connection would pass for the end of the content.
    fn reset_on_close(&mut self);
    /// Lets the system hold about so many bytes, and no more, that the client has not taken yet.
    fn set_send_buffer_size(&mut self, bytes: usize);
}
