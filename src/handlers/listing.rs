//! In which form is a directory shown?
//!
//! As an HTML page, which browsers show and other clients read for its links; as plain text or JSON where Accept names them.

use std::fmt::{self, Display, Write};
use std::io::{self, Read};

use crate::files::directory::{DirectoryListing, ListingTotals, NAMES_MAX, SortOrder};
use crate::files::lookup::Directory;
use crate::files::root::{DirectoryEntry, EntryKind, Name};
use crate::handlers::listing_html::PAGE;
use crate::handlers::message::{Body, Request, Response};
use crate::handlers::page::{self, Json};
use crate::http::accept::{self, Format};
use crate::http::date::CivilTime;
use crate::http::status::StatusCode;
use crate::http::target::encode_path;

/// Answers GET or HEAD of a directory.
pub fn answer(directory: Directory, request: &Request<'_>) -> Response {
    match answer_to(directory, request) {
        Ok(response) => response.header("Cache-Control", "no-cache").header("Vary", "Accept"),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            Response::text(StatusCode::FORBIDDEN, "this directory has more than 200,000 entries, too many to list")
        }
        Err(error) => Response::from_io_error(&error),
    }
}

fn answer_to(directory: Directory, request: &Request<'_>) -> io::Result<Response> {
    let target = request.target;
    let contents = DirectoryListing::of(directory, target.path(), SortOrder::asked(target), NAMES_MAX)?;
    let form = match accept::choose_listing(&request.head.headers) {
        Format::Html => return Ok(page::response(StatusCode::OK, PAGE.body(contents.with_readme())?)),
        Format::Text => &TEXT,
        Format::Json => &JSON,
    };
    Ok(Response::with_content(StatusCode::OK, form.media_type, &b""[..]).with_body(form.body(contents)?))
}

/// A listing up to this many bytes is made at once.
const WHOLE_BYTES_MAX: usize = 32 * 1024;
/// What is made at a time of a longer one: what is sent as one chunk.
const PIECE_BYTES: usize = 16 * 1024;

/// A form of a listing: what it writes first, for each entry, and last, when the tally is complete.
pub struct ListingFormat {
    /// Its media type.
    pub media_type: &'static str,
    /// What comes first.
    pub begin: fn(&mut String, &DirectoryListing),
    /// What stands for an entry.
    pub row: fn(&mut String, &DirectoryListing, &Name, &DirectoryEntry),
    /// What comes last.
    pub end: fn(&mut String, &DirectoryListing),
}

impl ListingFormat {
    /// The contents of a directory in this form.
    ///
    /// # Errors
    /// One of the first entries cannot be looked at.
    pub fn body(&'static self, contents: DirectoryListing) -> io::Result<Body> {
        let mut rows = ListingStream { form: self, contents, next: Next::Beginning, piece: String::new(), taken: 0 };
        rows.make(WHOLE_BYTES_MAX)?;
        Ok(match rows.next {
            Next::Nothing => Body::Bytes(rows.piece.into_bytes().into()),
            Next::Beginning | Next::Row(_) => Body::Stream(Box::new(rows)),
        })
    }
}

/// What is still to be made.
#[derive(Clone, Copy)]
enum Next {
    Beginning,
    Row(usize),
    Nothing,
}

struct ListingStream {
    form: &'static ListingFormat,
    contents: DirectoryListing,
    next: Next,
    piece: String,
    /// How many bytes of the piece have been read.
    taken: usize,
}

impl ListingStream {
    /// Makes pieces until there are so many bytes, or nothing is left.
    fn make(&mut self, bytes: usize) -> io::Result<()> {
        while self.piece.len() < bytes {
            self.next = match self.next {
                Next::Beginning => {
                    (self.form.begin)(&mut self.piece, &self.contents);
                    Next::Row(0)
                }
                Next::Row(index) => match self.contents.names.get(index) {
                    Some(name) => {
                        match self.contents.entry(name)? {
                            Some(entry) => {
                                (self.form.row)(&mut self.piece, &self.contents, name, &entry);
                                self.contents.tally.add(&entry);
                            }
                            None if self.contents.is_removed() => {
                                return Err(io::Error::other("the directory was removed while it was listed"));
                            }
                            None => {}
                        }
                        Next::Row(index + 1)
                    }
                    None => {
                        (self.form.end)(&mut self.piece, &self.contents);
                        Next::Nothing
                    }
                },
                Next::Nothing => return Ok(()),
            };
        }
        Ok(())
    }
}

impl Read for ListingStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() {
            self.piece.clear();
            self.taken = 0;
            self.make(PIECE_BYTES)?;
        }
        let mut rest = self.piece.as_bytes().get(self.taken..).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}

/// The lines.
pub const TEXT: ListingFormat =
    ListingFormat { media_type: "text/plain; charset=utf-8", begin: text_begin, row: text_row, end: text_end };

