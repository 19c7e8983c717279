//! What do the words on the command line mean?
//!
//! Each group of options has a file of its own, with the struct that clap fills and with what it means.

pub mod listen;

pub mod serve;

pub mod guests;

pub mod bounds;

pub mod talk;

use std::io::{self, Write};

use clap::{CommandFactory, FromArgMatches, Parser};

use crate::config::{Config, Limits};
use crate::routes::ROUTES;
use bounds::Bounds;
use guests::Guests;
use listen::Listen;
use serve::Serve;
use talk::Talk;

/// What was typed. [`Cli::config`] says what it means.
#[derive(Debug, Parser)]
#[command(name = "threadbare", version, about, max_term_width = 110)]
pub struct Cli {
    /// What is served.
    #[command(flatten)]
    pub serve: Serve,
    /// Where it listens.
    #[command(flatten)]
    pub listen: Listen,
    /// Who gets in.
    #[command(flatten)]
    pub guests: Guests,
    /// Limits.
    #[command(flatten)]
    pub bounds: Bounds,
    /// What it says.
    #[command(flatten)]
    pub talk: Talk,
}

/// What is wrong, and the way out, on one line.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let said = text.split("\n\nUsage:").next().unwrap_or_default().replace("\n\nFor more information, try '--help'.", "");
    let parts = said.trim_start_matches("error: ").split("\n\n");
    let parts: Vec<String> = parts.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    format!("threadbare: {}; --help says more", parts.join("; "))
}

impl Cli {
    /// Reads the command line of this process. Ends it where that asks for help, or is wrong (exit code 2).
    pub fn from_process() -> Cli {
        Cli::from_words(std::env::args_os()).unwrap_or_else(|error| {
            if error.use_stderr() {
                let _ = writeln!(io::stderr(), "{}", one_line(&error));
                std::process::exit(error.exit_code());
            }
            error.exit()
        })
    }

    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// What is wrong with it, or the help that it asks for.
    pub fn from_words<W: Into<std::ffi::OsString> + Clone>(words: impl IntoIterator<Item = W>) -> Result<Cli, clap::Error> {
        let matches = Cli::command().after_help(after_help()).try_get_matches_from(words)?;
        Cli::from_arg_matches(&matches)
    }

    /// What all of it means.
    pub fn config(&self) -> Config {
        let bind = self.listen.bind();
        Config {
            root: self.serve.root.clone(),
            port: self.listen.port,
            hosts: self.guests.hosts(&bind),
            bind,
            index: self.serve.index.clone(),
            listing: self.serve.listing(),
            hidden: self.serve.hidden(),
            symlinks: self.serve.symlinks(),
            sandbox: self.guests.sandbox(),
            routes: self.serve.routes(),
            limits: self.bounds.limits(),
        }
    }
}

/// The part of the help that comes from tables: routes and limits.
fn after_help() -> String {
    let limits = Limits::default();
    let mut text = "Built-in routes, where no file has their name:\n".to_owned();
    for route in ROUTES {
        text.push_str(&format!("  {:<10} {}\n", route.path, route.says));
    }
    let rows = [
        ("target", format!("{} bytes (414)", limits.head.target_bytes_max)),
        ("head", format!("{} bytes, {} fields (431)", limits.head.head_bytes_max, limits.head.fields_max)),
        ("head in", format!("{} s (408)", limits.head_time_max.as_secs())),
        ("next request in", format!("{} s, then the connection closes", limits.idle_time_max.as_secs())),
        ("content of /echo", format!("{} bytes (413)", limits.echo_bytes_max)),
        ("connections", format!("{}; then the oldest idle one makes room", limits.connections_max)),
    ];
    text.push_str("\nLimits:\n");
    for (name, value) in rows {
        text.push_str(&format!("  {name:<16} {value}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Bind, Hosts};

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn words_and_meanings() {
        let config = |words: &str| Cli::from_words(words.split(' ')).map(|cli| cli.config());
        assert_eq!(config("threadbare").unwrap().bind, Bind::Loopback);
        assert_eq!(config("threadbare --lan").unwrap().bind, Bind::Everywhere);
        assert_eq!(config("threadbare -b ::1").unwrap().bind, Bind::Addresses(vec!["::1".parse().unwrap()]));
        assert_eq!(config("threadbare --index a --index b").unwrap().index, ["a", "b"]);
        let own = |also: &[&str]| Hosts::Own { also: also.iter().map(ToString::to_string).collect() };
        for (words, hosts, why) in [
            ("threadbare", own(&[]), "only this machine can reach it"),
            ("threadbare -b 127.0.0.2 -b ::1", own(&[]), "both are this machine"),
            ("threadbare -b ::1 -b 192.0.2.1", Hosts::Any, "one of them is not"),
            ("threadbare --lan", Hosts::Any, "by names that we do not know"),
            ("threadbare --lan --allow-host a.test", own(&["a.test"]), "but for those we know now"),
            ("threadbare --allow-host a.test --allow-host *", Hosts::Any, "any is any"),
        ] {
            assert_eq!(config(words).unwrap().hosts, hosts, "{words}: {why}");
        }
        for (words, why) in [
            ("threadbare --lan -b ::1", "all interfaces or one"),
            ("threadbare -p 65536", "no such port"),
            ("threadbare -b localhost", "a name, not an address"),
            ("threadbare a b", "two roots"),
            ("threadbare --head-timeout 0", "no time at all"),
            ("threadbare --porte 1", "no such flag"),
        ] {
            assert_eq!(config(words).unwrap_err().exit_code(), 2, "{why}");
        }
    }
}
