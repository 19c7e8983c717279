//! How does a long listing leave in pieces?
//!
//! Whatever its form, a listing is a beginning, a row for each entry, and an end. A short one is made at once, so that its length is known;
//! of a long one there is never more in memory than its names and the piece that is about to be sent. An entry that is gone when its turn
//! comes is left out; one that cannot be looked at fails the listing, so that no listing ends early and looks whole.

use std::io::{self, Read};

use crate::files::directory::DirectoryListing;
use crate::files::root::{DirectoryEntry, Name};
use crate::handlers::message::Body;

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
}
