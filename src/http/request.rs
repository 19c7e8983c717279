//! Where does the head end, and what does it say? (RFC 9112 §2.1, §3, §5)
//!
//! [`RequestParser`] is fed the bytes received so far, as often as more have come. It says [`Progress::Partial`] until the head is
//! complete, and never reads a byte twice in search of the end of a line: a client that sends one byte at a time costs no more
//! than one that sends all at once.

use crate::http::error::{LocatedError, ParseError};
use crate::http::framing::{self, BodyLength};
use crate::http::grammar::{find_control_byte, is_target_byte, is_tchar, request_line_error_offset, skip_target, skip_token};
use crate::http::headers::{self, HeaderSpan, Headers};
use crate::http::method::Method;
use crate::http::target::RequestTarget;

/// The version of the protocol that a message is in (RFC 9112 §2.3). Other 1.x are read as 1.1, as §2.3 asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0: no Host needed, no transfer codings, closes unless asked not to.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// What a head may be at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Request line, field lines and the empty line, in bytes. 32 KiB: browsers send less than 8 KiB unless cookies got out of
    /// hand; h11 allows 16, node 16, nginx 32.
    pub head_bytes_max: usize,
    /// The target alone, in bytes. 8 KiB: RFC 9112 §3 recommends at least 8,000.
    pub target_bytes_max: usize,
    /// Field lines. 100, as Apache and Python allow.
    pub fields_max: usize,
    /// A method's name, in bytes. 32: the longest registered one has 17 (`UPDATEREDIRECTREF`).
    pub method_bytes_max: usize,
}

impl Default for HeadLimits {
    fn default() -> HeadLimits {
        HeadLimits { head_bytes_max: 32_768, target_bytes_max: 8192, fields_max: 100, method_bytes_max: 32 }
    }
}

/// The head of a request: the request line and the fields. It borrows the bytes that were received.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// What is wanted.
    pub method: Method,
    /// Of which resource, as it came. Visible ASCII without `#`; see [`crate::http::target`].
    pub target: &'a [u8],
    /// The index of the target's first byte in the message.
    pub target_at: usize,
    /// In which version.
    pub version: Version,
    /// The fields.
    pub headers: Headers<'a>,
}

/// What a request head says about the message as a whole.
#[derive(Debug)]
pub struct RequestInfo<'a> {
    /// The resource that is requested.
    pub target: RequestTarget<'a>,
    /// The length of the message body.
    pub framing: BodyLength,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
}

/// How far the parser has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All bytes are right so far, and more are needed.
    Partial,
    /// The head is complete, and this many bytes long.
    Complete(usize),
}

/// Reads one head, in as many steps as its bytes arrive in.
#[derive(Debug)]
pub struct RequestParser {
    limits: HeadLimits,
    line: LineCursor,
    request_line: Option<RequestLine>,
    lines: Vec<HeaderSpan>,
}

/// The line that is being read, and how far.
#[derive(Clone, Copy, Debug)]
struct LineCursor {
    /// Its first byte.
    start: usize,
    /// Up to here it is a token: a method, or the name of a field.
    token_end: usize,
    /// Up to here a request line goes on as a target behind the method and a space.
    target_end: usize,
    /// Up to here no control byte has been found.
    scanned: usize,
}

#[derive(Clone, Copy, Debug)]
struct RequestLine {
    method: Method,
    target: (usize, usize),
    version: Version,
}

impl RequestParser {
    /// A parser for one head within these limits.
    pub fn new(limits: HeadLimits) -> RequestParser {
        RequestParser { limits, line: LineCursor::at(0), request_line: None, lines: Vec::new() }
    }

    /// Makes it ready for the next head. It keeps its memory.
    pub fn reset(&mut self) {
        self.line = LineCursor::at(0);
        self.request_line = None;
        self.lines.clear();
    }

    /// Reads on in `bytes`: all that was received of this message, from its first byte, with what has come since the last call.
    ///
    /// # Errors
    /// The first rule that is broken, and where.
    // HTTP-message = start-line CRLF *( field-line CRLF ) CRLF [ message-body ]
    pub fn parse(&mut self, bytes: &[u8]) -> Result<Progress, LocatedError> {
        let mut line = self.line;
        while self.request_line.is_none() {
            line.read_words(bytes);
            let Some(end) = line.end(bytes)? else {
                self.check_request_line_limits(line, bytes)?;
                return self.unfinished(line, bytes);
            };
            // A robust server ignores at least one empty line before the request line (RFC 9112 §2.2). We accept exactly one.
            if end > 0 {
                self.request_line(line, bytes.get(..end).unwrap_or_default())?;
            }
            line = LineCursor::at(end + 2);
        }
        self.field_lines(line, bytes)
    }

