//! What do the words on the command line mean?

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, ValueEnum};

use crate::auth::{self, Auth};
use crate::config::{Bind, Config, Hidden, Hosts, Limits, Listing, Routes, Sandbox, Symlinks, Verbosity};
use crate::routes::ROUTES;
use crate::wire::target::Authority;

/// What was typed. [`Cli::config`] says what it means.
#[derive(Debug, Parser)]
#[command(name = "threadbare", version, about, max_term_width = 110)]
pub struct Cli {
    /// The directory (or one file) to serve
    #[arg(value_name = "ROOT", default_value = ".")]
    root: PathBuf,

    /// The port; 0 is any free one. The server never moves to another by itself
    #[arg(short, long, value_name = "PORT", default_value_t = 8000)]
    port: u16,

    /// An address to listen on; may be given more than once [default: 127.0.0.1 and ::1]
    #[arg(short, long, value_name = "ADDR", conflicts_with = "lan")]
    bind: Vec<IpAddr>,

    /// Listen on all interfaces, IPv4 and IPv6
    #[arg(long)]
    lan: bool,

    /// A name that is served for its directory; may be given more than once, the first that exists wins
    #[arg(long, value_name = "NAME", default_value = "index.html")]
    index: Vec<String>,

    /// A directory without an index is 404
    #[arg(long)]
    no_listing: bool,

    /// Also serve names that begin with a dot (else 404, except in /.well-known/)
    #[arg(long)]
    hidden: bool,

    /// Follow symbolic links wherever they lead, also out of ROOT; the sandbox cannot hold reading back then
    #[arg(long)]
    follow_symlinks: bool,

    /// Answer to this name too, where else only localhost and addresses do; * is any; may be given more than once
    #[arg(long, value_name = "NAME", value_parser = host_name)]
    allow_host: Vec<String>,

    /// Ask for a name and a password (HTTP Basic); may be given more than once. Other users of this machine can see it
    #[arg(long, value_name = "USER:PASSWORD", value_parser = auth_entry)]
    auth: Vec<String>,

    /// The same from a file, a USER:PASSWORD or USER:HASH (htpasswd -B) a line; also from $THREADBARE_AUTH
    #[arg(long, value_name = "FILE")]
    auth_file: Option<PathBuf>,

    /// Let the kernel hold us to reading beneath ROOT: as far as it can, wholly or not at all
    #[arg(long, value_name = "MODE", value_enum, default_value_t = SandboxMode::Auto)]
    sandbox: SandboxMode,

    /// Started as root, become this user once the port is bound
    #[cfg(unix)]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// Switch the built-in routes off
    #[arg(long)]
    no_routes: bool,

    /// Live connections; the machine's own limits may lower it
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().connections_max)]
    max_connections: usize,

    /// How long a request head may take in all
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().head_time_max.as_secs(), value_parser = seconds())]
    head_timeout: u64,

    /// How long a connection may wait for its next request
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().idle_time_max.as_secs(), value_parser = seconds())]
    idle_timeout: u64,

    /// How long requests in flight may take to finish after the first signal
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().grace_time_max.as_secs())]
    grace: u64,

    /// No access log
    #[arg(short, long)]
    quiet: bool,

    /// More diagnostics; may be repeated. RUST_LOG wins
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

/// The values of `--sandbox`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SandboxMode {
    // No docs on these: clap would turn the whole help into its long form.
    Auto,
    Require,
    Off,
}

/// What is wrong, and the way out, on one line.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let said = text.split("\n\nUsage:").next().unwrap_or_default().replace("\n\nFor more information, try '--help'.", "");
    let parts = said.trim_start_matches("error: ").split("\n\n");
    let parts: Vec<String> = parts.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    format!("threadbare: {}; --help says more", parts.join("; "))
}

/// A time that can be waited: at least one second, at most a day.
fn seconds() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(1..=86_400)
}

/// A host name as it may stand in Host, without a port; or `*`.
fn host_name(text: &str) -> Result<String, &'static str> {
    let is_name = Authority::parse(text.as_bytes()).is_some_and(|authority| authority.port.is_none()) && !text.ends_with(':');
    if is_name || text == "*" { Ok(text.to_owned()) } else { Err("write a host name without a port, or *") }
}

fn auth_entry(text: &str) -> Result<String, &'static str> {
    Auth::new([text]).map(|_| text.to_owned()).map_err(|(_, why)| why)
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
        Config {
            root: self.root.clone(),
            port: self.port,
            bind: self.bind(),
            index: self.index.clone(),
            listing: if self.no_listing { Listing::NotFound } else { Listing::Shown },
            hidden: if self.hidden { Hidden::Served } else { Hidden::NotFound },
            symlinks: if self.follow_symlinks { Symlinks::Followed } else { Symlinks::Within },
            hosts: self.hosts(&self.bind()),
            sandbox: match self.sandbox {
                SandboxMode::Auto => Sandbox::Auto,
                SandboxMode::Require => Sandbox::Require,
                SandboxMode::Off => Sandbox::Off,
            },
            routes: if self.no_routes { Routes::Off } else { Routes::On },
            limits: Limits {
                connections_max: self.max_connections,
                head_time_max: Duration::from_secs(self.head_timeout),
                idle_time_max: Duration::from_secs(self.idle_timeout),
                grace_time_max: Duration::from_secs(self.grace),
                ..Limits::default()
            },
        }
    }

    fn bind(&self) -> Bind {
        match &*self.bind {
            _ if self.lan => Bind::Everywhere,
            [] => Bind::Loopback,
            addresses => Bind::Addresses(addresses.to_vec()),
        }
    }

    /// By which names we are asked on these addresses. Where others can reach us, they do so by names that we do not know.
    pub fn hosts(&self, bind: &Bind) -> Hosts {
        let any = self.allow_host.iter().any(|name| name == "*");
        if any || (!bind.is_loopback() && self.allow_host.is_empty()) {
            Hosts::Any
        } else {
            Hosts::Own { also: self.allow_host.clone() }
        }
    }

    /// Who may come in.
    pub fn passwords(&self) -> auth::Sources<'_> {
        auth::Sources { given: &self.auth, file: self.auth_file.as_deref(), environment: std::env::var_os(auth::VARIABLE) }
    }

    /// Whether a password stands on the command line, where other users can see it.
    pub fn has_password_in_sight(&self) -> bool {
        !self.auth.is_empty()
    }

    /// As whom to go on, once the port is bound.
    #[cfg(unix)]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// How much to log.
    pub fn verbosity(&self) -> Verbosity {
        use log::LevelFilter as L;
        let level = match self.verbose {
            0 => L::Info,
            1 => L::Debug,
            _ => L::Trace,
        };
        Verbosity { level, access: if self.quiet { L::Off } else { L::Info } }
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
