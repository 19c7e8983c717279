//! Status codes (RFC 9110 §15).

/// A status code. Only the codes in the table exist, so each has a reason phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusCode(u16);

/// Defines the constants of [`StatusCode`] from a table: name, code, reason phrase, meaning.
macro_rules! statuses {
    ($($name:ident, $code:literal, $phrase:literal, $meaning:literal;)*) => {
        impl StatusCode {
            $(#[doc = $meaning] pub const $name: StatusCode = StatusCode($code);)*

            /// All status codes that this server sends, in ascending order.
            pub const ALL: &[StatusCode] = &[$(StatusCode::$name,)*];

            /// Returns the reason phrase, which is for people: clients ignore it (RFC 9112 §4).
            pub fn canonical_reason(self) -> &'static str {
                match self.0 {
                    $($code => $phrase,)*
                    _ => "",
                }
            }

            /// Returns what the status tells the client, for `--explain`.
            pub fn meaning(self) -> &'static str {
                match self.0 {
                    $($code => $meaning,)*
                    _ => "",
                }
            }
        }
    };
}

statuses! {
    CONTINUE, 100, "Continue", "the client may send the body (RFC 9110 §15.2.1)";
    OK, 200, "OK", "the whole resource follows";
    CREATED, 201, "Created", "the file was created, see Location (RFC 9110 §15.3.2)";
    NO_CONTENT, 204, "No Content", "success, without a body";
    PARTIAL_CONTENT, 206, "Partial Content", "only the requested range follows (RFC 9110 §15.3.7)";
    MOVED_PERMANENTLY, 301, "Moved Permanently", "the resource has another URL, see Location (RFC 9110 §15.4.2)";
    SEE_OTHER, 303, "See Other", "done; the result is at another URL, see Location (RFC 9110 §15.4.4)";
    NOT_MODIFIED, 304, "Not Modified", "the client already has this version (RFC 9110 §15.4.5)";
    PERMANENT_REDIRECT, 308, "Permanent Redirect", "the resource has another URL, see Location; the method stays the same";
    BAD_REQUEST, 400, "Bad Request", "the request breaks a rule, or is ambiguous (RFC 9110 §15.5.1)";
    UNAUTHORIZED, 401, "Unauthorized", "the client must authenticate (RFC 9110 §15.5.2)";
    FORBIDDEN, 403, "Forbidden", "understood, but refused (RFC 9110 §15.5.4)";
    NOT_FOUND, 404, "Not Found", "there is no such resource, or its existence is not disclosed (RFC 9110 §15.5.5)";
    METHOD_NOT_ALLOWED, 405, "Method Not Allowed", "the resource does not support the method; Allow lists those that it does (RFC 9110 §15.5.6)";
    NOT_ACCEPTABLE, 406, "Not Acceptable", "no representation is acceptable to the client (RFC 9110 §15.5.7)";
    REQUEST_TIMEOUT, 408, "Request Timeout", "the request took too long to arrive (RFC 9110 §15.5.9)";
    CONFLICT, 409, "Conflict", "the request conflicts with what exists (RFC 9110 §15.5.10)";
    PRECONDITION_FAILED, 412, "Precondition Failed", "a condition of the request is false for this version (RFC 9110 §15.5.13)";
    CONTENT_TOO_LARGE, 413, "Content Too Large", "the body is larger than the resource accepts (RFC 9110 §15.5.14)";
    URI_TOO_LONG, 414, "URI Too Long", "the request target is longer than the server accepts (RFC 9110 §15.5.15)";
    UNSUPPORTED_MEDIA_TYPE, 415, "Unsupported Media Type", "the body has a form that the resource does not accept (RFC 9110 §15.5.16)";
    RANGE_NOT_SATISFIABLE, 416, "Range Not Satisfiable", "no byte of the resource is in the range (RFC 9110 §15.5.17)";
    EXPECTATION_FAILED, 417, "Expectation Failed", "the expectation is not supported (RFC 9110 §15.5.18)";
    MISDIRECTED_REQUEST, 421, "Misdirected Request", "this server is not responsible for that host (RFC 9110 §15.5.20)";
    REQUEST_HEADER_FIELDS_TOO_LARGE, 431, "Request Header Fields Too Large", "the header section is larger than the server accepts (RFC 6585 §5)";
    INTERNAL_SERVER_ERROR, 500, "Internal Server Error", "the server failed (RFC 9110 §15.6.1)";
    NOT_IMPLEMENTED, 501, "Not Implemented", "the server does not support the method for any resource (RFC 9110 §15.6.2)";
    SERVICE_UNAVAILABLE, 503, "Service Unavailable", "the server is too busy at the moment (RFC 9110 §15.6.4)";
    HTTP_VERSION_NOT_SUPPORTED, 505, "HTTP Version Not Supported", "the server supports HTTP/1.1 and 1.0 (RFC 9110 §15.6.6)";
    INSUFFICIENT_STORAGE, 507, "Insufficient Storage", "there is not enough space (RFC 4918 §11.5)";
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_unique_and_have_a_reason() {
        assert!(StatusCode::ALL.is_sorted_by_key(|status| status.as_u16()));
        assert!(StatusCode::ALL.iter().all(|status| !status.canonical_reason().is_empty() && !status.meaning().is_empty()));
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
