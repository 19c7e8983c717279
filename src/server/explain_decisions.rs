//! How were the conditions and the ranges of a request decided?

use crate::handlers::outcome::Decision;
use crate::http::conditional::{Precondition, RangeUse, Validators};
use crate::http::date::HttpDate;
use crate::http::range::{ByteRange, RangeSet};

/// A decision in words.
pub fn sentence(note: &Decision) -> String {
    match note {
        Decision::Condition { field, precondition, validators } => condition(field, *precondition, validators),
        Decision::RangeIgnored => {
            "Range is ignored: it counts for GET, and only if there is one of it (RFC 9110 §14.2)".to_owned()
        }
        Decision::IfRange(RangeUse::Honoured) => {
            "If-Range names the version that there is: Range counts (RFC 9110 §13.1.5)".to_owned()
        }
        Decision::IfRange(RangeUse::Ignored) => {
            "If-Range names another version: a part of this one would not fit to it, so all is sent (RFC 9110 §13.1.5)".to_owned()
        }
        Decision::Ranges { ranges, length } => resolved(ranges, *length),
    }
}

fn condition(field: &str, precondition: Precondition, validators: &Validators) -> String {
    let tag = validators.etag.as_ref().map_or_else(|| "has no tag".to_owned(), |etag| format!("is {etag}"));
    let date = validators.last_modified.map_or_else(|| "at a time unknown".to_owned(), |time| HttpDate::new(time).into_text());
    let outcome = match precondition {
        Precondition::Passed => "so the answer is what it would be without it",
        Precondition::NotModified => "so the client has it already, and no content is sent",
        Precondition::Failed => "so nothing is done",
    };
    format!("{field} decides (RFC 9110 §13.2.2): this version {tag}, changed {date}; {outcome}")
}

fn resolved(ranges: &RangeSet, length: u64) -> String {
    let bytes = |range: &ByteRange| format!("{} to {}", range.start, range.last());
    match ranges {
        RangeSet::Full => {
            "Range is malformed, of another unit, or asks for a byte twice: such a Range is ignored and all is sent (RFC 9110 §14.2)"
                .to_owned()
        }
        RangeSet::Single(range) => format!("Range means bytes {}, of {length}, counted from 0 (RFC 9110 §14.1)", bytes(range)),
        RangeSet::Multiple(ranges) => {
            let parts: Vec<String> = ranges.iter().map(bytes).collect();
            format!("Range means bytes {}, of {length}: several parts in one content (RFC 9110 §14.6)", parts.join(" and "))
        }
        RangeSet::Unsatisfiable => format!("Range lies outside: there are {length} bytes, counted from 0 (RFC 9110 §15.5.17)"),
    }
}
