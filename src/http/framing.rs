//! How long is the content, and does the connection persist? (RFC 9112 §6.3, §9.3)
//!
//! The only file that reads Content-Length and Transfer-Encoding. A server and the proxy before it that disagree here is what
//! request smuggling is made of, so whatever can be read two ways is refused, and what is decided holds for every method.

use crate::http::error::ParseError;
use crate::http::grammar::{is_token, parse_decimal};
use crate::http::headers::name;
use crate::http::request::{RequestHead, Version};

/// How the content of a message is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no content.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks, until one of size zero (RFC 9112 §7.1).
    Chunked,
}

/// A Content-Length of more digits could not fit 64 bits.
const LENGTH_DIGITS_MAX: usize = 19;

/// How long the content of a request is: RFC 9112 §6.3, rule by rule.
///
/// # Errors
/// Every way in which two parsers could come to different lengths.
pub fn request_body_length(head: &RequestHead<'_>) -> Result<BodyLength, ParseError> {
    let mut lengths = head.headers.get_all(name::CONTENT_LENGTH);
    let length = lengths.next();
    let coded = head.headers.get(name::TRANSFER_ENCODING).is_some();

    // Rule 3: both fields. The RFC lets Transfer-Encoding win, warns of smuggling, and allows what we do: refuse.
    if coded && length.is_some() {
        return Err(ParseError::ContentLengthWithTransferEncoding);
    }
    if coded {
        // A 1.0 sender does not know the field, so a 1.0 recipient before us may have ignored it (§6.1).
        if head.version == Version::Http10 {
            return Err(ParseError::TransferEncodingInHttp10);
        }
        return chunked_and_nothing_else(head);
    }
    match (length, lengths.next()) {
        // Rule 7: a request without either has no content.
        (None, _) => Ok(BodyLength::None),
        // Rule 5 allows a list of equal values; we refuse any second one.
        (Some(_), Some(_)) => Err(ParseError::DuplicateContentLength),
        // Rule 6. "5, 5" fails here too: a comma is no digit.
        (Some(value), None) if value.len() <= LENGTH_DIGITS_MAX => {
            parse_decimal(value).map(BodyLength::Length).ok_or(ParseError::InvalidContentLength)
        }
        (Some(_), None) => Err(ParseError::InvalidContentLength),
    }
}

/// Where in the message such a fault lies: at the value of the last field that it is about.
pub fn error_offset(head: &RequestHead<'_>, what: ParseError) -> usize {
    let name = match what {
        ParseError::InvalidContentLength | ParseError::DuplicateContentLength => name::CONTENT_LENGTH,
        ParseError::ContentLengthWithTransferEncoding
        | ParseError::TransferEncodingInHttp10
        | ParseError::InvalidTransferEncoding
        | ParseError::UnsupportedTransferCoding => name::TRANSFER_ENCODING,
        ParseError::UnsupportedExpectation => name::EXPECT,
        _ => return head.target_at,
    };
    head.headers.value_offset(name).unwrap_or(head.target_at)
}

/// Rule 4: if chunked is not the final coding, the length cannot be known. We know no other coding, so it must be the only one.
fn chunked_and_nothing_else(head: &RequestHead<'_>) -> Result<BodyLength, ParseError> {
    let mut codings = head.headers.list(name::TRANSFER_ENCODING);
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match (codings.next(), codings.next()) {
        (Some(coding), None) if is_chunked(coding) && head.headers.get_all(name::TRANSFER_ENCODING).count() == 1 => {
            Ok(BodyLength::Chunked)
        }
        _ => {
            let unknown = |coding: &[u8]| is_token(coding) && !is_chunked(coding);
            let codings = head.headers.list(name::TRANSFER_ENCODING);
            let malformed = head.headers.list(name::TRANSFER_ENCODING).any(|coding| !is_token(coding));
            if !malformed && codings.into_iter().any(unknown) {
                Err(ParseError::UnsupportedTransferCoding)
            } else {
                Err(ParseError::InvalidTransferEncoding)
            }
        }
    }
}

/// Whether the client lets the connection persist after this request (RFC 9112 §9.3).
pub fn keep_alive(head: &RequestHead<'_>) -> bool {
    let contains = |option| head.headers.contains_token(name::CONNECTION, option);
    !contains("close") && (head.version == Version::Http11 || contains("keep-alive"))
}

