//! Where do connections come from?
//!
//! Opens the sockets that listen, waits until one of them has a connection or someone asks to stop, and takes connections from them.
//! The sockets do not block: one loop serves them all, and none can hold up the others.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use crate::config::Bind;
use crate::http::forwarded::PeerAddr;
use crate::net::socket::{Listener, Socket};
use crate::os::signals::ShutdownSignal;
use crate::os::systemd::{self, SocketActivationError};
#[cfg(unix)]
use crate::os::unix_socket::{self, UnixSocketFile};

/// Connections that wait for us in the kernel. The standard library's 128 overflow when a few hundred clients come at once, and
/// those that do not fit try again only after a second.
#[cfg(unix)]
const BACKLOG: i32 = 4096;

/// How often a free port is looked for that is free on all addresses.
const PORT_TRIES: usize = 16;

/// The sockets that listen.
#[derive(Debug)]
pub struct Listeners {
    /// The files of sockets that this process has bound. They are removed with this value, first the files and then the sockets: no
    /// successor finds a file at which nobody listens.
    #[cfg(unix)]
    files: Vec<UnixSocketFile>,
    sockets: Vec<Listener>,
}

/// Where we cannot listen, and why.
#[derive(Debug)]
pub struct BindError {
    /// The address or the path.
    pub place: ListenAddr,
    /// What the system says.
    pub error: io::Error,
}

/// Where somebody listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddr {
    /// At an address and a port.
    Address(SocketAddr),
    /// At a path.
    Path(PathBuf),
}

