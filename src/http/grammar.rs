//! Character classes, lists and numbers (RFC 9110 §5.6, RFC 9112 §2.2).
//!
//! The rules of the grammar that several fields share, each below its ABNF. They work on bytes: RFC 9112 §2.2 demands that a message is
//! parsed as octets, because decoding it first lets an attacker bypass filters.
#![allow(clippy::indexing_slicing, reason = "the line above keeps each index within its slice, and all parsers are fuzzed")]

/// Whether `bytes` is a token: one or more `tchar`.
///
/// ```
/// use threadbare::http::grammar::is_token;
/// assert!(is_token(b"Content-Type"));
/// assert!(!is_token(b"Content-Type ") && !is_token(b""));
/// ```
// token = 1*tchar
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| is_tchar(b))
}

/// Whether a byte may occur in a token.
// tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
pub const fn is_tchar(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z')
}

/// Whether a byte may occur in a request target: visible ASCII (RFC 3986 §2) except `#`, since a fragment is never sent.
pub const fn is_target_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'#'
}

/// Whether a byte is a control character that no field value may contain: all but HTAB.
// CTL except HTAB = %x00-08 / %x0A-1F / %x7F
pub const fn is_control(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') || byte == 0x7f
}

/// Parses a decimal number. `None` for an empty text, any byte that is no digit, and a number above 2^64 - 1.
///
/// The parser of the standard library accepts `+5`; two parsers that disagree about a length make request smuggling possible.
// 1*DIGIT
pub fn parse_decimal(bytes: &[u8]) -> Option<u64> {
    let append = |number: u64, &byte: &u8| number.checked_mul(10)?.checked_add(char::from(byte).to_digit(10)?.into());
    bytes.iter().try_fold(0, append).filter(|_| !bytes.is_empty())
}

/// Returns the value of a hexadecimal digit, 0 to 15.
// HEXDIG (RFC 5234 §B.1; case-insensitive)
pub fn hex_value(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Splits `bytes` at the first `separator`, which is removed.
pub fn split_once<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(separator.len()).position(|window| window == separator)?;
    Some((&bytes[..at], &bytes[at + separator.len()..]))
}

/// Removes a prefix, ignoring ASCII case; `None` if `bytes` does not begin with it.
pub fn strip_prefix_ignore_case<'a>(bytes: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = bytes.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Returns the members of a comma-separated list, trimmed. Empty members are skipped, and commas inside quoted strings do not separate.
// #element => [ element ] *( OWS "," OWS [ element ] )
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    split_unquoted(value, b',').filter(|member| !member.is_empty())
}

/// Splits a value at each separator outside quoted strings, and trims the parts.
// quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE
pub fn split_unquoted(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    let is_separator = move |&b: &u8| {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => return b == separator && !quoted,
        }
        false
    };
    value.split(is_separator).map(<[u8]>::trim_ascii)
}

/// Returns the index at which a line stops being three words separated by single spaces.
pub fn request_line_error_offset(line: &[u8]) -> usize {
    let words = || line.split(|&b| b == b' ').take(3);
    let offset: usize = words().take_while(|word| !word.is_empty()).map(|word| word.len() + 1).sum();
    if words().any(<[u8]>::is_empty) { offset } else { offset - 1 }
}

/// The classes of one byte: names and targets are short, so their bytes are looked up in a table.
#[derive(Clone, Copy)]
struct ByteClass {
    token: bool,
    target: bool,
}

const BYTE_CLASSES: [ByteClass; 256] = {
    let mut table = [ByteClass { token: false, target: false }; 256];
    let (mut rest, mut byte) = (table.as_mut_slice(), 0_u8);
    while let Some((class, others)) = rest.split_first_mut() {
        *class = ByteClass { token: is_tchar(byte), target: is_target_byte(byte) };
        (rest, byte) = (others, byte.wrapping_add(1));
    }
    table
};

/// Returns the index, from `from` on, of the first byte that cannot be part of a token; at least the length of `bytes` if there is none.
pub fn skip_token(bytes: &[u8], from: usize) -> usize {
    skip(bytes, from, |class| class.token)
}

/// Returns the index, from `from` on, of the first byte that cannot be part of a target; at least the length of `bytes` if there is none.
pub fn skip_target(bytes: &[u8], from: usize) -> usize {
    skip(bytes, from, |class| class.target)
}

/// Skips bytes of a class, eight at a time, so that the bounds are checked once for all of them.
#[inline(always)]
fn skip(bytes: &[u8], from: usize, is_member: impl Fn(ByteClass) -> bool) -> usize {
    let ends = |&byte: &u8| !is_member(BYTE_CLASSES[usize::from(byte)]);
    let Some(mut rest) = bytes.get(from..) else { return from };
    let mut index = from;
    while let Some((word, others)) = rest.split_first_chunk::<8>() {
        if let Some(offset) = word.iter().position(ends) {
            return index + offset;
        }
        (index, rest) = (index + 8, others);
    }
    index + rest.iter().position(ends).unwrap_or(rest.len())
}

