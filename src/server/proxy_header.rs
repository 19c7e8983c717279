//! Who is behind the balancer that has just connected?
//!
//! Where `--proxy-protocol` is given, every connection begins with a header that says so, within the time that the first head has.
//! One that does not is closed without an answer: it comes from somebody who has not been told, or past the balancer.

use std::io;

use log::warn;

use crate::config::{Preface, ProxyConfig};
use crate::http::forwarded::{Client, PeerAddr, Scheme};
use crate::net::deadline::DeadlineStream;
use crate::net::read_buffer::ReadBuffer;
use crate::net::transport::Transport;
use crate::server::close_reason::CloseReason;
use crate::server::conn_state::ConnState;
use crate::server::proxy_protocol::{ProxyHeader, ProxyHeaderError, ProxyHeaderProgress, ProxySource, TlsStatus, parse};

/// Reads the header, if there has to be one; whose connection this is.
///
/// # Errors
/// Why it must end.
pub fn read_proxy_header<S: Transport>(
    stream: &mut DeadlineStream<S>,
    inbox: &mut ReadBuffer,
    slot: &ConnState,
    peer: PeerAddr,
    proxies: &ProxyConfig,
) -> Result<Client, CloseReason> {
    match proxies.preface {
        Preface::None => return Ok(Client::from_peer(peer)),
        Preface::ProxyProtocol if proxies.trusted.is_empty() || proxies.trusted.contains(peer) => {}
        Preface::ProxyProtocol => return Err(refused(peer, ProxyHeaderError("--trust-proxy does not name that address"))),
    }
    loop {
        match parse(inbox.bytes()) {
            Ok(ProxyHeaderProgress::Complete(origin, length)) => {
                inbox.consume(length);
                return Ok(client(origin, peer));
            }
            Ok(ProxyHeaderProgress::Partial) => {}
            Err(why) => return Err(refused(peer, why)),
        }
        let is_begun = !inbox.is_empty();
        match inbox.fill(stream) {
            Ok(count) if count > 0 => {}
            _ if slot.is_evicted() => return Err(CloseReason::Evicted),
            // A balancer that only looks whether somebody listens.
            Ok(_) if !is_begun => return Err(CloseReason::ClientClosed),
            Ok(_) => return Err(refused(peer, ProxyHeaderError("the connection ended within it"))),
            Err(error) if error.kind() == io::ErrorKind::TimedOut && !is_begun => return Err(CloseReason::IdleTimeout),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(refused(peer, ProxyHeaderError("it did not arrive in time")));
            }
            Err(error) => return Err(CloseReason::Io(error)),
        }
    }
}

fn refused(peer: PeerAddr, why: ProxyHeaderError) -> CloseReason {
    let ended = CloseReason::ProxyHeader(why);
    warn!("{peer} is closed: {ended}");
    ended
}

fn client(origin: ProxyHeader, balancer: PeerAddr) -> Client {
    let scheme = match origin.tls {
        TlsStatus::Unknown => None,
        TlsStatus::Clear => Some(Scheme::Http),
        TlsStatus::Tls => Some(Scheme::Https),
    };
    match origin.source {
        ProxySource::Local => Client::from_peer(balancer),
        ProxySource::Tcp(address, port) => Client { peer: PeerAddr::new(address, Some(port)), scheme },
        ProxySource::Unix => Client { peer: PeerAddr::unix(), scheme },
    }
}
