//! Parsing of request heads (RFC 9112 §2.1, §3, §5).
//!
//! [`RequestParser`] is resumable: it is called with all bytes received so far, whenever more have arrived, and returns
//! [`Progress::Partial`] until the head is complete. It scans each byte once, so a client that sends one byte at a time costs no more than
//! one that sends the whole head at once.
#![allow(clippy::indexing_slicing, reason = "the cursor is within the bytes that it has scanned, and the parser is fuzzed")]

use crate::http::error::{LocatedError, ParseError};
use crate::http::framing::{self, BodyLength};
use crate::http::grammar::{find_control_byte, request_line_error_offset, skip_target, skip_token};
use crate::http::headers::{HeaderSpan, Headers, field_line_error};
use crate::http::method::Method;
use crate::http::target::RequestTarget;

/// The protocol version of a message (RFC 9112 §2.3). Higher 1.x versions are treated as 1.1 (RFC 9110 §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0: Host is optional, there are no transfer codings, and connections close by default.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// Limits of a request head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the whole head. 32 KiB: browsers send less than 8 KiB apart from large cookies; h11 and Node.js allow 16 KiB, nginx 32.
    pub head_bytes_max: usize,
    /// Bytes of the request target. 8 KiB: RFC 9112 §3 recommends at least 8,000 for the whole request line.
    pub target_bytes_max: usize,
    /// Number of field lines. 100, like Apache and Python.
    pub fields_max: usize,
    /// Bytes of the method name. 32: the longest registered one has 17 (`UPDATEREDIRECTREF`).
    pub method_bytes_max: usize,
}

impl Default for HeadLimits {
    fn default() -> HeadLimits {
        HeadLimits { head_bytes_max: 32_768, target_bytes_max: 8192, fields_max: 100, method_bytes_max: 32 }
    }
}

/// A request head: the request line and the header fields. It borrows the received bytes.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: Method,
    /// The request target as received: visible ASCII without `#`. [`RequestTarget::parse`] decodes it.
    pub target: &'a [u8],
    /// The index of the target's first byte in the message.
    pub target_offset: usize,
    /// The protocol version.
    pub version: Version,
    /// The header fields.
    pub headers: Headers<'a>,
}

impl<'a> RequestHead<'a> {
    /// Validates and decodes the parts that affect the whole message: target, Host, body length and Expect.
    ///
    /// # Errors
    /// The first violated rule and its position.
    pub fn validate(&self) -> Result<RequestInfo<'a>, LocatedError> {
        let target = RequestTarget::parse(self)?;
        let located = |error: ParseError| error.with_offset(framing::error_offset(self, error));
        let body_length = framing::request_body_length(self).map_err(located)?;
        let expects_continue = framing::expects_continue(self).map_err(located)?;
        Ok(RequestInfo { target, body_length, expects_continue })
    }
}

/// The decoded target, the body length and the expectation of a valid request head.
#[derive(Debug)]
pub struct RequestInfo<'a> {
    /// The requested resource.
    pub target: RequestTarget<'a>,
    /// The length of the message body.
    pub body_length: BodyLength,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
}

/// The result of a call of [`RequestParser::parse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The bytes are valid so far, but the head is incomplete.
    Partial,
    /// The head is complete and has this many bytes.
    Complete(usize),
}

/// A resumable parser of one request head.
#[derive(Debug)]
pub struct RequestParser {
    limits: HeadLimits,
    line: LineCursor,
    request_line: Option<RequestLine>,
    fields: Vec<HeaderSpan>,
}

#[derive(Clone, Copy, Debug)]
struct RequestLine {
    method: Method,
    /// Start and end, as indexes in the message.
    target: (usize, usize),
    version: Version,
}

/// The current line and how far it has been scanned, as indexes in the message.
#[derive(Clone, Copy, Debug)]
struct LineCursor {
    start: usize,
    /// End of the leading token: a method or a field name.
    token_end: usize,
    /// End of the request target, if the line is a method, a space and a target so far.
    target_end: usize,
    /// End of the bytes that contain no control character.
    scanned: usize,
}

impl RequestParser {
    /// Creates a parser with these limits.
    pub fn new(limits: HeadLimits) -> RequestParser {
        RequestParser { limits, line: LineCursor::new(0), request_line: None, fields: Vec::new() }
    }

