//! Does an environment variable say the same as its option?

#[path = "support/process.rs"]
mod process;

use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use process::{Log, Process, Scratch};

/// The binary with these variables, and nothing typed but these words.
fn command(variables: &[(&str, &str)], words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("THREADBARE_")) {
        command.env_remove(name);
    }
    command.env_remove("PORT").envs(variables.iter().copied()).args(words);
    command
}

fn started(variables: &[(&str, &str)], words: &[&str]) -> Process {
    Process::of(command(variables, words), Log::Read)
}

/// Runs it to its end, which is near.
fn output(variables: &[(&str, &str)], words: &[&str]) -> Output {
    command(variables, words).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_service_without_a_command_line() {
    let scratch = Scratch::new();
    scratch.file("start.htm", "start");
    scratch.file(".env", "hidden");
    let root = scratch.path().to_str().unwrap();
    let variables = [
        ("THREADBARE_ROOT", root),
        ("THREADBARE_PORT", "0"),
        ("THREADBARE_BIND", "127.0.0.1,127.0.0.2"),
        ("THREADBARE_INDEX", "nothing.html,start.htm"),
        ("THREADBARE_HIDDEN", "yes"),
        ("THREADBARE_NO_ROUTES", "1"),
        ("THREADBARE_VERBOSE", "2"),
    ];
    if cfg!(not(target_os = "linux")) {
        eprintln!("SKIPPED: only on Linux has the loopback a second address");
        return;
    }
    let process = started(&variables, &[]);
    assert!(process.ready.contains(root), "{}", process.ready);
    assert!(process.stdout_line().unwrap().contains("http://127.0.0.2:"), "two addresses, with a comma between");
    assert_eq!(process.get("/").text(), "start", "the second of two names");
    assert_eq!(process.get("/.env").text(), "hidden", "a flag");
    assert_eq!(process.get("/health").status, 404, "another");
    process.wait_for_log("connected");
}

#[test]
fn what_is_typed_wins() {
    let scratch = Scratch::new();
    let root = scratch.path().to_str().unwrap();
    let process = started(&[("THREADBARE_PORT", "1"), ("PORT", "2"), ("THREADBARE_ROOT", "/nowhere")], &["--port", "0", root]);
    assert!(process.ready.contains(root), "{}", process.ready);
    let process = started(&[("THREADBARE_BIND", "192.0.2.1")], &["--port", "0", "--bind", "127.0.0.1", root]);
    assert!(process.ready.contains("127.0.0.1"), "{}", process.ready);
    let process = started(&[("THREADBARE_LAN", "0")], &["--port", "0", "--bind", "127.0.0.1", root]);
    assert!(process.ready.contains("127.0.0.1"), "{}", process.ready);
}

#[test]
fn the_port_that_platforms_choose() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (variables, why) in [
        (&[("PORT", &*port)][..], "of a platform"),
        (&[("PORT", "1"), ("THREADBARE_PORT", &port)], "ours comes first"),
        (&[("THREADBARE_PORT", ""), ("PORT", &port)], "empty is unset"),
    ] {
        let left = output(variables, &["--bind", "127.0.0.1"]);
        let line = String::from_utf8(left.stderr).unwrap();
        assert!(left.status.code() == Some(1) && line.contains(&format!("127.0.0.1:{port}: port in use")), "{why}: {line}");
    }
}

#[test]
fn an_empty_variable_is_none() {
    let scratch = Scratch::new();
    let names = ["THREADBARE_BIND", "THREADBARE_LAN", "THREADBARE_INDEX", "THREADBARE_PORT", "THREADBARE_SANDBOX", "PORT"];
    let process = started(&names.map(|name| (name, "")), &["--port", "0", scratch.path().to_str().unwrap()]);
    assert!(process.ready.contains("localhost"), "{}", process.ready);
    for (value, is_set) in
        [("0", false), ("off", false), ("No", false), ("false", false), ("1", true), ("TRUE", true), ("on", true)]
    {
        let process = started(&[("THREADBARE_NO_ROUTES", value)], &["--port", "0", scratch.path().to_str().unwrap()]);
        assert_eq!(process.get("/health").status, if is_set { 404 } else { 200 }, "{value}");
    }
}

#[test]
fn a_wrong_value_is_one_line_and_ends_it_with_2() {
    for (variables, words, says, why) in [
        (&[("THREADBARE_PORT", "x")][..], &[][..], "'x' for '--port <PORT>'", "no number"),
        (&[("PORT", "65536")], &[], "'65536' for '--port <PORT>'", "of another"),
        (&[("THREADBARE_LAN", "maybe")], &[], "'maybe' for '--lan'", "a flag"),
        (&[("THREADBARE_BIND", "::1,here")], &[], "'here' for '--bind", "one of two"),
        (&[("THREADBARE_SANDBOX", "x")], &[], "'x' for '--sandbox <MODE>'", "one of three words"),
        (&[("THREADBARE_HEADER_TIMEOUT", "0")], &[], "'0' for '--header-timeout", "out of range"),
        (&[("THREADBARE_LAN", "1"), ("THREADBARE_BIND", "::1")], &[], "'--lan'", "they rule each other out"),
        (&[("THREADBARE_LAN", "1")], &["--bind", "::1"], "'--lan'", "also where one is typed"),
        (&[("THREADBARE_LAN", "maybe")], &["--port", "x"], "'x' for '--port <PORT>'", "the command line is looked at first"),
    ] {
        let left = output(variables, words);
        let line = String::from_utf8(left.stderr).unwrap();
        assert_eq!(left.status.code(), Some(2), "{why}: {line}");
        assert!(line.lines().count() == 1 && left.stdout.is_empty() && line.contains(says), "{why}: {line}");
    }
}

#[test]
fn the_values_of_a_list() {
    let scratch = Scratch::new();
    scratch.file("a.txt", "a");
    let root = scratch.path().to_str().unwrap();
    let variables = [("THREADBARE_HEADER", "X-A: 1, 2\nX-B: 3"), ("THREADBARE_CORS", "http://a.test,http://b.test")];
    let answer = started(&variables, &["--port", "0", root]).get("/a.txt");
    assert_eq!((answer.field("X-A"), answer.field("X-B")), (Some("1, 2"), Some("3")), "a line for each field");
    assert_eq!(answer.field("Vary"), Some("Origin"), "two origins");
}

#[test]
fn help_explains_variables_once_and_shows_no_value() {
    let left = output(&[("THREADBARE_PORT", "12345"), ("THREADBARE_AUTH", "a:secret"), ("THREADBARE_LAN", "maybe")], &["--help"]);
    let text = String::from_utf8(left.stdout).unwrap();
    assert!(text.contains("\nEnvironment variables:\n") && text.contains("THREADBARE_X_Y"), "{text}");
    assert!(!text.contains("[env") && !text.contains("12345") && !text.contains("secret"), "{text}");
}

#[test]
fn every_option_has_the_variable_of_its_name() {
    use clap::CommandFactory;
    for arg in threadbare::cli::Cli::command().get_arguments() {
        let name = arg.get_id().as_str();
        let has_none = ["auth", "check_health", "short_help", "long_help", "version", "directory"].contains(&name);
        let want = (!has_none).then(|| format!("THREADBARE_{}", name.to_uppercase()));
        assert_eq!(arg.get_env().map(|name| name.to_str().unwrap().to_owned()), want, "{name}");
    }
}
