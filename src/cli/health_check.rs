//! Is the server that these options start well?
//!
//! A container without a shell has nothing else to ask by: its health check is the program itself, with the same variables, so that port
//! and address cannot differ. It asks as a balancer would, for `/health`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::config::{Bind, Config, Preface};
use crate::net::deadline::DeadlineStream;
use crate::net::socket::Socket;
use crate::server::listener::ListenAddr;

/// How long to wait for a connection, and how long for the answer. A server that is well needs milliseconds, and who runs the check gives
/// up after a few seconds anyway.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is read of an answer: its first line, which ours ends long before that.
const ANSWER_BYTES_MAX: usize = 256;

/// To any of our names: `localhost` is always one.
const REQUEST: &[u8] =
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nUser-Agent: threadbare-check-health\r\nConnection: close\r\n\r\n";

/// What a balancer sends that asks for itself (PROXY protocol, version 1): its client is unknown.
const FOR_ITSELF: &[u8] = b"PROXY UNKNOWN\r\n";

/// Asks the server of that configuration; the first line of its answer, and where it came from. A server without a route `/health` is well
/// if it says so: what counts is that it answers, and not by an error of its own.
///
/// # Errors
/// Nobody listens, nobody answers, or the answer is a server error (5xx), as while it drains; in one line.
pub fn check(config: &Config) -> Result<String, String> {
    let mut failed = String::new();
    for place in places(config) {
        let shown = show(&place);
        match ask(&place, config.proxies.preface) {
            Ok(answer) if is_well(&answer) => return Ok(format!("well: {answer} ({shown})")),
            Ok(answer) => return Err(format!("not well: {answer} ({shown})")),
            // Of the two addresses of the loopback this machine may have one.
            Err(error) if failed.is_empty() => failed = format!("not well: nothing answers at {shown} ({error})"),
            Err(_) => {}
        }
    }
    Err(failed)
}

/// Where it can be reached from this machine, the likeliest first.
fn places(config: &Config) -> Vec<ListenAddr> {
    let (v4, v6) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST));
    let addresses = match &config.bind {
        Bind::Loopback | Bind::Everywhere => vec![v4, v6],
        Bind::Addresses(addresses) => addresses.clone(),
    };
    // Who listens everywhere listens here.
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
        ListenAddr::Path(path) => format!("unix:{}", path.display()),
    }
}

/// The first line of the answer, without its end.
fn ask(place: &ListenAddr, preface: Preface) -> io::Result<String> {
    let socket = match place {
        ListenAddr::Address(address) => Socket::connect(address, PATIENCE)?,
        ListenAddr::Path(path) => Socket::connect_unix(path)?,
    };
    let mut stream = DeadlineStream::new(&socket, Instant::now(), PATIENCE, PATIENCE);
    if preface == Preface::ProxyProtocol {
        stream.write_all(FOR_ITSELF)?;
    }
    stream.write_all(REQUEST)?;
    let mut answer = Vec::new();
    let mut piece = [0; ANSWER_BYTES_MAX];
    while !answer.contains(&b'\r') && answer.len() < ANSWER_BYTES_MAX {
        match stream.read(&mut piece)? {
            0 => break,
            count => answer.extend_from_slice(piece.get(..count).unwrap_or_default()),
        }
    }
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    match std::str::from_utf8(line) {
        Ok("") => Err(io::Error::other("it ends the connection without an answer")),
        Ok(line) if line.starts_with("HTTP/") => Ok(line.to_owned()),
        _ => Err(io::Error::other("it speaks something else")),
    }
}

/// Whether its status is none of the server's own errors.
fn is_well(answer: &str) -> bool {
    answer.split(' ').nth(1).is_some_and(|status| !status.starts_with('5'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        for (answer, well, why) in [
            ("HTTP/1.1 200 OK", true, "the route says so"),
            ("HTTP/1.1 404 Not Found", true, "there is no route, but there is a server"),
            ("HTTP/1.1 421 Misdirected Request", true, "nor is it our name"),
            ("HTTP/1.1 503 Service Unavailable", false, "it drains, or has no seat"),
            ("HTTP/1.1 500 Internal Server Error", false, "it cannot"),
            ("HTTP/1.1", false, "no status"),
        ] {
            assert_eq!(is_well(answer), well, "{answer}: {why}");
        }
    }
}
