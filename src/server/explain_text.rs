//! What is each field there for?

use crate::http::status::StatusCode;

/// Fields of requests: the name in lower case, and what it asks for.
const OF_REQUESTS: &[(&str, &str)] = &[
    ("host", "the name by which the client knows us; one machine may serve many (RFC 9112 §3.2)"),
    ("user-agent", "which program asks; it decides nothing here"),
    ("accept", "which media types the client can use (RFC 9110 §12.5.1)"),
    ("accept-encoding", "which compressed forms it can use (RFC 9110 §12.5.3)"),
    ("accept-language", "which languages its user reads; nothing here is in more than one"),
    ("connection", "what this connection should do: close ends it after the answer (RFC 9112 §9.3)"),
    ("content-length", "how many bytes of content follow (RFC 9112 §6.3)"),
    ("transfer-encoding", "the content comes in chunks, each with its length (RFC 9112 §7.1)"),
    ("content-type", "what kind of content follows"),
    ("expect", "the client waits for leave before it sends its content (RFC 9110 §10.1.1)"),
    ("range", "only these bytes are wanted (RFC 9110 §14.2)"),
    ("if-range", "the range counts only for this version; else the whole is wanted (RFC 9110 §13.1.5)"),
    ("if-none-match", "send it only if its tag is none of these (RFC 9110 §13.1.2)"),
    ("if-match", "go on only if its tag is one of these (RFC 9110 §13.1.1)"),
    ("if-modified-since", "send it only if it is newer than this (RFC 9110 §13.1.3)"),
    ("if-unmodified-since", "go on only if it is not newer than this (RFC 9110 §13.1.4)"),
    ("origin", "the site whose page asks"),
    ("referer", "the page on which the link stood"),
    ("authorization", "who asks, and the proof of it; not shown here"),
    ("cookie", "what a server asked the client to remember; nobody here does"),
    ("upgrade-insecure-requests", "the client would rather have https; we do not speak it"),
    ("cache-control", "what caches on the way may do"),
    ("access-control-request-method", "a browser asks whether a page may send that method (Fetch §3.3)"),
    ("access-control-request-headers", "a browser asks whether a page may send these fields (Fetch §3.3)"),
    ("sec-fetch-site", "whether the page that asks is of this site; a browser says so, and no page can (Fetch Metadata)"),
    ("x-forwarded-for", "for whom a proxy asks; believed of proxies that --trust-proxy names"),
    ("forwarded", "for whom a proxy asks (RFC 7239); believed of proxies that --trust-proxy names"),
];

/// Fields of responses: the name in lower case, and what it tells.
const OF_RESPONSES: &[(&str, &str)] = &[
    ("date", "when the answer was made: caches count its age from there"),
    ("server", "who answers; no version, which would only help attackers (RFC 9110 §10.2.4)"),
    ("content-type", "what the bytes are, so that nobody has to guess (RFC 9110 §8.3)"),
    ("content-length", "where the content ends, so that the connection can go on (RFC 9112 §6.3)"),
    ("transfer-encoding", "its length is not known beforehand: it comes in chunks (RFC 9112 §7.1)"),
    ("content-range", "which bytes these are, and of how many (RFC 9110 §14.4)"),
    ("content-encoding", "the bytes are compressed like this"),
    ("etag", "the name of this version: If-None-Match can ask for another (RFC 9110 §8.8.3)"),
    ("last-modified", "when the file last changed: a name for the version as well"),
    ("accept-ranges", "parts may be asked for (RFC 9110 §14.3)"),
    ("cache-control", "how long it may be used again without asking; no-cache is: ask each time"),
    ("vary", "which fields of the request decided about this answer (RFC 9110 §12.5.5)"),
    ("location", "where the client should look instead (RFC 9110 §10.2.2)"),
    ("allow", "which methods this resource takes (RFC 9110 §10.2.1)"),
    ("x-content-type-options", "a browser shall not guess another type"),
    ("content-security-policy", "what a browser may load and run in an answer of ours: nothing of others"),
    ("referrer-policy", "links on this page do not tell where they were followed from"),
    ("www-authenticate", "how the client can say who it is (RFC 9110 §11.6.1)"),
    ("retry-after", "when it is worth trying again"),
    ("connection", "what becomes of this connection (RFC 9112 §9.3)"),
    ("access-control-allow-origin", "pages of which sites may read this; * is all (Fetch §3.3.3)"),
    ("access-control-allow-credentials", "they may do so also with cookies and passwords (Fetch §3.3.3)"),
    ("access-control-expose-headers", "which fields of the answer they may read (Fetch §3.3.3)"),
    ("access-control-allow-methods", "which methods they may send (Fetch §3.3.3)"),
    ("access-control-allow-headers", "which fields they may send (Fetch §3.3.3)"),
    ("access-control-max-age", "for so many seconds a browser need not ask again (Fetch §3.3.3)"),
];

/// What a field of a request asks for.
pub fn of_request(name: &[u8]) -> &'static str {
    look_up(OF_REQUESTS, name).unwrap_or("decides nothing here")
}

/// What a field of a response tells.
pub fn of_response(name: &str) -> &'static str {
    look_up(OF_RESPONSES, name.as_bytes()).unwrap_or("asked for on the command line")
}

fn look_up(table: &[(&str, &'static str)], name: &[u8]) -> Option<&'static str> {
    table.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name)).map(|(_, says)| *says)
}

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
    fn names_are_found_without_case() {
        assert!(of_request(b"HOST").contains("by which the client knows us"));
        assert!(of_response("ETag").contains("name of this version"));
        assert_eq!(of_request(b"x-unknown"), "decides nothing here");
        for (name, _) in OF_REQUESTS.iter().chain(OF_RESPONSES) {
            assert_eq!(*name, name.to_ascii_lowercase());
        }
    }

    #[test]
    fn every_status_that_is_sent_is_told() {
        for status in StatusCode::ALL {
            assert!(STATUSES.iter().any(|(code, _)| *code == status.as_u16()), "{}", status.as_u16());
        }
    }
}
