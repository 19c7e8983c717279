//! Which words say what is shown and logged?

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use crate::config::Verbosity;
use crate::telemetry::access_log::Destination;
use crate::telemetry::log_format::LogFormat;

/// What the program says while it runs.
#[derive(Debug, Args)]
#[command(next_help_heading = "What it says")]
pub struct OutputOptions {
    /// Show a QR code of the address by which others reach this machine; goes with --lan, or with --bind
    #[arg(long, env = "THREADBARE_QR")]
    pub qr: bool,

    /// Open the first page in the browser
    #[arg(long, env = "THREADBARE_OPEN")]
    pub open: bool,

    /// Tell each exchange on standard error, in plain words: what came, what it means, why this answer
    #[arg(long, env = "THREADBARE_EXPLAIN")]
    pub explain: bool,

    /// Count what happens, and tell it to Prometheus at /metrics (also with --no-routes)
    #[arg(long, env = "THREADBARE_METRICS")]
    pub metrics: bool,

    /// No access log
    #[arg(short, long, env = "THREADBARE_QUIET")]
    pub quiet: bool,

    /// Write the access log to this file, opened anew on SIGHUP; - is standard output [default: standard error]
    #[arg(long, value_name = "FILE", env = "THREADBARE_ACCESS_LOG")]
    pub access_log: Option<PathBuf>,

    /// How its lines are spelled
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormatOption::Common, env = "THREADBARE_LOG_FORMAT")]
    pub log_format: LogFormatOption,

    /// More diagnostics; may be repeated. RUST_LOG wins
    #[arg(short, long, action = ArgAction::Count, env = "THREADBARE_VERBOSE")]
    pub verbose: u8,
}

/// The values of `--log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "clap would turn the whole help into its long form")]
pub enum LogFormatOption {
    Common,
    Combined,
    Json,
}

impl OutputOptions {
    /// Where the access log goes. Where it is not wanted no file is made for it.
    pub fn access_log(&self) -> Destination {
        match &self.access_log {
            Some(_) if self.quiet => Destination::ProgramLog,
            Some(path) if path.as_os_str() == "-" => Destination::Stdout,
            Some(path) => Destination::File(path.clone()),
            None => Destination::ProgramLog,
        }
    }

    /// What may have been meant otherwise, if anything.
    pub fn advice(&self) -> Option<&'static str> {
        let is_in_vain = self.quiet && self.access_log.is_some();
        is_in_vain.then_some("--quiet switches the access log off, and nothing is written to --access-log; leave one of them out")
    }

    /// How its lines are spelled.
    pub fn log_format(&self) -> LogFormat {
        match self.log_format {
            LogFormatOption::Common => LogFormat::Common,
            LogFormatOption::Combined => LogFormat::Combined,
            LogFormatOption::Json => LogFormat::Json,
        }
    }

    /// How much to log.
    pub fn verbosity(&self) -> Verbosity {
        use log::LevelFilter as L;
        let level = match self.verbose {
            0 => L::Info,
            1 => L::Debug,
            _ => L::Trace,
        };
        Verbosity { level, access: if self.quiet { L::Off } else { L::Info } }
    }
}
