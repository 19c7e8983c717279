//! What does one field line say? (RFC 9112 §5)
//!
//! Nothing is copied: a line is known by where its name and its value stand.

use std::ops::Range;

use crate::http::error::{LocatedError, ParseError};
use crate::http::grammar::is_tchar;

/// Where one field line's name and value stand in the head. 32 bits are ample: a head has a limit far below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderSpan {
    /// Index of the first byte of the name.
    pub name: u32,
    /// Length of the name in bytes.
    pub name_len: u32,
    /// Index of the first byte of the value, after white space.
    pub value: u32,
    /// Length of the value in bytes, white space at its end left out.
    pub value_len: u32,
}

impl HeaderSpan {
    /// Reads one field line of a message: where it stands, without its CRLF. It is known to hold no control byte but tabs, and to be a
    /// token as far as `token_end`. `None` if it does not begin with a name and a colon: [`field_line_error`] says what it does instead. A value can no
    /// longer be wrong here.
    // field-line = field-name ":" OWS field-value OWS
    #[inline]
    pub fn parse(message: &[u8], line: Range<usize>, token_end: usize) -> Option<HeaderSpan> {
        let Some([b':', after_colon @ ..]) = message.get(token_end..line.end) else { return None };
        let from_value = trim_start(after_colon);
        let value = trim_end(from_value);
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        (token_end > line.start).then(|| HeaderSpan {
            name: narrow(line.start),
            name_len: narrow(token_end - line.start),
            value: narrow(line.end - from_value.len()),
            value_len: narrow(value.len()),
        })
    }
}

/// Cuts white space from the start. No other byte up to the space is left in a line.
// OWS = *( SP / HTAB )
fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [..=b' ', tail @ ..] = bytes {
        bytes = tail;
    }
    bytes
}

/// Cuts it from the end.
fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [head @ .., ..=b' '] = bytes {
        bytes = head;
    }
    bytes
}

/// What is wrong with a line of a message that does not begin with a name and a colon. `number` is how many lines stand before it.
#[cold]
pub fn field_line_error(message: &[u8], line: Range<usize>, number: usize) -> LocatedError {
    let at = line.start;
    let line = message.get(line).unwrap_or_default();
    if let Some(b' ' | b'\t') = line.first() {
        // Both are how a field is hidden from one of two parsers.
        return if number == 0 { ParseError::LeadingWhitespace } else { ParseError::ObsFold }.with_offset(at);
    }
    let Some(colon) = line.iter().position(|&b| b == b':') else { return ParseError::NoColon.with_offset(at) };
    match line.get(..colon).unwrap_or_default() {
        [] => ParseError::EmptyName.with_offset(at),
        [.., b' ' | b'\t'] => ParseError::SpaceBeforeColon.with_offset(at + colon - 1),
        name => ParseError::NameNotToken.with_offset(at + name.iter().position(|&b| !is_tchar(b)).unwrap_or(0)),
    }
}
