//! Does a person go to a page? (Fetch, "navigation request")
//!
//! An application in one page has addresses that are no files: the page itself makes sense of them. Whoever goes to one, by typing it or by
//! reloading, should get that page. A script or an image that is missing should not: it would come as HTML, and fail in ways that are
//! hard to understand.

use crate::http::accept;
use crate::http::headers::Headers;
use crate::http::method::Method;

/// Whether it looks like that: HTML is asked for by name, as browsers do for pages and for nothing else, and the last segment of the path
/// has no dot, as names of files have.
pub fn is_navigation_request(method: Method, headers: &Headers<'_>, path: &[u8]) -> bool {
    let last = path.rsplit(|&b| b == b'/').next().unwrap_or_default();
    let reads = method == Method::Get || method == Method::Head;
    reads && !last.contains(&b'.') && accept::accepts_explicitly(headers, "text/html")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::{HeadLimits, RequestParser};

    #[test]
    fn navigations() {
        const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        for (method, path, accept, want, why) in [
            (Method::Get, "/user/7", BROWSER, true, "an address of the application"),
            (Method::Head, "/user/7", BROWSER, true, "without its content"),
            (Method::Get, "/user/", BROWSER, true, "with a slash"),
            (Method::Get, "/v1.2/user", BROWSER, true, "a dot further up"),
            (Method::Get, "/user/7", "text/html", true, "only that"),
            (Method::Get, "/user/7", "TEXT/HTML;q=0.1", true, "in any case, and with little weight"),
            (Method::Post, "/user/7", BROWSER, false, "something is to be done"),
            (Method::Get, "/app.js", BROWSER, false, "a file"),
            (Method::Get, "/assets/logo.svg", BROWSER, false, "a file below"),
            (Method::Get, "/user/7", "*/*", false, "a script, a font, curl"),
            (Method::Get, "/user/7", "text/*", false, "no browser asks for a page like that"),
            (Method::Get, "/user/7", "application/json", false, "data"),
            (Method::Get, "/user/7", "text/html;q=0, */*", false, "anything else"),
            (Method::Get, "/user/7", "", false, "nothing said"),
        ] {
            let head = format!("GET / HTTP/1.0\r\nAccept: {accept}\r\n\r\n").into_bytes();
            let mut parser = RequestParser::new(HeadLimits::default());
            parser.parse(&head).unwrap();
            let headers = parser.head(&head).unwrap().headers;
            assert_eq!(is_navigation_request(method, &headers, path.as_bytes()), want, "{path} {accept:?}: {why}");
        }
    }
}
