//! Which fields does a response have?
//!
//! A handler pushes them one by one. Those of a file that is kept in memory are the same each time, so they are spelled once, and
//! a response refers to them: nothing is copied and nothing allocated.

use std::borrow::Cow;
use std::sync::Arc;

use crate::http::response::write_header;

/// As many fields as a handler usually sets: room for them is made once.
const FIELDS_USUAL: usize = 8;

/// The fields of a response, in the order in which they are sent.
#[derive(Clone, Debug, Default)]
pub struct ResponseHeaders {
    encoded: Option<Arc<[u8]>>,
    lines: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

impl ResponseHeaders {
    /// Fields that were spelled before, by [`ResponseHeaders::encode`]; others may follow.
    pub fn from_encoded(lines: &Arc<[u8]>) -> ResponseHeaders {
        ResponseHeaders { encoded: Some(Arc::clone(lines)), lines: Vec::new() }
    }

    /// Appends a field.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) {
        if self.lines.capacity() == 0 {
            self.lines.reserve_exact(FIELDS_USUAL);
        }
        self.lines.push((name.into(), value.into()));
    }

    /// The value of the first field of that name, ASCII case ignored.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Name and value of each field, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let prepared = std::str::from_utf8(self.encoded.as_deref().unwrap_or_default()).unwrap_or_default();
        let prepared = prepared.split_terminator("\r\n").filter_map(|line| line.split_once(": "));
        prepared.chain(self.lines.iter().map(|(name, value)| (&**name, &**value)))
    }

    /// Appends all field lines, each with its CRLF.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.encoded.as_deref().unwrap_or_default());
        for (name, value) in &self.lines {
            write_header(out, name, value.as_bytes());
        }
    }

    /// All field lines as bytes, to be referred to by [`ResponseHeaders::from_encoded`].
    pub fn encode(&self) -> Arc<[u8]> {
        let mut out = Vec::new();
        self.write(&mut out);
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prepared_fields_are_fields_like_others() {
        let mut fields = ResponseHeaders::default();
        fields.push("Content-Type", "text/plain; charset=utf-8");
        fields.push("ETag", "\"a: b\"");
        let mut again = ResponseHeaders::from_encoded(&fields.encode());
        assert_eq!(again.iter().collect::<Vec<_>>(), fields.iter().collect::<Vec<_>>());
        again.push("X-A", "b");
        assert_eq!((again.first("etag"), again.first("x-a")), (Some("\"a: b\""), Some("b")));
        let want = "Content-Type: text/plain; charset=utf-8\r\nETag: \"a: b\"\r\nX-A: b\r\n";
        assert_eq!(&*again.encode(), want.as_bytes());
    }
}
