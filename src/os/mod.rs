//! What differs by operating system: signals, sandbox, limits, systemd, Unix sockets.
//!
//! Code that depends on the platform is here where possible, so that other modules need no `#[cfg]`.

pub mod limits;
pub mod sandbox;
pub mod signals;
pub mod systemd;
#[cfg(unix)]
pub mod unix_socket;

use std::process::Command;

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

/// The program that opens a URL in the browser.
#[cfg(target_os = "macos")]
pub const OPENER: &str = "open";
/// The program that opens a URL in the browser.
#[cfg(windows)]
pub const OPENER: &str = "explorer";
/// The program that opens a URL in the browser.
#[cfg(not(any(target_os = "macos", windows)))]
pub const OPENER: &str = "xdg-open";

/// Returns the command that opens a URL in the browser, in a process group of its own, so that Ctrl-C does not end the browser.
pub fn open_command(url: &str) -> Command {
    let mut command = Command::new(OPENER);
    command.arg(url);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

/// Whether the system has Unix sockets that this program can listen on.
pub const HAS_UNIX_SOCKETS: bool = cfg!(unix);
