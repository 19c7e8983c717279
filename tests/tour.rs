//! Is what README, the guide and the book show still what comes back?
//!
//! Each `text` block that begins with `$ curl`, `$ printf` or `$ echo` is a transcript: a command, and its output. The command is run against the real
//! program on a copy of `tests/site`, and what differs each time (dates, ports, boundaries) is masked on both sides. A block that begins with
//! `$ threadbare` and shows the ready line starts the server for the transcripts that follow.
//! `UPDATE_TOUR=1 cargo test --test tour` writes into the documents what has changed.

#[path = "support/process.rs"]
mod process;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use process::{Log, Process, Scratch, address};
use support::server::Server;
use support::site::TestSite;

const BEGIN: &str = "```text\n$ ";
const END: &str = "\n```\n";

/// What a line begins with, whose rest differs each time.
const VOLATILE: &[&str] = &["Date: ", "peer: ", "field: User-Agent: ", "Content-Type: multipart/byteranges; boundary="];

/// What a listing in JSON says of a directory, before it says when it last changed.
const DIRECTORY: &str = "\"type\":\"directory\",\"size\":null,\"modified\":";

/// A command that was typed, and what was shown below it.
#[derive(Debug, PartialEq, Eq)]
struct Transcript<'a> {
    command: &'a str,
    shown: &'a str,
}

/// The transcripts of a document, in order.
fn transcripts(text: &str) -> Vec<Transcript<'_>> {
    let blocks =
        text.match_indices(BEGIN).filter_map(|(at, mark)| text[at + mark.len()..].split_once(END).map(|(block, _)| block));
    let all = blocks.map(|block| {
        let (command, shown) = block.split_once('\n').unwrap_or((block, ""));
        Transcript { command, shown }
    });
    let starts =
        |transcript: &Transcript| transcript.command.starts_with("threadbare ") && transcript.shown.starts_with("serving ");
    let asks = |transcript: &Transcript| ["curl ", "printf ", "echo "].iter().any(|word| transcript.command.starts_with(word));
    all.filter(|transcript| starts(transcript) || asks(transcript)).collect()
}

/// A transcript as it stands in a document.
fn block(command: &str, shown: &str) -> String {
    let between = if shown.is_empty() { "" } else { "\n" };
    [BEGIN, command, between, shown, END].concat()
}

