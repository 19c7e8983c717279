//! Is the name by which we are asked one of ours? (RFC 9110 §7.4, §15.5.20)
//!
//! A page of `evil.example` may make its own name point at 127.0.0.1 once it is loaded (DNS rebinding). Its scripts may then read what
//! a server there answers, for to the browser it is one and the same site; but the browser still says whom it believes to be asking:
//! `Host: evil.example`. A server that only this machine can reach has no business with such a name.

use std::net::Ipv4Addr;

/// Whether a host is always this machine's own: `localhost`, a name that ends in `.localhost` (RFC 6761 §6.3), or an address, for no
/// name was resolved then. IPv6 addresses come without brackets, as [`Authority`](crate::http::target::Authority) has them.
pub fn is_local_host(host: &[u8]) -> bool {
    let name = without_dot(host);
    let is_localhost = name.eq_ignore_ascii_case(b"localhost") || ends_with(name, b".localhost");
    is_localhost || host.contains(&b':') || is_ipv4(name)
}

/// Whether a host is that name, case and a dot at the end aside.
pub fn host_matches(host: &[u8], name: &str) -> bool {
    without_dot(host).eq_ignore_ascii_case(without_dot(name.as_bytes()))
}

/// `localhost.` is `localhost` to every resolver.
fn without_dot(name: &[u8]) -> &[u8] {
    name.strip_suffix(b".").unwrap_or(name)
}

fn ends_with(name: &[u8], end: &[u8]) -> bool {
    let Some((before, last)) = name.len().checked_sub(end.len()).and_then(|at| name.split_at_checked(at)) else { return false };
    !before.is_empty() && last.eq_ignore_ascii_case(end)
}

fn is_ipv4(host: &[u8]) -> bool {
    std::str::from_utf8(host).is_ok_and(|host| host.parse::<Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (host, own, why) in [
            ("localhost", true, "itself"),
            ("LocalHost", true, "in any case"),
            ("localhost.", true, "from the root of all names"),
            ("localhost..", false, "no name"),
            ("app.localhost", true, "every name beneath it"),
            ("a.b.LOCALHOST.", true, "however deep"),
            (".localhost", false, "nothing beneath it"),
            ("xlocalhost", false, "not beneath it"),
            ("localhost.evil.example", false, "somebody else's"),
            ("localhost.localdomain", false, "a name that could be resolved"),
            ("127.0.0.1", true, "an address"),
            ("127.0.0.1.", true, "browsers take the dot away"),
            ("192.168.1.7", true, "another address: nothing was resolved"),
            ("0.0.0.0", true, "an address too"),
            ("::1", true, "an address in brackets"),
            ("fe80::1", true, "any address"),
            ("127.0.0.1.evil.example", false, "a name that begins like an address"),
            ("127.0.0.1.nip.io", false, "a public name for this machine"),
            ("127.1", false, "not how an address is spelled"),
            ("2130706433", false, "nor this"),
            ("0x7f.1", false, "nor this"),
            ("0177.0.0.1", false, "nor this"),
            ("1.2.3.4.5", false, "one too many"),
            ("evil.example", false, "a name"),
            ("localhost.evil", false, "a prefix is not enough"),
            ("localhost-evil.example", false, "nor with another byte"),
            ("", false, "nothing"),
            (".", false, "the root of all names"),
            ("local", false, "a part"),
        ] {
            assert_eq!(is_local_host(host.as_bytes()), own, "{host:?}: {why}");
        }
    }

    #[test]
    fn names() {
        for (host, name, same, why) in [
            ("dev.test", "dev.test", true, "the same"),
            ("DEV.test.", "dev.TEST", true, "case and dot"),
            ("dev.test", "dev.test.", true, "the dot on the other side"),
            ("dev.test.evil.example", "dev.test", false, "a prefix"),
            ("xdev.test", "dev.test", false, "a suffix"),
            ("dev", "dev.test", false, "a part"),
        ] {
            assert_eq!(host_matches(host.as_bytes(), name), same, "{host:?}: {why}");
        }
    }
}
