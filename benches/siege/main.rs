//! Promises of the server under attack.
//!
//! `cargo bench --bench siege` starts the release binary, attacks it over loopback in each way that is known to break servers with a
//! thread per connection, while an ordinary client requests a small file. It prints a table of promises, measurements and results.
//! The exit code is 1 if a promise failed. Figures depend on the machine: run it on an idle one.
//!
//! With `--features tls` it also attacks TLS. `-- --quick` uses fewer clients and no soak, `-- --only NAME` runs one attack, and
//! `-- --soak SECONDS` sets the length of the soak.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a tool for people, not the server")]

mod connections;
mod crowd;
mod endurance;
mod files;
#[cfg(feature = "tls")]
mod handshakes;
mod memory;
mod namespace;
mod ordinary;
mod passwords;
mod promise;
mod slow;
mod stops;
#[cfg(feature = "tls")]
#[path = "../../tests/support/tls.rs"]
mod tls;
mod trouble;
mod victim;

use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use promise::Promise;

/// Attacks a server and reports which promises hold.
#[derive(Parser)]
struct Siege {
    /// Fewer connections, shorter waits, no soak
    #[arg(long)]
    quick: bool,
    /// Run only attacks whose name has this prefix
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// How long the mixed soak lasts
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    soak: u64,
    /// This process runs in the namespace of `namespace.rs`
    #[arg(long, hide = true)]
    inside_namespace: bool,
    /// Passed by cargo to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// The size of the attacks.
pub struct Scale {
    quick: bool,
    /// How long the soak lasts.
    pub soak: Duration,
}

impl Scale {
    /// Number of ordinary clients, halved in a quick run: below two hundred, the slowest one determines the 99th percentile.
    pub fn ordinary(&self, count: usize) -> usize {
        if self.quick { count / 2 } else { count }
    }

    /// Returns `count`, or a tenth of it in a quick run.
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
    ("archives", slow::archives),
    ("unread", trouble::unread_contents),
    ("log", trouble::stuck_log),
    ("disk", trouble::full_disk),
    ("files", files::replaced_and_overwritten),
    ("swaps", files::swapped),
    ("passwords", passwords::wrong),
    #[cfg(feature = "tls")]
    ("handshakes", handshakes::incomplete),
    ("stops", stops::under_load),
    ("flooded-stops", stops::flooded),
    ("soak", endurance::soak),
];

/// Attacks in a network namespace with small buffers, in which a slow reader delays the server.
const NAMESPACE_ATTACKS: &[(&str, Attack)] =
    &[("slow-readers", slow::readers_at_the_cap), ("echo", memory::echo), ("listings", memory::listings)];

fn main() -> ExitCode {
    let siege = Siege::parse();
    let scale = Scale { quick: siege.quick, soak: Duration::from_secs(siege.soak) };
    crowd::allow_many_sockets();
    let is_wanted = |name: &str| match &siege.only {
        Some(only) => name.starts_with(only.as_str()),
        None => !(siege.quick && name == "soak"),
    };
    let wanted = |attacks: &'static [(&'static str, Attack)]| attacks.iter().filter(|(name, _)| is_wanted(name));
    let run = |attacks| {
        let mut all_held = true;
        for (name, attack) in wanted(attacks) {
            let begun = Instant::now();
            for promise in attack(&scale) {
                all_held &= promise.print(name);
            }
            println!("{name:<13} took {:.1} s", begun.elapsed().as_secs_f64());
        }
        all_held
    };
    if siege.inside_namespace {
        return ExitCode::from(u8::from(!run(NAMESPACE_ATTACKS)));
    }
    promise::print_title();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    if let Some(load) = load.split(' ').next().filter(|load| load.parse().is_ok_and(|load: f64| load > 1.0)) {
        println!("WARNING: other programs use the CPU (load average {load}); latencies are not meaningful");
    }
    let mut all_held = run(ATTACKS);
    let mut skipped = Vec::new();
    for (name, _) in wanted(NAMESPACE_ATTACKS) {
        match namespace::run(name, siege.quick) {
            Some(held) => all_held &= held,
            None => skipped.push(*name),
        }
    }
    println!("{}", if all_held { "all promises hold" } else { "SOME PROMISES FAILED" });
    if !skipped.is_empty() {
        println!("SKIPPED: {} (no network namespace; needs ip, unshare, and root or user namespaces)", skipped.join(", "));
    }
    ExitCode::from(u8::from(!all_held))
}
