//! May a page of another site read this? (Fetch, "HTTP extensions": §3.3)
//!
//! A browser lets a page read what another site answers only if that answer says so; before it sends anything unusual it asks first,
//! with OPTIONS: the preflight. A policy that lets everybody in never lets them in with what the browser knows of its user (cookies,
//! passwords): that is for origins that were named.

use std::fmt::Write;
use std::net::Ipv4Addr;

use crate::http::grammar::{is_token, trim_ows};
use crate::http::headers::{Headers, name};
use crate::http::method::Method;
use crate::http::target::Authority;

/// The pages of which sites may read our answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// Those of all sites.
    Any,
    /// Those of these, spelled as browsers spell them.
    Named(Vec<String>),
}

/// Fields that scripts may read besides those that they may always read (Fetch §3.3.4): a player needs them to ask for ranges.
pub const EXPOSED: &str = "Accept-Ranges, Content-Encoding, Content-Range, ETag";

/// How long a browser may remember what a preflight said. Two hours: Chromium keeps it no longer.
pub const PREFLIGHT_AGE_SECS: &str = "7200";

/// What an answer says to a page of another site. The names of all its fields begin with `Access-Control-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowOrigin<'a> {
    /// Every page may read it, but never with credentials.
    Any,
    /// The pages of this origin may read it, also with credentials.
    Origin(&'a str),
    /// Nobody else's: it says nothing.
    None,
}

impl AllowedOrigins {
    /// Which pages may read the answer to a request with these fields.
    pub fn permission(&self, headers: &Headers<'_>) -> AllowOrigin<'_> {
        match self {
            AllowedOrigins::Any => AllowOrigin::Any,
            AllowedOrigins::Named(named) => {
                let asking = headers.get_unique(name::ORIGIN);
                let known = named.iter().find(|known| Some(known.as_bytes()) == asking);
                known.map_or(AllowOrigin::None, |known| AllowOrigin::Origin(known))
            }
        }
    }
}

/// What a browser asks before it lets a page send an unusual request.
#[derive(Clone, Copy, Debug)]
pub struct Preflight<'a> {
    headers: Headers<'a>,
}

impl<'a> Preflight<'a> {
    /// The preflight that a request is; `None` if it is none: OPTIONS alone asks about us, not for a page.
    pub fn from_request(method: Method, headers: &Headers<'a>) -> Option<Preflight<'a>> {
        let asks = headers.get_unique(name::ORIGIN).is_some()
            && headers.get_unique(name::ACCESS_CONTROL_REQUEST_METHOD).is_some_and(is_token);
        (method == Method::Options && asks).then_some(Preflight { headers: *headers })
    }

    /// The fields that the page wants to send, ready to be allowed: in a list of ours, and only if each is a field name.
    ///
    /// They are named back rather than starred, because a star does not stand for Authorization.
    pub fn requested_headers(&self) -> Option<String> {
        let mut out = String::new();
        for field in self.headers.list(name::ACCESS_CONTROL_REQUEST_HEADERS) {
            let field = is_token(field).then(|| std::str::from_utf8(field).ok())??;
            let comma = if out.is_empty() { "" } else { ", " };
            let _ = write!(out, "{comma}{field}");
        }
        (!out.is_empty()).then_some(out)
    }
}

/// Reads an origin as a person writes it, and spells it as browsers do: lower case, without the port that is the scheme's own.
///
/// # Errors
/// What is wrong with it, and the way out.
// serialized-origin = scheme "://" host [ ":" port ] (RFC 6454 §6.1)
pub fn parse_origin(text: &str) -> Result<String, &'static str> {
    if text.eq_ignore_ascii_case("null") {
        return Err("null is the origin of every sandboxed frame and every file on a disk; write * to let everybody read");
    }
    let (scheme, rest) = text.split_once("://").ok_or("write scheme://host or scheme://host:port, or * for all")?;
    let is_scheme_byte = |b: &u8| b.is_ascii_alphanumeric() || b"+-.".contains(b);
    if scheme.is_empty() || !scheme.as_bytes().iter().all(is_scheme_byte) {
        return Err("write scheme://host or scheme://host:port, or * for all");
    }
    if rest.contains(['/', '?', '#']) {
        return Err("an origin ends with the host or the port: no slash, no path");
    }
    if rest.contains('*') {
        return Err("a star cannot stand for a part of a name; name each origin, or * for all");
    }
    let authority =
        Authority::parse(rest.as_bytes()).ok_or("that is no host; a name beyond ASCII is written in its xn-- form")?;
    let spelled = format!("{scheme}://{rest}").to_ascii_lowercase();
    let own_port = match (scheme.to_ascii_lowercase().as_str(), authority.port) {
        ("http", Some(80)) => ":80",
        ("https", Some(443)) => ":443",
        _ => "",
    };
    Ok(spelled.strip_suffix(own_port).unwrap_or(&spelled).trim_end_matches(':').to_owned())
}