impl Listeners {
    /// Listens on all addresses that `bind` names, and at the paths `sockets`. Of the two that [`Bind::Loopback`] and
    /// [`Bind::Everywhere`] stand for one may be missing on this machine. A port of 0 becomes the same free port on all of them.
    ///
    /// # Errors
    /// The first that cannot be had.
    pub fn open(bind: &Bind, port: u16, sockets: &[PathBuf]) -> Result<Listeners, BindError> {
        let (addresses, all_needed) = match bind {
            Bind::Loopback => (vec![IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)], AllNeeded::No),
            Bind::Everywhere => (vec![IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from(Ipv6Addr::UNSPECIFIED)], AllNeeded::No),
            Bind::Addresses(addresses) => (addresses.clone(), AllNeeded::Yes),
        };
        let mut tries = if port == 0 { PORT_TRIES } else { 1 };
        loop {
            tries -= 1;
            match Self::try_open(&addresses, all_needed, port) {
                Err(cannot) if cannot.error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
                result => return result?.bind_unix(sockets),
            }
        }
    }

    /// The sockets that were opened for us before we began; `None` if there are none.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn from_env() -> Result<Option<Listeners>, SocketActivationError> {
        let sockets = systemd::sockets()?;
        for socket in &sockets {
            match socket {
                Listener::Tcp(socket) => without_delay(socket),
                #[cfg(unix)]
                Listener::Unix(_) => {}
            }
        }
        Ok((!sockets.is_empty()).then(|| Listeners::of(sockets)))
    }

    fn of(sockets: Vec<Listener>) -> Listeners {
        Listeners {
            sockets,
            #[cfg(unix)]
            files: Vec::new(),
        }
    }

    /// The same, and at these paths.
    #[cfg(unix)]
    fn bind_unix(mut self, paths: &[PathBuf]) -> Result<Listeners, BindError> {
        for path in paths {
            match unix_socket::open(path, BACKLOG) {
                Ok((socket, file)) => {
                    self.sockets.push(Listener::Unix(socket));
                    self.files.push(file);
                }
                Err(error) => return Err(BindError { place: ListenAddr::Path(path.clone()), error }),
            }
        }
        Ok(self)
    }

    /// There are none here: the command line does not take them.
    #[cfg(not(unix))]
    fn bind_unix(self, _: &[PathBuf]) -> Result<Listeners, BindError> {
        Ok(self)
    }

    /// Returns the directories of the socket files that are removed at the end.
    pub fn socket_directories(&self) -> Vec<PathBuf> {
        #[cfg(unix)]
        return self.files.iter().filter_map(|file| file.path.parent().map(PathBuf::from)).collect();
        #[cfg(not(unix))]
        return Vec::new();
    }

    fn try_open(addresses: &[IpAddr], all_needed: AllNeeded, port: u16) -> Result<Listeners, BindError> {
        let mut sockets: Vec<TcpListener> = Vec::new();
        let mut missing = None;
        for &address in addresses {
            let chosen = sockets.first().and_then(|socket| socket.local_addr().ok()).map_or(port, |first| first.port());
            let address = SocketAddr::new(address, chosen);
            match open(address) {
                Ok(socket) => sockets.push(socket),
                Err(error) if all_needed == AllNeeded::No && is_missing(&error) => {
                    missing = Some(BindError { place: ListenAddr::Address(address), error })
                }
                Err(error) => return Err(BindError { place: ListenAddr::Address(address), error }),
            }
        }
        match missing {
            Some(cannot) if sockets.is_empty() => Err(cannot),
            _ => Ok(Listeners::of(sockets.into_iter().map(Listener::Tcp).collect())),
        }
    }

    /// The addresses, with the ports that they really have.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().filter_map(|socket| match socket {
            Listener::Tcp(socket) => socket.local_addr().ok(),
            #[cfg(unix)]
            Listener::Unix(_) => None,
        })
    }

    /// The paths.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.sockets.iter().filter_map(|socket| match socket {
            Listener::Tcp(_) => None,
            #[cfg(unix)]
            Listener::Unix(socket) => Some(socket.local_addr().ok()?.as_pathname()?.to_path_buf()),
        })
    }

    /// The sockets.
    pub fn sockets(&self) -> &[Listener] {
        &self.sockets
    }

    /// Waits until a connection is there, someone asks to stop, or the time is over.
    ///
    /// # Errors
    /// What the system says; a caller that goes on after a pause does no harm.
    #[cfg(unix)]
    pub fn wait(&self, stop: &ShutdownSignal, limit: Option<Duration>) -> io::Result<()> {
        let sockets = self.sockets.iter().map(std::os::fd::AsFd::as_fd);
        wait_for(sockets.chain(stop.wake_fd().map(std::os::fd::AsFd::as_fd)), limit)
    }

    /// Waits until someone asks to stop, or the time is over.
    #[cfg(unix)]
    pub fn pause(stop: &ShutdownSignal, limit: Duration) {
        let _ = wait_for(stop.wake_fd().map(std::os::fd::AsFd::as_fd).into_iter(), Some(limit));
    }

    /// Waits a moment: without `poll` we look again every 20 ms.
    #[cfg(not(unix))]
    pub fn wait(&self, _: &ShutdownSignal, _: Option<Duration>) -> io::Result<()> {
        std::thread::sleep(Duration::from_millis(20));
        Ok(())
    }

    /// Waits for that time.
    #[cfg(not(unix))]
    pub fn pause(_: &ShutdownSignal, limit: Duration) {
        std::thread::sleep(limit);
    }
}

/// Takes the next connection, made ready for use: blocking, and without Nagle's delay, since every answer is written whole.
///
/// # Errors
/// `WouldBlock` when there is none; others as [`AcceptError`] sorts them.
pub fn accept(listener: &Listener) -> io::Result<(Socket, PeerAddr)> {
    let (socket, peer) = listener.accept()?;
    if cfg!(not(any(target_os = "linux", target_os = "android"))) {
        // Elsewhere a connection inherits the listener's mode, and not its options.
        socket.set_nonblocking(false)?;
        // It fails where the client has gone already; then the first read says so.
        let _ = socket.set_nodelay();
    }
    Ok((socket, peer))
}

