//! Where does the head end, and what does it say? (RFC 9112 §2.1, §3, §5)
//!
//! [`HeadParser`] is fed the bytes received so far, as often as more have come. It says [`Progress::Partial`] until the head is
//! complete, and never reads a byte twice in search of the end of a line: a client that sends one byte at a time costs no more
//! than one that sends all at once.

use crate::wire::grammar::{control_byte, is_tchar, is_token, trim_ows};
use crate::wire::headers::{FieldLine, Headers};
use crate::wire::malformed::{Fault, Malformed};
use crate::wire::method::Method;

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
    /// Of which resource, as it came. Visible ASCII without `#`; see [`crate::wire::target`].
    pub target: &'a [u8],
    /// The index of the target's first byte in the message.
    pub target_at: usize,
    /// In which version.
    pub version: Version,
    /// The fields.
    pub headers: Headers<'a>,
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
pub struct HeadParser {
    limits: HeadLimits,
    stage: Stage,
    /// The first byte of the line that is being read.
    line: usize,
    /// Up to here no control byte has been found.
    scanned: usize,
    request_line: Option<RequestLine>,
    lines: Vec<FieldLine>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Start,
    RequestLine,
    Fields,
}

#[derive(Clone, Copy, Debug)]
struct RequestLine {
    method: Method,
    target: (usize, usize),
    version: Version,
}

impl HeadParser {
    /// A parser for one head within these limits.
    pub fn new(limits: HeadLimits) -> HeadParser {
        HeadParser { limits, stage: Stage::Start, line: 0, scanned: 0, request_line: None, lines: Vec::new() }
    }

    /// Makes it ready for the next head. It keeps its memory.
    pub fn reset(&mut self) {
        self.stage = Stage::Start;
        self.line = 0;
        self.scanned = 0;
        self.request_line = None;
        self.lines.clear();
    }

    /// Reads on in `bytes`: all that was received of this message, from its first byte, with what has come since the last call.
    ///
    /// # Errors
    /// The first rule that is broken, and where.
    // HTTP-message = start-line CRLF *( field-line CRLF ) CRLF [ message-body ]
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Progress, Fault> {
        while let Some(end) = self.end_of_line(bytes)? {
            let (start, next) = (self.line, end + 2);
            let line = bytes.get(start..end).unwrap_or_default();
            self.line = next;
            self.scanned = next;
            match self.stage {
                // A robust server ignores at least one empty line before the request line (RFC 9112 §2.2). We accept exactly one.
                Stage::Start if line.is_empty() => self.stage = Stage::RequestLine,
                Stage::Start | Stage::RequestLine => {
                    self.request_line = Some(self.request_line(line, start)?);
                    self.stage = Stage::Fields;
                }
                Stage::Fields if line.is_empty() => {
                    return if next > self.limits.head_bytes_max {
                        Err(Malformed::HeadTooLarge.at(self.limits.head_bytes_max))
                    } else {
                        Ok(Progress::Complete(next))
                    };
                }
                Stage::Fields => {
                    if self.lines.len() == self.limits.fields_max {
                        return Err(Malformed::TooManyFields.at(start));
                    }
                    let field = field_line(line, start, self.lines.is_empty())?;
                    self.lines.push(field);
                }
            }
        }
        self.unfinished(bytes)
    }

    /// The head in `bytes`, which must be those that [`HeadParser::advance`] found complete; `None` before that.
    pub fn head<'a>(&'a self, bytes: &'a [u8]) -> Option<RequestHead<'a>> {
        let RequestLine { method, target: (start, end), version } = self.request_line?;
        let target = bytes.get(start..end)?;
        Some(RequestHead { method, target, target_at: start, version, headers: Headers::new(bytes, &self.lines) })
    }

    /// The method, once the request line has been read; even if what follows turns out to be wrong.
    pub fn method(&self) -> Option<Method> {
        self.request_line.map(|line| line.method)
    }

    /// Whether nothing but the empty line that is tolerated before a request line has come: an end of the connection here is clean.
    pub fn is_before_request(&self, bytes: &[u8]) -> bool {
        bytes.is_empty() || bytes == b"\r" || bytes == b"\r\n"
    }

