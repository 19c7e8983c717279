//! What does every response carry? (RFC 9110 §6.6, §7.6.1, §8.6; RFC 9112 §6)
//!
//! A handler decides what is answered; this decides how it is framed, and adds the fields that all responses have. A field for
//! all responses is one line in [`write_head`], or in [`DefaultHeaders`] if it is known before the first request.

use std::time::SystemTime;

use crate::config::headers::DefaultHeaders;
use crate::handlers::message::{Body, Response};
use crate::http::date::HttpDate;
use crate::http::method::Method;
use crate::http::request::Version;
use crate::http::response::{write_crlf, write_header, write_header_u64, write_status_line};
use crate::http::status::StatusCode;

/// How the recipient will know where the content ends (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// There cannot be any: 204, 304.
    NoContent,
    /// It is so many bytes long.
    Length(u64),
    /// It comes in chunks.
    Chunks,
    /// It ends with the connection: a stream for a client that does not know chunks.
    Close,
}

/// Whether the content itself follows the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// It does.
    Content,
    /// Only the head is sent: the answer to HEAD.
    HeadOnly,
}

/// What has been decided about a response before its first byte is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseFraming {
    /// How the content is delimited.
    pub delimiter: Delimiter,
    /// Whether it is sent.
    pub sending: Sending,
    /// What becomes of the connection.
    pub keep_alive: bool,
    /// The version of the request: 1.0 must be told that the connection persists, 1.1 that it does not.
    pub version: Version,
}

/// Decides how a response is framed. `method` is `None` where the request could not be understood. Whether the connection persists is
/// not decided here: [`ResponseFraming::needs_close`] says whether the framing allows it.
pub fn plan(response: &Response, method: Option<Method>, version: Version, keep_alive: bool) -> ResponseFraming {
    let delimiter = match response.body.length() {
        _ if response.status.forbids_body() => Delimiter::NoContent,
        Some(length) => Delimiter::Length(length),
        None if version == Version::Http10 => Delimiter::Close,
        None => Delimiter::Chunks,
    };
    let sending = if method == Some(Method::Head) || delimiter == Delimiter::NoContent || matches!(response.body, Body::Empty) {
        Sending::HeadOnly
    } else {
        Sending::Content
    };
    ResponseFraming { delimiter, sending, keep_alive, version }
}

impl ResponseFraming {
    /// Whether only the end of the connection tells the client where the content ends.
    pub fn needs_close(&self) -> bool {
        self.delimiter == Delimiter::Close
    }
}

/// Appends the whole head of a response to `out`.
pub fn write_head(out: &mut Vec<u8>, response: &Response, plan: ResponseFraming, common: &DefaultHeaders, date: &HttpDate) {
    write_status_line(out, response.status);
    write_header(out, "Date", date.as_str().as_bytes());
    out.extend_from_slice(common.lines());
    response.fields.write(out);
    if !response.status.forbids_body() {
        // A browser that guesses types can be made to run what was meant to be looked at.
        write_header(out, "X-Content-Type-Options", b"nosniff");
    }
    match plan.delimiter {
        Delimiter::Length(length) => write_header_u64(out, "Content-Length", length),
        Delimiter::Chunks => write_header(out, "Transfer-Encoding", b"chunked"),
        Delimiter::NoContent | Delimiter::Close => {}
    }
    match (plan.keep_alive, plan.version) {
        (false, _) => write_header(out, "Connection", b"close"),
        (true, Version::Http10) => write_header(out, "Connection", b"keep-alive"),
        (true, Version::Http11) => {}
    }
    write_crlf(out);
}

/// The answer to a connection that cannot be served: whole, ready to be written. Even this one is made by [`write_head`].
pub fn service_unavailable(common: &DefaultHeaders, now: SystemTime) -> Vec<u8> {
    let mut response = Response::text(StatusCode::SERVICE_UNAVAILABLE, "all connections are busy, try again in a second")
        .header("Retry-After", "1");
    let plan = plan(&response, None, Version::Http11, false);
    let mut out = Vec::new();
    write_head(&mut out, &response, plan, common, &HttpDate::new(now));
    if let Body::Bytes(bytes) = std::mem::replace(&mut response.body, Body::Empty) {
        out.extend_from_slice(&bytes);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn framing_of_responses() {
        let stream = || Response::new(StatusCode::OK).with_body(Body::Stream(Box::new(std::io::empty())));
        let text = || Response::text(StatusCode::OK, "x");
        let length = text().body.length().unwrap();
        for (response, method, version, want, why) in [
            (text(), Method::Get, Version::Http11, (Delimiter::Length(length), Sending::Content, true), "a text"),
            (text(), Method::Head, Version::Http11, (Delimiter::Length(length), Sending::HeadOnly, true), "HEAD"),
            (
                Response::new(StatusCode::OK),
                Method::Get,
                Version::Http11,
                (Delimiter::Length(0), Sending::HeadOnly, true),
                "empty",
            ),
            (
                Response::new(StatusCode::NO_CONTENT),
                Method::Options,
                Version::Http11,
                (Delimiter::NoContent, Sending::HeadOnly, true),
                "204",
            ),
            (
                Response::new(StatusCode::NOT_MODIFIED),
                Method::Get,
                Version::Http11,
                (Delimiter::NoContent, Sending::HeadOnly, true),
                "304",
            ),
            (stream(), Method::Get, Version::Http11, (Delimiter::Chunks, Sending::Content, true), "a stream"),
            (stream(), Method::Get, Version::Http10, (Delimiter::Close, Sending::Content, true), "a stream in 1.0"),
        ] {
            let plan = plan(&response, Some(method), version, true);
            assert_eq!((plan.delimiter, plan.sending, plan.keep_alive), want, "{why}");
            assert_eq!(plan.needs_close(), plan.delimiter == Delimiter::Close, "{why}");
        }
    }

    #[test]
    fn a_head_is_these_bytes() {
        let body = Body::Bytes(b"404 Not Found: x\n".into());
        let response = Response::new(StatusCode::NOT_FOUND)
            .header("Content-Type", "text/plain; charset=utf-8")
            .header("X-A", "b")
            .with_body(body);
        let date = HttpDate::new(UNIX_EPOCH + Duration::from_secs(784_111_777));
        let mut out = Vec::new();
        let plan = plan(&response, Some(Method::Get), Version::Http10, true);
        write_head(&mut out, &response, plan, &DefaultHeaders::default(), &date);
        let want = "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: threadbare\r\n\
                    Content-Type: text/plain; charset=utf-8\r\nX-A: b\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 17\r\n\
                    Connection: keep-alive\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }
}
