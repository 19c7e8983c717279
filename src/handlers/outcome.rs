//! Outcomes: why a handler produced its response. They do not affect the response itself.

use std::cell::RefCell;

use crate::http::conditional::{Precondition, Validators};
use crate::http::error::ParseError;
use crate::http::range::RangeSet;

/// Why a response was produced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// The request is malformed.
    #[default]
    NoRequest,
    /// The request is for a host name that is not allowed.
    WrongHost,
    /// The credentials are missing or wrong.
    Unauthorized,
    /// The request is a CORS preflight.
    Preflight,
    /// The request is `OPTIONS *`.
    ServerOptions,
    /// The body of the request is malformed.
    BrokenContent(ParseError),
    /// The body of the request did not arrive in time.
    LateContent,
    /// The handler panicked.
    Panicked,
    /// A file from the cache.
    FileCached,
    /// A file that was opened.
    Opened,
    /// A file, but in no accepted coding.
    Unacceptable,
    /// A directory without an index.
    Directory,
    /// A directory whose path lacks the slash.
    MissingSlash,
    /// A file or directory that cannot be opened.
    Failed,
    /// The built-in route of that path.
    Route(&'static str),
    /// The built-in route of that path, refused to a page of another site.
    OtherSite(&'static str),
    /// The first page of an application (`--spa`).
    SpaFallback,
    /// Neither a file nor a route.
    NotFound,
}

impl Outcome {
    /// A short name for logs and metrics, in snake case.
    pub fn label(self) -> &'static str {
        self.parts().0
    }

    /// A sentence for `--explain`.
    pub fn text(self) -> &'static str {
        self.parts().1
    }

    fn parts(self) -> (&'static str, &'static str) {
        match self {
            Outcome::NoRequest => ("no_request", "the request is malformed, so nothing was looked up"),
            Outcome::WrongHost => (
                "wrong_host",
                "the host is not one of this server: a web page may have pointed its own name here. Nothing was looked up",
            ),
            Outcome::Unauthorized => {
                ("unauthorized", "credentials are required, and these are missing or wrong. Nothing was looked up")
            }
            Outcome::Preflight => (
                "preflight",
                "a browser asks whether a page of another site may send such a request (Fetch §3.3). Nothing was looked up",
            ),
            Outcome::ServerOptions => ("server_options", "the request is about the server as a whole, so nothing was looked up"),
            Outcome::BrokenContent(_) => {
                ("broken_content", "the content of the request is malformed, so its response was discarded")
            }
            Outcome::LateContent => {
                ("late_content", "the content of the request did not arrive in time, so its response was discarded")
            }
            Outcome::Panicked => ("panicked", "the handler failed, which is a bug in this server"),
            Outcome::FileCached => ("file_cached", "a file has this path. It is cached, and was checked to be unchanged"),
            Outcome::Opened => ("file_opened", "a file has this path, and was opened"),
            Outcome::Unacceptable => {
                ("unacceptable", "a file has this path, but exists in no coding that Accept-Encoding allows")
            }
            Outcome::Directory => ("directory", "a directory has this path and no index, so it is listed"),
            Outcome::MissingSlash => (
                "missing_slash",
                "a directory has this path: relative links in its pages need the slash at its end, so the client is redirected",
            ),
            Outcome::Failed => ("failed", "a file or directory has this path, but cannot be opened"),
            Outcome::Route(_) => ("route", "no file has this path, so a built-in route responds"),
            Outcome::OtherSite(_) => {
                ("other_site", "a built-in route has this path, and refuses requests from pages of other sites")
            }
            Outcome::SpaFallback => (
                "spa_fallback",
                "nothing has this path, and a browser navigates to it: the first page of the application is sent (--spa)",
            ),
            Outcome::NotFound => ("not_found", "neither a file nor a route has this path"),
        }
    }
}

/// A decision about how much of a file is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A precondition was evaluated.
    Condition {
        /// The field that decided.
        field: &'static str,
        /// The result.
        precondition: Precondition,
        /// The validators that it was compared with.
        validators: Validators,
    },
    /// Range was ignored: it is defined for GET, and for one field.
    RangeIgnored,
    /// If-Range was evaluated.
    IfRange(bool),
    /// Range was resolved.
    Ranges {
        /// The ranges.
        ranges: RangeSet,
        /// The length of the file in bytes.
        length: u64,
    },
}

/// The decisions about one request, in order. They are recorded only with `--explain`.
#[derive(Debug, Default)]
pub struct DecisionTrace {
    list: RefCell<Vec<Decision>>,
}

impl DecisionTrace {
    /// Appends a decision.
    pub fn add(&self, decision: Decision) {
        self.list.borrow_mut().push(decision);
    }

    /// Returns all decisions.
    pub fn into_list(self) -> Vec<Decision> {
        self.list.into_inner()
    }
}
