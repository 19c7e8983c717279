//! Which words say where we listen?

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use crate::config::Bind;

/// Where the server listens.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where it listens")]
pub struct ListenOptions {
    /// The port; 0 is any free one. The server never moves to another by itself
    #[arg(short, long, value_name = "PORT", default_value_t = 8000, env = "THREADBARE_PORT")]
    pub port: u16,

    /// An address to listen on, or unix:PATH for a socket in the file system; may be given more than once [default: 127.0.0.1 and ::1]
    #[arg(short, long, value_name = "ADDR", value_parser = place, env = "THREADBARE_BIND", value_delimiter = ',')]
    pub bind: Vec<ListenArg>,

    /// Listen on all interfaces, IPv4 and IPv6
    #[arg(long, env = "THREADBARE_LAN")]
    pub lan: bool,

    /// Serve nothing, but ask the server that these options start how it is: exit code 0 if it is well
    #[arg(long)]
    pub check_health: bool,
}

/// One value of `--bind`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenArg {
    /// An address.
    Address(IpAddr),
    /// A path.
    Path(PathBuf),
}

fn place(text: &str) -> Result<ListenArg, &'static str> {
    match text.strip_prefix("unix:") {
        Some("") => Err("write the path behind unix:"),
        Some(_) if cfg!(not(unix)) => Err("this system has no such sockets"),
        Some(path) => Ok(ListenArg::Path(path.into())),
        None => text.parse().map(ListenArg::Address).map_err(|_| "write an address, or unix:PATH"),
    }
}

impl ListenOptions {
    /// The addresses to listen on.
    pub fn bind(&self) -> Bind {
        let address = |place: &ListenArg| match place {
            ListenArg::Address(address) => Some(*address),
            ListenArg::Path(_) => None,
        };
        match &*self.bind {
            _ if self.lan => Bind::Everywhere,
            [] => Bind::Loopback,
            places => Bind::Addresses(places.iter().filter_map(address).collect()),
        }
    }

    /// The paths to listen at.
    pub fn sockets(&self) -> Vec<PathBuf> {
        let path = |place: &ListenArg| match place {
            ListenArg::Address(_) => None,
            ListenArg::Path(path) => Some(path.clone()),
        };
        self.bind.iter().filter_map(path).collect()
    }

    /// What no option by itself can know to be wrong.
    pub fn conflict(&self) -> Option<&'static str> {
        if self.lan && !self.bind.is_empty() {
            return Some("'--lan' listens on all interfaces and '--bind' on some; give one of them");
        }
        let nowhere = self.check_health && self.port == 0 && self.sockets().is_empty();
        nowhere.then_some("'--check-health' asks the server at its port, and '--port 0' is any; say which it has got")
    }
}
