//! What does each status say?

use crate::http::status::StatusCode;

const STATUSES: &[(u16, &str)] = &[
    (100, "the content may be sent now (RFC 9110 §15.2.1)"),
    (200, "all of it follows"),
    (204, "done, and there is nothing to send"),
    (206, "only the part that Range asked for follows (RFC 9110 §15.3.7)"),
    (301, "it has another address, which Location gives"),
    (304, "the client has this very version already: its condition named it (RFC 9110 §15.4.5)"),
    (412, "the condition names another version than there is (RFC 9110 §15.5.13)"),
    (416, "no byte lies in that range (RFC 9110 §15.5.17)"),
    (400, "the message breaks a rule, or could be read in two ways (RFC 9110 §15.5.1)"),
    (401, "who asks shall say who it is (RFC 9110 §15.5.2)"),
    (403, "understood, and refused (RFC 9110 §15.5.4)"),
    (404, "there is nothing of that name here, or nobody shall know of it (RFC 9110 §15.5.5)"),
    (405, "this resource does not take that method; Allow names those that it takes (RFC 9110 §15.5.6)"),
    (406, "it is not to be had in any form that the client takes (RFC 9110 §15.5.7)"),
    (408, "the client took too long (RFC 9110 §15.5.9)"),
    (413, "more content than this resource takes (RFC 9110 §15.5.14)"),
    (414, "the target is longer than this server reads (RFC 9110 §15.5.15)"),
    (417, "the client expects what this server does not do (RFC 9110 §15.5.18)"),
    (421, "a server of that name is not here (RFC 9110 §15.5.20)"),
    (431, "more fields, or longer ones, than this server reads (RFC 6585 §5)"),
    (500, "this server failed (RFC 9110 §15.6.1)"),
    (501, "this server does not know how to do that, for no resource (RFC 9110 §15.6.2)"),
    (503, "this server is too busy at the moment (RFC 9110 §15.6.4)"),
    (505, "this server speaks HTTP/1.1 and 1.0 (RFC 9110 §15.6.6)"),
];

/// What a status says.
pub fn of_status(status: StatusCode) -> &'static str {
    let known = STATUSES.iter().find(|(code, _)| *code == status.as_u16());
    known.map_or("no more than its phrase", |(_, says)| says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_that_is_sent_is_told() {
        for status in StatusCode::ALL {
            assert!(STATUSES.iter().any(|(code, _)| *code == status.as_u16()), "{}", status.as_u16());
        }
    }
}
