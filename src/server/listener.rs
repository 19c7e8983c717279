//! The sockets that listen for connections.
//!
//! They do not block, so one loop serves them all and none can delay the others.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::config::Bind;
use crate::net::socket::{self, Listener};
use crate::os::systemd;
use crate::os::unix_socket::{self, UnixSocketFile};

/// How often a free port is chosen until it is free on all addresses.
const PORT_TRIES: usize = 16;

/// The sockets that listen.
#[derive(Debug)]
pub struct Listeners {
    /// The files of Unix sockets that this process has bound. They are dropped, and so removed, before the sockets: a successor never finds
    /// a file at which no process listens.
    files: Vec<UnixSocketFile>,
    /// The sockets.
    pub sockets: Vec<Listener>,
}

/// An address or path on which the server cannot listen.
#[derive(Debug)]
pub struct BindError {
    /// The address or the path.
    pub place: ListenAddr,
    /// What the system reports.
    pub error: io::Error,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddr {
    /// A TCP address and port.
    Address(SocketAddr),
    /// The path of a Unix socket.
    Path(PathBuf),
}

impl Listeners {
    /// Listens on all addresses that `bind` names, and on Unix sockets at `paths`. [`Bind::Loopback`] and [`Bind::Everywhere`] stand for
    /// an IPv4 and an IPv6 address, of which the machine may lack one. Port 0 becomes the same free port on all addresses.
    ///
    /// # Errors
    /// The first address or path that cannot be bound.
    pub fn open(bind: &Bind, port: u16, paths: &[PathBuf]) -> Result<Listeners, BindError> {
        let (addresses, require_all) = (bind.addresses(), matches!(bind, Bind::Addresses(_)));
        let mut tries = if port == 0 { PORT_TRIES } else { 1 };
        let mut listeners = loop {
            tries -= 1;
            match Self::bind_tcp(&addresses, require_all, port) {
                Err(failed) if failed.error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
                result => break result?,
            }
        };
        for path in paths {
            let bound = unix_socket::open(path, socket::BACKLOG);
            let (socket, file) = bound.map_err(|error| BindError { place: ListenAddr::Path(path.clone()), error })?;
            listeners.sockets.push(socket);
            listeners.files.push(file);
        }
        Ok(listeners)
    }

    /// Takes over the sockets of socket activation; `None` if there are none.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn from_env() -> Result<Option<Listeners>, String> {
        let sockets = systemd::sockets()?;
        Ok((!sockets.is_empty()).then_some(Listeners { files: Vec::new(), sockets }))
    }

    fn bind_tcp(addresses: &[IpAddr], require_all: bool, port: u16) -> Result<Listeners, BindError> {
        let mut sockets: Vec<Listener> = Vec::new();
        let mut missing = None;
        for &address in addresses {
            let port = sockets.first().and_then(Listener::address).map_or(port, |first| first.port());
            let address = SocketAddr::new(address, port);
            match Listener::bind(address) {
                Ok(socket) => sockets.push(socket),
                Err(error) => {
                    let is_missing = socket::is_address_missing(&error);
                    let failed = BindError { place: ListenAddr::Address(address), error };
                    // `0.0.0.0` and `::` are all that the machine has, which may be none.
                    if require_all && !address.ip().is_unspecified() || !is_missing {
                        return Err(failed);
                    }
                    missing = Some(failed);
                }
            }
        }
        match missing {
            Some(failed) if sockets.is_empty() => Err(failed),
            _ => Ok(Listeners { files: Vec::new(), sockets }),
        }
    }

    /// Returns the directories of the socket files that are removed at the end.
    pub fn socket_directories(&self) -> Vec<PathBuf> {
        self.files.iter().filter_map(|file| file.path.parent().map(PathBuf::from)).collect()
    }

    /// The TCP addresses, with the ports that were chosen.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().filter_map(Listener::address)
    }

    /// The paths of the Unix sockets.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.sockets.iter().filter_map(Listener::path)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn free_port_is_the_same_on_all_addresses_and_exclusive() {
        let listeners = Listeners::open(&Bind::Loopback, 0, &[]).unwrap();
        let ports: Vec<u16> = listeners.addresses().map(|address| address.port()).collect();
        assert!(ports[0] != 0 && ports.iter().all(|port| *port == ports[0]), "{ports:?}");
        let again = Listeners::open(&Bind::Addresses(vec![Ipv4Addr::LOCALHOST.into()]), ports[0], &[]);
        assert_eq!(again.unwrap_err().error.kind(), io::ErrorKind::AddrInUse);
    }
}
