//! Does whoever started us want to know how we are? (`sd_notify(3)`)
//!
//! A supervisor such as systemd names a socket in `$NOTIFY_SOCKET`, and waits there for short texts: that we are ready, that we stop.
//! So it starts what needs us only when we listen, and does not count on us any more when we go. The socket is connected before the kernel
//! confines us: what is connected may still be written to.

use std::env;

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