    /// Reads on in the field lines, and the empty line behind them.
    fn field_lines(&mut self, mut line: LineCursor, bytes: &[u8]) -> Result<Progress, LocatedError> {
        loop {
            line.read_name(bytes);
            let Some(end) = line.end(bytes)? else { return self.unfinished(line, bytes) };
            if end == line.start {
                return self.complete(end + 2);
            }
            if self.lines.len() == self.limits.fields_max {
                return Err(ParseError::TooManyHeaders.with_offset(line.start));
            }
            let Some(field) = HeaderSpan::parse(bytes, line.start..end, line.token_end) else {
                return Err(headers::field_line_error(bytes, line.start..end, self.lines.len()));
            };
            self.lines.push(field);
            line = LineCursor::at(end + 2);
        }
    }

    /// The empty line has come that ends a head of so many bytes.
    fn complete(&self, head_bytes: usize) -> Result<Progress, LocatedError> {
        if head_bytes > self.limits.head_bytes_max {
            return Err(ParseError::HeaderTooLarge.with_offset(self.limits.head_bytes_max));
        }
        Ok(Progress::Complete(head_bytes))
    }

    /// No further complete line has come. Is there any hope that one will, within the limits?
    fn unfinished(&mut self, line: LineCursor, bytes: &[u8]) -> Result<Progress, LocatedError> {
        self.line = line;
        if bytes.len() >= self.limits.head_bytes_max {
            return Err(ParseError::HeaderTooLarge.with_offset(self.limits.head_bytes_max));
        }
        Ok(Progress::Partial)
    }

    /// The head in `bytes`, which must be those that [`RequestParser::parse`] found complete; `None` before that.
    pub fn head<'a>(&'a self, bytes: &'a [u8]) -> Option<RequestHead<'a>> {
        let RequestLine { method, target: (start, end), version } = self.request_line?;
        let target = bytes.get(start..end)?;
        Some(RequestHead { method, target, target_at: start, version, headers: Headers::new(bytes, &self.lines) })
    }

    /// Method and version, once the request line has been read.
    pub fn method_and_version(&self) -> Option<(Method, Version)> {
        self.request_line.map(|line| (line.method, line.version))
    }

    /// The method, once the request line has been read; even if what follows turns out to be wrong.
    pub fn method(&self) -> Option<Method> {
        self.request_line.map(|line| line.method)
    }

    /// Whether nothing but the empty line that is tolerated before a request line has come: an end of the connection here is clean.
    pub fn is_at_message_start(&self, bytes: &[u8]) -> bool {
        bytes.is_empty() || bytes == b"\r" || bytes == b"\r\n"
    }

    /// Keeps the request line that ends where `bytes` do.
    // request-line = method SP request-target SP HTTP-version
    fn request_line(&mut self, line: LineCursor, bytes: &[u8]) -> Result<(), LocatedError> {
        let LineCursor { start, token_end, target_end, .. } = line;
        let target = (token_end + 1, target_end);
        let method_fits = start < token_end && token_end - start <= self.limits.method_bytes_max;
        let target_fits = target.0 < target.1 && target.1 - target.0 <= self.limits.target_bytes_max;
        let version = bytes.get(target_end..).and_then(|rest| version_of(rest.strip_prefix(b" ")?).ok());
        let (true, true, Some(version)) = (method_fits, target_fits, version) else {
            return Err(self.request_line_error(line, bytes));
        };
        let method = match Method::from_bytes(bytes.get(start..token_end).unwrap_or_default()) {
            None => return Err(ParseError::MethodNotImplemented.with_offset(start)),
            Some(Method::Connect) => return Err(ParseError::ConnectNotSupported.with_offset(start)),
            Some(method) => method,
        };
        self.request_line = Some(RequestLine { method, target, version });
        Ok(())
    }

