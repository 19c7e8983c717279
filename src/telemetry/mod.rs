//! Diagnostics, access log and metrics.

pub mod access_log;
pub mod log_format;
pub mod log_queue;
pub mod metrics;
pub mod prometheus;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::{Display, Write as _};
use std::io::{IsTerminal, Write};
use std::path::Path;

use env_logger::{Builder, Target};
use log::{Level, LevelFilter};

use crate::telemetry::log_queue::LogQueue;

/// The log target of the access log: `RUST_LOG=access=off` switches it off. Its lines do not go through the `log` crate.
pub(crate) const ACCESS: &str = "access";

/// Starts the program's log, with this level of its own messages, and with an access log unless `is_quiet`. `RUST_LOG` adds to that and
/// takes precedence over it.
pub fn init(level: LevelFilter, is_quiet: bool, queue: LogQueue) {
    Builder::new()
        .filter_level(LevelFilter::Warn)
        .filter_module("threadbare", level)
        .filter_module(ACCESS, if is_quiet { LevelFilter::Off } else { LevelFilter::Info })
        .parse_default_env()
        .target(Target::Pipe(Box::new(queue)))
        .format(|out, record| {
            let text = record.args().to_string();
            let text = printable(text.as_bytes());
            let level = record.level().as_str().to_ascii_lowercase();
            match record.level() {
                Level::Error | Level::Warn | Level::Info => writeln!(out, "{level}: {text}"),
                Level::Debug | Level::Trace => writeln!(out, "{level} {}: {text}", record.target()),
            }
        })
        .init();
}

/// Returns a number and the noun for what it counts: `1 line`, `2 lines`.
pub(crate) fn counted<N: Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    format!("{count} {noun}{}", if count == N::from(1) { "" } else { "s" })
}

/// Appends `bytes`, at most `bytes_max` of them, as printable ASCII on one line: a terminal that shows the line obeys control bytes.
/// Quotes and backslashes get a backslash; other bytes become `byte_prefix` (`\x`, or `\u00` in JSON) and two hexadecimal digits.
pub(crate) fn escape_ascii(out: &mut Vec<u8>, bytes: &[u8], bytes_max: usize, byte_prefix: &str) {
    let is_plain = |byte: &u8| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\');
    let shown = bytes.get(..bytes_max).unwrap_or(bytes);
    for run in shown.split_inclusive(|byte| !is_plain(byte)) {
        match run {
            [plain @ .., byte @ (b'"' | b'\\')] => {
                out.extend_from_slice(plain);
                out.extend([b'\\', *byte]);
            }
            [plain @ .., byte] if !is_plain(byte) => {
                out.extend_from_slice(plain);
                // Writing to a Vec cannot fail.
                let _ = write!(out, "{byte_prefix}{byte:02x}");
            }
            plain => out.extend_from_slice(plain),
        }
    }
    if shown.len() < bytes.len() {
        out.extend_from_slice(b"...");
    }
}

/// Returns bytes as text in which nothing is invisible and nothing reorders a line, for pages, terminals and logs: what is not UTF-8 becomes
/// `\xff`, and what [`is_deceptive`], and white space at either end, `\x1b` or `\u{202e}`. A backslash stays as it is.
pub(crate) fn printable(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(is_deceptive) && text.trim() == text => return Cow::Borrowed(text),
        _ => {}
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        escape_chars(&mut text, chunk.valid(), is_deceptive);
        for byte in chunk.invalid() {
            // Writing to a String cannot fail, here and below.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    let (start, rest) = text.split_at(text.len() - text.trim_start().len());
    let (middle, end) = rest.split_at(rest.trim_end().len());
    let mut out = String::with_capacity(text.len() + 16);
    escape_chars(&mut out, start, |_| true);
    out.push_str(middle);
    escape_chars(&mut out, end, |_| true);
    Cow::Owned(out)
}

/// Returns a path as [`printable`] text.
pub(crate) fn printable_path(path: &Path) -> Cow<'_, str> {
    printable(path.as_os_str().as_encoded_bytes())
}

fn escape_chars(out: &mut String, text: &str, is_escaped: impl Fn(char) -> bool) {
    for char in text.chars() {
        let _ = match char {
            _ if !is_escaped(char) => out.write_char(char),
            '\0'..='\x7f' => write!(out, "\\x{:02x}", u32::from(char)),
            _ => write!(out, "{}", char.escape_unicode()),
        };
    }
}

