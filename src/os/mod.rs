//! What differs by operating system: signals, sandbox, limits, systemd, Unix sockets.
//!
//! Code that depends on the platform is here where possible, so that other modules need no `#[cfg]`.

pub mod limits;
pub mod sandbox;
pub mod sighup;
pub mod signals;
pub mod socket_activation;
pub mod systemd;
#[cfg(unix)]
pub mod unix_socket;

/// There are no Unix sockets on this system.
#[cfg(not(unix))]
pub mod unix_socket {
    use std::io;
    use std::path::{Path, PathBuf};

    use crate::net::socket::Listener;

    /// Whether this system has Unix sockets.
    pub const SUPPORTED: bool = false;

    /// The file of a socket. It is never constructed.
    #[derive(Debug)]
    pub(crate) struct NoSocketFile {
        pub(crate) path: PathBuf,
    }

    pub(crate) use NoSocketFile as UnixSocketFile;

    pub(crate) fn open(_: &Path, _: i32) -> io::Result<(Listener, UnixSocketFile)> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
