//! Diagnostics, access log and metrics.

pub mod access_log;
pub mod log_format;
pub mod log_queue;
pub mod metrics;
pub mod prometheus;

use std::ffi::OsStr;
use std::io::{IsTerminal, Write};

use env_logger::{Builder, Target};
use log::Level;

use crate::config::Verbosity;
use crate::telemetry::log_queue::LogQueue;

/// The log target of the access log: `RUST_LOG=access=off` switches it off. Its lines do not go through the `log` crate.
pub(crate) const ACCESS: &str = "access";

/// Starts the program's log. `RUST_LOG` adds to the command line and takes precedence over it.
pub fn init(verbosity: Verbosity, queue: LogQueue) {
    let result = Builder::new()
        .filter_level(log::LevelFilter::Warn)
        .filter_module("threadbare", verbosity.level)
        .filter_module(ACCESS, verbosity.access)
        .parse_default_env()
        .target(Target::Pipe(Box::new(queue)))
        .format(|out, record| match (record.target(), record.level()) {
            (_, Level::Error) => writeln!(out, "error: {}", record.args()),
            (_, Level::Warn) => writeln!(out, "warn: {}", record.args()),
            (_, Level::Info) => writeln!(out, "info: {}", record.args()),
            (module, Level::Debug) => writeln!(out, "debug {module}: {}", record.args()),
            (module, Level::Trace) => writeln!(out, "trace {module}: {}", record.args()),
        })
        .try_init();
    if result.is_err() {
        log::warn!("the log is already running");
    }
}

/// Appends `bytes`, at most `bytes_max` of them, as printable ASCII on one line: a terminal that shows the line obeys control bytes.
/// Quotes and backslashes get a backslash; other bytes become `byte_prefix` (`\x`, or `\u00` in JSON) and two hexadecimal digits.
#[allow(clippy::indexing_slicing, reason = "four bits are an index below 16")]
pub(crate) fn escape_ascii(out: &mut Vec<u8>, bytes: &[u8], bytes_max: usize, byte_prefix: &str) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
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
                out.extend_from_slice(byte_prefix.as_bytes());
                out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xf)]]);
            }
            plain => out.extend_from_slice(plain),
        }
    }
    if shown.len() < bytes.len() {
        out.extend_from_slice(b"...");
    }
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
}
