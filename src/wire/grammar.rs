//! Which bytes may stand where? (RFC 9110 §5.6, RFC 9112 §2.2)
//!
//! The smallest pieces of the grammar, each under its ABNF. All work on bytes: a message is bytes, and text only by agreement
//! (RFC 9112 §2.2 asks to parse it as octets, since decoding first is how filters are passed by).

/// Whether `bytes` is a token: at least one byte, each of them a `tchar`.
///
/// ```
/// use threadbare::wire::grammar::is_token;
/// assert!(is_token(b"Content-Type"));
/// assert!(!is_token(b"Content-Type ") && !is_token(b""));
/// ```
// token = 1*tchar
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| is_tchar(b))
}

/// Whether a byte may stand in a token.
// tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
pub fn is_tchar(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z')
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
pub fn digits(bytes: &[u8]) -> Option<u64> {
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
pub fn hex_digit(byte: u8) -> Option<u8> {
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
    separated(value, b',').filter(|member| !member.is_empty())
}

/// The pieces of a value between one separator and the next, trimmed; separators inside quoted strings do not count.
pub fn separated(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let end = end_of_piece(bytes, separator);
        let (piece, tail) = bytes.split_at_checked(end)?;
        rest = tail.split_first().map(|(_, after)| after);
        Some(trim_ows(piece))
    })
}

/// Where the first piece ends: at a separator outside a quoted string, or at the end.
// quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE
fn end_of_piece(bytes: &[u8], separator: u8) -> usize {
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

/// The position, at or after `from`, of the first byte that no line may hold: a control byte other than a tab.
///
/// It reads eight bytes a step: each line of a head passes through here once.
pub fn control_byte(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let tail = bytes.get(at..)?;
        let Some(word) = tail.first_chunk::<8>() else {
            return tail.iter().position(|&b| is_control(b)).map(|offset| at + offset);
        };
        let offset = first_below_space_or_del(u64::from_le_bytes(*word));
        if offset == 8 {
            at += 8;
            continue;
        }
        at += offset;
        if bytes.get(at) != Some(&b'\t') {
            return Some(at);
        }
        at += 1;
    }
}

/// Whether a byte is a control byte that no field value may hold (all but HTAB).
// CTL except HTAB = %x00-08 / %x0A-1F / %x7F
pub fn is_control(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') || byte == 0x7f
}

/// The index of the first byte of `word` (lowest first) that is below 0x20 or is 0x7f; 8 if there is none.
///
/// `x - 0x20` borrows into the high bit of a byte below 0x20, and `!x` keeps bytes above 0x7f out. A borrow can only
/// reach the bytes above the first hit, so the lowest mark is always right.
fn first_below_space_or_del(word: u64) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let below = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
    let other = word ^ (ONES * 0x7f);
    let del = other.wrapping_sub(ONES) & !other & HIGH;
    usize::try_from((below | del).trailing_zeros() / 8).unwrap_or(8)
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
            assert_eq!(digits(input), want, "{why}");
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
    fn every_byte_at_every_place_in_a_word() {
        for byte in 0..=255_u8 {
            for place in 0..20 {
                let mut line = [b'a'; 20];
                line[place] = byte;
                let want = is_control(byte).then_some(place);
                assert_eq!(control_byte(&line, 0), want, "byte {byte:#x} at {place}");
            }
        }
        assert_eq!(control_byte(b"\r\naaaaaaaa\r", 1), Some(1), "from is where it starts");
        assert_eq!(control_byte(b"\t\t\t\t\t\t\t\t\t\t", 0), None, "tabs are allowed");
    }
}
