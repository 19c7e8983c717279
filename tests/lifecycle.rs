//! What shows only in a process: how does it stop, and what may a client do to it?
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use process::{Client, GET, Log, PATIENCE, Process, Scratch, child_of, run, served};
use rustix::process::Signal;

const MIB: u64 = 1024 * 1024;

// ---- how it stops ----

#[test]
fn both_signals_end_it_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let (_scratch, mut process) = served(&[]);
        assert_eq!(process.get("/ten.txt").text(), "0123456789");
        process.signal(signal);
        assert_eq!(process.wait(PATIENCE).code(), Some(0), "{signal:?}");
        let log = process.log_lines();
        // Not always the last line: the access log has a queue of its own.
        assert!(log.iter().any(|line| line == "info: stopped"), "{log:?}");
        assert!(TcpStream::connect(&process.address).is_err(), "the port is closed");
    }
}

#[test]
fn idle_connections_do_not_delay_the_stop() {
    let (_scratch, mut process) = served(&["-v"]);
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
    let log = process.log_lines();
    let closed = log.iter().filter(|line| line.contains(" closed, requests served: 1; the server is shutting down")).count();
    assert_eq!(closed, 20, "no other connection needed their places: {log:#?}");
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
    client.send(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 100 Continue");
    client.send(b"first");
    client
}

#[test]
fn a_request_in_flight_is_answered() {
    let (_scratch, mut process) = served(&[]);
    let mut client = in_flight(&process);
    process.signal(Signal::TERM);
    process.wait_for_log("shutting down");
    client.send(b"again");
    let answer = client.answer();
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("firstagain"), "{answer:?}");
    assert_eq!(answer.field("Connection"), Some("close"));
    assert_eq!(client.rest(), b"");
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
}

#[test]
fn while_it_drains_new_connections_are_served_and_health_says_no() {
    let (_scratch, mut process) = served(&["--drain", "3600"]);
    let mut waiting = process.client();
    waiting.send(GET);
    assert_eq!(waiting.answer().field("Connection"), None);
    assert_eq!(process.get("/health").text(), "ok\n");
    process.signal(Signal::TERM);
    process.wait_for_log("draining for 3600 s");
    let health = process.get("/health");
    assert_eq!((health.status, health.text(), health.field("Cache-Control")), (503, "stopping\n", Some("no-store")));
    let checked = run(&["--check-health", "--port", process.address.rsplit(':').next().unwrap()]);
    assert_eq!(checked.code, Some(1), "{}", checked.stdout);
    assert!(
        checked.stderr.starts_with("threadbare: unhealthy: HTTP/1.1 503 Service Unavailable (127.0.0.1:"),
        "{}",
        checked.stderr
    );
    for client in [&mut waiting, &mut process.client()] {
        client.send(GET);
        let answer = client.answer();
        assert_eq!((answer.text(), answer.field("Connection")), ("0123456789", Some("close")));
        assert_eq!(client.rest(), b"");
    }
    process.wait_for_log("send the signal again to exit immediately");
    process.signal(Signal::TERM);
    assert_eq!(process.wait(PATIENCE).code(), Some(143), "there is no need to wait for an hour");
}

#[test]
fn after_it_has_drained_it_stops() {
    let (_scratch, mut process) = served(&["--drain", "1"]);
    let mut waiting = process.client();
    waiting.send(GET);
    waiting.answer();
    let began = Instant::now();
    process.signal(Signal::INT);
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(waiting.rest(), b"", "idle connections are closed as ever");
    let log = process.log_lines();
    let order: Vec<_> = log
        .iter()
        .filter(|line| line.starts_with("info: ") && !["sandbox", "in progress"].iter().any(|other| line.contains(other)))
        .collect();
    assert!(
        matches!(&order[..], [a, b, c] if a.contains("draining") && b.contains("shutting down") && c.contains("stopped")),
        "{log:?}"
    );
}

