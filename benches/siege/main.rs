//! The promises of the server under attack.
//!
//! `cargo bench --bench siege` starts the release binary, attacks it over loopback in each of the ways that kill servers with a thread
//! per connection, while an ordinary client keeps asking for a small file, and prints a table: what is promised, what was measured,
//! whether it held. The exit code is 1 if anything did not. Figures depend on the machine: run it where nothing else runs.
//!
//! `-- --quick` takes fewer of everything and no soak, `-- --only NAME` one attack, `-- --soak SECONDS` a longer endurance.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a tool for people, not the server")]

mod connections;
mod crowd;
mod endurance;
mod files;
mod ordinary;
mod promise;
mod slow;
mod trouble;
mod victim;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use promise::Promise;

/// Attacks a server and says which promises held.
#[derive(Parser)]
struct Siege {
    /// Fewer connections, shorter waits, no soak
    #[arg(long)]
    quick: bool,
    /// Only the attacks whose name begins so
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// How long the mixed soak lasts
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    soak: u64,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// How hard to try.
pub struct Scale {
    quick: bool,
    /// How long the soak lasts.
    pub soak: Duration,
}

impl Scale {
    /// So many ordinary clients, or half of them: with fewer than two hundred the slowest one decides what 99 % had.
    pub fn ordinary(&self, count: usize) -> usize {
        if self.quick { count / 2 } else { count }
    }

    /// `count`, or a tenth of it in a quick run.
    pub fn of(&self, count: usize) -> usize {
        if self.quick { (count / 10).max(1) } else { count }
    }
}

type Attack = fn(&Scale) -> Vec<Promise>;

const ATTACKS: &[(&str, Attack)] = &[
    ("idle", connections::idle),
    ("full", connections::full),
    ("stalled", connections::stalled),
    ("descriptors", connections::few_descriptors),
    ("resets", connections::resets),
    ("half-closes", connections::half_closes),
    ("heads", slow::heads),
    ("contents", slow::contents),
    ("readers", slow::readers),
    ("uploads", slow::uploads),
    ("unread", trouble::unread_contents),
    ("log", trouble::stuck_log),
    ("disk", trouble::full_disk),
    ("files", files::replaced_and_overwritten),
    ("swaps", files::swapped),
    ("stops", trouble::stops),
    ("soak", endurance::soak),
];

fn main() -> ExitCode {
    let siege = Siege::parse();
    let scale = Scale { quick: siege.quick, soak: Duration::from_secs(siege.soak) };
    crowd::allow_many_sockets();
    promise::print_title();
    let mut all_held = true;
    let is_wanted = |name: &str| match &siege.only {
        Some(only) => name.starts_with(only.as_str()),
        None => !(siege.quick && name == "soak"),
    };
    for (name, attack) in ATTACKS.iter().filter(|(name, _)| is_wanted(name)) {
        let begun = Instant::now();
        for promise in attack(&scale) {
            all_held &= promise.print(name);
        }
        println!("{name:<12} took {:.1} s", begun.elapsed().as_secs_f64());
    }
    println!("{}", if all_held { "all promises held" } else { "NOT ALL PROMISES HELD" });
    ExitCode::from(u8::from(!all_held))
}
