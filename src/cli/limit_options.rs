//! Which words set limits?

use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use crate::config::Limits;

/// More threads than a machine has. Nobody could be served with none.
const CONNECTIONS_MAX: u64 = 1024 * 1024;
const MEBIBYTE: usize = 1024 * 1024;
/// 64 MiB: see [`Limits::cache_bytes_max`].
const MEBIBYTES_DEFAULT: u32 = 64;
/// A tebibyte: what is more is a mistake.
const MEBIBYTES_MAX: u64 = 1024 * 1024;

/// How much a client may ask of us.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitOptions {
    /// Live connections; the machine's own limits may lower it
    #[arg(long, value_name = "NUMBER", default_value_t = connections_default(), value_parser = RangedU64ValueParser::<u32>::new().range(1..=CONNECTIONS_MAX), env = "THREADBARE_MAX_CONNECTIONS")]
    pub max_connections: u32,

    /// How long a request head may take in all
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().header_timeout.as_secs(), value_parser = seconds(), env = "THREADBARE_HEAD_TIMEOUT")]
    pub head_timeout: u64,

    /// How long a connection may wait for its next request
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().keep_alive_timeout.as_secs(), value_parser = seconds(), env = "THREADBARE_IDLE_TIMEOUT")]
    pub idle_timeout: u64,

    /// Small files that are kept in memory, in MiB; 0 is none
    #[arg(long, value_name = "MIB", default_value_t = MEBIBYTES_DEFAULT, value_parser = RangedU64ValueParser::<u32>::new().range(0..=MEBIBYTES_MAX), env = "THREADBARE_CACHE_MEMORY")]
    pub cache_memory: u32,

    /// How long requests in flight may take to finish after the first signal
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().shutdown_timeout.as_secs(), value_parser = RangedU64ValueParser::<u64>::new().range(..=86_400), env = "THREADBARE_GRACE")]
    pub grace: u64,
}

/// A time that can be waited: at least one second, at most a day.
fn seconds() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(1..=86_400)
}

fn connections_default() -> u32 {
    u32::try_from(Limits::default().connections_max).unwrap_or(u32::MAX)
}

impl LimitOptions {
    /// The limits; those that have no flag are as by default.
    pub fn limits(&self) -> Limits {
        Limits {
            connections_max: usize::try_from(self.max_connections).unwrap_or(usize::MAX),
            header_timeout: Duration::from_secs(self.head_timeout),
            keep_alive_timeout: Duration::from_secs(self.idle_timeout),
            cache_bytes_max: usize::try_from(self.cache_memory).unwrap_or(0).saturating_mul(MEBIBYTE),
            shutdown_timeout: Duration::from_secs(self.grace),
            ..Limits::default()
        }
    }
}
