//! Client addresses behind trusted proxies: Forwarded (RFC 7239) and X-Forwarded-For.
//!
//! Each proxy appends the address of its own client to one of these fields, but any client can send them too. Therefore only the field that
//! the proxy is known to write is read, and from its end: the last member was added by the peer, the one before it by the peer's peer. The
//! client is the last member that is not a trusted proxy.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::http::grammar::{is_token, parse_decimal, split_once, split_unquoted};
use crate::http::headers::{Headers, name};
use crate::http::target::Authority;

/// The address of a peer or of the client of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr {
    /// The host.
    pub address: PeerHost,
    /// The port, if known: proxies need not send it.
    pub port: Option<u16>,
}

/// The host of a [`PeerAddr`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerHost {
    /// An IP address.
    Ip(IpAddr),
    /// The other end of a Unix socket, which has no address.
    Unix,
}

impl PeerAddr {
    /// The peer at an IP address. An IPv4-mapped address such as `::ffff:192.0.2.1` becomes an IPv4 address.
    pub fn new(address: IpAddr, port: Option<u16>) -> PeerAddr {
        PeerAddr { address: PeerHost::Ip(address.to_canonical()), port }
    }

    /// The peer of a Unix socket.
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
    /// Writes the address, or `unix:` as nginx does.
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

/// The field in which a proxy names its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedField {
    /// Forwarded (RFC 7239 §4).
    Forwarded,
    /// X-Forwarded-For, and X-Forwarded-Proto with it.
    XForwardedFor,
}

/// A network of trusted proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedProxy {
    /// The first address of the network; `Unix` means all peers of Unix sockets.
    network: PeerHost,
    /// The length of the prefix that the addresses have in common, in bits: at most 32 for IPv4, 128 for IPv6.
    bits: u8,
    /// The field that these proxies write; `None` if the option names none and there is no default.
    field: Option<ForwardedField>,
}

impl FromStr for TrustedProxy {
    type Err = &'static str;

    /// Parses a network, and the name of the field after `=`.
    fn from_str(text: &str) -> Result<TrustedProxy, &'static str> {
        let (network, field) = text.split_once('=').map_or((text, None), |(network, field)| (network, Some(field)));
        let field = match field {
            None => None,
            Some(field) if field.eq_ignore_ascii_case(name::FORWARDED) => Some(ForwardedField::Forwarded),
            Some(field) if field.eq_ignore_ascii_case(name::X_FORWARDED_FOR) => Some(ForwardedField::XForwardedFor),
            Some(_) => return Err("unknown field; write =x-forwarded-for or =forwarded after the address"),
        };
        let (network, bits) = parse_network(network)?;
        Ok(TrustedProxy { network, bits, field })
    }
}

impl TrustedProxy {
    /// Returns these proxies, with `default` as the field of those that have none. A proxy without a field only sends PROXY headers.
    pub fn with_default(proxies: &[TrustedProxy], default: Option<ForwardedField>) -> Vec<TrustedProxy> {
        proxies.iter().map(|proxy| TrustedProxy { field: proxy.field.or(default), ..*proxy }).collect()
    }

    /// Finds the network that contains a peer; `None` if the peer is not trusted. If several contain it, the first counts.
    pub fn find(trusted: &[TrustedProxy], peer: PeerAddr) -> Option<&TrustedProxy> {
        trusted.iter().find(|proxy| proxy.is_at(peer.address))
    }

    fn is_at(&self, host: PeerHost) -> bool {
        match (self.network, host) {
            (PeerHost::Ip(network), PeerHost::Ip(address)) => {
                let different_bits = to_bits(network) ^ to_bits(address);
                network.is_ipv4() == address.is_ipv4() && different_bits.leading_zeros() >= u32::from(self.bits)
            }
            (network, host) => network == host,
        }
    }
}

