//! The PROXY protocol, versions 1 and 2.
//!
//! A load balancer that forwards TCP cannot add a field to a request. Instead it sends a header before the first byte of its client, which
//! names the client. With `--proxy-protocol` every connection must begin with one, within the time of the first request head; others bypassed
//! the balancer, or it is misconfigured, and they are closed without a response.
//!
//! ```text
//! PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n
//!
//! 0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a    the signature, with which no other protocol begins
//! 21                                     version 2, command PROXY
//! 11                                     TCP over IPv4
//! 00 0c                                  twelve bytes follow
//! c0 00 02 01  c6 33 64 01               source, destination
//! dc 04  01 bb                           source port, destination port
//! ```

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use log::warn;

use crate::config::Bind;
use crate::http::forwarded::{Client, PeerAddr, PeerHost, Scheme, TrustedProxy};
use crate::http::grammar::parse_decimal;
use crate::net::Transport;
use crate::server::close_reason::CloseReason;
use crate::server::connection::Connection;

/// The longest header of version 1, as the specification says.
const V1_BYTES_MAX: usize = 107;
/// The longest header of version 2, its first 16 bytes included; as in nginx. Addresses need 232 bytes at most, and what balancers add
/// to them is rarely more than a few hundred.
const V2_BYTES_MAX: usize = 4096;

const NOT_TRUSTED: &str = "--trust-proxy does not include this address";

const V1_PREFIX: &[u8] = b"PROXY ";
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header and its length in bytes: the client that it names, or `None` if it names none, as for a health check of the balancer itself.
/// `None` in all if the bytes are valid and more are needed. An error is a text for the log, without any of the bytes.
type Parsed = Result<Option<(Option<Client>, usize)>, &'static str>;

/// Parses a header from the first bytes of a connection.
///
/// # Errors
/// The bytes do not start a valid header.
pub fn parse(bytes: &[u8]) -> Parsed {
    let starts = |with: &[u8]| bytes.iter().zip(with).all(|(a, b)| a == b);
    if starts(V1_PREFIX) {
        parse_v1(bytes)
    } else if starts(V2_SIGNATURE) {
        parse_v2(bytes)
    } else {
        Err("unknown signature")
    }
}

// "PROXY" SP ( "TCP4" / "TCP6" ) SP source SP destination SP source-port SP destination-port CRLF
// "PROXY" SP "UNKNOWN" *OCTET CRLF
fn parse_v1(bytes: &[u8]) -> Parsed {
    let shown = bytes.get(..V1_BYTES_MAX).unwrap_or(bytes);
    let Some(end) = shown.windows(2).position(|two| two == b"\r\n") else {
        return if shown.len() == V1_BYTES_MAX { Err("line longer than 107 bytes") } else { Ok(None) };
    };
    // The prefix contains no CR, so the line is at least as long as the prefix.
    let text = shown.split_at(end).0.split_at(V1_PREFIX.len()).1;
    // The rest of the line is ignored.
    if text == b"UNKNOWN" || text.starts_with(b"UNKNOWN ") {
        return Ok(Some((None, end + 2)));
    }
    let text = std::str::from_utf8(text).map_err(|_| "line is not UTF-8")?;
    let mut words = text.split(' ');
    let family = words.next();
    let is_of_family = |address: &IpAddr| family == Some(if address.is_ipv4() { "TCP4" } else { "TCP6" });
    let mut address = || {
        let address = words.next().and_then(|word| word.parse().ok());
        address.filter(is_of_family).ok_or("line without two addresses of its family")
    };
    let (source, _) = (address()?, address()?);
    let mut port = || words.next().and_then(port).ok_or("line without two ports");
    let (source_port, _) = (port()?, port()?);
    if words.next().is_some() {
        return Err("line with more than six words");
    }
    let client = Client { peer: PeerAddr::new(source, Some(source_port)), scheme: None };
    Ok(Some((Some(client), end + 2)))
}

/// Parses a port. The specification forbids leading zeros, which some programs take for octal digits.
fn port(word: &str) -> Option<u16> {
    let is_plain = word == "0" || !word.starts_with('0');
    parse_decimal(word.as_bytes()).filter(|_| is_plain).and_then(|port| u16::try_from(port).ok())
}

