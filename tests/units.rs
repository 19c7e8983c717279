//! Are the units of `deploy/` right: for systemd, for what it says of their exposure, and for what the server really calls?
//!
//! Nothing is started by systemd here: it reads the units, and the calls are those of a server that `strace` watches.
#![cfg(target_os = "linux")]

#[path = "support/process.rs"]
mod process;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;

use clap::CommandFactory;
use process::{GET, Log, PATIENCE, Process, Scratch, child_of};
use rustix::process::{Pid, Signal, kill_process};
use threadbare::cli::Cli;

const SERVICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/threadbare.service");
const SOCKET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/threadbare.socket");
/// The exposure that must not be exceeded, of 10, times ten.
const EXPOSURE_MAX: &str = "20";

/// Says so where a tool is missing.
fn has(tool: &str) -> bool {
    let works = Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
    if !works {
        // Past the harness, which would keep it to itself.
        let _ = writeln!(io::stderr(), "SKIPPED: no {tool} here, so the units of deploy/ are not tried");
    }
    works
}

/// What a command prints, both streams, and whether it succeeds.
fn said(command: &mut Command) -> (String, bool) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.success())
}

/// The units as they would be installed, but for the place of the program.
fn installed() -> (Scratch, PathBuf, PathBuf) {
    let scratch = Scratch::new();
    let service = fs::read_to_string(SERVICE).unwrap();
    assert!(service.contains("\nExecStart=/usr/bin/threadbare\n"));
    scratch.file("threadbare.service", &service.replace("/usr/bin/threadbare", env!("CARGO_BIN_EXE_threadbare")));
    scratch.file("threadbare.socket", &fs::read_to_string(SOCKET).unwrap());
    let (service, socket) = (scratch.path().join("threadbare.service"), scratch.path().join("threadbare.socket"));
    (scratch, service, socket)
}

#[test]
fn systemd_finds_nothing_to_complain_of() {
    if !has("systemd-analyze") {
        return;
    }
    let (_scratch, service, socket) = installed();
    let (text, success) = said(Command::new("systemd-analyze").args(["verify", "--man=no"]).args([&service, &socket]));
    assert!(success && text.is_empty(), "{text}");
    let mut exposure = Command::new("systemd-analyze");
    exposure.args(["security", "--offline=yes", "--no-pager", "--threshold", EXPOSURE_MAX]).arg(&service);
    let (text, success) = said(&mut exposure);
    assert!(success, "{text}");
    assert!(text.contains("Overall exposure level for threadbare.service: "), "{text}");
}

#[test]
fn its_variables_are_options() {
    let service = fs::read_to_string(SERVICE).unwrap();
    let (_scratch, root) = site();
    let variables =
        service.lines().filter_map(|line| line.strip_prefix("Environment=")).map(|line| line.split_once('=').unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    let known: Vec<String> =
        Cli::command().get_arguments().filter_map(|arg| Some(arg.get_env()?.to_str().unwrap().to_owned())).collect();
    for (name, value) in variables {
        let is_known = known.iter().any(|known| known == name) || ["MALLOC_ARENA_MAX", "XDG_STATE_HOME"].contains(&name);
        assert!(is_known, "{name}");
        command.env(name, if name == "THREADBARE_ROOT" { root.to_str().unwrap() } else { value });
    }
    command.args(["--port", "0", "--bind", "127.0.0.1"]);
    let mut process = Process::of(command, Log::Read);
    assert_eq!(process.get("/ten.txt").text(), "0123456789", "THREADBARE_ROOT");
    process.end();
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
    let log = process.log_lines().join("\n");
    assert!(log.contains("draining for 1 s"), "{log}");
}

#[test]
fn what_it_calls_is_allowed() {
    if !has("systemd-analyze") || !has("strace") {
        return;
    }
    let (scratch, root) = site();
    let (trace, access_log) = (scratch.path().join("trace"), scratch.path().join("access.log"));
    // As CPUSchedulingPolicy= does.
    let mut command = Command::new("chrt");
    command.args(["--batch", "0", "strace", "-f", "-qq", "-o"]).arg(&trace).arg(env!("CARGO_BIN_EXE_threadbare"));
    command.args(["--port", "0", "--bind", "127.0.0.1", "--access-log"]).arg(&access_log).arg(&root);
    command.env("NOTIFY_SOCKET", scratch.path().join("missing"));
    let mut process = Process::of(command, Log::Read);
    let mut client = process.client();
    for _ in 0..3 {
        client.send(GET);
        assert_eq!(client.answer().text(), "0123456789");
    }
    for target in ["/", "/big", "/missing", "/echo", "/health"] {
        process.get(target);
    }
    let server = Pid::from_raw(child_of(process.pid()).try_into().unwrap()).unwrap();
    fs::rename(&access_log, scratch.path().join("old")).unwrap();
    kill_process(server, Signal::HUP).unwrap();
    process.wait_until("the log is there again", |_| access_log.exists());
    kill_process(server, Signal::TERM).unwrap();
    process.wait(PATIENCE);

    let trace = fs::read_to_string(trace).unwrap();
    // PID call(…
    let calls: BTreeSet<&str> =
        trace.lines().filter_map(|line| line.split_once(' ')?.1.trim_start().split_once('(')).map(|call| call.0).collect();
    let calls: BTreeSet<&str> = calls
        .into_iter()
        .filter(|call| call.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'))
        .collect();
    assert!(calls.contains("openat2") && calls.contains("accept4") && calls.contains("landlock_restrict_self"), "{calls:?}");
    let allowed = allowed();
    let forbidden: Vec<_> = calls.iter().filter(|call| !allowed.contains(**call)).collect();
    assert!(forbidden.is_empty(), "the unit forbids {forbidden:?}");
    assert!(!allowed.contains("mount") && !allowed.contains("ptrace") && !allowed.contains("setuid"), "it forbids something");
}

/// The calls that the filters of the unit leave.
fn allowed() -> BTreeSet<String> {
    let service = fs::read_to_string(SERVICE).unwrap();
    let mut allowed = BTreeSet::new();
    for line in service.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (words, is_taken) = line.strip_prefix('~').map_or((line, false), |words| (words, true));
        for call in words.split(' ').flat_map(calls_of) {
            if is_taken {
                allowed.remove(&call);
            } else {
                allowed.insert(call);
            }
        }
    }
    // systemd itself must be able to start the program, whatever is said.
    allowed.extend(calls_of("@default"));
    allowed
}

/// The calls of a set, and of the sets in it; or the one of that name.
fn calls_of(name: &str) -> Vec<String> {
    if !name.starts_with('@') {
        return vec![name.to_owned()];
    }
    let (text, success) = said(Command::new("systemd-analyze").args(["syscall-filter", "--no-pager", name]));
    assert!(success, "{text}");
    let lines = text.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.flat_map(calls_of).collect()
}

fn site() -> (Scratch, PathBuf) {
    let scratch = Scratch::new();
    let root = scratch.path().join("site");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("ten.txt"), "0123456789").unwrap();
    fs::write(root.join("big"), vec![b'x'; 3_000_000]).unwrap();
    (scratch, root)
}
