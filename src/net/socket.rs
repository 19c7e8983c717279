//! Which kinds of socket are there?
//!
//! TCP, and on Unix a socket in the file system, for proxies on the same machine. What listens and what is connected is one of the two; for
//! all that comes after the first byte they are alike.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use crate::http::peer::PeerAddr;
use crate::net::Transport;

/// A socket that listens.
#[derive(Debug)]
pub enum Listener {
    /// At an address and a port.
    Tcp(TcpListener),
    /// At a path.
    #[cfg(unix)]
    Unix(UnixListener),
}

/// A connection.
#[derive(Debug)]
pub enum Socket {
    /// By TCP.
    Tcp(TcpStream),
    /// By a path.
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Listener {
    /// Takes the next connection.
    ///
    /// # Errors
    /// `WouldBlock` when there is none, and whatever else the system says.
    pub fn accept(&self) -> io::Result<(Socket, PeerAddr)> {
        match self {
            Listener::Tcp(listener) => listener.accept().map(|(socket, peer)| (Socket::Tcp(socket), peer.into())),
            #[cfg(unix)]
            Listener::Unix(listener) => listener.accept().map(|(socket, _)| (Socket::Unix(socket), PeerAddr::unix())),
        }
    }
}

impl Socket {
    /// A new connection to an address, as a client has it.
    ///
    /// # Errors
    /// Nobody took it within that time, or what else the system says.
    pub fn connect(address: &SocketAddr, limit: Duration) -> io::Result<Socket> {
        TcpStream::connect_timeout(address, limit).map(Socket::Tcp)
    }

    /// A new connection to a socket in the file system, which is taken at once or not at all.
    ///
    /// # Errors
    /// What the system says; `Unsupported` where it has no such sockets.
    #[cfg(unix)]
    pub fn connect_unix(path: &Path) -> io::Result<Socket> {
        UnixStream::connect(path).map(Socket::Unix)
    }

    /// There are none here.
    ///
    /// # Errors
    /// Always `Unsupported`.
    #[cfg(not(unix))]
    pub fn connect_unix(_: &Path) -> io::Result<Socket> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Ends one direction, or both.
    ///
    /// # Errors
    /// When the other side has gone already.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Socket::Tcp(socket) => socket.shutdown(how),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.shutdown(how),
        }
    }

    /// Whether reading and writing wait.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        match self {
            Socket::Tcp(socket) => socket.set_nonblocking(nonblocking),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.set_nonblocking(nonblocking),
        }
    }

    /// That what is written leaves at once; a socket at a path knows nothing else.
    ///
    /// # Errors
    /// When the other side has gone already.
    pub fn set_nodelay(&self) -> io::Result<()> {
        match self {
            Socket::Tcp(socket) => socket.set_nodelay(true),
            #[cfg(unix)]
            Socket::Unix(_) => Ok(()),
        }
    }

    /// Another descriptor of the same connection.
    ///
    /// # Errors
    /// When there is none to be had.
    pub fn try_clone(&self) -> io::Result<Socket> {
        match self {
            Socket::Tcp(socket) => socket.try_clone().map(Socket::Tcp),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.try_clone().map(Socket::Unix),
        }
    }
}

impl Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => (&*socket).read(buffer),
            #[cfg(unix)]
            Socket::Unix(socket) => (&*socket).read(buffer),
        }
    }
}

impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => (&*socket).write(bytes),
            #[cfg(unix)]
            Socket::Unix(socket) => (&*socket).write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => (&*socket).write_vectored(slices),
            #[cfg(unix)]
            Socket::Unix(socket) => (&*socket).write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(unix)]
impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Tcp(listener) => listener.as_fd(),
            Listener::Unix(listener) => listener.as_fd(),
        }
    }
}

#[cfg(unix)]
impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(socket) => socket.as_fd(),
            Socket::Unix(socket) => socket.as_fd(),
        }
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for Socket {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        match self {
            Socket::Tcp(socket) => socket.as_socket(),
        }
    }
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