fn parse_v2(bytes: &[u8]) -> Parsed {
    let Some((beginning, after)) = bytes.split_first_chunk::<16>() else { return Ok(None) };
    let [.., version_and_command, family, length_high, length_low] = *beginning;
    let length = usize::from(u16::from_be_bytes([length_high, length_low]));
    if 16 + length > V2_BYTES_MAX {
        return Err("block longer than 4096 bytes");
    }
    let is_local = match version_and_command {
        0x20 => true,
        0x21 => false,
        _ => return Err("unknown version or command"),
    };
    let Some(rest) = after.get(..length) else { return Ok(None) };
    // For a connection of the balancer itself, the addresses are ignored.
    let client = if is_local { None } else { parse_v2_addresses(family, rest)? };
    Ok(Some((client, 16 + length)))
}

/// Parses the addresses and the additions (TLV) behind them.
fn parse_v2_addresses(family: u8, rest: &[u8]) -> Result<Option<Client>, &'static str> {
    let short = "block too short for its addresses";
    let (peer, additions) = match family {
        // Unspecified: the balancer gives no addresses.
        0x00 => return Ok(None),
        // source (4), destination (4), source port (2), destination port (2)
        0x11 => {
            let (&[a, b, c, d, _, _, _, _, high, low, _, _], additions) = rest.split_first_chunk::<12>().ok_or(short)?;
            (PeerAddr::new(Ipv4Addr::new(a, b, c, d).into(), Some(u16::from_be_bytes([high, low]))), additions)
        }
        // source (16), destination (16), source port (2), destination port (2)
        0x21 => {
            let (source, others) = rest.split_first_chunk::<16>().ok_or(short)?;
            let (&[.., high, low, _, _], additions) = others.split_first_chunk::<20>().ok_or(short)?;
            (PeerAddr::new(Ipv6Addr::from(*source).into(), Some(u16::from_be_bytes([high, low]))), additions)
        }
        // Two paths of 108 bytes.
        0x31 => (PeerAddr::unix(), rest.get(216..).ok_or(short)?),
        _ => return Err("block for another protocol than TCP"),
    };
    Ok(Some(Client { peer, scheme: scheme(additions)? }))
}

/// Returns the scheme, if an addition says whether the client uses TLS. Others are ignored.
// addition = type (1) length (2) value; the lowest bit of the first byte of type 0x20 is set if the client uses TLS
fn scheme(additions: &[u8]) -> Result<Option<Scheme>, &'static str> {
    const TLS: u8 = 0x20;
    let mut scheme = None;
    let mut rest = additions;
    while !rest.is_empty() {
        let short = "block with an incomplete addition";
        let (&[kind, high, low], after) = rest.split_first_chunk::<3>().ok_or(short)?;
        let (value, next) = after.split_at_checked(usize::from(u16::from_be_bytes([high, low]))).ok_or(short)?;
        if kind == TLS {
            scheme = Some(if value.first().is_some_and(|bits| bits & 1 == 1) { Scheme::Https } else { Scheme::Http });
        }
        rest = next;
    }
    Ok(scheme)
}

impl<S: Transport> Connection<'_, S> {
    /// Reads the header, if the configuration demands one, and sets the client that it names.
    ///
    /// # Errors
    /// Why the connection must end.
    pub(super) fn read_proxy_header(&mut self) -> Result<(), CloseReason> {
        let (peer, config) = (self.client.peer, &self.app.config);
        let proxies = &config.proxies;
        if !proxies.proxy_protocol {
            return Ok(());
        }
        let is_trusted = proxies.trusted.is_empty() || TrustedProxy::find(&proxies.trusted, peer).is_some();
        if !is_trusted && !is_this_machine(peer, &config.bind) {
            return Err(reject(peer, NOT_TRUSTED));
        }
        loop {
            if let Some((client, length)) = parse(self.read_buffer.bytes()).map_err(|why| reject(peer, why))? {
                if client.is_some() && !is_trusted {
                    return Err(reject(peer, NOT_TRUSTED));
                }
                self.read_buffer.consume(length);
                self.client = client.unwrap_or(self.client);
                return Ok(());
            }
            let is_begun = !self.read_buffer.is_empty();
            match self.read_buffer.fill(&mut self.stream) {
                Ok(count) if count > 0 => {}
                _ if self.state.is_evicted() => return Err(CloseReason::Evicted),
                // The client only connects, as some health checks do.
                Ok(_) if !is_begun => return Err(CloseReason::ClientClosed),
                Ok(_) => return Err(reject(peer, "the connection ended within the header")),
                Err(error) if error.kind() != io::ErrorKind::TimedOut => return Err(CloseReason::Io(error)),
                Err(_) if !is_begun => return Err(CloseReason::IdleTimeout),
                Err(_) => return Err(reject(peer, "the header did not arrive in time")),
            }
        }
    }
}

