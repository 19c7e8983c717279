//! Chunked transfer coding (RFC 9112 §7.1).
//!
//! [`ChunkedDecoder`] accepts input in pieces of any size, and the result does not depend on how the input is split. Only CRLF ends a line: a
//! lenient decoder behind a strict proxy makes request smuggling possible.
#![allow(clippy::indexing_slicing, reason = "the lines above keep each index within its slice, and the decoder is fuzzed")]

use crate::http::error::ParseError;
use crate::http::grammar::{find_control_byte, hex_value, is_control, skip_token};
use crate::http::headers::{HeaderSpan, Headers, field_line_error};

/// The empty last chunk, with an empty trailer section.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// The end of each chunk.
pub const CRLF: &[u8] = b"\r\n";

/// The most hexadecimal digits of a chunk size: 16 digits are 64 bits.
const SIZE_DIGITS_MAX: usize = 16;
/// The most bytes of the extensions of one chunk. Legitimate clients send none, so 256 is generous.
const EXTENSION_BYTES_MAX: usize = 256;
/// The most bytes of the trailer section.
const TRAILER_BYTES_MAX: usize = 8192;
/// The most field lines of the trailer section.
const TRAILER_FIELDS_MAX: usize = 32;

/// Returns the line before a chunk of `length` bytes. A length of zero would end the body, as [`LAST_CHUNK`] does.
pub fn chunk_header(length: usize) -> String {
    format!("{length:x}\r\n")
}

/// The result of a call of [`ChunkedDecoder::decode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeProgress {
    /// Number of input bytes that were read.
    pub consumed: usize,
    /// Number of output bytes that were written.
    pub produced: usize,
}

/// A resumable decoder of one chunked body.
#[derive(Debug, Default)]
pub struct ChunkedDecoder {
    state: State,
    /// In [`State::Size`], the value of the digits read so far; in [`State::Data`], the bytes left in the chunk.
    size: u64,
    size_digits: usize,
    extension_bytes: usize,
    /// The sum of the chunk sizes so far.
    total: u64,
    /// The field lines of the trailer section, without line ends.
    trailer: Vec<u8>,
    /// Index in `trailer` at which the current line begins.
    line_start: usize,
    fields: Vec<HeaderSpan>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailer,
    TrailerLf,
    Done,
}