/// Whether a character is a control, is invisible, or reorders or breaks the line (Unicode categories Cc, Zl, Zp, and Cf as far as it is not
/// drawn): it could make one name look like another.
fn is_deceptive(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(char, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Where `--explain` writes. What it writes is decided in `server::explain`.
#[derive(Clone, Debug)]
pub struct Explain {
    /// The queue of the program's log.
    pub log: LogQueue,
    /// Whether it may be coloured.
    pub color: Color,
}

/// Whether text for a stream may contain colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// The stream is a terminal that shows colours.
    Coloured,
    /// The stream is no terminal, or the environment forbids colours.
    Plain,
}

impl Color {
    /// Returns whether text for this stream may be coloured: not if `NO_COLOR` (no-color.org) is set and not empty, or `TERM` is `dumb`.
    pub fn of(stream: &impl IsTerminal) -> Color {
        let variable = |name| std::env::var_os(name);
        Color::decide(stream.is_terminal(), variable("NO_COLOR").as_deref(), variable("TERM").as_deref())
    }

    fn decide(is_terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> Color {
        let is_forbidden = no_color.is_some_and(|value| !value.is_empty()) || term.is_some_and(|term| term == "dumb");
        if is_terminal && !is_forbidden { Color::Coloured } else { Color::Plain }
    }

    /// Returns a text between two escape sequences: style `1` is bold, `36` is cyan (ECMA-48 §8.3.117).
    pub fn style(self, style: &str, text: &str) -> String {
        match self {
            Color::Coloured => format!("\x1b[{style}m{text}\x1b[0m"),
            Color::Plain => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_need_a_terminal_and_no_objection() {
        for (is_terminal, no_color, term, want, why) in [
            (true, None, Some("xterm"), Color::Coloured, "a terminal"),
            (true, None, None, Color::Coloured, "a terminal without TERM"),
            (false, None, Some("xterm"), Color::Plain, "a pipe or a file"),
            (true, Some("1"), Some("xterm"), Color::Plain, "NO_COLOR"),
            (true, Some(""), Some("xterm"), Color::Coloured, "an empty NO_COLOR has no effect"),
            (true, None, Some("dumb"), Color::Plain, "a terminal that shows only text"),
        ] {
            assert_eq!(Color::decide(is_terminal, no_color.map(OsStr::new), term.map(OsStr::new)), want, "{why}");
        }
        assert_eq!((Color::Coloured.style("1", "a"), Color::Plain.style("1", "a")), ("\x1b[1ma\x1b[0m".into(), "a".into()));
    }

    #[test]
    fn only_one_thing_is_singular() {
        assert_eq!([0_u64, 1, 2].map(|count| counted(count, "line")), ["0 lines", "1 line", "2 lines"]);
    }

    #[test]
    fn escaped_bytes_are_printable_ascii() {
        for (bytes, bytes_max, prefix, want, why) in [
            (&b""[..], 9, "\\x", "", "empty"),
            (b"a b~", 9, "\\x", "a b~", "printable"),
            (b"\"\\\"", 9, "\\x", r#"\"\\\""#, "quotes and backslashes"),
            (b"\x1b[0m\x7f\xff\0", 9, "\\x", r"\x1b[0m\x7f\xff\x00", "control bytes and those above ASCII"),
            (b"a\nb", 9, "\\u00", r"a\u000ab", "JSON"),
            (b"abc", 3, "\\x", "abc", "as long as the limit"),
            (b"abcd", 3, "\\x", "abc...", "longer than the limit"),
        ] {
            let mut out = Vec::new();
            escape_ascii(&mut out, bytes, bytes_max, prefix);
            assert_eq!(String::from_utf8(out).unwrap(), want, "{why}");
        }
    }

    #[test]
    fn deceptive_text_is_escaped() {
        for (bytes, want, why) in [
            (&b""[..], "", "nothing"),
            (b"a  b\\", "a  b\\", "ordinary names"),
            ("\u{fc}\u{1f9f5}\u{5d0}".as_bytes(), "\u{fc}\u{1f9f5}\u{5d0}", "letters of any script"),
            (b"a\nb\x1b[0m\x7f\0", r"a\x0ab\x1b[0m\x7f\x00", "controls"),
            (b"\xc2\x9b", r"\u{9b}", "a control beyond ASCII"),
            (b"\xffa\xe2\x82", r"\xffa\xe2\x82", "not UTF-8, and truncated"),
            ("\u{202e}txt.exe".as_bytes(), r"\u{202e}txt.exe", "reversed"),
            ("\u{2029}\u{202a}\u{2066}\u{2069}\u{61c}".as_bytes(), r"\u{2029}\u{202a}\u{2066}\u{2069}\u{61c}", "order and lines"),
            ("\u{2027}\u{202f}x\u{2070}".as_bytes(), "\u{2027}\u{202f}x\u{2070}", "their neighbours are drawn"),
            ("a\u{200b}\u{200f}\u{2060}\u{feff}\u{ad}".as_bytes(), r"a\u{200b}\u{200f}\u{2060}\u{feff}\u{ad}", "invisible"),
            ("a\u{200a}b\u{2010}".as_bytes(), "a\u{200a}b\u{2010}", "their neighbours are drawn"),
            (b"  a b ", r"\x20\x20a b\x20", "spaces at both ends"),
            (b"  ", r"\x20\x20", "spaces alone"),
            ("a\u{3000}".as_bytes(), r"a\u{3000}", "another space at the end"),
            (b" \xff ", r"\x20\xff\x20", "both"),
        ] {
            assert_eq!(printable(bytes), want, "{why}");
            assert_eq!(printable(printable(bytes).as_bytes()), want, "printed twice: {why}");
        }
    }
}
