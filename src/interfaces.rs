//! Under which addresses can others reach this machine?
//!
//! Linux says so in two files, which can be read without a system call that the standard library lacks. Elsewhere, and where these files
//! cannot be read, there is one way to learn at least one address: a UDP socket that is connected has chosen the address that it would send
//! from. It sends nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// All addresses of IPv4, as the kernel routes to them.
const IPV4: &str = "/proc/net/fib_trie";
/// All addresses of IPv6.
const IPV6: &str = "/proc/net/if_inet6";

/// Addresses that are nobody's (RFC 5737, RFC 3849), so that the way to them is the way to everybody.
const FAR_AWAY: [(IpAddr, IpAddr); 2] = [
    (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1))),
    (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))),
];

/// The addresses of this machine that others may know: the one by which it goes out first, then IPv4, then IPv6. Those of the machine for
/// itself are not among them, nor those that need the name of an interface.
pub fn addresses() -> Vec<IpAddr> {
    let chosen = FAR_AWAY.into_iter().filter_map(|(from, to)| source(from, to));
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let listed = ipv4(&read(IPV4)).into_iter().map(IpAddr::V4).chain(ipv6(&read(IPV6)).into_iter().map(IpAddr::V6));
    let mut all: Vec<IpAddr> = Vec::new();
    for address in chosen.chain(listed) {
        if is_known_to_others(&address) && !all.contains(&address) {
            all.push(address);
        }
    }
    all.sort_by_key(IpAddr::is_ipv6);
    all
}

/// From which address we would send.
fn source(from: IpAddr, to: IpAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind(SocketAddr::new(from, 0)).ok()?;
    // The port of the discard protocol; nothing goes there.
    socket.connect(SocketAddr::new(to, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn is_known_to_others(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_unspecified() && !address.is_link_local(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unspecified() && !address.is_unicast_link_local(),
    }
}

/// The machine's own addresses in a picture of the kernel's table: each stands on a line like `|-- 192.0.2.7`, and below it
/// `/32 host LOCAL`.
fn ipv4(table: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut last: Option<Ipv4Addr> = None;
    for line in table.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words {
            ["|--", address] => last = address.parse().ok(),
            ["/32", "host", "LOCAL"] => found.extend(last),
            _ => {}
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Of `fd000000000000000000000000000002 04 40 00 82 eth0`: the address, then the number of the interface, the length of the prefix, the
/// scope and the flags, all of them hexadecimal.
fn ipv6(table: &str) -> Vec<Ipv6Addr> {
    /// It changes every day, is on its way out, or may turn out to be somebody else's (`IFA_F_TEMPORARY`, `_DEPRECATED`, `_TENTATIVE`).
    const PASSING: u32 = 0x01 | 0x20 | 0x40;
    let address = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [address, _, _, _, flags, _] = *words else { return None };
        let flags = u32::from_str_radix(flags, 16).ok()?;
        let address = u128::from_str_radix(address, 16).ok()?;
        (flags & PASSING == 0).then(|| Ipv6Addr::from_bits(address))
    };
    table.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_the_kernel() {
        let table = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     +-- 127.0.0.0/8 2 0 2\n\
                     \x20          |-- 127.0.0.1\n              /32 host LOCAL\n        |-- 127.255.255.255\n           /32 link BROADCAST\n\
                     \x20    +-- 192.0.2.0/24 2 0 2\n           |-- 192.0.2.0\n              /24 link UNICAST\n           |-- 192.0.2.7\n\
                     \x20             /32 host LOCAL\nLocal:\n           |-- 192.0.2.7\n              /32 host LOCAL\n\
                     \x20          |-- 10.1.2.3\n              /32 host LOCAL\n              /32 link UNICAST\n";
        let want = ["10.1.2.3", "127.0.0.1", "192.0.2.7"].map(|address| address.parse::<Ipv4Addr>().unwrap());
        assert_eq!(ipv4(table), want);
        let table = "20010db8000000000000000000000005 04 40 00 80     eth0\n\
                     20010db8000000000000000000000006 04 40 00 81     eth0\n\
                     20010db8000000000000000000000007 04 40 00 a0     eth0\n\
                     20010db8000000000000000000000008 04 40 00 c0     eth0\n\
                     fe8000000000000000fc00fffe000001 04 40 20 80     eth0\n";
        let want = ["2001:db8::5", "fe80::fc:ff:fe00:1"].map(|address| address.parse::<Ipv6Addr>().unwrap());
        assert_eq!(ipv6(table), want, "a temporary, a deprecated and a tentative one are left out");
        for nonsense in ["", "x", "|-- x\n/32 host LOCAL", "/32 host LOCAL", "z 04 40 00 80 eth0", "1 2 3"] {
            assert!(ipv4(nonsense).is_empty() && ipv6(nonsense).is_empty(), "{nonsense:?}");
        }
    }

    #[test]
    fn of_this_machine() {
        let all = addresses();
        assert!(all.iter().all(is_known_to_others), "{all:?}");
        assert!(all.is_sorted_by_key(IpAddr::is_ipv6), "IPv4 first: {all:?}");
        let mut once = all.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), all.len(), "each once: {all:?}");
        for (address, want) in [
            ("127.0.0.1", false),
            ("169.254.1.1", false),
            ("192.168.1.5", true),
            ("::1", false),
            ("fe80::1", false),
            ("fd00::1", true),
        ] {
            assert_eq!(is_known_to_others(&address.parse().unwrap()), want, "{address}");
        }
    }
}
