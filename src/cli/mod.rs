//! The command line: options, help, and start-up.

pub mod banner;
pub mod config;
pub mod health_check;
pub mod options;
pub mod startup;

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::process::exit;

use clap::builder::BoolishValueParser;
use clap::error::ErrorKind;
use clap::{ArgAction, Command, CommandFactory, FromArgMatches};

use crate::config::Limits;
use crate::handlers::ROUTES;
pub use options::Cli;

impl Cli {
    /// Parses the command line and the environment of this process. On help and on errors it prints, and exits with 0 or 2, or with 1 if
    /// the help cannot be written. Of an error only clap's first line is printed.
    pub fn from_process() -> Cli {
        Cli::try_parse_from(env::args_os()).unwrap_or_else(|error| {
            if !error.use_stderr() {
                let Err(error) = error.print().and_then(|()| io::stdout().flush()) else { exit(0) };
                let _ = writeln!(io::stderr(), "threadbare: {}", stdout_error(&error));
                exit(1)
            }
            let text = error.render().to_string();
            let _ = writeln!(io::stderr(), "{}", text.split_once('\n').map_or(&*text, |(first, _)| first));
            exit(error.exit_code())
        })
    }

    /// Parses a command line, which begins with the name of the program, and the environment.
    ///
    /// # Errors
    /// An unknown option, an invalid value, a conflict, or a request for help.
    pub fn try_parse_from<W: Into<OsString> + Clone>(words: impl IntoIterator<Item = W>) -> Result<Cli, clap::Error> {
        let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
        let wants_all = words.iter().take_while(|word| *word != "--").any(|word| word == "--help");
        let mut command = if wants_all { command() } else { short_command() };
        let cli = Cli::from_arg_matches(&command.try_get_matches_from_mut(words)?)?;
        match cli.conflict() {
            None => Ok(cli),
            Some(conflict) => Err(command.error(ErrorKind::ArgumentConflict, conflict)),
        }
    }
}

/// Returns the message for output that cannot be written.
pub fn stdout_error(error: &io::Error) -> String {
    format!("cannot write to standard output: {error}; redirect it elsewhere, such as to /dev/null")
}

/// Returns all options, with help and environment variables. An empty variable counts as unset; PORT, which hosting platforms set, is used
/// where THREADBARE_PORT is unset.
pub fn command() -> Command {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    Cli::command().after_help(after_help()).mut_args(|arg| {
        let arg = match arg.get_action() {
            ArgAction::SetTrue => arg.value_parser(BoolishValueParser::new()),
            _ => arg,
        };
        let arg = arg.hide_env(true);
        match arg.get_env().and_then(OsStr::to_str) {
            Some(name) if is_set(name) => arg,
            Some("THREADBARE_PORT") if is_set("PORT") => arg.env("PORT"),
            _ => arg.env(None),
        }
    })
}

/// Returns the same options, of which the help shows only the most common.
fn short_command() -> Command {
    command().after_help("").mut_args(|arg| {
        let is_shown = options::SHORT_HELP.contains(&arg.get_id().as_str());
        arg.hide_short_help(!is_shown).help_heading(None::<&str>)
    })
}

/// Returns the built-in routes, each with its purpose.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROUTES.iter().map(|route| (route.path, route.help))
}

