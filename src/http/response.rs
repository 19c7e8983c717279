//! Encoding of response heads (RFC 9112 §4).

use std::borrow::Cow;
use std::sync::Arc;

use crate::http::status::StatusCode;

/// The interim response that tells a client to send the body (RFC 9110 §15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Appends the status line. The version is always HTTP/1.1, whatever the version of the request (RFC 9110 §6.2).
// status-line = HTTP-version SP status-code SP [ reason-phrase ]
pub fn write_status_line(out: &mut Vec<u8>, status: StatusCode) {
    out.extend_from_slice(b"HTTP/1.1 ");
    push_number(out, u64::from(status.as_u16()));
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends a field line. CR, LF and NUL in the value become spaces (RFC 9110 §5.5), so that a value cannot split the response.
pub fn write_header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    let start = out.len();
    out.extend_from_slice(value);
    for byte in out.split_at_mut(start).1 {
        *byte = if matches!(byte, b'\r' | b'\n' | 0) { b' ' } else { *byte };
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a field line with a number as its value.
pub fn write_header_u64(out: &mut Vec<u8>, name: &str, value: u64) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    push_number(out, value);
    out.extend_from_slice(b"\r\n");
}

/// Appends a decimal number. With `write!`, the two numbers of a response took a fifteenth of its instructions.
pub fn push_number(out: &mut Vec<u8>, number: u64) {
    if number >= 10 {
        push_number(out, number / 10);
    }
    out.extend(u8::try_from(number % 10).map(|digit| b'0' + digit));
}

/// As many fields as a handler usually sets: room for them is made once.
const FIELDS_USUAL: usize = 8;

/// The fields of a response, in the order in which they are sent.
#[derive(Clone, Debug, Default)]
pub struct ResponseHeaders {
    encoded: Option<Arc<[u8]>>,
    lines: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

impl ResponseHeaders {
    /// Fields that [`ResponseHeaders::encode`] has encoded before; others may follow.
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
    fn values_cannot_split_the_response() {
        let mut out = Vec::new();
        write_status_line(&mut out, StatusCode::OK);
        write_header(&mut out, "Location", b"/a\r\nSet-Cookie: x\0");
        write_header_u64(&mut out, "Content-Length", 0);
        write_header_u64(&mut out, "X", u64::MAX);
        out.extend_from_slice(b"\r\n");
        let want = "HTTP/1.1 200 OK\r\nLocation: /a  Set-Cookie: x \r\nContent-Length: 0\r\nX: 18446744073709551615\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }

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
