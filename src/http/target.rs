//! Which resource is meant? (RFC 9112 §3.2, RFC 3986)
//!
//! A target is decoded *once*, as bytes, into one canonical path. Routing, hiding, redirects and the file system all see that
//! path and no other: most of the holes in static servers are two parts of one program that read a target differently.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::http::error::{LocatedError, ParseError};
use crate::http::grammar::{hex_value, parse_decimal};
use crate::http::headers::name;
use crate::http::method::Method;
use crate::http::request::{RequestHead, Version};

/// The bytes of a path that need no percent sign: `unreserved`, and `/` between segments (RFC 3986 §2.3, §3.3).
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// In which of its forms the target came (RFC 9112 §3.2). The fourth, authority-form, is only for CONNECT, which we refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query`
    Origin,
    /// `http://host/path?query`
    Absolute,
    /// `*`, the server as a whole; only with OPTIONS.
    Asterisk,
}

/// Host and port, as a client names them (RFC 3986 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// The host: a name, an IPv4 address, or an IPv6 address without its brackets.
    pub host: &'a [u8],
    /// The port, if one is given.
    pub port: Option<u16>,
}

/// A request target that has been understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestTarget<'a> {
    /// The form in which it came.
    pub form: TargetForm,
    /// Who is asked: the authority of an absolute-form target, else that of Host. `None` only in HTTP/1.0.
    pub authority: Option<Authority<'a>>,
    /// What follows the first `?`, as it came.
    pub query: Option<&'a [u8]>,
    path: Cow<'a, [u8]>,
}

impl<'a> RequestTarget<'a> {
    /// Reads the target of a head, and the Host that belongs to it.
    ///
    /// # Errors
    /// The rule that is broken, and where.
    pub fn parse(head: &RequestHead<'a>) -> Result<RequestTarget<'a>, LocatedError> {
        let host = host(head)?;
        let fault = |what: ParseError| what.with_offset(head.target_at);
        match head.target {
            b"*" if head.method == Method::Options => {
                Ok(RequestTarget { form: TargetForm::Asterisk, authority: host, query: None, path: Cow::Borrowed(b"*") })
            }
            target @ [b'/', ..] => Self::with_path(TargetForm::Origin, host, target, head.target_at),
            target => {
                let (scheme, rest) = split_once(target, b"://").ok_or(fault(ParseError::UnsupportedTargetForm))?;
                if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
                    return Err(fault(ParseError::InvalidScheme));
                }
                let end = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
                let (authority, path) = rest.split_at(end);
                // A server must ignore the Host it got and take the authority of the target instead (RFC 9112 §3.2.2).
                let authority = Authority::parse(authority).ok_or(fault(ParseError::InvalidAuthority))?;
                let path_at = head.target_at + target.len() - path.len();
                Self::with_path(TargetForm::Absolute, Some(authority), path, path_at)
            }
        }
    }

    fn with_path(
        form: TargetForm,
        authority: Option<Authority<'a>>,
        raw: &'a [u8],
        at: usize,
    ) -> Result<RequestTarget<'a>, LocatedError> {
        let (path, query) = match split_once(raw, b"?") {
            Some((path, query)) => (path, Some(query)),
            None => (raw, None),
        };
        let path = normalize_path(path).map_err(|fault| fault.error.with_offset(at + fault.offset))?;
        Ok(RequestTarget { form, authority, query, path })
    }

    /// The canonical path: decoded, beginning with `/`, without empty segments, `.` or `..`. A `/` at the end is kept: it asks
    /// for a directory.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// The segments of the path, decoded. None of them is empty, `.` or `..`, or holds a slash or a NUL.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        self.path.split(|&b| b == b'/').filter(|segment| !segment.is_empty())
    }

    /// The canonical path, percent-encoded again: safe in a Location or a link. It begins with exactly one slash.
    pub fn encoded_path(&self) -> String {
        encode_path(&self.path)
    }

    /// Names and values of the query, decoded as HTML forms encode them: `&` between pairs, `+` for a space
    /// (WHATWG URL §5.1). A percent sign that no two digits follow stands for itself.
    pub fn query_pairs(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        let pairs = self.query.unwrap_or_default().split(|&b| b == b'&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| {
            let (name, value) = split_once(pair, b"=").unwrap_or((pair, b""));
            (decode_form_urlencoded(name), decode_form_urlencoded(value))
        })
    }
}

