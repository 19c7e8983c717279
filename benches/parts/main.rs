//! Cost of each pure part of an exchange, in time and in instructions.
//!
//! `cargo bench --bench parts` times them: reading a head (ours, and `httparse` on the same bytes), taking chunks apart, spelling a
//! response, and whole exchanges with a client in memory. Words behind `--` choose among them: `cargo bench --bench parts -- head`.
//!
//! `cargo bench --bench parts -- --instructions` counts instead of timing: it has `valgrind` run each part for so many rounds and for
//! twice as many, and divides the difference by the rounds, so that what happens once does not count. That figure does not drift with what else the
//! machine has to do, and a change of one percent is a change.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr, reason = "a tool for people")]

mod chunks;
mod exchanges;
mod heads;
mod instructions;
mod responses;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--rounds", rounds, part] => instructions::run(part, rounds.parse().expect("a number of rounds")),
        ref words if words.contains(&"--instructions") => instructions::table(),
        _ => divan::main(),
    }
}
