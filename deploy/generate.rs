//! The manual page and the completions for shells, for packages: `cargo run --example generate -- DIRECTORY`.
//!
//! Both come from the definitions of `--help`. The files are `threadbare.1`, `threadbare.bash`, `_threadbare` (zsh), `threadbare.fish`,
//! `threadbare.elv` and `_threadbare.ps1`.

#![forbid(unsafe_code)]

use std::error::Error;
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs, io};

use clap::ValueEnum;
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};
use threadbare::cli;
use threadbare::cli::{EXIT_CODES, VARIABLES, VARIABLES_NOTES, limits, routes};
use threadbare::http::date::HttpDate;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<OsString> = env::args_os().skip(1).collect();
    let [directory] = &*words else { return Err("usage: generate DIRECTORY".into()) };
    // The date of the manual page is that of the sources, where it is given (reproducible-builds.org).
    let given = env::var("SOURCE_DATE_EPOCH").ok().map(|secs| secs.parse()).transpose()?;
    let time = given.map_or_else(SystemTime::now, |secs| UNIX_EPOCH + Duration::from_secs(secs));
    Ok(write_all(Path::new(directory), time)?)
}

/// Writes all files, with this date on the manual page.
pub fn write_all(directory: &Path, time: SystemTime) -> io::Result<()> {
    fs::write(directory.join("threadbare.1"), man_page(time)?)?;
    for shell in Shell::value_variants() {
        generate_to(*shell, &mut cli::command(), "threadbare", directory)?;
    }
    Ok(())
}

/// Returns the manual page as roff (man-pages(7)).
pub fn man_page(time: SystemTime) -> io::Result<Vec<u8>> {
    let command = cli::command();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let man = Man::new(command.mut_args(with_values_inline)).title("THREADBARE").date(day(time)).manual("User Commands");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    let mut before = Roff::new();
    before.control("SH", ["SYNOPSIS"]);
    before.text([bold("threadbare"), roman(" ["), italic("OPTIONS"), roman("] ["), italic("ROOT"), roman("]")]);
    before.control("SH", ["DESCRIPTION"]);
    before.text([roman(about), roman(".")]);
    before.text([
        roman("Serves a directory or a single file until SIGINT or SIGTERM. The line with the URL is the only output on "),
        roman("standard output, and its last word is the URL; everything else goes to standard error."),
    ]);
    before.to_writer(&mut out)?;
    man.render_options_section(&mut out)?;
    let mut after = Roff::new();
    list(&mut after, "ROUTES", "Where no file has their name:", routes());
    list(&mut after, "WHAT IS LIMITED", "Unless an option says otherwise:", limits());
    list(&mut after, "ENVIRONMENT", &VARIABLES_NOTES.join(" "), VARIABLES);
    list(&mut after, "EXIT STATUS", "The program ends with", EXIT_CODES);
    after.control("SH", ["EXAMPLES"]);
    for (command, what) in EXAMPLES {
        after.control("TP", []);
        after.text([bold(*command)]);
        after.text([roman(*what)]);
    }
    after.to_writer(&mut out)?;
    man.render_version_section(&mut out)?;
    // What makes the options leaves spaces at the ends of lines.
    let lines = out.split_inclusive(|&b| b == b'\n').flat_map(|line| [line.trim_ascii_end(), b"\n"]);
    Ok(lines.collect::<Vec<_>>().concat())
}

/// What people start it for.
const EXAMPLES: &[(&str, &str)] = &[
    ("threadbare", "Serves the current directory to this machine, at http://localhost:8000/."),
    ("threadbare --lan ./photos", "Serves a directory to everybody who can reach this machine."),
    ("threadbare report.html", "Serves one file, and nothing that lies beside it."),
    ("THREADBARE_PORT=8080 threadbare ./site", "The same options as environment variables."),
];

/// A section with a list of names and what they mean.
fn list(roff: &mut Roff, title: &str, before: &str, rows: impl IntoIterator<Item = (&'static str, impl Into<String>)>) {
    roff.control("SH", [title]);
    roff.text([roman(before)]);
    for (name, says) in rows {
        roff.control("TP", []);
        roff.text([bold(name)]);
        roff.text([roman(says.into())]);
    }
}

/// A list of its own for the values of an option takes more room than all that is said of it.
fn with_values_inline(arg: clap::Arg) -> clap::Arg {
    let values: Vec<String> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let Some(help) = arg.get_help().filter(|_| arg.get_action().takes_values() && !values.is_empty()) else { return arg };
    let help = format!("{help} ({})", values.join(", "));
    arg.help(help).hide_possible_values(true)
}

/// A day as `1994-11-06`.
fn day(time: SystemTime) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = HttpDate::new(time).text;
    // Sun, 06 Nov 1994 08:49:37 GMT
    let mut words = date.split(' ').skip(1);
    let (day, month, year) =
        (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let month = MONTHS.iter().position(|name| *name == month).map_or(0, |index| index + 1);
    format!("{year}-{month:02}-{day}")
}
