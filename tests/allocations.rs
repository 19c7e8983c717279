//! What does a request cost the allocator? For a small file on a connection that is kept, nothing.
//!
//! One test, alone in its file: it counts what the whole process allocates.

#![cfg(unix)]

use std::alloc::System;
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use threadbare::cli::Cli;
use threadbare::files::Site;
use threadbare::handlers::AppState;
use threadbare::http::forwarded::PeerAddr;
use threadbare::net::memory::MemoryTransport;
use threadbare::os::limits::ProcessStats;
use threadbare::server::close_reason::CloseReason;
use threadbare::server::connection;
use threadbare::server::registry::ConnState;
use threadbare::telemetry::access_log::AccessLog;
use threadbare::telemetry::log_format::LogFormat;
use threadbare::telemetry::log_queue::LogQueue;
use threadbare::telemetry::metrics::Metrics;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How often memory was asked for while one connection made so many requests.
fn allocations(app: &AppState, request: &str, requests: usize) -> usize {
    let mut client = MemoryTransport::new(vec![request.as_bytes().to_vec(); requests]);
    client.received.reserve_exact(requests * 4096);
    let (peer, slot) = (PeerAddr::from(SocketAddr::from(([127, 0, 0, 1], 50_000))), ConnState::new(Instant::now()));
    let region = Region::new(ALLOCATOR);
    connection::serve_connection(&mut client, peer, app, &slot, app.memory.hold_none(None));
    let change = region.change();
    let answers = client.received.windows(12).filter(|bytes| bytes.starts_with(b"HTTP/1.1 ")).count();
    assert_eq!(answers, requests, "{}", String::from_utf8_lossy(&client.received));
    change.allocations + change.reallocations
}

#[test]
fn a_kept_file_is_sent_without_allocating() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/site");
    // The files of a fresh checkout are too young to be kept in memory, and only the time of modification can be set.
    for name in ["hello.txt", "index.html", "docs/guide.txt", "types/LICENSE"] {
        let file = File::options().append(true).open(format!("{root}/{name}")).unwrap();
        let age = |time: SystemTime| time.elapsed().unwrap_or_default();
        if age(file.metadata().unwrap().modified().unwrap()) < Duration::from_secs(90) {
            file.set_modified(UNIX_EPOCH).unwrap();
        }
        let changed = || UNIX_EPOCH + Duration::from_secs(file.metadata().unwrap().ctime().try_into().unwrap());
        while age(changed()) < Duration::from_secs(4) {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let cli = Cli::try_parse_from(["threadbare", "--quiet", root]).unwrap();
    let config = cli.config();
    let site = Site::open(&config).unwrap();
    let mut app = AppState::new(config, site, None);
    let plain = "GET /hello.txt HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/8.0\r\nAccept: */*\r\n\r\n";
    let index = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAccept: text/html, */*;q=0.8\r\nAccept-Encoding: gzip, br\r\n\r\n";
    let part = "GET /docs/guide.txt HTTP/1.1\r\nHost: localhost\r\nCookie: a=b; c=d\r\n\r\n";
    let known = "GET /hello.txt HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: \"a\", \"b\"\r\n\r\n";
    let same = "GET /hello.txt HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: *\r\n\r\n";
    let by_content = "GET /types/LICENSE HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (request, why) in [
        (plain, "a file"),
        (index, "an index"),
        (part, "in a directory"),
        (known, "another version"),
        (same, "304"),
        (by_content, "its content decides about its type"),
    ] {
        // Not before the file has been kept, and all has grown to its size.
        allocations(&app, request, 10);
        let (few, many) = (allocations(&app, request, 100), allocations(&app, request, 1100));
        assert_eq!(few, many, "{why}: a thousand requests more, and not one allocation more");
    }
    // Nor does counting cost any.
    let program_log = LogQueue::start("log", || Ok(std::io::sink())).unwrap();
    app.metrics = Some(Metrics::new(CloseReason::LABELS, ProcessStats::open(), program_log));
    for request in [plain, index, known, same] {
        let (few, many) = (allocations(&app, request, 100), allocations(&app, request, 1100));
        assert_eq!(few, many, "{request}: counted, and not one allocation more");
    }
    let told = app.metrics.as_ref().unwrap().write(0);
    assert!(told.contains("threadbare_requests_total{code=\"2xx\"} 3600\n"), "three times 1,200 of them were 200: {told}");
    // A line in the log costs none either, once both buffers of the queue have grown.
    for format in [LogFormat::Common, LogFormat::Combined, LogFormat::Json] {
        let writer = LogQueue::start("log", || Ok(std::io::sink())).unwrap();
        app.access_log = Some(AccessLog::new(format, writer));
        let allocated = || {
            let count = allocations(&app, plain, 1100);
            app.access_log.as_ref().unwrap().queue.flush_timeout(Duration::from_secs(10));
            count
        };
        let many: Vec<usize> = (0..5).map(|_| allocated()).collect();
        app.access_log = None;
        let none = allocations(&app, plain, 1100);
        // How far the buffers have to grow depends on how late the writer is; one run in which they need not is enough.
        assert!(many.contains(&none), "{format:?}: {many:?}, and {none} without a log");
    }
}
