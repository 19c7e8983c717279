//! What shows only in a process: how does it stop, what may a client do to it, and what does it log?
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use process::{Client, Log, PATIENCE, Process, Scratch, child_of};
use rustix::process::Signal;

const MIB: u64 = 1024 * 1024;
const GET: &[u8] = b"GET /ten.txt HTTP/1.1\r\nHost: a\r\n\r\n";

/// A directory with `ten.txt` in it, and a server of it.
fn served(options: &[&str]) -> (Scratch, Process) {
    let scratch = Scratch::new();
    scratch.file("ten.txt", "0123456789");
    let args: Vec<_> =
        options.iter().map(|option| OsString::from(*option)).chain([scratch.path().as_os_str().to_owned()]).collect();
    let process = Process::start(&args);
    (scratch, process)
}

/// The same, not started yet.
fn command(options: &[&str], scratch: &Scratch) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    command.args(["--port", "0", "--bind", "127.0.0.1"]).args(options).arg(scratch.path());
    command
}

// ---- how it stops ----

#[test]
fn both_signals_end_it_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let (_scratch, mut process) = served(&[]);
        assert_eq!(process.get("/ten.txt").text(), "0123456789");
        process.signal(signal);
        assert_eq!(process.wait(PATIENCE).code(), Some(0), "{signal:?}");
        let log = process.log_lines();
        assert_eq!(log.last().map(String::as_str), Some("info: stopped"), "{log:?}");
        assert!(TcpStream::connect(&process.address).is_err(), "nobody listens any more");
    }
}

#[test]
fn idle_connections_do_not_delay_the_stop() {
    let (_scratch, mut process) = served(&[]);
    let mut idle: Vec<Client> = (0..20).map(|_| process.client()).collect();
    for client in &mut idle {
        client.send(GET);
        assert_eq!(client.answer().status, 200);
    }
    let began = Instant::now();
    process.signal(Signal::TERM);
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    for client in &mut idle {
        assert_eq!(client.rest(), b"", "its client sees the end, and no answer to a request that it has not sent");
    }
}

#[test]
fn connections_that_never_send_a_whole_head_delay_the_stop_little() {
    let (_scratch, mut process) = served(&[]);
    let silent = process.client();
    let mut slow = process.client();
    slow.send(b"GET /ten.txt HTTP/1.1\r\nHo");
    process.get("/ten.txt");
    let began = Instant::now();
    process.signal(Signal::TERM);
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    drop((silent, slow));
}

/// A client whose request is in flight: the handler has begun to read its content, and half of it is still to come.
fn in_flight(process: &Process) -> Client {
    let mut client = process.client();
    client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 100 Continue");
    client.send(b"first");
    client
}

#[test]
fn a_request_in_flight_is_answered() {
    let (_scratch, mut process) = served(&[]);
    let mut client = in_flight(&process);
    process.signal(Signal::TERM);
    process.wait_for_log("stopping");
    client.send(b"again");
    let answer = client.answer();
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("firstagain"), "{answer:?}");
    assert_eq!(answer.field("Connection"), Some("close"));
    assert_eq!(client.rest(), b"");
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
}

