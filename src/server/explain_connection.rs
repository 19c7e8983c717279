//! Why does the connection stay open, or close? (RFC 9112 §9.3, §9.5, §9.6)

use crate::http::request::Version;
use crate::server::close_reason::CloseReason;
use crate::server::response_framing::{Delimiter, ResponseFraming};

/// After an exchange; `None` is that it stays.
pub fn sentence(plan: ResponseFraming, ended: Option<&CloseReason>) -> String {
    let words = match (ended, plan.delimiter, plan.version) {
        (None, _, Version::Http11) => {
            "the connection stays open: that is the rule in HTTP/1.1, and nobody said close (RFC 9112 §9.3)"
        }
        (None, _, Version::Http10) => {
            "the connection stays open: the client asked for it with Connection: keep-alive (RFC 9112 §9.3)"
        }
        (Some(CloseReason::ConnectionClose), Delimiter::Close, _) => {
            "the connection closes: that is the only way to say that the content is over (RFC 9112 §6.3)"
        }
        (Some(CloseReason::ConnectionClose), _, Version::Http11) => {
            "the connection closes: the client asked for it with Connection: close (RFC 9112 §9.6)"
        }
        (Some(CloseReason::ConnectionClose), _, Version::Http10) => {
            "the connection closes: that is the rule in HTTP/1.0 without keep-alive (RFC 9112 §9.3)"
        }
        (Some(other), _, _) => return end(other),
    };
    words.to_owned()
}

/// Why it ends.
pub fn end(ended: &CloseReason) -> String {
    let words = match ended {
        CloseReason::ClientClosed => {
            "the connection closes: the client has closed its side between two requests, and that is how it should be (RFC 9112 §9.5)"
        }
        CloseReason::ConnectionClose => "the connection closes: the client asked for it (RFC 9112 §9.6)",
        CloseReason::IdleTimeout => {
            "the connection closes: no further request came in time; --idle-timeout says how long that is (RFC 9112 §9.5)"
        }
        CloseReason::HeadTimeout => {
            "the connection closes: a head was begun and not finished in time; --header-timeout says how long that is (RFC 9112 §9.5)"
        }
        CloseReason::ContentTimeout => "the connection closes: content was announced and did not come in time (RFC 9112 §9.5)",
        CloseReason::Malformed(_) => "the connection closes: where the next request would begin cannot be known (RFC 9112 §2.2)",
        CloseReason::UnreadBody => {
            "the connection closes: more content was announced than is worth reading for nothing (RFC 9112 §9.3)"
        }
        CloseReason::HandlerPanicked => "the connection closes: the handler failed, which is a fault of this server",
        CloseReason::BodyAborted => {
            "the connection closes in the middle: the file changed or could not be read, and a broken connection says so (RFC 9112 §8)"
        }
        CloseReason::Evicted => {
            "the connection closes: all seats were taken, and a newcomer got this one; --max-connections says how many there are"
        }
        CloseReason::ShuttingDown => "the connection closes: the server is asked to stop (RFC 9112 §9.6)",
        CloseReason::ProxyHeader(_) => {
            "the connection closes: it did not begin with a header of the PROXY protocol, as --proxy-protocol has it"
        }
        CloseReason::Io(error) => return format!("the connection is gone: {error}"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::http::error::ParseError;
    use crate::server::proxy_protocol::ProxyHeaderError;
    use crate::server::response_framing::Sending;

    #[test]
    fn every_end_has_its_words() {
        let plan = |delimiter, version| ResponseFraming { delimiter, sending: Sending::Content, keep_alive: false, version };
        let usual = plan(Delimiter::Length(1), Version::Http11);
        for (plan, ended, want) in [
            (
                plan(Delimiter::Close, Version::Http10),
                Some(CloseReason::ConnectionClose),
                "the only way to say that the content is over",
            ),
            (usual, Some(CloseReason::ConnectionClose), "Connection: close"),
            (plan(Delimiter::Length(1), Version::Http10), Some(CloseReason::ConnectionClose), "the rule in HTTP/1.0"),
            (usual, None, "the rule in HTTP/1.1"),
            (plan(Delimiter::Length(1), Version::Http10), None, "keep-alive"),
            (usual, Some(CloseReason::ClientClosed), "the client has closed"),
            (usual, Some(CloseReason::IdleTimeout), "--idle-timeout"),
            (usual, Some(CloseReason::HeadTimeout), "--header-timeout"),
            (usual, Some(CloseReason::ContentTimeout), "content was announced"),
            (usual, Some(CloseReason::Malformed(ParseError::Nul)), "where the next request would begin"),
            (usual, Some(CloseReason::UnreadBody), "more content"),
            (usual, Some(CloseReason::HandlerPanicked), "a fault of this server"),
            (usual, Some(CloseReason::BodyAborted), "in the middle"),
            (usual, Some(CloseReason::Evicted), "--max-connections"),
            (usual, Some(CloseReason::ShuttingDown), "asked to stop"),
            (usual, Some(CloseReason::ProxyHeader(ProxyHeaderError("why"))), "--proxy-protocol"),
            (usual, Some(CloseReason::Io(io::ErrorKind::TimedOut.into())), "is gone: timed out"),
        ] {
            let said = sentence(plan, ended.as_ref());
            assert!(said.contains(want), "{ended:?}: {said}");
        }
    }
}