// Writing to a String cannot fail, here and below.
fn text_begin(out: &mut String, contents: &DirectoryListing) {
    if contents.names.is_empty() {
        out.push_str("this directory is empty\n");
    }
}

fn text_row(out: &mut String, _: &DirectoryListing, name: &Name, entry: &DirectoryEntry) {
    let time = entry.modified.and_then(CivilTime::of).map(|moment| format!("{} {}", moment.date(), moment.clock()));
    let (size, slash) = match entry.kind {
        EntryKind::Directory => ("-".to_owned(), "/"),
        EntryKind::File => (HumanSize(entry.length).to_string(), ""),
    };
    let _ = write!(out, "{:<16}  {size:>8}  ", time.as_deref().unwrap_or("-"));
    show(out, &name.bytes);
    let _ = writeln!(out, "{slash}{}", if entry.is_link { "  (symlink)" } else { "" });
}

fn text_end(_: &mut String, _: &DirectoryListing) {}

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

/// The object.
pub const JSON: ListingFormat = ListingFormat { media_type: "application/json", begin: json_begin, row: json_row, end: json_end };

// Writing to a String cannot fail, here and below.
fn json_begin(out: &mut String, contents: &DirectoryListing) {
    let _ = write!(out, "{{\"path\":{},\"entries\":[", Json(&String::from_utf8_lossy(&contents.path)));
}

fn json_row(out: &mut String, contents: &DirectoryListing, name: &Name, entry: &DirectoryEntry) {
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

fn json_end(out: &mut String, _: &DirectoryListing) {
    // Only a whole listing gets here.
    out.push_str("\n],\"complete\":true}\n");
}

/// A length with at most one decimal, cut and not rounded: `1.5 KiB`.
#[derive(Clone, Copy, Debug)]
pub struct HumanSize(pub u64);

impl Display for HumanSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let HumanSize(bytes) = *self;
        let mut shift = 10_u32;
        for unit in UNITS {
            let whole = bytes >> shift;
            if (1..1024).contains(&whole) {
                // The ten bits below the point are enough for one decimal, and times ten they cannot overflow.
                let tenth = (((bytes >> (shift - 10)) & 0x3ff) * 10) >> 10;
                return if whole < 10 { write!(f, "{whole}.{tenth} {unit}") } else { write!(f, "{whole} {unit}") };
            }
            shift += 10;
        }
        write!(f, "{bytes} B")
    }
}

/// A number whose digits stand in groups of three: `1,536`.
#[derive(Clone, Copy, Debug)]
pub struct ThousandsSeparated(pub u64);

impl Display for ThousandsSeparated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Hidden;
    use crate::files::directory::tests::contents;
    use crate::files::scratch::Scratch;

    const FORM: ListingFormat = ListingFormat {
        media_type: "text/plain",
        begin: |out, contents| out.push_str(&format!("{} names\n", contents.names.len())),
        row: |out, contents, name, _| {
            let index = contents.tally.files;
            out.push_str(&format!("{index} {} {}\n", String::from_utf8_lossy(&name.bytes), "x".repeat(1000)));
        },
        end: |out, contents| out.push_str(&format!("end {}\n", contents.tally.files)),
    };

    #[test]
    fn whole_or_in_pieces_it_is_the_same() {
        for (count, is_whole) in [(0, true), (20, true), (40, false), (100, false)] {
            let names: Vec<String> = (0..count).map(|n| n.to_string()).collect();
            let scratch = Scratch::with(&names.iter().map(|name| &**name).collect::<Vec<_>>());
            let mut want = format!("{count} names\n");
            names.iter().for_each(|name| want.push_str(&format!("{name} {name} {}\n", "x".repeat(1000))));
            want.push_str(&format!("end {count}\n"));
            let mut got = Vec::new();
            match FORM.body(contents(&scratch, "/", Hidden::NotFound)).unwrap() {
                Body::Bytes(bytes) if is_whole => got = bytes.to_vec(),
                Body::Stream(mut stream) if !is_whole => {
                    stream.read_to_end(&mut got).unwrap();
                }
                _ => panic!("{count} names should be whole: {is_whole}"),
            }
            assert_eq!(String::from_utf8(got).unwrap(), want);
        }
    }

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

    #[test]
    fn sizes() {
        for (bytes, want) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (10_240, "10 KiB"),
            (1_048_575, "1023 KiB"),
            (1_048_576, "1.0 MiB"),
            (5_000_000_000, "4.6 GiB"),
            (u64::MAX, "15 EiB"),
        ] {
            assert_eq!(HumanSize(bytes).to_string(), want);
        }
    }

    #[test]
    fn groups() {
        for (number, want) in [
            (0, "0"),
            (12, "12"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(ThousandsSeparated(number).to_string(), want);
        }
    }
}
