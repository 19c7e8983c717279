//! What is inside a chunked content? (RFC 9112 §7.1)
//!
//! The [`ChunkedDecoder`] is fed bytes in pieces of any size and gives back content; feeding it one byte at a time or all at once comes
//! to the same. Only CRLF ends a line here: a lenient reader of chunks behind a strict one is a way to smuggle requests.

use crate::http::error::ParseError;
use crate::http::grammar::{find_control_byte, hex_value, skip_token};
use crate::http::headers::{HeaderSpan, Headers, field_line_error};

/// Hexadecimal digits of a chunk size: 16 fill 64 bits.
const SIZE_DIGITS_MAX: usize = 16;
/// Bytes of the extensions of one chunk. Nobody uses them but those who look for holes; 256 is generous.
const EXTENSION_BYTES_MAX: usize = 256;
/// Bytes of the trailer section.
const TRAILER_BYTES_MAX: usize = 8192;
/// Field lines in the trailer section.
const TRAILER_FIELDS_MAX: usize = 32;

/// What one call of [`ChunkedDecoder::decode`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeProgress {
    /// So many bytes of the input are used up.
    pub consumed: usize,
    /// So many bytes of content were written to the output.
    pub produced: usize,
}

/// Takes chunked content apart, piece by piece.
#[derive(Debug)]
pub struct ChunkedDecoder {
    state: State,
    size: u64,
    digits: usize,
    line_bytes: usize,
    total: u64,
    trailer: Vec<u8>,
    trailer_line: usize,
    fields: Vec<HeaderSpan>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
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

impl Default for ChunkedDecoder {
    fn default() -> ChunkedDecoder {
        ChunkedDecoder {
            state: State::Size,
            size: 0,
            digits: 0,
            line_bytes: 0,
            total: 0,
            trailer: Vec::new(),
            trailer_line: 0,
            fields: Vec::new(),
        }
    }
}

impl ChunkedDecoder {
    /// Whether the last chunk and the trailer section have been read.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The fields of the trailer section, in order. They say nothing about framing or routing, whatever their names are
    /// (RFC 9110 §6.5.1).
    pub fn trailers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        Headers::new(&self.trailer, &self.fields).iter()
    }

    /// Reads chunks from `input`, writes content to `output`, and stops when either is used up or the content ends.
    ///
    /// # Errors
    /// What is wrong. The connection is of no further use then.
    pub fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<DecodeProgress, ParseError> {
        let (mut consumed, mut produced) = (0, 0);
        while let Some(&byte) = input.get(consumed) {
            match self.state {
                State::Done => break,
                State::Data => {
                    let wanted = usize::try_from(self.size).unwrap_or(usize::MAX);
                    let from = input.get(consumed..).unwrap_or_default();
                    let to = output.get_mut(produced..).unwrap_or_default();
                    let count = wanted.min(from.len()).min(to.len());
                    let (Some(from), Some(to)) = (from.get(..count), to.get_mut(..count)) else { break };
                    if count == 0 {
                        break;
                    }
                    to.copy_from_slice(from);
                    consumed += count;
                    produced += count;
                    self.size -= u64::try_from(count).unwrap_or(self.size);
                    if self.size == 0 {
                        self.state = State::DataCr;
                    }
                }
                _ => {
                    self.state = self.line_byte(byte)?;
                    consumed += 1;
                }
            }
        }
        Ok(DecodeProgress { consumed, produced })
    }

