//! What is logged, and what if nobody reads it?
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;

use std::net::Shutdown;
use std::time::{Duration, Instant};

use process::{GET, Log, PATIENCE, Process, Scratch, command, served};
use rustix::process::Signal;

#[test]
fn a_request_is_one_printable_line_whatever_its_bytes() {
    let (_scratch, mut process) = served(&["-vv"]);
    let every_byte: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
    let requests: [&[u8]; 6] = [
        b"GET /a\"b\\c HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\x1b]0;title\x07\x1b[2J HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /%0d%0a127.0.0.1%20-%20- HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\rGET /forged HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \x1b[31m\xff\x00\r\n\r\n",
        &[b"GET /", &every_byte[..], b" HTTP/1.1\r\nHost: localhost\r\n\r\n"].concat(),
    ];
    for request in requests {
        let mut client = process.client();
        client.send(request);
        client.stream.get_ref().shutdown(Shutdown::Write).unwrap();
        let answer = client.rest();
        assert!(answer.starts_with(b"HTTP/1.1 4"), "{}", answer.escape_ascii());
    }
    process.signal(Signal::TERM);
    process.wait(PATIENCE);
    let log = process.log_lines();
    for line in &log {
        // Our own words may cite a section.
        let line = line.replace("\u{c2}\u{a7}", "");
        assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line:?}");
    }
    let access: Vec<_> = log.iter().filter(|line| line.starts_with("127.0.0.1 - - [")).collect();
    assert_eq!(access.len(), requests.len(), "{access:#?}");
    assert!(access.iter().all(|line| line.is_ascii()), "{access:#?}");
    assert!(access[0].contains(r#"] "GET /a\"b\\c HTTP/1.1" 4"#), "{access:#?}");
    for line in access {
        let (_, after) = line.rsplit_once("\" ").unwrap();
        let [status, bytes, seconds] = after.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert!(status.parse::<u16>().is_ok() && bytes.parse::<u64>().is_ok() && seconds.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn quiet_is_no_access_log() {
    for (options, want) in [(&["-q"][..], 0), (&["--quiet"], 0), (&["-q", "-v"], 0), (&[], 3)] {
        let (_scratch, mut process) = served(options);
        for target in ["/ten.txt", "/missing", "/echo"] {
            process.get(target);
        }
        process.signal(Signal::TERM);
        process.wait(PATIENCE);
        let log = process.log_lines();
        assert_eq!(log.iter().filter(|line| line.contains("HTTP/1.1\"")).count(), want, "{options:?}: {log:#?}");
    }
}

#[test]
fn a_log_that_nobody_reads_holds_nobody_up() {
    let scratch = Scratch::new();
    scratch.file("ten.txt", "0123456789");
    let mut process = Process::of(command(&["-v"], &scratch), Log::Unread);
    let mut client = process.client();
    let batch = GET.repeat(100);
    for _ in 0..200 {
        client.send(&batch);
        for _ in 0..100 {
            assert_eq!(client.answer().content, b"0123456789");
        }
    }
    let began = Instant::now();
    process.signal(Signal::TERM);
    assert_eq!(process.wait(PATIENCE).code(), Some(0), "nor the end");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn a_log_that_is_closed_is_no_reason_to_stop() {
    // A terminal that has been closed.
    let scratch = Scratch::new();
    let mut process = Process::of(command(&["-v"], &scratch), Log::Closed);
    for _ in 0..50 {
        assert_eq!(process.get("/health").status, 200);
    }
    process.signal(Signal::TERM);
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
}