/// An output without what differs each time, and without CR, which is invisible in a document.
fn masked(output: &str) -> String {
    let mut out = String::new();
    for line in output.replace('\r', "").trim_end().lines() {
        let volatile = VOLATILE.iter().find(|start| line.starts_with(**start));
        // The line between two parts is `--` and 32 random digits.
        let is_boundary = line.starts_with("--") && line[2..].trim_end_matches("--").chars().all(|c| c.is_ascii_hexdigit());
        // A directory of a listing has changed when the copy was made.
        let directory = line.split_once(DIRECTORY);
        match (volatile, directory) {
            (Some(start), _) => out.push_str(start),
            (None, Some((name, _))) => out.extend([name, DIRECTORY]),
            (None, None) if is_boundary => out.push_str("--"),
            (None, None) => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = vec![root.join("README.md")];
    for folder in ["docs", "docs/book", "docs/guide", "docs/reference"] {
        let files = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        all.extend(files.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    }
    all.sort();
    all
}

/// Which of the tools that a command needs are not here.
fn missing(command: &str) -> Vec<&'static str> {
    let is_there = |tool: &str| {
        let looked =
            Command::new("sh").args(["-c", &format!("command -v {tool}")]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        looked.is_ok_and(|status| status.success())
    };
    let mut missing: Vec<_> = ["curl", "nc", "od", "dd"]
        .into_iter()
        .filter(|tool| command.split(' ').any(|word| word == *tool) && !is_there(tool))
        .collect();
    // Only the one of OpenBSD ends what it sends when told to.
    let says_n =
        || Command::new("nc").arg("-h").output().is_ok_and(|help| String::from_utf8_lossy(&help.stderr).contains("[-46CDdFhklN"));
    if command.contains("nc -N") && missing.is_empty() && !says_n() {
        missing.push("the nc of OpenBSD");
    }
    missing
}

/// What a command says when the server listens on that port.
fn said(command: &str, port: &str) -> String {
    let command =
        command.replace("localhost:8000", &format!("localhost:{port}")).replace("localhost 8000", &format!("localhost {port}"));
    let command = command.replace("127.0.0.1:8000", &format!("127.0.0.1:{port}"));
    // Its standard error is what curl says of its progress.
    let output = Command::new("sh")
        .args(["-c", &command])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("LC_ALL", "C")
        .env_remove("http_proxy")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().replace(&format!("localhost:{port}"), "localhost:8000")
}

/// Starts the server of a transcript, and returns it with the ready line as a document shows it.
///
/// The directory is called `./site` there, and lies in `/srv`.
fn start(command: &str, site: &Path, scratch: &Scratch) -> (Process, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    server.args(["--port", "0"]);
    for word in command.split(' ').skip(1) {
        match word {
            "./site" => server.arg(site),
            "report.html" => server.arg(scratch.file("report.html", "<h1>Report</h1>")),
            "passwords" => server.arg(scratch.file("passwords", "ada:secret")),
            _ => server.arg(word),
        };
    }
    let process = Process::of(server, Log::Read);
    let ready = process.ready.replace(address(&process.ready), "localhost:8000");
    let ready = ready.replace(site.to_str().unwrap(), "/srv/site").replace(scratch.path().to_str().unwrap(), "/srv");
    (process, ready)
}

#[test]
fn what_is_shown_is_what_comes_back() {
    let (site, scratch) = (TestSite::new(), Scratch::new());
    let server = Server::start(&site.root(), &[]);
    let (mut offences, mut skipped, mut count) = (Vec::new(), BTreeSet::new(), 0);
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        let mut mended = text.clone();
        let mut started: Option<Process> = None;
        for Transcript { command, shown } in transcripts(&text) {
            count += 1;
            if command.starts_with("threadbare ") {
                // The other lines depend on the addresses of the machine.
                let (process, ready) = start(command, &site.root(), &scratch);
                let first = shown.lines().next().unwrap();
                if ready != first {
                    offences.push(format!("{}: $ {command}\n{ready}\n-- but it shows\n{first}\n", path.display()));
                }
                started = Some(process);
                continue;
            }
            let address = started.as_ref().map_or(server.address.as_str(), |process| address(&process.ready));
            let port = address.rsplit(':').next().unwrap();
            let missing = missing(command);
            if !missing.is_empty() {
                skipped.extend(missing);
                continue;
            }
            let said = said(command, port);
            if masked(&said) == masked(shown) {
                continue;
            }
            let said = said.replace('\r', "").trim_end().to_owned();
            mended = mended.replace(&block(command, shown), &block(command, &said));
            offences.push(format!("{}: $ {command}\n{said}\n-- but it shows\n{shown}\n", path.display()));
        }
        if mended != text && std::env::var_os("UPDATE_TOUR").is_some() {
            fs::write(&path, mended).unwrap();
            offences.clear();
        }
    }
    for tool in skipped {
        eprintln!("SKIPPED: transcripts that need {tool}, which is not here");
    }
    assert!(count > 30, "these are not all: {count}");
    assert!(offences.is_empty(), "\n{}\n`UPDATE_TOUR=1 cargo test --test tour` mends it\n", offences.join("\n"));
}

#[test]
fn what_is_a_transcript() {
    let text = "```text\n$ curl a\none\n\ntwo\n```\n\n```text\n$ threadbare --help\nno\n```\n\n```text\n$ printf x\n```\n";
    let want = [Transcript { command: "curl a", shown: "one\n\ntwo" }, Transcript { command: "printf x", shown: "" }];
    assert_eq!(transcripts(text), want);
}

#[test]
fn what_is_masked() {
    for (one, other, same, why) in [
        ("Date: a\r\nX: b\r\n", "Date: c\nX: b", true, "the time, CR, and the end"),
        ("X: a", "X: b", false, "a field that is the same each time"),
        ("--0a1b\nx", "--2c3d\nx", true, "the line between two parts"),
        ("--0a1b\nx", "--0a1b\ny", false, "what is in a part"),
        (&format!("a{DIRECTORY}1"), &format!("a{DIRECTORY}2"), true, "when a directory has changed"),
        (&format!("a{DIRECTORY}1"), &format!("b{DIRECTORY}1"), false, "its name"),
    ] {
        assert_eq!(masked(one) == masked(other), same, "{one:?} and {other:?}: {why}");
    }
}
