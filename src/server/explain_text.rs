//! Texts of `--explain` about header fields.

/// Request header fields, with names in lower case.
pub(super) const REQUEST_HEADERS: &[(&str, &str)] = &[
    ("host", "the host name in the URL; one server may have many (RFC 9110 §7.2)"),
    ("user-agent", "the client program; not used"),
    ("accept", "media types that the client can use (RFC 9110 §12.5.1)"),
    ("accept-encoding", "compressions that the client can decode (RFC 9110 §12.5.3)"),
    ("accept-language", "languages that the user reads; not used"),
    ("connection", "options for this connection, such as close (RFC 9110 §7.6.1)"),
    ("content-length", "length of the body in bytes (RFC 9112 §6.2)"),
    ("transfer-encoding", "the body is sent in chunks (RFC 9112 §6.1)"),
    ("content-type", "media type of the body (RFC 9110 §8.3)"),
    ("content-encoding", "compression of the body; refused in uploads (RFC 9110 §8.4)"),
    ("content-range", "the body is a part of a file; refused in uploads (RFC 9110 §14.5)"),
    ("expect", "the client waits for 100 Continue before it sends the body (RFC 9110 §10.1.1)"),
    ("range", "only these bytes are requested (RFC 9110 §14.2)"),
    ("if-range", "Range applies only if the resource still has this version (RFC 9110 §13.1.5)"),
    ("if-none-match", "send the resource only if its ETag is not in this list (RFC 9110 §13.1.2)"),
    ("if-match", "proceed only if the ETag of the resource is in this list (RFC 9110 §13.1.1)"),
    ("if-modified-since", "send the resource only if it is newer than this date (RFC 9110 §13.1.3)"),
    ("if-unmodified-since", "proceed only if the resource is not newer than this date (RFC 9110 §13.1.4)"),
    ("origin", "the site of the page that sends the request (Fetch)"),
    ("referer", "the page with the link"),
    ("authorization", "credentials; not shown here"),
    ("cookie", "values stored for a site; not used, not shown here"),
    ("upgrade-insecure-requests", "the client prefers https; not used"),
    ("cache-control", "instructions for caches on the way (RFC 9111 §5.2)"),
    ("access-control-request-method", "a browser asks whether a page may use this method (Fetch §3.3)"),
    ("access-control-request-headers", "a browser asks whether a page may send these fields (Fetch §3.3)"),
    ("sec-fetch-dest", "what the browser does with the response: document = shows it as a page (Fetch Metadata); used by --spa"),
    ("sec-fetch-site", "whether the page that sends the request is of the same site; set by the browser (Fetch Metadata)"),
    ("x-forwarded-for", "the client of a proxy; used only from proxies named by --trust-proxy"),
    ("forwarded", "the client of a proxy (RFC 7239); used only from proxies named by --trust-proxy ADDR=forwarded"),
];

/// Response header fields, with names in lower case.
pub(super) const RESPONSE_HEADERS: &[(&str, &str)] = &[
    ("date", "when the response was generated; caches compute its age from it"),
    ("server", "the server program, without a version, which would only help attackers (RFC 9110 §10.2.4)"),
    ("content-type", "media type of the body (RFC 9110 §8.3)"),
    ("content-length", "length of the body in bytes, which marks its end (RFC 9112 §6.2)"),
    ("transfer-encoding", "the length is not known in advance, so the body is sent in chunks (RFC 9112 §6.1)"),
    ("content-range", "which bytes of the resource follow, and its length (RFC 9110 §14.4)"),
    ("content-encoding", "compression of the body"),
    ("content-location", "the URL of exactly this file (RFC 9110 §8.7)"),
    ("content-disposition", "the body is to be saved, under this name (RFC 6266 §4)"),
    ("etag", "identifies this version, for If-None-Match in later requests (RFC 9110 §8.8.3)"),
    ("last-modified", "when the file last changed, for If-Modified-Since in later requests"),
    ("accept-ranges", "clients may request ranges (RFC 9110 §14.3)"),
    ("cache-control", "how long the response may be reused; no-cache means after asking the server (RFC 9111 §5.2)"),
    ("vary", "request fields on which the response depends (RFC 9110 §12.5.5)"),
    ("location", "the URL of the resource (RFC 9110 §10.2.2)"),
    ("allow", "methods that the resource supports (RFC 9110 §10.2.1)"),
    ("x-content-type-options", "browsers must not guess another media type (Fetch)"),
    ("content-security-policy", "what a browser may load and run in this generated page"),
    ("referrer-policy", "links on this page do not reveal its URL"),
    ("www-authenticate", "how the client can authenticate (RFC 9110 §11.6.1)"),
    ("retry-after", "when to try again"),
    ("connection", "whether this connection persists (RFC 9112 §9.3)"),
    ("access-control-allow-origin", "the site whose pages may read the response, or * for all (Fetch §3.3.3)"),
    ("access-control-allow-credentials", "pages may read it also if it was requested with credentials (Fetch §3.3.3)"),
    ("access-control-expose-headers", "response fields that pages may read (Fetch §3.3.3)"),
    ("access-control-allow-methods", "methods that pages may use (Fetch §3.3.3)"),
    ("access-control-allow-headers", "request fields that pages may send (Fetch §3.3.3)"),
    ("access-control-max-age", "for how many seconds the browser need not ask again (Fetch §3.3.3)"),
];

/// Returns the meaning of a header field in a table, or `default` if it is not there.
pub(super) fn meaning(table: &[(&str, &'static str)], name: &[u8], default: &'static str) -> &'static str {
    table.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name)).map_or(default, |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_names_are_case_insensitive() {
        assert!(meaning(REQUEST_HEADERS, b"HOST", "").contains("host name"));
        assert!(meaning(RESPONSE_HEADERS, b"ETag", "").contains("identifies this version"));
        assert_eq!(meaning(REQUEST_HEADERS, b"x-unknown", "not used"), "not used");
        for (name, _) in REQUEST_HEADERS.iter().chain(RESPONSE_HEADERS) {
            assert_eq!(*name, name.to_ascii_lowercase());
        }
    }
}