    /// What is wrong with a request line whose words are not as they should be.
    #[cold]
    fn request_line_error(&self, line: LineCursor, bytes: &[u8]) -> LocatedError {
        let at = line.start;
        let text = bytes.get(at..).unwrap_or_default();
        if text.is_empty() {
            return ParseError::EmptyLine.with_offset(at);
        }
        if let Err(fault) = self.check_request_line_limits(line, bytes) {
            return fault;
        }
        let mut words = text.split(|&b| b == b' ').filter(|word| !word.is_empty());
        let spaces = text.iter().filter(|&&b| b == b' ').count();
        let (2, Some(method), Some(target), Some(version)) = (spaces, words.next(), words.next(), words.next()) else {
            return ParseError::InvalidRequestLine.with_offset(at + request_line_error_offset(text));
        };
        if let Some(bad) = method.iter().position(|&b| !is_tchar(b)) {
            return ParseError::InvalidMethod.with_offset(at + bad);
        }
        let target_at = at + method.len() + 1;
        if let Err(what) = version_of(version) {
            return what.with_offset(target_at + target.len() + 1);
        }
        match Method::from_bytes(method) {
            None => return ParseError::MethodNotImplemented.with_offset(at),
            Some(Method::Connect) => return ParseError::ConnectNotSupported.with_offset(at),
            Some(_) => {}
        }
        let bad = target.iter().position(|&b| !is_target_byte(b)).unwrap_or(0);
        let what = if target.get(bad) == Some(&b'#') { ParseError::Fragment } else { ParseError::InvalidTarget };
        what.with_offset(target_at + bad)
    }

    /// Whether method and target keep their limits, in a request line or in as much of it as has come: the answer must not depend on
    /// the pieces in which it comes.
    fn check_request_line_limits(&self, line: LineCursor, bytes: &[u8]) -> Result<(), LocatedError> {
        let at = line.start;
        let word_end = |from: usize| {
            let rest = bytes.get(from..).unwrap_or_default();
            from + rest.iter().position(|&b| b == b' ').unwrap_or(rest.len())
        };
        // What has been read already is not read again.
        let method_end = word_end(line.token_end);
        if method_end > at + self.limits.method_bytes_max {
            return Err(ParseError::MethodNotImplemented.with_offset(at));
        }
        let target_at = method_end + 1;
        if word_end(target_at.max(line.target_end)) > target_at + self.limits.target_bytes_max {
            return Err(ParseError::TargetTooLong.with_offset(target_at + self.limits.target_bytes_max));
        }
        Ok(())
    }
}

impl LineCursor {
    fn at(start: usize) -> LineCursor {
        LineCursor { start, token_end: start, target_end: start, scanned: start }
    }

    /// Reads on as far as it is the name of a field.
    #[inline(always)]
    fn read_name(&mut self, bytes: &[u8]) {
        self.token_end = skip_token(bytes, self.token_end);
        self.scanned = self.scanned.max(self.token_end);
    }

    /// Reads on as far as it is a method, a space and a target.
    #[inline(always)]
    fn read_words(&mut self, bytes: &[u8]) {
        self.token_end = skip_token(bytes, self.token_end);
        if bytes.get(self.token_end) == Some(&b' ') {
            self.target_end = skip_target(bytes, self.target_end.max(self.token_end + 1));
        }
        self.scanned = self.scanned.max(self.token_end).max(self.target_end);
        // Nearly every request line goes on like this, and so up to its CR there is no control byte.
        const REST: &[u8] = b" HTTP/1.1\r";
        if bytes.get(self.scanned..).is_some_and(|rest| rest.starts_with(REST)) {
            self.scanned += REST.len() - 1;
        }
    }

    /// Reads on up to the CRLF that ends it: the index of its CR, `None` if it has not come yet.
    #[inline(always)]
    fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, LocatedError> {
        let Some(at) = find_control_byte(bytes, self.scanned) else {
            self.scanned = bytes.len();
            return Ok(None);
        };
        self.scanned = at;
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b'\r'), Some(b'\n')) => Ok(Some(at)),
            (Some(b'\r'), None) => Ok(None),
            (Some(b'\r'), Some(_)) => Err(ParseError::BareCr.with_offset(at)),
            (Some(b'\n'), _) => Err(ParseError::BareLf.with_offset(at)),
            (Some(0), _) => Err(ParseError::Nul.with_offset(at)),
            _ => Err(ParseError::ControlByte.with_offset(at)),
        }
    }
}

// HTTP-version = HTTP-name "/" DIGIT "." DIGIT
// HTTP-name    = %x48.54.54.50 ; HTTP
fn version_of(word: &[u8]) -> Result<Version, ParseError> {
    // As one word of eight bytes: a pattern would be compared byte by byte.
    if word == b"HTTP/1.1" {
        return Ok(Version::Http11);
    }
    match word {
        b"HTTP/1.0" => Ok(Version::Http10),
        [b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', b'0'..=b'9'] => {
            if *major == b'1' {
                Ok(Version::Http11)
            } else {
                Err(ParseError::UnsupportedVersion)
            }
        }
        _ => Err(ParseError::InvalidVersion),
    }
}

