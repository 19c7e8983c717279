//! Origins and hosts: CORS (Fetch §3.3), same-origin checks (Fetch Metadata §2.3, RFC 6454 §7), local names (RFC 9110 §7.4, §15.5.20).

use std::net::IpAddr;

use crate::http::grammar::is_token;
use crate::http::headers::{Headers, name};
use crate::http::method::Method;
use crate::http::target::Authority;

/// The origins whose pages may read responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// All origins.
    Any,
    /// These origins, in the form that [`parse_origin`] returns.
    Named(Vec<String>),
}

/// Response fields that scripts may read in addition to those that Fetch §3.3.4 always permits; media players need them for ranges.
pub const EXPOSED: &str = "Accept-Ranges, Content-Encoding, Content-Range, ETag";

/// How long a browser may cache the result of a preflight, in seconds. Two hours: Chromium caches no longer.
pub const PREFLIGHT_AGE_SECS: &str = "7200";

/// Domains that exist in local networks only.
const LAN_DOMAINS: [&str; 4] = [".local", ".lan", ".home.arpa", ".internal"];

impl AllowedOrigins {
    /// Returns the value of Access-Control-Allow-Origin in the response to a request with these fields: `*`, for pages of any origin, without
    /// credentials; or the origin whose pages may read the response, with credentials. `None` if the field is not sent.
    pub fn permission(&self, headers: &Headers<'_>) -> Option<&str> {
        match self {
            AllowedOrigins::Any => Some("*"),
            AllowedOrigins::Named(origins) => {
                let requesting = headers.get_unique(name::ORIGIN);
                origins.iter().map(String::as_str).find(|origin| Some(origin.as_bytes()) == requesting)
            }
        }
    }
}

/// Whether a request is a CORS preflight, by which a browser asks whether a page may send another request.
pub fn is_preflight(method: Method, headers: &Headers<'_>) -> bool {
    method == Method::Options
        && headers.get_unique(name::ORIGIN).is_some()
        && headers.get_unique(name::ACCESS_CONTROL_REQUEST_METHOD).is_some_and(is_token)
}

/// Returns the header names that a preflight asks for, as a list for Access-Control-Allow-Headers; `None` if there are none or one is
/// invalid. They are listed because the wildcard does not include Authorization.
pub fn requested_headers(headers: &Headers<'_>) -> Option<String> {
    let fields = headers.list(name::ACCESS_CONTROL_REQUEST_HEADERS);
    let fields: Option<Vec<&str>> = fields.map(|field| std::str::from_utf8(field).ok().filter(|_| is_token(field))).collect();
    fields.filter(|fields| !fields.is_empty()).map(|fields| fields.join(", "))
}

/// Parses an origin from the configuration and returns it as browsers send it: in lower case, without the default port of its scheme.
///
/// # Errors
/// What is wrong and how to correct it.
// serialized-origin = scheme "://" host [ ":" port ] (RFC 6454 §6.1)
pub fn parse_origin(text: &str) -> Result<String, &'static str> {
    const FORM: &str = "not an origin; write scheme://host or scheme://host:port, or * for all origins";
    if text.eq_ignore_ascii_case("null") {
        return Err("null is the origin of all sandboxed frames and local files; write * to allow all origins");
    }
    let (scheme, rest) = text.split_once("://").ok_or(FORM)?;
    let is_scheme_byte = |b: &u8| b.is_ascii_alphanumeric() || b"+-.".contains(b);
    if scheme.is_empty() || !scheme.as_bytes().iter().all(is_scheme_byte) {
        return Err(FORM);
    }
    if rest.contains(['/', '?', '#']) {
        return Err("an origin has no slash or path after the host; remove it");
    }
    if rest.contains('*') {
        return Err("wildcards in host names are not supported; list each origin, or write * for all origins");
    }
    let authority = Authority::parse(rest.as_bytes()).ok_or("invalid host; write a name beyond ASCII in its xn-- form")?;
    let origin = format!("{scheme}://{rest}").to_ascii_lowercase();
    let default_port = match (scheme.to_ascii_lowercase().as_str(), authority.port) {
        ("http", Some(80)) => ":80",
        ("https", Some(443)) => ":443",
        _ => "",
    };
    Ok(origin.strip_suffix(default_port).unwrap_or(&origin).trim_end_matches(':').to_owned())
}

