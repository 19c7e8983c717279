//! Directory listings as HTML, plain text or JSON, made while they are sent.
//!
//! In each form a listing is a beginning, a row per entry, and an end. A short listing is made at once, so that its length is known; of a
//! long one, memory holds only its names and the piece that is sent next. An entry that is gone is omitted; one whose metadata cannot be
//! read fails the listing, so that no listing ends early and looks complete.

use std::fmt::{self, Display, Write};
use std::io::{self, Read};

use crate::files::directory::{Directory, DirectoryEntry, DirectoryListing, EntryKind, ListingTotals, NAMES_MAX, Name};
use crate::handlers::listing_html::HTML;
use crate::handlers::message::{Body, Request, Response};
use crate::handlers::page::{self, escape_json};
use crate::handlers::upload_page;
use crate::http::date::CivilTime;
use crate::http::negotiation::{self, Format};
use crate::http::status::StatusCode;
use crate::http::target::encode_path;
use crate::telemetry::printable;

/// A listing up to this length is made at once.
const WHOLE_BYTES_MAX: usize = 32 * 1024;
/// Length of the pieces of a longer one, each of which is sent as a chunk.
const PIECE_BYTES: usize = 16 * 1024;

/// Responds to GET or HEAD of a directory, to which files may be uploaded or not.
pub fn serve(directory: Directory, request: &Request<'_>, accepts_uploads: bool) -> Response {
    match listing(directory, request, accepts_uploads) {
        Ok(response) => response.header("Cache-Control", "no-cache").header("Vary", "Accept"),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            Response::text(StatusCode::FORBIDDEN, "this directory has more than 200,000 entries, too many to list")
        }
        Err(error) => Response::from_io_error(&error),
    }
}

fn listing(directory: Directory, request: &Request<'_>, accepts_uploads: bool) -> io::Result<Response> {
    let mut listing = DirectoryListing::read(directory, request.target, NAMES_MAX)?;
    let format = match negotiation::choose_listing(&request.head.headers) {
        Format::Html => {
            let response = if accepts_uploads { upload_page::response } else { page::response };
            listing.accepts_uploads = accepts_uploads;
            return Ok(response(StatusCode::OK, HTML.body(listing.with_readme())?));
        }
        Format::Text => &TEXT,
        Format::Json => &JSON,
    };
    Ok(Response::with_content(StatusCode::OK, format.media_type, &b""[..]).with_body(format.body(listing)?))
}

/// A form of a listing.
pub struct ListingFormat {
    /// Its media type.
    pub media_type: &'static str,
    /// Writes what comes first.
    pub begin: fn(&mut String, &DirectoryListing),
    /// Writes an entry.
    pub row: fn(&mut String, &DirectoryListing, &Name, &DirectoryEntry),
    /// Writes what comes last, when the totals are complete.
    pub end: fn(&mut String, &DirectoryListing),
}

impl ListingFormat {
    /// The body of a listing in this form.
    ///
    /// # Errors
    /// The metadata of one of the first entries cannot be read.
    pub fn body(&'static self, listing: DirectoryListing) -> io::Result<Body> {
        let mut stream = ListingStream { format: self, listing, next: Next::Beginning, piece: String::new(), taken: 0 };
        stream.fill(WHOLE_BYTES_MAX)?;
        Ok(match stream.next {
            Next::Nothing => Body::Bytes(stream.piece.into_bytes().into()),
            Next::Beginning | Next::Row(_) => Body::Stream(Box::new(stream)),
        })
    }
}

/// What is written next.
#[derive(Clone, Copy)]
enum Next {
    Beginning,
    Row(usize),
    Nothing,
}

struct ListingStream {
    format: &'static ListingFormat,
    listing: DirectoryListing,
    next: Next,
    piece: String,
    /// Bytes of the piece that have been read.
    taken: usize,
}

