//! systemd: readiness notification (`sd_notify(3)`) and socket activation (`sd_listen_fds(3)`).

use std::env;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::sync::Arc;

use listenfd::ListenFd;

use crate::net::socket::{Listener, Socket};

/// The variable that holds the address of the supervisor's socket.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// What the supervisor is notified of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Connections are accepted.
    Ready,
    /// Files are being reopened; [`State::Ready`] follows.
    Reloading,
    /// The server shuts down.
    Stopping,
}

/// The connection to the supervisor named by `$NOTIFY_SOCKET`. It is made before the sandbox, which allows no later one.
#[derive(Clone, Debug, Default)]
pub struct SdNotify {
    socket: Option<Arc<Socket>>,
    /// Why the socket that the environment names cannot be used.
    pub error: Option<String>,
}

impl SdNotify {
    /// Connects to the socket that the environment names, if it names one.
    pub fn from_environment() -> SdNotify {
        let Some(name) = env::var_os(VARIABLE).filter(|name| !name.is_empty()) else { return SdNotify::default() };
        match connect(&name) {
            Ok(socket) => SdNotify { socket: Some(socket.into()), error: None },
            Err(error) => SdNotify { socket: None, error: Some(format!("cannot connect to ${VARIABLE}: {error}")) },
        }
    }

    /// Whether there is a supervisor to notify.
    pub fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// Notifies the supervisor, without blocking; a message that does not fit into its queue is lost.
    pub fn notify(&self, state: State) {
        if let Some(socket) = &self.socket {
            let _ = (&**socket).write(message(state).as_bytes());
        }
    }
}

fn message(state: State) -> String {
    match state {
        State::Ready => "READY=1\nSTATUS=serving\n".to_owned(),
        State::Stopping => "STOPPING=1\nSTATUS=stopping\n".to_owned(),
        // sd_notify(3) requires the monotonic time, by which systemd tells this reload from an earlier one.
        #[cfg(unix)]
        State::Reloading => {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
            format!("RELOADING=1\nMONOTONIC_USEC={micros}\n")
        }
        #[cfg(not(unix))]
        State::Reloading => "RELOADING=1\n".to_owned(),
    }
}

/// Connects to a path, or to an address in Linux' abstract namespace if `name` begins with `@`.
#[cfg(unix)]
fn connect(name: &OsStr) -> io::Result<Socket> {
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let address = match name.as_encoded_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', rest @ ..] => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(rest)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(std::os::fd::OwnedFd::from(socket).into())
}

#[cfg(not(unix))]
fn connect(_: &OsStr) -> io::Result<Socket> {
    Err(io::Error::other("not supported on this system"))
}

/// Returns the listeners that the supervisor has opened, in order and in non-blocking mode; none without socket activation.
///
/// # Errors
/// The first descriptor that cannot be used. Ignoring it would leave clients waiting for a server that never accepts.
pub fn sockets() -> Result<Vec<Listener>, String> {
    let mut from = ListenFd::from_env();
    let message = |number, reason| format!("cannot listen on inherited socket {number} (LISTEN_FDS): {reason}");
    (0..from.len()).map(|index| take(&mut from, index).map_err(|reason| message(index + 1, reason))).collect()
}

fn take(from: &mut ListenFd, index: usize) -> Result<Listener, &'static str> {
    const OTHER: &str = "not a stream socket; use ListenStream= in the socket unit";
    let listener = from.take_tcp_listener(index).ok().flatten().map(Listener::Tcp);
    #[cfg(unix)]
    let listener = listener.or_else(|| from.take_unix_listener(index).ok().flatten().map(Listener::Unix));
    let listener = listener.ok_or(OTHER)?;
    // With `Accept=yes` systemd passes a connection, not a listener. Where there is no SO_ACCEPTCONN, accepting will fail instead.
    #[cfg(all(unix, not(target_vendor = "apple")))]
    if rustix::net::sockopt::socket_acceptconn(&listener) == Ok(false) {
        return Err("not a listening socket; use Accept=no in the socket unit");
    }
    listener.prepare().map_err(|_| OTHER)?;
    Ok(listener)
}
