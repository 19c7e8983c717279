//! Under which addresses can others reach this machine?
//!
//! A UDP socket that is connected has chosen the address that it would send from; connecting it sends nothing. So one address for IPv4 and
//! one for IPv6 are known, on every system.

use std::net::{IpAddr, UdpSocket};

/// An unspecified address to send from, and a documentation address (RFC 5737, RFC 3849) to send to, which is routed as all others are.
const ROUTES: [(&str, &str); 2] = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];

/// Returns the addresses of this machine that others may know: for IPv4 and IPv6 the one by which it reaches other networks, if any.
pub fn local_addresses() -> Vec<IpAddr> {
    let source = |(from, to): (&str, &str)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    };
    // A link-local address of IPv6 needs the name of an interface.
    let is_link_local = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    ROUTES.into_iter().filter_map(source).filter(|ip| !ip.is_loopback() && !ip.is_unspecified() && !is_link_local(ip)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_are_bindable_and_ipv4_comes_first() {
        let all = local_addresses();
        assert!(all.iter().all(|ip| !ip.is_loopback() && UdpSocket::bind((*ip, 0)).is_ok()), "{all:?}");
        assert!(all.is_sorted_by_key(IpAddr::is_ipv6) && all.len() <= 2, "{all:?}");
    }
}