    /// Prepares the parser for the next head, and keeps its memory.
    pub fn reset(&mut self) {
        self.line = LineCursor::new(0);
        self.request_line = None;
        self.fields.clear();
    }

    /// Continues parsing. `bytes` must begin with the bytes of the previous call, if there was one since [`RequestParser::reset`].
    ///
    /// # Errors
    /// The first violated rule and its position.
    // HTTP-message = start-line CRLF *( field-line CRLF ) CRLF [ message-body ]
    pub fn parse(&mut self, bytes: &[u8]) -> Result<Progress, LocatedError> {
        let mut line = self.line;
        while self.request_line.is_none() {
            line.scan_request_line(bytes);
            let end = line.end(bytes)?;
            self.check_request_line_limits(line, &bytes[..line.scanned])?;
            let Some(end) = end else { return self.partial(line, bytes) };
            // RFC 9112 §2.2 asks servers to ignore at least one empty line before the request line; a second one is rejected.
            if end > 0 {
                self.request_line = Some(line.parse_request_line(&bytes[..end])?);
            }
            line = LineCursor::new(end + 2);
        }
        self.parse_fields(line, bytes)
    }

    /// Parses field lines up to the empty line.
    fn parse_fields(&mut self, mut line: LineCursor, bytes: &[u8]) -> Result<Progress, LocatedError> {
        loop {
            line.token_end = skip_token(bytes, line.token_end);
            line.scanned = line.scanned.max(line.token_end);
            let Some(end) = line.end(bytes)? else { return self.partial(line, bytes) };
            if end == line.start {
                let head_bytes = end + 2;
                if head_bytes > self.limits.head_bytes_max {
                    return Err(ParseError::HeaderTooLarge.with_offset(self.limits.head_bytes_max));
                }
                return Ok(Progress::Complete(head_bytes));
            }
            if self.fields.len() == self.limits.fields_max {
                return Err(ParseError::TooManyHeaders.with_offset(line.start));
            }
            let Some(field) = HeaderSpan::parse(bytes, line.start..end, line.token_end) else {
                return Err(field_line_error(bytes, line.start..end, self.fields.len()));
            };
            self.fields.push(field);
            line = LineCursor::new(end + 2);
        }
    }

    /// Stores the cursor until more bytes arrive, unless the head cannot end within its limit.
    fn partial(&mut self, line: LineCursor, bytes: &[u8]) -> Result<Progress, LocatedError> {
        self.line = line;
        if bytes.len() >= self.limits.head_bytes_max {
            return Err(ParseError::HeaderTooLarge.with_offset(self.limits.head_bytes_max));
        }
        Ok(Progress::Partial)
    }

    /// Returns the head. `bytes` must be those of the last call of [`RequestParser::parse`]. `None` before the request line is complete.
    pub fn head<'a>(&'a self, bytes: &'a [u8]) -> Option<RequestHead<'a>> {
        let RequestLine { method, target: (start, end), version } = self.request_line?;
        let target = bytes.get(start..end)?;
        let headers = Headers { bytes, spans: &self.fields };
        Some(RequestHead { method, target, target_offset: start, version, headers })
    }

    /// Checks the lengths of method and target in a complete or incomplete request line, so that the error does not depend on how the line is
    /// split into reads.
    fn check_request_line_limits(&self, line: LineCursor, bytes: &[u8]) -> Result<(), LocatedError> {
        let word_end = |from: usize| bytes.iter().skip(from).position(|&b| b == b' ').map_or(bytes.len(), |length| from + length);
        let method_end = word_end(line.token_end);
        if method_end > line.start + self.limits.method_bytes_max {
            return Err(ParseError::MethodNotImplemented.with_offset(line.start));
        }
        let target_offset = method_end + 1;
        if word_end(target_offset.max(line.target_end)) > target_offset + self.limits.target_bytes_max {
            return Err(ParseError::TargetTooLong.with_offset(target_offset + self.limits.target_bytes_max));
        }
        Ok(())
    }
}

impl LineCursor {
    fn new(start: usize) -> LineCursor {
        LineCursor { start, token_end: start, target_end: start, scanned: start }
    }

