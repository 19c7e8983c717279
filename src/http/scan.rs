//! Where does it end? (RFC 9110 §5.1, §5.5; RFC 9112 §3.2)
//!
//! Each byte of a head is looked at here, once: a name or a target up to the byte that ends it, a value up to the end of its line. Names are
//! short, so their bytes are looked up in a table; values may be long, so they are read in blocks and words.

use crate::http::grammar::{is_target_byte, is_tchar};

/// Where a byte may stand.
#[derive(Clone, Copy)]
struct ByteClass {
    token: bool,
    target: bool,
}

/// What the grammar says of each byte.
const BYTE_CLASSES: [ByteClass; 256] = {
    let mut table = [ByteClass { token: false, target: false }; 256];
    let (mut rest, mut byte) = (table.as_mut_slice(), 0_u8);
    while let Some((places, others)) = rest.split_first_mut() {
        *places = ByteClass { token: is_tchar(byte), target: is_target_byte(byte) };
        (rest, byte) = (others, byte.wrapping_add(1));
    }
    table
};

/// The position, at or after `from`, of the first byte that cannot be part of a token; the length of `bytes` if there is none.
pub fn skip_token(bytes: &[u8], from: usize) -> usize {
    first(bytes, from, |places| !places.token)
}

/// The position, at or after `from`, of the first byte that cannot be part of a target; the length of `bytes` if there is none.
pub fn skip_target(bytes: &[u8], from: usize) -> usize {
    first(bytes, from, |places| !places.target)
}

/// Eight bytes a step, so that the bounds are checked once for all of them.
#[inline(always)]
fn first(bytes: &[u8], from: usize, is_end: impl Fn(ByteClass) -> bool) -> usize {
    let ends = |&byte: &u8| BYTE_CLASSES.get(usize::from(byte)).is_some_and(|&places| is_end(places));
    let Some(mut rest) = bytes.get(from..) else { return from };
    let mut at = from;
    while let Some((word, others)) = rest.split_first_chunk::<8>() {
        if let Some(offset) = word.iter().position(ends) {
            return at + offset;
        }
        (at, rest) = (at + 8, others);
    }
    at + rest.iter().position(ends).unwrap_or(rest.len())
}

/// The position, at or after `from`, of the first byte that no line may hold: a control byte other than a tab.
#[inline(always)]
pub fn find_control_byte(bytes: &[u8], from: usize) -> Option<usize> {
    // An empty line, as at the end of every head: nothing need be searched.
    if bytes.get(from) == Some(&b'\r') {
        return Some(from);
    }
    let mut at = from;
    loop {
        at = below_space_or_del(bytes, at)?;
        if bytes.get(at) != Some(&b'\t') {
            return Some(at);
        }
        at += 1;
    }
}

/// The same, but a tab counts as well.
///
/// A block is first asked whether it holds such a byte anywhere: the compiler makes vector instructions of that, as no byte of it decides
/// about the next. Which byte it is, words tell.
#[inline(always)]
fn below_space_or_del(bytes: &[u8], from: usize) -> Option<usize> {
    let mut rest = bytes.get(from..)?;
    let mut at = from;
    while let Some((block, others)) = rest.split_first_chunk::<16>() {
        if block.iter().fold(false, |found, &b| found | (b < 0x20) | (b == 0x7f)) {
            break;
        }
        (at, rest) = (at + 16, others);
    }
    while let Some((word, others)) = rest.split_first_chunk::<8>() {
        let marks = swar_control_mask(u64::from_le_bytes(*word));
        if marks != 0 {
            return usize::try_from(marks.trailing_zeros() / 8).ok().map(|offset| at + offset);
        }
        (at, rest) = (at + 8, others);
    }
    rest.iter().position(|&b| b < 0x20 || b == 0x7f).map(|offset| at + offset)
}

/// The high bit of the first byte of `word` (lowest first) that is below 0x20 or is 0x7f, and perhaps bits above it; 0 if there is none.
///
/// `x - 0x20` borrows into the high bit of a byte below 0x20, and `!x` keeps bytes above 0x7f out. A borrow can only
/// reach the bytes above the first hit, so the lowest mark is always right.
fn swar_control_mask(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let below = word.wrapping_sub(ONES * 0x20);
    let del = (word ^ (ONES * 0x7f)).wrapping_sub(ONES);
    (below | del) & !word & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::grammar::is_control;

    /// Every byte at every place of a text that is longer than a block and some words, and from every place before it.
    fn everywhere(good: u8, is_end: impl Fn(u8) -> bool, end: impl Fn(&[u8], usize) -> usize) {
        const LENGTH: usize = 45;
        for byte in 0..=255_u8 {
            for place in 0..LENGTH {
                let mut text = [good; LENGTH];
                text[place] = byte;
                let want = if is_end(byte) { place } else { LENGTH };
                for from in [0, place / 2, place.saturating_sub(1), place] {
                    assert_eq!(end(&text, from), want, "byte {byte:#x} at {place}, from {from}");
                }
                assert_eq!(end(&text, place + 1), LENGTH, "from is where it starts");
            }
        }
    }

    #[test]
    fn every_byte_at_every_place() {
        everywhere(b'a', |b| !is_tchar(b), skip_token);
        everywhere(b'/', |b| !is_target_byte(b), skip_target);
        for good in [b'a', b'\t', 0x80, 0xff] {
            everywhere(good, is_control, |bytes, from| find_control_byte(bytes, from).unwrap_or(bytes.len()));
        }
    }

    #[test]
    fn beyond_the_end_there_is_nothing() {
        assert_eq!((skip_token(b"ab", 2), skip_target(b"ab", 2), find_control_byte(b"ab", 2)), (2, 2, None));
        assert_eq!((skip_token(b"ab", 3), skip_target(b"ab", 3), find_control_byte(b"ab", 3)), (3, 3, None));
    }
}
