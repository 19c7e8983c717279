//! Which environment variable stands for which option?
//!
//! Every option has one, so that a service can be set up without touching its command line: `THREADBARE_`, and the name of the option
//! in capitals. What is typed wins, since it is nearer to the person; an empty variable is as good as none, since that is what
//! templates leave behind.

use std::env;
use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::auth;

/// What all of them begin with.
const PREFIX: &str = "THREADBARE_";

/// Variables that platforms set for everybody, and the options that they mean. Ours come first.
const ALSO: &[(&str, &str)] = &[("port", "PORT")];

/// Options that have none: `--auth` may be given as lines of [`auth::VARIABLE`], which `auth.rs` reads, and the others ask for an
/// answer and no server.
const WITHOUT: &[&str] = &["auth", "check_health", "help", "version"];

/// Options whose values hold commas: those of the variable stand on a line each. Those of others have commas between them.
const ON_LINES: &[&str] = &["header"];

/// A variable that is set, and the option that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// The variable.
    pub name: String,
    /// The option as messages show it: `--port <PORT>`.
    pub option: String,
    id: String,
}

/// The definition with the name of each variable in its help.
pub fn named(command: Command) -> Command {
    command.mut_args(|arg| match of_option(&arg) {
        Some(name) => arg.env(name).hide_env_values(true),
        None => arg,
    })
}

/// The variables that decide something: they are set, and nobody has typed their option, or another one that rules it out.
pub fn set(command: &Command, typed: &ArgMatches) -> Vec<Set> {
    let is_typed = |arg: &Arg| typed.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let (typed, others): (Vec<&Arg>, Vec<&Arg>) = command.get_arguments().partition(|arg| is_typed(arg));
    let excludes = |a: &Arg, b: &Arg| command.get_arg_conflicts_with(a).iter().any(|arg| arg.get_id() == b.get_id());
    let open = others.into_iter().filter(|other| !typed.iter().any(|typed| excludes(typed, other) || excludes(other, typed)));
    let named = open.filter_map(|arg| {
        let also = ALSO.iter().filter(|(id, _)| arg.get_id() == id).map(|(_, name)| (*name).to_owned());
        let name = of_option(arg).into_iter().chain(also).find(|name| env::var_os(name).is_some_and(|value| is_meant(&value)))?;
        Some(Set { name, option: arg.to_string(), id: arg.get_id().to_string() })
    });
    named.collect()
}

/// The definition with those variables read.
pub fn reading(command: Command, set: &[Set]) -> Command {
    set.iter().fold(command, |command, variable| {
        command.mut_arg(&variable.id, |arg| {
            let arg = arg.env(&variable.name).hide_env_values(true);
            match arg.get_action() {
                ArgAction::SetTrue => arg.value_parser(is_yes),
                ArgAction::Append => arg.value_delimiter(if ON_LINES.contains(&&*variable.id) { '\n' } else { ',' }),
                _ => arg,
            }
        })
    })
}

/// Whether a flag is meant to be set.
fn is_yes(value: &str) -> Result<bool, &'static str> {
    match &*value.to_ascii_lowercase() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("write 1 or 0"),
    }
}

/// Variables with our prefix that stand for nothing: most likely one letter is wrong, and what was meant is not done.
pub fn unknown(command: &Command) -> Vec<String> {
    let known: Vec<String> = command.get_arguments().filter_map(of_option).chain([auth::VARIABLE.to_owned()]).collect();
    let ours = env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(|name| name.starts_with(PREFIX));
    let mut unknown: Vec<String> = ours.filter(|name| !known.contains(name) && !is_of_kubernetes(name)).collect();
    unknown.sort();
    unknown
}

/// The variable of an option; `None` if it has none.
fn of_option(arg: &Arg) -> Option<String> {
    let id = arg.get_id().as_str();
    (!WITHOUT.contains(&id)).then(|| format!("{PREFIX}{}", arg.get_long().unwrap_or(id).to_ascii_uppercase().replace('-', "_")))
}

/// Whether somebody meant something by a value. In Kubernetes a service of the name `threadbare` gives `THREADBARE_PORT` the value
/// `tcp://10.0.0.1:80` in every container beside it: that is no port to listen on.
fn is_meant(value: &OsString) -> bool {
    !value.is_empty() && !value.to_str().is_some_and(|value| value.starts_with("tcp://") || value.starts_with("udp://"))
}

/// The others that such a service brings.
fn is_of_kubernetes(name: &str) -> bool {
    ["THREADBARE_SERVICE_", "THREADBARE_PORT_"].iter().any(|prefix| name.starts_with(prefix))
}
