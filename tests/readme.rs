//! Does README say what the program says?
//!
//! `UPDATE_README=1 cargo test --test readme` writes into it what has changed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const BEGIN: &str = "## Options\n\n```text\n$ threadbare --help\n";
const END: &str = "```\n";

#[test]
fn the_options_are_those_of_help() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&place).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    // As wide as it is where nobody knows how wide the terminal is.
    let help = command.arg("--help").env_remove("COLUMNS").stdin(Stdio::null()).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("README has a section with the options");
    let (shown, after) = rest.split_once(END).unwrap();
    if shown == help {
        return;
    }
    if std::env::var_os("UPDATE_README").is_some() {
        return fs::write(place, [before, BEGIN, &help, END, after].concat()).unwrap();
    }
    let differs = shown.lines().zip(help.lines()).find(|(shown, said)| shown != said);
    panic!("README is behind --help: {differs:?}; UPDATE_README=1 cargo test --test readme mends it");
}