/// Whether the client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1).
///
/// # Errors
/// An expectation other than `100-continue`. In HTTP/1.0 the field is ignored, as RFC 9110 §10.1.1 demands.
pub fn expects_continue(head: &RequestHead<'_>) -> Result<bool, ParseError> {
    let mut values = head.headers.get_all(name::EXPECT).peekable();
    if head.version == Version::Http10 || values.peek().is_none() {
        return Ok(false);
    }
    if values.all(|value| value.eq_ignore_ascii_case(b"100-continue")) {
        Ok(true)
    } else {
        Err(ParseError::UnsupportedExpectation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::{HeadLimits, RequestParser};

    fn with_head<T>(version: &str, fields: &str, decide: impl Fn(&RequestHead<'_>) -> T) -> T {
        let head = format!("GET / HTTP/{version}\r\n{fields}\r\n");
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(head.as_bytes()).unwrap();
        decide(&parser.head(head.as_bytes()).unwrap())
    }

    #[test]
    fn lengths() {
        use ParseError as M;
        for (fields, want, why) in [
            ("", Ok(BodyLength::None), "rule 7"),
            ("Content-Length: 0\r\n", Ok(BodyLength::Length(0)), "zero"),
            ("Content-Length: 05\r\n", Ok(BodyLength::Length(5)), "leading zero"),
            ("Content-Length: 9999999999999999999\r\n", Ok(BodyLength::Length(9_999_999_999_999_999_999)), "19 digits"),
            ("Content-Length: 00000000000000000005\r\n", Err(M::InvalidContentLength), "20 digits"),
            ("Content-Length: 18446744073709551616\r\n", Err(M::InvalidContentLength), "past 64 bits"),
            ("Content-Length:\r\n", Err(M::InvalidContentLength), "empty"),
            ("Content-Length: +5\r\n", Err(M::InvalidContentLength), "a sign"),
            ("Content-Length: 5, 5\r\n", Err(M::InvalidContentLength), "a list"),
            ("Content-Length: 5\r\nContent-Length: 5\r\n", Err(M::DuplicateContentLength), "twice, equal"),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Err(M::ContentLengthWithTransferEncoding), "CL.TE"),
            ("Content-Length: x\r\nTransfer-Encoding: gzip\r\n", Err(M::ContentLengthWithTransferEncoding), "both, both wrong"),
            ("Transfer-Encoding: chunked\r\n", Ok(BodyLength::Chunked), "chunked"),
            ("Transfer-Encoding: CHUNKED\r\n", Ok(BodyLength::Chunked), "without case"),
            ("Transfer-Encoding: ,chunked,\r\n", Ok(BodyLength::Chunked), "a list of one (RFC 9110 §5.6.1)"),
            ("Transfer-Encoding: gzip, chunked\r\n", Err(M::UnsupportedTransferCoding), "one we do not know"),
            ("Transfer-Encoding: identity\r\n", Err(M::UnsupportedTransferCoding), "gone since RFC 7230"),
            ("Transfer-Encoding: chunked, chunked\r\n", Err(M::InvalidTransferEncoding), "twice"),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(M::InvalidTransferEncoding), "two lines"),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n", Err(M::InvalidTransferEncoding), "a second, empty line"),
            ("Transfer-Encoding:\r\n", Err(M::InvalidTransferEncoding), "empty"),
            ("Transfer-Encoding: chunked;q=1\r\n", Err(M::InvalidTransferEncoding), "a parameter"),
            ("Transfer-Encoding: x y\r\n", Err(M::InvalidTransferEncoding), "not a token"),
        ] {
            assert_eq!(with_head("1.1", fields, request_body_length), want, "{why}");
        }
        assert_eq!(with_head("1.0", "Transfer-Encoding: chunked\r\n", request_body_length), Err(M::TransferEncodingInHttp10));
        assert_eq!(with_head("1.0", "Content-Length: 1\r\n", request_body_length), Ok(BodyLength::Length(1)));
    }

    #[test]
    fn persisting() {
        for (version, fields, want, why) in [
            ("1.1", "", true, "the default"),
            ("1.1", "Connection: close\r\n", false, "asked"),
            ("1.1", "Connection: x, CLOSE\r\n", false, "in a list, without case"),
            ("1.1", "Connection: x\r\nConnection: close\r\n", false, "in the second line"),
            ("1.1", "Connection: closed\r\n", true, "another word"),
            ("1.1", "X-Connection: close\r\n", true, "another field"),
            ("1.0", "", false, "the default"),
            ("1.0", "Connection: keep-alive\r\n", true, "asked"),
            ("1.0", "Connection: keep-alive, close\r\n", false, "close wins"),
        ] {
            assert_eq!(with_head(version, fields, keep_alive), want, "{version} {fields}: {why}");
        }
    }

    #[test]
    fn expecting() {
        for (version, fields, want, why) in [
            ("1.1", "", Ok(false), "nothing"),
            ("1.1", "Expect: 100-Continue\r\n", Ok(true), "without case"),
            ("1.1", "Expect: 100-continue\r\nExpect: 100-continue\r\n", Ok(true), "twice the same"),
            ("1.1", "Expect: x\r\n", Err(ParseError::UnsupportedExpectation), "another"),
            ("1.1", "Expect:\r\n", Err(ParseError::UnsupportedExpectation), "empty"),
            ("1.0", "Expect: x\r\n", Ok(false), "ignored in 1.0"),
        ] {
            assert_eq!(with_head(version, fields, expects_continue), want, "{why}");
        }
    }
}
