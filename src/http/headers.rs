//! Header fields and field lines (RFC 9110 §5, §6.3; RFC 9112 §5).
#![allow(clippy::indexing_slicing, reason = "spans are created by HeaderSpan::parse from the message that they index")]

use std::ops::Range;

use crate::http::error::{LocatedError, ParseError};
use crate::http::grammar::{list, skip_token};

/// Names of the header fields that this server reads, and where RFC 9110 or another one defines them. Names are case-insensitive (§5.1).
#[allow(missing_docs, reason = "each name is its field")]
pub mod name {
    pub const ACCEPT: &str = "accept"; // §12.5.1
    pub const ACCEPT_ENCODING: &str = "accept-encoding"; // §12.5.3
    pub const ACCESS_CONTROL_REQUEST_HEADERS: &str = "access-control-request-headers"; // Fetch §3.3.2
    pub const ACCESS_CONTROL_REQUEST_METHOD: &str = "access-control-request-method"; // Fetch §3.3.2
    pub const AUTHORIZATION: &str = "authorization"; // §11.6.2
    pub const CONNECTION: &str = "connection"; // §7.6.1
    pub const CONTENT_DISPOSITION: &str = "content-disposition"; // RFC 7578 §4.2
    pub const CONTENT_ENCODING: &str = "content-encoding"; // §8.4
    pub const CONTENT_LENGTH: &str = "content-length"; // §8.6
    pub const CONTENT_RANGE: &str = "content-range"; // §14.4
    pub const CONTENT_TYPE: &str = "content-type"; // §8.3
    pub const EXPECT: &str = "expect"; // §10.1.1
    pub const FORWARDED: &str = "forwarded"; // RFC 7239 §4
    pub const HOST: &str = "host"; // §7.2
    pub const IF_MATCH: &str = "if-match"; // §13.1.1
    pub const IF_MODIFIED_SINCE: &str = "if-modified-since"; // §13.1.3
    pub const IF_NONE_MATCH: &str = "if-none-match"; // §13.1.2
    pub const IF_RANGE: &str = "if-range"; // §13.1.5
    pub const IF_UNMODIFIED_SINCE: &str = "if-unmodified-since"; // §13.1.4
    pub const ORIGIN: &str = "origin"; // RFC 6454 §7
    pub const RANGE: &str = "range"; // §14.2
    pub const REFERER: &str = "referer"; // §10.1.3
    pub const SEC_FETCH_DEST: &str = "sec-fetch-dest"; // Fetch Metadata Request Headers §2.1
    pub const SEC_FETCH_SITE: &str = "sec-fetch-site"; // Fetch Metadata Request Headers §2.3
    pub const TRANSFER_ENCODING: &str = "transfer-encoding"; // RFC 9112 §6.1
    pub const USER_AGENT: &str = "user-agent"; // §10.1.5
    pub const X_FORWARDED_FOR: &str = "x-forwarded-for"; // predecessor of Forwarded, without a standard
    pub const X_FORWARDED_PROTO: &str = "x-forwarded-proto"; // predecessor of Forwarded, without a standard
}

/// Words in the names of fields that hold credentials, also those that proxies and applications have invented.
pub const SENSITIVE_WORDS: [&str; 10] =
    ["auth", "token", "key", "jwt", "secret", "assertion", "oidc", "cookie", "password", "session"];
/// Fields with such a word that are no secret: a nonce (RFC 6455 §11.3.1), and what a server asks for (RFC 9110 §11.6.1).
const HARMLESS_HEADERS: [&str; 3] = ["sec-websocket-key", "www-authenticate", "proxy-authenticate"];

/// Whether no page and no log shows the value of a field with this name.
pub fn is_sensitive(name: &[u8]) -> bool {
    let is_harmless = HARMLESS_HEADERS.iter().any(|harmless| name.eq_ignore_ascii_case(harmless.as_bytes()));
    !is_harmless && contains_sensitive_word(name)
}

/// Whether a text contains one of the [`SENSITIVE_WORDS`], whatever their case.
pub fn contains_sensitive_word(text: &[u8]) -> bool {
    let contains = |word: &str| text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
    SENSITIVE_WORDS.into_iter().any(contains)
}

/// The field lines of one head, in the order in which they came. Nothing is copied: names and values are parts of the bytes received.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    /// The bytes that contain the fields: a message, a trailer section or the head of a part.
    pub bytes: &'a [u8],
    /// The positions of the fields in `bytes`.
    pub spans: &'a [HeaderSpan],
}

impl<'a> Headers<'a> {
    /// Returns the name and value of each field line, in order, both as received.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let bytes = self.bytes;
        self.spans.iter().map(move |span| (span.name(bytes), span.value(bytes)))
    }

    /// Returns the values of all field lines with this name, in order.
    pub fn get_all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let bytes = self.bytes;
        self.spans.iter().filter(move |span| span.has_name(bytes, name)).map(move |span| span.value(bytes))
    }

    /// Returns the value of the first field line with this name.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.get_all(name).next()
    }

    /// Returns the value of the only field line with this name; `None` if there is none or more than one. Recipients disagree about which
    /// of several values counts if the grammar allows only one (RFC 9110 §5.3).
    pub fn get_unique(&self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.get_all(name);
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }

    /// Returns the index in the message at which the value of the last field line with this name begins.
    pub fn value_offset(&self, name: &str) -> Option<usize> {
        self.spans.iter().rev().find(|span| span.has_name(self.bytes, name)).map(|span| span.value.0)
    }

    /// Returns the members of a list-valued field, over all its field lines (RFC 9110 §5.6.1).
    pub fn list<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.get_all(name).flat_map(list)
    }

    /// Whether a list-valued field has this token as a member, ignoring ASCII case.
    pub fn contains_token(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|member| member.eq_ignore_ascii_case(token.as_bytes()))
    }
}