/// Whether a request comes from a page of this server, from the user, or from a client that is no browser. `authority` is that of the request.
///
/// Browsers send Sec-Fetch-Site, and Origin for requests across sites and with a body; pages cannot change either. Clients that send neither
/// are no browsers.
pub fn is_same_origin(headers: &Headers<'_>, authority: Option<Authority<'_>>) -> bool {
    if headers.get(name::SEC_FETCH_SITE).is_some() {
        // `same-site` is another port or subdomain, which may be controlled by someone else.
        return matches!(headers.get_unique(name::SEC_FETCH_SITE), Some(b"same-origin" | b"none"));
    }
    headers.get(name::ORIGIN).is_none() || headers.get_unique(name::ORIGIN).is_some_and(|origin| is_origin_of(origin, authority))
}

/// Whether an origin is that of the authority. The scheme is ignored, since a proxy may terminate TLS.
fn is_origin_of(origin: &[u8], authority: Option<Authority<'_>>) -> bool {
    let rest = [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| origin.strip_prefix(scheme));
    let (Some(origin), Some(authority)) = (rest.and_then(Authority::parse), authority) else { return false };
    origin.port == authority.port && origin.host.eq_ignore_ascii_case(authority.host)
}

/// The name of this machine, and those by which containers of Docker and Podman reach it. No public name ends in `.internal`.
const LOCAL_HOSTS: [&str; 3] = ["localhost", "host.docker.internal", "host.containers.internal"];

/// Whether a host is `localhost`, a name below it (RFC 6761 §6.3), the name of this machine in its containers, or an IP address. IPv6
/// addresses have no brackets, as in [`Authority`].
///
/// This is the defence of a server on the loopback interface against DNS rebinding: a page of `evil.example` makes its name resolve to
/// 127.0.0.1 after it was loaded, but the browser still sends `Host: evil.example`. An IP address needs no name resolution.
pub fn is_local_host(host: &[u8]) -> bool {
    let name = without_dot(host);
    LOCAL_HOSTS.iter().any(|known| host_matches(host, known))
        || is_beneath(name, ".localhost")
        || std::str::from_utf8(name).is_ok_and(|name| name.parse::<IpAddr>().is_ok())
}

/// Whether a host is a name that no public name server resolves: a single label, or a name in a domain for local networks.
///
/// This is the defence of a server in a local network against DNS rebinding: an attacker cannot make such a name resolve to another machine.
// RFC 6762 §3, RFC 8375 §4; `internal` is reserved by ICANN, and `lan` is in no public zone
pub fn is_lan_host(host: &[u8]) -> bool {
    let name = without_dot(host);
    let is_label = !name.is_empty() && !name.contains(&b'.');
    is_label || LAN_DOMAINS.iter().any(|domain| is_beneath(name, domain))
}

/// Whether a name ends in a domain, which begins with a dot, and has more before it.
fn is_beneath(name: &[u8], domain: &str) -> bool {
    let parent = name.len().checked_sub(domain.len()).and_then(|length| name.split_at_checked(length));
    parent.is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(domain.as_bytes()))
}

/// Whether a host has this name, ignoring case and a trailing dot.
pub fn host_matches(host: &[u8], name: &str) -> bool {
    without_dot(host).eq_ignore_ascii_case(without_dot(name.as_bytes()))
}

