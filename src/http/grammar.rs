//! Which bytes may stand where? (RFC 9110 §5.6, RFC 9112 §2.2)
//!
//! The smallest pieces of the grammar, each under its ABNF. All work on bytes: a message is bytes, and text only by agreement
//! (RFC 9112 §2.2 asks to parse it as octets, since decoding first is how filters are passed by).

/// Whether `bytes` is a token: at least one byte, each of them a `tchar`.
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

/// Whether a byte may stand in a token.
// tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
pub const fn is_tchar(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z')
}

/// Whether a byte may stand in a request target. Which target it makes is for [`crate::http::target`] to say; a fragment is never sent.
// All that a URI may be made of is visible ASCII (RFC 3986 §2).
pub const fn is_target_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'#'
}

/// Cuts optional white space from both ends.
// OWS = *( SP / HTAB )
pub fn trim_ows(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [b' ' | b'\t', tail @ ..] = rest {
        rest = tail;
    }
    while let [head @ .., b' ' | b'\t'] = rest {
        rest = head;
    }
    rest
}

/// A number in decimal digits and nothing else. `None` for an empty text, a sign, a space, or more than fits.
///
/// The standard library's parser accepts `+5`; two parsers that disagree on a length are all that request smuggling needs.
// 1*DIGIT
pub fn parse_decimal(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0_u64, |number, &b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// The value of one hexadecimal digit.
// HEXDIG (RFC 5234 §B.1; case-insensitive)
pub fn hex_value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The members of a comma-separated list, trimmed, empty ones left out; commas inside quoted strings do not count.
// #element => [ element ] *( OWS "," OWS [ element ] )
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    split_unquoted(value, b',').filter(|member| !member.is_empty())
}

/// The pieces of a value between one separator and the next, trimmed; separators inside quoted strings do not count.
pub fn split_unquoted(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let end = find_unquoted(bytes, separator);
        let (piece, tail) = bytes.split_at_checked(end)?;
        rest = tail.split_first().map(|(_, after)| after);
        Some(trim_ows(piece))
    })
}

/// Where the first piece ends: at a separator outside a quoted string, or at the end.
// quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE
fn find_unquoted(bytes: &[u8], separator: u8) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, &b) in bytes.iter().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if b == separator && !quoted => return at,
            _ => {}
        }
    }
    bytes.len()
}

/// Whether a byte is a control byte that no field value may hold (all but HTAB).
// CTL except HTAB = %x00-08 / %x0A-1F / %x7F
pub const fn is_control(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') || byte == 0x7f
}

/// Where a line that should be three words with one space between them stops being that.
pub fn request_line_error_offset(line: &[u8]) -> usize {
    let mut at: usize = 0;
    for (before, word) in line.split(|&b| b == b' ').enumerate() {
        if before == 3 {
            return at.saturating_sub(1);
        }
        if word.is_empty() {
            return at;
        }
        at += word.len() + 1;
    }
    line.len()
}

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

    #[test]
    fn numbers() {
        for (input, want, why) in [
            (&b"0"[..], Some(0), "one digit"),
            (b"007", Some(7), "leading zeros are digits"),
            (b"18446744073709551615", Some(u64::MAX), "the largest"),
            (b"18446744073709551616", None, "one more"),
            (b"", None, "empty"),
            (b"+5", None, "a sign"),
            (b"5 ", None, "a space"),
            (b"0x5", None, "hexadecimal"),
        ] {
            assert_eq!(parse_decimal(input), want, "{why}");
        }
    }

    #[test]
    fn lists() {
        for (input, want, why) in [
            (&b"a, b"[..], &[&b"a"[..], b"b"][..], "two"),
            (b",, a ,\t,", &[b"a"], "empty members"),
            (b"", &[], "nothing"),
            (b"\"a,b\", c", &[b"\"a,b\"", b"c"], "a quoted comma"),
            (b"\"a\\\",b\"", &[b"\"a\\\",b\""], "an escaped quote"),
        ] {
            assert_eq!(list(input).collect::<Vec<_>>(), want, "{why}");
        }
    }

    #[test]
    fn three_words() {
        for (line, want, why) in [
            ("GET /", 5, "two"),
            ("GET", 3, "one"),
            ("", 0, "none"),
            ("GET /a b HTTP/1.1", 8, "a third space"),
            ("GET  / HTTP/1.1", 4, "a second space at once"),
            (" GET / HTTP/1.1", 0, "a space first"),
            ("GET / ", 6, "an empty version"),
            ("GET / HTTP/1.1", 14, "three"),
        ] {
            assert_eq!(request_line_error_offset(line.as_bytes()), want, "{why}");
        }
    }

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