/// Percent-encodes all bytes of a path but slashes and those that never need it.
pub fn encode_path(path: &[u8]) -> String {
    percent_encode(path, PATH).to_string()
}

impl<'a> Authority<'a> {
    /// Reads `host` or `host:port`; `None` if it is neither. User information (`user@`) is refused: RFC 9110 §4.2.4 calls it
    /// deprecated and an error to be treated as such.
    // uri-host = IP-literal / IPv4address / reg-name ; port = *DIGIT
    pub fn parse(bytes: &'a [u8]) -> Option<Authority<'a>> {
        let (host, port) = match bytes {
            [b'[', rest @ ..] => {
                let (literal, after) = split_once(rest, b"]")?;
                std::str::from_utf8(literal).ok()?.parse::<Ipv6Addr>().ok()?;
                let port = if after.is_empty() { None } else { Some(after.strip_prefix(b":")?) };
                (literal, port)
            }
            _ => {
                let (host, port) = split_once(bytes, b":").map_or((bytes, None), |(host, port)| (host, Some(port)));
                (host.iter().all(|&b| is_name_byte(b)) && !host.is_empty()).then_some((host, port))?
            }
        };
        // The grammar allows `host:` with no digits behind the colon.
        let port = match port {
            None | Some(b"") => None,
            Some(port) => Some(u16::try_from(parse_decimal(port)?).ok()?),
        };
        Some(Authority { host, port })
    }
}

// reg-name = *( unreserved / pct-encoded / sub-delims ); we refuse the comma, which would make a list of it, and percent
// signs, since no host that resolves has a name that needs them
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(&byte)
}

/// The one Host field, which a request in HTTP/1.1 must have (RFC 9112 §3.2).
fn host<'a>(head: &RequestHead<'a>) -> Result<Option<Authority<'a>>, LocatedError> {
    let fault = |what: ParseError| what.with_offset(head.headers.value_offset(name::HOST).unwrap_or(head.target_at));
    let mut hosts = head.headers.get_all(name::HOST);
    match (hosts.next(), hosts.next()) {
        (None, _) if head.version == Version::Http10 => Ok(None),
        (None, _) => Err(fault(ParseError::MissingHost)),
        (Some(host), None) => Authority::parse(host).map(Some).ok_or(fault(ParseError::InvalidHost)),
        (Some(_), Some(_)) => Err(fault(ParseError::DuplicateHost)),
    }
}

/// Decodes a path and resolves its segments. A path that is canonical already is not copied. Faults are counted from its first byte.
fn normalize_path(path: &[u8]) -> Result<Cow<'_, [u8]>, LocatedError> {
    if path.is_empty() {
        return Ok(Cow::Borrowed(b"/"));
    }
    let segments_are_plain = !path.windows(2).any(|pair| matches!(pair, b"//" | b"/."));
    if segments_are_plain && !path.contains(&b'%') {
        return Ok(Cow::Borrowed(path));
    }
    let mut out = Vec::with_capacity(path.len());
    let mut last_is_dots = false;
    let mut next_at = 1;
    for raw in path.split(|&b| b == b'/').skip(1) {
        let at = next_at;
        next_at += raw.len() + 1;
        let segment = decode_segment(raw, at)?;
        last_is_dots = matches!(&*segment, b"." | b"..");
        match &*segment {
            b"" | b"." => {}
            b".." => {
                let parent = out.iter().rposition(|&b| b == b'/').ok_or(ParseError::PathTraversal.with_offset(at))?;
                out.truncate(parent);
            }
            name => {
                out.push(b'/');
                out.extend_from_slice(name);
            }
        }
    }
    if path.ends_with(b"/") || last_is_dots || out.is_empty() {
        out.push(b'/');
    }
    Ok(Cow::Owned(out))
}

/// Decodes one segment, once.
// pct-encoded = "%" HEXDIG HEXDIG
fn decode_segment(raw: &[u8], at: usize) -> Result<Cow<'_, [u8]>, LocatedError> {
    if !raw.contains(&b'%') {
        return Ok(Cow::Borrowed(raw));
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let percent_at = at + raw.len() - bytes.len() - 1;
        let mut digit =
            || bytes.next().and_then(|&b| hex_value(b)).ok_or(ParseError::InvalidPercentEncoding.with_offset(percent_at));
        let (high, low) = (digit()?, digit()?);
        match high << 4 | low {
            0 => return Err(ParseError::EncodedNul.with_offset(percent_at)),
            b'/' => return Err(ParseError::EncodedSlash.with_offset(percent_at)),
            decoded => out.push(decoded),
        }
    }
    Ok(Cow::Owned(out))
}

