//! What the program reports about itself: diagnostics, access log, metrics.

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

/// The log target by which `RUST_LOG` speaks of the access log: `access=off` is silence. Its lines have a way of their own.
pub const ACCESS: &str = "access";

/// Starts the log. `RUST_LOG` adds to what the command line asked for, and wins where both speak.
pub fn init(verbosity: Verbosity, writer: LogQueue) {
    let started = Builder::new()
        .filter_level(log::LevelFilter::Warn)
        .filter_module("threadbare", verbosity.level)
        .filter_module(ACCESS, verbosity.access)
        .parse_default_env()
        .target(Target::Pipe(Box::new(writer)))
        .format(|out, record| match (record.target(), record.level()) {
            (_, Level::Error) => writeln!(out, "error: {}", record.args()),
            (_, Level::Warn) => writeln!(out, "warn: {}", record.args()),
            (_, Level::Info) => writeln!(out, "info: {}", record.args()),
            (module, Level::Debug) => writeln!(out, "debug {module}: {}", record.args()),
            (module, Level::Trace) => writeln!(out, "trace {module}: {}", record.args()),
        })
        .try_init();
    if started.is_err() {
        log::warn!("the log had been started before");
    }
}

/// Whether what is written may be coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// It goes to a terminal that shows colours, and nobody objects.
    Coloured,
    /// It goes somewhere else, or somebody objects.
    Plain,
}

impl Color {
    /// Of a stream, in the environment of this process: `NO_COLOR` (no-color.org) objects if it is not empty, and so does a terminal that
    /// calls itself dumb.
    pub fn of(stream: &impl IsTerminal) -> Color {
        let variable = |name| std::env::var_os(name);
        Color::decide(stream.is_terminal(), variable("NO_COLOR").as_deref(), variable("TERM").as_deref())
    }

    fn decide(is_terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> Color {
        let objects = no_color.is_some_and(|value| !value.is_empty()) || term.is_some_and(|term| term == "dumb");
        if is_terminal && !objects { Color::Coloured } else { Color::Plain }
    }

    /// A text between two escape sequences: `1` is bold, `36` is cyan (ECMA-48 §8.3.117).
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
    fn who_objects() {
        for (is_terminal, no_color, term, want, why) in [
            (true, None, Some("xterm"), Color::Coloured, "a terminal"),
            (true, None, None, Color::Coloured, "one that does not say which"),
            (false, None, Some("xterm"), Color::Plain, "a pipe or a file"),
            (true, Some("1"), Some("xterm"), Color::Plain, "NO_COLOR"),
            (true, Some(""), Some("xterm"), Color::Coloured, "NO_COLOR that is empty says nothing"),
            (true, None, Some("dumb"), Color::Plain, "a terminal that can only show text"),
        ] {
            assert_eq!(Color::decide(is_terminal, no_color.map(OsStr::new), term.map(OsStr::new)), want, "{why}");
        }
        assert_eq!((Color::Coloured.style("1", "a"), Color::Plain.style("1", "a")), ("\x1b[1ma\x1b[0m".into(), "a".into()));
    }
}