/// Returns the index, from `from` on, of the first byte for which [`is_control`] holds.
#[inline(always)]
pub fn find_control_byte(bytes: &[u8], from: usize) -> Option<usize> {
    // The empty line at the end of a head needs no search.
    if bytes.get(from) == Some(&b'\r') {
        return Some(from);
    }
    let mut index = from;
    loop {
        index = find_below_space_or_del(bytes, index)?;
        if bytes[index] != b'\t' {
            return Some(index);
        }
        index += 1;
    }
}

/// Like [`find_control_byte`], but a tab counts as well.
///
/// The first loop skips blocks of 16 bytes without branches inside a block, so that the compiler emits vector instructions; the second
/// finds the byte, eight at a time.
#[inline(always)]
fn find_below_space_or_del(bytes: &[u8], from: usize) -> Option<usize> {
    let mut rest = bytes.get(from..)?;
    let mut index = from;
    while let Some((block, others)) = rest.split_first_chunk::<16>() {
        if block.iter().fold(false, |found, &b| found | (b < 0x20) | (b == 0x7f)) {
            break;
        }
        (index, rest) = (index + 16, others);
    }
    while let Some((word, others)) = rest.split_first_chunk::<8>() {
        let mask = swar_control_mask(u64::from_le_bytes(*word));
        if mask != 0 {
            return usize::try_from(mask.trailing_zeros() / 8).ok().map(|offset| index + offset);
        }
        (index, rest) = (index + 8, others);
    }
    rest.iter().position(|&b| b < 0x20 || b == 0x7f).map(|offset| index + offset)
}

/// Returns the high bit of the lowest byte of `word` that is below 0x20 or equal to 0x7f, and possibly bits above it; 0 if there is none.
///
/// `x - 0x20` borrows into the high bit of a byte below 0x20, and `!x` excludes bytes above 0x7f. A borrow reaches only bytes above the
/// first match, so the lowest bit is exact.
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

    #[test]
    fn decimal_numbers_are_digits_only() {
        for (input, want, why) in [
            (&b"0"[..], Some(0), "one digit"),
            (b"007", Some(7), "leading zeros are digits"),
            (b"18446744073709551615", Some(u64::MAX), "the largest number"),
            (b"18446744073709551616", None, "one above the largest"),
            (b"", None, "empty"),
            (b"+5", None, "a sign"),
            (b"5 ", None, "a space"),
            (b"0x5", None, "hexadecimal"),
        ] {
            assert_eq!(parse_decimal(input), want, "{why}");
        }
    }

    #[test]
    fn lists_skip_empty_members_and_respect_quotes() {
        for (input, want, why) in [
            (&b"a, b"[..], &[&b"a"[..], b"b"][..], "two members"),
            (b",, a ,\t,", &[b"a"], "empty members"),
            (b"", &[], "an empty value"),
            (b"\"a,b\", c", &[b"\"a,b\"", b"c"], "a quoted comma"),
            (b"\"a\\\",b\"", &[b"\"a\\\",b\""], "an escaped quote"),
        ] {
            assert_eq!(list(input).collect::<Vec<_>>(), want, "{why}");
        }
    }

    #[test]
    fn request_line_error_is_at_the_first_wrong_byte() {
        for (line, want, why) in [
            ("GET /", 5, "two members"),
            ("GET", 3, "one word"),
            ("", 0, "no words"),
            ("GET /a b HTTP/1.1", 8, "a third space"),
            ("GET  / HTTP/1.1", 4, "two spaces in a row"),
            (" GET / HTTP/1.1", 0, "a leading space"),
            ("GET / ", 6, "an empty version"),
            ("GET / HTTP/1.1", 14, "three words"),
        ] {
            assert_eq!(request_line_error_offset(line.as_bytes()), want, "{why}");
        }
    }

    /// Tests each byte at each index of a text longer than a block and a few words, with several start indexes.
    fn check_every_byte(good: u8, is_end: impl Fn(u8) -> bool, end: impl Fn(&[u8], usize) -> usize) {
        const LENGTH: usize = 45;
        for byte in 0..=255_u8 {
            for place in 0..LENGTH {
                let mut text = [good; LENGTH];
                text[place] = byte;
                let want = if is_end(byte) { place } else { LENGTH };
                for from in [0, place / 2, place.saturating_sub(1), place] {
                    assert_eq!(end(&text, from), want, "byte {byte:#x} at {place}, from {from}");
                }
                assert_eq!(end(&text, place + 1), LENGTH, "a byte before from does not count");
            }
        }
    }

    #[test]
    fn each_byte_ends_the_scan_at_each_index() {
        check_every_byte(b'a', |b| !is_tchar(b), skip_token);
        check_every_byte(b'/', |b| !is_target_byte(b), skip_target);
        for good in [b'a', b'\t', 0x80, 0xff] {
            check_every_byte(good, is_control, |bytes, from| find_control_byte(bytes, from).unwrap_or(bytes.len()));
        }
    }

    #[test]
    fn start_beyond_the_end_finds_nothing() {
        assert_eq!((skip_token(b"ab", 2), skip_target(b"ab", 2), find_control_byte(b"ab", 2)), (2, 2, None));
        assert_eq!((skip_token(b"ab", 3), skip_target(b"ab", 3), find_control_byte(b"ab", 3)), (3, 3, None));
    }
}
