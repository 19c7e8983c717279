//! Why does the connection stay open, or close? (RFC 9112 §9.3, §9.5, §9.6)

use crate::http::request::Version;
use crate::server::close_reason::Ended;
use crate::server::response_framing::{Delimiter, Plan};

/// After an exchange; `None` is that it stays.
pub fn sentence(plan: Plan, ended: Option<&Ended>) -> String {
    let words = match (ended, plan.delimiter, plan.version) {
        (None, _, Version::Http11) => {
            "the connection stays open: that is the rule in HTTP/1.1, and nobody said close (RFC 9112 §9.3)"
        }
        (None, _, Version::Http10) => {
            "the connection stays open: the client asked for it with Connection: keep-alive (RFC 9112 §9.3)"
        }
        (Some(Ended::AsAsked), Delimiter::Close, _) => {
            "the connection closes: that is the only way to say that the content is over (RFC 9112 §6.3)"
        }
        (Some(Ended::AsAsked), _, Version::Http11) => {
            "the connection closes: the client asked for it with Connection: close (RFC 9112 §9.6)"
        }
        (Some(Ended::AsAsked), _, Version::Http10) => {
            "the connection closes: that is the rule in HTTP/1.0 without keep-alive (RFC 9112 §9.3)"
        }
        (Some(other), _, _) => return end(other),
    };
    words.to_owned()
}

/// Why it ends.
pub fn end(ended: &Ended) -> String {
    let words = match ended {
        Ended::ByClient => {
            "the connection closes: the client has closed its side between two requests, and that is how it should be (RFC 9112 §9.5)"
        }
        Ended::AsAsked => "the connection closes: the client asked for it (RFC 9112 §9.6)",
        Ended::Idle => {
            "the connection closes: no further request came in time; --idle-timeout says how long that is (RFC 9112 §9.5)"
        }
        Ended::HeadTimeout => {
            "the connection closes: a head was begun and not finished in time; --head-timeout says how long that is (RFC 9112 §9.5)"
        }
        Ended::ContentTimeout => "the connection closes: content was announced and did not come in time (RFC 9112 §9.5)",
        Ended::Malformed(_) => "the connection closes: where the next request would begin cannot be known (RFC 9112 §2.2)",
        Ended::Unread => "the connection closes: more content was announced than is worth reading for nothing (RFC 9112 §9.3)",
        Ended::Panicked => "the connection closes: the handler failed, which is a fault of this server",
        Ended::BrokeOff => {
            "the connection closes in the middle: the file changed or could not be read, and a broken connection says so (RFC 9112 §8)"
        }
        Ended::Evicted => {
            "the connection closes: all seats were taken, and a newcomer got this one; --max-connections says how many there are"
        }
        Ended::Stopping => "the connection closes: the server is asked to stop (RFC 9112 §9.6)",
        Ended::NoProxyHeader(_) => {
            "the connection closes: it did not begin with a header of the PROXY protocol, as --proxy-protocol has it"
        }
        Ended::Lost(error) => return format!("the connection is gone: {error}"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::http::error::ParseError;
    use crate::http::framing::KeepAlive;
    use crate::server::proxy_protocol::NoHeader;
    use crate::server::response_framing::Sending;

    #[test]
    fn every_end_has_its_words() {
        let plan = |delimiter, version| Plan { delimiter, sending: Sending::Content, persistence: KeepAlive::No, version };
        let usual = plan(Delimiter::Length(1), Version::Http11);
        for (plan, ended, want) in [
            (plan(Delimiter::Close, Version::Http10), Some(Ended::AsAsked), "the only way to say that the content is over"),
            (usual, Some(Ended::AsAsked), "Connection: close"),
            (plan(Delimiter::Length(1), Version::Http10), Some(Ended::AsAsked), "the rule in HTTP/1.0"),
            (usual, None, "the rule in HTTP/1.1"),
            (plan(Delimiter::Length(1), Version::Http10), None, "keep-alive"),
            (usual, Some(Ended::ByClient), "the client has closed"),
            (usual, Some(Ended::Idle), "--idle-timeout"),
            (usual, Some(Ended::HeadTimeout), "--head-timeout"),
            (usual, Some(Ended::ContentTimeout), "content was announced"),
            (usual, Some(Ended::Malformed(ParseError::Nul)), "where the next request would begin"),
            (usual, Some(Ended::Unread), "more content"),
            (usual, Some(Ended::Panicked), "a fault of this server"),
            (usual, Some(Ended::BrokeOff), "in the middle"),
            (usual, Some(Ended::Evicted), "--max-connections"),
            (usual, Some(Ended::Stopping), "asked to stop"),
            (usual, Some(Ended::NoProxyHeader(NoHeader("why"))), "--proxy-protocol"),
            (usual, Some(Ended::Lost(io::ErrorKind::TimedOut.into())), "is gone: timed out"),
        ] {
            let said = sentence(plan, ended.as_ref());
            assert!(said.contains(want), "{ended:?}: {said}");
        }
    }
}
