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