impl ChunkedDecoder {
    /// Whether the body has ended, including its trailer section.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Returns the trailer fields, in order. They must not be used for framing or routing (RFC 9110 §6.5.1).
    pub fn trailers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        Headers { bytes: &self.trailer, spans: &self.fields }.iter()
    }

    /// Decodes `input` into `output` until either is exhausted or the body ends.
    ///
    /// # Errors
    /// The violated rule. The end of the message is then unknown.
    pub fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<DecodeProgress, ParseError> {
        let (mut consumed, mut produced) = (0, 0);
        while consumed < input.len() {
            match self.state {
                State::Done => break,
                State::Data => {
                    let size = usize::try_from(self.size).unwrap_or(usize::MAX);
                    let count = size.min(input.len() - consumed).min(output.len() - produced);
                    if count == 0 {
                        break;
                    }
                    output[produced..produced + count].copy_from_slice(&input[consumed..consumed + count]);
                    consumed += count;
                    produced += count;
                    self.size -= u64::try_from(count).unwrap_or(self.size);
                    if self.size == 0 {
                        self.state = State::DataCr;
                    }
                }
                _ => {
                    self.state = self.next_state(input[consumed])?;
                    consumed += 1;
                }
            }
        }
        Ok(DecodeProgress { consumed, produced })
    }

    /// Handles one byte outside chunk data.
    // chunked-body = *chunk last-chunk trailer-section CRLF
    // chunk        = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
    fn next_state(&mut self, byte: u8) -> Result<State, ParseError> {
        match (self.state, byte) {
            (State::Size, b'\r') if self.size_digits > 0 => Ok(State::SizeLf),
            (State::Size, b';') if self.size_digits > 0 => Ok(State::Extension),
            (State::Size, _) => self.add_size_digit(byte),

            (State::Extension, b'\r') => Ok(State::SizeLf),
            (State::Extension, _) if is_control(byte) => Err(ParseError::ChunkExtension),
            (State::Extension, _) => {
                self.extension_bytes += 1;
                if self.extension_bytes > EXTENSION_BYTES_MAX { Err(ParseError::ChunkExtension) } else { Ok(State::Extension) }
            }

            (State::SizeLf, b'\n') => self.begin_chunk(),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size),

            (State::Trailer, b'\r') => Ok(State::TrailerLf),
            (State::Trailer, _) => {
                self.trailer.push(byte);
                if self.trailer.len() > TRAILER_BYTES_MAX { Err(ParseError::TrailersTooLarge) } else { Ok(State::Trailer) }
            }
            (State::TrailerLf, b'\n') => self.end_trailer_line(),
            (State::TrailerLf, _) => Err(ParseError::BareCr),

            (State::SizeLf | State::Data | State::DataCr | State::DataLf | State::Done, _) => Err(ParseError::MissingChunkCrlf),
        }
    }

    // chunk-size = 1*HEXDIG
    fn add_size_digit(&mut self, byte: u8) -> Result<State, ParseError> {
        let digit = hex_value(byte).ok_or(ParseError::ChunkSize)?;
        self.size_digits += 1;
        if self.size_digits > SIZE_DIGITS_MAX {
            return Err(ParseError::ChunkSize);
        }
        self.size = self.size * 16 + u64::from(digit);
        Ok(State::Size)
    }

    fn begin_chunk(&mut self) -> Result<State, ParseError> {
        self.total = self.total.checked_add(self.size).ok_or(ParseError::ChunkSizeOverflow)?;
        (self.size_digits, self.extension_bytes) = (0, 0);
        Ok(if self.size == 0 { State::Trailer } else { State::Data })
    }

    /// Parses a complete line of the trailer section; an empty one ends the body.
    // trailer-section = *( field-line CRLF )
    fn end_trailer_line(&mut self) -> Result<State, ParseError> {
        let line = self.line_start..self.trailer.len();
        if line.is_empty() {
            return Ok(State::Done);
        }
        if let Some(index) = find_control_byte(&self.trailer, line.start) {
            return Err(match self.trailer[index] {
                b'\n' => ParseError::BareLf,
                0 => ParseError::Nul,
                _ => ParseError::ControlByte,
            });
        }
        if self.fields.len() == TRAILER_FIELDS_MAX {
            return Err(ParseError::TooManyHeaders);
        }
        let token_end = skip_token(&self.trailer, line.start);
        let field = HeaderSpan::parse(&self.trailer, line.clone(), token_end)
            .ok_or_else(|| field_line_error(&self.trailer, line, self.fields.len()).error)?;
        self.fields.push(field);
        self.line_start = self.trailer.len();
        Ok(State::Trailer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes in pieces of `step` bytes. Returns the body, the number of bytes after it, and the number of trailers.
    fn decode(input: &[u8], step: usize) -> Result<(Vec<u8>, usize, usize), ParseError> {
        let (mut decoder, mut content, mut at) = (ChunkedDecoder::default(), Vec::new(), 0);
        let mut output = [0; 3];
        while at < input.len() && !decoder.is_done() {
            let piece = &input[at..input.len().min(at + step)];
            let DecodeProgress { consumed, produced } = decoder.decode(piece, &mut output)?;
            content.extend_from_slice(&output[..produced]);
            at += consumed;
        }
        assert!(decoder.is_done() || at == input.len());
        Ok((content, if decoder.is_done() { input.len() - at } else { usize::MAX }, decoder.trailers().count()))
    }

    #[test]
    fn result_does_not_depend_on_the_pieces() {
        use ParseError as M;
        const OPEN: usize = usize::MAX;
        let long = |n: usize| [b"1;", "a".repeat(n).as_bytes(), b"\r\nx\r\n0\r\n\r\n"].concat();
        let trailer = |n: usize| [b"0\r\nA:", "a".repeat(n - 2).as_bytes(), b"\r\n\r\n"].concat();
        let many = |n: usize| [b"0\r\n".to_vec(), b"A:b\r\n".repeat(n), b"\r\n".to_vec()].concat();
        for (input, want, why) in [
            (b"3\r\nabc\r\n0\r\n\r\n".to_vec(), Ok((&b"abc"[..], 0, 0)), "one chunk"),
            (b"3\r\nabc\r\n00003\r\ndef\r\n0\r\n\r\nGET".to_vec(), Ok((b"abcdef", 3, 0)), "two chunks and the next request"),
            (b"a;x=\"y\"\r\n0123456789\r\n0;z\r\n\r\n".to_vec(), Ok((b"0123456789", 0, 0)), "extensions"),
            (b"0\r\nA: b\r\nC:\r\n\r\n".to_vec(), Ok((b"", 0, 2)), "trailers"),
            (b"3\r\nab".to_vec(), Ok((b"ab", OPEN, 0)), "incomplete data"),
            (b"0\r\n".to_vec(), Ok((b"", OPEN, 0)), "no empty line yet"),
            (long(256), Ok((b"x", 0, 0)), "the longest extension"),
            (long(257), Err(M::ChunkExtension), "one byte over the limit"),
            (trailer(8192), Ok((b"", 0, 1)), "the longest trailer section"),
            (trailer(8193), Err(M::TrailersTooLarge), "one byte over the limit"),
            (many(32), Ok((b"", 0, 32)), "the maximum number of trailers"),
            (many(33), Err(M::TooManyHeaders), "one trailer more"),
            (b"\r\n".to_vec(), Err(M::ChunkSize), "no digit"),
            (b"3\r\nabc\r\n\r\n".to_vec(), Err(M::ChunkSize), "no digit, after a chunk"),
            (b";x\r\n\r\n".to_vec(), Err(M::ChunkSize), "an extension without a size"),
            (b"+3\r\n".to_vec(), Err(M::ChunkSize), "a sign"),
            (b"0x3\r\n".to_vec(), Err(M::ChunkSize), "a prefix"),
            (b"3 \r\n".to_vec(), Err(M::ChunkSize), "a space"),
            (b"3\nabc".to_vec(), Err(M::ChunkSize), "a bare LF"),
            (b"3\rX".to_vec(), Err(M::MissingChunkCrlf), "a bare CR"),
            (b"00000000000000001\r\n".to_vec(), Err(M::ChunkSize), "17 digits"),
            (b"0000000000000001\r\nx\r\n0\r\n\r\n".to_vec(), Ok((b"x", 0, 0)), "16 digits"),
            (b"1\r\nx\r\nffffffffffffffff\r\n".to_vec(), Err(M::ChunkSizeOverflow), "the sum overflows"),
            (b"3;a\nb\r\n".to_vec(), Err(M::ChunkExtension), "LF in an extension"),
            (b"3\r\nabcd".to_vec(), Err(M::MissingChunkCrlf), "more data than the size"),
            (b"3\r\nabc\n".to_vec(), Err(M::MissingChunkCrlf), "a bare LF after data"),
            (b"3\r\nabc\rx".to_vec(), Err(M::MissingChunkCrlf), "a bare CR after data"),
            (b"0\r\nA: \0\r\n".to_vec(), Err(M::Nul), "NUL in a trailer"),
            (b"0\r\nA: b\n\r\n".to_vec(), Err(M::BareLf), "a bare LF in a trailer"),
            (b"0\r\nA: b\rc".to_vec(), Err(M::BareCr), "a bare CR in a trailer"),
            (b"0\r\n A: b\r\n".to_vec(), Err(M::LeadingWhitespace), "a folded trailer"),
        ] {
            let want = want.map(|(content, left, trailers): (&[u8], _, _)| (content.to_vec(), left, trailers));
            for step in [1, 2, 3, 7, input.len()] {
                assert_eq!(decode(&input, step), want, "{why}, {step} bytes at a time");
            }
        }
    }

    #[test]
    fn encoded_chunks_decode() {
        let bytes = [chunk_header(26).as_bytes(), &[b'x'; 26], CRLF, LAST_CHUNK].concat();
        assert_eq!(decode(&bytes, 5), Ok((vec![b'x'; 26], 0, 0)));
    }
}
