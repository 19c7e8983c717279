//! Request targets (RFC 9112 §3.2, RFC 3986).
//!
//! A target is decoded *once*, as bytes, to a normalized path, and routing, hidden files, redirects and the file system use only that path.
//! Path traversal in static servers usually comes from two parts of one program that decode a target differently.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::http::error::{LocatedError, ParseError};
use crate::http::grammar::{hex_value, parse_decimal, split_once};
use crate::http::headers::name;
use crate::http::method::Method;
use crate::http::request::{RequestHead, Version};

/// The bytes of a path that are not percent-encoded: `unreserved` and `/` (RFC 3986 §2.3, §3.3).
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The form of a request target (RFC 9112 §3.2). The fourth, authority-form, is valid only for CONNECT, which is not supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query`
    Origin,
    /// `http://host/path?query`
    Absolute,
    /// `*`: the server as a whole, valid only for OPTIONS.
    Asterisk,
}

/// A host and an optional port (RFC 3986 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// A name, an IPv4 address, or an IPv6 address without its brackets.
    pub host: &'a [u8],
    /// The port, if present.
    pub port: Option<u16>,
}

/// A parsed and decoded request target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestTarget<'a> {
    /// The form.
    pub form: TargetForm,
    /// The authority of an absolute-form target, else the value of Host. `None` only in HTTP/1.0.
    pub authority: Option<Authority<'a>>,
    /// The bytes after the first `?`, not decoded.
    pub query: Option<&'a [u8]>,
    path: Cow<'a, [u8]>,
    /// The path as the client sent it.
    raw_path: &'a [u8],
}

impl<'a> RequestTarget<'a> {
    /// Parses the target and the Host field of a request.
    ///
    /// # Errors
    /// The violated rule and its position.
    pub fn parse(head: &RequestHead<'a>) -> Result<RequestTarget<'a>, LocatedError> {
        let host = host(head)?;
        let located = |error: ParseError| error.with_offset(head.target_offset);
        let (form, authority, raw) = match head.target {
            b"*" if head.method == Method::Options => (TargetForm::Asterisk, host, head.target),
            target @ [b'/', ..] => (TargetForm::Origin, host, target),
            target => {
                let (scheme, rest) = split_once(target, b"://").ok_or(located(ParseError::UnsupportedTargetForm))?;
                if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
                    return Err(located(ParseError::InvalidScheme));
                }
                let end = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
                let (authority, path) = rest.split_at(end);
                // The authority of the target takes precedence over Host (RFC 9112 §3.2.2).
                let authority = Authority::parse(authority).ok_or(located(ParseError::InvalidAuthority))?;
                (TargetForm::Absolute, Some(authority), path)
            }
        };
        let raw_offset = head.target_offset + head.target.len() - raw.len();
        let (raw_path, query) = split_once(raw, b"?").map_or((raw, None), |(path, query)| (path, Some(query)));
        let path = normalize_path(raw_path).map_err(|located| located.error.with_offset(raw_offset + located.offset))?;
        Ok(RequestTarget { form, authority, query, path, raw_path })
    }

    /// Returns the normalized path: decoded, with a leading `/`, without empty segments, `.` or `..`. A trailing `/` is kept, since it names
    /// a directory. In asterisk-form it is `*`.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// Returns the decoded segments of the path. No segment is empty, `.` or `..`, and none contains a slash or a NUL.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        self.path.split(|&b| b == b'/').filter(|segment| !segment.is_empty())
    }

    /// Returns how many `../` a relative link on this page needs: first the number that leads to the root, then one for each directory of
    /// the path, from the top down. A client resolves the link against the path that it sent, in which empty segments count. Dot segments do
    /// not count, since clients remove them first.
    pub fn levels_up(&self) -> Vec<usize> {
        let levels = |path: &[u8]| {
            let segments: Vec<&[u8]> = path.split(|&b| b == b'/').skip_while(|segment| segment.is_empty()).collect();
            let below = segments.iter().rev().skip(1).enumerate().filter(|(_, segment)| !segment.is_empty());
            let mut levels: Vec<usize> = below.map(|(level, _)| level).chain([segments.len().saturating_sub(1)]).collect();
            levels.reverse();
            levels
        };
        let (sent, normalized) = (levels(self.raw_path), levels(&self.path));
        if sent.len() == normalized.len() { sent } else { normalized }
    }

    /// Returns this target with `suffix` appended to its path; `None` if the path ends in a slash, and so names a directory.
    pub fn with_suffix(&self, suffix: &[u8]) -> Option<RequestTarget<'a>> {
        let path = [self.path(), suffix].concat().into();
        (!self.path.ends_with(b"/")).then(|| RequestTarget { path, ..self.clone() })
    }

    /// Returns the names and values of the query, decoded as `application/x-www-form-urlencoded` (WHATWG URL §5.1). A percent sign without
    /// two hexadecimal digits is kept.
    pub fn query_pairs(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        let pairs = self.query.into_iter().flat_map(|query| query.split(|&b| b == b'&')).filter(|pair| !pair.is_empty());
        pairs.map(|pair| {
            let (name, value) = split_once(pair, b"=").unwrap_or((pair, b""));
            (decode_form_urlencoded(name), decode_form_urlencoded(value))
        })
    }
}

