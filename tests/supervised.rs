//! What does the server tell its supervisor? With a socket such as systemd has.
#![cfg(target_os = "linux")]

#[path = "support/process.rs"]
mod process;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::process::{Command, Stdio};

use process::{Log, PATIENCE, Process, Scratch, command};
use rustix::process::{Pid, Signal, kill_process};

/// A server whose supervisor listens at `name`.
fn supervised(name: &OsStr, options: &[&str]) -> (Scratch, Process) {
    let scratch = Scratch::new();
    scratch.file("ten.txt", "0123456789");
    let mut command = command(options, &scratch);
    command.env("NOTIFY_SOCKET", name);
    let process = Process::of(command, Log::Read);
    (scratch, process)
}

/// The first line of what the supervisor hears next.
fn heard(supervisor: &UnixDatagram) -> String {
    let mut bytes = [0; 1000];
    supervisor.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = supervisor.recv(&mut bytes).unwrap();
    let text = std::str::from_utf8(&bytes[..length]).unwrap();
    if text.starts_with("RELOADING=1\n") {
        let micros = text.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
        assert!(micros.parse::<u64>().unwrap() > 0, "{text}");
    }
    text.lines().next().unwrap().to_owned()
}

#[test]
fn a_supervisor_hears_of_the_beginning_and_of_the_end() {
    let place = Scratch::new();
    let path = place.path().join("notify");
    let name = format!("threadbare-{}", std::process::id());
    let with_path = UnixDatagram::bind(&path).unwrap();
    let with_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    for (supervisor, name) in [(with_path, path.into_os_string()), (with_name, format!("@{name}").into())] {
        let (_scratch, mut process) = supervised(&name, &["--drain", "3600"]);
        assert_eq!(heard(&supervisor), "READY=1");
        assert_eq!(process.get("/ten.txt").text(), "0123456789", "it listens when it says so");
        process.signal(Signal::HUP);
        assert_eq!([heard(&supervisor), heard(&supervisor)], ["RELOADING=1", "READY=1"], "no reason to end");
        process.signal(Signal::TERM);
        assert_eq!(heard(&supervisor), "STOPPING=1");
        assert_eq!(process.get("/ten.txt").text(), "0123456789", "at the first signal, not at the end");
        process.wait_for_log("send the signal again to exit immediately");
        process.signal(Signal::TERM);
        assert_eq!(process.wait(PATIENCE).code(), Some(143));
    }
}

#[test]
fn a_reload_opens_the_log_file_anew() {
    let place = Scratch::new();
    let (path, log) = (place.path().join("notify"), place.path().join("log"));
    let supervisor = UnixDatagram::bind(&path).unwrap();
    let (_scratch, process) = supervised(path.as_os_str(), &["--access-log", log.to_str().unwrap()]);
    assert_eq!(heard(&supervisor), "READY=1");
    fs::rename(&log, log.with_extension("1")).unwrap();
    process.signal(Signal::HUP);
    assert_eq!([heard(&supervisor), heard(&supervisor)], ["RELOADING=1", "READY=1"]);
    process.wait_until("the file is there again", |_| log.exists());
}

#[test]
fn a_supervisor_that_cannot_be_reached_is_no_reason_not_to_serve() {
    let place = Scratch::new();
    let (_scratch, process) = supervised(place.path().join("missing").as_os_str(), &[]);
    assert_eq!(process.get("/ten.txt").status, 200);
    process.wait_for_log("cannot connect to $NOTIFY_SOCKET");
}

/// What a supervisor may hand over as its only descriptor, and what becomes of it.
#[test]
fn what_is_handed_over_must_listen() {
    let place = Scratch::new();
    let (client, _server) = UnixStream::pair().unwrap();
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    let at_path = UnixListener::bind(place.path().join("socket")).unwrap();
    let handed: &[(OwnedFd, &str, &str)] = &[
        (listening.into(), "serving ", "a socket of the network"),
        (at_path.into(), "serving ", "a socket in the file system"),
        (fs::File::open("/dev/null").unwrap().into(), "not a stream socket", "a file"),
        (UdpSocket::bind("127.0.0.1:0").unwrap().into(), "not a stream socket", "ListenDatagram="),
        (client.into(), "not a listening socket", "Accept=yes"),
    ];
    for (descriptor, want, why) in handed {
        let scratch = Scratch::new();
        // A shell, for only a shell knows its own number in time.
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@""#, "sh"]);
        shell.arg(env!("CARGO_BIN_EXE_threadbare")).arg(scratch.path()).stdin(descriptor.try_clone().unwrap());
        let left = ended_or_serving(&mut shell);
        assert!(left.contains(want), "{why}: {left}");
    }
}

/// Its first line, on whichever stream; if it serves, it is ended.
fn ended_or_serving(command: &mut Command) -> String {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    if line.is_empty() {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        return String::from_utf8(output.stderr).unwrap();
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    line
}

/// The scheduling policy of each thread of a process.
fn policies(pid: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let stats = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("stat")).unwrap());
    // Field 41 of proc_pid_stat(5); the name of the program, which may contain spaces, is field 2.
    stats.map(|stat| stat.rsplit_once(')').unwrap().1.split_whitespace().nth(38).unwrap().to_owned()).collect()
}

#[test]
fn all_threads_are_scheduled_as_batch_unless_a_nice_value_was_chosen() {
    const OTHER: &str = "0";
    const BATCH: &str = "3";
    if policies(std::process::id())[0] != OTHER || rustix::process::getpriority_process(None).unwrap() != 0 {
        eprintln!("SKIPPED: these tests run with a scheduling policy or nice value of their own");
        return;
    }
    for (nice, expected) in [("0", BATCH), ("5", OTHER)] {
        let scratch = Scratch::new();
        scratch.file("ten.txt", "0123456789");
        let server = command(&[], &scratch);
        let mut niced = Command::new("nice");
        niced.args(["-n", nice]).arg(server.get_program()).args(server.get_args());
        let process = Process::of(niced, Log::Read);
        assert_eq!(process.get("/ten.txt").text(), "0123456789");
        let all = policies(process.pid());
        assert!(all.len() > 1 && all.iter().all(|policy| policy == expected), "nice {nice}: {all:?}");
    }
}