    /// One byte outside the data of a chunk.
    // chunked-body = *chunk last-chunk trailer-section CRLF
    // chunk        = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
    fn line_byte(&mut self, byte: u8) -> Result<State, ParseError> {
        match (self.state, byte) {
            (State::Size, b'\r') if self.digits > 0 => Ok(State::SizeLf),
            (State::Size, b';') if self.digits > 0 => Ok(State::Extension),
            (State::Size, _) => self.size_digit(byte),

            (State::Extension, b'\r') => Ok(State::SizeLf),
            (State::Extension, _) if byte.is_ascii_control() && byte != b'\t' => Err(ParseError::ChunkExtension),
            (State::Extension, _) => {
                self.line_bytes += 1;
                if self.line_bytes > EXTENSION_BYTES_MAX { Err(ParseError::ChunkExtension) } else { Ok(State::Extension) }
            }

            (State::SizeLf, b'\n') => self.begin_chunk(),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size),

            (State::Trailer, b'\r') => Ok(State::TrailerLf),
            (State::Trailer, _) => {
                self.trailer.push(byte);
                if self.trailer.len() > TRAILER_BYTES_MAX { Err(ParseError::TrailersTooLarge) } else { Ok(State::Trailer) }
            }
            (State::TrailerLf, b'\n') => self.trailer_line(),
            (State::TrailerLf, _) => Err(ParseError::BareCr),

            (State::SizeLf | State::Data | State::DataCr | State::DataLf | State::Done, _) => Err(ParseError::MissingChunkCrlf),
        }
    }

    // chunk-size = 1*HEXDIG
    fn size_digit(&mut self, byte: u8) -> Result<State, ParseError> {
        let digit = hex_value(byte).ok_or(ParseError::ChunkSize)?;
        self.digits += 1;
        if self.digits > SIZE_DIGITS_MAX {
            return Err(ParseError::ChunkSize);
        }
        self.size = self.size * 16 + u64::from(digit);
        Ok(State::Size)
    }

    /// The size line is complete: data follow, or the trailer section.
    fn begin_chunk(&mut self) -> Result<State, ParseError> {
        self.total = self.total.checked_add(self.size).ok_or(ParseError::ChunkSizeOverflow)?;
        self.digits = 0;
        self.line_bytes = 0;
        Ok(if self.size == 0 { State::Trailer } else { State::Data })
    }

    /// A line of the trailer section is complete; an empty one ends the content.
    // trailer-section = *( field-line CRLF )
    fn trailer_line(&mut self) -> Result<State, ParseError> {
        let line = self.trailer.get(self.trailer_line..).unwrap_or_default();
        if line.is_empty() {
            return Ok(State::Done);
        }
        if let Some(at) = find_control_byte(line, 0) {
            let byte = line.get(at);
            return Err(match byte {
                Some(b'\n') => ParseError::BareLf,
                Some(0) => ParseError::Nul,
                _ => ParseError::ControlByte,
            });
        }
        if self.fields.len() == TRAILER_FIELDS_MAX {
            return Err(ParseError::TooManyHeaders);
        }
        let (line, token_end) = (self.trailer_line..self.trailer.len(), skip_token(&self.trailer, self.trailer_line));
        let field = HeaderSpan::parse(&self.trailer, line.clone(), token_end);
        self.fields.push(field.ok_or_else(|| field_line_error(&self.trailer, line, self.fields.len()).error)?);
        self.trailer_line = self.trailer.len();
        Ok(State::Trailer)
    }
}

/// The line before a chunk of `length` bytes. A length of zero is no chunk but [`LAST_CHUNK`].
pub fn chunk_header(length: usize) -> String {
    format!("{length:x}\r\n")
}

/// What ends each chunk.
pub const CRLF: &[u8] = b"\r\n";

