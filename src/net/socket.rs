//! TCP and Unix sockets: the only file of `net/` that knows the operating system.
//!
//! A listener and a connection are either TCP or, on Unix, a socket in the file system for proxies on the same machine.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
#[cfg(unix)]
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::http::forwarded::PeerAddr;
use crate::net::Transport;

/// Connections that the kernel queues for a listener. The standard library's 128 overflow when a few hundred clients connect at once, and
/// a client whose connection was dropped tries again only after a second.
pub const BACKLOG: i32 = 4096;

/// How long [`wait_for_connection`] sleeps where there is no `poll`.
#[cfg(not(unix))]
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A socket that accepts connections.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(UnixListener),
}

/// A connection: TCP, or a Unix socket, for which [`TcpStream`] makes the same system calls.
pub type Socket = TcpStream;

impl Listener {
    /// Listens on an address. The socket does not block, and its connections send without Nagle's delay.
    ///
    /// # Errors
    /// Whatever the system reports.
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        let listener = Listener::Tcp(bind(address)?);
        listener.prepare()?;
        Ok(listener)
    }

    /// Makes the socket non-blocking. On Linux its connections inherit that they send without Nagle's delay, which saves a system call for
    /// each.
    ///
    /// # Errors
    /// Whatever the system reports.
    pub fn prepare(&self) -> io::Result<()> {
        match self {
            Listener::Tcp(listener) => {
                // It fails only for an inherited socket that is no TCP socket.
                let _ = rustix::net::sockopt::set_tcp_nodelay(listener, true);
                listener.set_nonblocking(true)
            }
            #[cfg(unix)]
            Listener::Unix(listener) => listener.set_nonblocking(true),
        }
    }

    /// Accepts the next connection. It blocks, and sends without Nagle's delay, since every response is written as a whole.
    ///
    /// # Errors
    /// `WouldBlock` if there is none; see [`AcceptError`] for the others.
    pub fn accept(&self) -> io::Result<(Socket, PeerAddr)> {
        let (socket, peer) = match self {
            Listener::Tcp(listener) => listener.accept().map(|(socket, peer)| (socket, peer.into()))?,
            #[cfg(unix)]
            Listener::Unix(listener) => listener.accept().map(|(socket, _)| (OwnedFd::from(socket).into(), PeerAddr::unix()))?,
        };
        if cfg!(not(any(target_os = "linux", target_os = "android"))) {
            // Elsewhere a connection inherits that the listener does not block, and not its options.
            socket.set_nonblocking(false)?;
            // It fails for a Unix socket, and if the client has closed already; then the first read reports it.
            let _ = socket.set_nodelay(true);
        }
        Ok((socket, peer))
    }

    /// Returns the address of a TCP listener.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            #[cfg(unix)]
            Listener::Unix(_) => None,
        }
    }

    /// Returns the path of a Unix listener.
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            Listener::Tcp(_) => None,
            #[cfg(unix)]
            Listener::Unix(listener) => Some(listener.local_addr().ok()?.as_pathname()?.to_path_buf()),
        }
    }
}

/// Binds a TCP socket and listens.
#[cfg(unix)]
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, listen, socket_with, sockopt};
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    // macOS has no flag for CLOEXEC; no other thread is running yet that could start a program in between.
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::empty(), Some(ipproto::TCP))?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    // A restarted server must not wait until the kernel has forgotten the connections of its predecessor.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        // So that 0.0.0.0 and [::] can both be bound, and peers have addresses of their own family.
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

#[cfg(not(unix))]
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
}

/// Whether binding failed because the machine has no such address or address family.
pub fn is_address_missing(error: &io::Error) -> bool {
    #[cfg(unix)]
    if rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::AFNOSUPPORT) {
        return true;
    }
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
}

/// Waits until a listener has a connection, `wake` becomes readable, or `limit` is over.
///
/// # Errors
/// Whatever the system reports.
#[cfg(unix)]
pub fn wait_for_connection(listeners: &[Listener], wake: Option<&Socket>, limit: Option<Duration>) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let sockets = listeners.iter().map(AsFd::as_fd).chain(wake.map(AsFd::as_fd));
    let mut sockets: Vec<_> = sockets.map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN)).collect();
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    match poll(&mut sockets, limit.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Sleeps for a moment: without `poll` the listeners are tried again every 20 ms.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn wait_for_connection(_: &[Listener], _: Option<&Socket>, limit: Option<Duration>) -> io::Result<()> {
    std::thread::sleep(limit.map_or(POLL_INTERVAL, |limit| limit.min(POLL_INTERVAL)));
    Ok(())
}

/// What to do after accepting a connection has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptError {
    /// There is no connection; wait.
    WouldBlock,
    /// This connection has failed; try the next.
    Transient,
    /// The system has run out of a resource; close a connection and wait a little.
    OutOfResources,
}

