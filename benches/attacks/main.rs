//! The attack cases against other servers.
//!
//! `cargo bench --bench attacks` serves one awkward directory by each server that this machine has, sends all of them the same attacks,
//! and prints a table. Nothing in it is known beforehand: a cell says what came back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a tool for people, not the server")]

mod attacks;
mod servers;

use attacks::ATTACKS;
use servers::{Place, SERVERS};

fn main() {
    let place = Place::new();
    let running: Vec<_> = SERVERS.iter().map(|server| (server.name, server.start(&place))).collect();
    let names: Vec<&str> = running.iter().map(|(name, _)| *name).collect();
    println!("| attack | {} |", names.join(" | "));
    println!("| --- |{}", " --- |".repeat(names.len()));
    for attack in ATTACKS {
        let cells = running.iter().map(|(_, server)| match server {
            Some(server) => (attack.run)(server.address),
            None => "not here".to_owned(),
        });
        println!("| {} | {} |", attack.says, cells.collect::<Vec<_>>().join(" | "));
    }
}
