//! How is text made harmless in a page?

use std::borrow::Cow;

/// Text that stands for itself in HTML, between tags and inside a quoted attribute alike.
///
/// ```
/// assert_eq!(threadbare::handlers::html::escape("<a href='x'>"), "&lt;a href=&#39;x&#39;&gt;");
/// ```
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match reference(char) {
            Some(reference) => out.push_str(reference),
            None => out.push(char),
        }
    }
    Cow::Owned(out)
}

/// How a character that means something in HTML is written where it should mean nothing.
fn reference(char: char) -> Option<&'static str> {
    match char {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => None,
    }
}

/// Appends bytes that nobody vouches for, such as a name, as they can be shown: escaped; what is not UTF-8, and what would control the
/// page and not be seen, becomes U+FFFD.
pub fn show(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        // Most names need nothing, and are copied at once.
        while let Some(at) = rest.find(|char: char| char.is_control() || reference(char).is_some()) {
            let (plain, marked) = rest.split_at_checked(at).unwrap_or_default();
            let mut chars = marked.chars();
            out.push_str(plain);
            out.push_str(chars.next().and_then(reference).unwrap_or("\u{fffd}"));
            rest = chars.as_str();
        }
        out.push_str(rest);
        if !chunk.invalid().is_empty() {
            out.push('\u{fffd}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_nobody_vouches_for() {
        for (bytes, want, why) in [
            (&b"plain"[..], "plain", "most names"),
            (b"", "", "nothing"),
            (b"<a href='x'>&\"", "&lt;a href=&#39;x&#39;&gt;&amp;&quot;", "markup"),
            (b"a\nb\x1b[0m\x7f", "a\u{fffd}b\u{fffd}[0m\u{fffd}", "controls"),
            (b"a\xc2\x85b", "a\u{fffd}b", "a control beyond ASCII"),
            (b"\xffa\xe2\x82", "\u{fffd}a\u{fffd}", "no UTF-8, and cut short"),
            ("\u{fc}\u{1f9f5}".as_bytes(), "\u{fc}\u{1f9f5}", "beyond ASCII"),
        ] {
            let mut out = String::new();
            show(&mut out, bytes);
            assert_eq!(out, want, "{why}");
        }
    }
}
