//! What does the help say that comes from tables? Routes, limits, environment variables, exit codes.

use crate::config::Limits;
use crate::handlers::ROUTES;

/// Built-in routes, and what each is for.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROUTES.iter().map(|route| (route.path, route.help))
}

/// What is limited, to how much, and what is beyond.
pub fn limits() -> [(&'static str, String); 6] {
    let limits = Limits::default();
    [
        ("target", format!("{} bytes (414)", limits.head.target_bytes_max)),
        ("head", format!("{} bytes, {} fields (431)", limits.head.head_bytes_max, limits.head.fields_max)),
        ("head in", format!("{} s (408)", limits.header_timeout.as_secs())),
        ("next request in", format!("{} s, then the connection closes", limits.keep_alive_timeout.as_secs())),
        ("content of /echo", format!("{} bytes (413)", limits.echo_bytes_max)),
        ("connections", format!("{}; then the oldest idle one makes room", limits.connections_max)),
    ]
}

/// Environment variables, and what each stands for.
pub const VARIABLES: [(&str, &str); 4] = [
    ("THREADBARE_X_Y", "--x-y, but for --auth and --check-health"),
    ("THREADBARE_ROOT", "ROOT"),
    ("THREADBARE_AUTH", "lines as in --auth-file"),
    ("PORT", "--port, if THREADBARE_PORT is unset"),
];

/// What holds for all of them.
pub const VARIABLES_NOTES: [&str; 2] = [
    "A typed option wins; an empty variable is unset. Flags take true or false (1 or 0).",
    "Values of a list have commas between them, those of --header line ends.",
];

/// How it ends, and what that means.
pub const EXIT_CODES: [(&str, &str); 4] = [
    ("0", "after SIGINT or SIGTERM, and after a text that was asked for"),
    ("1", "it cannot run"),
    ("2", "the command line or a variable is wrong"),
    ("130", "after a later signal, or one before it serves"),
];

/// What stands below the options.
pub fn after_help() -> String {
    let mut text = "Built-in routes, where no file has their name:\n".to_owned();
    for (path, says) in routes() {
        text.push_str(&format!("  {path:<14} {says}\n"));
    }
    text.push_str("\nLimits:\n");
    for (name, value) in limits() {
        text.push_str(&format!("  {name:<16} {value}\n"));
    }
    text.push_str("\nEnvironment variables:\n");
    for (name, says) in VARIABLES {
        text.push_str(&format!("  {name:<16} {says}\n"));
    }
    for note in VARIABLES_NOTES {
        text.push_str(&format!("  {note}\n"));
    }
    text
}