/// Positions of the name and the value of one field line in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderSpan {
    name: (usize, usize),
    value: (usize, usize),
}

impl HeaderSpan {
    /// Parses the field line at `line`, without its CRLF. The caller has verified that it contains no control character but tabs, and that it
    /// is a token up to `token_end`. `None` if it does not begin with a name and a colon; [`field_line_error`] then finds the error.
    // field-line = field-name ":" OWS field-value OWS
    pub fn parse(message: &[u8], line: Range<usize>, token_end: usize) -> Option<HeaderSpan> {
        let Some([b':', after_colon @ ..]) = message.get(token_end..line.end) else { return None };
        // OWS = *( SP / HTAB ); the line contains no other white space.
        let from_value = after_colon.trim_ascii_start();
        let value = from_value.trim_ascii_end();
        let value_start = line.end - from_value.len();
        (token_end > line.start)
            .then_some(HeaderSpan { name: (line.start, token_end), value: (value_start, value_start + value.len()) })
    }

    fn name<'a>(&self, message: &'a [u8]) -> &'a [u8] {
        &message[self.name.0..self.name.1]
    }

    fn value<'a>(&self, message: &'a [u8]) -> &'a [u8] {
        &message[self.value.0..self.value.1]
    }

    fn has_name(&self, message: &[u8], name: &str) -> bool {
        self.name.1 - self.name.0 == name.len() && self.name(message).eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Finds the error in a field line that [`HeaderSpan::parse`] rejects. `index` is the number of field lines before it.
#[cold]
pub fn field_line_error(message: &[u8], line: Range<usize>, index: usize) -> LocatedError {
    let start = line.start;
    let line = &message[line];
    if let Some(b' ' | b'\t') = line.first() {
        // Parsers disagree about such lines, so a field can be hidden from one of two.
        return if index == 0 { ParseError::LeadingWhitespace } else { ParseError::ObsFold }.with_offset(start);
    }
    let Some(colon) = line.iter().position(|&b| b == b':') else { return ParseError::MissingColon.with_offset(start) };
    match &line[..colon] {
        [] => ParseError::EmptyFieldName.with_offset(start),
        [.., b' ' | b'\t'] => ParseError::WhitespaceBeforeColon.with_offset(start + colon - 1),
        name => ParseError::InvalidFieldName.with_offset(start + skip_token(name, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::{HeadLimits, RequestParser};

    #[test]
    fn fields_with_secrets_are_known_by_words_in_their_names() {
        for (names, want) in [
            ("Authorization Cookie Set-Cookie Proxy-Authorization AUTHORIZATION X-Auth X-Forwarded-Access-Token", true),
            ("Cf-Access-Jwt-Assertion X-Api-Key X-API-KEY X-Amz-Security-Token X-Amzn-Oidc-Data X-Goog-IAP-JWT-Assertion", true),
            (
                "X-CSRF-Token X-Vault-Token X-Client-Secret X-Session-Id X-User-Password Sec-Token-Binding Apikey Idempotency-Key",
                true,
            ),
            (
                "Host Accept User-Agent Origin Referer Range If-None-Match Keep-Alive Connection X-Forwarded-For Forwarded Via",
                false,
            ),
            ("Sec-WebSocket-Key SEC-WEBSOCKET-KEY Sec-WebSocket-Version WWW-Authenticate Proxy-Authenticate X-Request-Id", false),
            ("Sec-Fetch-Site Content-Length Transfer-Encoding Traceparent DNT Priority Upgrade-Insecure-Requests Ke-y", false),
        ] {
            for name in names.split(' ') {
                assert_eq!(is_sensitive(name.as_bytes()), want, "{name}");
            }
        }
    }

    #[test]
    fn fields_are_found_by_name_without_case() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\nCONNECTION: Keep-Alive,close\r\nconnection: x\r\nEmpty:\r\n\r\n";
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(head).unwrap();
        let headers = parser.head(head).unwrap().headers;
        assert_eq!(headers.get(name::HOST), Some(&b"a"[..]));
        assert_eq!(headers.get_unique(name::CONNECTION), None, "two field lines have no unique value");
        assert_eq!(headers.list(name::CONNECTION).count(), 3);
        assert!(headers.contains_token(name::CONNECTION, "close") && headers.contains_token(name::CONNECTION, "keep-alive"));
        assert!(!headers.contains_token(name::CONNECTION, "clos"));
        assert_eq!(headers.get("empty"), Some(&b""[..]));
        assert_eq!(headers.iter().count(), 4);
    }
}
