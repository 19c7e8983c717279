//! How does a directory look at a terminal?
//!
//! A line a name: when it changed, how long it is, what it is called. The name is last, since it may hold spaces; a slash behind it is a
//! directory. Programs should ask for JSON.

use std::fmt::Write;

use crate::files::directory::DirectoryListing;
use crate::files::root::{DirectoryEntry, EntryKind, Name};
use crate::handlers::human_format::{CivilTime, HumanSize};
use crate::handlers::listing_stream::ListingFormat;

/// The lines.
pub const TEXT: ListingFormat = ListingFormat { media_type: "text/plain; charset=utf-8", begin, row, end };

// Writing to a String cannot fail, here and below.
fn begin(out: &mut String, contents: &DirectoryListing) {
    if contents.names.is_empty() {
        out.push_str("this directory is empty\n");
    }
}

fn row(out: &mut String, _: &DirectoryListing, name: &Name, entry: &DirectoryEntry) {
    let time = entry.modified.and_then(CivilTime::of).map(|moment| format!("{} {}", moment.date(), moment.clock()));
    let (size, slash) = match entry.kind {
        EntryKind::Directory => ("-".to_owned(), "/"),
        EntryKind::File => (HumanSize(entry.length).to_string(), ""),
    };
    let _ = write!(out, "{:<16}  {size:>8}  ", time.as_deref().unwrap_or("-"));
    show(out, &name.bytes);
    let _ = writeln!(out, "{slash}{}", if entry.is_link { "  (symlink)" } else { "" });
}

fn end(_: &mut String, _: &DirectoryListing) {}

/// A name without anything that would move the cursor, colour the terminal or turn the line around.
fn show(out: &mut String, name: &[u8]) {
    for chunk in name.utf8_chunks() {
        for char in chunk.valid().chars() {
            if char.is_control() || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
                let _ = write!(out, "{}", char.escape_unicode());
            } else {
                out.push(char);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_at_a_terminal() {
        for (name, want) in [
            (&b"a b\\"[..], "a b\\"),
            (b"\x1b[31mred\n", "\\u{1b}[31mred\\u{a}"),
            (b"\xff\xc3\xbc\xc2\x9b", "\\xff\u{fc}\\u{9b}"),
            ("\u{202e}txt".as_bytes(), "\\u{202e}txt"),
        ] {
            let mut out = String::new();
            show(&mut out, name);
            assert_eq!(out, want);
        }
    }
}
