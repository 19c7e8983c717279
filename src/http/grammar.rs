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
}
