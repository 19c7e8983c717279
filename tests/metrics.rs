//! What does `/metrics` tell? Each number is seen to move, by the request that should move it.

#[path = "support/exposition.rs"]
mod exposition;
#[path = "support/process.rs"]
mod process;

use std::io::Write;
use std::process::{Command, Stdio};

use exposition::Family;
use process::{Answer, GET, Process, run, served};

/// Asks once, on a connection of its own.
#[track_caller]
fn scrape(process: &Process) -> Vec<Family> {
    let answer = process.get("/metrics");
    assert_eq!((answer.status, answer.field("Content-Type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    exposition::read(answer.text())
}

/// One of the numbers, now; 0 if it has never been told.
#[track_caller]
fn number(process: &Process, series: &str) -> f64 {
    exposition::value(&scrape(process), &format!("threadbare_{series}")).unwrap_or(0.0)
}

/// An answer is counted when it has left, which its client need not wait for.
#[track_caller]
fn wait_for(process: &Process, series: &str, least: f64) {
    process.wait_until(&format!("{series} is {least}"), |process| number(process, series) >= least);
}

fn ask(process: &Process, request: &str) -> Answer {
    let mut client = process.client();
    client.send(request.as_bytes());
    client.answer()
}

#[test]
fn requests_are_counted_by_class_of_status() {
    let (scratch, process) = served(&["--metrics"]);
    std::fs::create_dir(scratch.path().join("d")).unwrap();
    let host = "HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    // Each request for /metrics is a 200 itself.
    for (request, code) in [
        (format!("GET /ten.txt {host}Range: bytes=99-\r\n\r\n"), "4xx"),
        (format!("GET /ten.txt {host}If-None-Match: *\r\n\r\n"), "3xx"),
        (format!("HEAD /nothing {host}\r\n"), "4xx"),
        (format!("GET /d {host}\r\n"), "3xx"),
        (format!("DELETE /hello {host}\r\n"), "4xx"),
        (format!("BREW / {host}\r\n"), "5xx"),
        ("GET / HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n".to_owned(), "4xx"),
    ] {
        let series = format!("requests_total{{code=\"{code}\"}}");
        let before = number(&process, &series);
        let mut client = process.client();
        client.send(request.as_bytes());
        client.head();
        wait_for(&process, &series, before + 1.0);
        assert_eq!(number(&process, &series), before + 1.0, "{request}");
    }
    let before = number(&process, r#"requests_total{code="2xx"}"#);
    process.get("/ten.txt");
    wait_for(&process, r#"requests_total{code="2xx"}"#, before + 2.0);
    let families = scrape(&process);
    let count = exposition::value(&families, "threadbare_request_duration_seconds_count").unwrap();
    let requests = families.iter().find(|family| family.name == "threadbare_requests_total").unwrap();
    assert_eq!(count, requests.series.iter().map(|(_, value)| value).sum::<f64>(), "each request took some time");
    let sum = exposition::value(&families, "threadbare_request_duration_seconds_sum").unwrap();
    assert!(sum > 0.0 && sum < 60.0, "{sum}");
}

#[test]
fn what_breaks_a_rule_is_counted_and_names_of_clients_are_nowhere() {
    let (_scratch, process) = served(&["--metrics"]);
    let mut count = 0.0;
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "STOLEN / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /stolen%2fpath HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nstolen\r\n",
    ] {
        let status = ask(&process, request).status;
        assert!(status == 400 || status == 501, "{request}: {status}");
        count += 1.0;
        wait_for(&process, "malformed_requests_total", count);
        assert_eq!(number(&process, "malformed_requests_total"), count, "{request}: once");
    }
    let answer = process.get("/metrics");
    assert!(!answer.text().to_ascii_lowercase().contains("stolen"), "{}", answer.text());
    wait_for(&process, r#"connections_ended_total{reason="malformed"}"#, 6.0);
}

#[test]
fn connections_are_counted_from_accept_to_end() {
    let (_scratch, process) = served(&["--metrics"]);
    let mut kept = process.client();
    for _ in 0..3 {
        kept.send(GET);
        assert_eq!(kept.answer().status, 200);
    }
    kept.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let families = exposition::read(kept.answer().text());
    for (series, want, why) in [
        ("threadbare_connections_accepted_total", 1.0, "one connection"),
        ("threadbare_connections_live", 1.0, "which is still there"),
        (r#"threadbare_requests_total{code="2xx"}"#, 3.0, "three requests"),
    ] {
        assert_eq!(exposition::value(&families, series), Some(want), "{series}: {why}");
    }
    drop(kept);
    wait_for(&process, r#"connections_ended_total{reason="by_client"}"#, 1.0);
    wait_for(&process, r#"connections_ended_total{reason="as_asked"}"#, 1.0);
    process.wait_until("only who asks is there", |process| number(process, "connections_live") == 1.0);
}

#[test]
fn a_download_is_counted_when_it_is_over_and_a_client_that_breaks_it_off_is_lost() {
    const LENGTH: u64 = 512 * 1024 * 1024;
    let (scratch, process) = served(&["--metrics"]);
    drop(scratch.sparse("big", LENGTH));
    let mut client = process.client();
    client.send(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.head();
    client.read_up_to(1024 * 1024);
    assert!(number(&process, "sent_bytes_total") < 1024.0 * 1024.0, "it goes on");
    assert_eq!(number(&process, r#"connections_ended_total{reason="lost"}"#), 0.0, "it is not over");
    // What it has not read makes this a reset.
    drop(client);
    wait_for(&process, r#"connections_ended_total{reason="lost"}"#, 1.0);
    let sent = number(&process, "sent_bytes_total");
    assert!((1024.0 * 1024.0..400.0 * 1024.0 * 1024.0).contains(&sent), "what left before it broke: {sent}");
    let received = number(&process, "received_bytes_total");
    ask(&process, &format!("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n{}", "x".repeat(60_000)));
    wait_for(&process, "received_bytes_total", received + 60_000.0);
}

#[test]
fn who_had_to_go_and_who_was_turned_away() {
    let (scratch, process) = served(&["--metrics", "--max-connections", "1"]);
    let mut first = process.client();
    first.send(GET);
    assert_eq!(first.answer().status, 200);
    // Just after its answer it is not idle yet, and a new connection is rejected.
    process.wait_until("the idle one makes room", |process| process.get("/ten.txt").status == 200);
    drop(scratch.sparse("big", 512 * 1024 * 1024));
    let busy = std::cell::RefCell::new(process.client());
    process.wait_until("it is the one connection", |process| {
        let mut client = process.client();
        client.send(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let is_served = client.head().starts_with("HTTP/1.1 200");
        busy.replace(client);
        is_served
    });
    assert_eq!(process.client().head().lines().next(), Some("HTTP/1.1 503 Service Unavailable"));
    drop(busy);
    process.wait_until("its connection is closed", |process| process.get("/ten.txt").status == 200);
    process.wait_until("both are told", |process| {
        let answer = process.get("/metrics");
        answer.status == 200 && {
            let families = exposition::read(answer.text());
            let told = |series: &str| exposition::value(&families, series).unwrap() >= 1.0;
            told(r#"threadbare_connections_ended_total{reason="refused"}"#)
                && told(r#"threadbare_connections_ended_total{reason="evicted"}"#)
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn lines_that_will_not_be_read() {
    let (_scratch, process) = served(&["--metrics", "--access-log", "/dev/full"]);
    process.get("/ten.txt");
    wait_for(&process, r#"log_lines_lost_total{log="access"}"#, 1.0);
    assert_eq!(number(&process, r#"log_lines_lost_total{log="program"}"#), 0.0);
}

#[cfg(target_os = "linux")]
#[test]
fn what_it_takes_of_the_machine_also_in_the_sandbox() {
    let (_scratch, process) = served(&["--metrics"]);
    let told = |name: &str| exposition::value(&scrape(&process), name).unwrap_or_else(|| panic!("no {name}"));
    let near = |name, other: u64| {
        let other = f64::from(u32::try_from(other).unwrap());
        let told = told(name);
        assert!(told > other / 2.0 && told < other * 2.0, "{name} is {told}, and the kernel says {other}");
    };
    near("process_resident_memory_bytes", process.status_number("VmRSS") * 1024);
    near("process_threads", process.status_number("Threads"));
    near("process_open_fds", process::descriptors(process.pid()).try_into().unwrap());
    assert!(told("process_max_fds") >= told("process_open_fds"));
    assert!(told("process_cpu_seconds_total") > 0.0);
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!((now - told("process_start_time_seconds")).abs() < 60.0);
}

#[test]
fn who_may_see_it() {
    let metrics = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n";
    let known = "Authorization: Basic YWRhOmxvdmVsYWNl\r\n";
    for (words, lines, status, why) in [
        (&[][..], "", 404, "it is not enabled"),
        (&["--metrics"], "", 200, "everybody who may see the site"),
        (&["--metrics", "--no-routes"], "", 200, "it was asked for by name"),
        (&["--metrics"], "Origin: http://a.test\r\n", 403, "but no page of another site"),
        (&["--metrics", "--auth", "ada:lovelace"], "", 401, "no password"),
        (&["--metrics", "--auth", "ada:lovelace"], known, 200, "Prometheus has a password"),
    ] {
        let (_scratch, process) = served(words);
        assert_eq!(ask(&process, &format!("{metrics}{lines}\r\n")).status, status, "{words:?}: {why}");
    }
    let (scratch, process) = served(&["--metrics"]);
    assert_eq!(ask(&process, "GET /metrics HTTP/1.1\r\nHost: a.test\r\n\r\n").status, 421, "by none of our names");
    assert_eq!(ask(&process, "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").status, 405);
    scratch.file("metrics", "a file");
    assert_eq!(process.get("/metrics").text(), "a file", "your files win");
    let help = run(&["--help"]).stdout;
    assert!(help.contains("--metrics") && help.contains("/metrics "), "{help}");
}

/// Whether a program is here; says so if not.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        // Not by eprintln, which the test harness keeps to itself.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: there is no {program} here, so no other program has checked this (Debian package: prometheus)"
        );
    }
    found
}

#[test]
fn promtool_has_nothing_to_say() {
    if !has("promtool") {
        return;
    }
    let (_scratch, process) = served(&["--metrics"]);
    process.get("/ten.txt");
    let text = process.get("/metrics");
    let mut promtool =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    promtool.stdin.take().unwrap().write_all(text.text().as_bytes()).unwrap();
    let left = promtool.wait_with_output().unwrap();
    assert!(left.status.success() && left.stderr.is_empty(), "{}", String::from_utf8_lossy(&left.stderr));
}

/// Every word of a text that looks like a metric of this program.
fn metrics_in(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("threadbare_") || word.starts_with("process_")).collect()
}

#[test]
fn the_page_about_them_names_each_and_no_other() {
    let (_scratch, process) = served(&["--metrics"]);
    let families = scrape(&process);
    let page = include_str!("../docs/guide/monitoring.md");
    let (described, names) = (metrics_in(page), exposition::names(&families));
    for family in &families {
        assert!(described.contains(&&*family.name), "docs/guide/monitoring.md does not say what {} is", family.name);
    }
    for name in described {
        assert!(names.iter().any(|known| known == name), "docs/guide/monitoring.md has {name}, which is not there");
    }
}

#[test]
fn the_reader_here_is_strict() {
    let begin = "# HELP a_total What.\n# TYPE a_total counter\n";
    let histogram = "# HELP h What.\n# TYPE h histogram\n";
    for (text, why) in [
        (format!("{begin}a_total 1"), "no end of line"),
        ("a_total 1\n".to_owned(), "no metric"),
        ("# HELP a What.\n# TYPE a counter\n".to_owned(), "a counter ends in _total"),
        (format!("{begin}a_total 1\na_total 2\n"), "twice"),
        (format!("{begin}b_total 1\n"), "another's value"),
        (format!("{begin}a_total{{b=\"c\" 1\n"), "labels without an end"),
        (format!("{begin}a_total NaN\n"), "no number"),
        (format!("{histogram}h_bucket{{le=\"1\"}} 2\nh_bucket{{le=\"+Inf\"}} 1\nh_sum 1\nh_count 1\n"), "buckets that shrink"),
        (format!("{histogram}h_bucket{{le=\"+Inf\"}} 1\nh_sum 1\nh_count 2\n"), "another count"),
    ] {
        assert!(std::panic::catch_unwind(|| exposition::read(&text)).is_err(), "{why}: {text}");
    }
}
