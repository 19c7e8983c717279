//! How are the bytes of a client shown on a line that no terminal obeys, and without what is secret?

/// Fields that hold secrets: they are named, and not shown.
const MASKED: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];
/// What is shown of one line, in bytes.
const LINE_BYTES_MAX: usize = 512;
/// What is shown of a line before the byte that broke the message.
const BEFORE_FAULT_BYTES: usize = 60;

/// A message down to the byte that broke it.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken {
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

/// The lines of a head as they are on the wire, each with its end and with where it begins.
fn lines_from(head: &[u8]) -> impl Iterator<Item = (usize, &[u8], Option<String>)> {
    let (mut next, mut was_secret) = (0, false);
    head.split_inclusive(|byte| *byte == b'\n').map(move |line| {
        let start = next;
        next += line.len();
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        // A line that begins with white space goes on with the value before it.
        let goes_on = matches!(line.first(), Some(b' ' | b'\t'));
        was_secret = if goes_on {
            was_secret
        } else {
            MASKED.iter().any(|masked| masked.as_bytes().eq_ignore_ascii_case(name.trim_ascii()))
        };
        let name = if goes_on { "".to_owned() } else { format!("{}: ", name.escape_ascii()) };
        (start, line, was_secret.then(|| format!("{name}(not shown)\\r\\n")))
    })
}

/// The lines of a head, each as it may be shown.
pub fn lines(head: &[u8]) -> impl Iterator<Item = String> {
    lines_from(head).map(|(_, line, masked)| masked.unwrap_or_else(|| visible(line)))
}

/// The lines of what is no message, down to the byte that broke it.
pub fn broken(bytes: &[u8], at: usize) -> Broken {
    let mut before: Vec<_> = lines_from(bytes).take_while(|(start, _, _)| *start <= at).collect();
    let (start, line, masked) = before.pop().unwrap_or((0, bytes, None));
    let mut lines: Vec<String> = before.into_iter().map(|(_, line, masked)| masked.unwrap_or_else(|| visible(line))).collect();
    if let Some(masked) = masked {
        let column = masked.find("(not").unwrap_or_default();
        lines.push(masked);
        return Broken { lines, column };
    }
    let within = at.saturating_sub(start).min(line.len());
    let from = within.saturating_sub(BEFORE_FAULT_BYTES);
    let dots = if from == 0 { "" } else { "..." };
    let shown = format!("{dots}{}", visible(line.get(from..within).unwrap_or_default()));
    let column = shown.len();
    lines.push(format!("{shown}{}", visible(line.get(within..).unwrap_or_default())));
    Broken { lines, column }
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
            (b"a\r\nCOOKIE : b\r\n c\r\n", 15, &["a\\r\\n", "COOKIE : (not shown)\\r\\n", "(not shown)\\r\\n"], 0, "folded"),
        ] {
            let lines = want.iter().map(ToString::to_string).collect();
            assert_eq!(broken(bytes, at), Broken { lines, column }, "{why}");
        }
        let long = [b"x".repeat(100), b"!".to_vec(), b"y".repeat(300)].concat();
        let Broken { lines, column } = broken(&long, 100);
        assert_eq!(lines[0].find('!'), Some(column), "of a long line what is near");
        assert_eq!(column, 63);
    }
}
