//! What does every response carry that was decided before the first request?
//!
//! Who we are, what `--header` and `--cors` add. It is spelled once, at the start, and each head is given a copy of
//! the bytes: a field for all answers costs nothing but its length.

use crate::http::grammar::{is_control, is_token, trim_ows};
use crate::http::response::write_header;

/// A field that is added to every response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultHeader {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Fields that are not for everybody to set, and why. Names are in lower case.
const RESERVED_HEADERS: &[(&[&str], &str)] = &[
    (
        &[
            "connection",
            "content-length",
            "date",
            "keep-alive",
            "proxy-connection",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
        ],
        "the server alone knows it, and a wrong one would break the message",
    ),
    (
        &["accept-ranges", "content-encoding", "content-range", "etag", "last-modified"],
        "it belongs to one file and is made for each",
    ),
    (&["age"], "only a cache knows it"),
    (
        &["allow", "content-location", "location", "retry-after", "www-authenticate"],
        "it belongs to one answer and is made for each",
    ),
    (&["content-type"], "it is different for each file; --mime EXT=TYPE and --charset change it"),
    (&["x-content-type-options"], "nosniff is in every answer already"),
];

/// The fields that `--cors` is about begin like this.
const ACCESS_CONTROL: &str = "access-control-";

impl DefaultHeader {
    /// Reads a field as a person writes it: `Name: value`.
    ///
    /// # Errors
    /// What is wrong with it, and the way out.
    // field-line = field-name ":" OWS field-value OWS
    pub fn parse(text: &str) -> Result<DefaultHeader, String> {
        let (name, value) = text.split_once(':').ok_or("write 'Name: value'")?;
        let value = std::str::from_utf8(trim_ows(value.as_bytes())).unwrap_or_default();
        if !is_token(name.as_bytes()) {
            return Err("the name of a field is letters, digits and hyphens, with the colon right behind it".to_owned());
        }
        if value.bytes().any(is_control) {
            return Err("a value is one line: no line ends and no control characters".to_owned());
        }
        let lower = name.to_ascii_lowercase();
        if let Some((_, why)) = RESERVED_HEADERS.iter().find(|(names, _)| names.contains(&&*lower)) {
            return Err(format!("{name} is not yours to set: {why}"));
        }
        if lower.starts_with(ACCESS_CONTROL) {
            return Err(format!("{name} is not yours to set: --cors does, and answers what browsers ask before"));
        }
        Ok(DefaultHeader { name: name.to_owned(), value: value.to_owned() })
    }

    /// Whether it has that name.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The field lines that every response carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultHeaders {
    lines: Vec<u8>,
}

impl Default for DefaultHeaders {
    fn default() -> DefaultHeaders {
        DefaultHeaders::new(&[], &[])
    }
}

impl DefaultHeaders {
    /// Spells them. `given` may say who we are instead of us.
    pub fn new(given: &[DefaultHeader], others: &[(&str, &str)]) -> DefaultHeaders {
        let mut lines = Vec::new();
        let mut add = |name: &str, value: &str| {
            if !given.iter().any(|field| field.is(name)) {
                write_header(&mut lines, name, value.as_bytes());
            }
        };
        add("Server", "threadbare");
        for (name, value) in others {
            add(name, value);
        }
        for field in given {
            write_header(&mut lines, &field.name, field.value.as_bytes());
        }
        DefaultHeaders { lines }
    }

    /// The lines, each with its CRLF.
    pub fn lines(&self) -> &[u8] {
        &self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_as_people_write_them() {
        for (text, want, why) in [
            ("X-A: b", Ok(("X-A", "b")), "as in a message"),
            ("X-A:b", Ok(("X-A", "b")), "without the space"),
            ("X-A:  \t b c \t", Ok(("X-A", "b c")), "with more of it"),
            ("X-A:", Ok(("X-A", "")), "an empty value"),
            ("X-A: b: c", Ok(("X-A", "b: c")), "a colon in it"),
            ("X-A: \u{fc}", Ok(("X-A", "\u{fc}")), "bytes beyond ASCII are obs-text"),
            ("Server: me", Ok(("Server", "me")), "who we are may be hidden"),
            ("X-A", Err("'Name: value'"), "no colon"),
            ("", Err("'Name: value'"), "nothing"),
            (": b", Err("the name of a field"), "no name"),
            ("X A: b", Err("the name of a field"), "a space in it"),
            ("X-A : b", Err("right behind it"), "a space behind it"),
            ("X-\u{fc}: b", Err("the name of a field"), "not ASCII"),
            ("X-A: b\r\nX-B: c", Err("one line"), "two lines"),
            ("X-A: b\nc", Err("one line"), "a line end"),
            ("X-A\r\n: b", Err("the name of a field"), "a line end in the name"),
            ("X-A: b\0", Err("one line"), "NUL"),
            ("X-A: b\tc", Ok(("X-A", "b\tc")), "a tab is white space"),
            ("X-A: \x7f", Err("one line"), "DEL"),
            ("Content-Length: 3", Err("break the message"), "framing"),
            ("TRANSFER-ENCODING: chunked", Err("break the message"), "in any case"),
            ("connection: close", Err("break the message"), "of the connection"),
            ("Date: now", Err("break the message"), "ours"),
            ("Proxy-Connection: close", Err("break the message"), "of a connection, misspelt by old proxies"),
            ("Age: 0", Err("only a cache"), "of caches"),
            ("Content-Location: /a", Err("made for each"), "of one answer"),
            ("ETag: \"a\"", Err("made for each"), "of a file"),
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
    fn lines() {
        let field = |text| DefaultHeader::parse(text).unwrap();
        let spelled = |given: &[DefaultHeader], others: &[(&str, &str)]| {
            String::from_utf8(DefaultHeaders::new(given, others).lines).unwrap()
        };
        assert_eq!(spelled(&[], &[]), "Server: threadbare\r\n");
        assert_eq!(spelled(&[], &[("X-O", "1")]), "Server: threadbare\r\nX-O: 1\r\n");
        let given = [field("Set-Cookie: a=b"), field("Set-Cookie: c=d"), field("server: me")];
        assert_eq!(spelled(&given, &[]), "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nserver: me\r\n");
        assert_eq!(spelled(&[field("x-o: 2")], &[("X-O", "1")]), "Server: threadbare\r\nx-o: 2\r\n", "in place of ours");
    }
}
