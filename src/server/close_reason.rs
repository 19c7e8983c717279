//! Why a connection ends.

use std::fmt;
use std::io;

use crate::http::error::ParseError;

/// Defines [`CloseReason`] from a table with one row per reason: variant and what it carries, label in metrics, sentence for `--explain`
/// and the log.
macro_rules! close_reasons {
    ($($name:ident $(($carried:ty))?, $label:literal, $sentence:literal;)*) => {
        /// Why a connection ends. Every end has a reason, which is logged and counted.
        #[derive(Debug)]
        pub enum CloseReason {
            $(#[doc = $sentence] $name $(($carried))?,)*
        }

        impl CloseReason {
            /// The labels of all reasons in metrics.
            pub const LABELS: &[&'static str] = &[$($label,)*];

            /// Returns its label in metrics.
            pub fn label(&self) -> &'static str {
                match self {
                    $(CloseReason::$name { .. } => $label,)*
                }
            }

            /// Returns a sentence about it, without what it carries.
            pub fn sentence(&self) -> &'static str {
                match self {
                    $(CloseReason::$name { .. } => $sentence,)*
                }
            }
        }
    };
}

close_reasons! {
    ClientClosed, "by_client", "the client closed it between two requests, as it may at any time (RFC 9112 §9.5)";
    ConnectionClose, "as_asked", "the request has Connection: close, or its version closes by default (RFC 9112 §9.3)";
    IdleTimeout, "idle", "no further request arrived in time, see --idle-timeout (RFC 9112 §9.5)";
    HeadTimeout, "head_timeout", "the request head was not complete in time, see --header-timeout (RFC 9112 §9.5)";
    ContentTimeout, "content_timeout", "the request body was not complete in time (RFC 9112 §9.5)";
    Malformed(ParseError), "malformed", "where the next request would begin is unknown (RFC 9112 §2.2)";
    ProxyHeader(&'static str), "no_proxy_header", "invalid PROXY header";
    Handshake(io::Error), "handshake", "the TLS handshake failed";
    Cleartext, "cleartext", "the request was sent without TLS";
    UnreadBody, "unread", "the rest of the request body is too long to be read and discarded (RFC 9112 §9.3)";
    HandlerPanicked, "panicked", "the handler panicked, which is a bug of this server";
    BodyAborted, "broke_off", "the file changed or could not be read, and an incomplete body shows it (RFC 9112 §8)";
    Evicted, "evicted", "a new connection needed its place, see --max-connections";
    ShuttingDown, "stopping", "the server is shutting down (RFC 9112 §9.6)";
    Throttled, "throttled", "its send buffer was limited, since many large files are sent at once, and that cannot be undone";
    Io(io::Error), "lost", "the connection failed, or the client was too slow";
}

impl CloseReason {
    /// Whether the client must be expected to send more, so that closing at once would reset the connection and could destroy the last
    /// response (RFC 9112 §9.6).
    pub fn needs_lingering_close(&self) -> bool {
        !self.is_abrupt() && !matches!(self, CloseReason::IdleTimeout | CloseReason::ConnectionClose)
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
        f.write_str(self.sentence())?;
        match self {
            CloseReason::Malformed(error) => write!(f, ": {}", error.message()),
            CloseReason::ProxyHeader(why) => write!(f, ": {why}"),
            CloseReason::Io(error) | CloseReason::Handshake(error) => write!(f, ": {error}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_label_of_its_own_and_shows_what_it_carries() {
        let mut labels = CloseReason::LABELS.to_vec();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), CloseReason::LABELS.len());
        assert_eq!(CloseReason::ProxyHeader("too short").label(), "no_proxy_header");
        assert_eq!(CloseReason::ProxyHeader("too short").to_string(), "invalid PROXY header: too short");
        assert!(CloseReason::Malformed(ParseError::Nul).to_string().ends_with(ParseError::Nul.message()));
    }
}
