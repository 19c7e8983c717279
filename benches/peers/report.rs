//! The report of the results.

use std::fmt::Write;

use crate::machine;
use crate::measure::{FLOORS, Measured, MeasuredRow, Plan};
use crate::rest::{IDLE_CONNECTIONS, WATCHED};
use crate::rows::Judge;
use crate::servers::{OURS, Server, YARDSTICK};
use crate::summary::{Cell, Sample};

/// `benches/RESULTS.md`.
pub fn text(plan: &Plan, measured: &Measured, servers: &[(&Server, String)]) -> String {
    let mut text = String::from("# Comparison with other servers\n\n");
    let is_thinned = plan.rounds > 3 && plan.servers.iter().any(|server| server.is_slow);
    let _ = write!(
        text,
        "Written by `cargo bench {}--bench peers`. {}. `wrk -t1` sends requests over loopback and runs on the same cores.\n\
         Each figure is the median of {} (A B C A B C) of {} s{}.\n\
         A ratio is the median of the ratios within the rounds; compare ratios, not absolute figures, between runs.\n\
         The response of each server was checked for status, length and content before the measurement.\n\n",
        if cfg!(feature = "tls") { "--features tls " } else { "" },
        machine::describe(),
        if plan.rounds == 1 { "one round".to_owned() } else { format!("{} interleaved rounds", plan.rounds) },
        plan.seconds,
        if is_thinned { "; slow servers run in three of them" } else { "" }
    );
    ratios(&mut text, plan, measured);
    let by_best: Vec<f64> = measured.rows.iter().filter_map(|row| Some(row.to_best(plan)?.1)).collect();
    let best = by_best.iter().filter(|by| **by >= 1.0).count();
    let _ = writeln!(text, "\nIn {best} of {} rows, no other server is better than threadbare.", by_best.len());
    floors(&mut text);
    details(&mut text, plan, measured);
    at_rest(&mut text, plan, measured);
    troubles(&mut text, plan, measured);
    settings(&mut text, servers);
    text
}

fn names(plan: &Plan) -> Vec<&'static str> {
    plan.servers.iter().map(|server| server.name).collect()
}