#[test]
fn a_download_in_flight_is_finished() {
    let (scratch, mut process) = served(&[]);
    scratch.sparse("big", 64 * MIB);
    let mut client = process.client();
    client.send(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.head();
    process.signal(Signal::TERM);
    process.wait_for_log("shutting down");
    assert_eq!(client.read_up_to(u64::MAX), 64 * MIB);
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
}

#[test]
fn a_second_signal_does_not_wait() {
    for (first, second, code) in
        [(Signal::TERM, Signal::TERM, 143), (Signal::INT, Signal::INT, 130), (Signal::TERM, Signal::INT, 130)]
    {
        let (_scratch, mut process) = served(&[]);
        let _client = in_flight(&process);
        process.signal(first);
        process.wait_for_log("send the signal again to exit immediately");
        process.signal(second);
        assert_eq!(process.wait(Duration::from_secs(5)).code(), Some(code), "{first:?}, {second:?}");
    }
}

#[test]
fn the_same_wish_told_twice_is_one() {
    // As `timeout` does it, and other programs that pass on a signal which the whole group has got. Both arrive as the process goes on, one right after the other.
    let (_scratch, mut process) = served(&[]);
    let mut client = in_flight(&process);
    for signal in [Signal::STOP, Signal::TERM, Signal::INT, Signal::CONT] {
        process.signal(signal);
    }
    process.wait_for_log("shutting down");
    client.send(b"again");
    assert_eq!(client.answer().status, 200);
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
}

#[test]
fn a_request_that_never_ends_is_cut() {
    let (_scratch, mut process) = served(&[]);
    let _client = in_flight(&process);
    process.signal(Signal::TERM);
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
    let log = process.log_lines();
    assert!(log.iter().any(|line| line.contains("closing 1 connection")), "{log:?}");
}

#[test]
fn connects_that_never_end_do_not_delay_the_stop() {
    let (_scratch, mut process) = served(&["--quiet", "--shutdown-timeout", "1", "--max-connections", "8"]);
    let over = AtomicBool::new(false);
    let (connected, starting) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..4 {
            let (address, over, connected) = (process.address.clone(), &over, connected.clone());
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    drop(TcpStream::connect(&address));
                    let _ = connected.send(());
                }
            });
        }
        for _ in 0..100 {
            starting.recv_timeout(PATIENCE).unwrap();
        }
        let began = Instant::now();
        process.signal(Signal::TERM);
        let code = process.wait(PATIENCE).code();
        over.store(true, Ordering::Relaxed);
        assert_eq!(code, Some(0));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    });
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
    scratch.sparse("big", 8 * MIB);
    let mut client = process.client();
    client.send(&[GET, b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n", GET].concat());
    client.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.answer().text(), "0123456789");
    assert_eq!(client.answer().content.len(), usize::try_from(8 * MIB).unwrap());
    assert_eq!(client.answer().text(), "0123456789");
    assert_eq!(client.rest(), b"");
}

#[test]
fn a_head_that_is_not_finished_in_time_is_answered_408() {
    let (_scratch, process) = served(&["--quiet", "--header-timeout", "1"]);
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
fn a_reader_that_stops_is_cut_after_the_send_timeout() {
    let (scratch, process) = served(&["--verbose", "--send-timeout", "1"]);
    scratch.sparse("big", 256 * MIB);
    let mut client = process.client();
    client.send(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.head();
    let read = client.read_up_to(32 * MIB);
    process.wait_for_log("the client was too slow: timed out");
    assert!(read + client.read_up_to(u64::MAX) < 256 * MIB, "what it read fast does not pay for a pause");
}

/// A large file is sent from one of 32 large buffers, or with a limited send buffer, and then the head says that the connection closes.
#[test]
fn a_connection_whose_send_buffer_was_limited_closes() {
    let (scratch, process) = served(&["--quiet"]);
    scratch.sparse("big", 64 * MIB);
    let get_big = b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut holders: Vec<Client> = (0..32).map(|_| process.client()).collect();
    for client in &mut holders {
        client.send(get_big);
        assert!(!client.head().contains("Connection: close"), "one of 32");
    }
    let mut client = process.client();
    client.send(&[get_big, GET].concat());
    assert!(client.head().contains("Connection: close"), "the 33rd");
    assert_eq!(client.read_up_to(u64::MAX), 64 * MIB, "all of it, and no second response");
    let mut client = process.client();
    client.send(GET);
    assert_eq!(client.answer().field("Connection"), None, "a small file");
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
                let head = format!("POST /ten.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", content.len());
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
    let requests: String = (0..1000).map(|n| format!("GET /{}.txt HTTP/1.1\r\nHost: localhost\r\n\r\n", n * n % 7)).collect();
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

// ---- when it goes wrong inside ----

#[cfg(all(feature = "test-routes", target_os = "linux"))]
const PANICS: u32 = 10_000;

#[test]
#[cfg(all(feature = "test-routes", target_os = "linux"))]
fn a_handler_that_panics_costs_one_answer_and_one_connection() {
    let (_scratch, process) = served(&["--quiet"]);
    let at_rest = process::descriptors(process.pid());
    process.get("/health");
    let before = process.status_number("Threads");
    let memory_before_kib = process.status_number("VmRSS");
    for round in 0..PANICS {
        let mut client = process.client();
        client.send(b"GET /panic HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = client.answer();
        assert_eq!(answer.status, 500, "round {round}");
        assert_eq!(answer.field("Connection"), Some("close"), "round {round}");
        assert_eq!(client.rest(), b"", "round {round}: nothing after it is answered");
    }
    let grown_kib = process.status_number("VmRSS").saturating_sub(memory_before_kib);
    assert!(grown_kib <= 4096, "{PANICS} panics leave {grown_kib} KiB behind");
    process.wait_until("the descriptors are back", |process| process::descriptors(process.pid()) <= at_rest);
    assert_eq!(process.get("/health").text(), "ok\n");
    process.wait_until("the threads are back", |process| process.status_number("Threads") <= before);
}
