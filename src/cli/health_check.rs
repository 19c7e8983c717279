//! `--check-health`: asks the server that runs with the same options for `/health`.
//!
//! The health check of a container without a shell is the program itself, with the same variables, so that port and address cannot differ.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::net::Transport;
use crate::net::deadline::DeadlineStream;
use crate::net::socket::{SocketTransport, connect_unix};
use crate::server::listener::ListenAddr;
use crate::telemetry::printable_path;

/// Time for all of it. Container managers give up after a few seconds.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes that are read of a response. Server is the second field, so they contain it.
const HEAD_BYTES_MAX: usize = 1024;

/// `localhost` is accepted as Host by every configuration.
const REQUEST: &[u8] =
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nUser-Agent: threadbare-check-health\r\nConnection: close\r\n\r\n";

/// The PROXY header of a load balancer's own health check (version 1).
const PROXY_UNKNOWN: &[u8] = b"PROXY UNKNOWN\r\n";

/// Prints the status line of the response and the address that sent it. A server without the route `/health` is healthy, since it responds.
/// Another program is not: the field Server, which all responses have, differs.
///
/// # Errors
/// Nothing listens, nothing responds, another program responds, or the response is a server error (5xx), as while draining; in one line.
pub fn check(config: &Config) -> Result<(), String> {
    let deadline = Instant::now() + TIMEOUT;
    let mut failed = String::new();
    let places = places(config);
    for (index, place) in places.iter().enumerate() {
        let shown = show(place);
        // One place leaves time for the next.
        let share = u32::try_from(places.len() - index).unwrap_or(u32::MAX);
        let left = (deadline.saturating_duration_since(Instant::now()) / share).max(Duration::from_millis(1));
        match ask(place, config, left) {
            Ok(answer) if is_healthy(&answer) => {
                // If this cannot be written, the exit code still has the result.
                let _ = writeln!(io::stdout(), "healthy: {answer} ({shown})");
                return Ok(());
            }
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
    let reachable = |address: IpAddr| match address {
        address if !address.is_unspecified() => address,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let addresses = config.bind.addresses().into_iter().map(reachable);
    let addresses = addresses.map(|address| ListenAddr::Address(SocketAddr::new(address, config.port)));
    let paths = config.sockets.iter().cloned().map(ListenAddr::Path);
    if config.port == 0 { paths.collect() } else { addresses.chain(paths).collect() }
}

/// Returns an address or a path, for messages.
pub(super) fn show(place: &ListenAddr) -> String {
    match place {
        ListenAddr::Address(address) => address.to_string(),
        ListenAddr::Path(path) => format!("unix:{}", printable_path(path)),
    }
}

/// Connects, and returns the status line.
fn ask(place: &ListenAddr, config: &Config, limit: Duration) -> io::Result<String> {
    let begun = Instant::now();
    let socket = match place {
        ListenAddr::Address(address) => TcpStream::connect_timeout(address, limit)?,
        ListenAddr::Path(path) => connect_unix(path, limit)?,
    };
    if config.proxies.proxy_protocol {
        // The empty send buffer of a new socket takes it at once.
        (&socket).write_all(PROXY_UNKNOWN)?;
    }
    let transport = SocketTransport { socket: &socket, on_wait: &|_| Ok(()) };
    match place {
        #[cfg(feature = "tls")]
        ListenAddr::Address(_) if config.tls => exchange(crate::net::tls::connect(transport)?, begun, limit, config),
        _ => exchange(transport, begun, limit, config),
    }
}

/// Sends the request, and returns the status line.
fn exchange(transport: impl Transport, begun: Instant, limit: Duration, config: &Config) -> io::Result<String> {
    let mut stream = DeadlineStream::new(transport, begun, limit, limit);
    stream.write_all(REQUEST)?;
    let mut head = Vec::new();
    let mut piece = [0; HEAD_BYTES_MAX];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
        match stream.read(&mut piece)? {
            0 => break,
            count => head.extend(piece.iter().take(count)),
        }
    }
    if head.is_empty() {
        return Err(io::Error::other("connection closed without a response"));
    }
    let status = lines(&head).next().and_then(|line| std::str::from_utf8(line).ok()).filter(|line| line.starts_with("HTTP/"));
    let status = status.ok_or(io::Error::other("not an HTTP response"))?;
    let is_server = |line: &&[u8]| line.to_ascii_lowercase().starts_with(b"server:");
    match lines(&head).find(is_server) {
        Some(server) if lines(&config.default_headers).find(is_server) == Some(server) => Ok(status.to_owned()),
        _ => Err(io::Error::other("another program responds there")),
    }
}

fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end)
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
