//! The command line: options, help, and what is printed at start-up.

pub mod access_options;
pub mod banner;
pub mod browser;
pub mod file_options;
pub mod health_check;
pub mod help_tables;
pub mod interfaces;
pub mod limit_options;
pub mod listen_options;
pub mod output_options;
pub mod proxy_options;
pub mod qr;
pub mod response_options;
pub mod startup_warnings;

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::process::exit;

use clap::builder::BoolishValueParser;
use clap::error::ErrorKind;
use clap::{ArgAction, Command, CommandFactory, FromArgMatches, Parser};

use crate::config::Config;
use access_options::AccessOptions;
use file_options::FileOptions;
use limit_options::LimitOptions;
use listen_options::ListenOptions;
use output_options::OutputOptions;
use proxy_options::ProxyOptions;
use response_options::ResponseOptions;

/// What was typed. [`Cli::config`] says what it means.
#[derive(Debug, Parser)]
#[command(name = "threadbare", version, about, max_term_width = 110)]
pub struct Cli {
    /// What is served.
    #[command(flatten)]
    pub files: FileOptions,
    /// How it answers.
    #[command(flatten)]
    pub responses: ResponseOptions,
    /// Where it listens.
    #[command(flatten)]
    pub listen: ListenOptions,
    /// Who gets in.
    #[command(flatten)]
    pub access: AccessOptions,
    /// Who stands before us.
    #[command(flatten)]
    pub proxies: ProxyOptions,
    /// Limits.
    #[command(flatten)]
    pub limits: LimitOptions,
    /// What it says.
    #[command(flatten)]
    pub output: OutputOptions,
}

impl Cli {
    /// Reads the command line and the variables of this process. Ends it where they ask for help, or are wrong: then with the first line of
    /// what clap says, and exit code 2.
    pub fn from_process() -> Cli {
        Cli::try_parse_from(env::args_os()).unwrap_or_else(|error| {
            if !error.use_stderr() {
                error.exit()
            }
            let text = error.render().to_string();
            let _ = writeln!(io::stderr(), "{}", text.lines().next().unwrap_or_default());
            exit(error.exit_code())
        })
    }

    /// Reads a command line, the program's name first, and the variables of those options that are not in it.
    ///
    /// # Errors
    /// What is wrong with it, or the help that it asks for.
    pub fn try_parse_from<W: Into<OsString> + Clone>(words: impl IntoIterator<Item = W>) -> Result<Cli, clap::Error> {
        command().try_get_matches_from(words).and_then(|matches| Cli::from_arg_matches(&matches)?.checked())
    }

    /// What no option by itself can know to be wrong.
    fn checked(self) -> Result<Cli, clap::Error> {
        // Sockets that were handed over may be anywhere.
        if self.output.qr && self.listen.bind().is_loopback() && env::var_os("LISTEN_FDS").is_none() {
            let why =
                "'--qr' shows an address for others, and only this machine can reach this one; add '--lan', or '--bind ADDR'";
            return Err(command().error(ErrorKind::ArgumentConflict, why));
        }
        match self.responses.conflict().or(self.listen.conflict()) {
            None => Ok(self),
            Some(why) => Err(command().error(ErrorKind::ArgumentConflict, why)),
        }
    }

    /// What all of it means.
    pub fn config(&self) -> Config {
        let bind = self.listen.bind();
        Config {
            root: self.files.root.clone(),
            port: self.listen.port,
            hosts: self.access.hosts(&bind),
            bind,
            sockets: self.listen.sockets(),
            index: self.files.index.clone(),
            listing: self.files.listing(),
            hidden: self.files.hidden(),
            symlinks: self.files.symlinks(),
            sandbox: self.access.sandbox(),
            routes: self.files.routes(),
            precompressed: self.files.precompressed(),
            fallback: self.files.fallback(),
            typing: self.responses.typing(),
            caching: self.responses.caching(self.access.sharing()),
            tagging: self.responses.tagging(),
            common: self.responses.common(),
            cors: self.responses.cors(),
            proxies: self.proxies.proxies(),
            limits: self.limits.limits(),
        }
    }
}

/// Returns all options with their help and their environment variables.
///
/// An empty variable counts as unset. Platforms set PORT, which is used where THREADBARE_PORT is not set.
pub fn command() -> Command {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    Cli::command().after_help(help_tables::after_help()).mut_args(|arg| {
        let arg = match arg.get_action() {
            ArgAction::SetTrue => arg.value_parser(BoolishValueParser::new()),
            _ => arg,
        };
        // The text after the options explains the variables once.
        let arg = arg.hide_env(true);
        match arg.get_env().and_then(OsStr::to_str) {
            Some(name) if is_set(name) => arg,
            Some("THREADBARE_PORT") if is_set("PORT") => arg.env("PORT"),
            _ => arg.env(None),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AllowedHosts, Bind};

    #[test]
    fn the_definitions_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn words_and_meanings() {
        let config = |words: &str| Cli::try_parse_from(words.split(' ')).map(|cli| cli.config());
        assert_eq!(config("threadbare").unwrap().bind, Bind::Loopback);
        assert_eq!(config("threadbare --lan").unwrap().bind, Bind::Everywhere);
        assert_eq!(config("threadbare -b ::1").unwrap().bind, Bind::Addresses(vec!["::1".parse().unwrap()]));
        assert_eq!(config("threadbare --index a --index b").unwrap().index, ["a", "b"]);
        let own = |also: &[&str]| AllowedHosts::Local { extra: also.iter().map(ToString::to_string).collect() };
        for (words, hosts, why) in [
            ("threadbare", own(&[]), "only this machine can reach it"),
            ("threadbare -b 127.0.0.2 -b ::1", own(&[]), "both are this machine"),
            ("threadbare -b ::1 -b 192.0.2.1", AllowedHosts::Any, "one of them is not"),
            ("threadbare --lan", AllowedHosts::Any, "by names that we do not know"),
            ("threadbare --lan --allow-host a.test", own(&["a.test"]), "but for those we know now"),
            ("threadbare --allow-host a.test --allow-host *", AllowedHosts::Any, "any is any"),
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
