//! Parse errors: every reason to reject a malformed message (RFC 9112 §2.2, §11).

use crate::http::status::StatusCode;

/// Defines [`ParseError`] from a table with one row per error: variant, status of the response, message.
macro_rules! parse_errors {
    ($($name:ident, $status:ident, $message:literal;)*) => {
        /// A reason to reject a message before it reaches a handler. The end of the message is then unknown, so the connection must be closed
        /// after the response.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ParseError {
            $(#[doc = $message] $name,)*
        }

        impl ParseError {
            /// All errors, in the order of the enum.
            pub const ALL: &[ParseError] = &[$(ParseError::$name,)*];

            /// Returns the status of the response.
            pub fn status(self) -> StatusCode {
                match self {
                    $(ParseError::$name => StatusCode::$status,)*
                }
            }

            /// Returns the text of the response: the violated rule and its RFC section. It never contains bytes of the message.
            pub fn message(self) -> &'static str {
                match self {
                    $(ParseError::$name => $message,)*
                }
            }
        }
    };
}

parse_errors! {
    BareCr, BAD_REQUEST, "CR is not followed by LF (RFC 9112 §2.2)";
    BareLf, BAD_REQUEST, "line ends in LF without CR (RFC 9112 §2.2); with nc use -C";
    Nul, BAD_REQUEST, "NUL byte in the header section (RFC 9110 §5.5)";
    ControlByte, BAD_REQUEST, "control character in the header section (RFC 9110 §5.5)";
    EmptyLine, BAD_REQUEST, "more than one empty line before the request line (RFC 9112 §2.2)";
    IncompleteHead, BAD_REQUEST, "connection closed before the end of the header section (RFC 9112 §8)";
    InvalidRequestLine, BAD_REQUEST, "request line is not method SP target SP version (RFC 9112 §3)";
    InvalidMethod, BAD_REQUEST, "method is not a token (RFC 9110 §9.1)";
    MethodNotImplemented, NOT_IMPLEMENTED, "method not implemented (RFC 9110 §15.6.2)";
    ConnectNotSupported, NOT_IMPLEMENTED, "CONNECT is for proxies, and this server is none (RFC 9110 §9.3.6)";
    InvalidVersion, BAD_REQUEST, "version is not HTTP/DIGIT.DIGIT (RFC 9112 §2.3)";
    UnsupportedVersion, HTTP_VERSION_NOT_SUPPORTED, "only HTTP/1.1 and HTTP/1.0 are supported (RFC 9110 §15.6.6)";
    InvalidTarget, BAD_REQUEST, "byte in the request target must be percent-encoded (RFC 3986 §2)";
    TargetTooLong, URI_TOO_LONG, "request target too long (RFC 9110 §15.5.15)";
    UnsupportedTargetForm, BAD_REQUEST, "request target has no form that is valid for this method (RFC 9112 §3.2)";
    Fragment, BAD_REQUEST, "fragment in the request target (RFC 9112 §3.2)";
    InvalidScheme, BAD_REQUEST, "scheme of the request target is not http or https (RFC 9112 §3.2.2)";
    InvalidAuthority, BAD_REQUEST, "authority of the request target is not host or host:port (RFC 9110 §4.2.4)";
    InvalidPercentEncoding, BAD_REQUEST, "percent sign without two hexadecimal digits (RFC 3986 §2.1)";
    EncodedNul, BAD_REQUEST, "percent-encoded NUL in the path (RFC 3986 §7.3)";
    EncodedSlash, BAD_REQUEST, "percent-encoded slash in the path is ambiguous (RFC 3986 §2.2)";
    PathTraversal, BAD_REQUEST, "path leads above the root (RFC 3986 §5.2.4)";
    HeaderTooLarge, REQUEST_HEADER_FIELDS_TOO_LARGE, "header section too large (RFC 6585 §5)";
    TooManyHeaders, REQUEST_HEADER_FIELDS_TOO_LARGE, "too many header fields (RFC 6585 §5)";
    LeadingWhitespace, BAD_REQUEST, "whitespace before the first header field (RFC 9112 §2.2)";
    ObsFold, BAD_REQUEST, "field value is folded over two lines (RFC 9112 §5.2)";
    MissingColon, BAD_REQUEST, "field line has no colon (RFC 9112 §5)";
    EmptyFieldName, BAD_REQUEST, "field line has no name (RFC 9112 §5)";
    WhitespaceBeforeColon, BAD_REQUEST, "whitespace between field name and colon (RFC 9112 §5.1)";
    InvalidFieldName, BAD_REQUEST, "field name is not a token (RFC 9110 §5.1)";
    MissingHost, BAD_REQUEST, "no Host field in an HTTP/1.1 request (RFC 9112 §3.2)";
    DuplicateHost, BAD_REQUEST, "more than one Host field (RFC 9112 §3.2)";
    InvalidHost, BAD_REQUEST, "Host is not host or host:port (RFC 9110 §7.2)";
    InvalidContentLength, BAD_REQUEST, "Content-Length is not a decimal number (RFC 9110 §8.6)";
    DuplicateContentLength, BAD_REQUEST, "more than one Content-Length (RFC 9112 §6.3)";
    ContentLengthWithTransferEncoding, BAD_REQUEST, "both Content-Length and Transfer-Encoding (RFC 9112 §6.3)";
    TransferEncodingInHttp10, BAD_REQUEST, "Transfer-Encoding in HTTP/1.0 (RFC 9112 §6.1)";
    UnsupportedTransferCoding, NOT_IMPLEMENTED, "transfer coding other than chunked (RFC 9112 §6.1)";
    InvalidTransferEncoding, BAD_REQUEST, "Transfer-Encoding is not exactly chunked (RFC 9112 §6.3)";
    UnsupportedExpectation, EXPECTATION_FAILED, "expectation other than 100-continue (RFC 9110 §10.1.1)";
    ChunkSize, BAD_REQUEST, "chunk size is not 1 to 16 hexadecimal digits (RFC 9112 §7.1)";
    ChunkExtension, BAD_REQUEST, "chunk extension is malformed or too long (RFC 9112 §7.1.1)";
    MissingChunkCrlf, BAD_REQUEST, "no CRLF at the end of a chunk (RFC 9112 §7.1)";
    ChunkSizeOverflow, BAD_REQUEST, "chunk sizes add up to more than 2^64 - 1 (RFC 9112 §7.1)";
    TrailersTooLarge, REQUEST_HEADER_FIELDS_TOO_LARGE, "trailer section too large (RFC 9112 §7.1.2)";
    IncompleteBody, BAD_REQUEST, "connection closed before the end of the message body (RFC 9112 §8)";
}

impl ParseError {
    /// Adds the index of the offending byte.
    pub fn with_offset(self, offset: usize) -> LocatedError {
        LocatedError { error: self, offset }
    }
}

/// A parse error and its position, at which `--explain` draws a caret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocatedError {
    /// The violated rule.
    pub error: ParseError,
    /// The index of the offending byte, counted from the first byte of the message.
    pub offset: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_unique_and_cites_its_section() {
        for (index, error) in ParseError::ALL.iter().enumerate() {
            let message = error.message();
            assert!(matches!(error.status().as_u16(), 400..=599), "{error:?}");
            let cites = message.contains(" (RFC ") && message.contains('\u{a7}');
            assert!(cites && !message.ends_with('.'), "{error:?}: {message}");
            assert!(ParseError::ALL.iter().take(index).all(|other| other.message() != message), "{error:?} repeats {message}");
        }
    }
}
