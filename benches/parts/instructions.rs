//! Instructions that each part takes.

use std::process::Command;

use crate::chunks::{self, SIZES};
use crate::exchanges::{self, EXCHANGES};
use crate::heads::{self, HEADS};
use crate::responses;

/// Rounds of the shorter run. Enough that what differs between two starts of the program is far less than one instruction a round.
const ROUNDS: usize = 1000;

/// What one column of the table repeats.
struct Part {
    /// The name by which this program, started again, is asked for it.
    name: String,
    /// Does it so many times.
    repeat: Box<dyn Fn(usize)>,
}

/// One row: a part of the server, and what it compares with.
struct Row {
    ours: Part,
    other: Option<Part>,
}

fn part<P: FnMut()>(name: String, piece: impl Fn() -> P + 'static) -> Part {
    let repeat = move |rounds| {
        let mut piece = piece();
        (0..rounds).for_each(|_| piece());
    };
    Part { name, repeat: Box::new(repeat) }
}

fn rows() -> Vec<Row> {
    let heads = HEADS.into_iter().map(|head| Row {
        ours: part(format!("head: {head}"), || heads::ours(head)),
        other: Some(part(format!("httparse: {head}"), || heads::httparse(head))),
    });
    let alone = |ours| Row { ours, other: None };
    let chunks = SIZES.into_iter().map(|size| alone(part(format!("chunks: {size}"), || chunks::decode(size))));
    let response = alone(part("response head".to_owned(), responses::encode));
    let exchanges = EXCHANGES.into_iter().map(|exchange| {
        let repeat = Box::new(|rounds| exchanges::have(exchange, rounds));
        alone(Part { name: format!("exchange: {exchange}"), repeat })
    });
    heads.chain(chunks).chain([response]).chain(exchanges).collect()
}

/// Repeats the part of that name: what the runs under valgrind are started for.
pub fn run(name: &str, rounds: usize) {
    let parts = rows().into_iter().flat_map(|row| [Some(row.ours), row.other]).flatten();
    let part = parts.into_iter().find(|part| part.name == name).expect("a part of that name");
    (part.repeat)(rounds);
}

/// Counts the instructions of every part, and prints them.
pub fn table() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no valgrind here, so no instructions are counted");
        return;
    }
    println!("| instructions | ours | httparse |\n| --- | --: | --: |");
    for row in rows() {
        let other = row.other.map(|part| per_round(&part).to_string()).unwrap_or_default();
        println!("| {} | {} | {other} |", row.ours.name, per_round(&row.ours));
    }
}

/// What one more round adds.
fn per_round(part: &Part) -> usize {
    let (once, twice) = (collected(part, ROUNDS), collected(part, 2 * ROUNDS));
    twice.checked_sub(once).expect("more rounds take more instructions") / ROUNDS
}

/// How many instructions a whole run of this program takes.
fn collected(part: &Part, rounds: usize) -> usize {
    let program = std::env::current_exe().expect("this program has a path");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    let output = valgrind.args(["--rounds", &rounds.to_string(), &part.name]).output().expect("valgrind runs");
    let text = String::from_utf8_lossy(&output.stderr);
    let count = text.lines().find_map(|line| line.split_once("Collected : ")).and_then(|(_, count)| count.trim().parse().ok());
    count.filter(|_| output.status.success()).unwrap_or_else(|| panic!("{}: no count in\n{text}", part.name))
}