/// Percent-encodes a path; slashes and unreserved characters are kept. A colon is encoded, so that no name is read as a scheme (RFC 3986
/// §4.2).
pub fn encode_path(path: &[u8]) -> Cow<'_, str> {
    percent_encode(path, PATH).into()
}

impl<'a> Authority<'a> {
    /// Parses `host` or `host:port`; `None` if it is neither. User information (`user@`) is rejected, as RFC 9110 §4.2.4 recommends.
    // uri-host = IP-literal / IPv4address / reg-name ; port = *DIGIT
    pub fn parse(bytes: &'a [u8]) -> Option<Authority<'a>> {
        let (host, after) = match bytes {
            [b'[', rest @ ..] => {
                let (literal, after) = split_once(rest, b"]")?;
                std::str::from_utf8(literal).ok()?.parse::<Ipv6Addr>().ok()?;
                (literal, after)
            }
            _ => bytes.split_at(bytes.iter().position(|&b| !is_name_byte(b)).unwrap_or(bytes.len())),
        };
        let port = match after {
            // The grammar allows `host:` without digits.
            b"" | b":" => None,
            [b':', port @ ..] => Some(u16::try_from(parse_decimal(port)?).ok()?),
            _ => return None,
        };
        (!host.is_empty()).then_some(Authority { host, port })
    }
}

// reg-name = *( unreserved / pct-encoded / sub-delims ). The comma is rejected because it would make Host a list, and the percent sign
// because no name in the DNS needs it. The range is `&'()*+`.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&'..=b'+' | b';' | b'=')
}

/// Returns the value of Host. HTTP/1.1 requires exactly one field (RFC 9112 §3.2).
fn host<'a>(head: &RequestHead<'a>) -> Result<Option<Authority<'a>>, LocatedError> {
    let located = |error: ParseError| error.with_offset(head.headers.value_offset(name::HOST).unwrap_or(head.target_offset));
    let mut hosts = head.headers.get_all(name::HOST);
    match (hosts.next(), hosts.next()) {
        (None, _) if head.version == Version::Http10 => Ok(None),
        (None, _) => Err(located(ParseError::MissingHost)),
        (Some(host), None) => Authority::parse(host).map(Some).ok_or(located(ParseError::InvalidHost)),
        (Some(_), Some(_)) => Err(located(ParseError::DuplicateHost)),
    }
}

