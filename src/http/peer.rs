//! Who is at the other end?
//!
//! An address as it is shown: on the line of a log, at `/echo`. It may be that of the socket, or what a proxy says of the client for
//! whom it asks, which need not come with a port.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The other end of a connection, or the client behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where it is.
    pub address: Address,
    /// By which port, if that is known.
    pub port: Option<u16>,
}

/// Where somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// At an address of the Internet.
    Ip(IpAddr),
    /// On this machine, at the other end of a Unix socket: it has no address.
    Unix,
}

impl Peer {
    /// Whoever is at that address. `::ffff:192.0.2.1`, as a socket for both families calls it, is 192.0.2.1.
    pub fn at(address: IpAddr, port: Option<u16>) -> Peer {
        Peer { address: Address::Ip(address.to_canonical()), port }
    }

    /// Whoever is at the other end of a Unix socket.
    pub fn unix() -> Peer {
        Peer { address: Address::Unix, port: None }
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Peer {
        Peer::at(address.ip(), Some(address.port()))
    }
}

impl fmt::Display for Address {
    /// The word for a Unix socket is nginx's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(address) => address.fmt(f),
            Address::Unix => f.write_str("unix:"),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.port) {
            (Address::Ip(address), Some(port)) => SocketAddr::new(address, port).fmt(f),
            (address, _) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown() {
        for (peer, want) in [
            (Peer::from(SocketAddr::from(([192, 0, 2, 1], 80))), "192.0.2.1:80"),
            (Peer::at("2001:db8::1".parse().unwrap(), Some(80)), "[2001:db8::1]:80"),
            (Peer::at("2001:db8::1".parse().unwrap(), None), "2001:db8::1"),
            (Peer::at("::ffff:192.0.2.1".parse().unwrap(), Some(80)), "192.0.2.1:80"),
            (Peer::unix(), "unix:"),
        ] {
            assert_eq!(peer.to_string(), want);
        }
    }
}