    /// Advances over the bytes of a method, a space and a target.
    #[inline(always)]
    fn scan_request_line(&mut self, bytes: &[u8]) {
        self.token_end = skip_token(bytes, self.token_end);
        if bytes.get(self.token_end) == Some(&b' ') {
            self.target_end = skip_target(bytes, self.target_end.max(self.token_end + 1));
        }
        self.scanned = self.scanned.max(self.token_end).max(self.target_end);
        // Fast path: this rest is known to contain no control character before its CR.
        const REST: &[u8] = b" HTTP/1.1\r";
        if bytes.get(self.scanned..).is_some_and(|rest| rest.starts_with(REST)) {
            self.scanned += REST.len() - 1;
        }
    }

    /// Advances to the CRLF at the end of the line and returns the index of its CR; `None` if it has not arrived yet.
    #[inline(always)]
    fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, LocatedError> {
        let Some(end) = find_control_byte(bytes, self.scanned) else {
            self.scanned = bytes.len();
            return Ok(None);
        };
        self.scanned = end;
        match bytes[end..] {
            [b'\r', b'\n', ..] => Ok(Some(end)),
            [b'\r'] => Ok(None),
            [b'\r', ..] => Err(ParseError::BareCr.with_offset(end)),
            [b'\n', ..] => Err(ParseError::BareLf.with_offset(end)),
            [0, ..] => Err(ParseError::Nul.with_offset(end)),
            _ => Err(ParseError::ControlByte.with_offset(end)),
        }
    }

    /// Parses the request line that ends at the end of `bytes`.
    // request-line = method SP request-target SP HTTP-version
    fn parse_request_line(self, bytes: &[u8]) -> Result<RequestLine, LocatedError> {
        let LineCursor { start, token_end, target_end, .. } = self;
        let target = (token_end + 1, target_end);
        let has_words = start < token_end && target.0 < target.1;
        let version = bytes[target_end..].strip_prefix(b" ").and_then(|version| parse_version(version).ok());
        let (true, Some(version)) = (has_words, version) else { return Err(request_line_error(start, &bytes[start..])) };
        let method = parse_method(&bytes[start..token_end]).map_err(|error| error.with_offset(start))?;
        Ok(RequestLine { method, target, version })
    }
}

/// Finds the error in an invalid request line. The line begins at the index `start` of the message.
#[cold]
fn request_line_error(start: usize, line: &[u8]) -> LocatedError {
    if line.is_empty() {
        return ParseError::EmptyLine.with_offset(start);
    }
    let words: Vec<&[u8]> = line.split(|&b| b == b' ').collect();
    let [method @ [_, ..], target @ [_, ..], version @ [_, ..]] = words[..] else {
        return ParseError::InvalidRequestLine.with_offset(start + request_line_error_offset(line));
    };
    let token_end = skip_token(method, 0);
    if token_end < method.len() {
        return ParseError::InvalidMethod.with_offset(start + token_end);
    }
    let target_offset = start + method.len() + 1;
    if let Err(error) = parse_version(version) {
        return error.with_offset(target_offset + target.len() + 1);
    }
    if let Err(error) = parse_method(method) {
        return error.with_offset(start);
    }
    let end = skip_target(target, 0);
    let error = if target.get(end) == Some(&b'#') { ParseError::Fragment } else { ParseError::InvalidTarget };
    error.with_offset(target_offset + end)
}

fn parse_method(word: &[u8]) -> Result<Method, ParseError> {
    match Method::from_bytes(word) {
        None => Err(ParseError::MethodNotImplemented),
        Some(Method::Connect) => Err(ParseError::ConnectNotSupported),
        Some(method) => Ok(method),
    }
}

