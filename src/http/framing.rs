//! Message body length and persistence (RFC 9112 §6.3, §9.3).
//!
//! The only file that reads Content-Length and Transfer-Encoding. Request smuggling needs a proxy and a server that disagree about the end of
//! a message, so every ambiguous combination is rejected, for all methods alike.

use crate::http::error::ParseError;
use crate::http::grammar::{is_token, parse_decimal};
use crate::http::headers::name;
use crate::http::request::{RequestHead, Version};

/// The length of a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no body.
    None,
    /// The body has this many bytes.
    Length(u64),
    /// The body consists of chunks (RFC 9112 §7.1).
    Chunked,
}

impl BodyLength {
    /// Returns the number of bytes; `None` for chunks, whose number is known only at the end of the body.
    pub fn known(self) -> Option<u64> {
        match self {
            BodyLength::None => Some(0),
            BodyLength::Length(length) => Some(length),
            BodyLength::Chunked => None,
        }
    }
}

/// The most digits of a Content-Length: a number of 19 digits always fits in 64 bits.
const LENGTH_DIGITS_MAX: usize = 19;

/// Determines the length of a request body by the rules of RFC 9112 §6.3.
///
/// # Errors
/// Any combination of fields for which two parsers could determine different lengths.
pub fn request_body_length(head: &RequestHead<'_>) -> Result<BodyLength, ParseError> {
    let mut lengths = head.headers.get_all(name::CONTENT_LENGTH);
    let has_coding = head.headers.get(name::TRANSFER_ENCODING).is_some();
    match (has_coding, lengths.next(), lengths.next()) {
        // Rule 3: Transfer-Encoding takes precedence, but the RFC warns of request smuggling and permits rejecting the message.
        (true, Some(_), _) => Err(ParseError::ContentLengthWithTransferEncoding),
        // An HTTP/1.0 proxy does not know the field, so it may have forwarded a body of another length (§6.1).
        (true, None, _) if head.version == Version::Http10 => Err(ParseError::TransferEncodingInHttp10),
        (true, None, _) => require_chunked(head),
        // Rule 7: a request with neither field has no body.
        (false, None, _) => Ok(BodyLength::None),
        // Rule 5 permits equal values; rejecting them is simpler and safer.
        (false, Some(_), Some(_)) => Err(ParseError::DuplicateContentLength),
        // Rule 6. A list such as "5, 5", which rule 5 permits, is rejected as well.
        (false, Some(value), None) if value.len() <= LENGTH_DIGITS_MAX => {
            parse_decimal(value).map(BodyLength::Length).ok_or(ParseError::InvalidContentLength)
        }
        (false, Some(_), None) => Err(ParseError::InvalidContentLength),
    }
}

/// Accepts a Transfer-Encoding of exactly `chunked`, on one line. Rule 4: unless chunked is the final coding, the length is unknown. This
/// server supports no other coding before it.
fn require_chunked(head: &RequestHead<'_>) -> Result<BodyLength, ParseError> {
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let codings = || head.headers.list(name::TRANSFER_ENCODING);
    if codings().any(|coding| !is_token(coding)) {
        return Err(ParseError::InvalidTransferEncoding);
    }
    if !codings().all(is_chunked) {
        return Err(ParseError::UnsupportedTransferCoding);
    }
    let is_single = codings().count() == 1 && head.headers.get_unique(name::TRANSFER_ENCODING).is_some();
    if is_single { Ok(BodyLength::Chunked) } else { Err(ParseError::InvalidTransferEncoding) }
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

/// Returns the position of an error of this module: where the value begins in the last line of the field that is wrong.
pub fn error_offset(head: &RequestHead<'_>, error: ParseError) -> usize {
    let name = match error {
        ParseError::InvalidContentLength | ParseError::DuplicateContentLength => name::CONTENT_LENGTH,
        ParseError::UnsupportedExpectation => name::EXPECT,
        _ => name::TRANSFER_ENCODING,
    };
    head.headers.value_offset(name).unwrap_or(head.target_offset)
}

/// Whether the client permits the connection to persist after this request (RFC 9112 §9.3).
pub fn keep_alive(head: &RequestHead<'_>) -> bool {
    let contains = |option| head.headers.contains_token(name::CONNECTION, option);
    !contains("close") && (head.version == Version::Http11 || contains("keep-alive"))
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
    fn ambiguous_lengths_are_rejected() {
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
            ("Content-Length: 5\r\nContent-Length: 5\r\n", Err(M::DuplicateContentLength), "two equal lengths"),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Err(M::ContentLengthWithTransferEncoding), "CL.TE"),
            (
                "Content-Length: x\r\nTransfer-Encoding: gzip\r\n",
                Err(M::ContentLengthWithTransferEncoding),
                "both fields, both invalid",
            ),
            ("Transfer-Encoding: chunked\r\n", Ok(BodyLength::Chunked), "chunked"),
            ("Transfer-Encoding: CHUNKED\r\n", Ok(BodyLength::Chunked), "names ignore case"),
            ("Transfer-Encoding: ,chunked,\r\n", Ok(BodyLength::Chunked), "a list of one (RFC 9110 §5.6.1)"),
            ("Transfer-Encoding: gzip, chunked\r\n", Err(M::UnsupportedTransferCoding), "an unsupported coding"),
            ("Transfer-Encoding: identity\r\n", Err(M::UnsupportedTransferCoding), "removed in RFC 7230"),
            ("Transfer-Encoding: chunked, chunked\r\n", Err(M::InvalidTransferEncoding), "chunked twice"),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(M::InvalidTransferEncoding), "two field lines"),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n",
                Err(M::InvalidTransferEncoding),
                "a second, empty field line",
            ),
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
    fn close_wins_over_keep_alive() {
        for (version, fields, want, why) in [
            ("1.1", "", true, "the default"),
            ("1.1", "Connection: close\r\n", false, "requested"),
            ("1.1", "Connection: x, CLOSE\r\n", false, "in a list, ignoring case"),
            ("1.1", "Connection: x\r\nConnection: close\r\n", false, "on the second line"),
            ("1.1", "Connection: closed\r\n", true, "another option"),
            ("1.1", "X-Connection: close\r\n", true, "another field"),
            ("1.0", "", false, "the default"),
            ("1.0", "Connection: keep-alive\r\n", true, "requested"),
            ("1.0", "Connection: keep-alive, close\r\n", false, "close wins"),
        ] {
            assert_eq!(with_head(version, fields, keep_alive), want, "{version} {fields}: {why}");
        }
    }

    #[test]
    fn only_100_continue_is_a_valid_expectation() {
        for (version, fields, want, why) in [
            ("1.1", "", Ok(false), "no field"),
            ("1.1", "Expect: 100-Continue\r\n", Ok(true), "names ignore case"),
            ("1.1", "Expect: 100-continue\r\nExpect: 100-continue\r\n", Ok(true), "the same twice"),
            ("1.1", "Expect: x\r\n", Err(ParseError::UnsupportedExpectation), "another expectation"),
            ("1.1", "Expect:\r\n", Err(ParseError::UnsupportedExpectation), "empty"),
            ("1.0", "Expect: x\r\n", Ok(false), "ignored in 1.0"),
        ] {
            assert_eq!(with_head(version, fields, expects_continue), want, "{why}");
        }
    }
}