/// Removes the trailing dot of a fully qualified name.
fn without_dot(name: &[u8]) -> &[u8] {
    name.strip_suffix(b".").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::{HeadLimits, RequestParser};

    fn with_headers<T>(lines: &[&str], evaluate: impl FnOnce(&Headers<'_>) -> T) -> T {
        let head = format!("OPTIONS / HTTP/1.0\r\n{}\r\n", lines.iter().map(|line| format!("{line}\r\n")).collect::<String>());
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(head.as_bytes()).unwrap();
        evaluate(&parser.head(head.as_bytes()).unwrap().headers)
    }

    #[test]
    fn only_allowed_origins_are_permitted() {
        let named = AllowedOrigins::Named(vec!["https://app.example".to_owned(), "http://localhost:3000".to_owned()]);
        for (lines, want, why) in [
            (&["Origin: https://app.example"][..], Some("https://app.example"), "the first origin"),
            (&["Origin: http://localhost:3000"], Some("http://localhost:3000"), "the second origin"),
            (&["Origin: https://app.example:443"], None, "browsers omit the default port"),
            (&["Origin: HTTPS://APP.EXAMPLE"], None, "browsers send lower case"),
            (&["Origin: http://app.example"], None, "another scheme"),
            (&["Origin: http://localhost:3001"], None, "another port"),
            (&["Origin: http://localhost"], None, "no port"),
            (&["Origin: https://app.example.evil.example"], None, "an allowed origin as a prefix"),
            (&["Origin: https://evil-app.example"], None, "an allowed origin as a suffix"),
            (&["Origin: null"], None, "a sandboxed frame"),
            (&["Origin:"], None, "an empty field"),
            (&[], None, "no field"),
            (&["Origin: https://app.example", "Origin: https://app.example"], None, "two field lines"),
            (&["Origin: https://app.example, https://evil.example"], None, "a list"),
        ] {
            with_headers(lines, |headers| assert_eq!(named.permission(headers), want, "{lines:?}: {why}"));
            with_headers(lines, |headers| assert_eq!(AllowedOrigins::Any.permission(headers), Some("*"), "{lines:?}"));
        }
    }

    #[test]
    fn preflight_needs_options_origin_and_method() {
        let (origin, method) = ("Origin: https://a.test", "Access-Control-Request-Method: PUT");
        for (asked, lines, want, why) in [
            (Method::Options, &[origin, method][..], true, "all of them"),
            (Method::Get, &[origin, method], false, "another method"),
            (Method::Options, &[origin], false, "OPTIONS without a requested method"),
            (Method::Options, &[method], false, "no origin"),
            (Method::Options, &[origin, method, method], false, "two methods"),
            (Method::Options, &[origin, origin, method], false, "two origins"),
            (Method::Options, &[origin, "Access-Control-Request-Method: A B"], false, "a method with a space"),
            (Method::Options, &[origin, "Access-Control-Request-Method:"], false, "an empty method"),
        ] {
            with_headers(lines, |headers| assert_eq!(is_preflight(asked, headers), want, "{why}"));
        }
    }

    #[test]
    fn requested_headers_are_listed_if_all_are_tokens() {
        for (lines, want, why) in [
            (&["Access-Control-Request-Headers: x-a"][..], Some("x-a"), "one name"),
            (&["Access-Control-Request-Headers: authorization,range"], Some("authorization, range"), "two names"),
            (&["Access-Control-Request-Headers: a", "Access-Control-Request-Headers: b"], Some("a, b"), "two field lines"),
            (&["Access-Control-Request-Headers: a b"], None, "a name with a space"),
            (&["Access-Control-Request-Headers: a, b:c"], None, "a name with a colon"),
            (&["Access-Control-Request-Headers:"], None, "an empty field"),
            (&[], None, "no field"),
        ] {
            with_headers(lines, |headers| assert_eq!(requested_headers(headers).as_deref(), want, "{why}"));
        }
    }

    #[test]
    fn configured_origins_are_normalized() {
        for (text, want, why) in [
            ("https://app.example", Ok("https://app.example"), "already normalized"),
            ("HTTPS://App.Example:443", Ok("https://app.example"), "upper case and the default port"),
            ("http://localhost:80", Ok("http://localhost"), "the default port of the scheme"),
            ("http://localhost:443", Ok("http://localhost:443"), "the default port of another scheme"),
            ("http://localhost:3000", Ok("http://localhost:3000"), "another port"),
            ("http://[::1]:3000", Ok("http://[::1]:3000"), "an IPv6 address"),
            ("http://127.0.0.1:", Ok("http://127.0.0.1"), "a colon without a port"),
            ("capacitor://localhost", Ok("capacitor://localhost"), "an app"),
            ("chrome-extension://abcdef", Ok("chrome-extension://abcdef"), "an extension"),
            ("app.example", Err("scheme://host"), "no scheme"),
            ("://app.example", Err("scheme://host"), "an empty scheme"),
            ("ht tp://app.example", Err("scheme://host"), "a scheme with a space"),
            ("https://app.example/", Err("no slash"), "a slash at the end"),
            ("https://app.example/path", Err("no slash"), "a path"),
            ("https://*.app.example", Err("wildcards"), "a wildcard in the host"),
            ("https://me@app.example", Err("invalid host"), "user information"),
            ("https://", Err("invalid host"), "no host"),
            ("https://b\u{fc}cher.example", Err("xn--"), "not ASCII"),
            ("https://a.example,https://b.example", Err("no slash"), "two names"),
            ("null", Err("sandboxed"), "the opaque origin"),
            ("", Err("scheme://host"), "an empty text"),
        ] {
            match (parse_origin(text), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{text:?}: {why}"),
                (Err(got), Err(want)) => assert!(got.contains(want), "{text:?}: {why}: {got}"),
                (got, want) => panic!("{text:?}: {why}: {got:?} instead of {want:?}"),
            }
        }
    }

    #[test]
    fn browsers_report_requests_of_other_origins() {
        let table = [
            ("", true, "no field: not a browser"),
            ("Sec-Fetch-Site: none", true, "a request of the user"),
            ("Sec-Fetch-Site: same-origin", true, "a page of this server"),
            ("Sec-Fetch-Site: same-site", false, "another port of the same host"),
            ("Sec-Fetch-Site: cross-site", false, "a page of another site"),
            ("Sec-Fetch-Site: Same-Origin", false, "browsers send lower case"),
            ("Sec-Fetch-Site:", false, "an empty field"),
            ("Sec-Fetch-Site: same-origin, none", false, "a list"),
            ("Sec-Fetch-Site: none\r\nSec-Fetch-Site: none", false, "two field lines"),
            ("Sec-Fetch-Site: none\r\nOrigin: http://evil.example", true, "Sec-Fetch-Site takes precedence over Origin"),
            ("Sec-Fetch-Site: cross-site\r\nOrigin: http://host.test:8000", false, "Sec-Fetch-Site takes precedence over Origin"),
            ("Origin: http://host.test:8000", true, "the origin of this server"),
            ("Origin: https://HOST.test:8000", true, "behind a proxy that terminates TLS"),
            ("Origin: http://host.test", false, "another port"),
            ("Origin: http://host.test:80000", false, "an invalid port"),
            ("Origin: http://host.test:8001", false, "another port"),
            ("Origin: http://evil.example:8000", false, "another name"),
            ("Origin: http://host.test:8000.evil.example", false, "the authority as a prefix"),
            ("Origin: http://host.test:8000/", false, "a path"),
            ("Origin: http://evil@host.test:8000", false, "user information"),
            ("Origin: null", false, "a sandboxed frame or a file"),
            ("Origin:", false, "an empty field"),
            ("Origin: file://", false, "a local file"),
            ("Origin: http://host.test:8000\r\nOrigin: http://host.test:8000", false, "two field lines"),
        ];
        for (lines, want, why) in table {
            let lines = if lines.is_empty() { String::new() } else { format!("{lines}\r\n") };
            let bytes = format!("GET /echo HTTP/1.1\r\nHost: host.test:8000\r\n{lines}\r\n").into_bytes();
            let mut parser = RequestParser::new(HeadLimits::default());
            parser.parse(&bytes).unwrap();
            let head = parser.head(&bytes).unwrap();
            assert_eq!(is_same_origin(&head.headers, Authority::parse(b"host.test:8000")), want, "{lines:?}: {why}");
        }
    }

    #[test]
    fn localhost_and_addresses_are_local() {
        for (host, is_local, why) in [
            ("localhost", true, "localhost"),
            ("LocalHost", true, "case is ignored"),
            ("localhost.", true, "a trailing dot"),
            ("localhost..", false, "two trailing dots"),
            ("app.localhost", true, "a subdomain"),
            ("a.b.LOCALHOST.", true, "a subdomain of a subdomain, upper case, a trailing dot"),
            (".localhost", false, "an empty label"),
            ("xlocalhost", false, "another name with the same end"),
            ("localhost.evil.example", false, "localhost as a subdomain"),
            ("localhost.localdomain", false, "a name that resolvers may resolve"),
            ("host.docker.internal", true, "this machine, for a container of Docker"),
            ("Host.Containers.Internal.", true, "the same for Podman, in another case and with a trailing dot"),
            ("x.host.docker.internal", false, "a name below it"),
            ("host.docker.internal.evil.example", false, "it as a subdomain"),
            ("metadata.google.internal", false, "another name in the same domain"),
            ("127.0.0.1", true, "an address"),
            ("127.0.0.1.", true, "an address with a trailing dot"),
            ("192.168.1.7", true, "another address"),
            ("0.0.0.0", true, "the unspecified address"),
            ("::1", true, "an IPv6 address"),
            ("fe80::1", true, "another IPv6 address"),
            ("127.0.0.1.evil.example", false, "a name with an address as a prefix"),
            ("127.0.0.1.nip.io", false, "a public name that resolves to this machine"),
            ("127.1", false, "a short form of an address"),
            ("2130706433", false, "an address as a number"),
            ("0x7f.1", false, "an address in hexadecimal"),
            ("0177.0.0.1", false, "an address in octal"),
            ("1.2.3.4.5", false, "five numbers"),
            ("evil.example", false, "another name"),
            ("localhost.evil", false, "localhost as a label"),
            ("localhost-evil.example", false, "localhost as a prefix of a label"),
            ("", false, "an empty host"),
            (".", false, "the root of all names"),
            ("local", false, "a prefix of localhost"),
        ] {
            assert_eq!(is_local_host(host.as_bytes()), is_local, "{host:?}: {why}");
        }
    }

    #[test]
    fn names_of_local_networks() {
        for (host, is_lan, why) in [
            ("nas", true, "a single label"),
            ("NAS.", true, "upper case and a trailing dot"),
            ("my-laptop.local", true, "multicast DNS"),
            ("a.b.LOCAL.", true, "two labels, upper case, a trailing dot"),
            ("nas.lan", true, "the domain of many routers"),
            ("nas.home.arpa", true, "the domain of home networks"),
            ("db.internal", true, "the domain of private networks"),
            ("evil.example", false, "a public name"),
            ("local.evil.example", false, "a domain in front"),
            ("nas.evil-local", false, "a suffix without a dot"),
            ("nas.arpa", false, "a part of a domain"),
            ("home.arpa", false, "the domain itself"),
            (".local", false, "an empty label"),
            ("nas.local..", false, "two trailing dots"),
            ("nas.fritz.box", false, "box is a public domain"),
            ("", false, "an empty host"),
            (".", false, "the root of all names"),
        ] {
            assert_eq!(is_lan_host(host.as_bytes()), is_lan, "{host:?}: {why}");
        }
    }

    #[test]
    fn names_match_without_case_and_trailing_dot() {
        for (host, name, same, why) in [
            ("dev.test", "dev.test", true, "the same name"),
            ("DEV.test.", "dev.TEST", true, "case and a trailing dot"),
            ("dev.test", "dev.test.", true, "a trailing dot in the option"),
            ("dev.test.evil.example", "dev.test", false, "the name as a prefix"),
            ("xdev.test", "dev.test", false, "the name as a suffix"),
            ("dev", "dev.test", false, "a part of the name"),
        ] {
            assert_eq!(host_matches(host.as_bytes(), name), same, "{host:?}: {why}");
        }
    }
}
