//! What does a directory say about itself?
//!
//! A README stands below the names of its directory, as the plain text that it is. It passes the same gates as any file that is asked for:
//! it is opened beneath the root, and shown only if it is listed.

use std::io::Read;

use crate::files::lookup::Directory;
use crate::files::root::{EntryKind, Name};

/// What is shown of one: more is a book, and has a link.
const BYTES_MAX: u64 = 64 * 1024;

/// The names that it may have, in any case; the first that there is wins.
const NAMES: [&str; 3] = ["readme.md", "readme.txt", "readme"];

/// A README.
#[derive(Debug, PartialEq, Eq)]
pub struct Readme {
    /// Its name.
    pub name: Vec<u8>,
    /// Its beginning. What is not UTF-8, and what would control the page and not be seen, has become U+FFFD.
    pub text: String,
    /// Whether there is more of it.
    pub truncated: bool,
}

impl Readme {
    /// The README of a directory that has these names; `None` if there is none, or it cannot be read.
    pub fn of(directory: &Directory, names: &[Name]) -> Option<Readme> {
        let named = |name: &&str| names.iter().find(|entry| entry.bytes.eq_ignore_ascii_case(name.as_bytes()));
        let entry = NAMES.iter().find_map(named).filter(|entry| entry.kind == EntryKind::File)?;
        let mut bytes = Vec::new();
        directory.open_file(&entry.bytes)?.take(BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
        let is_cut = u64::try_from(bytes.len()).is_ok_and(|length| length > BYTES_MAX);
        if is_cut {
            bytes.truncate(end_of_text(&bytes));
        }
        let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)).replace("\r\n", "\n");
        let is_unseen = |char: char| char.is_control() && !matches!(char, '\n' | '\t');
        Some(Readme { name: entry.bytes.to_vec(), text: text.replace(is_unseen, "\u{fffd}"), truncated: is_cut })
    }
}

/// Where the last whole character that fits ends.
fn end_of_text(bytes: &[u8]) -> usize {
    let most = usize::try_from(BYTES_MAX).unwrap_or(usize::MAX).min(bytes.len());
    // A character has at most three bytes that continue it.
    (0..=3)
        .filter_map(|back| most.checked_sub(back))
        .find(|&end| bytes.get(end).is_none_or(|&next| next & 0xc0 != 0x80))
        .unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_between_characters() {
        let most = usize::try_from(BYTES_MAX).unwrap();
        for (text, want, why) in [
            ("a".repeat(most + 1), most, "one byte each"),
            (format!("{}\u{fc}", "a".repeat(most - 1)), most - 1, "two bytes, one of them within"),
            (format!("{}\u{1f9f5}", "a".repeat(most - 3)), most - 3, "four bytes, three within"),
            (format!("{}\u{1f9f5}a", "a".repeat(most - 4)), most, "four bytes, all within"),
        ] {
            assert_eq!(end_of_text(text.as_bytes()), want, "{why}");
        }
        assert_eq!(end_of_text(&vec![0x80; most + 1]), most, "no text at all");
    }
}
