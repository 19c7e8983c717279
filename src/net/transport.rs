//! What must a connection be able to do?

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use crate::net::socket::Socket;

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

/// A shared reference is enough to read and to write, so that a connection needs one descriptor only while the registry of live
/// connections can still shut it down.
impl Transport for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(self, buffer).map_err(timed_out)
    }

    #[cfg(unix)]
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        use rustix::io::Errno;
        use rustix::net::{RecvFlags, recv};
        match recv(*self, buffer, RecvFlags::DONTWAIT) {
            Ok((count, _)) => Ok(Some(count)),
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    #[cfg(not(unix))]
    fn read_now(&mut self, _: &mut [u8]) -> io::Result<Option<usize>> {
        Ok(None)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes).map_err(timed_out)
    }

    fn write_vectored(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        Write::write_vectored(self, &[IoSlice::new(first), IoSlice::new(second)]).map_err(timed_out)
    }

    fn set_read_timeout(&mut self, limit: Duration) -> io::Result<()> {
        match self {
            Socket::Tcp(socket) => socket.set_read_timeout(Some(limit)),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.set_read_timeout(Some(limit)),
        }
    }

    fn set_write_timeout(&mut self, limit: Duration) -> io::Result<()> {
        match self {
            Socket::Tcp(socket) => socket.set_write_timeout(Some(limit)),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.set_write_timeout(Some(limit)),
        }
    }

    fn shutdown_write(&mut self) {
        // It fails only where the peer has gone already.
        let _ = self.shutdown(Shutdown::Write);
    }

    fn reset_on_close(&mut self) {
        // A Unix socket has no reset: there a proxy must see for itself that HTTP/1.0 content ended early.
        let _ = rustix::net::sockopt::set_socket_linger(*self, Some(Duration::ZERO));
    }

    fn set_send_buffer_size(&mut self, bytes: usize) {
        // It only saves memory.
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(*self, bytes);
    }
}

/// Unix says `WouldBlock` where Windows says `TimedOut`; the socket is blocking, so both mean that time ran out.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
}
