//! Which fields did the sender send? (RFC 9110 §5, §6.3)

use crate::http::field_line::HeaderSpan;
use crate::http::grammar::list;

/// Names of the fields that this server reads, and where RFC 9110 or 9112 defines them. Names compare without case (§5.1).
#[allow(missing_docs, reason = "each name is its field")]
pub mod name {
    pub const ACCEPT: &str = "accept"; // §12.5.1
    pub const ACCEPT_ENCODING: &str = "accept-encoding"; // §12.5.3
    pub const ACCESS_CONTROL_REQUEST_HEADERS: &str = "access-control-request-headers"; // Fetch §3.3.2
    pub const ACCESS_CONTROL_REQUEST_METHOD: &str = "access-control-request-method"; // Fetch §3.3.2
    pub const AUTHORIZATION: &str = "authorization"; // §11.6.2
    pub const CONNECTION: &str = "connection"; // §7.6.1
    pub const CONTENT_LENGTH: &str = "content-length"; // §8.6
    pub const COOKIE: &str = "cookie"; // RFC 6265 §4.2
    pub const EXPECT: &str = "expect"; // §10.1.1
    pub const FORWARDED: &str = "forwarded"; // RFC 7239 §4
    pub const HOST: &str = "host"; // §7.2
    pub const IF_MATCH: &str = "if-match"; // §13.1.1
    pub const IF_MODIFIED_SINCE: &str = "if-modified-since"; // §13.1.3
    pub const IF_NONE_MATCH: &str = "if-none-match"; // §13.1.2
    pub const IF_RANGE: &str = "if-range"; // §13.1.5
    pub const IF_UNMODIFIED_SINCE: &str = "if-unmodified-since"; // §13.1.4
    pub const ORIGIN: &str = "origin"; // RFC 6454 §7
    pub const PROXY_AUTHORIZATION: &str = "proxy-authorization"; // §11.7.2
    pub const RANGE: &str = "range"; // §14.2
    pub const REFERER: &str = "referer"; // §10.1.3
    pub const SEC_FETCH_SITE: &str = "sec-fetch-site"; // Fetch Metadata Request Headers §2.3
    pub const TRANSFER_ENCODING: &str = "transfer-encoding"; // RFC 9112 §6.1
    pub const USER_AGENT: &str = "user-agent"; // §10.1.5
    pub const X_FORWARDED_FOR: &str = "x-forwarded-for"; // what was before Forwarded
    pub const X_FORWARDED_PROTO: &str = "x-forwarded-proto"; // the same
}

/// Fields that hold secrets, which no log or page shows.
pub const SENSITIVE_HEADERS: [&str; 3] = [name::AUTHORIZATION, name::COOKIE, name::PROXY_AUTHORIZATION];

/// The field lines of one head, in the order in which they came. Nothing is copied: names and values are parts of the bytes received.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    bytes: &'a [u8],
    lines: &'a [HeaderSpan],
}

impl<'a> Headers<'a> {
    /// The fields whose places in `bytes` are `lines`.
    pub fn new(bytes: &'a [u8], lines: &'a [HeaderSpan]) -> Headers<'a> {
        Headers { bytes, lines }
    }

    /// Name and value of each line, in order, both as they came.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let bytes = self.bytes;
        self.lines.iter().map(move |line| (part(bytes, line.name, line.name_len), part(bytes, line.value, line.value_len)))
    }

    /// The values of all lines of that name, in order.
    pub fn get_all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let bytes = self.bytes;
        self.lines
            .iter()
            .filter(move |line| usize::try_from(line.name_len) == Ok(name.len()))
            .filter(move |line| part(bytes, line.name, line.name_len).eq_ignore_ascii_case(name.as_bytes()))
            .map(move |line| part(bytes, line.value, line.value_len))
    }

    /// The value of the first line of that name.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.get_all(name).next()
    }

    /// Where the value of the last line of that name begins in the message: the place for a caret.
    pub fn value_offset(&self, name: &str) -> Option<usize> {
        let named = |line: &&HeaderSpan| part(self.bytes, line.name, line.name_len).eq_ignore_ascii_case(name.as_bytes());
        self.lines.iter().rev().find(named).and_then(|line| usize::try_from(line.value).ok())
    }

    /// The value of the one line of that name. `None` when there is no line, or more than one: what is given twice where the
    /// grammar allows it once has no meaning that two readers would agree on (RFC 9110 §5.3).
    pub fn get_unique(&self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.get_all(name);
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }

    /// The members of a list-valued field, over all its lines (RFC 9110 §5.6.1).
    pub fn list<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.get_all(name).flat_map(list)
    }

    /// Whether a list-valued field has that token as a member, ASCII case ignored.
    pub fn contains_token(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|member| member.eq_ignore_ascii_case(token.as_bytes()))
    }
}

fn part(bytes: &[u8], start: u32, length: u32) -> &[u8] {
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    bytes.get(start..start.saturating_add(length)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::{HeadLimits, RequestParser};

    #[test]
    fn lookup() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\nCONNECTION: Keep-Alive,close\r\nconnection: x\r\nEmpty:\r\n\r\n";
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(head).unwrap();
        let headers = parser.head(head).unwrap().headers;
        assert_eq!(headers.get(name::HOST), Some(&b"a"[..]));
        assert_eq!(headers.get_unique(name::CONNECTION), None, "two lines");
        assert_eq!(headers.list(name::CONNECTION).count(), 3);
        assert!(headers.contains_token(name::CONNECTION, "close") && headers.contains_token(name::CONNECTION, "keep-alive"));
        assert!(!headers.contains_token(name::CONNECTION, "clos"));
        assert_eq!(headers.get("empty"), Some(&b""[..]));
        assert_eq!(headers.iter().count(), 4);
    }
}