/// Returns the main limits, and what happens beyond them.
pub fn limits() -> [(&'static str, String); 7] {
    let limits = Limits::default();
    [
        ("request target", format!("{} bytes (414)", limits.head.target_bytes_max)),
        ("request header", format!("{} bytes, {} fields (431)", limits.head.head_bytes_max, limits.head.fields_max)),
        ("header timeout", format!("{} s (408)", limits.header_timeout.as_secs())),
        ("idle timeout", format!("{} s, then the connection closes", limits.keep_alive_timeout.as_secs())),
        ("send timeout", format!("{} s, then the connection closes", limits.send_timeout.as_secs())),
        ("body of /echo", format!("{} bytes (413)", limits.echo_bytes_max)),
        ("connections", format!("{}, then the longest idle one is closed", limits.connections_max)),
    ]
}

/// Environment variables, and the option that each sets.
pub const VARIABLES: [(&str, &str); 4] = [
    ("THREADBARE_X_Y", "sets --x-y (all but --auth and --check-health)"),
    ("THREADBARE_ROOT", "sets ROOT"),
    ("THREADBARE_AUTH", "names and passwords, in lines as in --auth-file"),
    ("PORT", "sets --port if THREADBARE_PORT is unset"),
];

/// Rules for all environment variables.
pub const VARIABLES_NOTES: [&str; 2] = [
    "Options on the command line win. Empty variables are ignored. Flags take true or false.",
    "Separate the values of a repeatable option by commas, those of --header by line ends.",
];

/// Exit codes.
pub const EXIT_CODES: [(&str, &str); 5] = [
    ("0", "after SIGINT or SIGTERM, and after --help or --version"),
    ("1", "the server cannot start"),
    ("2", "an option or an environment variable is wrong"),
    ("130", "after a second signal, or one during start-up, if it was SIGINT"),
    ("143", "the same, if it was SIGTERM"),
];

/// Returns the text below the options.
fn after_help() -> String {
    let routes: String = routes().map(|(path, help)| format!("  {path:<14} {help}\n")).collect();
    let limits = limits().map(|(name, value)| format!("  {name:<16} {value}\n")).concat();
    let variables = VARIABLES.map(|(name, help)| format!("  {name:<16} {help}\n")).concat();
    let notes = VARIABLES_NOTES.map(|note| format!("  {note}\n")).concat();
    let routes = format!("Built-in routes (files take precedence):\n{routes}");
    format!("{routes}\nLimits:\n{limits}\nEnvironment variables:\n{variables}{notes}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AllowedHosts, Bind};

    #[test]
    fn definitions_are_consistent() {
        command().debug_assert();
        short_command().debug_assert();
    }

    #[test]
    fn short_help_fits_a_screen_and_long_help_has_all_options() {
        let help = |word: &str| Cli::try_parse_from(["threadbare", word]).unwrap_err().render().to_string();
        let (short, long) = (help("-h"), help("--help"));
        assert!(short.lines().count() <= 24, "{short}");
        for arg in command().get_arguments().filter(|arg| !arg.is_hide_set()) {
            let Some(name) = arg.get_long() else { continue };
            let line = format!("--{name}");
            assert!(long.contains(&line), "{line} is missing:\n{long}");
            assert_eq!(
                short.contains(&format!("{line} ")),
                options::SHORT_HELP.contains(&arg.get_id().as_str()),
                "{line}:\n{short}"
            );
        }
        let first = long.find("--").unwrap();
        assert!(long[first..].starts_with("--port"), "--port comes first:\n{long}");
    }

    #[cfg(unix)]
    #[test]
    fn names_of_roots_may_be_any_bytes() {
        let name: &OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff");
        assert_eq!(Cli::try_parse_from([OsStr::new("threadbare"), name]).unwrap().root.as_os_str(), name);
    }

    #[test]
    fn options_become_configuration() {
        let config = |words: &str| Cli::try_parse_from(words.split(' ')).map(|cli| cli.config());
        assert_eq!(config("threadbare").unwrap().bind, Bind::Loopback);
        assert_eq!(config("threadbare --lan").unwrap().bind, Bind::Everywhere);
        assert_eq!(config("threadbare -b ::1").unwrap().bind, Bind::Addresses(vec!["::1".parse().unwrap()]));
        assert_eq!(config("threadbare --index a --index b").unwrap().index, ["a", "b"]);
        let hosts = |lan: bool, extra: &[&str]| {
            let own = crate::os::host_name().filter(|_| lan);
            AllowedHosts::Local { lan, extra: extra.iter().map(ToString::to_string).chain(own).collect() }
        };
        for (words, want, why) in [
            ("threadbare", hosts(false, &[]), "only this machine can connect"),
            ("threadbare -b 127.0.0.2 -b ::1", hosts(false, &[]), "both are loopback addresses"),
            ("threadbare -b ::1 -b 192.0.2.1", AllowedHosts::Any, "one of them is not"),
            ("threadbare -b ::1 -b 192.0.2.1 --allow-host a.test", hosts(false, &["a.test"]), "the names are known"),
            ("threadbare --lan", hosts(true, &[]), "names of the local network"),
            ("threadbare --lan --allow-host a.test", hosts(true, &["a.test"]), "and another one"),
            ("threadbare --lan --allow-host *", AllowedHosts::Any, "* is any"),
            ("threadbare --allow-host a.test --allow-host *", AllowedHosts::Any, "* is any"),
            ("threadbare -b unix:/run/socket", AllowedHosts::Any, "only a proxy connects"),
            ("threadbare -b unix:/run/socket --allow-host a.test", hosts(false, &["a.test"]), "the name is known"),
            ("threadbare -b unix:/run/socket -b ::1", hosts(false, &[]), "browsers connect too"),
        ] {
            assert_eq!(config(words).unwrap().hosts, want, "{words}: {why}");
        }
        for (words, message, why) in [
            ("threadbare --lan -b ::1", "use one of them", "all interfaces or one"),
            ("threadbare -p 65536", "65536", "no such port"),
            ("threadbare -b localhost", "expected an IP address", "a name, not an address"),
            ("threadbare a b", "'b'", "two roots"),
            ("threadbare --header-timeout 0", "1..=86400", "no time at all"),
            ("threadbare --porte 1", "--porte", "no such option"),
            ("threadbare 8000", "did you mean --port 8000?", "a port in place of a directory"),
            ("threadbare -d site", "positional argument: threadbare site", "a habit from other servers"),
            ("threadbare --directory site", "positional argument: threadbare site", "the same in full"),
            ("threadbare https://a.test", "--cors=https://a.test", "an origin that belongs to --cors"),
        ] {
            let error = config(words).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{why}");
            let line = error.render().to_string().lines().next().unwrap().to_owned();
            assert!(line.contains(message), "{words}, {why}: {line}");
        }
    }
}