/// Judges by what the browser says. `authority` is the one that was asked.
pub fn is_same_origin(headers: &Headers<'_>, authority: Option<Authority<'_>>) -> bool {
    match headers.get_all(name::SEC_FETCH_SITE).next() {
        // `same-site` is another port or another name beneath ours: that may be anybody.
        Some(_) => matches!(headers.get_unique(name::SEC_FETCH_SITE).map(trim_ows), Some(b"same-origin" | b"none")),
        None => match headers.get_all(name::ORIGIN).next() {
            Some(_) => headers.get_unique(name::ORIGIN).is_some_and(|origin| is_origin_of(origin, authority)),
            None => true,
        },
    }
}

/// Whether an origin, `scheme://host[:port]`, is that of the authority. The scheme is not ours to know: a proxy may speak TLS for us.
fn is_origin_of(origin: &[u8], authority: Option<Authority<'_>>) -> bool {
    let rest = [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| origin.strip_prefix(scheme));
    let (Some(theirs), Some(ours)) = (rest.and_then(Authority::parse), authority) else { return false };
    theirs.port == ours.port && theirs.host.eq_ignore_ascii_case(ours.host)
}

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
    use crate::http::request::{HeadLimits, RequestParser};

    fn with_headers<T>(lines: &[&str], judge: impl FnOnce(&Headers<'_>) -> T) -> T {
        let head = format!("OPTIONS / HTTP/1.0\r\n{}\r\n", lines.iter().map(|line| format!("{line}\r\n")).collect::<String>());
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(head.as_bytes()).unwrap();
        judge(&parser.head(head.as_bytes()).unwrap().headers)
    }

    #[test]
    fn permissions() {
        let named = AllowedOrigins::Named(vec!["https://app.example".to_owned(), "http://localhost:3000".to_owned()]);
        for (lines, want, why) in [
            (&["Origin: https://app.example"][..], AllowOrigin::Origin("https://app.example"), "one of them"),
            (&["Origin: http://localhost:3000"], AllowOrigin::Origin("http://localhost:3000"), "the other"),
            (&["Origin: https://app.example:443"], AllowOrigin::None, "no browser spells it like that"),
            (&["Origin: HTTPS://APP.EXAMPLE"], AllowOrigin::None, "nor like that"),
            (&["Origin: http://app.example"], AllowOrigin::None, "another scheme"),
            (&["Origin: http://localhost:3001"], AllowOrigin::None, "another port"),
            (&["Origin: http://localhost"], AllowOrigin::None, "no port"),
            (&["Origin: https://app.example.evil.example"], AllowOrigin::None, "it only begins like one"),
            (&["Origin: https://evil-app.example"], AllowOrigin::None, "it only ends like one"),
            (&["Origin: null"], AllowOrigin::None, "a sandboxed frame"),
            (&["Origin:"], AllowOrigin::None, "it says nothing"),
            (&[], AllowOrigin::None, "no page of another site"),
            (&["Origin: https://app.example", "Origin: https://app.example"], AllowOrigin::None, "twice is not once"),
            (&["Origin: https://app.example, https://evil.example"], AllowOrigin::None, "a list is no origin"),
        ] {
            with_headers(lines, |headers| assert_eq!(named.permission(headers), want, "{lines:?}: {why}"));
            with_headers(lines, |headers| assert_eq!(AllowedOrigins::Any.permission(headers), AllowOrigin::Any, "{lines:?}"));
        }
    }

    #[test]
    fn preflights() {
        let (origin, method) = ("Origin: https://a.test", "Access-Control-Request-Method: PUT");
        for (asked, lines, want, why) in [
            (Method::Options, &[origin, method][..], true, "both"),
            (Method::Get, &[origin, method], false, "another method"),
            (Method::Options, &[origin], false, "OPTIONS of a page, with nothing unusual about it"),
            (Method::Options, &[method], false, "no page"),
            (Method::Options, &[origin, method, method], false, "two methods"),
            (Method::Options, &[origin, origin, method], false, "two pages"),
            (Method::Options, &[origin, "Access-Control-Request-Method: A B"], false, "no method has a space"),
            (Method::Options, &[origin, "Access-Control-Request-Method:"], false, "no method at all"),
        ] {
            with_headers(lines, |headers| assert_eq!(Preflight::from_request(asked, headers).is_some(), want, "{why}"));
        }
    }

    #[test]
    fn fields_that_a_page_wants_to_send() {
        for (lines, want, why) in [
            (&["Access-Control-Request-Headers: x-a"][..], Some("x-a"), "one"),
            (&["Access-Control-Request-Headers: authorization,range"], Some("authorization, range"), "two"),
            (&["Access-Control-Request-Headers: a", "Access-Control-Request-Headers: b"], Some("a, b"), "on two lines"),
            (&["Access-Control-Request-Headers: a b"], None, "no field has a space in its name"),
            (&["Access-Control-Request-Headers: a, b:c"], None, "nor a colon"),
            (&["Access-Control-Request-Headers:"], None, "none"),
            (&[], None, "no such line"),
        ] {
            let lines: Vec<&str> =
                ["Origin: https://a.test", "Access-Control-Request-Method: GET"].iter().chain(lines).copied().collect();
            with_headers(&lines, |headers| {
                let preflight = Preflight::from_request(Method::Options, headers).unwrap();
                assert_eq!(preflight.requested_headers().as_deref(), want, "{why}");
            });
        }
    }

    #[test]
    fn origins_as_people_write_them() {
        for (text, want, why) in [
            ("https://app.example", Ok("https://app.example"), "as browsers do"),
            ("HTTPS://App.Example:443", Ok("https://app.example"), "in a way that browsers do not"),
            ("http://localhost:80", Ok("http://localhost"), "the port of the scheme"),
            ("http://localhost:443", Ok("http://localhost:443"), "the port of another scheme"),
            ("http://localhost:3000", Ok("http://localhost:3000"), "a port"),
            ("http://[::1]:3000", Ok("http://[::1]:3000"), "an address in brackets"),
            ("http://127.0.0.1:", Ok("http://127.0.0.1"), "a colon and no port"),
            ("capacitor://localhost", Ok("capacitor://localhost"), "an app"),
            ("chrome-extension://abcdef", Ok("chrome-extension://abcdef"), "an extension"),
            ("app.example", Err("scheme://host"), "no scheme"),
            ("://app.example", Err("scheme://host"), "an empty scheme"),
            ("ht tp://app.example", Err("scheme://host"), "no scheme has a space"),
            ("https://app.example/", Err("no slash"), "a slash at the end"),
            ("https://app.example/path", Err("no slash"), "a path"),
            ("https://*.app.example", Err("star"), "a star within"),
            ("https://me@app.example", Err("no host"), "a user"),
            ("https://", Err("no host"), "no host"),
            ("https://b\u{fc}cher.example", Err("xn--"), "not ASCII"),
            ("https://a.example,https://b.example", Err("no slash"), "two"),
            ("null", Err("sandboxed"), "anybody's"),
            ("", Err("scheme://host"), "nothing"),
        ] {
            match (parse_origin(text), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{text:?}: {why}"),
                (Err(got), Err(want)) => assert!(got.contains(want), "{text:?}: {why}: {got}"),
                (got, want) => panic!("{text:?}: {why}: {got:?} instead of {want:?}"),
            }
        }
    }

    #[test]
    fn sites() {
        let matrix = [
            ("", true, "no browser"),
            ("Sec-Fetch-Site: none", true, "typed by a person"),
            ("Sec-Fetch-Site: same-origin", true, "one of our pages"),
            ("Sec-Fetch-Site: same-site", false, "another port of this machine"),
            ("Sec-Fetch-Site: cross-site", false, "somebody else's page"),
            ("Sec-Fetch-Site: Same-Origin", false, "browsers spell it in lower case"),
            ("Sec-Fetch-Site:", false, "it says nothing"),
            ("Sec-Fetch-Site: same-origin, none", false, "it says two things"),
            ("Sec-Fetch-Site: none\r\nSec-Fetch-Site: none", false, "it says so twice"),
            ("Sec-Fetch-Site: none\r\nOrigin: http://evil.example", true, "the first of the two is the one that browsers keep"),
            ("Sec-Fetch-Site: cross-site\r\nOrigin: http://host.test:8000", false, "and the other way round"),
            ("Origin: http://host.test:8000", true, "our own origin"),
            ("Origin: https://HOST.test:8000", true, "behind a proxy that speaks TLS"),
            ("Origin: http://host.test", false, "another port"),
            ("Origin: http://host.test:80000", false, "no port"),
            ("Origin: http://host.test:8001", false, "another port"),
            ("Origin: http://evil.example:8000", false, "another name"),
            ("Origin: http://host.test:8000.evil.example", false, "another name that begins like ours"),
            ("Origin: http://host.test:8000/", false, "an origin has no path"),
            ("Origin: http://evil@host.test:8000", false, "nor a user"),
            ("Origin: null", false, "a sandboxed frame, a file"),
            ("Origin:", false, "it says nothing"),
            ("Origin: file://", false, "a page from a disk"),
            ("Origin: http://host.test:8000\r\nOrigin: http://host.test:8000", false, "it says so twice"),
        ];
        for (lines, want, why) in matrix {
            let lines = if lines.is_empty() { String::new() } else { format!("{lines}\r\n") };
            let bytes = format!("GET /echo HTTP/1.1\r\nHost: host.test:8000\r\n{lines}\r\n").into_bytes();
            let mut parser = RequestParser::new(HeadLimits::default());
            parser.parse(&bytes).unwrap();
            let head = parser.head(&bytes).unwrap();
            assert_eq!(is_same_origin(&head.headers, Authority::parse(b"host.test:8000")), want, "{lines:?}: {why}");
        }
    }

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