    /// The index of the CR of the next CRLF; `None` if it has not come yet.
    fn end_of_line(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let Some(at) = control_byte(bytes, self.scanned) else {
            self.scanned = bytes.len();
            return Ok(None);
        };
        self.scanned = at;
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b'\r'), Some(b'\n')) => Ok(Some(at)),
            (Some(b'\r'), None) => Ok(None),
            (Some(b'\r'), Some(_)) => Err(Malformed::BareCr.at(at)),
            (Some(b'\n'), _) => Err(Malformed::BareLf.at(at)),
            (Some(0), _) => Err(Malformed::Nul.at(at)),
            _ => Err(Malformed::ControlByte.at(at)),
        }
    }

    /// No further complete line has come. Is there any hope that one will, within the limits?
    fn unfinished(&self, bytes: &[u8]) -> Result<Progress, Fault> {
        if self.stage != Stage::Fields {
            self.words_within_limits(bytes.get(self.line..).unwrap_or_default(), self.line)?;
        }
        if bytes.len() >= self.limits.head_bytes_max {
            return Err(Malformed::HeadTooLarge.at(self.limits.head_bytes_max));
        }
        Ok(Progress::Partial)
    }

    /// Whether method and target keep their limits, in a request line or in as much of it as has come: the answer must not depend on
    /// the pieces in which it comes.
    fn words_within_limits(&self, line: &[u8], at: usize) -> Result<(), Fault> {
        let method = line.iter().position(|&b| b == b' ').unwrap_or(line.len());
        if method > self.limits.method_bytes_max {
            return Err(Malformed::UnknownMethod.at(at));
        }
        let target = line.get(method + 1..).unwrap_or_default();
        let target_bytes = target.iter().position(|&b| b == b' ').unwrap_or(target.len());
        if target_bytes > self.limits.target_bytes_max {
            return Err(Malformed::TargetTooLong.at(at + method + 1 + self.limits.target_bytes_max));
        }
        Ok(())
    }

    // request-line = method SP request-target SP HTTP-version
    fn request_line(&self, line: &[u8], at: usize) -> Result<RequestLine, Fault> {
        if line.is_empty() {
            return Err(Malformed::EmptyLine.at(at));
        }
        self.words_within_limits(line, at)?;
        let mut words = line.split(|&b| b == b' ');
        let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next()) else {
            return Err(Malformed::RequestLineWords.at(at));
        };
        if method.is_empty() || target.is_empty() || version.is_empty() {
            return Err(Malformed::RequestLineWords.at(at));
        }
        if let Some(bad) = method.iter().position(|&b| !is_tchar(b)) {
            return Err(Malformed::MethodNotToken.at(at + bad));
        }
        let target_at = at + method.len() + 1;
        let version = version_of(version).map_err(|what| what.at(target_at + target.len() + 1))?;
        let method = Method::of_name(method).ok_or(Malformed::UnknownMethod.at(at))?;
        if method == Method::Connect {
            return Err(Malformed::Connect.at(at));
        }
        if let Some(bad) = target.iter().position(|&b| !b.is_ascii_graphic() || b == b'#') {
            let what = if target.get(bad) == Some(&b'#') { Malformed::Fragment } else { Malformed::TargetByte };
            return Err(what.at(target_at + bad));
        }
        Ok(RequestLine { method, target: (target_at, target_at + target.len()), version })
    }
}

// HTTP-version = HTTP-name "/" DIGIT "." DIGIT
// HTTP-name    = %x48.54.54.50 ; HTTP
fn version_of(word: &[u8]) -> Result<Version, Malformed> {
    match word {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        [b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', b'0'..=b'9'] => {
            if *major == b'1' {
                Ok(Version::Http11)
            } else {
                Err(Malformed::MajorVersion)
            }
        }
        _ => Err(Malformed::Version),
    }
}

