//! Header fields of every response that are known at start-up: Server, and what `--header` and `--cors` add.
//!
//! They are encoded once, and the bytes are copied into each response head.

use crate::http::grammar::{is_control, is_token};
use crate::http::response::write_header;

/// A header field for every response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultHeader {
    /// The field name.
    pub name: String,
    /// The field value.
    pub value: String,
}

const FRAMING: &str = "the server sets it, and a wrong value would break the message";

/// Fields that `--header` may not set, and why. Names are in lower case.
const RESERVED_HEADERS: &[(&[&str], &str)] = &[
    (&["connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"], FRAMING),
    (&["content-length", "date", "transfer-encoding"], FRAMING),
    (&["accept-ranges", "content-encoding", "content-range", "etag", "last-modified"], "it differs for each file"),
    (&["age"], "only a cache can know it"),
    (&["allow", "content-location", "location", "retry-after", "www-authenticate"], "it differs for each response"),
    (&["content-type"], "it differs for each file; use --mime EXT=TYPE or --charset"),
    (&["x-content-type-options"], "nosniff is in every response already"),
];

/// The prefix of the fields that `--cors` sets.
const ACCESS_CONTROL: &str = "access-control-";

impl DefaultHeader {
    /// Parses `Name: value`.
    ///
    /// # Errors
    /// What to write instead.
    // field-line = field-name ":" OWS field-value OWS
    pub fn parse(text: &str) -> Result<DefaultHeader, String> {
        let (name, value) = text.split_once(':').ok_or("expected 'Name: value'")?;
        let value = value.trim_matches([' ', '\t']);
        if !is_token(name.as_bytes()) {
            return Err("expected a name of letters, digits and hyphens, followed by a colon".to_owned());
        }
        if value.bytes().any(is_control) {
            return Err("the value must be one line without control characters".to_owned());
        }
        let lower = name.to_ascii_lowercase();
        if let Some((_, why)) = RESERVED_HEADERS.iter().find(|(names, _)| names.contains(&&*lower)) {
            return Err(format!("{name} cannot be set: {why}"));
        }
        if lower.starts_with(ACCESS_CONTROL) {
            return Err(format!("{name} cannot be set: use --cors, which also answers preflight requests"));
        }
        Ok(DefaultHeader { name: name.to_owned(), value: value.to_owned() })
    }

    /// Returns whether the field has this name.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// Encodes the field lines of every response, each with its CRLF. A field in `given` replaces Server or one of `others` with the same name.
pub fn encode_default_headers(given: &[DefaultHeader], others: &[(&str, &str)]) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in [("Server", "threadbare")].iter().chain(others) {
        if !given.iter().any(|field| field.is(name)) {
            write_header(&mut lines, name, value.as_bytes());
        }
    }
    for field in given {
        write_header(&mut lines, &field.name, field.value.as_bytes());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_parsed_or_refused() {
        for (text, want, why) in [
            ("X-A: b", Ok(("X-A", "b")), "as in a message"),
            ("X-A:b", Ok(("X-A", "b")), "without the space"),
            ("X-A:  \t b c \t", Ok(("X-A", "b c")), "with more of it"),
            ("X-A:", Ok(("X-A", "")), "an empty value"),
            ("X-A: b: c", Ok(("X-A", "b: c")), "a colon in it"),
            ("X-A: \u{fc}", Ok(("X-A", "\u{fc}")), "bytes beyond ASCII are obs-text"),
            ("Server: me", Ok(("Server", "me")), "Server may be replaced"),
            ("X-A", Err("'Name: value'"), "no colon"),
            ("", Err("'Name: value'"), "nothing"),
            (": b", Err("expected a name"), "no name"),
            ("X A: b", Err("expected a name"), "a space in it"),
            ("X-A : b", Err("followed by a colon"), "a space behind it"),
            ("X-\u{fc}: b", Err("expected a name"), "not ASCII"),
            ("X-A: b\r\nX-B: c", Err("one line"), "two lines"),
            ("X-A: b\nc", Err("one line"), "a line end"),
            ("X-A\r\n: b", Err("expected a name"), "a line end in the name"),
            ("X-A: b\0", Err("one line"), "NUL"),
            ("X-A: b\tc", Ok(("X-A", "b\tc")), "a tab is white space"),
            ("X-A: \x7f", Err("one line"), "DEL"),
            ("Content-Length: 3", Err("break the message"), "framing"),
            ("TRANSFER-ENCODING: chunked", Err("break the message"), "in any case"),
            ("connection: close", Err("break the message"), "of the connection"),
            ("Date: now", Err("break the message"), "set by the server"),
            ("Proxy-Connection: close", Err("break the message"), "of a connection, misspelt by old proxies"),
            ("Age: 0", Err("only a cache"), "of caches"),
            ("Content-Location: /a", Err("each response"), "of one response"),
            ("ETag: \"a\"", Err("each file"), "of a file"),
            ("Content-Type: text/html", Err("--mime"), "of a file, with another flag"),
            ("Access-Control-Allow-Origin: *", Err("--cors"), "with another flag"),
        ] {
            match (DefaultHeader::parse(text), want) {
                (Ok(field), Ok(want)) => assert_eq!((&*field.name, &*field.value), want, "{why}"),
                (Err(got), Err(want)) => assert!(got.contains(want), "{why}: {got}"),
                (got, want) => panic!("{text:?}: {why}: {got:?} instead of {want:?}"),
            }
        }
    }

    #[test]
    fn fields_are_encoded_once_each() {
        let field = |text| DefaultHeader::parse(text).unwrap();
        let spelled =
            |given: &[DefaultHeader], others: &[(&str, &str)]| String::from_utf8(encode_default_headers(given, others)).unwrap();
        assert_eq!(spelled(&[], &[]), "Server: threadbare\r\n");
        assert_eq!(spelled(&[], &[("X-O", "1")]), "Server: threadbare\r\nX-O: 1\r\n");
        let given = [field("Set-Cookie: a=b"), field("Set-Cookie: c=d"), field("server: me")];
        assert_eq!(spelled(&given, &[]), "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nserver: me\r\n");
        assert_eq!(spelled(&[field("x-o: 2")], &[("X-O", "1")]), "Server: threadbare\r\nx-o: 2\r\n", "in place of the default");
    }
}
