//! Who asked first, when a proxy asks for somebody else? (RFC 7239)
//!
//! A proxy says for whom it asks: in `Forwarded`, or in `X-Forwarded-For`, which came first and is everywhere. So may any client, of
//! anybody. Each proxy on the way appends the address from which it was asked itself; so the list is believed from its end on, as far
//! as those who wrote it are trusted: the last member is what our peer says, the one before it what the peer of our peer says. The
//! client is the first, from the end, of whom we do not know that it is a proxy.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::http::grammar::{is_token, parse_decimal, trim_ows};
use crate::http::headers::{Headers, name};

/// Whose word counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// Addresses that belong together, or the other ends of our Unix sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpNet {
    /// All addresses that begin with the first so many bits of this one.
    Ip(IpAddr, u8),
    /// Whoever comes by a Unix socket.
    Unix,
}

/// By which protocol the client asked the first proxy that is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// With TLS.
    Https,
}

/// For whom a request is, as far as it can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Where the client is.
    pub peer: PeerAddr,
    /// How it asked; `None` if nobody says so who is trusted.
    pub scheme: Option<Scheme>,
}

impl FromStr for IpNet {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<IpNet, &'static str> {
        if text == "unix" {
            return Ok(IpNet::Unix);
        }
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| "write an address, ADDRESS/BITS, or unix")?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(u64::from(bits_max)), |bits| parse_decimal(bits.as_bytes()));
        let bits = bits.and_then(|bits| u8::try_from(bits).ok()).filter(|bits| *bits <= bits_max);
        let bits = bits.ok_or("there are at most 32 bits in an IPv4 address, and 128 in an IPv6 address")?;
        let network = IpNet::Ip(address, bits);
        // 10.1.2.3/8 may be meant to be 10.0.0.0/8, or 10.1.2.3: what is trusted is not guessed.
        if low_bits(address, bits) == 0 { Ok(network) } else { Err("that address has bits beyond its prefix") }
    }
}

