//! Order of the measurements.
//!
//! Row by row, and in a row round by round: each server in turn, so that changes in the speed of the machine affect all of them.

use std::thread;
use std::time::Duration;

use crate::ask;
use crate::figures;
use crate::floor::Answers;
use crate::guard::Guard;
use crate::load::{self, Seen};
use crate::place::Place;
use crate::rest::{self, Busy, Rest};
use crate::rows::{Kind, Row};
use crate::running::Running;
use crate::servers::{OURS, Purpose, Server};
use crate::summary::{Cell, Sample};

/// A pause, so that work after one measurement, such as closing connections, does not affect the next.
const PAUSE: Duration = Duration::from_millis(60);

/// What to measure.
pub struct Plan {
    pub rounds: usize,
    pub seconds: u64,
    pub servers: Vec<&'static Server>,
}

/// The results.
pub struct Measured {
    pub rows: Vec<MeasuredRow>,
    /// The idle figures of each server.
    pub rest: Vec<Option<Rest>>,
}

/// One row: a cell for each server, then one for each floor.
pub struct MeasuredRow {
    pub row: &'static Row,
    pub cells: Vec<Cell>,
}

/// The floors, after the servers: whether their scheduling policy is `SCHED_BATCH`.
pub const FLOORS: [(&str, bool); 2] = [("floor", false), ("floor, SCHED_BATCH", true)];

impl Plan {
    /// Whether this server runs in that round of the workload.
    fn runs(&self, row: &Row, column: usize, round: usize) -> bool {
        let is_slow = self.servers.get(column).is_some_and(|server| server.is_slow);
        // Slow servers run in the first, the middle and the last round.
        !is_slow || row.is_for_all || self.rounds <= 3 || [0, self.rounds / 2, self.rounds - 1].contains(&round)
    }

    /// The column of a server.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.servers.iter().position(|server| server.name == name)
    }
}

/// Runs all measurements.
pub fn all(plan: &Plan, rows: &[&'static Row], place: &Place, guard: &Guard) -> Measured {
    let start = |purpose| plan.servers.iter().map(|server| Running::start(server, purpose, place, guard)).collect::<Vec<_>>();
    let usual = start(Purpose::Usual);
    for (server, _) in plan.servers.iter().zip(&usual).filter(|(_, running)| running.is_none()) {
        println!("CANNOT START: {}", server.name);
    }
    let fresh: Vec<_> = usual.iter().map(|running| running.as_ref().map(|it| figures::memory(&it.processes()))).collect();
    let mut measured = Vec::new();
    for row in rows {
        println!("{}", row.says);
        let cells = match row.purpose {
            Purpose::Usual => measure_row(plan, row, &usual, place, guard),
            other => measure_row(plan, row, &start(other), place, guard),
        };
        measured.push(MeasuredRow { row, cells });
    }
    println!("idle servers");
    Measured { rows: measured, rest: rest::measure(&usual, &fresh) }
}

/// A server in a measurement, with the header fields of the requests.
struct Asked<'a> {
    running: &'a Running<'a>,
    fields: Vec<String>,
}

fn measure_row(plan: &Plan, row: &Row, servers: &[Option<Running>], place: &Place, guard: &Guard) -> Vec<Cell> {
    let mut cells: Vec<Cell> = (0..servers.len() + FLOORS.len()).map(|_| Cell::default()).collect();
    let mut asked = Vec::new();
    // If the length depends on the server, the floor sends the length that threadbare does.
    let mut length = row.length;
    for (column, (server, running)) in plan.servers.iter().zip(servers).enumerate() {
        if !server.can(row.purpose) {
            continue;
        }
        let prepared = running.as_ref().ok_or_else(|| "does not start".to_owned()).and_then(|running| {
            let to = ask::To { address: running.address, place, purpose: row.purpose };
            let fields = ask::fields(row, &to)?;
            let answer = ask::check(row, &to, &fields)?;
            Ok((Asked { running, fields }, answer.length))
        });
        match prepared {
            Ok((one, answered)) => {
                if server.name == OURS || length.is_none() {
                    length = Some(answered);
                }
                asked.push((column, one));
            }
            Err(wrong) => {
                println!("  {:<18} INCORRECT: {wrong}", server.name);
                cells[column].wrong = Some(wrong);
            }
        }
    }
    let length = usize::try_from(length.unwrap_or(0)).unwrap();
    let closes = row.kind == Kind::Close;
    // The floor neither encrypts nor receives bodies.
    let has_floor = !matches!(row.purpose, Purpose::Tls | Purpose::Uploads);
    let start = |batch| Running::floor(Answers { status: row.status(), length, closes }, batch, guard);
    let floors = FLOORS.map(|(_, batch)| if has_floor { start(batch) } else { None });
    for (number, running) in floors.iter().enumerate() {
        let Some(running) = running else { continue };
        let fields = if closes { vec!["Connection: close".to_owned()] } else { Vec::new() };
        asked.push((servers.len() + number, Asked { running, fields }));
    }
    for round in 0..plan.rounds {
        for (column, one) in asked.iter().filter(|(column, _)| plan.runs(row, *column, round)) {
            match run_once(plan, row, one, place, guard) {
                Ok((sample, seen)) => {
                    cells[*column].samples.push((round, sample));
                    cells[*column].trouble.add(seen.trouble);
                }
                Err(wrong) => cells[*column].wrong = Some(wrong),
            }
        }
    }
    for (column, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.samples.is_empty()) {
        let name = plan.servers.get(column).map_or_else(|| FLOORS[column - servers.len()].0, |server| server.name);
        println!("  {name:<18} {}", cell.says(row.judge));
    }
    cells
}

fn run_once(plan: &Plan, row: &Row, one: &Asked, place: &Place, guard: &Guard) -> Result<(Sample, Seen), String> {
    thread::sleep(PAUSE);
    let processes = one.running.processes();
    let busy = (row.kind == Kind::Busy).then(|| Busy::start(guard));
    let before = figures::processor_time(&processes);
    // Only a few large files are sent per second.
    let seconds = if row.length.is_some_and(|length| length > 1 << 24) { plan.seconds * 2 } else { plan.seconds };
    let seen = load::run(row, seconds, one.running.address, &one.fields, &place.scratch())?;
    let spent = figures::processor_time(&processes) - before;
    drop(busy);
    let rss_kib = figures::rss_kib(&processes);
    one.running.empty_log();
    // The last files of a run are incomplete: they count by the bytes received.
    let requests = match row.length {
        Some(length) if length > 1 << 24 => seen.bytes as f64 / length as f64,
        _ => seen.requests as f64,
    };
    if requests <= 0.0 {
        return Err(format!("no response: {}", seen.trouble.says().unwrap_or_else(|| "no data received".into())));
    }
    let sample = Sample {
        rate: requests / seen.seconds,
        p50_micros: seen.p50_micros,
        p99_micros: seen.p99_micros,
        processor_micros: spent.as_secs_f64() * 1e6 / requests,
        rss_kib: rss_kib as f64,
    };
    Ok((sample, seen))
}