/// What an accept that failed asks of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptError {
    /// There is no connection; wait.
    WouldBlock,
    /// That connection is gone; go on with the next.
    Transient,
    /// The system has run out of something; make room and wait a little.
    OutOfResources,
}

impl AcceptError {
    /// Sorts an error of [`accept`]. One that is not known counts as exhaustion, so that no error can make the loop spin.
    #[cfg(unix)]
    pub fn of(error: &io::Error) -> AcceptError {
        use rustix::io::Errno as E;
        if error.kind() == io::ErrorKind::WouldBlock {
            return AcceptError::WouldBlock;
        }
        // accept(2) asks to treat pending network errors of the new socket like EAGAIN: by trying again.
        const THAT_ONE: &[E] = &[
            E::INTR,
            E::CONNABORTED,
            E::PROTO,
            E::PERM,
            E::NETDOWN,
            E::NOPROTOOPT,
            E::HOSTDOWN,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            E::NONET,
            E::HOSTUNREACH,
            E::OPNOTSUPP,
            E::NETUNREACH,
            E::TIMEDOUT,
        ];
        match E::from_io_error(error) {
            Some(errno) if THAT_ONE.contains(&errno) => AcceptError::Transient,
            _ => AcceptError::OutOfResources,
        }
    }

    /// Sorts an error of [`accept`].
    #[cfg(not(unix))]
    pub fn of(error: &io::Error) -> AcceptError {
        match error.kind() {
            io::ErrorKind::WouldBlock => AcceptError::Nothing,
            io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted => {
                AcceptError::ThatOne
            }
            _ => AcceptError::Exhausted,
        }
    }
}

/// Whether every address must be had.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AllNeeded {
    Yes,
    No,
}

/// Whether the machine simply has no such address family or address.
fn is_missing(error: &io::Error) -> bool {
    #[cfg(unix)]
    if rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::AFNOSUPPORT) {
        return true;
    }
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
}

#[cfg(unix)]
fn open(address: SocketAddr) -> io::Result<TcpListener> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, listen, socket_with, sockopt};
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    // Not by flags, which macOS does not have; there is no other thread yet that could start a program in between.
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::empty(), Some(ipproto::TCP))?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    // A server that is started again must not wait until the last connections of its predecessor are forgotten.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        // So that 0.0.0.0 and [::] can both be had, and each connection shows its own kind of address.
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    without_delay(&socket);
    let socket = TcpListener::from(socket);
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Each connection inherits from the listener that it has no Nagle's delay: one system call less for each. Linux does that, and
/// [`accept`] does it elsewhere.
#[cfg(unix)]
fn without_delay(socket: impl std::os::fd::AsFd) {
    // A socket of another kind has no such delay.
    let _ = rustix::net::sockopt::set_tcp_nodelay(socket, true);
}

#[cfg(not(unix))]
fn without_delay(_: &TcpListener) {}

#[cfg(not(unix))]
fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpListener::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(unix)]
fn wait_for<'a>(handles: impl Iterator<Item = std::os::fd::BorrowedFd<'a>>, limit: Option<Duration>) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut handles: Vec<_> = handles.map(|handle| PollFd::from_borrowed_fd(handle, PollFlags::IN)).collect();
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    match poll(&mut handles, limit.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_free_port_for_all_and_no_second_owner() {
        let listeners = Listeners::open(&Bind::Loopback, 0, &[]).unwrap();
        let ports: Vec<u16> = listeners.addresses().map(|address| address.port()).collect();
        assert!(ports[0] != 0 && ports.iter().all(|port| *port == ports[0]), "{ports:?}");
        let again = Listeners::open(&Bind::Addresses(vec![Ipv4Addr::LOCALHOST.into()]), ports[0], &[]);
        assert_eq!(again.unwrap_err().error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    #[cfg(unix)]
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
            assert_eq!(AcceptError::of(&errno.into()), want, "{errno:?}");
        }
    }
}
