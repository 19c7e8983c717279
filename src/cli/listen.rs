//! Which words say where we listen?

use std::net::IpAddr;

use clap::Args;

use crate::config::Bind;

/// Where the server listens, and as whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where it listens")]
pub struct Listen {
    /// The port; 0 is any free one. The server never moves to another by itself
    #[arg(short, long, value_name = "PORT", default_value_t = 8000)]
    pub port: u16,

    /// An address to listen on; may be given more than once [default: 127.0.0.1 and ::1]
    #[arg(short, long, value_name = "ADDR", conflicts_with = "lan")]
    pub bind: Vec<IpAddr>,

    /// Listen on all interfaces, IPv4 and IPv6
    #[arg(long)]
    pub lan: bool,

    /// Started as root, become this user once the port is bound
    #[cfg(unix)]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
}

impl Listen {
    /// The addresses to listen on.
    pub fn bind(&self) -> Bind {
        match &*self.bind {
            _ if self.lan => Bind::Everywhere,
            [] => Bind::Loopback,
            addresses => Bind::Addresses(addresses.to_vec()),
        }
    }
}
