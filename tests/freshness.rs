//! Is what is sent ever older than the file? Files in memory that change, in every way in which files change.
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use process::{Scratch, served};
use threadbare::cli::Cli;
use threadbare::files::Site;
use threadbare::files::representation::FileSource;
use threadbare::handlers;
use threadbare::handlers::AppState;
use threadbare::handlers::message::{Body, Request};
use threadbare::http::forwarded::{Client, PeerAddr};
use threadbare::http::framing::BodyLength;
use threadbare::http::request::{HeadLimits, RequestParser};
use threadbare::http::target::RequestTarget;
use threadbare::net::budget::MemoryBudget;

fn app(root: &Path) -> AppState {
    app_with(root, "--quiet")
}

fn app_with(root: &Path, option: &str) -> AppState {
    let cli = Cli::try_parse_from(["threadbare", option, root.to_str().unwrap()]).unwrap();
    let config = cli.config();
    let site = Site::open(&config).unwrap();
    AppState::new(config, site, None)
}

/// Where an answer came from, and its content; or its status.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    FromMemory(String),
    FromTheFile(String),
    Status(u16),
}

/// How long after a write a file counts as settled.
const SETTLED: Duration = Duration::from_secs(63);

/// Asks for a path when what has just been written counts as settled.
fn ask(app: &AppState, path: &str) -> Came {
    ask_for(app, path, "", SETTLED).0
}

/// Asks with further field lines, `later` after now; returns also the coding of the answer.
fn ask_for(app: &AppState, path: &str, lines: &str, later: Duration) -> (Came, Option<String>) {
    let head = format!("GET {path} HTTP/1.0\r\n{lines}\r\n");
    let mut parser = RequestParser::new(HeadLimits::default());
    parser.parse(head.as_bytes()).unwrap();
    let head = parser.head(head.as_bytes()).unwrap();
    let (from, target) = (Client::from_peer(PeerAddr::unix()), RequestTarget::parse(&head).unwrap());
    let mut request = Request {
        peer: from.peer,
        client: &from,
        head: &head,
        target: &target,
        body_length: BodyLength::None,
        content: &mut std::io::empty(),
        memory: &mut MemoryBudget::new(usize::MAX).hold_none(None),
        decisions: None,
    };
    let response = handlers::dispatch(&mut request, app, SystemTime::now() + later);
    let coding = response.fields.first("Content-Encoding").map(str::to_owned);
    let came = match response.body {
        Body::Slice(FileSource::Memory(cached), _) => Came::FromMemory(String::from_utf8(cached.content.to_vec()).unwrap()),
        Body::Slice(FileSource::Disk(mut open), _) => {
            let mut text = String::new();
            open.file.read_to_string(&mut text).unwrap();
            Came::FromTheFile(text)
        }
        _ => Came::Status(response.status.as_u16()),
    };
    (came, coding)
}

fn kept(text: &str) -> Came {
    Came::FromMemory(text.to_owned())
}

#[test]
fn the_next_request_sees_a_change() {
    let scratch = Scratch::new();
    let at = |name: &str| scratch.path().join(name);
    fs::create_dir(at("d")).unwrap();
    let app = app(scratch.path());
    for round in 0..500 {
        // Each is longer than the one before: that a change of the same length within one tick of the clock is seen as well is for the
        // clock, and `FileVersion::is_stable` waits for it.
        let text = "x".repeat(round);
        fs::write(at("d/file"), &text).unwrap();
        assert_eq!(ask(&app, "/d/file"), kept(&text), "written in place, round {round}");
        assert_eq!(ask(&app, "/d/file"), kept(&text), "and again");
        fs::write(at("new"), format!("new{text}")).unwrap();
        fs::rename(at("new"), at("d/file")).unwrap();
        assert_eq!(ask(&app, "/d/file"), kept(&format!("new{text}")), "another file in its place, round {round}");
    }
    let times = fs::metadata(at("d/file")).unwrap().modified().unwrap();
    fs::write(at("d/file"), "a wholly different text").unwrap();
    fs::File::options().append(true).open(at("d/file")).unwrap().set_modified(times).unwrap();
    assert_eq!(ask(&app, "/d/file"), kept("a wholly different text"), "its time set back");
    fs::remove_file(at("d/file")).unwrap();
    assert_eq!(ask(&app, "/d/file"), Came::Status(404), "removed");
}

