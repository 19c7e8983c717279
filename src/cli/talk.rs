//! Which words say what is shown and logged?

use clap::{ArgAction, Args};

use crate::config::Verbosity;

/// What the program says while it runs.
#[derive(Debug, Args)]
#[command(next_help_heading = "What it says")]
pub struct Talk {
    /// Show a QR code of the address by which others reach this machine; goes with --lan, or with --bind
    #[arg(long)]
    pub qr: bool,

    /// Open the first page in the browser
    #[arg(long)]
    pub open: bool,

    /// No access log
    #[arg(short, long)]
    pub quiet: bool,

    /// More diagnostics; may be repeated. RUST_LOG wins
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
}

impl Talk {
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
