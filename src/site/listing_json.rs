//! How does a program read a directory?
//!
//! One object; README says what its members mean, and they stay. Each entry stands on a line of its own, so that a person can read it too.

use std::fmt::Write;

use crate::json::Json;
use crate::site::contents::{Contents, Rest};
use crate::site::root::{Entry, Kind};
use crate::site::rows::Form;
use crate::site::written::Moment;
use crate::wire::target::encode_path;

/// The object.
pub const JSON: Form = Form { media_type: "application/json", begin, row, end };

// Writing to a String cannot fail, here and below.
fn begin(out: &mut String, contents: &Contents) {
    let _ = write!(out, "{{\"path\":{},\"entries\":[", Json(&String::from_utf8_lossy(&contents.path)));
}

fn row(out: &mut String, _: &Contents, index: usize, entry: &Entry) {
    let (kind, slash) = match entry.kind {
        Kind::Directory => ("directory", "/"),
        Kind::File => ("file", ""),
    };
    let size = match entry.kind {
        Kind::Directory => "null".to_owned(),
        Kind::File => entry.length.to_string(),
    };
    let modified = entry.modified.and_then(Moment::of);
    let modified = modified.map(|moment| format!("\"{}T{}Z\"", moment.date(), moment.clock_with_seconds()));
    let _ = write!(
        out,
        "{}\n{{\"name\":{},\"href\":\"./{}{slash}\",\"type\":\"{kind}\",\"size\":{size},\"modified\":{},\"symlink\":{}}}",
        if index == 0 { "" } else { "," },
        Json(&String::from_utf8_lossy(&entry.name)),
        encode_path(&entry.name),
        modified.as_deref().unwrap_or("null"),
        entry.is_link,
    );
}

fn end(out: &mut String, contents: &Contents) {
    let complete = contents.rest == Rest::None;
    let _ = writeln!(out, "\n],\"complete\":{complete}}}");
}
