//! Why did a connection end?

use std::fmt;
use std::io;

use crate::http::error::ParseError;
use crate::server::proxy_protocol::ProxyHeaderError;

/// Every way in which a connection ends. It is logged, so that nobody has to guess.
#[derive(Debug)]
pub enum CloseReason {
    /// The client closed it between two requests.
    ClientClosed,
    /// The client, or the version of its request, asked for it.
    ConnectionClose,
    /// No further request came in time.
    IdleTimeout,
    /// A head was begun and not finished in time.
    HeadTimeout,
    /// A content was announced and did not arrive in time.
    ContentTimeout,
    /// What came was no proper message.
    Malformed(ParseError),
    /// It did not begin as every connection must that a balancer makes.
    ProxyHeader(ProxyHeaderError),
    /// More content was left unread than is worth reading.
    UnreadBody,
    /// A handler panicked.
    HandlerPanicked,
    /// A file changed or could not be read while it was sent.
    BodyAborted,
    /// Someone else needed the seat.
    Evicted,
    /// The server stops.
    ShuttingDown,
    /// The connection failed, or took no more bytes in time.
    Io(io::Error),
}

impl CloseReason {
    /// The names of all reasons in metrics, by [`CloseReason::index`].
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

    /// The place of its name among [`CloseReason::LABELS`].
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

    /// Whether bytes may still be on their way to us, so that closing at once would reset the connection and could take our last answer
    /// with it (RFC 9112 §9.6).
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
            CloseReason::ClientClosed => f.write_str("the client closed it"),
            CloseReason::ConnectionClose => f.write_str("the client asked for it"),
            CloseReason::IdleTimeout => f.write_str("no request came in time"),
            CloseReason::HeadTimeout => f.write_str("the head did not arrive in time"),
            CloseReason::ContentTimeout => f.write_str("the content did not arrive in time"),
            CloseReason::Malformed(what) => f.write_str(what.message()),
            CloseReason::ProxyHeader(ProxyHeaderError(why)) => write!(f, "no header of the PROXY protocol: {why}"),
            CloseReason::UnreadBody => f.write_str("content was left unread"),
            CloseReason::HandlerPanicked => f.write_str("a handler panicked"),
            CloseReason::BodyAborted => f.write_str("the answer broke off"),
            CloseReason::Evicted => f.write_str("evicted for a newer connection"),
            CloseReason::ShuttingDown => f.write_str("the server stops"),
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
