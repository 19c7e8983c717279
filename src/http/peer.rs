//! Who is at the other end?
//!
//! An address as it is shown: on the line of a log, at `/echo`. It may be that of the socket, or what a proxy says of the client for
//! whom it asks, which need not come with a port.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The other end of a connection, or the client behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr {
    /// Where it is.
    pub address: PeerHost,
    /// By which port, if that is known.
    pub port: Option<u16>,
}

/// Where somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerHost {
    /// At an address of the Internet.
    Ip(IpAddr),
    /// On this machine, at the other end of a Unix socket: it has no address.
    Unix,
}

impl PeerAddr {
    /// Whoever is at that address. `::ffff:192.0.2.1`, as a socket for both families calls it, is 192.0.2.1.
    pub fn new(address: IpAddr, port: Option<u16>) -> PeerAddr {
        PeerAddr { address: PeerHost::Ip(address.to_canonical()), port }
    }

    /// Whoever is at the other end of a Unix socket.
    pub fn unix() -> PeerAddr {
        PeerAddr { address: PeerHost::Unix, port: None }
    }
}

impl From<SocketAddr> for PeerAddr {
    fn from(address: SocketAddr) -> PeerAddr {
        PeerAddr::new(address.ip(), Some(address.port()))
    }
}

impl fmt::Display for PeerHost {
    /// The word for a Unix socket is nginx's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerHost::Ip(address) => address.fmt(f),
            PeerHost::Unix => f.write_str("unix:"),
        }
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.port) {
            (PeerHost::Ip(address), Some(port)) => SocketAddr::new(address, port).fmt(f),
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
            (PeerAddr::from(SocketAddr::from(([192, 0, 2, 1], 80))), "192.0.2.1:80"),
            (PeerAddr::new("2001:db8::1".parse().unwrap(), Some(80)), "[2001:db8::1]:80"),
            (PeerAddr::new("2001:db8::1".parse().unwrap(), None), "2001:db8::1"),
            (PeerAddr::new("::ffff:192.0.2.1".parse().unwrap(), Some(80)), "192.0.2.1:80"),
            (PeerAddr::unix(), "unix:"),
        ] {
            assert_eq!(peer.to_string(), want);
        }
    }
}
