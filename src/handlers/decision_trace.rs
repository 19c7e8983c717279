//! How was it decided how much of a file is sent?
//!
//! Only where `--explain` asks is there a list to note things in. Elsewhere a request carries none, and nothing is made that nobody reads.

use std::cell::RefCell;

use crate::http::conditional::{Precondition, Validators};
use crate::http::range::RangeSet;

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
    IfRange(bool),
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