#[test]
fn a_download_in_flight_is_finished() {
    let (scratch, mut process) = served(&[]);
    sparse(&scratch, "big", 64 * MIB);
    let mut client = process.client();
    client.send(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    client.head();
    process.signal(Signal::TERM);
    process.wait_for_log("stopping");
    assert_eq!(read_up_to(&mut client, u64::MAX), 64 * MIB);
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
}

#[test]
fn a_second_signal_does_not_wait() {
    for (first, second) in [(Signal::TERM, Signal::TERM), (Signal::INT, Signal::INT), (Signal::TERM, Signal::INT)] {
        let (_scratch, mut process) = served(&[]);
        let _client = in_flight(&process);
        process.signal(first);
        process.wait_for_log("stopping");
        process.signal(second);
        assert_eq!(process.wait(Duration::from_secs(5)).code(), Some(130), "{first:?}, {second:?}");
    }
}

#[test]
fn a_request_that_never_ends_is_cut() {
    let (_scratch, mut process) = served(&[]);
    let _client = in_flight(&process);
    process.signal(Signal::TERM);
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
    let log = process.log_lines();
    assert!(log.iter().any(|line| line.contains("1 connections are cut")), "{log:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn pid_1_stops_too() {
    // The first process of a container has no default action for signals.
    let in_namespace = |words: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(words).args(["--fork", "--pid", "--mount-proc", "--kill-child"]);
        command
    };
    let ways = [&[][..], &["--user", "--map-root-user"]];
    let works = |way: &&&[&str]| in_namespace(way).arg("true").output().is_ok_and(|output| output.status.success());
    let Some(way) = ways.iter().find(works) else {
        eprintln!("SKIPPED: no PID namespace can be had here, so nothing is known about PID 1");
        return;
    };
    for signal in [Signal::TERM, Signal::INT] {
        let scratch = Scratch::new();
        let mut command = in_namespace(way);
        command.args([env!("CARGO_BIN_EXE_threadbare"), "--port", "0", "--bind", "127.0.0.1"]).arg(scratch.path());
        let mut process = Process::of(command, Log::Read);
        let inner = child_of(process.pid());
        let status = std::fs::read_to_string(format!("/proc/{inner}/status")).unwrap();
        assert!(status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1")), "{status}");
        rustix::process::kill_process(inner.try_into().map(|pid| rustix::process::Pid::from_raw(pid).unwrap()).unwrap(), signal)
            .unwrap();
        assert_eq!(process.wait(PATIENCE).code(), Some(0), "{signal:?}");
    }
}

// ---- what a client may do ----

#[test]
fn a_client_that_half_closes_gets_its_answers() {
    let (scratch, process) = served(&[]);
    sparse(&scratch, "big", 8 * MIB);
    let mut client = process.client();
    client.send(&[GET, b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n", GET].concat());
    client.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.answer().text(), "0123456789");
    assert_eq!(client.answer().content.len(), usize::try_from(8 * MIB).unwrap());
    assert_eq!(client.answer().text(), "0123456789");
    assert_eq!(client.rest(), b"");
}

#[test]
fn a_head_that_is_not_finished_in_time_is_answered_408() {
    let (_scratch, process) = served(&["--quiet"]);
    let mut slow = process.client();
    slow.send(&[GET, b"GET /ten.txt HTTP/1.1\r\nHo"].concat());
    assert_eq!(slow.answer().status, 200);
    let mut silent = process.client();
    let answer = slow.answer();
    assert_eq!((answer.status, answer.field("Connection")), (408, Some("close")), "{answer:?}");
    assert_eq!(slow.rest(), b"");
    assert_eq!(silent.rest(), b"", "there is nothing to answer to who has said nothing");
}

#[test]
fn a_client_that_is_still_sending_sees_the_whole_refusal() {
    let (_scratch, process) = served(&["--quiet"]);
    let content = vec![b'x'; 10 * 1024 * 1024];
    for round in 0..100 {
        let mut client = process.client();
        let mut writer = client.stream.get_ref().try_clone().unwrap();
        thread::scope(|scope| {
            let writing = scope.spawn(|| {
                let head = format!("POST /ten.txt HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", content.len());
                // The server need not take all of it.
                let _ = writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&content));
            });
            // Every other client looks for an answer only when it has sent all it has.
            if round % 2 == 1 {
                writing.join().unwrap();
            }
            let answer = client.answer();
            assert_eq!(answer.status, 405, "round {round}");
            assert!(answer.field("Allow").unwrap().contains("GET"), "round {round}: {answer:?}");
            assert_eq!(answer.field("Connection"), Some("close"), "round {round}");
            assert!(answer.text().ends_with('\n'), "round {round}: {answer:?}");
            assert_eq!(client.rest(), b"", "round {round}: one request, one answer");
        });
    }
}

#[test]
fn a_thousand_requests_in_one_write_are_answered_in_order() {
    let (scratch, process) = served(&["--quiet"]);
    for number in 0..7 {
        scratch.file(&format!("{number}.txt"), &format!("{number}").repeat(number * 3000 + 1));
    }
    let requests: String = (0..1000).map(|n| format!("GET /{}.txt HTTP/1.1\r\nHost: a\r\n\r\n", n * n % 7)).collect();
    let mut client = process.client();
    let mut writer = client.stream.get_ref().try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| writer.write_all(requests.as_bytes()).unwrap());
        for n in 0..1000 {
            let number = n * n % 7;
            assert_eq!(client.answer().text(), format!("{number}").repeat(number * 3000 + 1), "answer {n}");
        }
    });
    client.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.rest(), b"", "and no more");
}

