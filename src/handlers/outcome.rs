//! Outcomes: why a handler produced its response. They do not affect the response itself.

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
    /// The request was sent without TLS.
    Cleartext,
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
    FileOpened,
    /// A file, but in no accepted coding.
    NotAcceptable,
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
    /// The file with `.html` behind the path (`--clean-urls`).
    CleanUrl,
    /// The first page of an application (`--spa`).
    SpaFallback,
    /// A directory as an archive, sent or refused.
    Archive,
    /// An upload, accepted or refused.
    Upload,
    /// Neither a file nor a route.
    NotFound,
}

impl Outcome {
    /// A sentence for `--explain`.
    pub fn text(self) -> &'static str {
        match self {
            Outcome::NoRequest => "the request is malformed, so nothing was looked up",
            Outcome::WrongHost => {
                "the host is not one of this server: a web page may have pointed its own name here. Nothing was looked up"
            }
            Outcome::Cleartext => "the request was sent without TLS, which this server requires (--tls). Nothing was looked up",
            Outcome::Unauthorized => "credentials are required, and these are missing or wrong. Nothing was looked up",
            Outcome::Preflight => {
                "a browser asks whether a page of another site may send such a request (Fetch §3.3). Nothing was looked up"
            }
            Outcome::ServerOptions => "the request is about the server as a whole, so nothing was looked up",
            Outcome::BrokenContent(_) => "the content of the request is malformed, so its response was discarded",
            Outcome::LateContent => "the content of the request did not arrive in time, so its response was discarded",
            Outcome::Panicked => "the handler failed, which is a bug in this server",
            Outcome::FileCached => "a file has this path. It is cached, and was checked to be unchanged",
            Outcome::FileOpened => "a file has this path, and was opened",
            Outcome::NotAcceptable => "a file has this path, but exists in no coding that Accept-Encoding allows",
            Outcome::Directory => "a directory has this path and no index, so it is listed",
            Outcome::MissingSlash => {
                "a directory has this path: relative links in its pages need the slash at its end, so the client is redirected"
            }
            Outcome::Failed => "a file or directory has this path, but cannot be opened",
            Outcome::Route(_) => "no file has this path, so a built-in route responds",
            Outcome::OtherSite(_) => "a built-in route has this path, and refuses requests from pages of other sites",
            Outcome::CleanUrl => "nothing has this path, but a file has it with .html at its end, and is sent (--clean-urls)",
            Outcome::SpaFallback => {
                "nothing has this path, and a browser navigates to it: the first page of the application is sent (--spa)"
            }
            Outcome::Archive => "a directory has this path, and its archive is requested (--archive)",
            Outcome::Upload => "the request adds a file, which --upload may allow beneath some directories",
            Outcome::NotFound => "neither a file nor a route has this path",
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
