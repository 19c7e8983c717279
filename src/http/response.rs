//! Encoding of response heads (RFC 9112 §4).

use std::io::Write;

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
    for byte in out.iter_mut().skip(start) {
        if matches!(byte, b'\r' | b'\n' | 0) {
            *byte = b' ';
        }
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

/// Appends the empty line at the end of the head.
pub fn write_crlf(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// Appends a decimal number.
pub fn push_number(out: &mut Vec<u8>, number: u64) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "{number}");
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
        write_crlf(&mut out);
        let want = "HTTP/1.1 200 OK\r\nLocation: /a  Set-Cookie: x \r\nContent-Length: 0\r\nX: 18446744073709551615\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }
}
