//! Speed compared with other servers, and with the upper bound.
//!
//! `cargo bench --bench peers` serves one directory with each installed server, and with a floor that does not parse HTTP. `wrk` sends the
//! same requests to all of them over loopback, in interleaved rounds. It writes `benches/RESULTS.md` and `benches/results.svg`. Ratios are
//! taken within a round, since the speed of a machine varies. Run it on an idle machine; it takes about 25 minutes. With
//! `--features tls` it also measures TLS.
//!
//! `-- --quick` runs a few workloads, `-- --only ROW` one, `-- --peers nginx,lighttpd` fewer servers; see also `--rounds` and `--seconds`.
//! With these options, results are only printed unless `--write` is given.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a tool for people, not the server")]

mod ask;
mod chart;
mod figures;
mod floor;
mod guard;
mod load;
mod machine;
mod measure;
mod place;
mod report;
mod rest;
mod rows;
mod running;
mod servers;
mod summary;
#[cfg(feature = "tls")]
#[path = "../../tests/support/tls.rs"]
mod tls;

use std::path::Path;
use std::process::{Command, ExitCode};

use clap::Parser;

use floor::Answers;
use guard::Guard;
use measure::{Measured, Plan};
use place::Place;
use rows::{ROWS, Row};
use servers::{SERVERS, Server};

/// Measures this server and the other installed ones.
#[derive(Parser)]
struct Options {
    /// Run a few workloads in three rounds, without slow servers
    #[arg(long)]
    quick: bool,
    /// Run only workloads whose name has this prefix; may be repeated
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
    /// Number of rounds; 7 by default
    #[arg(long, value_name = "NUMBER")]
    rounds: Option<usize>,
    /// Duration of one measurement, per server and round
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seconds: u64,
    /// Measure only these servers, threadbare and the floor
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    peers: Vec<String>,
    /// Write benches/RESULTS.md and benches/results.svg even for a partial run
    #[arg(long)]
    write: bool,
    /// Passed by cargo to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
    /// Run as the floor with these arguments
    #[arg(long, hide = true, num_args = 2, value_names = ["PORT", "ANSWERS"])]
    floor: Vec<String>,
    /// With the scheduling policy of threadbare
    #[arg(long, hide = true, requires = "floor")]
    batch: bool,
    /// Run as a program that keeps a core busy
    #[arg(long, hide = true)]
    busy: bool,
    /// Run as the cleanup process
    #[arg(long, hide = true)]
    guard: bool,
}

impl Options {
    fn is_whole(&self) -> bool {
        !self.quick && self.only.is_empty() && self.peers.is_empty()
    }

    fn wants_row(&self, row: &Row) -> bool {
        match self.only.as_slice() {
            [] => !self.quick || row.is_quick,
            only => only.iter().any(|name| row.name.starts_with(name)),
        }
    }

    fn wants_server(&self, server: &Server) -> bool {
        match self.peers.as_slice() {
            [] => !(self.quick && server.is_slow),
            peers => server.is_ours() || peers.iter().any(|name| server.name.starts_with(name)),
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let [port, answers] = options.floor.as_slice() {
        if options.batch {
            threadbare::os::use_batch_scheduling().unwrap();
        }
        floor::serve(port.parse().unwrap(), Answers::from_argument(answers));
    }
    if options.busy {
        rest::keep_a_core_busy();
        return ExitCode::SUCCESS;
    }
    if options.guard {
        guard::watch();
        return ExitCode::SUCCESS;
    }
    if Command::new("wrk").arg("-v").output().is_err() {
        println!("wrk is not installed; install it (Debian: apt install wrk)");
        return ExitCode::FAILURE;
    }
    measure_all(&options);
    ExitCode::SUCCESS
}

fn measure_all(options: &Options) {
    let mut present = Vec::new();
    for server in SERVERS.iter().filter(|server| options.wants_server(server)) {
        match server.version() {
            Some(version) => present.push((server, version)),
            None => println!("NOT INSTALLED: {} ({})", server.name, server.from),
        }
    }
    let rows: Vec<&'static Row> = ROWS.iter().filter(|row| options.wants_row(row)).collect();
    assert!(!rows.is_empty(), "unknown workload; known ones: {}", ROWS.iter().map(|row| row.name).collect::<Vec<_>>().join(", "));
    let guard = Guard::start();
    let place = Place::new(&guard);
    let plan = Plan {
        rounds: options.rounds.unwrap_or(if options.quick { 3 } else { 7 }),
        seconds: options.seconds,
        servers: present.iter().map(|(server, _)| *server).collect(),
    };
    let measured: Measured = measure::all(&plan, &rows, &place, &guard);
    let text = report::text(&plan, &measured, &present);
    println!("\n{text}");
    if options.is_whole() || options.write {
        let benches = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
        std::fs::write(benches.join("RESULTS.md"), text).unwrap();
        std::fs::write(benches.join("results.svg"), chart::svg(&plan, &measured)).unwrap();
        println!("written: benches/RESULTS.md, benches/results.svg");
    }
}
