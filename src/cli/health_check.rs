//! `--check-health`: asks the server that runs with the same options for `/health`.
//!
//! The health check of a container without a shell is the program itself, with the same variables, so that port and address cannot differ.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::config::{Bind, Config};
use crate::net::deadline::DeadlineStream;
use crate::net::socket::{SocketTransport, connect_unix};
use crate::server::listener::ListenAddr;
use crate::telemetry::printable_path;

/// Time to wait for a connection, and for the response. Container managers give up after a few seconds.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The longest status line that is read.
const STATUS_LINE_BYTES_MAX: usize = 256;

/// `localhost` is accepted as Host by every configuration.
const REQUEST: &[u8] =
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nUser-Agent: threadbare-check-health\r\nConnection: close\r\n\r\n";

/// The PROXY header of a load balancer's own health check (version 1).
const PROXY_UNKNOWN: &[u8] = b"PROXY UNKNOWN\r\n";

/// Returns the status line of the response and the address that sent it. A server without the route `/health` is healthy, since it responds.
///
/// # Errors
/// Nothing listens, nothing responds, or the response is a server error (5xx), as while draining; in one line.
pub fn check(config: &Config) -> Result<String, String> {
    let mut failed = String::new();
    for place in places(config) {
        let shown = show(&place);
        match ask(&place, config.proxies.proxy_protocol) {
            Ok(answer) if is_healthy(&answer) => return Ok(format!("healthy: {answer} ({shown})")),
            Ok(answer) => return Err(format!("unhealthy: {answer} ({shown})")),
            // A machine may have only one of the two loopback addresses.
            Err(error) if failed.is_empty() => failed = format!("unhealthy: no response from {shown} ({error})"),
            Err(_) => {}
        }
    }
    Err(failed)
}

/// Returns where the server can be reached from this machine.
fn places(config: &Config) -> Vec<ListenAddr> {
    let (v4, v6) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST));
    let addresses = match &config.bind {
        Bind::Loopback | Bind::Everywhere => vec![v4, v6],
        Bind::Addresses(addresses) => addresses.clone(),
    };
    let reachable = |address: IpAddr| match address {
        address if !address.is_unspecified() => address,
        IpAddr::V4(_) => v4,
        IpAddr::V6(_) => v6,
    };
    let addresses = addresses.into_iter().map(|address| ListenAddr::Address(SocketAddr::new(reachable(address), config.port)));
    let paths = config.sockets.iter().cloned().map(ListenAddr::Path);
    if config.port == 0 { paths.collect() } else { addresses.chain(paths).collect() }
}

fn show(place: &ListenAddr) -> String {
    match place {
        ListenAddr::Address(address) => address.to_string(),
        ListenAddr::Path(path) => format!("unix:{}", printable_path(path)),
    }
}

/// Returns the status line.
fn ask(place: &ListenAddr, preface: bool) -> io::Result<String> {
    let socket = match place {
        ListenAddr::Address(address) => TcpStream::connect_timeout(address, TIMEOUT)?,
        ListenAddr::Path(path) => connect_unix(path)?,
    };
    let transport = SocketTransport { socket: &socket, on_wait: &|_| Ok(()) };
    let mut stream = DeadlineStream::new(transport, Instant::now(), TIMEOUT, TIMEOUT);
    if preface {
        stream.write_all(PROXY_UNKNOWN)?;
    }
    stream.write_all(REQUEST)?;
    let mut answer = Vec::new();
    let mut piece = [0; STATUS_LINE_BYTES_MAX];
    while !answer.contains(&b'\r') && answer.len() < STATUS_LINE_BYTES_MAX {
        match stream.read(&mut piece)? {
            0 => break,
            count => answer.extend(piece.iter().take(count)),
        }
    }
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    match std::str::from_utf8(line) {
        Ok("") => Err(io::Error::other("connection closed without a response")),
        Ok(line) if line.starts_with("HTTP/") => Ok(line.to_owned()),
        _ => Err(io::Error::other("not an HTTP response")),
    }
}

/// Returns whether a status line has a status other than 5xx.
fn is_healthy(answer: &str) -> bool {
    answer.split(' ').nth(1).is_some_and(|status| !status.starts_with('5'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_statuses_but_5xx_are_healthy() {
        for (answer, well, why) in [
            ("HTTP/1.1 200 OK", true, "healthy"),
            ("HTTP/1.1 404 Not Found", true, "the server responds, without the route"),
            ("HTTP/1.1 421 Misdirected Request", true, "the server responds, under another name"),
            ("HTTP/1.1 503 Service Unavailable", false, "draining, or at its connection limit"),
            ("HTTP/1.1 500 Internal Server Error", false, "failing"),
            ("HTTP/1.1", false, "no status"),
        ] {
            assert_eq!(is_healthy(answer), well, "{answer}: {why}");
        }
    }
}