/// Reads one field line, without its CRLF and known to hold no control byte but tabs. `at` is where it stands in the message.
///
/// # Errors
/// What is wrong with its name or its beginning. A value can no longer be wrong here.
// field-line = field-name ":" OWS field-value OWS
pub fn field_line(line: &[u8], at: usize, first: bool) -> Result<FieldLine, Fault> {
    if let Some(b' ' | b'\t') = line.first() {
        // Both are how a field is hidden from one of two parsers.
        return Err(if first { Malformed::LeadingWhitespace } else { Malformed::ObsFold }.at(at));
    }
    let Some(colon) = line.iter().position(|&b| b == b':') else { return Err(Malformed::NoColon.at(at)) };
    let (name, rest) = line.split_at(colon);
    let after_colon = rest.get(1..).unwrap_or_default();
    if !is_token(name) {
        return Err(match name {
            [] => Malformed::EmptyName.at(at),
            [.., b' ' | b'\t'] => Malformed::SpaceBeforeColon.at(at + colon - 1),
            _ => Malformed::NameNotToken.at(at + name.iter().position(|&b| !is_tchar(b)).unwrap_or(0)),
        });
    }
    let value = trim_ows(after_colon);
    let skipped = after_colon.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let narrow = |number: usize| u32::try_from(number).map_err(|_| Malformed::HeadTooLarge.at(at));
    Ok(FieldLine {
        name: narrow(at)?,
        name_len: narrow(colon)?,
        value: narrow(at + colon + 1 + skipped)?,
        value_len: narrow(value.len())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Progress, Malformed> {
        HeadParser::new(HeadLimits::default()).advance(bytes).map_err(|fault| fault.what)
    }

    #[test]
    fn every_prefix_of_a_head_is_partial() {
        let head = b"\r\nGET /a?b HTTP/1.1\r\nHost: a\r\nX:\t y \t\r\n\r\nrest";
        let complete = head.len() - 4;
        let mut stepwise = HeadParser::new(HeadLimits::default());
        for end in 0..=head.len() {
            let want = if end < complete { Progress::Partial } else { Progress::Complete(complete) };
            assert_eq!(parse(&head[..end]), Ok(want), "{end} bytes at once");
            if end <= complete {
                assert_eq!(stepwise.advance(&head[..end]), Ok(want), "{end} bytes, one at a time");
            }
        }
        let head = stepwise.head(head).unwrap();
        assert_eq!((head.method, head.target, head.version), (Method::Get, &b"/a?b"[..], Version::Http11));
        assert_eq!(head.headers.iter().collect::<Vec<_>>(), [(&b"Host"[..], &b"a"[..]), (b"X", b"y")]);
    }

    #[test]
    fn faults_point_at_their_byte() {
        for (input, what, at, why) in [
            (&b"GET / HTTP/1.1\nHost: a"[..], Malformed::BareLf, 14, "LF alone"),
            (b"GET / HTTP/1.1\r\r\n", Malformed::BareCr, 14, "CR CR LF"),
            (b"GET / HTTP/1.1\r\nA: \0", Malformed::Nul, 19, "NUL in a value"),
            (b"GET / HTTP/1.1\r\nA: \x7f", Malformed::ControlByte, 19, "DEL in a value"),
            (b"\x16\x03\x01", Malformed::ControlByte, 0, "a TLS hello"),
            (b"GET /\xc3 HTTP/1.1\r\n", Malformed::TargetByte, 5, "a byte above ASCII"),
            (b"GET /a#b HTTP/1.1\r\n", Malformed::Fragment, 6, "a fragment"),
            (b"G@T / HTTP/1.1\r\n", Malformed::MethodNotToken, 1, "not a token"),
            (b"GET / HTTP/2.0\r\n", Malformed::MajorVersion, 6, "another major version"),
            (b"GET / HTTP/1.1\r\nA b: c\r\n", Malformed::NameNotToken, 17, "a space in the name"),
            (b"GET / HTTP/1.1\r\nA : c\r\n", Malformed::SpaceBeforeColon, 17, "a space behind the name"),
            (b"GET / HTTP/1.1\r\nA: b\r\n c: d\r\n", Malformed::ObsFold, 22, "a folded line"),
        ] {
            let mut parser = HeadParser::new(HeadLimits::default());
            assert_eq!(parser.advance(input), Err(what.at(at)), "{why}");
        }
    }

    #[test]
    fn limits_have_two_sides() {
        let with_target = |n: usize| [b"GET /", vec![b'a'; n - 1].as_slice(), b" HTTP/1.1\r\n\r\n"].concat();
        let with_fields = |n: usize| [b"GET / HTTP/1.1\r\n".to_vec(), b"a:b\r\n".repeat(n), b"\r\n".to_vec()].concat();
        let with_bytes = |n: usize| [b"GET / HTTP/1.1\r\na:", vec![b'b'; n - 22].as_slice(), b"\r\n\r\n"].concat();
        for (input, want, why) in [
            (with_target(8192), None, "target at its limit"),
            (with_target(8193), Some(Malformed::TargetTooLong), "target one over"),
            (with_target(9000)[..8300].to_vec(), Some(Malformed::TargetTooLong), "seen before the line ends"),
            (with_fields(100), None, "as many fields as allowed"),
            (with_fields(101), Some(Malformed::TooManyFields), "one more"),
            (with_bytes(32_768), None, "a head at its limit"),
            (with_bytes(32_769), Some(Malformed::HeadTooLarge), "one byte over"),
            (with_bytes(40_000)[..32_768].to_vec(), Some(Malformed::HeadTooLarge), "seen before it ends"),
            (vec![b'A'; 33], Some(Malformed::UnknownMethod), "no method is that long"),
        ] {
            assert_eq!(parse(&input).err(), want, "{why}");
        }
    }
}