#[test]
fn what_may_not_be_served_any_more_is_not_served_from_memory() {
    let scratch = Scratch::new();
    let at = |name: &str| scratch.path().join(name);
    fs::create_dir_all(at("root/d")).unwrap();
    fs::write(at("root/d/file"), "text").unwrap();
    fs::write(at("root/top"), "top").unwrap();
    let app = app(&at("root"));
    assert_eq!((ask(&app, "/d/file"), ask(&app, "/top")), (kept("text"), kept("top")));
    fs::rename(at("root/d"), at("d")).unwrap();
    symlink(at("d"), at("root/d")).unwrap();
    assert_eq!(ask(&app, "/d/file"), Came::Status(404), "the very file, behind a link that leaves the root");
    fs::remove_file(at("root/d")).unwrap();
    fs::rename(at("d"), at("root/e")).unwrap();
    symlink("e", at("root/d")).unwrap();
    assert_eq!(ask(&app, "/d/file"), Came::FromTheFile("text".to_owned()), "behind a link that stays: opened, and not kept");
    assert_eq!(ask(&app, "/e/file"), kept("text"), "by its own name");
    fs::rename(at("root/top"), at("top")).unwrap();
    symlink("../top", at("root/top")).unwrap();
    assert_eq!(ask(&app, "/top"), Came::Status(404), "a file that is a link now");
    fs::rename(at("root/e"), at("root/.e")).unwrap();
    assert_eq!(ask(&app, "/.e/file"), Came::Status(404), "hidden");
    assert_eq!(ask(&app, "/e/file"), Came::Status(404), "and gone from where it was");
}

#[test]
fn a_form_is_never_of_an_earlier_version_than_its_file() {
    let scratch = Scratch::new();
    let app = app_with(scratch.path(), "--precompressed");
    // The clock of the file system has steps in which two writes may fall: here each has a second of its own.
    let mut second = 0;
    let mut write = |name: &str, text: &str| {
        second += 1;
        fs::write(scratch.path().join(name), text).unwrap();
        let file = fs::File::options().append(true).open(scratch.path().join(name)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(second)).unwrap();
    };
    let gzip = |path: &str| ask_for(&app, path, "Accept-Encoding: gzip\r\n", SETTLED);
    let coded = |text: &str| (kept(text), Some("gzip".to_owned()));
    for round in 0..200 {
        let (plain, form) = (format!("plain {round}"), format!("form {round}"));
        write("app.js", &plain);
        assert_eq!(gzip("/app.js"), (kept(&plain), None), "the form is of round {round} - 1");
        write("app.js.gz", &form);
        for _ in 0..2 {
            assert_eq!(gzip("/app.js"), coded(&form), "there is a form again");
            assert_eq!(gzip("/app.js.gz"), (kept(&form), None), "the same bytes in memory, as a file of their own");
            assert_eq!(ask_for(&app, "/app.js", "", SETTLED), (kept(&plain), None), "the client accepts no other form");
        }
    }
    fs::remove_file(scratch.path().join("app.js.gz")).unwrap();
    assert_eq!(gzip("/app.js"), (kept("plain 199"), None), "without its form");
    write("app.js.gz", "form");
    assert_eq!(gzip("/app.js"), coded("form"));
    fs::remove_file(scratch.path().join("app.js")).unwrap();
    assert_eq!(gzip("/app.js").0, Came::Status(404), "a form in memory, and no file");
    write("app.js", "plain");
    symlink("/etc/hostname", scratch.path().join("new")).unwrap();
    fs::rename(scratch.path().join("new"), scratch.path().join("app.js.gz")).unwrap();
    assert_eq!(gzip("/app.js"), (kept("plain"), None), "the form is a link out of the root now");
}

#[test]
fn a_file_that_is_written_through_a_shared_mapping_is_never_seen_old() {
    // Linux sets the times when it is first written, and not again until the page has been written back.
    const WRITER: &str = "import mmap, sys\nfile = open(sys.argv[1], 'r+b')\nmap = mmap.mmap(file.fileno(), 0)\n\
                          for line in sys.stdin:\n    map[:8] = line.strip().encode()\n    print(flush=True)";
    let scratch = Scratch::new();
    let path = scratch.path().join("mapped");
    fs::write(&path, "00000000").unwrap();
    let mut python = Command::new("python3");
    let Ok(mut writer) = python.args(["-c", WRITER]).arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else {
        eprintln!("SKIPPED: no python3, so no file is written through a mapping");
        return;
    };
    let (mut input, mut written) = (writer.stdin.take().unwrap(), BufReader::new(writer.stdout.take().unwrap()).lines());
    let app = app(scratch.path());
    for number in 0..5_u32 {
        let text = format!("{number:08}");
        writeln!(input, "{text}").unwrap();
        written.next().unwrap().unwrap();
        for _ in 0..2 {
            let came = ask_for(&app, "/mapped", "", Duration::from_secs(3)).0;
            assert_eq!(came, Came::FromTheFile(text.clone()), "write {number}, three seconds later");
        }
    }
    drop(input);
    writer.wait().unwrap();
}

#[test]
fn a_file_that_is_rewritten_all_the_time_is_never_seen_old() {
    let (scratch, process) = served(&["--quiet"]);
    let path = scratch.path().join("counter");
    let mut client = process.client();
    for number in 0..3000_u32 {
        // Of one length, in place: only the clock tells them apart.
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(format!("{number:08}").as_bytes()).unwrap();
        drop(file);
        client.send(b"GET /counter HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(client.answer().text(), format!("{number:08}"));
    }
    // A settled one, as any site has, and then changed under us.
    fs::File::options().append(true).open(&path).unwrap().set_modified(UNIX_EPOCH).unwrap();
    client.send(b"GET /counter HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.answer().text(), "00002999");
}