fn decode_form_urlencoded(bytes: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = bytes.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect();
    percent_encoding::percent_decode(&spaced).collect()
}

/// What stands before and after the first `separator`.
fn split_once<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(separator.len()).position(|window| window == separator)?;
    Some((bytes.get(..at)?, bytes.get(at + separator.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_paths() {
        for (input, want, why) in [
            ("/", Ok("/"), "the root"),
            ("", Ok("/"), "absolute-form without a path"),
            ("/a/b", Ok("/a/b"), "nothing to do"),
            ("/a/", Ok("/a/"), "the slash at the end is kept"),
            ("//a///b", Ok("/a/b"), "empty segments"),
            ("/a/./b", Ok("/a/b"), "a dot"),
            ("/a/.", Ok("/a/"), "a dot at the end is a directory"),
            ("/a/b/..", Ok("/a/"), "so are two"),
            ("/a/../b", Ok("/b"), "up and down"),
            ("/a/%2e%2E/b", Ok("/b"), "the same, encoded"),
            ("/..", Err(ParseError::PathTraversal), "above the root"),
            ("/a/../../b", Err(ParseError::PathTraversal), "above the root on the way"),
            ("/%61%20b", Ok("/a b"), "decoded"),
            ("/%252e", Ok("/%2e"), "once"),
            ("/.hidden", Ok("/.hidden"), "a dot file is no dot segment"),
            ("/...", Ok("/..."), "three dots are a name"),
            ("/a%2fb", Err(ParseError::EncodedSlash), "slash"),
            ("/a%00", Err(ParseError::EncodedNul), "NUL"),
            ("/%", Err(ParseError::InvalidPercentEncoding), "nothing follows"),
            ("/%4", Err(ParseError::InvalidPercentEncoding), "one digit"),
            ("/%zz", Err(ParseError::InvalidPercentEncoding), "no digits"),
        ] {
            let want = want.map(|path| Cow::Borrowed(path.as_bytes()));
            assert_eq!(normalize_path(input.as_bytes()).map_err(|fault| fault.error), want, "{input}: {why}");
        }
    }

    #[test]
    fn authorities() {
        for (input, want, why) in [
            ("localhost", Some(("localhost", None)), "a name"),
            ("localhost:8000", Some(("localhost", Some(8000))), "with a port"),
            ("a:", Some(("a", None)), "an empty port is none"),
            ("a:65535", Some(("a", Some(65535))), "the largest port"),
            ("a:65536", None, "one more"),
            ("a:+1", None, "a sign"),
            ("[::1]:80", Some(("::1", Some(80))), "IPv6"),
            ("[::1]", Some(("::1", None)), "IPv6 without port"),
            ("[::1", None, "no closing bracket"),
            ("[::1]80", None, "no colon"),
            ("[g::]", None, "not an address"),
            ("", None, "empty"),
            (":80", None, "no host"),
            ("u@a", None, "user information"),
            ("a,b", None, "two"),
            ("a/b", None, "a path"),
            ("a b", None, "a space"),
            ("a%20b", None, "a percent sign"),
        ] {
            let got = Authority::parse(input.as_bytes());
            assert_eq!(got, want.map(|(host, port)| Authority { host: host.as_bytes(), port }), "{input}: {why}");
        }
    }

    #[test]
    fn encoding_round_trips_every_byte() {
        for byte in (1..=255_u8).filter(|b| *b != b'/') {
            let path = [b'/', b'x', byte];
            assert_eq!(normalize_path(encode_path(&path).as_bytes()).as_deref(), Ok(&path[..]), "{byte:#x}");
        }
    }

    #[test]
    fn faults_point_into_the_path() {
        for (path, what, at) in [
            ("/a/%zz", ParseError::InvalidPercentEncoding, 3),
            ("/a%2", ParseError::InvalidPercentEncoding, 2),
            ("/%41%00", ParseError::EncodedNul, 4),
            ("/a/b%2Fc", ParseError::EncodedSlash, 4),
            ("/a/../../b", ParseError::PathTraversal, 6),
        ] {
            assert_eq!(normalize_path(path.as_bytes()), Err(what.with_offset(at)), "{path}");
        }
    }
}
