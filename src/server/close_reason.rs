//! Why a connection ends.

use std::fmt;
use std::io;

use crate::http::error::ParseError;
use crate::server::proxy_protocol::ProxyHeaderError;

/// Why a connection ends. Every end has a reason, which is logged and counted.
#[derive(Debug)]
pub enum CloseReason {
    /// The client closed it between two requests.
    ClientClosed,
    /// The request has `Connection: close`, or its version closes by default, or the close marks the end of the response body.
    ConnectionClose,
    /// No further request arrived in time.
    IdleTimeout,
    /// A request head was begun and not completed in time.
    HeadTimeout,
    /// A request body did not arrive in time.
    ContentTimeout,
    /// A request was malformed or invalid.
    Malformed(ParseError),
    /// It did not begin with a valid PROXY header, although the server expects one.
    ProxyHeader(ProxyHeaderError),
    /// The rest of a request body was too long to be read and discarded.
    UnreadBody,
    /// A handler panicked.
    HandlerPanicked,
    /// A file changed or could not be read while it was sent, so the response is incomplete.
    BodyAborted,
    /// It was evicted for a new connection.
    Evicted,
    /// The server is shutting down.
    ShuttingDown,
    /// The connection failed, or the client read nothing for too long.
    Io(io::Error),
}

impl CloseReason {
    /// The labels of all reasons in metrics, by [`CloseReason::index`].
    pub const LABELS: [&'static str; 13] = [
        "by_client",
        "as_asked",
        "idle",
        "head_timeout",
        "content_timeout",
        "malformed",
        "no_proxy_header",
        "unread",
        "panicked",
        "broke_off",
        "evicted",
        "stopping",
        "lost",
    ];

    /// Returns the index of its label in [`CloseReason::LABELS`].
    pub fn index(&self) -> usize {
        match self {
            CloseReason::ClientClosed => 0,
            CloseReason::ConnectionClose => 1,
            CloseReason::IdleTimeout => 2,
            CloseReason::HeadTimeout => 3,
            CloseReason::ContentTimeout => 4,
            CloseReason::Malformed(_) => 5,
            CloseReason::ProxyHeader(_) => 6,
            CloseReason::UnreadBody => 7,
            CloseReason::HandlerPanicked => 8,
            CloseReason::BodyAborted => 9,
            CloseReason::Evicted => 10,
            CloseReason::ShuttingDown => 11,
            CloseReason::Io(_) => 12,
        }
    }

    /// Whether the client may still be sending, so that closing at once would reset the connection and could destroy the last response
    /// (RFC 9112 §9.6).
    pub fn needs_lingering_close(&self) -> bool {
        match self {
            CloseReason::ConnectionClose
            | CloseReason::HeadTimeout
            | CloseReason::ContentTimeout
            | CloseReason::Malformed(_)
            | CloseReason::UnreadBody
            | CloseReason::HandlerPanicked
            | CloseReason::ShuttingDown => true,
            CloseReason::ClientClosed
            | CloseReason::ProxyHeader(_)
            | CloseReason::IdleTimeout
            | CloseReason::BodyAborted
            | CloseReason::Evicted
            | CloseReason::Io(_) => false,
        }
    }

    /// Whether the connection closes at once, without writing what is buffered: the client is gone, or must see that the response is
    /// incomplete.
    pub fn is_abrupt(&self) -> bool {
        matches!(
            self,
            CloseReason::Io(_)
                | CloseReason::BodyAborted
                | CloseReason::Evicted
                | CloseReason::ClientClosed
                | CloseReason::ProxyHeader(_)
        )
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CloseReason::ClientClosed => f.write_str("closed by the client"),
            CloseReason::ConnectionClose => f.write_str("Connection: close"),
            CloseReason::IdleTimeout => f.write_str("no request arrived in time"),
            CloseReason::HeadTimeout => f.write_str("the request head did not arrive in time"),
            CloseReason::ContentTimeout => f.write_str("the request body did not arrive in time"),
            CloseReason::Malformed(what) => f.write_str(what.message()),
            CloseReason::ProxyHeader(ProxyHeaderError(why)) => write!(f, "invalid PROXY header: {why}"),
            CloseReason::UnreadBody => f.write_str("the request body was not read"),
            CloseReason::HandlerPanicked => f.write_str("a handler panicked"),
            CloseReason::BodyAborted => f.write_str("the response was aborted"),
            CloseReason::Evicted => f.write_str("evicted for a new connection"),
            CloseReason::ShuttingDown => f.write_str("the server is shutting down"),
            CloseReason::Io(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_label() {
        let all = [
            (CloseReason::ClientClosed, "by_client"),
            (CloseReason::ConnectionClose, "as_asked"),
            (CloseReason::IdleTimeout, "idle"),
            (CloseReason::HeadTimeout, "head_timeout"),
            (CloseReason::ContentTimeout, "content_timeout"),
            (CloseReason::Malformed(ParseError::Nul), "malformed"),
            (CloseReason::ProxyHeader(ProxyHeaderError("none")), "no_proxy_header"),
            (CloseReason::UnreadBody, "unread"),
            (CloseReason::HandlerPanicked, "panicked"),
            (CloseReason::BodyAborted, "broke_off"),
            (CloseReason::Evicted, "evicted"),
            (CloseReason::ShuttingDown, "stopping"),
            (CloseReason::Io(io::ErrorKind::BrokenPipe.into()), "lost"),
        ];
        assert_eq!(all.len(), CloseReason::LABELS.len());
        for (ended, label) in all {
            assert_eq!(CloseReason::LABELS.get(ended.index()), Some(&label), "{ended:?}");
        }
    }
}
