//! How does a log line look, and which are written?

use std::io::Write;

use env_logger::{Builder, Target};
use log::Level;

use crate::config::Verbosity;
use crate::telemetry::log_queue::LogQueue;

/// The log target by which `RUST_LOG` speaks of the access log: `access=off` is silence. Its lines have a way of their own.
pub const ACCESS: &str = "access";

/// Starts the log. `RUST_LOG` adds to what the command line asked for, and wins where both speak.
pub fn start(verbosity: Verbosity, writer: LogQueue) {
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