/// The last chunk, with an empty trailer section.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes in pieces of `step` bytes; the content, what was left over, and the trailers.
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
    fn pieces_of_any_size_are_the_same() {
        use ParseError as M;
        const OPEN: usize = usize::MAX;
        let long = |n: usize| [b"1;", "a".repeat(n).as_bytes(), b"\r\nx\r\n0\r\n\r\n"].concat();
        let trailer = |n: usize| [b"0\r\nA:", "a".repeat(n - 2).as_bytes(), b"\r\n\r\n"].concat();
        let many = |n: usize| [b"0\r\n".to_vec(), b"A:b\r\n".repeat(n), b"\r\n".to_vec()].concat();
        for (input, want, why) in [
            (b"3\r\nabc\r\n0\r\n\r\n".to_vec(), Ok((&b"abc"[..], 0, 0)), "one chunk"),
            (b"3\r\nabc\r\n00003\r\ndef\r\n0\r\n\r\nGET".to_vec(), Ok((b"abcdef", 3, 0)), "two, and what follows"),
            (b"a;x=\"y\"\r\n0123456789\r\n0;z\r\n\r\n".to_vec(), Ok((b"0123456789", 0, 0)), "extensions"),
            (b"0\r\nA: b\r\nC:\r\n\r\n".to_vec(), Ok((b"", 0, 2)), "trailers"),
            (b"3\r\nab".to_vec(), Ok((b"ab", OPEN, 0)), "not yet complete"),
            (b"0\r\n".to_vec(), Ok((b"", OPEN, 0)), "the empty line is missing"),
            (long(256), Ok((b"x", 0, 0)), "the longest extension"),
            (long(257), Err(M::ChunkExtension), "one byte more"),
            (trailer(8192), Ok((b"", 0, 1)), "the longest trailer section"),
            (trailer(8193), Err(M::TrailersTooLarge), "one byte more"),
            (many(32), Ok((b"", 0, 32)), "as many trailers as allowed"),
            (many(33), Err(M::TooManyHeaders), "one more"),
            (b"\r\n".to_vec(), Err(M::ChunkSize), "no digit"),
            (b"3\r\nabc\r\n\r\n".to_vec(), Err(M::ChunkSize), "no digit, after a chunk"),
            (b";x\r\n\r\n".to_vec(), Err(M::ChunkSize), "an extension of nothing"),
            (b"+3\r\n".to_vec(), Err(M::ChunkSize), "a sign"),
            (b"0x3\r\n".to_vec(), Err(M::ChunkSize), "a prefix"),
            (b"3 \r\n".to_vec(), Err(M::ChunkSize), "a space"),
            (b"3\nabc".to_vec(), Err(M::ChunkSize), "LF alone"),
            (b"3\rX".to_vec(), Err(M::MissingChunkCrlf), "CR alone"),
            (b"00000000000000001\r\n".to_vec(), Err(M::ChunkSize), "17 digits"),
            (b"0000000000000001\r\nx\r\n0\r\n\r\n".to_vec(), Ok((b"x", 0, 0)), "16 digits"),
            (b"1\r\nx\r\nffffffffffffffff\r\n".to_vec(), Err(M::ChunkSizeOverflow), "the sum overflows"),
            (b"3;a\nb\r\n".to_vec(), Err(M::ChunkExtension), "LF in an extension"),
            (b"3\r\nabcd".to_vec(), Err(M::MissingChunkCrlf), "more data than said"),
            (b"3\r\nabc\n".to_vec(), Err(M::MissingChunkCrlf), "LF alone after data"),
            (b"3\r\nabc\rx".to_vec(), Err(M::MissingChunkCrlf), "CR alone after data"),
            (b"0\r\nA: \0\r\n".to_vec(), Err(M::Nul), "NUL in a trailer"),
            (b"0\r\nA: b\n\r\n".to_vec(), Err(M::BareLf), "LF alone in a trailer"),
            (b"0\r\nA: b\rc".to_vec(), Err(M::BareCr), "CR alone in a trailer"),
            (b"0\r\n A: b\r\n".to_vec(), Err(M::LeadingWhitespace), "a folded trailer"),
        ] {
            let want = want.map(|(content, left, trailers): (&[u8], _, _)| (content.to_vec(), left, trailers));
            for step in [1, 2, 3, 7, input.len()] {
                assert_eq!(decode(&input, step), want, "{why}, {step} at a time");
            }
        }
    }

    #[test]
    fn what_is_encoded_decodes() {
        let bytes = [chunk_header(26).as_bytes(), &[b'x'; 26], CRLF, LAST_CHUNK].concat();
        assert_eq!(decode(&bytes, 5), Ok((vec![b'x'; 26], 0, 0)));
    }
}
