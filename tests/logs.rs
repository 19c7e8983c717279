//! What is logged, and what if the log is not read?
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;

use std::fs;
use std::net::Shutdown;
use std::path::Path;
use std::process::Command;
use std::thread;
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
fn a_log_that_is_not_read_delays_no_client() {
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

/// The lines of a file, once there are so many.
fn lines_of(process: &Process, file: &Path, count: usize) -> Vec<String> {
    let lines = || fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>();
    process.wait_until(&format!("{count} lines in {}", file.display()), |_| lines().len() >= count);
    assert_eq!(lines().len(), count);
    lines()
}

#[test]
fn a_log_file_is_appended_to_and_opened_anew_on_sighup() {
    let logs = Scratch::new();
    let (file, renamed) = (logs.file("access.log", "an old line\n"), logs.path().join("access.log.1"));
    let (_scratch, mut process) = served(&["--access-log", file.to_str().unwrap()]);
    process.get("/ten.txt");
    assert_eq!(lines_of(&process, &file, 2)[0], "an old line", "what was there stays");
    fs::rename(&file, &renamed).unwrap();
    process.get("/missing");
    assert!(lines_of(&process, &renamed, 3)[2].contains("\"GET /missing HTTP/1.1\" 404 "), "until told, in the old one");
    process.signal(Signal::HUP);
    process.wait_for_log("reopened the access log");
    assert_eq!(lines_of(&process, &file, 0), [""; 0], "the new one is there before a line is");
    process.get("/ten.txt");
    assert!(lines_of(&process, &file, 1)[0].contains("\"GET /ten.txt HTTP/1.1\" 200 10 "));

    fs::rename(logs.path(), logs.path().with_extension("gone")).unwrap();
    process.signal(Signal::HUP);
    let warning = process.wait_for_log("still writing to the old file");
    assert!(warning.contains(file.to_str().unwrap()), "{warning}");
    process.get("/ten.txt");
    fs::rename(logs.path().with_extension("gone"), logs.path()).unwrap();
    lines_of(&process, &file, 2);
    assert_eq!(lines_of(&process, &renamed, 3).len(), 3, "and no line is anywhere else");
    process.signal(Signal::TERM);
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
    let log = process.log_lines();
    assert!(!log.iter().any(|line| line.contains("HTTP/1.1")), "{log:#?}");
}

#[test]
fn each_format_says_who_asked() {
    let logs = Scratch::new();
    let file = logs.path().join("log");
    let request = b"GET /ten.txt HTTP/1.1\r\nHost: localhost\r\nReferer: http://a/\"\r\nUser-Agent: b\xfc/1\r\n\r\n";
    for (format, begins, ends) in [
        ("common", "127.0.0.1 - - [", ""),
        ("combined", "127.0.0.1 - - [", r#"] "GET /ten.txt HTTP/1.1" 200 10 "http://a/\"" "b\xfc/1""#),
        ("json", "{\"time\":\"2", r#","referer":"http://a/\"","user_agent":"b\u00fc/1"}"#),
    ] {
        let (_scratch, process) = served(&["--access-log", file.to_str().unwrap(), "--log-format", format]);
        let mut client = process.client();
        client.send(request);
        client.answer();
        let lines = lines_of(&process, &file, 1);
        assert!(lines[0].starts_with(begins) && lines[0].ends_with(ends), "{format}: {lines:?}");
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn only_the_client_of_a_trusted_proxy_is_logged() {
    for (options, client) in [
        (&["--trust-proxy", "127.0.0.1"][..], r#""client":"192.0.2.7","scheme":"https","#),
        (&["--trust-proxy", "192.0.2.0/24"], r#""client":"127.0.0.1","scheme":"http","#),
        (&[], r#""client":"127.0.0.1","scheme":"http","#),
    ] {
        let (_scratch, process) = served(&[&["--log-format", "json"], options].concat());
        let mut browser = process.client();
        for (target, fields) in [
            ("/ten.txt?older", "X-Forwarded-For: 1.1.1.1, 192.0.2.7\r\nX-Forwarded-Proto: https\r\n"),
            ("/ten.txt?both", "Forwarded: x\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n"),
        ] {
            browser.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").as_bytes());
            browser.answer();
            let line = process.wait_for_log(target);
            assert!(line.contains(client), "{options:?}: {line}");
        }
        // What is no request may still say whose it is.
        browser.send(b"GET /bad HTTP/1.1\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nHost : a\r\n\r\n");
        let line = process.wait_for_log("\"status\":400");
        assert!(line.contains(client), "{options:?}: {line}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn standard_error_in_a_served_file_is_warned_of() {
    for (inside, warned) in [(true, true), (false, false)] {
        let (scratch, other) = (Scratch::new(), Scratch::new());
        let log = if inside { scratch.path() } else { other.path() }.join("nohup.out");
        let mut command = Command::new("sh");
        let redirected = r#"exec "$0" --port 0 --bind 127.0.0.1 "$1" 2>"$2""#;
        command.args(["-c", redirected, env!("CARGO_BIN_EXE_threadbare")]).args([scratch.path(), &log]);
        let mut process = Process::of(command, Log::Read);
        process.signal(Signal::TERM);
        process.wait(PATIENCE);
        let log = fs::read_to_string(log).unwrap();
        assert_eq!(log.contains("the log is a file beneath ROOT"), warned, "{log}");
    }
}

#[test]
fn the_log_on_stdout_follows_the_ready_line() {
    let (_scratch, mut process) = served(&["--access-log", "-"]);
    process.get("/ten.txt");
    assert!(process.stdout_line().unwrap().contains("\"GET /ten.txt HTTP/1.1\" 200 10 "));
    process.signal(Signal::TERM);
    process.wait(PATIENCE);
    let log = process.log_lines();
    assert!(!log.iter().any(|line| line.contains("HTTP/1.1")), "{log:#?}");
}

#[test]
fn who_wants_no_access_log_gets_none() {
    let logs = Scratch::new();
    let file = logs.path().join("log");
    let scratch = Scratch::new();
    let mut process = Process::of(command(&["--quiet", "--access-log", file.to_str().unwrap()], &scratch), Log::Read);
    process.get("/missing");
    assert!(!file.exists(), "nor a file for it");
    process.signal(Signal::TERM);
    process.wait(PATIENCE);
    assert!(process.log_lines().iter().any(|line| line.contains("nothing is written to --access-log")), "but the log says so");
    for (rust_log, wanted) in [("access=off", 0), ("off", 1), ("access=info", 1)] {
        let scratch = Scratch::new();
        let mut command = std::process::Command::new("env");
        command.arg(format!("RUST_LOG={rust_log}")).arg(env!("CARGO_BIN_EXE_threadbare"));
        command.args(["--port", "0", "--bind", "127.0.0.1"]).arg(scratch.path());
        let mut process = Process::of(command, Log::Read);
        process.get("/missing");
        process.signal(Signal::TERM);
        process.wait(PATIENCE);
        let log = process.log_lines();
        assert_eq!(log.iter().filter(|line| line.contains("GET /missing")).count(), wanted, "{rust_log}: {log:#?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_said_once_and_costs_no_request() {
    let (_scratch, mut process) = served(&["--access-log", "/dev/full"]);
    for _ in 0..3 {
        assert_eq!(process.get("/ten.txt").status, 200);
    }
    process.wait_for_log("cannot write access log: No space left");
    for _ in 0..3 {
        assert_eq!(process.get("/ten.txt").status, 200);
    }
    process.signal(Signal::TERM);
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
    let log = process.log_lines();
    assert!(!log.iter().any(|line| line.contains("cannot write")), "{log:#?}");
}

#[test]
fn a_connection_that_does_not_begin_as_it_must_is_closed_and_noted() {
    let (_scratch, process) = served(&["--proxy-protocol", "--trust-proxy", "127.0.0.1", "--header-timeout", "1"]);
    for (sent, end, says) in [
        (&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], false, "invalid PROXY header: unknown signature"),
        (b"PROXY TCP4 1.2.3.4", true, "the connection ended within the header"),
        (b"PROXY TCP4 1.2.3.4", false, "the header did not arrive in time"),
    ] {
        let mut client = process.client();
        client.send(sent);
        if end {
            client.stream.get_ref().shutdown(Shutdown::Write).unwrap();
        }
        assert_eq!(client.rest(), b"", "{says}");
        let line = process.wait_for_log("invalid PROXY header");
        assert!(line.starts_with("warn: 127.0.0.1:") && line.ends_with(says), "{line}");
    }
    // A client that only checks whether the port is open causes no line.
    let looking = process.client();
    looking.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    let mut client = process.client();
    client.send(b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 80\r\nGET /ten.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.answer().text(), "0123456789");
    client.send(GET);
    assert_eq!(client.answer().text(), "0123456789", "once is enough for a connection");
    let (first, second) = (process.wait_for_log(""), process.wait_for_log(""));
    assert!(first.starts_with("192.0.2.7 - - [") && second.starts_with("192.0.2.7 - - ["), "{first} {second}");
    drop(process);

    let (_scratch, process) = served(&["--proxy-protocol", "--trust-proxy", "192.0.2.1"]);
    let mut client = process.client();
    client.send(b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 80\r\nGET /ten.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.rest(), b"");
    process.wait_for_log("--trust-proxy does not include this address");
    // A process of this machine that names no client is the health check.
    let mut client = process.client();
    client.send(b"PROXY UNKNOWN\r\nGET /ten.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.answer().text(), "0123456789");
    let (_, port) = process.address.rsplit_once(':').unwrap();
    let words = ["--check-health", "--bind", "127.0.0.1", "--port", port, "--proxy-protocol", "--trust-proxy", "192.0.2.1"];
    let checked = process::run(&words);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

#[test]
fn a_log_that_may_not_grow_does_not_end_the_server() {
    let (scratch, logs) = (Scratch::new(), Scratch::new());
    scratch.file("ten.txt", "0123456789");
    let mut command = Command::new("sh");
    // 512 bytes: the next write is SIGXFSZ, whose default is to end the process.
    let limited = r#"ulimit -f 1; exec "$0" --port 0 --bind 127.0.0.1 --access-log "$1" "$2""#;
    command.args(["-c", limited, env!("CARGO_BIN_EXE_threadbare")]).args([&logs.path().join("log"), scratch.path()]);
    let process = Process::of(command, Log::Read);
    for _ in 0..40 {
        assert_eq!(process.get("/ten.txt").status, 200);
    }
    process.wait_for_log("cannot write access log");
    assert_eq!(process.get("/ten.txt").status, 200);
}

#[test]
fn sighup_ends_no_server_without_a_terminal() {
    if !Command::new("setsid").arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: no setsid here, so nothing is known about SIGHUP without a terminal");
        return;
    }
    let scratch = Scratch::new();
    scratch.file("ten.txt", "0123456789");
    let mut command = Command::new("setsid");
    command.args([env!("CARGO_BIN_EXE_threadbare"), "--port", "0", "--bind", "127.0.0.1"]).arg(scratch.path());
    let mut process = Process::of(command, Log::Read);
    process.get("/ten.txt");
    // setsid has replaced itself: a child of this test leads no process group.
    process.wait_for_log("GET /ten.txt");
    process.signal(Signal::HUP);
    assert_eq!(process.get("/ten.txt").status, 200);
    process.signal(Signal::TERM);
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
}

#[test]
fn requests_without_a_whole_response_have_a_line() {
    let (scratch, process) = served(&["--log-format", "json", "--max-connections", "1"]);
    scratch.sparse("big", 64 * 1024 * 1024);
    let upload = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n";
    let reset = |client: &process::Client| {
        rustix::net::sockopt::set_socket_linger(client.stream.get_ref(), Some(std::time::Duration::ZERO)).unwrap();
    };
    let mut client = process.client();
    client.send(upload);
    assert_eq!(client.head(), "HTTP/1.1 100 Continue");
    reset(&client);
    drop(client);
    let line = process.wait_for_log("/echo");
    assert!(line.contains(r#""status":400,"bytes":0,"#) && line.contains(r#""complete":false,"reason":"lost""#), "{line}");

    let mut client = process.client();
    client.send(upload);
    assert_eq!(client.head(), "HTTP/1.1 100 Continue");
    assert_eq!(process.get("/ten.txt").status, 200, "it takes the place of the other");
    let line = process.wait_for_log("/echo");
    assert!(line.contains(r#""status":503,"bytes":0,"#) && line.contains(r#""complete":false,"reason":"evicted""#), "{line}");

    let mut client = process.client();
    client.send(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.head();
    reset(&client);
    drop(client);
    let line = process.wait_for_log("/big");
    assert!(line.contains(r#""status":200,"#) && line.contains(r#""complete":false,"reason":"lost""#), "{line}");
}

#[test]
fn the_line_of_an_exchange_follows_its_explanation() {
    let (_scratch, mut process) = served(&["--explain"]);
    thread::scope(|scope| {
        for mut client in [process.client(), process.client(), process.client(), process.client()] {
            scope.spawn(move || {
                for _ in 0..50 {
                    client.send(GET);
                    client.answer();
                }
            });
        }
    });
    process.signal(Signal::TERM);
    process.wait(PATIENCE);
    let log = process.log_lines();
    let kinds = ["-- request --", "-- response --", "  then ", "\"GET /ten.txt HTTP/1.1\" 200 10 "];
    let order: Vec<usize> = log.iter().filter_map(|line| kinds.iter().position(|kind| line.contains(kind))).collect();
    assert_eq!(order, [0, 1, 2, 3].repeat(200), "{log:?}");
}

#[test]
fn a_drain_that_is_not_visible_is_warned_of() {
    let (_scratch, process) = served(&["--drain", "1", "--no-routes"]);
    process.wait_for_log("warn: with --no-routes load balancers cannot see --drain");
}