/// Decodes a path and resolves its dot segments. A path that is already normalized is not copied. Offsets of errors count from its first
/// byte.
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
    let mut next_offset = 1;
    for raw in path.split(|&b| b == b'/').skip(1) {
        let offset = next_offset;
        next_offset += raw.len() + 1;
        let segment = decode_segment(raw, offset)?;
        last_is_dots = matches!(&*segment, b"." | b"..");
        match &*segment {
            b"" | b"." => {}
            b".." => {
                let parent = out.iter().rposition(|&b| b == b'/').ok_or(ParseError::PathTraversal.with_offset(offset))?;
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

/// Decodes one segment, which begins at `offset` of the path.
// pct-encoded = "%" HEXDIG HEXDIG
fn decode_segment(raw: &[u8], offset: usize) -> Result<Cow<'_, [u8]>, LocatedError> {
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
        let percent_offset = offset + raw.len() - bytes.len() - 1;
        let mut digit =
            || bytes.next().and_then(|&b| hex_value(b)).ok_or(ParseError::InvalidPercentEncoding.with_offset(percent_offset));
        let (high, low) = (digit()?, digit()?);
        match high << 4 | low {
            0 => return Err(ParseError::EncodedNul.with_offset(percent_offset)),
            b'/' => return Err(ParseError::EncodedSlash.with_offset(percent_offset)),
            decoded => out.push(decoded),
        }
    }
    Ok(Cow::Owned(out))
}

fn decode_form_urlencoded(bytes: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = bytes.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect();
    percent_encoding::percent_decode(&spaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_once_and_normalized() {
        for (input, want, why) in [
            ("/", Ok("/"), "the root"),
            ("", Ok("/"), "absolute-form without a path"),
            ("/a/b", Ok("/a/b"), "already normalized"),
            ("/a/", Ok("/a/"), "a trailing slash is kept"),
            ("//a///b", Ok("/a/b"), "empty segments"),
            ("/a/./b", Ok("/a/b"), "a dot segment"),
            ("/a/.", Ok("/a/"), "a trailing dot segment names a directory"),
            ("/a/b/..", Ok("/a/"), "as does a trailing double dot"),
            ("/a/../b", Ok("/b"), "a double dot"),
            ("/a/%2e%2E/b", Ok("/b"), "an encoded double dot"),
            ("/..", Err(ParseError::PathTraversal), "above the root"),
            ("/a/../../b", Err(ParseError::PathTraversal), "above the root in between"),
            ("/%61%20b", Ok("/a b"), "decoded bytes"),
            ("/%252e", Ok("/%2e"), "decoded only once"),
            ("/.hidden", Ok("/.hidden"), "a hidden file is no dot segment"),
            ("/...", Ok("/..."), "three dots are a name"),
            ("/a%2fb", Err(ParseError::EncodedSlash), "an encoded slash"),
            ("/a%00", Err(ParseError::EncodedNul), "an encoded NUL"),
            ("/%", Err(ParseError::InvalidPercentEncoding), "no digits follow"),
            ("/%4", Err(ParseError::InvalidPercentEncoding), "one digit"),
            ("/%zz", Err(ParseError::InvalidPercentEncoding), "no hexadecimal digits"),
        ] {
            let want = want.map(|path| Cow::Borrowed(path.as_bytes()));
            assert_eq!(normalize_path(input.as_bytes()).map_err(|located| located.error), want, "{input}: {why}");
        }
    }

    #[test]
    fn authority_is_host_and_optional_port() {
        for (input, want, why) in [
            ("localhost", Some(("localhost", None)), "a name"),
            ("localhost:8000", Some(("localhost", Some(8000))), "a name with a port"),
            ("a:", Some(("a", None)), "an empty port"),
            ("a:65535", Some(("a", Some(65535))), "the largest port"),
            ("a:65536", None, "one above the largest port"),
            ("a:+1", None, "a sign"),
            ("[::1]:80", Some(("::1", Some(80))), "IPv6"),
            ("[::1]", Some(("::1", None)), "IPv6 without a port"),
            ("[::1", None, "no closing bracket"),
            ("[::1]80", None, "no colon"),
            ("[g::]", None, "not an address"),
            ("", None, "empty"),
            (":80", None, "no host"),
            ("u@a", None, "user information"),
            ("a,b", None, "a list"),
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
    fn errors_are_located_in_the_path() {
        for (path, error, offset) in [
            ("/a/%zz", ParseError::InvalidPercentEncoding, 3),
            ("/a%2", ParseError::InvalidPercentEncoding, 2),
            ("/%41%00", ParseError::EncodedNul, 4),
            ("/a/b%2Fc", ParseError::EncodedSlash, 4),
            ("/a/../../b", ParseError::PathTraversal, 6),
        ] {
            assert_eq!(normalize_path(path.as_bytes()), Err(error.with_offset(offset)), "{path}");
        }
    }
}
