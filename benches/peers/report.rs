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
    let mut text = String::from("# Beside other servers\n\n");
    let is_thinned = plan.rounds > 3 && plan.servers.iter().any(|server| server.is_slow);
    let _ = write!(
        text,
        "Written by `cargo bench --bench peers`. {}. `wrk -t1` asks over loopback and runs on the same cores.\n\
         Each figure is the median of {} (A B C A B C) of {} s{}.\n\
         A ratio is the median of the ratios within the rounds; absolute figures of different days cannot be compared, ratios can.\n\
         Each server's answer was checked for status, length and content before it was measured.\n\n",
        machine::describe(),
        if plan.rounds == 1 { "one round".to_owned() } else { format!("{} interleaved rounds", plan.rounds) },
        plan.seconds,
        if is_thinned { ", of three of them for servers that are much slower" } else { "" }
    );
    ratios(&mut text, plan, measured);
    let by_best: Vec<f64> = measured.rows.iter().filter_map(|row| Some(row.to_best(plan)?.1)).collect();
    let best = by_best.iter().filter(|by| **by >= 1.0).count();
    let _ = writeln!(text, "\nIn {best} of {} rows no other does better than threadbare.", by_best.len());
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
        "## By nginx\n\nRequests per second of nginx, and what the others do for each of its requests. In the rows that say so the figure is\n\
         latency or processor time, and the ratio is nginx's by theirs: more is better everywhere. In parentheses: the smallest and the largest\n\
         ratio of all rounds. The last columns are the p99 and the processor time per request of nginx by those of threadbare, then\n\
         threadbare by the best of the others, and by the two floors.\n\n"
    );
    let others = names(plan).into_iter().filter(|name| *name != YARDSTICK);
    let mut columns = vec!["work", YARDSTICK];
    columns.extend(others.clone());
    columns.extend(["p99", "processor time", "ours / best", "ours / floor", "ours / floor, SCHED_BATCH"]);
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

/// What a row compares, with its unit.
fn judged(cell: &Cell, judge: Judge) -> Option<String> {
    match judge {
        Judge::Rate => cell.median_of(|sample| sample.rate).map(grouped),
        Judge::P99 => cell.median_of(|sample| sample.p99_micros).map(|micros| format!("{} µs", grouped(micros))),
        Judge::Processor => cell.median_of(|sample| sample.processor_micros).map(|micros| format!("{micros:.1} µs")),
    }
}

fn floors(text: &mut String) {
    text.push_str(
        "\nThe floor does no HTTP: a thread per connection, `read`, and one `write` of an answer that was made beforehand, as long as the right\n\
         one would be. With `SCHED_BATCH` it has the scheduling policy of threadbare. A file that is sent costs a server more than an answer in\n\
         memory, and a listing has to be made: there the floor cannot be reached.\n\n\
         ![Requests by nginx's, for each server in each row](results.svg)\n",
    );
}

/// A number of a sample, and how it is written.
type Detail = (&'static str, fn(&Sample) -> f64, fn(f64) -> String);

const DETAILS: [Detail; 5] = [
    ("Requests per second", |sample| sample.rate, grouped),
    ("Latency, p50 (µs)", |sample| sample.p50_micros, grouped),
    ("Latency, p99 (µs)", |sample| sample.p99_micros, grouped),
    ("Processor time per request, user and system, all processes of a server (µs)", |sample| sample.processor_micros, short),
    ("Resident memory right after a row, all processes of a server (MiB)", |sample| sample.rss_kib / 1024.0, short),
];

fn details(text: &mut String, plan: &Plan, measured: &Measured) {
    let mut columns = vec!["work"];
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
        "\n## At rest\n\nResident memory (and the proportional share of it) before the first request, and after all rows. Then {IDLE_CONNECTIONS} connections ask once and\n\
         wait: what each of them holds, and the processor time of {} s with nothing to do.\n\n",
        WATCHED.as_secs()
    );
    title(text, &["server", "listens after", "fresh (MiB)", "after all rows (MiB)", "idle connection (KiB)", "idle, of a core"]);
    for (server, rest) in plan.servers.iter().zip(&measured.rest) {
        let Some(rest) = rest else { continue };
        let memory = |rss_kib: u64, pss_kib: u64| format!("{:.1} ({:.1})", rss_kib as f64 / 1024.0, pss_kib as f64 / 1024.0);
        let connection = rest.kib_per_connection.map_or("not kept".into(), |kib| format!("{kib:.1}"));
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
            let wrong = cell.wrong.as_ref().map(|wrong| format!("no figure, {wrong}"));
            Some(format!("- {}, {}: {}\n", row.row.says, name(column), wrong.or_else(|| cell.trouble.says())?))
        });
        troubles.collect::<String>()
    };
    let all: String = measured.rows.iter().map(in_row).collect();
    let all = if all.is_empty() { "None.\n".to_owned() } else { all };
    let _ = write!(text, "\n## Wrong answers and errors, over all rounds\n\n{all}");
}

fn settings(text: &mut String, servers: &[(&Server, String)]) {
    text.push_str("\n## How each is set up\n\nAccess logs are off, but for the row that says otherwise. `benches/peers/servers.rs` has the words.\n\n");
    for (server, version) in servers {
        let _ = writeln!(text, "- **{} {version}** ({}): {}", server.name, server.from, server.says);
    }
}

/// Two digits that count.
fn ratio(number: f64) -> String {
    if number < 0.095 { format!("{number:.3}") } else { format!("{number:.2}") }
}

fn short(number: f64) -> String {
    if number < 100.0 { format!("{number:.1}") } else { grouped(number) }
}

/// `12,345`, and of small numbers the first decimal.
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
