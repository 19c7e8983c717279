//! Which sockets has somebody else opened for us?
//!
//! systemd (`sd_listen_fds(3)`), so that they outlive us. What is handed over and cannot be used is a reason not to start: whoever wanted to be reached by it would wait in vain.

use std::fmt;

use listenfd::ListenFd;

use crate::net::socket::Listener;

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