/// Whether a peer is a process of this machine, such as `--check-health`. It may always send a header that names no client.
fn is_this_machine(peer: PeerAddr, bind: &Bind) -> bool {
    match (peer.address, bind) {
        (PeerHost::Unix, _) => true,
        (PeerHost::Ip(address), Bind::Addresses(addresses)) => address.is_loopback() || addresses.contains(&address),
        (PeerHost::Ip(address), Bind::Loopback | Bind::Everywhere) => address.is_loopback(),
    }
}

fn reject(peer: PeerAddr, why: &'static str) -> CloseReason {
    let reason = CloseReason::ProxyHeader(why);
    warn!("{peer} closed: {reason}");
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(address: &str, port: u16) -> Client {
        Client { peer: PeerAddr::new(address.parse().unwrap(), Some(port)), scheme: None }
    }

    /// Also checks that every prefix is partial, and that bytes behind the header are not part of it.
    fn check(header: &[u8], want: Result<Option<Client>, &'static str>, why: &str) {
        let got = |bytes: &[u8]| parse(bytes).and_then(|parsed| parsed.ok_or("partial"));
        match want {
            Ok(origin) => {
                for length in 0..header.len() {
                    assert_eq!(got(&header[..length]), Err("partial"), "{why}: {length} bytes");
                }
                assert_eq!(got(&[header, b"GET / HTTP/1.1\r\n"].concat()), Ok((origin, header.len())), "{why}");
            }
            Err(text) => assert_eq!(got(header), Err(text), "{why}"),
        }
    }

    #[test]
    fn lines() {
        let long = format!("PROXY UNKNOWN {}\r\n", "f".repeat(V1_BYTES_MAX - 16));
        let longer = format!("PROXY UNKNOWN {}\r\n", "f".repeat(V1_BYTES_MAX - 15));
        let (addresses, ports) = ("line without two addresses of its family", "line without two ports");
        for (line, want, why) in [
            ("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", Ok(Some(tcp("192.0.2.1", 56324))), "IPv4"),
            ("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", Ok(Some(tcp("2001:db8::1", 1))), "IPv6"),
            ("PROXY UNKNOWN\r\n", Ok(None), "the balancer itself"),
            ("PROXY UNKNOWN ffff:f::1 what ever\r\n", Ok(None), "the rest is ignored"),
            (&long, Ok(None), "the longest header"),
            (&longer, Err("line longer than 107 bytes"), "one byte more"),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 \r\n", Err("line with more than six words"), "a space at the end"),
            ("PROXY TCP4  192.0.2.1 198.51.100.1 56324 443\r\n", Err(addresses), "two spaces"),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n", Err(ports), "a port is missing"),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n", Err(ports), "not a port"),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 +1 443\r\n", Err(ports), "a sign"),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 01 443\r\n", Err(ports), "a leading zero"),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 1 0443\r\n", Err(ports), "a leading zero in the other"),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 0 443\r\n", Ok(Some(tcp("192.0.2.1", 0))), "zero is no leading zero"),
            ("PROXY TCP4 2001:db8::1 198.51.100.1 1 2\r\n", Err(addresses), "of the other family"),
            ("PROXY TCP4 192.0.2.1 2001:db8::1 1 2\r\n", Err(addresses), "the destination too"),
            ("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", Err(addresses), "of the other family"),
            ("PROXY TCP4 192.0.2.01 198.51.100.1 1 2\r\n", Err(addresses), "a leading zero"),
            ("PROXY TCP5 192.0.2.1 198.51.100.1 1 2\r\n", Err(addresses), "unknown family"),
            ("PROXY \r\n", Err(addresses), "no words"),
            ("PROXY TCP4 \u{e9}\r\n", Err(addresses), "not an address"),
            ("proxy UNKNOWN\r\n", Err("unknown signature"), "lower case"),
            ("PROXY\tUNKNOWN\r\n", Err("unknown signature"), "a tab"),
            ("GET / HTTP/1.1\r\n", Err("unknown signature"), "a client without a balancer"),
        ] {
            check(line.as_bytes(), want, why);
        }
        check(b"PROXY UNKNOWN \xff\r\n", Ok(None), "even if it is not UTF-8");
        assert_eq!(parse(b"PROXY UNKNOWNS\r\n"), Err(addresses), "another word");
        assert_eq!(parse(b"PROXY UNKNOWN\n\n"), Ok(None), "a line ends in CRLF");
        assert_eq!(parse(b"PROXY TCP4 \xff\r\n"), Err("line is not UTF-8"));
    }

    #[test]
    fn blocks() {
        let block = |version_and_command, family, rest: &[u8]| {
            let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
            [&V2_SIGNATURE[..], &[version_and_command, family], &length, rest].concat()
        };
        let ipv4 = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 0x04, 1, 0xbb];
        let ipv6 = [&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0; 16], &[0, 80, 0, 81]].concat();
        let with = |additions: &[u8]| block(0x21, 0x11, &[&ipv4[..], additions].concat());
        let (tls, clear) = ([0x20, 0, 5, 0x07, 0, 0, 0, 0], [0x20, 0, 5, 0, 0, 0, 0, 0]);
        let v4 = tcp("192.0.2.1", 56324);
        let unix = Client { peer: PeerAddr::unix(), scheme: None };
        let (short, cut) = ("block too short for its addresses", "block with an incomplete addition");
        let padding = |length: usize| [&[4], &u16::try_from(length).unwrap().to_be_bytes()[..], &vec![0; length]].concat();
        for (block, want, why) in [
            (block(0x21, 0x11, &ipv4), Ok(Some(v4)), "IPv4"),
            (block(0x21, 0x21, &ipv6), Ok(Some(tcp("2001:db8::1", 80))), "IPv6"),
            (block(0x21, 0x31, &[0; 216]), Ok(Some(unix)), "a Unix socket"),
            (block(0x21, 0x00, &[1, 2, 3]), Ok(None), "the balancer does not say"),
            (block(0x20, 0x00, &[]), Ok(None), "the balancer itself"),
            (block(0x20, 0x11, &[1, 2, 3]), Ok(None), "the rest is ignored"),
            (with(&tls), Ok(Some(Client { scheme: Some(Scheme::Https), ..v4 })), "with TLS"),
            (with(&clear), Ok(Some(Client { scheme: Some(Scheme::Http), ..v4 })), "without"),
            (
                with(&[&padding(3)[..], &tls].concat()),
                Ok(Some(Client { scheme: Some(Scheme::Https), ..v4 })),
                "after another addition",
            ),
            (with(&[4, 0, 1]), Err(cut), "no value"),
            (with(&[4, 0]), Err(cut), "no length"),
            (with(&padding(V2_BYTES_MAX - 16 - 12 - 3)), Ok(Some(v4)), "the largest"),
            (with(&padding(V2_BYTES_MAX - 16 - 12 - 2)), Err("block longer than 4096 bytes"), "one byte more"),
            (block(0x21, 0x11, &ipv4[..11]), Err(short), "a byte too few"),
            (block(0x21, 0x21, &ipv6[..35]), Err(short), "a byte too few"),
            (block(0x21, 0x31, &[0; 215]), Err(short), "a byte too few"),
            (block(0x21, 0x12, &ipv4), Err("block for another protocol than TCP"), "UDP"),
            (block(0x22, 0x11, &ipv4), Err("unknown version or command"), "no such command"),
            (block(0x11, 0x11, &ipv4), Err("unknown version or command"), "version 1 is text"),
        ] {
            check(&block, want, why);
        }
        assert_eq!(parse(b"\r\n\r\n\0\r\nQUIT\r"), Err("unknown signature"));
    }
}
