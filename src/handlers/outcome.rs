//! Outcomes: why a handler produced its response. They do not affect the response itself.

use crate::http::conditional::{Precondition, Validators};
use crate::http::error::ParseError;
use crate::http::range::RangeSet;

/// Defines [`Outcome`] from a table with one row per outcome: variant and what it carries, sentence for `--explain`.
macro_rules! outcomes {
    ($($name:ident $(($carried:ty))?, $text:literal;)*) => {
        /// Why a response was produced.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Outcome {
            $(#[doc = $text] $name $(($carried))?,)*
        }

        impl Outcome {
            /// Returns a sentence for `--explain`, without what it carries.
            pub fn text(self) -> &'static str {
                match self {
                    $(Outcome::$name { .. } => $text,)*
                }
            }
        }
    };
}

outcomes! {
    NoRequest, "the request is malformed, so nothing was looked up";
    WrongHost, "the host is not one of this server: a web page may have pointed its own name here. Nothing was looked up";
    Cleartext, "the request was sent without TLS, which this server requires (--tls). Nothing was looked up";
    Unauthorized, "credentials are required, and these are missing or wrong. Nothing was looked up";
    Preflight, "a browser asks whether a page of another site may send such a request (Fetch §3.3). Nothing was looked up";
    ServerOptions, "the request is about the server as a whole, so nothing was looked up";
    BrokenContent(ParseError), "the content of the request is malformed, so its response was discarded";
    LateContent, "the content of the request did not arrive in time, so its response was discarded";
    Panicked, "the handler failed, which is a bug in this server";
    FileCached, "a file has this path. It is cached, and was checked to be unchanged";
    FileOpened, "a file has this path, and was opened";
    NotAcceptable, "a file has this path, but exists in no coding that Accept-Encoding allows";
    Directory, "a directory has this path and no index, so it is listed";
    MissingSlash, "a directory has this path: relative links in its pages need the slash at its end, so the client is redirected";
    Failed, "a file or directory has this path, but cannot be opened";
    Route(&'static str), "no file has this path, so a built-in route responds";
    OtherSite(&'static str), "a built-in route has this path, and refuses requests from pages of other sites";
    CleanUrl, "nothing has this path, but a file has it with .html at its end, and is sent (--clean-urls)";
    SpaFallback, "nothing has this path, and a browser navigates to it: the first page of the application is sent (--spa)";
    Archive, "a directory has this path, and its archive is requested (--archive)";
    Upload, "the request adds a file, which --upload may allow beneath some directories";
    NotFound, "neither a file nor a route has this path";
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
