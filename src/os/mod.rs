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

/// Returns whether the process runs as root.
#[cfg(unix)]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Returns whether the process runs as root, which no other system has.
#[cfg(not(unix))]
pub fn is_root() -> bool {
    false
}
