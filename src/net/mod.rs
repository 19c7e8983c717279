//! Transports, timeouts and buffers.
//!
//! This module moves bytes and knows no HTTP message. The rest of the server uses the trait [`Transport`], so that tests can replace the
//! [`socket`] by [`memory`].

pub mod budget;
pub mod deadline;
pub mod memory;
pub mod read_buffer;
pub mod socket;
#[cfg(feature = "tls")]
pub mod tls;

/// This build has no TLS.
#[cfg(not(feature = "tls"))]
pub mod tls {
    use crate::net::socket::SocketTransport;

    /// What all TLS connections share. It is never constructed.
    #[derive(Clone, Debug)]
    pub enum NoTls {}

    pub use NoTls as Tls;

    impl NoTls {
        pub(crate) fn accept<'a>(&self, _: SocketTransport<'a>) -> SocketTransport<'a> {
            match *self {}
        }
    }
}

use std::io;
use std::time::{Duration, Instant};

/// Whether a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsState {
    /// The server does not ask for TLS, or no byte has been received.
    Off,
    /// The server asks for TLS, and the client does not speak it.
    Cleartext,
    /// The handshake has begun; it may have failed.
    Handshake,
    /// The handshake is complete, so what is read was encrypted.
    Established,
}

/// Both directions of a connection: a socket, or a client in memory.
///
/// A read or write that takes longer than its timeout fails with [`io::ErrorKind::TimedOut`], on every platform. The methods that do
/// nothing by default are for sockets: a client in memory does not wait, and its owner sees all bytes.
pub trait Transport {
    /// Reads some bytes and returns their number; 0 is the end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes some bytes and returns their number.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Writes some bytes of `first`, and then of `second` if all of `first` were written, in one call; returns the total.
    fn write_vectored(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize>;
    /// Returns, without waiting, whether the client has sent bytes that were not read. To find out, one of them may be read and discarded,
    /// so the connection cannot be read any more.
    fn has_unread(&mut self) -> bool {
        false
    }
    /// Sets how long a read may wait.
    fn set_read_timeout(&mut self, _limit: Duration) -> io::Result<()> {
        Ok(())
    }
    /// Sets how long a write may wait.
    fn set_write_timeout(&mut self, _limit: Duration) -> io::Result<()> {
        Ok(())
    }
    /// Ends the direction to the client. Bytes on their way still arrive.
    fn shutdown_write(&mut self) {}
    /// Makes the close a reset, where an orderly close would look like the end of the body.
    fn reset_on_close(&mut self) {}
    /// Limits the bytes that the kernel buffers for the client, approximately.
    fn set_send_buffer_size(&mut self, _bytes: usize) {}
    /// Records that a write waits for the client, which is late since this time; with `None`, that no write waits any more. A slow client
    /// is as late as one that kept up until this time, and has read nothing since.
    ///
    /// # Errors
    /// The connection was evicted.
    fn set_waiting_since(&mut self, _: Option<Instant>) -> io::Result<()> {
        Ok(())
    }
    /// Starts TLS if this transport has it; `received` are bytes that belong to it. Returns whether it has taken them.
    ///
    /// # Errors
    /// The random generator of the system fails.
    fn start_tls(&mut self, _received: &[u8]) -> io::Result<bool> {
        Ok(false)
    }
    /// Returns whether the connection is encrypted.
    fn tls_state(&self) -> TlsState {
        TlsState::Off
    }
    /// Tells the client that no more plaintext follows (`close_notify`). What is read afterwards is not decrypted.
    fn end_tls(&mut self) {}
}