/// Parses an address, `ADDRESS/BITS`, or `unix`.
fn parse_network(text: &str) -> Result<(PeerHost, u8), &'static str> {
    if text == "unix" {
        return Ok((PeerHost::Unix, 0));
    }
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().map_err(|_| "not a network; write an address, ADDRESS/BITS, or unix")?;
    let bits_max = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(u64::from(bits_max)), |bits| parse_decimal(bits.as_bytes()));
    let bits = bits.and_then(|bits| u8::try_from(bits).ok()).filter(|bits| *bits <= bits_max);
    let bits = bits.ok_or("invalid prefix length; write 0 to 32 for IPv4, 0 to 128 for IPv6")?;
    // An IPv4-mapped IPv6 network is converted to IPv4, as the addresses of peers are.
    let (address, bits) = match (address.to_canonical(), bits.checked_sub(96)) {
        (mapped @ IpAddr::V4(_), Some(bits)) if address.is_ipv6() => (mapped, bits),
        _ => (address, bits),
    };
    // 10.1.2.3/8 may mean 10.0.0.0/8 or 10.1.2.3, which is too ambiguous for a setting of trust.
    if to_bits(address).trailing_zeros() + u32::from(bits) < u128::BITS {
        return Err("address has bits after its prefix; set them to zero, or omit /BITS");
    }
    Ok((PeerHost::Ip(address), bits))
}

/// Returns the bits of an address; those of an IPv4 address are followed by zeros.
fn to_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The protocol between the client and the first trusted proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP without TLS.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// Returns `http` or `https`.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    fn parse(name: &[u8]) -> Option<Scheme> {
        [Scheme::Http, Scheme::Https].into_iter().find(|scheme| scheme.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// The client on whose behalf a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The address of the client.
    pub peer: PeerAddr,
    /// The protocol that the client used; `None` if no trusted proxy reports it.
    pub scheme: Option<Scheme>,
}

impl Client {
    /// A peer that is the client unknown. Its protocol is HTTP, since this server does not support TLS.
    pub fn from_peer(peer: PeerAddr) -> Client {
        Client { peer, scheme: Some(Scheme::Http) }
    }
}

/// Returns the client of a request: `own`, which is the peer or what its PROXY header says, unless that is trusted and its field names
/// another. The other field is ignored: a proxy that writes one of them forwards the other as its client sent it.
pub fn resolve_client(own: Client, headers: &Headers<'_>, trusted: &[TrustedProxy]) -> Client {
    let resolved = match TrustedProxy::find(trusted, own.peer).and_then(|proxy| proxy.field) {
        Some(ForwardedField::Forwarded) if headers.get(name::FORWARDED).is_some() => {
            let members = headers.list(name::FORWARDED).map(parse_forwarded_element);
            last_untrusted(members, trusted, ForwardedField::Forwarded).map(|(_, client)| client)
        }
        Some(ForwardedField::XForwardedFor) if headers.get(name::X_FORWARDED_FOR).is_some() => {
            from_x_forwarded_for(headers, trusted)
        }
        _ => return own,
    };
    resolved.unwrap_or(Client { scheme: None, ..own })
}

/// Returns the last member that is no trusted proxy, else the first member, and its index. Only a proxy that writes this field has named the
/// member before its own. A member without an address (`unknown`, an obfuscated name, or a malformed member) hides the members before it; the
/// client is then the proxy that wrote it.
fn last_untrusted(
    members: impl Iterator<Item = Option<Client>>,
    trusted: &[TrustedProxy],
    field: ForwardedField,
) -> Option<(usize, Client)> {
    members.enumerate().fold(None, |client, (index, member)| {
        let member = (index, member?);
        let is_trusted = TrustedProxy::find(trusted, member.1.peer).is_some_and(|proxy| proxy.field == Some(field));
        if is_trusted { client.or(Some(member)) } else { Some(member) }
    })
}

// Forwarded = 1#forwarded-element
// forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] )
// forwarded-pair    = token "=" value
// value             = token / quoted-string
fn parse_forwarded_element(element: &[u8]) -> Option<Client> {
    let (mut address, mut scheme) = (None, None);
    for pair in split_unquoted(element, b';').filter(|pair| !pair.is_empty()) {
        let (parameter, value) = split_once(pair, b"=")?;
        let value = unquote(value)?;
        if !is_token(parameter) {
            return None;
        }
        if parameter.eq_ignore_ascii_case(b"for") {
            // A second address would make the member ambiguous.
            if address.replace(value).is_some() {
                return None;
            }
        } else if parameter.eq_ignore_ascii_case(b"proto") {
            scheme = Scheme::parse(value);
        }
    }
    Some(Client { peer: parse_node(address?)?, scheme })
}

/// Returns a token, or the text of a quoted string. Escapes are rejected: no address and no scheme needs one.
fn unquote(value: &[u8]) -> Option<&[u8]> {
    match value {
        [b'"', text @ .., b'"'] => (!text.iter().any(|b| matches!(b, b'"' | b'\\'))).then_some(text),
        token => is_token(token).then_some(token),
    }
}

