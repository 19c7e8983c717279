//! Parses the command line, runs, and returns the exit code.

#![forbid(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used)]
#![deny(clippy::indexing_slicing, clippy::as_conversions)]

use std::io::{self, Write};
use std::process::ExitCode;

use threadbare::cli::{Cli, health_check, startup};

fn main() -> ExitCode {
    let cli = Cli::from_process();
    let result = if cli.check_health { health_check::check(&cli.config()) } else { startup::run(&cli) };
    let Err(message) = result else { return ExitCode::SUCCESS };
    let _ = writeln!(io::stderr(), "threadbare: {message}");
    ExitCode::FAILURE
}
