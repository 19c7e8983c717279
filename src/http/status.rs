//! Status codes (RFC 9110 §15).

use std::fmt;

/// A status code. Only the codes in the table exist, so each has a reason phrase.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusCode(u16);

/// Defines the constants of [`StatusCode`] from a table: name, code, reason phrase.
macro_rules! statuses {
    ($($name:ident, $code:literal, $phrase:literal;)*) => {
        impl StatusCode {
            $(#[doc = $phrase] pub const $name: StatusCode = StatusCode($code);)*

            /// All status codes that this server sends, in ascending order.
            pub const ALL: &[StatusCode] = &[$(StatusCode::$name,)*];

            /// Returns the reason phrase, which is for people: clients ignore it (RFC 9112 §4).
            pub fn canonical_reason(self) -> &'static str {
                match self.0 {
                    $($code => $phrase,)*
                    _ => "",
                }
            }
        }
    };
}

statuses! {
    CONTINUE, 100, "Continue";
    OK, 200, "OK";
    NO_CONTENT, 204, "No Content";
    PARTIAL_CONTENT, 206, "Partial Content";
    MOVED_PERMANENTLY, 301, "Moved Permanently";
    NOT_MODIFIED, 304, "Not Modified";
    BAD_REQUEST, 400, "Bad Request";
    UNAUTHORIZED, 401, "Unauthorized";
    FORBIDDEN, 403, "Forbidden";
    NOT_FOUND, 404, "Not Found";
    METHOD_NOT_ALLOWED, 405, "Method Not Allowed";
    NOT_ACCEPTABLE, 406, "Not Acceptable";
    REQUEST_TIMEOUT, 408, "Request Timeout";
    PRECONDITION_FAILED, 412, "Precondition Failed";
    CONTENT_TOO_LARGE, 413, "Content Too Large";
    URI_TOO_LONG, 414, "URI Too Long";
    RANGE_NOT_SATISFIABLE, 416, "Range Not Satisfiable";
    EXPECTATION_FAILED, 417, "Expectation Failed";
    MISDIRECTED_REQUEST, 421, "Misdirected Request";
    REQUEST_HEADER_FIELDS_TOO_LARGE, 431, "Request Header Fields Too Large";
    INTERNAL_SERVER_ERROR, 500, "Internal Server Error";
    NOT_IMPLEMENTED, 501, "Not Implemented";
    SERVICE_UNAVAILABLE, 503, "Service Unavailable";
    HTTP_VERSION_NOT_SUPPORTED, 505, "HTTP Version Not Supported";
}

impl StatusCode {
    /// Returns the code as a number.
    pub fn as_u16(self) -> u16 {
        self.0
    }

    /// Whether a response with this status never has a body: 1xx, 204 and 304 (RFC 9112 §6.3, rule 1).
    pub fn forbids_body(self) -> bool {
        self.0 < 200 || self == StatusCode::NO_CONTENT || self == StatusCode::NOT_MODIFIED
    }
}

impl fmt::Debug for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.canonical_reason())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_unique_and_have_a_reason() {
        assert!(StatusCode::ALL.is_sorted_by_key(|status| status.as_u16()));
        assert!(StatusCode::ALL.iter().all(|status| !status.canonical_reason().is_empty()));
        assert!(StatusCode::ALL.windows(2).all(|two| two[0] != two[1]), "each code occurs once");
    }

    #[test]
    fn informational_204_and_304_forbid_a_body() {
        for (status, want) in [
            (StatusCode::CONTINUE, true),
            (StatusCode::OK, false),
            (StatusCode::NO_CONTENT, true),
            (StatusCode::NOT_MODIFIED, true),
        ] {
            assert_eq!(status.forbids_body(), want, "{status:?}");
        }
    }
}