fn line(text: &mut String, cells: &[String]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

fn title(text: &mut String, columns: &[&str]) {
    let _ = writeln!(text, "| {} |\n| --- |{}", columns.join(" | "), " ---: |".repeat(columns.len() - 1));
}

fn ratios(text: &mut String, plan: &Plan, measured: &Measured) {
    let _ = write!(
        text,
        "## Relative to nginx\n\nRequests per second of nginx, and the ratio of each other server to it. Rows marked p99 or CPU time compare those\n\
         instead, as nginx divided by the other server. A higher ratio is always better. The smallest and largest ratio of all rounds are\n\
         in parentheses. The next columns are p99 and CPU time per request, as nginx divided by threadbare. The last ones divide threadbare\n\
         by the fastest other server, and by the two floors.\n\n"
    );
    let others = names(plan).into_iter().filter(|name| *name != YARDSTICK);
    let mut columns = vec!["workload", YARDSTICK];
    columns.extend(others.clone());
    columns.extend(["p99", "CPU time", "threadbare / best", "threadbare / floor", "threadbare / floor, SCHED_BATCH"]);
    title(text, &columns);
    for row in &measured.rows {
        let yardstick = row.cell(plan, YARDSTICK).and_then(|cell| judged(cell, row.row.judge)).unwrap_or_else(|| "–".into());
        let mut cells = vec![row.row.says.to_owned(), yardstick];
        cells.extend(others.clone().map(|name| {
            let ratio = plan.column(name).and_then(|column| row.to_yardstick(plan, column)).map(ratio);
            let wrong = row.cell(plan, name).and_then(|cell| cell.wrong.clone());
            let spread = || row.cell(plan, name)?.spread_to(row.cell(plan, YARDSTICK)?, row.row.judge);
            match ratio {
                Some(by) if name == OURS => match spread() {
                    Some((least, most)) => format!("**{by}** ({}–{})", self::ratio(least), self::ratio(most)),
                    None => format!("**{by}**"),
                },
                Some(ratio) => ratio,
                None => wrong.unwrap_or_else(|| "–".into()),
            }
        }));
        let ours_by = |judge| row.cell(plan, OURS)?.ratio_to(row.cell(plan, YARDSTICK)?, judge);
        cells.extend([Judge::P99, Judge::Processor].map(|judge| ours_by(judge).map_or("–".into(), self::ratio)));
        cells.push(row.to_best(plan).map_or("–".into(), |(name, by)| format!("{} ({name})", ratio(by))));
        cells.extend(row.to_floors(plan).map(|by| by.map_or("–".into(), ratio)));
        line(text, &cells);
    }
}

/// The compared figure of a cell, with its unit.
fn judged(cell: &Cell, judge: Judge) -> Option<String> {
    match judge {
        Judge::Rate => cell.median_of(|sample| sample.rate).map(grouped),
        Judge::P99 => cell.median_of(|sample| sample.p99_micros).map(|micros| format!("{} µs", grouped(micros))),
        Judge::Processor => cell.median_of(|sample| sample.processor_micros).map(|micros| format!("{micros:.1} µs")),
    }
}

fn floors(text: &mut String) {
    text.push_str(
        "\nThe floor does not parse HTTP: one thread per connection calls `read`, then one `write` of a prepared response of the same length.\n\
         With `SCHED_BATCH` it has the scheduling policy of threadbare. Sending a file costs more than sending memory, and a listing must be\n\
         generated, so servers cannot reach the floor in these rows.\n\n\
         ![Requests per second relative to nginx, for each server and workload](results.svg)\n",
    );
}

/// A column heading, the figure of a sample, and its format.
type Detail = (&'static str, fn(&Sample) -> f64, fn(f64) -> String);

const DETAILS: [Detail; 5] = [
    ("Requests per second", |sample| sample.rate, grouped),
    ("Latency, p50 (µs)", |sample| sample.p50_micros, grouped),
    ("Latency, p99 (µs)", |sample| sample.p99_micros, grouped),
    ("CPU time per request, user and system, all processes of a server (µs)", |sample| sample.processor_micros, short),
    ("Resident memory after each workload, all processes of a server (MiB)", |sample| sample.rss_kib / 1024.0, short),
];

fn details(text: &mut String, plan: &Plan, measured: &Measured) {
    let mut columns = vec!["workload"];
    columns.extend(names(plan));
    columns.extend(FLOORS.map(|(name, _)| name));
    for (says, what, write_it) in DETAILS {
        let _ = write!(text, "\n## {says}\n\n");
        title(text, &columns);
        for row in &measured.rows {
            let mut cells = vec![row.row.says.to_owned()];
            cells.extend(
                row.cells
                    .iter()
                    .map(|cell| cell.median_of(what).filter(|number| number.is_finite()).map_or("–".into(), write_it)),
            );
            line(text, &cells);
        }
    }
}

fn at_rest(text: &mut String, plan: &Plan, measured: &Measured) {
    let _ = write!(
        text,
        "\n## Idle servers\n\nResident memory (and proportional set size) before the first request, and after all workloads. Then {IDLE_CONNECTIONS} connections send\n\
         one request each and stay idle: the memory per connection, and the CPU usage over {} s.\n\n",
        WATCHED.as_secs()
    );
    title(
        text,
        &[
            "server",
            "startup time",
            "at start (MiB)",
            "after all workloads (MiB)",
            "idle connection (KiB)",
            "CPU usage (of one core)",
        ],
    );
    for (server, rest) in plan.servers.iter().zip(&measured.rest) {
        let Some(rest) = rest else { continue };
        let memory = |rss_kib: u64, pss_kib: u64| format!("{:.1} ({:.1})", rss_kib as f64 / 1024.0, pss_kib as f64 / 1024.0);
        let connection = rest.kib_per_connection.map_or("closed".into(), |kib| format!("{kib:.1}"));
        line(
            text,
            &[
                server.name.to_owned(),
                format!("{:.1} ms", rest.ready_in.as_secs_f64() * 1000.0),
                memory(rest.fresh.rss_kib, rest.fresh.pss_kib),
                memory(rest.after.rss_kib, rest.after.pss_kib),
                connection,
                format!("{:.3} %", rest.idle_percent),
            ],
        );
    }
}

fn troubles(text: &mut String, plan: &Plan, measured: &Measured) {
    let name = |column: usize| plan.servers.get(column).map_or("a floor", |server| server.name);
    let in_row = |row: &MeasuredRow| {
        let cells = row.cells.iter().enumerate();
        let troubles = cells.filter_map(|(column, cell)| {
            let wrong = cell.wrong.as_ref().map(|wrong| format!("excluded: {wrong}"));
            Some(format!("- {}, {}: {}\n", row.row.says, name(column), wrong.or_else(|| cell.trouble.says())?))
        });
        troubles.collect::<String>()
    };
    let all: String = measured.rows.iter().map(in_row).collect();
    let all = if all.is_empty() { "None.\n".to_owned() } else { all };
    let _ = write!(text, "\n## Incorrect responses and errors in all rounds\n\n{all}");
}

fn settings(text: &mut String, servers: &[(&Server, String)]) {
    text.push_str("\n## Configuration\n\nAccess logs are off, except in the access log row. `benches/peers/servers.rs` has the exact configurations.\n\n");
    for (server, version) in servers {
        let _ = writeln!(text, "- **{} {version}** ({}): {}", server.name, server.from, server.says);
    }
}

/// A ratio with two significant digits.
fn ratio(number: f64) -> String {
    if number < 0.095 { format!("{number:.3}") } else { format!("{number:.2}") }
}

fn short(number: f64) -> String {
    if number < 100.0 { format!("{number:.1}") } else { grouped(number) }
}

/// `12,345`, or one decimal for numbers below 100.
fn grouped(number: f64) -> String {
    if number < 100.0 {
        return format!("{number:.1}");
    }
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
