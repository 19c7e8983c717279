//! How are the bytes of a client shown on a line that no terminal obeys, and without what is secret?

use crate::http::headers::SENSITIVE_HEADERS;

/// What is shown of one line, in bytes.
const LINE_BYTES_MAX: usize = 512;
/// What is shown of a line before the byte that broke the message.
const BEFORE_FAULT_BYTES: usize = 60;

/// A message down to the byte that broke it.
#[derive(Debug, PartialEq, Eq)]
pub struct MarkedLines {
    /// Its lines, the last one that which holds the byte.
    pub lines: Vec<String>,
    /// In which column of the last line the byte is.
    pub column: usize,
}

/// Bytes as they are, control bytes and those above ASCII escaped.
pub fn visible(bytes: &[u8]) -> String {
    let shown = bytes.get(..LINE_BYTES_MAX).unwrap_or(bytes);
    let rest = if shown.len() < bytes.len() { "..." } else { "" };
    format!("{}{rest}", shown.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'"))
}

/// How a line that holds a secret is shown; `None` if it holds none. What is broken may be broken in the name of a field as well, or go on
/// behind a CR that ends no line: only the letters count, and what is no proper field is not shown at all.
fn masked(line: &[u8]) -> Option<String> {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    if SENSITIVE_HEADERS.iter().any(|masked| masked.as_bytes().eq_ignore_ascii_case(name.trim_ascii())) {
        return Some(format!("{}: (not shown)\\r\\n", name.escape_ascii()));
    }
    let begins_secretly = |part: &[u8]| {
        let letters: Vec<u8> =
            part.iter().filter(|byte| byte.is_ascii_alphabetic()).map(u8::to_ascii_lowercase).take(32).collect();
        SENSITIVE_HEADERS.iter().any(|masked| letters.starts_with(masked.replace('-', "").as_bytes()))
    };
    let is_secret = has_userinfo(line) || line.split(|byte| *byte == b'\r').any(begins_secretly);
    is_secret.then(|| "(not shown)\\r\\n".to_owned())
}

/// Whether a line holds a URL with a name and a password before its host (RFC 3986 §3.2.1).
fn has_userinfo(line: &[u8]) -> bool {
    let after_scheme = line.windows(3).position(|three| three == b"://").and_then(|at| line.get(at + 3..)).unwrap_or_default();
    after_scheme.split(|byte| matches!(byte, b'/' | b'?' | b'#' | b' ')).next().is_some_and(|host| host.contains(&b'@'))
}

/// The lines of a head as they are on the wire, each with where it begins, and as what it is shown if it must not be as it is.
fn lines_from(head: &[u8]) -> impl Iterator<Item = (usize, &[u8], Option<String>)> {
    let (mut next, mut was_secret) = (0, false);
    head.split_inclusive(|byte| *byte == b'\n').map(move |line| {
        let start = next;
        next += line.len();
        // A line that begins with white space goes on with the value before it.
        let goes_on = was_secret && matches!(line.first(), Some(b' ' | b'\t'));
        let masked = if goes_on { Some("(not shown)\\r\\n".to_owned()) } else { masked(line) };
        was_secret = masked.is_some();
        (start, line, masked)
    })
}

/// The lines of a head, each as it may be shown.
pub fn lines(head: &[u8]) -> impl Iterator<Item = String> {
    lines_from(head).map(|(_, line, masked)| masked.unwrap_or_else(|| visible(line)))
}

/// The lines of what is no message, down to the byte that broke it.
pub fn broken(bytes: &[u8], at: usize) -> MarkedLines {
    let mut before: Vec<_> = lines_from(bytes).take_while(|(start, _, _)| *start <= at).collect();
    let (start, line, masked) = before.pop().unwrap_or((0, bytes, None));
    let mut lines: Vec<String> = before.into_iter().map(|(_, line, masked)| masked.unwrap_or_else(|| visible(line))).collect();
    if let Some(masked) = masked {
        let column = masked.find("(not").unwrap_or_default();
        lines.push(masked);
        return MarkedLines { lines, column };
    }
    let within = at.saturating_sub(start).min(line.len());
    let from = within.saturating_sub(BEFORE_FAULT_BYTES);
    let dots = if from == 0 { "" } else { "..." };
    let shown = format!("{dots}{}", visible(line.get(from..within).unwrap_or_default()));
    let column = shown.len();
    lines.push(format!("{shown}{}", visible(line.get(within..).unwrap_or_default())));
    MarkedLines { lines, column }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_is_that_of_the_byte() {
        for (bytes, at, want, column, why) in [
            (&b"G@T / b\r\nx"[..], 1, &["G@T / b\\r\\n"][..], 1, "no line after it"),
            (b"a\r\nb\n", 4, &["a\\r\\n", "b\\n"], 1, "a line end"),
            (b"\x00\x01", 1, &["\\x00\\x01"], 4, "behind a byte that is escaped"),
            (b"ab", 2, &["ab"], 2, "behind the last one"),
            (b"", 0, &[""], 0, "nothing"),
            (b"ab", 99, &["ab"], 2, "beyond all"),
            (b"Cookie: a=\x00", 10, &["Cookie: (not shown)\\r\\n"], 8, "within a secret"),
            (b"Authorization\x00: x\r\n", 13, &["(not shown)\\r\\n"], 0, "a secret under a broken name"),
            (b"Authorization Basic x\r\n", 13, &["(not shown)\\r\\n"], 0, "a secret without a colon"),
            (b"A: b\rCookie: c\r\n", 4, &["(not shown)\\r\\n"], 0, "a secret behind a CR that ends no line"),
            (b"GET http://u:p@h/ HTTP/1.1\r\nA b", 29, &["(not shown)\\r\\n", "A b"], 1, "a password in a URL"),
            (b"a\r\nCOOKIE : b\r\n c\r\n", 15, &["a\\r\\n", "COOKIE : (not shown)\\r\\n", "(not shown)\\r\\n"], 0, "folded"),
        ] {
            let lines = want.iter().map(ToString::to_string).collect();
            assert_eq!(broken(bytes, at), MarkedLines { lines, column }, "{why}");
        }
        let long = [b"x".repeat(100), b"!".to_vec(), b"y".repeat(300)].concat();
        let MarkedLines { lines, column } = broken(&long, 100);
        assert_eq!(lines[0].find('!'), Some(column), "of a long line what is near");
        assert_eq!(column, 63);
    }
}
