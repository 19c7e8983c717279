//! Why did a connection end?

use std::fmt;
use std::io;

use crate::http::error::ParseError;
use crate::server::proxy_protocol::NoHeader;

/// Every way in which a connection ends. It is logged, so that nobody has to guess.
#[derive(Debug)]
pub enum Ended {
    /// The client closed it between two requests.
    ByClient,
    /// The client, or the version of its request, asked for it.
    AsAsked,
    /// No further request came in time.
    Idle,
    /// A head was begun and not finished in time.
    HeadTimeout,
    /// A content was announced and did not arrive in time.
    ContentTimeout,
    /// What came was no proper message.
    Malformed(ParseError),
    /// It did not begin as every connection must that a balancer makes.
    NoProxyHeader(NoHeader),
    /// More content was left unread than is worth reading.
    Unread,
    /// A handler panicked.
    Panicked,
    /// A file changed or could not be read while it was sent.
    BrokeOff,
    /// Someone else needed the seat.
    Evicted,
    /// The server stops.
    Stopping,
    /// The connection failed, or took no more bytes in time.
    Lost(io::Error),
}

impl Ended {
    /// The names of all reasons in metrics, by [`Ended::index`].
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

    /// The place of its name among [`Ended::LABELS`].
    pub fn index(&self) -> usize {
        match self {
            Ended::ByClient => 0,
            Ended::AsAsked => 1,
            Ended::Idle => 2,
            Ended::HeadTimeout => 3,
            Ended::ContentTimeout => 4,
            Ended::Malformed(_) => 5,
            Ended::NoProxyHeader(_) => 6,
            Ended::Unread => 7,
            Ended::Panicked => 8,
            Ended::BrokeOff => 9,
            Ended::Evicted => 10,
            Ended::Stopping => 11,
            Ended::Lost(_) => 12,
        }
    }

    /// Whether bytes may still be on their way to us, so that closing at once would reset the connection and could take our last answer
    /// with it (RFC 9112 §9.6).
    pub fn client_may_still_send(&self) -> bool {
        match self {
            Ended::AsAsked
            | Ended::HeadTimeout
            | Ended::ContentTimeout
            | Ended::Malformed(_)
            | Ended::Unread
            | Ended::Panicked
            | Ended::Stopping => true,
            Ended::ByClient | Ended::NoProxyHeader(_) | Ended::Idle | Ended::BrokeOff | Ended::Evicted | Ended::Lost(_) => false,
        }
    }

    /// Whether there is nobody left to be polite to, or the break is the message.
    pub fn is_lost(&self) -> bool {
        matches!(self, Ended::Lost(_) | Ended::BrokeOff | Ended::Evicted | Ended::ByClient | Ended::NoProxyHeader(_))
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::ByClient => f.write_str("the client closed it"),
            Ended::AsAsked => f.write_str("the client asked for it"),
            Ended::Idle => f.write_str("no request came in time"),
            Ended::HeadTimeout => f.write_str("the head did not arrive in time"),
            Ended::ContentTimeout => f.write_str("the content did not arrive in time"),
            Ended::Malformed(what) => f.write_str(what.message()),
            Ended::NoProxyHeader(NoHeader(why)) => write!(f, "no header of the PROXY protocol: {why}"),
            Ended::Unread => f.write_str("content was left unread"),
            Ended::Panicked => f.write_str("a handler panicked"),
            Ended::BrokeOff => f.write_str("the answer broke off"),
            Ended::Evicted => f.write_str("evicted for a newer connection"),
            Ended::Stopping => f.write_str("the server stops"),
            Ended::Lost(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_label() {
        let all = [
            (Ended::ByClient, "by_client"),
            (Ended::AsAsked, "as_asked"),
            (Ended::Idle, "idle"),
            (Ended::HeadTimeout, "head_timeout"),
            (Ended::ContentTimeout, "content_timeout"),
            (Ended::Malformed(ParseError::Nul), "malformed"),
            (Ended::NoProxyHeader(NoHeader("none")), "no_proxy_header"),
            (Ended::Unread, "unread"),
            (Ended::Panicked, "panicked"),
            (Ended::BrokeOff, "broke_off"),
            (Ended::Evicted, "evicted"),
            (Ended::Stopping, "stopping"),
            (Ended::Lost(io::ErrorKind::BrokenPipe.into()), "lost"),
        ];
        assert_eq!(all.len(), Ended::LABELS.len());
        for (ended, label) in all {
            assert_eq!(Ended::LABELS.get(ended.index()), Some(&label), "{ended:?}");
        }
    }
}
