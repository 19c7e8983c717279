//! Why was this the answer?
//!
//! A route says so with its answer, in one word. Nobody needs it to send the answer; whoever wants to learn does (`--explain`).

use std::cell::RefCell;

use crate::http::conditional::{Precondition, RangeUse, Validators};
use crate::http::error::ParseError;
use crate::http::range::RangeSet;

/// What was found under the path that was asked for, or why nobody looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It was not looked for: what came is no proper request.
    #[default]
    NoRequest,
    /// It was not looked for: the request is for a name that is none of ours.
    WrongHost,
    /// It was not looked for: nobody showed a password that is right.
    Unauthorized,
    /// It was not looked for: a browser asks what a page may send.
    Preflight,
    /// It was not looked for: the request is about the server as a whole.
    ServerOptions,
    /// It does not matter any more: the content of the request breaks that rule.
    BrokenContent(ParseError),
    /// Nor here: the content of the request did not come in time.
    LateContent,
    /// It cannot be told: the handler failed.
    Panicked,
    /// A file, which was in memory.
    FileCached,
    /// A file, which was opened.
    Opened,
    /// A file, but in no coding that the client takes.
    Unacceptable,
    /// A directory without an index.
    Directory,
    /// A directory under the name of a file.
    MissingSlash,
    /// Something that could not be opened.
    Failed,
    /// No file, but a built-in route of that path.
    Route(&'static str),
    /// The same, and it answers no page of another site.
    OtherSite(&'static str),
    /// Nothing, so the page that an application begins with.
    SpaFallback,
    /// Nothing.
    NotFound,
}

impl Outcome {
    /// The same in a sentence.
    pub fn text(self) -> &'static str {
        match self {
            Outcome::NoRequest => "what came is no proper request, so nothing was looked up",
            Outcome::WrongHost => {
                "the request is for a name that is none of ours: it may be a page that made its own name point here. Nothing was looked up"
            }
            Outcome::Unauthorized => "a name and a password are asked for, and these are missing or wrong. Nothing was looked up",
            Outcome::Preflight => {
                "a browser asks, before it sends it, whether a page may send such a request (Fetch §3.3). Nothing was looked up"
            }
            Outcome::ServerOptions => "the request is about the server as a whole, so nothing was looked up",
            Outcome::BrokenContent(_) => "the content of the request is broken, whatever the route would have made of it",
            Outcome::LateContent => "the content of the request did not come in time, whatever the route would have made of it",
            Outcome::Panicked => "what answers has failed, which is a fault of this server",
            Outcome::FileCached => {
                "a file of the directory has that name. It is in memory, and a look at its path showed that it is still the same"
            }
            Outcome::Opened => "a file of the directory has that name, and was opened",
            Outcome::Unacceptable => "a file has that name, but in no coding that Accept-Encoding allows",
            Outcome::Directory => "a directory has that name and no index in it, so its names are listed",
            Outcome::MissingSlash => {
                "a directory has that name: links in its pages are relative to a slash at its end, so the client is sent there"
            }
            Outcome::Failed => "something has that name, but it cannot be opened",
            Outcome::Route(_) => "no file has that name, so a built-in route answers: your files win",
            Outcome::OtherSite(_) => "a built-in route has that name, and shows what it does to no page of another site",
            Outcome::SpaFallback => {
                "nothing has that name, and somebody goes to a page: the application's first page answers (--spa)"
            }
            Outcome::NotFound => "neither a file nor a route has that name",
        }
    }
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A condition was compared with what there is.
    Condition {
        /// The field that decided.
        field: &'static str,
        /// What came of it.
        precondition: Precondition,
        /// What it was compared with.
        validators: Validators,
    },
    /// There is a Range, and it does not count: it is defined for GET, and once.
    RangeIgnored,
    /// Range counts only for a certain version.
    IfRange(RangeUse),
    /// What Range came to.
    Ranges {
        /// The ranges.
        ranges: RangeSet,
        /// The length of the whole.
        length: u64,
    },
}

/// All that was decided about one request, in order.
#[derive(Debug, Default)]
pub struct DecisionTrace {
    list: RefCell<Vec<Decision>>,
}

impl DecisionTrace {
    /// Adds one.
    pub fn add(&self, note: Decision) {
        self.list.borrow_mut().push(note);
    }

    /// Takes them all.
    pub fn into_list(self) -> Vec<Decision> {
        self.list.into_inner()
    }
}