impl AcceptError {
    /// Classifies an error of [`Listener::accept`]. An unknown one counts as exhaustion, so that no error can make the loop spin.
    pub fn from_io_error(error: &io::Error) -> AcceptError {
        use io::ErrorKind as K;
        #[cfg(unix)]
        if rustix::io::Errno::from_io_error(error).is_some_and(|errno| PENDING_ERRORS.contains(&errno)) {
            return AcceptError::Transient;
        }
        match error.kind() {
            K::WouldBlock => AcceptError::WouldBlock,
            K::Interrupted | K::ConnectionAborted | K::ConnectionReset | K::TimedOut => AcceptError::Transient,
            K::NetworkDown | K::NetworkUnreachable | K::HostUnreachable => AcceptError::Transient,
            _ => AcceptError::OutOfResources,
        }
    }
}

/// Errors of accept(2) that concern only the new connection, so that the call is to be repeated. Those listed here have no
/// [`io::ErrorKind`] of their own.
#[cfg(unix)]
const PENDING_ERRORS: &[rustix::io::Errno] = &[
    rustix::io::Errno::PROTO,
    rustix::io::Errno::PERM,
    rustix::io::Errno::NOPROTOOPT,
    rustix::io::Errno::HOSTDOWN,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    rustix::io::Errno::NONET,
    rustix::io::Errno::OPNOTSUPP,
];

/// Connects to a Unix socket, as a client. It waits for at most `limit` while the queue of the socket is full.
///
/// # Errors
/// `WouldBlock` if the queue is still full, or whatever the system reports; `Unsupported` if it has no such sockets.
pub fn connect_unix(path: &Path, limit: Duration) -> io::Result<Socket> {
    #[cfg(unix)]
    {
        use rustix::net::sockopt::{Timeout, set_socket_timeout};
        use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket};
        let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
        set_socket_timeout(&socket, Timeout::Send, Some(limit))?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(socket.into())
    }
    #[cfg(not(unix))]
    {
        let _ = limit;
        Err(io::Error::new(io::ErrorKind::Unsupported, path.display().to_string()))
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

/// A connection that is read and written. By reference, so that the registry can shut it down without a second descriptor.
pub struct SocketTransport<'a> {
    /// The connection.
    pub socket: &'a TcpStream,
    /// Called by [`Transport::set_waiting_since`].
    pub on_wait: &'a dyn Fn(Option<Instant>) -> io::Result<()>,
}

impl Transport for SocketTransport<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(&mut self.socket, buffer).map_err(timed_out)
    }

    #[cfg(unix)]
    fn has_unread(&mut self) -> bool {
        use rustix::net::{RecvFlags, recv};
        matches!(recv(self.socket, &mut [0], RecvFlags::DONTWAIT), Ok((1.., _)))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut self.socket, bytes).map_err(timed_out)
    }

    fn write_vectored(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        Write::write_vectored(&mut self.socket, &[IoSlice::new(first), IoSlice::new(second)]).map_err(timed_out)
    }

    fn set_read_timeout(&mut self, limit: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(limit))
    }

    fn set_write_timeout(&mut self, limit: Duration) -> io::Result<()> {
        self.socket.set_write_timeout(Some(limit))
    }

    fn shutdown_write(&mut self) {
        // It fails only if the peer has closed already.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    fn reset_on_close(&mut self) {
        // A Unix socket has no reset: a proxy behind one cannot see that the body of an HTTP/1.0 response is incomplete.
        let _ = rustix::net::sockopt::set_socket_linger(self.socket, Some(Duration::ZERO));
    }

    fn set_send_buffer_size(&mut self, bytes: usize) {
        // It only saves memory.
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(self.socket, bytes);
    }

    fn set_waiting_since(&mut self, since: Option<Instant>) -> io::Result<()> {
        (self.on_wait)(since)
    }
}

/// Unix reports a timeout as `WouldBlock`, Windows as `TimedOut`; the socket blocks, so both mean that the time is over.
pub(super) fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn errors_of_accept() {
        use rustix::io::Errno as E;
        for (errno, want) in [
            (E::AGAIN, AcceptError::WouldBlock),
            (E::INTR, AcceptError::Transient),
            (E::CONNABORTED, AcceptError::Transient),
            (E::PROTO, AcceptError::Transient),
            (E::MFILE, AcceptError::OutOfResources),
            (E::NFILE, AcceptError::OutOfResources),
            (E::NOBUFS, AcceptError::OutOfResources),
            (E::NOMEM, AcceptError::OutOfResources),
            (E::BADF, AcceptError::OutOfResources),
        ] {
            assert_eq!(AcceptError::from_io_error(&errno.into()), want, "{errno:?}");
        }
    }
}
