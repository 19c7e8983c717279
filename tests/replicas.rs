//! Do two servers of two copies of the same files give the same responses?
//!
//! A balancer sends one request here and the next one there. What the first has said must be true at the second: its tags, its dates,
//! its ranges.
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use process::{Answer, Process, Scratch};

/// Length and time to the nanosecond: what is lost of it on the way makes another version.
const WRITTEN: Duration = Duration::new(1_577_934_245, 123_456_789);

/// The files that each replica has; `page.html.gz` is a form of `page.html`, and need not be gzip here.
const FILES: [&str; 4] = ["ten.txt", "page.html", "page.html.gz", "empty"];

/// By what copies are made that keep the times.
const COPIERS: [&[&str]; 2] = [&["cp", "-pR"], &["rsync", "-a"]];

/// A directory of some age.
fn original() -> Scratch {
    let scratch = Scratch::new();
    for (name, content) in FILES.into_iter().zip(["0123456789", "<title>page</title>", "packed", ""]) {
        let file = fs::File::options().append(true).open(scratch.file(name, content)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + WRITTEN).unwrap();
    }
    scratch
}

/// Copies what is in a directory into an empty one; `false`, and a word about it, without the tool.
fn copy(copier: &[&str], from: &Path, to: &Path) -> bool {
    let mut command = Command::new(copier[0]);
    command.args(&copier[1..]).arg(from.join(".")).arg(to);
    match command.status() {
        Ok(status) => assert!(status.success(), "{command:?}: {status}"),
        Err(error) => {
            // Past the harness, which would keep it to itself.
            let _ = writeln!(io::stderr(), "SKIPPED: no {} here, so copies by it are not tried: {error}", copier[0]);
            return false;
        }
    }
    true
}

fn replica(directory: &Scratch) -> Process {
    Process::start(&["--quiet".as_ref(), "--precompressed".as_ref(), directory.path().as_os_str()])
}

fn ask(process: &Process, target: &str, line: &str) -> Answer {
    let mut client = process.client();
    client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{line}Connection: close\r\n\r\n").as_bytes());
    client.answer()
}

/// Status line, fields and content of an answer, all but what the clock says.
fn shown(answer: &Answer) -> (String, Vec<u8>) {
    let lines = answer.head.split("\r\n").filter(|line| !line.starts_with("Date: "));
    (lines.collect::<Vec<_>>().join("\n"), answer.content.clone())
}

#[test]
fn copies_have_the_same_tags_and_dates() {
    let first = original();
    let here = replica(&first);
    let mut tried = 0;
    for copier in COPIERS {
        let second = Scratch::new();
        if !copy(copier, first.path(), second.path()) {
            continue;
        }
        tried += 1;
        let there = replica(&second);
        for name in FILES {
            let inode = |scratch: &Scratch| fs::metadata(scratch.path().join(name)).unwrap().ino();
            assert_ne!(inode(&first), inode(&second), "a file of its own");
        }
        for name in FILES {
            let target = format!("/{name}");
            for line in ["", "Accept-Encoding: gzip\r\n"] {
                let (one, other) = (ask(&here, &target, line), ask(&there, &target, line));
                assert_eq!(shown(&one), shown(&other), "{copier:?} {target} {line:?}");
                let tag = one.field("ETag").unwrap();
                assert!(tag.starts_with('"'), "a strong one: {tag}");
                assert_eq!(one.field("Last-Modified"), Some("Thu, 02 Jan 2020 03:04:05 GMT"), "{target}");
                assert_eq!(one.field("Age"), None, "nothing is older here than there");
                let again = format!("{line}If-None-Match: {tag}\r\n");
                assert_eq!(ask(&there, &target, &again).status, 304, "{copier:?} {target}: the tag of one at the other");
            }
        }
        let tag = ask(&here, "/ten.txt", "").field("ETag").unwrap().to_owned();
        let part = ask(&there, "/ten.txt", &format!("Range: bytes=5-\r\nIf-Range: {tag}\r\n"));
        assert_eq!((part.status, part.text()), (206, "56789"), "{copier:?}: a download that began at the other goes on");
    }
    assert!(tried > 0);
}

#[test]
fn a_copy_that_has_lost_its_time_is_another_version() {
    // Else a tag would not tell one version from the next of the same length.
    let (first, second) = (original(), original());
    let file = fs::File::options().append(true).open(second.path().join("ten.txt")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + WRITTEN + Duration::from_nanos(1)).unwrap();
    let (here, there) = (replica(&first), replica(&second));
    let tags = [&here, &there].map(|process| ask(process, "/ten.txt", "").field("ETag").unwrap().to_owned());
    assert_ne!(tags[0], tags[1]);
    assert_eq!(ask(&there, "/ten.txt", &format!("If-None-Match: {}\r\n", tags[0])).status, 200);
    let whole = ask(&there, "/ten.txt", &format!("Range: bytes=5-\r\nIf-Range: {}\r\n", tags[0]));
    assert_eq!((whole.status, whole.text()), (200, "0123456789"), "no part of one is put to a part of the other");
}
