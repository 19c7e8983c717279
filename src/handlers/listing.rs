//! Directory listings as HTML, plain text or JSON, made while they are sent.
//!
//! In each form a listing is a beginning, a row per entry, and an end. A short listing is made at once, so that its length is known; of a
//! long one, memory holds only its names, its README and the piece that is sent next. An entry that is gone is omitted; one whose metadata cannot be
//! read fails the listing, so that no listing ends early and looks complete.

use std::fmt::Write;
use std::io;

use crate::files::directory::{Directory, DirectoryEntry, DirectoryListing, EntryKind, ListingTotals, NAMES_MAX, Name};
use crate::handlers::listing_html::HTML;
use crate::handlers::message::{Body, Request, Response};
use crate::handlers::page::{self, escape_html, escape_json};
use crate::handlers::pieces;
use crate::handlers::upload_page;
use crate::http::date::CivilTime;
use crate::http::negotiation::{self, Format};
use crate::http::status::StatusCode;
use crate::http::target::encode_path;
use crate::net::budget::HeldMemory;
use crate::telemetry::printable;

/// Responds to GET or HEAD of a directory, to which files may be uploaded or not.
pub fn serve(directory: Directory, request: &mut Request<'_>, accepts_uploads: bool) -> Response {
    match listing(directory, request, accepts_uploads) {
        Ok(response) => response.header("Cache-Control", "no-cache").header("Vary", "Accept"),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            Response::text(StatusCode::FORBIDDEN, "this directory has too many entries to list")
        }
        Err(error) => Response::from_io_error(&error),
    }
}

fn listing(directory: Directory, request: &mut Request<'_>, accepts_uploads: bool) -> io::Result<Response> {
    let memory = &mut *request.memory;
    let read = DirectoryListing::read(directory, request.target, NAMES_MAX, memory);
    let mut listing = read.inspect_err(|_| memory.shrink_to(0))?;
    let format = match negotiation::choose_listing(&request.head.headers) {
        Format::Html => {
            let response = if accepts_uploads { upload_page::response } else { page::response };
            listing.accepts_uploads = accepts_uploads;
            return Ok(response(StatusCode::OK, HTML.body(listing.with_readme(memory)?, memory)?));
        }
        Format::Text => &TEXT,
        Format::Json => &JSON,
    };
    Ok(Response::with_content(StatusCode::OK, format.media_type, &b""[..]).with_body(format.body(listing, memory)?))
}

/// A form of a listing.
pub struct ListingFormat {
    /// Its media type.
    pub media_type: &'static str,
    /// Writes what comes first.
    pub begin: fn(&mut String, &DirectoryListing),
    /// Writes an entry.
    pub row: fn(&mut String, &DirectoryListing, &Name, &DirectoryEntry),
    /// Writes what follows the entries, when the totals are complete.
    pub end: fn(&mut String, &DirectoryListing),
    /// Writes what follows the text of the README, or the end if there is none.
    pub close: fn(&mut String, &DirectoryListing),
}

impl ListingFormat {
    /// The body of a listing in this form.
    ///
    /// # Errors
    /// The metadata of one of the first entries cannot be read, or there is no memory.
    pub fn body(&'static self, mut listing: DirectoryListing, memory: &mut HeldMemory) -> io::Result<Body> {
        let mut next = Next::Beginning;
        pieces::body(memory, move |out| {
            next = self.write_next(out, &mut listing, next)?;
            Ok(!matches!(next, Next::Nothing))
        })
    }

    fn write_next(&self, out: &mut String, listing: &mut DirectoryListing, next: Next) -> io::Result<Next> {
        Ok(match next {
            Next::Beginning => {
                (self.begin)(out, listing);
                Next::Row(0)
            }
            Next::Row(index) => match listing.names.get(index) {
                Some(name) => {
                    match listing.entry(name)? {
                        Some(entry) => {
                            (self.row)(out, listing, name, &entry);
                            listing.totals.add(&entry);
                        }
                        None if listing.directory.handle.is_removed() => {
                            return Err(io::Error::other("the directory was removed while it was listed"));
                        }
                        None => {}
                    }
                    Next::Row(index + 1)
                }
                None => {
                    (self.end)(out, listing);
                    Next::Readme(0)
                }
            },
            Next::Readme(offset) => match listing.readme.as_ref().map(|readme| pieces::text_from(&readme.text, offset)) {
                Some(text) if !text.is_empty() => {
                    out.push_str(&escape_html(text));
                    Next::Readme(offset + text.len())
                }
                _ => {
                    (self.close)(out, listing);
                    Next::Nothing
                }
            },
            Next::Nothing => Next::Nothing,
        })
    }
}

/// What is written next.
#[derive(Clone, Copy)]
enum Next {
    Beginning,
    Row(usize),
    /// The README, from this byte on.
    Readme(usize),
    Nothing,
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
    close: |_, _| {},
};

fn text_row(out: &mut String, _: &DirectoryListing, name: &Name, entry: &DirectoryEntry) {
    let time = entry.modified.and_then(CivilTime::of).map(|time| format!("{} {}", time.date(), time.clock()));
    let (size, slash) = match entry.kind {
        EntryKind::Directory => ("-".to_owned(), "/"),
        EntryKind::File => (human_size(entry.length), ""),
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
    [&*thousands_separated(number), " ", if number == 1 { one } else { many }].concat()
}

/// JSON: one object, whose members docs/guide/listings.md documents, with a line per entry.
const JSON: ListingFormat = ListingFormat {
    media_type: "application/json",
    begin: |out, listing| {
        let _ = write!(out, "{{\"path\":{},\"entries\":[", escape_json(&String::from_utf8_lossy(&listing.path)));
    },
    row: json_row,
    end: |out, _| out.push_str("\n],\"complete\":true}\n"),
    close: |_, _| {},
};

fn json_row(out: &mut String, listing: &DirectoryListing, name: &Name, entry: &DirectoryEntry) {
    let (kind, slash, size) = match entry.kind {
        EntryKind::Directory => ("directory", "/", "null".to_owned()),
        EntryKind::File => ("file", "", entry.length.to_string()),
    };
    let modified = entry.modified.and_then(CivilTime::of);
    let modified = modified.map(|time| format!("\"{}T{}:{:02}Z\"", time.date(), time.clock(), time.second_of_day % 60));
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

/// Returns a size with at most one decimal, rounded down: `1.5 KiB`.
pub fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    for (unit, shift) in UNITS.into_iter().zip((10_u32..).step_by(10)) {
        let whole = bytes >> shift;
        if (1..1024).contains(&whole) {
            // Ten bits of the fraction are enough for one decimal, and times ten they cannot overflow.
            let tenth = (((bytes >> (shift - 10)) & 0x3ff) * 10) >> 10;
            return if whole < 10 { format!("{whole}.{tenth} {unit}") } else { format!("{whole} {unit}") };
        }
    }
    bytes.to_string() + " B"
}

/// Returns a number with its digits in groups of three: `1,536`.
fn thousands_separated(number: u64) -> String {
    match number / 1000 {
        0 => number.to_string(),
        thousands => format!("{},{:03}", thousands_separated(thousands), number % 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(human_size(bytes), want);
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
            assert_eq!(thousands_separated(number), want);
        }
    }
}