impl ListingStream {
    /// Writes until the piece has this length, or nothing is left.
    fn fill(&mut self, bytes: usize) -> io::Result<()> {
        while self.piece.len() < bytes {
            self.next = match self.next {
                Next::Beginning => {
                    (self.format.begin)(&mut self.piece, &self.listing);
                    Next::Row(0)
                }
                Next::Row(index) => match self.listing.names.get(index) {
                    Some(name) => {
                        match self.listing.entry(name)? {
                            Some(entry) => {
                                (self.format.row)(&mut self.piece, &self.listing, name, &entry);
                                self.listing.totals.add(&entry);
                            }
                            None if self.listing.is_removed() => {
                                return Err(io::Error::other("the directory was removed while it was listed"));
                            }
                            None => {}
                        }
                        Next::Row(index + 1)
                    }
                    None => {
                        (self.format.end)(&mut self.piece, &self.listing);
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
            self.fill(PIECE_BYTES)?;
        }
        let (_, mut rest) = self.piece.as_bytes().split_at(self.taken);
        let count = rest.read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}

/// Plain text: a line per entry with time, size and name. The name comes last, since it may contain spaces; a slash marks a directory.
const TEXT: ListingFormat = ListingFormat {
    media_type: "text/plain; charset=utf-8",
    begin: |out, listing| {
        if listing.names.is_empty() {
            let _ = writeln!(out, "{}", nothing_shown(listing));
        }
    },
    row: text_row,
    end: |_, _| {},
};

fn text_row(out: &mut String, _: &DirectoryListing, name: &Name, entry: &DirectoryEntry) {
    let time = entry.modified.and_then(CivilTime::of).map(|time| format!("{} {}", time.date(), time.clock()));
    let (size, slash) = match entry.kind {
        EntryKind::Directory => ("-".to_owned(), "/"),
        EntryKind::File => (HumanSize(entry.length).to_string(), ""),
    };
    let link = if entry.is_link { "  (symlink)" } else { "" };
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(out, "{:<16}  {size:>8}  {}{slash}{link}", time.as_deref().unwrap_or("-"), printable(&name.bytes));
}

/// What a listing without names says.
pub fn nothing_shown(listing: &DirectoryListing) -> String {
    match listing.hidden {
        0 => "this directory is empty".to_owned(),
        number => counted(number, "hidden entry", "hidden entries"),
    }
}

/// A number and what it counts.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", ThousandsSeparated(number), if number == 1 { one } else { many })
}

/// JSON: one object, whose members docs/guide/listings.md documents, with a line per entry.
const JSON: ListingFormat = ListingFormat {
    media_type: "application/json",
    begin: |out, listing| {
        let _ = write!(out, "{{\"path\":{},\"entries\":[", escape_json(&String::from_utf8_lossy(&listing.path)));
    },
    row: json_row,
    end: |out, _| out.push_str("\n],\"complete\":true}\n"),
};

fn json_row(out: &mut String, listing: &DirectoryListing, name: &Name, entry: &DirectoryEntry) {
    let (kind, slash, size) = match entry.kind {
        EntryKind::Directory => ("directory", "/", "null".to_owned()),
        EntryKind::File => ("file", "", entry.length.to_string()),
    };
    let modified = entry.modified.and_then(CivilTime::of);
    let modified = modified.map(|time| format!("\"{}T{}Z\"", time.date(), time.clock_with_seconds()));
    let _ = write!(
        out,
        "{}\n{{\"name\":{},\"href\":\"{}{slash}\",\"type\":\"{kind}\",\"size\":{size},\"modified\":{},\"symlink\":{}}}",
        if listing.totals == ListingTotals::default() { "" } else { "," },
        escape_json(&String::from_utf8_lossy(&name.bytes)),
        encode_path(&name.bytes),
        modified.as_deref().unwrap_or("null"),
        entry.is_link,
    );
}

/// A size with at most one decimal, rounded down: `1.5 KiB`.
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
                // Ten bits of the fraction are enough for one decimal, and times ten they cannot overflow.
                let tenth = (((bytes >> (shift - 10)) & 0x3ff) * 10) >> 10;
                return if whole < 10 { write!(f, "{whole}.{tenth} {unit}") } else { write!(f, "{whole} {unit}") };
            }
            shift += 10;
        }
        write!(f, "{bytes} B")
    }
}

/// A number with its digits in groups of three: `1,536`.
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
    use crate::files::directory::tests::listing;
    use crate::files::scratch::Scratch;

    const FORM: ListingFormat = ListingFormat {
        media_type: "text/plain",
        begin: |out, listing| out.push_str(&format!("{} names\n", listing.names.len())),
        row: |out, listing, name, _| {
            let index = listing.totals.files;
            out.push_str(&format!("{index} {} {}\n", String::from_utf8_lossy(&name.bytes), "x".repeat(1000)));
        },
        end: |out, listing| out.push_str(&format!("end {}\n", listing.totals.files)),
    };

    #[test]
    fn listing_is_the_same_at_once_and_in_pieces() {
        for (count, is_whole) in [(0, true), (20, true), (40, false), (100, false)] {
            let names: Vec<String> = (0..count).map(|n| n.to_string()).collect();
            let scratch = Scratch::with(&names.iter().map(|name| &**name).collect::<Vec<_>>());
            let mut want = format!("{count} names\n");
            names.iter().for_each(|name| want.push_str(&format!("{name} {name} {}\n", "x".repeat(1000))));
            want.push_str(&format!("end {count}\n"));
            let mut got = Vec::new();
            match FORM.body(listing(&scratch, "/", false)).unwrap() {
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
    fn sizes_have_one_decimal() {
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
    fn digits_are_grouped() {
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
