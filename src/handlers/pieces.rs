//! Bodies that are made while they are sent, so that memory holds one piece of them.

use std::io::{self, Cursor, Read};

use crate::handlers::message::{Body, length_of};
use crate::net::budget::HeldMemory;

/// A body up to this length is made at once, so that its length is known.
pub const WHOLE_BYTES_MAX: usize = 32 * 1024;
/// The length of the pieces of a longer one, each of which is sent as a chunk.
const PIECE_BYTES: usize = 16 * 1024;
/// Memory for a piece, and for its copies on the way to the connection.
const STREAM_BYTES: usize = 64 * 1024;
/// Bytes of text that are escaped at once: at most six times as many come out.
const TEXT_BYTES: usize = 4 * 1024;

/// Returns a body that `write_next` makes: it appends something, or returns `false` if nothing is left.
///
/// # Errors
/// Those of `write_next` for the beginning, and of [`HeldMemory::grow`].
pub fn body<F>(memory: &mut HeldMemory, write_next: F) -> io::Result<Body>
where
    F: FnMut(&mut String) -> io::Result<bool> + Send + 'static,
{
    let mut pieces = Pieces { write_next, piece: Cursor::default(), is_done: false };
    pieces.fill(WHOLE_BYTES_MAX)?;
    if pieces.is_done {
        return Ok(Body::Bytes(pieces.piece.into_inner().into_bytes().into()));
    }
    memory.grow(STREAM_BYTES)?;
    Ok(Body::Stream(Box::new(pieces)))
}

/// Returns the characters of a text from `offset` on, a limited number of them.
pub fn text_from(text: &str, offset: usize) -> &str {
    let (_, rest) = text.split_at(offset);
    let end = (TEXT_BYTES..rest.len()).find(|&end| rest.is_char_boundary(end)).unwrap_or(rest.len());
    rest.split_at(end).0
}

struct Pieces<F> {
    write_next: F,
    piece: Cursor<String>,
    is_done: bool,
}

impl<F: FnMut(&mut String) -> io::Result<bool>> Pieces<F> {
    /// Writes until the piece has this length, or nothing is left.
    fn fill(&mut self, bytes: usize) -> io::Result<()> {
        while !self.is_done && self.piece.get_ref().len() < bytes {
            self.is_done = !(self.write_next)(self.piece.get_mut())?;
        }
        Ok(())
    }
}

impl<F: FnMut(&mut String) -> io::Result<bool>> Read for Pieces<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.position() == length_of(self.piece.get_ref().as_bytes()) {
            self.piece.set_position(0);
            self.piece.get_mut().clear();
            self.piece.get_mut().shrink_to(2 * PIECE_BYTES);
            self.fill(PIECE_BYTES)?;
        }
        self.piece.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::budget::MemoryBudget;

    #[test]
    fn a_body_is_the_same_at_once_and_in_pieces() {
        for (count, is_whole, why) in
            [(0, true, "nothing"), (32, true, "exactly the limit"), (33, false, "one more"), (100, false, "several pieces")]
        {
            let mut left = count;
            let mut held = MemoryBudget::new(1024 * 1024).hold_none(None);
            let mut got = Vec::new();
            let made = body(&mut held, move |out| {
                left -= i32::from(left > 0);
                out.push_str(&left.to_string().repeat(1024)[..1024]);
                Ok(left > 0)
            });
            match made.unwrap() {
                Body::Bytes(bytes) if is_whole => got = bytes.to_vec(),
                Body::Stream(mut stream) if !is_whole => {
                    stream.read_to_end(&mut got).unwrap();
                }
                _ => panic!("{why}: whole or in pieces"),
            }
            let want: String = (0..count.max(1)).rev().map(|left| left.to_string().repeat(1024)[..1024].to_owned()).collect();
            assert_eq!(String::from_utf8(got).unwrap(), want, "{why}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        for (text, want, why) in [
            ("", 0, "empty"),
            ("ab", 2, "short"),
            (&*"a".repeat(TEXT_BYTES + 1), TEXT_BYTES, "one byte each"),
            (&*format!("{}\u{1f9f5}b", "a".repeat(TEXT_BYTES - 1)), TEXT_BYTES + 3, "the last character is whole"),
        ] {
            assert_eq!(text_from(text, 0).len(), want, "{why}");
            assert_eq!(text_from(text, want), &text[want..], "{why}: the rest");
        }
    }
}