// HTTP-version = HTTP-name "/" DIGIT "." DIGIT
// HTTP-name    = %x48.54.54.50 ; HTTP
fn parse_version(word: &[u8]) -> Result<Version, ParseError> {
    // `==` on slices compiles to one eight-byte comparison; a slice pattern is compared byte by byte.
    if word == b"HTTP/1.1" {
        return Ok(Version::Http11);
    }
    match word {
        b"HTTP/1.0" => Ok(Version::Http10),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9'] => Ok(Version::Http11),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(ParseError::UnsupportedVersion),
        _ => Err(ParseError::InvalidVersion),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Progress, ParseError> {
        RequestParser::new(HeadLimits::default()).parse(bytes).map_err(|located| located.error)
    }

    #[test]
    fn every_prefix_of_a_head_is_partial() {
        let head = b"\r\nGET /a?b HTTP/1.1\r\nHost: a\r\nX:\t y \t\r\n\r\nrest";
        let complete = head.len() - 4;
        let mut stepwise = RequestParser::new(HeadLimits::default());
        for end in 0..=head.len() {
            let want = if end < complete { Progress::Partial } else { Progress::Complete(complete) };
            assert_eq!(parse(&head[..end]), Ok(want), "{end} bytes at once");
            if end <= complete {
                assert_eq!(stepwise.parse(&head[..end]), Ok(want), "{end} bytes, byte by byte");
            }
        }
        let head = stepwise.head(head).unwrap();
        assert_eq!((head.method, head.target, head.version), (Method::Get, &b"/a?b"[..], Version::Http11));
        assert_eq!(head.headers.iter().collect::<Vec<_>>(), [(&b"Host"[..], &b"a"[..]), (b"X", b"y")]);
    }

    #[test]
    fn errors_are_located_at_the_offending_byte() {
        for (input, error, offset, why) in [
            (&b"GET / HTTP/1.1\nHost: a"[..], ParseError::BareLf, 14, "a bare LF"),
            (b"GET / HTTP/1.1\r\r\n", ParseError::BareCr, 14, "CR CR LF"),
            (b"GET / HTTP/1.1\r\nA: \0", ParseError::Nul, 19, "NUL in a value"),
            (b"GET / HTTP/1.1\r\nA: \x7f", ParseError::ControlByte, 19, "DEL in a value"),
            (b"\x16\x03\x01", ParseError::ControlByte, 0, "a TLS ClientHello"),
            (b"GET /\xc3 HTTP/1.1\r\n", ParseError::InvalidTarget, 5, "a byte above ASCII"),
            (b"GET /a#b HTTP/1.1\r\n", ParseError::Fragment, 6, "a fragment"),
            (b"G@T / HTTP/1.1\r\n", ParseError::InvalidMethod, 1, "the method is not a token"),
            (b"GET /\r\n", ParseError::InvalidRequestLine, 5, "only two words"),
            (b"GET /a b HTTP/1.1\r\n", ParseError::InvalidRequestLine, 8, "a third space"),
            (b"GET / HTTP/2.0\r\n", ParseError::UnsupportedVersion, 6, "an unsupported major version"),
            (b"GET / HTTP/1.1\r\nA b: c\r\n", ParseError::InvalidFieldName, 17, "a space in the name"),
            (b"GET / HTTP/1.1\r\nA : c\r\n", ParseError::WhitespaceBeforeColon, 17, "a space before the colon"),
            (b"GET / HTTP/1.1\r\nA: b\r\n c: d\r\n", ParseError::ObsFold, 22, "a folded line"),
        ] {
            let mut parser = RequestParser::new(HeadLimits::default());
            assert_eq!(parser.parse(input), Err(error.with_offset(offset)), "{why}");
        }
    }

    #[test]
    fn limits_are_inclusive() {
        let with_target = |n: usize| [b"GET /", vec![b'a'; n - 1].as_slice(), b" HTTP/1.1\r\n\r\n"].concat();
        let with_fields = |n: usize| [b"GET / HTTP/1.1\r\n".to_vec(), b"a:b\r\n".repeat(n), b"\r\n".to_vec()].concat();
        let with_bytes = |n: usize| [b"GET / HTTP/1.1\r\na:", vec![b'b'; n - 22].as_slice(), b"\r\n\r\n"].concat();
        for (input, want, why) in [
            (with_target(8192), None, "a target at its limit"),
            (with_target(8193), Some(ParseError::TargetTooLong), "a target one byte over"),
            (with_target(9000)[..8300].to_vec(), Some(ParseError::TargetTooLong), "rejected before the line ends"),
            (with_fields(100), None, "the maximum number of fields"),
            (with_fields(101), Some(ParseError::TooManyHeaders), "one field more"),
            (with_bytes(32_768), None, "a head at its limit"),
            (with_bytes(32_769), Some(ParseError::HeaderTooLarge), "one byte over"),
            (with_bytes(40_000)[..32_768].to_vec(), Some(ParseError::HeaderTooLarge), "rejected before the head ends"),
            (vec![b'A'; 33], Some(ParseError::MethodNotImplemented), "a method over its limit"),
        ] {
            assert_eq!(parse(&input).err(), want, "{why}");
        }
    }
}
