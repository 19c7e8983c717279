//! Does whoever started us want to know how we are? (`sd_notify(3)`)
//!
//! A supervisor such as systemd names a socket in `$NOTIFY_SOCKET`, and waits there for short texts: that we are ready, that we stop.
//! So it starts what needs us only when we listen, and does not count on us any more when we go. The socket is connected before the kernel
//! confines us: what is connected may still be written to.

use std::env;
use std::fmt;

use listenfd::ListenFd;

use crate::net::socket::Listener;

/// What is set if somebody wants to know.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Whoever connects is served.
    Ready,
    /// What can be opened anew is opened anew; [`State::Ready`] follows.
    Reloading,
    /// We have been asked to stop.
    Stopping,
}

/// The way to whoever wants to know.
#[derive(Clone, Debug, Default)]
pub struct SdNotify {
    #[cfg(unix)]
    socket: Option<std::sync::Arc<std::os::unix::net::UnixDatagram>>,
    error: Option<String>,
}

impl SdNotify {
    /// To the one whom the environment names, if it names one.
    pub fn from_environment() -> SdNotify {
        match env::var_os(VARIABLE) {
            Some(name) if !name.is_empty() => SdNotify::to(&name),
            _ => SdNotify::default(),
        }
    }

    #[cfg(unix)]
    fn to(name: &std::ffi::OsStr) -> SdNotify {
        match connect(name) {
            Ok(socket) => SdNotify { socket: Some(socket.into()), error: None },
            Err(error) => SdNotify { socket: None, error: Some(format!("cannot reach ${VARIABLE}: {error}")) },
        }
    }

    #[cfg(not(unix))]
    fn to(_: &std::ffi::OsStr) -> SdNotify {
        SdNotify { trouble: Some(format!("${VARIABLE} is not known on this system")) }
    }

    /// Why somebody wants to know and cannot be told.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Whether somebody is told.
    pub fn is_connected(&self) -> bool {
        #[cfg(unix)]
        return self.socket.is_some();
        #[cfg(not(unix))]
        return false;
    }

    /// Tells it, without ever waiting: one who does not listen has not asked.
    pub fn notify(&self, state: State) {
        #[cfg(unix)]
        if let Some(socket) = &self.socket {
            let _ = socket.send(words(state).as_bytes());
        }
        #[cfg(not(unix))]
        let _ = state;
    }
}

#[cfg(unix)]
fn words(state: State) -> String {
    match state {
        State::Ready => "READY=1\nSTATUS=serving\n".to_owned(),
        State::Stopping => "STOPPING=1\nSTATUS=stopping\n".to_owned(),
        // The time tells a reload from one before it, in microseconds of the clock that nobody sets.
        State::Reloading => {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
            format!("RELOADING=1\nMONOTONIC_USEC={micros}\n")
        }
    }
}

/// A socket with a path, or, where its name begins with `@`, one in the namespace that Linux has besides.
#[cfg(unix)]
fn connect(name: &std::ffi::OsStr) -> std::io::Result<std::os::unix::net::UnixDatagram> {
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    if let Some(rest) = std::os::unix::ffi::OsStrExt::as_bytes(name).strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt;
        socket.connect_addr(&SocketAddr::from_abstract_name(rest)?)?;
        return Ok(socket);
    }
    socket.connect_addr(&SocketAddr::from_pathname(name)?)?;
    Ok(socket)
}

/// What was handed over, and is nothing that connections come from.
#[derive(Debug)]
pub struct SocketActivationError {
    /// Which of them: the first is 1.
    number: usize,
    why: &'static str,
}

impl fmt::Display for SocketActivationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on what was handed over as number {} (LISTEN_FDS): {}", self.number, self.why)
    }
}

/// All of them, in their order, and set not to block; none, if nothing was handed over.
///
/// # Errors
/// The first that is no socket of ours.
pub fn sockets() -> Result<Vec<Listener>, SocketActivationError> {
    let mut from = ListenFd::from_env();
    (0..from.len()).map(|index| take(&mut from, index).map_err(|why| SocketActivationError { number: index + 1, why })).collect()
}

fn take(from: &mut ListenFd, index: usize) -> Result<Listener, &'static str> {
    const OTHER: &str = "it is no stream socket; in a unit it takes ListenStream=";
    if let Ok(Some(socket)) = from.take_tcp_listener(index) {
        may_accept(&socket)?;
        return socket.set_nonblocking(true).map(|()| Listener::Tcp(socket)).map_err(|_| OTHER);
    }
    #[cfg(unix)]
    if let Ok(Some(socket)) = from.take_unix_listener(index) {
        may_accept(&socket)?;
        return socket.set_nonblocking(true).map(|()| Listener::Unix(socket)).map_err(|_| OTHER);
    }
    Err(OTHER)
}

/// A connection that somebody else has accepted is a stream as well.
#[cfg(all(unix, not(target_vendor = "apple")))]
fn may_accept(socket: impl std::os::fd::AsFd) -> Result<(), &'static str> {
    match rustix::net::sockopt::socket_acceptconn(socket) {
        Ok(false) => Err("it does not listen; in a unit it takes Accept=no"),
        _ => Ok(()),
    }
}

/// Here it cannot be asked, so that accepting will tell.
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
fn may_accept<T>(_: &T) -> Result<(), &'static str> {
    Ok(())
}
