//! Which words say where we listen?

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use crate::config::{Bind, Sockets};

/// Where the server listens, and as whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where it listens")]
pub struct Listen {
    /// The port; 0 is any free one. The server never moves to another by itself
    #[arg(short, long, value_name = "PORT", default_value_t = 8000)]
    pub port: u16,

    /// An address to listen on, or unix:PATH for a socket in the file system; may be given more than once [default: 127.0.0.1 and ::1]
    #[arg(short, long, value_name = "ADDR", conflicts_with = "lan", value_parser = place)]
    pub bind: Vec<Place>,

    /// Who may connect to that socket, as chmod takes it: 660 [default: as umask has it]
    #[cfg(unix)]
    #[arg(long, value_name = "MODE", value_parser = mode)]
    pub socket_mode: Option<u32>,

    /// Listen on all interfaces, IPv4 and IPv6
    #[arg(long)]
    pub lan: bool,

    /// Started as root, become this user once the port is bound
    #[cfg(unix)]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,

    /// Serve nothing, but ask the server that these options start how it is: exit code 0 if it is well
    #[arg(long)]
    pub check_health: bool,
}

/// One value of `--bind`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An address.
    Address(IpAddr),
    /// A path.
    Path(PathBuf),
}

fn place(text: &str) -> Result<Place, &'static str> {
    match text.strip_prefix("unix:") {
        Some("") => Err("write the path behind unix:"),
        Some(_) if cfg!(not(unix)) => Err("this system has no such sockets"),
        Some(path) => Ok(Place::Path(path.into())),
        None => text.parse().map(Place::Address).map_err(|_| "write an address, or unix:PATH"),
    }
}

#[cfg(unix)]
fn mode(text: &str) -> Result<u32, &'static str> {
    // The standard library takes a sign as well.
    let is_octal = (1..=4).contains(&text.len()) && text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777);
    mode.ok_or("write it in octal, from 0 to 777")
}

impl Listen {
    /// The addresses to listen on.
    pub fn bind(&self) -> Bind {
        let address = |place: &Place| match place {
            Place::Address(address) => Some(*address),
            Place::Path(_) => None,
        };
        match &*self.bind {
            _ if self.lan => Bind::Everywhere,
            [] => Bind::Loopback,
            places => Bind::Addresses(places.iter().filter_map(address).collect()),
        }
    }

    /// The paths to listen at.
    pub fn sockets(&self) -> Sockets {
        let path = |place: &Place| match place {
            Place::Address(_) => None,
            Place::Path(path) => Some(path.clone()),
        };
        Sockets { paths: self.bind.iter().filter_map(path).collect(), mode: self.mode() }
    }

    #[cfg(unix)]
    fn mode(&self) -> Option<u32> {
        self.socket_mode
    }

    #[cfg(not(unix))]
    fn mode(&self) -> Option<u32> {
        None
    }

    /// What no option by itself can know to be wrong.
    pub fn contradiction(&self) -> Option<&'static str> {
        let Sockets { paths, mode } = self.sockets();
        if mode.is_some() && paths.is_empty() {
            return Some("'--socket-mode' is about a socket in the file system; add '--bind unix:PATH'");
        }
        let nowhere = self.check_health && self.port == 0 && paths.is_empty();
        nowhere.then_some("'--check-health' asks the server at its port, and '--port 0' is any; say which it has got")
    }
}
