//! How does a program read a directory?
//!
//! One object; README says what its members mean, and they stay. Each entry stands on a line of its own, so that a person can read it too.

use std::fmt::Write;

use crate::files::directory::{DirectoryListing, ListingTotals};
use crate::files::root::{DirectoryEntry, EntryKind, Name};
use crate::handlers::human_format::CivilTime;
use crate::handlers::json::Json;
use crate::handlers::listing_stream::ListingFormat;
use crate::http::target::encode_path;

/// The object.
pub const JSON: ListingFormat = ListingFormat { media_type: "application/json", begin, row, end };

// Writing to a String cannot fail, here and below.
fn begin(out: &mut String, contents: &DirectoryListing) {
    let _ = write!(out, "{{\"path\":{},\"entries\":[", Json(&String::from_utf8_lossy(&contents.path)));
}

fn row(out: &mut String, contents: &DirectoryListing, name: &Name, entry: &DirectoryEntry) {
    let (kind, slash) = match entry.kind {
        EntryKind::Directory => ("directory", "/"),
        EntryKind::File => ("file", ""),
    };
    let size = match entry.kind {
        EntryKind::Directory => "null".to_owned(),
        EntryKind::File => entry.length.to_string(),
    };
    let modified = entry.modified.and_then(CivilTime::of);
    let modified = modified.map(|moment| format!("\"{}T{}Z\"", moment.date(), moment.clock_with_seconds()));
    let _ = write!(
        out,
        "{}\n{{\"name\":{},\"href\":\"./{}{slash}\",\"type\":\"{kind}\",\"size\":{size},\"modified\":{},\"symlink\":{}}}",
        if contents.tally == ListingTotals::default() { "" } else { "," },
        Json(&String::from_utf8_lossy(&name.bytes)),
        encode_path(&name.bytes),
        modified.as_deref().unwrap_or("null"),
        entry.is_link,
    );
}

fn end(out: &mut String, _: &DirectoryListing) {
    // Only a whole listing gets here.
    out.push_str("\n],\"complete\":true}\n");
}