// ---- files ----

/// A file of zeros that needs no space.
fn sparse(scratch: &Scratch, name: &str, length: u64) -> File {
    let file = File::create(scratch.path().join(name)).unwrap();
    file.set_len(length).unwrap();
    file
}

/// Reads until so many bytes have come or the connection has ended; how many came.
fn read_up_to(client: &mut Client, bytes: u64) -> u64 {
    let mut piece = vec![0; 256 * 1024];
    let mut total = 0;
    while total < bytes {
        match client.stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => total += u64::try_from(length).unwrap(),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("after {total} bytes: {error}"),
        }
    }
    total
}

#[test]
fn a_file_larger_than_memory_streams() {
    const LENGTH: u64 = 3 * 1024 * MIB;
    let (scratch, process) = served(&[]);
    let mut file = File::create(scratch.path().join("big")).unwrap();
    if let Err(error) = file.set_len(LENGTH) {
        eprintln!("SKIPPED: no sparse file of 3 GiB here: {error}");
        return;
    }
    file.seek(SeekFrom::End(-5)).unwrap();
    file.write_all(b"tail!").unwrap();

    let mut client = process.client();
    client.send(b"HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.head().ends_with("\r\nContent-Length: 3221225472"));
    for (range, content_range) in [
        ("-5", "bytes 3221225467-3221225471/3221225472"),
        ("3221225467-", "bytes 3221225467-3221225471/3221225472"),
        ("3221225467-18446744073709551615", "bytes 3221225467-3221225471/3221225472"),
    ] {
        client.send(format!("GET /big HTTP/1.1\r\nHost: a\r\nRange: bytes={range}\r\n\r\n").as_bytes());
        let answer = client.answer();
        assert_eq!((answer.status, answer.text()), (206, "tail!"), "{range}");
        assert_eq!(answer.field("Content-Range"), Some(content_range), "{range}");
    }
    client.send(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.head().ends_with("\r\nContent-Length: 3221225472"));
    assert!(read_up_to(&mut client, 64 * MIB) >= 64 * MIB);
    #[cfg(target_os = "linux")]
    {
        let kib = process.status_number("VmRSS");
        assert!(kib < 32 * 1024, "{kib} KiB in memory");
    }
    drop(client);
    assert_eq!(process.get("/ten.txt").status, 200);
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_ends_the_connection() {
    for rest in [0, 1000, 8 * MIB] {
        let (scratch, process) = served(&[]);
        let file = sparse(&scratch, "big", 64 * MIB);
        let mut client = process.client();
        client.send(&[b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n", GET].concat());
        assert!(client.head().ends_with("\r\nContent-Length: 67108864"));
        file.set_len(rest).unwrap();
        let received = read_up_to(&mut client, u64::MAX);
        assert!(received < 64 * MIB, "{received} bytes, of a file cut to {rest}");
        process.wait_for_log("GET /big");
        assert_eq!(process.get("/ten.txt").status, 200);
    }
}

#[test]
fn a_file_that_is_written_to_while_it_is_sent_ends_the_connection() {
    // Else the client would take a mixture of two files for one, under one entity tag.
    for (offset, why) in [(0, "overwritten"), (63 * MIB, "overwritten further on"), (64 * MIB, "appended to")] {
        let (scratch, process) = served(&[]);
        let mut file = sparse(&scratch, "big", 64 * MIB);
        let mut client = process.client();
        client.send(&[b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n", GET].concat());
        client.head();
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.write_all(b"new").unwrap();
        let received = read_up_to(&mut client, u64::MAX);
        assert!(received < 64 * MIB, "{received} bytes, of a file {why}");
    }
}

#[test]
fn a_file_that_is_replaced_by_another_is_sent_to_its_end() {
    // What rsync, package managers and careful editors do: the old file is whole, and open.
    let (scratch, process) = served(&[]);
    sparse(&scratch, "big", 64 * MIB);
    let mut client = process.client();
    client.send(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client.head();
    sparse(&scratch, "next", 3);
    std::fs::rename(scratch.path().join("next"), scratch.path().join("big")).unwrap();
    assert_eq!(read_up_to(&mut client, u64::MAX), 64 * MIB);
    assert_eq!(process.get("/big").content, [0; 3]);
}

#[test]
fn odd_times_are_times() {
    const YEAR: u64 = 31_556_952;
    let (scratch, process) = served(&[]);
    let times = [
        ("1901", UNIX_EPOCH.checked_sub(Duration::from_secs(69 * YEAR))),
        ("1600", UNIX_EPOCH.checked_sub(Duration::from_secs(370 * YEAR))),
        ("just before 1970", UNIX_EPOCH.checked_sub(Duration::from_nanos(1))),
        ("1970", Some(UNIX_EPOCH)),
        ("2039", UNIX_EPOCH.checked_add(Duration::from_secs(69 * YEAR))),
        ("2107", UNIX_EPOCH.checked_add(Duration::from_secs(137 * YEAR))),
        ("tomorrow", SystemTime::now().checked_add(Duration::from_secs(86_400))),
        ("10001", UNIX_EPOCH.checked_add(Duration::from_secs(8031 * YEAR))),
        ("300000", UNIX_EPOCH.checked_add(Duration::from_secs(298_030 * YEAR))),
    ];
    for (number, (year, time)) in times.into_iter().enumerate() {
        let name = format!("odd{number}.txt");
        let path = scratch.file(&name, "odd");
        let file = File::options().write(true).open(&path).unwrap();
        let Some(time) = time.filter(|time| file.set_modified(*time).is_ok()) else {
            eprintln!("SKIPPED: no file of the year {year} here");
            continue;
        };
        if file.metadata().unwrap().modified().unwrap() != time {
            eprintln!("the file system keeps another time for the year {year}");
        }
        let fields = [
            "",
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\nIf-None-Match: \"other\"\r\n",
            "Range: bytes=0-9\r\n",
            "If-None-Match: \"other\"\r\n",
        ];
        for fields in fields {
            let mut client = process.client();
            client.send(format!("GET /{name} HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes());
            let answer = client.answer();
            assert!(matches!(answer.status, 200 | 206) && answer.text() == "odd", "{year}, {fields:?}: {answer:?}");
            let modified = answer.field("Last-Modified");
            assert!(modified.is_none_or(|date| date.len() == 29), "{year}: {modified:?} is no HTTP date");
        }
        let listing = process.get("/");
        assert!(listing.status == 200 && listing.text().contains(&name), "{year}: {listing:?}");
    }
}

// ---- what it logs ----

#[test]
fn a_request_is_one_printable_line_whatever_its_bytes() {
    let (_scratch, mut process) = served(&["-vv"]);
    let every_byte: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
    let requests: [&[u8]; 6] = [
        b"GET /a\"b\\c HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\x1b]0;title\x07\x1b[2J HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /%0d%0a127.0.0.1%20-%20- HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\rGET /forged HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \x1b[31m\xff\x00\r\n\r\n",
        &[b"GET /", &every_byte[..], b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat(),
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

// ---- when it goes wrong inside ----

#[test]
#[cfg(all(feature = "trapdoors", target_os = "linux"))]
fn a_handler_that_panics_costs_one_answer_and_one_connection() {
    let (_scratch, process) = served(&["--quiet"]);
    process.get("/health");
    let before = process.status_number("Threads");
    for round in 0..200 {
        let mut client = process.client();
        client.send(b"GET /panic HTTP/1.1\r\nHost: a\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = client.answer();
        assert_eq!(answer.status, 500, "round {round}");
        assert_eq!(answer.field("Connection"), Some("close"), "round {round}");
        assert_eq!(client.rest(), b"", "round {round}: nothing after it is answered");
    }
    assert_eq!(process.get("/health").text(), "ok\n");
    process.wait_until("the threads are back", |process| process.status_number("Threads") <= before);
}