impl<'a> RequestHead<'a> {
    /// Interprets the fields that decide about the message as a whole: target, Host, framing and Expect.
    ///
    /// # Errors
    /// The first rule that is violated, and where.
    pub fn validate(&self) -> Result<RequestInfo<'a>, LocatedError> {
        let target = RequestTarget::parse(self)?;
        let located = |error: ParseError| error.with_offset(framing::error_offset(self, error));
        let framing = framing::request_body_length(self).map_err(located)?;
        let expects_continue = framing::expects_continue(self).map_err(located)?;
        Ok(RequestInfo { target, framing, expects_continue })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Progress, ParseError> {
        RequestParser::new(HeadLimits::default()).parse(bytes).map_err(|fault| fault.error)
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
                assert_eq!(stepwise.parse(&head[..end]), Ok(want), "{end} bytes, one at a time");
            }
        }
        let head = stepwise.head(head).unwrap();
        assert_eq!((head.method, head.target, head.version), (Method::Get, &b"/a?b"[..], Version::Http11));
        assert_eq!(head.headers.iter().collect::<Vec<_>>(), [(&b"Host"[..], &b"a"[..]), (b"X", b"y")]);
    }

    #[test]
    fn faults_point_at_their_byte() {
        for (input, what, at, why) in [
            (&b"GET / HTTP/1.1\nHost: a"[..], ParseError::BareLf, 14, "LF alone"),
            (b"GET / HTTP/1.1\r\r\n", ParseError::BareCr, 14, "CR CR LF"),
            (b"GET / HTTP/1.1\r\nA: \0", ParseError::Nul, 19, "NUL in a value"),
            (b"GET / HTTP/1.1\r\nA: \x7f", ParseError::ControlByte, 19, "DEL in a value"),
            (b"\x16\x03\x01", ParseError::ControlByte, 0, "a TLS hello"),
            (b"GET /\xc3 HTTP/1.1\r\n", ParseError::InvalidTarget, 5, "a byte above ASCII"),
            (b"GET /a#b HTTP/1.1\r\n", ParseError::Fragment, 6, "a fragment"),
            (b"G@T / HTTP/1.1\r\n", ParseError::InvalidMethod, 1, "not a token"),
            (b"GET /\r\n", ParseError::InvalidRequestLine, 5, "two words end too early"),
            (b"GET /a b HTTP/1.1\r\n", ParseError::InvalidRequestLine, 8, "a third space"),
            (b"GET / HTTP/2.0\r\n", ParseError::UnsupportedVersion, 6, "another major version"),
            (b"GET / HTTP/1.1\r\nA b: c\r\n", ParseError::InvalidFieldName, 17, "a space in the name"),
            (b"GET / HTTP/1.1\r\nA : c\r\n", ParseError::WhitespaceBeforeColon, 17, "a space behind the name"),
            (b"GET / HTTP/1.1\r\nA: b\r\n c: d\r\n", ParseError::ObsFold, 22, "a folded line"),
        ] {
            let mut parser = RequestParser::new(HeadLimits::default());
            assert_eq!(parser.parse(input), Err(what.with_offset(at)), "{why}");
        }
    }

    #[test]
    fn limits_have_two_sides() {
        let with_target = |n: usize| [b"GET /", vec![b'a'; n - 1].as_slice(), b" HTTP/1.1\r\n\r\n"].concat();
        let with_fields = |n: usize| [b"GET / HTTP/1.1\r\n".to_vec(), b"a:b\r\n".repeat(n), b"\r\n".to_vec()].concat();
        let with_bytes = |n: usize| [b"GET / HTTP/1.1\r\na:", vec![b'b'; n - 22].as_slice(), b"\r\n\r\n"].concat();
        for (input, want, why) in [
            (with_target(8192), None, "target at its limit"),
            (with_target(8193), Some(ParseError::TargetTooLong), "target one over"),
            (with_target(9000)[..8300].to_vec(), Some(ParseError::TargetTooLong), "seen before the line ends"),
            (with_fields(100), None, "as many fields as allowed"),
            (with_fields(101), Some(ParseError::TooManyHeaders), "one more"),
            (with_bytes(32_768), None, "a head at its limit"),
            (with_bytes(32_769), Some(ParseError::HeaderTooLarge), "one byte over"),
            (with_bytes(40_000)[..32_768].to_vec(), Some(ParseError::HeaderTooLarge), "seen before it ends"),
            (vec![b'A'; 33], Some(ParseError::MethodNotImplemented), "no method is that long"),
        ] {
            assert_eq!(parse(&input).err(), want, "{why}");
        }
    }
}
