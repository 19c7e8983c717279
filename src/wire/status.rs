//! How did it go? (RFC 9110 §15)

use std::fmt;

/// A status code. Only the codes of the table can be made, so each has its phrase.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(u16);

/// Every status code that this server sends, and its reason phrase.
const PHRASES: [(Status, &str); 24] = [
    (Status::CONTINUE, "Continue"),
    (Status::OK, "OK"),
    (Status::NO_CONTENT, "No Content"),
    (Status::PARTIAL_CONTENT, "Partial Content"),
    (Status::MOVED_PERMANENTLY, "Moved Permanently"),
    (Status::NOT_MODIFIED, "Not Modified"),
    (Status::BAD_REQUEST, "Bad Request"),
    (Status::UNAUTHORIZED, "Unauthorized"),
    (Status::FORBIDDEN, "Forbidden"),
    (Status::NOT_FOUND, "Not Found"),
    (Status::METHOD_NOT_ALLOWED, "Method Not Allowed"),
    (Status::NOT_ACCEPTABLE, "Not Acceptable"),
    (Status::REQUEST_TIMEOUT, "Request Timeout"),
    (Status::PRECONDITION_FAILED, "Precondition Failed"),
    (Status::CONTENT_TOO_LARGE, "Content Too Large"),
    (Status::URI_TOO_LONG, "URI Too Long"),
    (Status::RANGE_NOT_SATISFIABLE, "Range Not Satisfiable"),
    (Status::EXPECTATION_FAILED, "Expectation Failed"),
    (Status::MISDIRECTED_REQUEST, "Misdirected Request"),
    (Status::FIELDS_TOO_LARGE, "Request Header Fields Too Large"),
    (Status::INTERNAL_SERVER_ERROR, "Internal Server Error"),
    (Status::NOT_IMPLEMENTED, "Not Implemented"),
    (Status::SERVICE_UNAVAILABLE, "Service Unavailable"),
    (Status::VERSION_NOT_SUPPORTED, "HTTP Version Not Supported"),
];

#[allow(missing_docs, reason = "each name is its phrase")]
impl Status {
    pub const CONTINUE: Status = Status(100);
    pub const OK: Status = Status(200);
    pub const NO_CONTENT: Status = Status(204);
    pub const PARTIAL_CONTENT: Status = Status(206);
    pub const MOVED_PERMANENTLY: Status = Status(301);
    pub const NOT_MODIFIED: Status = Status(304);
    pub const BAD_REQUEST: Status = Status(400);
    pub const UNAUTHORIZED: Status = Status(401);
    pub const FORBIDDEN: Status = Status(403);
    pub const NOT_FOUND: Status = Status(404);
    pub const METHOD_NOT_ALLOWED: Status = Status(405);
    pub const NOT_ACCEPTABLE: Status = Status(406);
    pub const REQUEST_TIMEOUT: Status = Status(408);
    pub const PRECONDITION_FAILED: Status = Status(412);
    pub const CONTENT_TOO_LARGE: Status = Status(413);
    pub const URI_TOO_LONG: Status = Status(414);
    pub const RANGE_NOT_SATISFIABLE: Status = Status(416);
    pub const EXPECTATION_FAILED: Status = Status(417);
    pub const MISDIRECTED_REQUEST: Status = Status(421);
    pub const FIELDS_TOO_LARGE: Status = Status(431);
    pub const INTERNAL_SERVER_ERROR: Status = Status(500);
    pub const NOT_IMPLEMENTED: Status = Status(501);
    pub const SERVICE_UNAVAILABLE: Status = Status(503);
    pub const VERSION_NOT_SUPPORTED: Status = Status(505);
}

impl Status {
    /// All that this server sends, in order.
    pub fn all() -> impl Iterator<Item = Status> {
        PHRASES.iter().map(|(status, _)| *status)
    }

    /// The three digits.
    pub fn code(self) -> u16 {
        self.0
    }

    /// The reason phrase. Clients ignore it, people do not (RFC 9112 §4).
    pub fn phrase(self) -> &'static str {
        PHRASES.iter().find(|(status, _)| *status == self).map_or("", |(_, phrase)| phrase)
    }

    /// Whether a response of this status never has content: 1xx, 204 and 304 (RFC 9112 §6.3, rule 1).
    pub fn never_has_content(self) -> bool {
        self.0 < 200 || self == Status::NO_CONTENT || self == Status::NOT_MODIFIED
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.phrase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_complete() {
        assert!(PHRASES.is_sorted_by_key(|(status, _)| status.code()));
        assert!(PHRASES.iter().all(|(status, phrase)| !phrase.is_empty() && status.phrase() == *phrase));
    }

    #[test]
    fn content_or_not() {
        for (status, want) in
            [(Status::CONTINUE, true), (Status::OK, false), (Status::NO_CONTENT, true), (Status::NOT_MODIFIED, true)]
        {
            assert_eq!(status.never_has_content(), want, "{status:?}");
        }
    }
}
