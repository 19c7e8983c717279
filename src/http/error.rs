//! In which ways can a request be wrong? (RFC 9112 §2.2, §11)

use crate::http::status::StatusCode;

/// Defines [`ParseError`] by a table: a name, the status that answers it, and a text for people.
macro_rules! parse_errors {
    ($($name:ident, $status:ident, $text:literal;)*) => {
        /// Every way in which we refuse a message before a route has seen it. After each of them we answer, close and read no further:
        /// where the message ends can no longer be known.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ParseError {
            $(#[doc = $text] $name,)*
        }

        impl ParseError {
            /// All of them, in the order of the enum.
            pub const ALL: &[ParseError] = &[$(ParseError::$name,)*];

            /// The status that answers it, and a text for people: which rule, and where it stands. It never holds the peer's bytes.
            pub fn row(self) -> (StatusCode, &'static str) {
                match self {
                    $(ParseError::$name => (StatusCode::$status, $text),)*
                }
            }
        }
    };
}

parse_errors! {
    BareCr, BAD_REQUEST, "a CR that no LF follows (RFC 9112 §2.2)";
    BareLf, BAD_REQUEST, "a line that ends in LF without CR (RFC 9112 §2.2)";
    Nul, BAD_REQUEST, "a NUL byte in the head (RFC 9110 §5.5)";
    ControlByte, BAD_REQUEST, "a control byte in the head (RFC 9110 §5.5)";
    EmptyLine, BAD_REQUEST, "more than one empty line before the request line (RFC 9112 §2.2)";
    IncompleteHead, BAD_REQUEST, "the connection ended inside the head (RFC 9112 §8)";
    InvalidRequestLine, BAD_REQUEST, "a request line is method SP target SP version (RFC 9112 §3)";
    InvalidMethod, BAD_REQUEST, "the method is not a token (RFC 9110 §9.1)";
    MethodNotImplemented, NOT_IMPLEMENTED, "a method that this server does not know (RFC 9110 §15.6.2)";
    ConnectNotSupported, NOT_IMPLEMENTED, "CONNECT is for proxies, which this server is not (RFC 9110 §9.3.6)";
    InvalidVersion, BAD_REQUEST, "the version is not HTTP/DIGIT.DIGIT (RFC 9112 §2.3)";
    UnsupportedVersion, HTTP_VERSION_NOT_SUPPORTED, "this server speaks HTTP/1.1 and HTTP/1.0 (RFC 9110 §15.6.6)";
    InvalidTarget, BAD_REQUEST, "a byte in the target that must be percent-encoded (RFC 3986 §2)";
    TargetTooLong, URI_TOO_LONG, "a target longer than this server reads (RFC 9110 §15.5.15)";
    UnsupportedTargetForm, BAD_REQUEST, "the target has none of the four forms for this method (RFC 9112 §3.2)";
    Fragment, BAD_REQUEST, "a fragment in the target (RFC 9112 §3.2)";
    InvalidScheme, BAD_REQUEST, "the scheme of the target is not http or https (RFC 9112 §3.2.2)";
    InvalidAuthority, BAD_REQUEST, "the authority of the target is not host or host:port (RFC 9110 §4.2.4)";
    InvalidPercentEncoding, BAD_REQUEST, "a percent sign without two hexadecimal digits (RFC 3986 §2.1)";
    EncodedNul, BAD_REQUEST, "an encoded NUL in the path (RFC 3986 §7.3)";
    EncodedSlash, BAD_REQUEST, "an encoded slash in the path, which can be read two ways (RFC 3986 §2.2)";
    PathTraversal, BAD_REQUEST, "a path that climbs above the root (RFC 3986 §5.2.4)";
    HeaderTooLarge, REQUEST_HEADER_FIELDS_TOO_LARGE, "a head larger than this server reads (RFC 6585 §5)";
    TooManyHeaders, REQUEST_HEADER_FIELDS_TOO_LARGE, "more field lines than this server reads (RFC 6585 §5)";
    LeadingWhitespace, BAD_REQUEST, "white space before the first field (RFC 9112 §2.2)";
    ObsFold, BAD_REQUEST, "a field value folded over two lines (RFC 9112 §5.2)";
    MissingColon, BAD_REQUEST, "a field line without a colon (RFC 9112 §5)";
    EmptyFieldName, BAD_REQUEST, "a field line without a name (RFC 9112 §5)";
    WhitespaceBeforeColon, BAD_REQUEST, "white space between field name and colon (RFC 9112 §5.1)";
    InvalidFieldName, BAD_REQUEST, "a field name that is not a token (RFC 9110 §5.1)";
    MissingHost, BAD_REQUEST, "no Host in an HTTP/1.1 request (RFC 9112 §3.2)";
    DuplicateHost, BAD_REQUEST, "more than one Host (RFC 9112 §3.2)";
    InvalidHost, BAD_REQUEST, "a Host that is not host or host:port (RFC 9110 §7.2)";
    InvalidContentLength, BAD_REQUEST, "a Content-Length that is not a number of digits (RFC 9110 §8.6)";
    DuplicateContentLength, BAD_REQUEST, "more than one Content-Length (RFC 9112 §6.3)";
    ContentLengthWithTransferEncoding, BAD_REQUEST, "both Content-Length and Transfer-Encoding (RFC 9112 §6.3)";
    TransferEncodingInHttp10, BAD_REQUEST, "a Transfer-Encoding in HTTP/1.0 (RFC 9112 §6.1)";
    UnsupportedTransferCoding, NOT_IMPLEMENTED, "a transfer coding other than chunked (RFC 9112 §6.1)";
    InvalidTransferEncoding, BAD_REQUEST, "a Transfer-Encoding that is not exactly chunked (RFC 9112 §6.3)";
    UnsupportedExpectation, EXPECTATION_FAILED, "an expectation other than 100-continue (RFC 9110 §10.1.1)";
    ChunkSize, BAD_REQUEST, "a chunk size that is not 1 to 16 hexadecimal digits (RFC 9112 §7.1)";
    ChunkExtension, BAD_REQUEST, "a chunk extension that is malformed or too long (RFC 9112 §7.1.1)";
    MissingChunkCrlf, BAD_REQUEST, "no CRLF where a chunk must end (RFC 9112 §7.1)";
    ChunkSizeOverflow, BAD_REQUEST, "chunks whose lengths add up to more than 2^64 - 1 (RFC 9112 §7.1)";
    TrailersTooLarge, REQUEST_HEADER_FIELDS_TOO_LARGE, "a trailer section larger than this server reads (RFC 9112 §7.1.2)";
    IncompleteBody, BAD_REQUEST, "the connection ended inside the content (RFC 9112 §8)";
}

impl ParseError {
    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        self.row().0
    }

    /// The text of the answer.
    pub fn message(self) -> &'static str {
        self.row().1
    }
}

/// What is wrong, and at which byte of the head it was seen: a caret can be drawn under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocatedError {
    /// The rule that is broken.
    pub error: ParseError,
    /// The index of the offending byte, counted from the first byte of the message.
    pub offset: usize,
}

impl ParseError {
    /// This fault, seen at that byte.
    pub fn with_offset(self, at: usize) -> LocatedError {
        LocatedError { error: self, offset: at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_cites_its_rule() {
        for (index, what) in ParseError::ALL.iter().enumerate() {
            let (status, text) = what.row();
            assert!(matches!(status.as_u16(), 400..=599), "{what:?}");
            assert!(text.contains(" (RFC ") && text.contains('\u{a7}') && text.ends_with(')'), "{what:?}: {text}");
            assert!(ParseError::ALL.iter().take(index).all(|other| other.message() != text), "{what:?}: {text} is there already");
        }
    }
}
