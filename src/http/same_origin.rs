//! Does a page of another site make the browser ask? (Fetch Metadata Request Headers §2.3; RFC 6454 §7)
//!
//! A browser says so itself: in `Sec-Fetch-Site`, and where a page sends content or reads across sites, in `Origin`. A page cannot
//! change either. Tools that are no browsers send neither, and are not made to do anything against their user's will.

use crate::http::grammar::trim_ows;
use crate::http::headers::{Headers, name};
use crate::http::target::Authority;

/// Where the request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskingSite {
    /// From our own pages, from the person at the browser, or from no browser at all.
    Own,
    /// From a page of somebody else, or nobody can tell.
    Other,
}

/// Judges by what the browser says. `authority` is the one that was asked.
pub fn asking_site(headers: &Headers<'_>, authority: Option<Authority<'_>>) -> AskingSite {
    let is_own = match headers.get_all(name::SEC_FETCH_SITE).next() {
        // `same-site` is another port or another name beneath ours: that may be anybody.
        Some(_) => matches!(headers.get_unique(name::SEC_FETCH_SITE).map(trim_ows), Some(b"same-origin" | b"none")),
        None => match headers.get_all(name::ORIGIN).next() {
            Some(_) => headers.get_unique(name::ORIGIN).is_some_and(|origin| is_origin_of(origin, authority)),
            None => true,
        },
    };
    if is_own { AskingSite::Own } else { AskingSite::Other }
}

/// Whether an origin, `scheme://host[:port]`, is that of the authority. The scheme is not ours to know: a proxy may speak TLS for us.
fn is_origin_of(origin: &[u8], authority: Option<Authority<'_>>) -> bool {
    let rest = [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| origin.strip_prefix(scheme));
    let (Some(theirs), Some(ours)) = (rest.and_then(Authority::parse), authority) else { return false };
    theirs.port == ours.port && theirs.host.eq_ignore_ascii_case(ours.host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::{HeadLimits, RequestParser};

    #[test]
    fn sites() {
        use AskingSite::{Other, Own};
        let matrix = [
            ("", Own, "no browser"),
            ("Sec-Fetch-Site: none", Own, "typed by a person"),
            ("Sec-Fetch-Site: same-origin", Own, "one of our pages"),
            ("Sec-Fetch-Site: same-site", Other, "another port of this machine"),
            ("Sec-Fetch-Site: cross-site", Other, "somebody else's page"),
            ("Sec-Fetch-Site: Same-Origin", Other, "browsers spell it in lower case"),
            ("Sec-Fetch-Site:", Other, "it says nothing"),
            ("Sec-Fetch-Site: same-origin, none", Other, "it says two things"),
            ("Sec-Fetch-Site: none\r\nSec-Fetch-Site: none", Other, "it says so twice"),
            ("Sec-Fetch-Site: none\r\nOrigin: http://evil.example", Own, "the first of the two is the one that browsers keep"),
            ("Sec-Fetch-Site: cross-site\r\nOrigin: http://host.test:8000", Other, "and the other way round"),
            ("Origin: http://host.test:8000", Own, "our own origin"),
            ("Origin: https://HOST.test:8000", Own, "behind a proxy that speaks TLS"),
            ("Origin: http://host.test", Other, "another port"),
            ("Origin: http://host.test:80000", Other, "no port"),
            ("Origin: http://host.test:8001", Other, "another port"),
            ("Origin: http://evil.example:8000", Other, "another name"),
            ("Origin: http://host.test:8000.evil.example", Other, "another name that begins like ours"),
            ("Origin: http://host.test:8000/", Other, "an origin has no path"),
            ("Origin: http://evil@host.test:8000", Other, "nor a user"),
            ("Origin: null", Other, "a sandboxed frame, a file"),
            ("Origin:", Other, "it says nothing"),
            ("Origin: file://", Other, "a page from a disk"),
            ("Origin: http://host.test:8000\r\nOrigin: http://host.test:8000", Other, "it says so twice"),
        ];
        for (lines, want, why) in matrix {
            let lines = if lines.is_empty() { String::new() } else { format!("{lines}\r\n") };
            let bytes = format!("GET /echo HTTP/1.1\r\nHost: host.test:8000\r\n{lines}\r\n").into_bytes();
            let mut parser = RequestParser::new(HeadLimits::default());
            parser.parse(&bytes).unwrap();
            let head = parser.head(&bytes).unwrap();
            assert_eq!(asking_site(&head.headers, Authority::parse(b"host.test:8000")), want, "{lines:?}: {why}");
        }
    }
}