// node     = nodename [ ":" node-port ]
// nodename = IPv4address / "[" IPv6address "]" / "unknown" / obfnode
fn parse_node(bytes: &[u8]) -> Option<PeerAddr> {
    let text = std::str::from_utf8(bytes).ok()?;
    // A proxy may obfuscate the port (RFC 7239 §6.3).
    let (node, is_obfuscated) = text.split_once(":_").map_or((text, false), |(node, _)| (node, true));
    let Authority { host, port } = Authority::parse(node.as_bytes())?;
    if node.ends_with(':') || is_obfuscated && port.is_some() {
        return None;
    }
    let address: IpAddr = std::str::from_utf8(host).ok()?.parse().ok()?;
    Some(PeerAddr::new(address, port))
}

/// Evaluates X-Forwarded-For, which has no standard: addresses with or without a port, and IPv6 addresses mostly without brackets.
fn from_x_forwarded_for(headers: &Headers<'_>, trusted: &[TrustedProxy]) -> Option<Client> {
    let members = || headers.list(name::X_FORWARDED_FOR);
    let bare_ipv6 = |member| std::str::from_utf8(member).ok()?.parse::<Ipv6Addr>().ok();
    let peers = members().map(|member| bare_ipv6(member).map(|ip| PeerAddr::new(ip.into(), None)).or_else(|| parse_node(member)));
    let clients = peers.map(|peer| peer.map(|peer| Client { peer, scheme: None }));
    let (index, client) = last_untrusted(clients, trusted, ForwardedField::XForwardedFor)?;
    // Either one proxy sets the scheme, or each appends its own.
    let mut schemes = headers.list(name::X_FORWARDED_PROTO);
    let scheme = match headers.list(name::X_FORWARDED_PROTO).count() {
        1 => schemes.next(),
        count if count == members().count() => schemes.nth(index),
        _ => None,
    };
    Some(Client { scheme: scheme.and_then(Scheme::parse), ..client })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::{HeadLimits, RequestParser};

    fn trusted(words: &[&str]) -> Vec<TrustedProxy> {
        let proxies: Vec<TrustedProxy> = words.iter().map(|word| word.parse().unwrap()).collect();
        TrustedProxy::with_default(&proxies, Some(ForwardedField::XForwardedFor))
    }

    /// Formats the client of a request from `peer` with these field lines as `scheme address`.
    fn resolve(peer: PeerAddr, lines: &[&str], trusted: &[TrustedProxy]) -> String {
        let head = format!("GET / HTTP/1.0\r\n{}\r\n", lines.iter().map(|line| format!("{line}\r\n")).collect::<String>());
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(head.as_bytes()).unwrap();
        let Client { peer, scheme } =
            resolve_client(Client::from_peer(peer), &parser.head(head.as_bytes()).unwrap().headers, trusted);
        format!("{} {peer}", scheme.map_or("-", Scheme::name))
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn client_is_the_last_untrusted_member() {
        let x_forwarded_for = trusted(&["10.0.0.0/8", "2001:db8::/32"]);
        let forwarded = trusted(&["10.0.0.0/8=forwarded", "2001:db8::/32=Forwarded"]);
        let proxy = PeerAddr::new("10.0.0.1".parse().unwrap(), Some(7));
        let unknown = "- 10.0.0.1:7";
        for (lines, want, why) in [
            (&[][..], "http 10.0.0.1:7", "no field"),
            (&["Forwarded: for=192.0.2.1"], "- 192.0.2.1", "one member"),
            (&["Forwarded: for=192.0.2.1;proto=https;by=10.0.0.1"], "https 192.0.2.1", "with its scheme"),
            (&["Forwarded: By=x; For=192.0.2.1 ; Proto=HTTP"], "http 192.0.2.1", "any case and order, with whitespace"),
            (&["Forwarded: for=\"192.0.2.1:80\""], "- 192.0.2.1:80", "with its port"),
            (&["Forwarded: for=\"192.0.2.1:_x\""], "- 192.0.2.1", "with an obfuscated port"),
            (&["Forwarded: for=\"192.0.2.1:65536\""], unknown, "an invalid port"),
            (&["Forwarded: for=\"[2001:DB9::1]:80\""], "- [2001:db9::1]:80", "IPv6"),
            (&["Forwarded: for=\"[::ffff:192.0.2.1]\""], "- 192.0.2.1", "an IPv4-mapped address"),
            (&["Forwarded: for=\"2001:db9::1\""], unknown, "IPv6 without brackets"),
            (&["Forwarded: for=1.1.1.1, for=192.0.2.1"], "- 192.0.2.1", "the last member is from the peer"),
            (&["Forwarded: for=1.1.1.1", "Forwarded: for=192.0.2.1"], "- 192.0.2.1", "two field lines"),
            (&["Forwarded: for=1.1.1.1, for=192.0.2.1, for=10.9.9.9"], "- 192.0.2.1", "another trusted proxy in between"),
            (&["Forwarded: for=10.8.8.8, for=10.9.9.9"], "- 10.8.8.8", "all members are trusted: the first"),
            (
                &["Forwarded: for=192.0.2.1;proto=https, for=10.9.9.9;proto=http"],
                "https 192.0.2.1",
                "the scheme of the same member",
            ),
            (&["Forwarded: for=1.1.1.1, for=unknown"], unknown, "unknown hides the members before it"),
            (
                &["Forwarded: for=1.1.1.1, for=_hidden, for=10.9.9.9"],
                "- 10.9.9.9",
                "an obfuscated name hides the members before it",
            ),
            (&["Forwarded: for=\"1.1.1.1, for=192.0.2.1"], unknown, "an unterminated quoted string"),
            (&["Forwarded: for=1.1.1.1\", for=192.0.2.1"], unknown, "a quote inside a token"),
            (&["Forwarded: for=1.1.1.1;for=192.0.2.1"], unknown, "two addresses in one member"),
            (&["Forwarded: for=192.0.2.01"], unknown, "a leading zero, which may be octal"),
            (&["Forwarded: 192.0.2.1"], unknown, "no parameter name"),
            (&["Forwarded: proto=https"], unknown, "no address"),
            (&["Forwarded:"], unknown, "an empty field"),
            (&["Forwarded: for=\"192.0.2.1\\\"\""], unknown, "an escaped quote"),
            (&["X-Forwarded-For: 192.0.2.1"], "- 192.0.2.1", "one address"),
            (&["X-Forwarded-For: 1.1.1.1, 192.0.2.1,10.1.1.1"], "- 192.0.2.1", "read from the end"),
            (&["X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 192.0.2.1"], "- 192.0.2.1", "two field lines"),
            (&["X-Forwarded-For: 2001:db9::1"], "- 2001:db9::1", "IPv6 without brackets"),
            (&["X-Forwarded-For: [2001:db9::1]:80"], "- [2001:db9::1]:80", "IPv6 with a port"),
            (&["X-Forwarded-For: 192.0.2.1:80"], "- 192.0.2.1:80", "IPv4 with a port"),
            (&["X-Forwarded-For: 1.1.1.1, evil"], unknown, "no address"),
            (&["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https"], "https 192.0.2.1", "one scheme"),
            (
                &["X-Forwarded-For: 1.1.1.1, 192.0.2.1", "X-Forwarded-Proto: http, https"],
                "https 192.0.2.1",
                "one scheme per member",
            ),
            (
                &["X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: http, https"],
                "- 1.1.1.1",
                "the number of schemes does not match",
            ),
            (&["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: gopher"], "- 192.0.2.1", "an unknown scheme"),
        ] {
            let is_forwarded = lines.iter().any(|line| line.starts_with("Forwarded"));
            let (proxies, other) = if is_forwarded { (&forwarded, &x_forwarded_for) } else { (&x_forwarded_for, &forwarded) };
            assert_eq!(resolve(proxy, lines, proxies), want, "{lines:?}: {why}");
            assert_eq!(resolve(proxy, lines, other), "http 10.0.0.1:7", "{lines:?}: the field of the other option");
            let untrusted = PeerAddr::new("198.51.100.1".parse().unwrap(), Some(9));
            assert_eq!(resolve(untrusted, lines, proxies), "http 198.51.100.1:9", "{lines:?}: from an untrusted peer");
            let other_field =
                ["Forwarded: x", "X-Forwarded-For: x", "X-Forwarded-For: 198.51.100.7", "Forwarded: for=198.51.100.7"];
            for line in other_field.into_iter().filter(|line| line.starts_with("Forwarded") != is_forwarded && !lines.is_empty())
            {
                assert_eq!(resolve(proxy, &[lines, &[line]].concat(), proxies), want, "{lines:?}: {line} is ignored");
            }
        }
        let line = ["X-Forwarded-For: 192.0.2.1"];
        assert_eq!(resolve(PeerAddr::unix(), &line, &x_forwarded_for), "http unix:");
        assert_eq!(resolve(PeerAddr::unix(), &line, &trusted(&["unix"])), "- 192.0.2.1");
        assert_eq!(resolve(proxy, &line, &[]), "http 10.0.0.1:7");
    }

    #[test]
    fn proxies_with_different_fields_do_not_vouch_for_each_other() {
        let proxy = PeerAddr::new("10.0.0.1".parse().unwrap(), None);
        let lines = ["X-Forwarded-For: 1.1.1.1, 10.9.9.9", "Forwarded: for=1.1.1.2"];
        for (words, want, why) in [
            (&["10.0.0.1", "10.9.9.9"][..], "- 1.1.1.1", "both write X-Forwarded-For"),
            (&["10.0.0.1", "10.9.9.9=forwarded"], "- 10.9.9.9", "its client wrote the member before it"),
            (&["10.0.0.1=forwarded", "10.9.9.9"], "- 1.1.1.2", "the peer writes Forwarded"),
            (&["10.0.0.1=forwarded", "10.0.0.0/8"], "- 1.1.1.2", "the first network counts"),
            (&["10.0.0.0/8", "10.0.0.1=forwarded"], "- 1.1.1.1", "the first network counts"),
        ] {
            assert_eq!(resolve(proxy, &lines, &trusted(words)), want, "{words:?}: {why}");
        }
        let balancers: [TrustedProxy; 2] = ["10.0.0.1", "10.0.0.2=x-forwarded-for"].map(|word| word.parse().unwrap());
        let balancers = TrustedProxy::with_default(&balancers, None);
        assert_eq!(resolve(proxy, &lines, &balancers), "http 10.0.0.1", "no field without one by default");
        let other = PeerAddr::new("10.0.0.2".parse().unwrap(), None);
        assert_eq!(resolve(other, &lines, &balancers), "- 10.9.9.9", "a field that was named");
    }

    #[test]
    fn networks_contain_the_addresses_with_their_prefix() {
        for (network, address, is_contained, why) in [
            ("192.0.2.1", "192.0.2.1", true, "the same address"),
            ("192.0.2.1", "192.0.2.2", false, "the next address"),
            ("192.0.2.0/31", "192.0.2.1", true, "the last address"),
            ("192.0.2.0/31", "192.0.2.2", false, "an address after the end"),
            ("0.0.0.0/0", "255.255.255.255", true, "all IPv4 addresses"),
            ("0.0.0.0/0", "::1", false, "another address family"),
            ("::/0", "ffff::1", true, "all IPv6 addresses"),
            ("::1/128", "::1", true, "all bits"),
            ("2001:db8::/33", "2001:db8:7fff::1", true, "an address at the end"),
            ("2001:db8::/33", "2001:db8:8000::", false, "an address after the end"),
            ("192.0.2.1", "::ffff:192.0.2.1", true, "an IPv4-mapped address"),
            ("::ffff:192.0.2.1", "192.0.2.1", true, "the option is IPv4-mapped"),
            ("::ffff:192.0.2.1", "192.0.2.2", false, "the next address"),
            ("::ffff:192.0.0.0/112", "192.0.2.1", true, "an IPv4-mapped network"),
            ("::ffff:192.0.0.0/112", "192.1.2.1", false, "an address after its end"),
            ("::ffff:0:0/96", "203.0.113.7", true, "all IPv4 addresses"),
            ("::/0", "192.0.2.1", false, "IPv6 addresses only"),
        ] {
            assert_eq!(
                TrustedProxy::find(&trusted(&[network]), PeerAddr::new(address.parse().unwrap(), None)).is_some(),
                is_contained,
                "{network} {address}: {why}"
            );
        }
        for (text, why) in [
            ("", "empty"),
            ("localhost", "a name"),
            ("192.0.2.1:80", "a port"),
            ("192.0.2.1/33", "too many bits"),
            ("::1/129", "too many bits"),
            ("192.0.2.1/", "no prefix length"),
            ("192.0.2.0/+8", "a sign"),
            ("192.0.2.1/24", "bits after the prefix"),
            ("2001:db8::1/64", "bits after the prefix"),
            ("unix:", "with a colon"),
            ("::ffff:192.0.2.1/112", "bits after the prefix"),
            ("192.0.2.1=", "no field"),
            ("192.0.2.1=x-real-ip", "another field"),
            ("=forwarded", "no network"),
        ] {
            assert!(text.parse::<TrustedProxy>().is_err(), "{text}: {why}");
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