impl IpNet {
    fn contains(&self, address: PeerHost) -> bool {
        match (*self, address) {
            (IpNet::Unix, PeerHost::Unix) => true,
            (IpNet::Ip(network, bits), PeerHost::Ip(address)) => match (network, address) {
                (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                    number(network) == number(address) - low_bits(address, bits)
                }
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
            },
            (IpNet::Unix, PeerHost::Ip(_)) | (IpNet::Ip(..), PeerHost::Unix) => false,
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// What an address has behind its first so many bits.
fn low_bits(address: IpAddr, bits: u8) -> u128 {
    let length = if address.is_ipv4() { 32 } else { 128 };
    // A shift by all 128 bits keeps none of them.
    let kept = u128::MAX.checked_shl(u32::from(length - bits.min(length))).unwrap_or(0);
    number(address) & !kept
}

impl TrustedProxies {
    /// Those in these networks.
    pub fn new(networks: Vec<IpNet>) -> TrustedProxies {
        TrustedProxies(networks)
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether somebody there is trusted.
    pub fn contains(&self, peer: PeerAddr) -> bool {
        self.0.iter().any(|network| network.contains(peer.address))
    }
}

impl Client {
    /// Whoever has connected to us without anybody in between. We speak no TLS.
    pub fn from_peer(peer: PeerAddr) -> Client {
        Client { peer, scheme: Some(Scheme::Http) }
    }
}

/// For whom our peer asks: for itself, unless it is trusted and says otherwise. `own` is what is known of it without the request.
///
/// A proxy that writes one of the two fields passes the other on as its client sent it. So where both are there, and do not say the
/// same, neither is believed.
pub fn resolve_client(own: Client, headers: &Headers<'_>, trusted: &TrustedProxies) -> Client {
    if !trusted.contains(own.peer) {
        return own;
    }
    let itself = Client { scheme: None, ..own };
    let is_there = |name| headers.get(name).is_some();
    match (is_there(name::FORWARDED), is_there(name::X_FORWARDED_FOR)) {
        (false, false) => own,
        (true, false) => by_forwarded(headers, trusted).unwrap_or(itself),
        (false, true) => by_x_forwarded_for(headers, trusted).unwrap_or(itself),
        (true, true) => match (by_forwarded(headers, trusted), by_x_forwarded_for(headers, trusted)) {
            (Some(client), Some(other)) if client.peer.address == other.peer.address => client,
            _ => itself,
        },
    }
}

// Forwarded = 1#forwarded-element
fn by_forwarded(headers: &Headers<'_>, trusted: &TrustedProxies) -> Option<Client> {
    last_untrusted(headers.list(name::FORWARDED).map(forwarded_element), trusted).map(|(_, client)| client)
}

/// The last member who is not trusted, else the first; and which that is. A member that names no address (`unknown`, a word of the
/// proxy's own, or something malformed) hides what stands before it: then the client is the proxy that wrote it.
fn last_untrusted(members: impl Iterator<Item = Option<Client>>, trusted: &TrustedProxies) -> Option<(usize, Client)> {
    members.enumerate().fold(None, |before, (index, said)| {
        let said = said?;
        let own = Some((index, said));
        if trusted.contains(said.peer) { before.or(own) } else { own }
    })
}

// forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] )
// forwarded-pair    = token "=" value
// value             = token / quoted-string
fn forwarded_element(element: &[u8]) -> Option<Client> {
    let (mut node_of, mut scheme) = (None, None);
    let mut rest = element;
    while !rest.is_empty() {
        let (pair, after) = rest.split_at_checked(end_of_pair(rest))?;
        rest = after.get(1..).unwrap_or_default();
        let pair = trim_ows(pair);
        let Some(equals) = pair.iter().position(|&b| b == b'=') else {
            // An empty pair is none; anything else without a value is not one.
            if pair.is_empty() {
                continue;
            }
            return None;
        };
        let (parameter, value) = (pair.get(..equals)?, unquoted(pair.get(equals + 1..)?)?);
        if !is_token(parameter) {
            return None;
        }
        if parameter.eq_ignore_ascii_case(b"for") {
            // Twice is said of two clients.
            if node_of.replace(value).is_some() {
                return None;
            }
        } else if parameter.eq_ignore_ascii_case(b"proto") {
            scheme = scheme_of(value);
        }
    }
    Some(Client { peer: node(node_of?)?, scheme })
}

/// Where the first pair ends: at a semicolon outside a quoted string, or at the end.
fn end_of_pair(bytes: &[u8]) -> usize {
    let mut is_quoted = false;
    let end = bytes.iter().position(|&b| {
        is_quoted ^= b == b'"';
        b == b';' && !is_quoted
    });
    end.unwrap_or(bytes.len())
}

/// A token, or what stands between quotes. No address and no scheme has anything escaped in it.
fn unquoted(value: &[u8]) -> Option<&[u8]> {
    match value {
        [b'"', inside @ .., b'"'] => (!inside.iter().any(|b| matches!(b, b'"' | b'\\'))).then_some(inside),
        token => is_token(token).then_some(token),
    }
}

// node     = nodename [ ":" node-port ]
// nodename = IPv4address / "[" IPv6address "]" / "unknown" / obfnode
fn node(bytes: &[u8]) -> Option<PeerAddr> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (address, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (IpAddr::from(address.parse::<Ipv6Addr>().ok()?), port)
        }
        None => {
            let end = text.find(':').unwrap_or(text.len());
            (IpAddr::from(text.get(..end)?.parse::<Ipv4Addr>().ok()?), text.get(end..)?)
        }
    };
    match port.strip_prefix(':') {
        None if port.is_empty() => Some(PeerAddr::new(address, None)),
        None => None,
        // A proxy may have a word of its own for the port.
        Some(port) if port.starts_with('_') => Some(PeerAddr::new(address, None)),
        Some(port) => {
            Some(PeerAddr::new(address, Some(parse_decimal(port.as_bytes()).and_then(|port| u16::try_from(port).ok())?)))
        }
    }
}

/// An address after another, each with or without a port; IPv6 mostly without its brackets. There is no standard of it.
fn by_x_forwarded_for(headers: &Headers<'_>, trusted: &TrustedProxies) -> Option<Client> {
    let members = || headers.list(name::X_FORWARDED_FOR);
    let bare =
        |member| std::str::from_utf8(member).ok()?.parse::<Ipv6Addr>().ok().map(|address| PeerAddr::new(address.into(), None));
    let peers = members().map(|member| bare(member).or_else(|| node(member)));
    let (index, client) = last_untrusted(peers.map(|peer| peer.map(|peer| Client { peer, scheme: None })), trusted)?;
    // One proxy on the way sets it, or each appends its own.
    let mut schemes = headers.list(name::X_FORWARDED_PROTO);
    let count = headers.list(name::X_FORWARDED_PROTO).count();
    let scheme = match count {
        1 => schemes.next(),
        _ if count == members().count() => schemes.nth(index),
        _ => None,
    };
    Some(Client { scheme: scheme.and_then(scheme_of), ..client })
}

fn scheme_of(name: &[u8]) -> Option<Scheme> {
    [Scheme::Http, Scheme::Https].into_iter().find(|scheme| scheme.name().as_bytes().eq_ignore_ascii_case(name))
}

impl Scheme {
    /// `http` or `https`.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

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
    use crate::http::request::{HeadLimits, RequestParser};

    fn trusted(words: &[&str]) -> TrustedProxies {
        TrustedProxies::new(words.iter().map(|word| word.parse().unwrap()).collect())
    }

    /// The client of a request from `peer` with these lines, as `scheme address`.
    fn shown(peer: PeerAddr, lines: &[&str], trusted: &TrustedProxies) -> String {
        let head = format!("GET / HTTP/1.0\r\n{}\r\n", lines.iter().map(|line| format!("{line}\r\n")).collect::<String>());
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(head.as_bytes()).unwrap();
        let Client { peer, scheme } =
            resolve_client(Client::from_peer(peer), &parser.head(head.as_bytes()).unwrap().headers, trusted);
        format!("{} {peer}", scheme.map_or("-", Scheme::name))
    }

    #[test]
    fn clients() {
        let proxies = trusted(&["10.0.0.0/8", "2001:db8::/32"]);
        let proxy = PeerAddr::new("10.0.0.1".parse().unwrap(), Some(7));
        let itself = "- 10.0.0.1:7";
        for (lines, want, why) in [
            (&[][..], "http 10.0.0.1:7", "it asks for nobody"),
            (&["Forwarded: for=192.0.2.1"], "- 192.0.2.1", "the one member"),
            (&["Forwarded: for=192.0.2.1;proto=https;by=10.0.0.1"], "https 192.0.2.1", "with its scheme"),
            (&["Forwarded: By=x; For=192.0.2.1 ; Proto=HTTP"], "http 192.0.2.1", "in any case and order, with spaces"),
            (&["Forwarded: for=\"192.0.2.1:80\""], "- 192.0.2.1:80", "with its port"),
            (&["Forwarded: for=\"192.0.2.1:_x\""], "- 192.0.2.1", "with a word for a port"),
            (&["Forwarded: for=\"192.0.2.1:65536\""], itself, "no port"),
            (&["Forwarded: for=\"[2001:DB9::1]:80\""], "- [2001:db9::1]:80", "IPv6"),
            (&["Forwarded: for=\"[::ffff:192.0.2.1]\""], "- 192.0.2.1", "IPv4 as IPv6"),
            (&["Forwarded: for=\"2001:db9::1\""], itself, "IPv6 needs its brackets"),
            (&["Forwarded: for=1.1.1.1, for=192.0.2.1"], "- 192.0.2.1", "the last is what our peer says"),
            (&["Forwarded: for=1.1.1.1", "Forwarded: for=192.0.2.1"], "- 192.0.2.1", "over two lines"),
            (&["Forwarded: for=1.1.1.1, for=192.0.2.1, for=10.9.9.9"], "- 192.0.2.1", "another proxy of ours on the way"),
            (&["Forwarded: for=10.8.8.8, for=10.9.9.9"], "- 10.8.8.8", "a client that could be a proxy"),
            (&["Forwarded: for=192.0.2.1;proto=https, for=10.9.9.9;proto=http"], "https 192.0.2.1", "its own scheme"),
            (&["Forwarded: for=1.1.1.1, for=unknown"], itself, "nobody knows, so nothing before it counts"),
            (&["Forwarded: for=1.1.1.1, for=_hidden, for=10.9.9.9"], "- 10.9.9.9", "our other proxy does not say"),
            (&["Forwarded: for=\"1.1.1.1, for=192.0.2.1"], itself, "a quote that swallows what comes after"),
            (&["Forwarded: for=1.1.1.1\", for=192.0.2.1"], itself, "or comes too late"),
            (&["Forwarded: for=1.1.1.1;for=192.0.2.1"], itself, "two clients in one member"),
            (&["Forwarded: for=192.0.2.01"], itself, "that could be octal"),
            (&["Forwarded: 192.0.2.1"], itself, "no pair"),
            (&["Forwarded: proto=https"], itself, "no address"),
            (&["Forwarded:"], itself, "nothing"),
            (&["Forwarded: for=\"192.0.2.1\\\"\""], itself, "an escape"),
            (&["X-Forwarded-For: 192.0.2.1"], "- 192.0.2.1", "the older field"),
            (&["X-Forwarded-For: 1.1.1.1, 192.0.2.1,10.1.1.1"], "- 192.0.2.1", "from its end on"),
            (&["X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 192.0.2.1"], "- 192.0.2.1", "over two lines"),
            (&["X-Forwarded-For: 2001:db9::1"], "- 2001:db9::1", "IPv6 as it is"),
            (&["X-Forwarded-For: [2001:db9::1]:80"], "- [2001:db9::1]:80", "and with a port"),
            (&["X-Forwarded-For: 192.0.2.1:80"], "- 192.0.2.1:80", "IPv4 with a port"),
            (&["X-Forwarded-For: 1.1.1.1, evil"], itself, "no address"),
            (&["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https"], "https 192.0.2.1", "one scheme for all"),
            (&["X-Forwarded-For: 1.1.1.1, 192.0.2.1", "X-Forwarded-Proto: http, https"], "https 192.0.2.1", "one each"),
            (&["X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: http, https"], "- 1.1.1.1", "it cannot be told which"),
            (&["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: gopher"], "- 192.0.2.1", "no scheme of ours"),
            (&["Forwarded: for=192.0.2.1;proto=https", "X-Forwarded-For: 192.0.2.1"], "https 192.0.2.1", "both, and the same"),
            (&["Forwarded: for=1.1.1.1", "X-Forwarded-For: 192.0.2.1"], itself, "one of them is the client's own word"),
            (&["Forwarded: for=unknown", "X-Forwarded-For: 192.0.2.1"], itself, "they do not say the same"),
        ] {
            assert_eq!(shown(proxy, lines, &proxies), want, "{lines:?}: {why}");
            let stranger = PeerAddr::new("198.51.100.1".parse().unwrap(), Some(9));
            assert_eq!(shown(stranger, lines, &proxies), "http 198.51.100.1:9", "{lines:?}: from a stranger");
        }
        let line = ["X-Forwarded-For: 192.0.2.1"];
        assert_eq!(shown(PeerAddr::unix(), &line, &proxies), "http unix:");
        assert_eq!(shown(PeerAddr::unix(), &line, &trusted(&["unix"])), "- 192.0.2.1");
        assert_eq!(shown(proxy, &line, &TrustedProxies::default()), "http 10.0.0.1:7");
    }

    #[test]
    fn networks() {
        for (network, address, holds, why) in [
            ("192.0.2.1", "192.0.2.1", true, "itself"),
            ("192.0.2.1", "192.0.2.2", false, "its neighbour"),
            ("192.0.2.0/31", "192.0.2.1", true, "the last"),
            ("192.0.2.0/31", "192.0.2.2", false, "one more"),
            ("0.0.0.0/0", "255.255.255.255", true, "everybody"),
            ("0.0.0.0/0", "::1", false, "of that family"),
            ("::/0", "ffff::1", true, "everybody of the other"),
            ("::1/128", "::1", true, "all bits"),
            ("2001:db8::/33", "2001:db8:7fff::1", true, "the last"),
            ("2001:db8::/33", "2001:db8:8000::", false, "one more"),
            ("192.0.2.1", "::ffff:192.0.2.1", true, "as a socket for both families says it"),
        ] {
            assert_eq!(
                trusted(&[network]).contains(PeerAddr::new(address.parse().unwrap(), None)),
                holds,
                "{network} {address}: {why}"
            );
        }
        for (text, why) in [
            ("", "nothing"),
            ("localhost", "a name"),
            ("192.0.2.1:80", "a port"),
            ("192.0.2.1/33", "too many bits"),
            ("::1/129", "too many bits"),
            ("192.0.2.1/", "no number"),
            ("192.0.2.0/+8", "a sign"),
            ("192.0.2.1/24", "neither an address nor a network"),
            ("2001:db8::1/64", "neither an address nor a network"),
            ("unix:", "not how it is written"),
        ] {
            assert!(text.parse::<IpNet>().is_err(), "{text}: {why}");
        }
    }

    #[test]
    fn peer_addresses_are_formatted() {
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
