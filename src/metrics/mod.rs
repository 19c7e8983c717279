//! What has happened since the start, in numbers?
//!
//! For whoever watches the server: [`Metrics`] counts, and [`Metrics::write`] tells all of it in the format of Prometheus (`--metrics`).
//! Counting takes no lock and no memory. What happens for each request is counted in a [`tally`] of a few connections, what happens for
//! each connection or less often in one place for all.

pub mod label;

pub mod tally;

pub mod exposition;

pub mod process;

pub mod names;

use std::array::from_fn;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::because::Because;
use crate::ended::Ended;
use crate::log_writer::LogWriter;
use crate::metrics::exposition::{Exposition, Seconds};
use crate::metrics::process::Process;
use crate::metrics::tally::{BOUNDS, Tally, Total};
use crate::wire::malformed::Malformed;
use crate::wire::method::Method;
use crate::wire::status::Status;

/// Tallies among which connections are dealt out. With eight, two connections that are served at the same moment seldom share one; each
/// takes some five kilobytes.
const TALLIES: usize = 8;

/// All that is counted.
#[derive(Debug)]
pub struct Metrics {
    tallies: Box<[Tally]>,
    /// The tally of the next connection, counted on without end.
    next: AtomicUsize,
    /// The paths of built-in routes.
    routes: Vec<&'static str>,
    accepted: AtomicU64,
    refused: AtomicU64,
    begun: AtomicU64,
    ended: [AtomicU64; label::ENDS.len()],
    exhausted: [AtomicU64; EXHAUSTED.len()],
    malformed: [AtomicU64; Malformed::ALL.len()],
    connections_max: usize,
    started: SystemTime,
    process: Process,
    program_log: LogWriter,
}

/// What the system can run out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// A connection could not be accepted: there are no more descriptors, or there is no memory.
    Descriptors,
    /// A thread could not be started.
    Threads,
}

const EXHAUSTED: [(Exhausted, &str); 2] = [(Exhausted::Descriptors, "descriptors"), (Exhausted::Threads, "threads")];

/// What others count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Others {
    /// Small files in memory.
    pub cache: CacheCounts,
    /// Lines that the access log lost, where it is another than the log of the program.
    pub access_lines_lost: Option<u64>,
    /// Whether we are asked to stop.
    pub is_stopping: bool,
}

/// How it is with the small files in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// How often one was there.
    pub hits: u64,
    /// How often a file had to be opened.
    pub misses: u64,
    /// How many had to go for others.
    pub evicted: u64,
    /// How many are there.
    pub files: u64,
    /// What they take.
    pub bytes: u64,
    /// What they may take.
    pub bytes_max: u64,
}

impl Metrics {
    /// Nothing has happened yet. The paths are those of the built-in routes.
    pub fn new(routes: Vec<&'static str>, connections_max: usize, process: Process, program_log: LogWriter) -> Metrics {
        let (methods, places) = (label::methods().count(), label::PLACES.len() + routes.len());
        let zero = |_| AtomicU64::new(0);
        Metrics {
            tallies: (0..TALLIES).map(|_| Tally::new(methods, places)).collect(),
            next: AtomicUsize::new(0),
            routes,
            accepted: zero(0),
            refused: zero(0),
            begun: zero(0),
            ended: from_fn(zero),
            exhausted: from_fn(zero),
            malformed: from_fn(zero),
            connections_max,
            started: SystemTime::now(),
            process,
            program_log,
        }
    }

    /// Where the program writes what it says.
    pub fn program_log(&self) -> &LogWriter {
        &self.program_log
    }

    /// A connection was accepted.
    pub fn accepted(&self) {
        count(Some(&self.accepted));
    }

    /// One was turned away.
    pub fn refused(&self) {
        count(Some(&self.refused));
    }

    /// The system has run out of something.
    pub fn exhausted(&self, what: Exhausted) {
        count(EXHAUSTED.iter().position(|(known, _)| *known == what).and_then(|place| self.exhausted.get(place)));
    }

    /// A connection begins to be served.
    pub fn visit(&self) -> Visit<'_> {
        count(Some(&self.begun));
        let place = self.next.fetch_add(1, Ordering::Relaxed) % TALLIES;
        Visit { metrics: self, tally: self.tallies.get(place), moved: (0, 0), end: "panicked" }
    }

    /// All of it as text, in the format of Prometheus.
    pub fn write(&self, others: &Others) -> String {
        let total = Total::of(&self.tallies);
        let mut out = Exposition::default();
        out.begin(&names::BUILD_INFO);
        out.value(names::BUILD_INFO.name, &[("version", env!("CARGO_PKG_VERSION"))], &1);
        self.write_connections(&mut out);
        self.write_requests(&total, &mut out);
        write_durations(&total, &mut out);
        out.only(&names::RECEIVED_BYTES, &total.received_bytes);
        out.only(&names::SENT_BYTES, &total.sent_bytes);
        out.begin(&names::MALFORMED);
        for (what, count) in Malformed::ALL.iter().zip(&self.malformed) {
            out.value(names::MALFORMED.name, &[("kind", &label::of_malformed(*what))], &load(count));
        }
        let logs = [("program", self.program_log.lost()), ("access", others.access_lines_lost.unwrap_or(0))];
        out.each(&names::LOG_LINES_LOST, "log", &logs);
        others.cache.write(&mut out);
        out.only(&names::STOPPING, &u8::from(others.is_stopping));
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        out.only(&names::START_TIME, &Seconds(started));
        self.process.write(&mut out);
        out.into_text()
    }

    fn write_connections(&self, out: &mut Exposition) {
        // In this order: what ends in between has begun before.
        let ended: Vec<u64> = self.ended.iter().map(load).collect();
        let live = load(&self.begun).saturating_sub(ended.iter().sum());
        out.only(&names::CONNECTIONS_LIVE, &live);
        out.only(&names::CONNECTIONS_MAX, &self.connections_max);
        out.only(&names::CONNECTIONS_ACCEPTED, &load(&self.accepted));
        out.only(&names::CONNECTIONS_REFUSED, &load(&self.refused));
        let ended: Vec<_> = label::ENDS.into_iter().zip(ended).collect();
        out.each(&names::CONNECTIONS_ENDED, "reason", &ended);
        let exhausted: Vec<_> = EXHAUSTED.iter().map(|(_, name)| *name).zip(self.exhausted.iter().map(load)).collect();
        out.each(&names::EXHAUSTED, "what", &exhausted);
    }

    /// GET is told from the beginning, also where it is 0: the first increase of what is not there cannot be seen. The other methods
    /// come when they have been asked for; all together are some hundreds of lines.
    fn write_requests(&self, total: &Total, out: &mut Exposition) {
        out.begin(&names::REQUESTS);
        let mut counts = total.exchanges.iter();
        for method in label::methods() {
            for route in label::PLACES.iter().chain(&self.routes) {
                for code in label::CLASSES {
                    let count = counts.next().copied().unwrap_or(0);
                    if count > 0 || method == Method::Get.name() {
                        out.value(names::REQUESTS.name, &[("method", method), ("code", code), ("route", route)], &count);
                    }
                }
            }
        }
    }
}

/// Each bucket holds what is in those before it as well.
fn write_durations(total: &Total, out: &mut Exposition) {
    out.begin(&names::DURATION);
    let bounds = BOUNDS.iter().map(|(_, seconds)| *seconds).chain(["+Inf"]);
    let mut sum = 0;
    for (bound, count) in bounds.zip(total.buckets) {
        sum += count;
        out.value(names::DURATION_BUCKET, &[("le", bound)], &sum);
    }
    out.value(names::DURATION_SUM, &[], &Seconds(Duration::from_nanos(total.nanos)));
    out.value(names::DURATION_COUNT, &[], &sum);
}

impl CacheCounts {
    fn write(&self, out: &mut Exposition) {
        out.only(&names::CACHE_HITS, &self.hits);
        out.only(&names::CACHE_MISSES, &self.misses);
        out.only(&names::CACHE_EVICTED, &self.evicted);
        out.only(&names::CACHE_FILES, &self.files);
        out.only(&names::CACHE_BYTES, &self.bytes);
        out.only(&names::CACHE_MAX_BYTES, &self.bytes_max);
    }
}

/// One connection, from its first byte to its end. It ends when this is dropped, also where that is because of a panic.
#[derive(Debug)]
pub struct Visit<'a> {
    metrics: &'a Metrics,
    tally: Option<&'a Tally>,
    /// How many of its bytes have been counted, received and sent.
    moved: (u64, u64),
    end: &'static str,
}

impl Visit<'_> {
    /// So many bytes have been received and sent since the connection began.
    pub fn moved(&mut self, received: u64, sent: u64) {
        let (received_before, sent_before) = std::mem::replace(&mut self.moved, (received, sent));
        if let Some(tally) = self.tally {
            tally.received(received.saturating_sub(received_before));
            tally.sent(sent.saturating_sub(sent_before));
        }
    }

    /// An exchange is over, which took that long.
    // Not inlined: see `conn::serve` on the depth of the stack.
    #[inline(never)]
    pub fn exchange(&self, method: Option<Method>, status: Status, because: Because, took: Duration) {
        if let Because::BrokenContent(what) = because {
            self.malformed(what);
        }
        if let Some(tally) = self.tally {
            let place = label::of_place(because, &self.metrics.routes);
            tally.exchange(label::of_method(method), place, label::of_status(status), took);
        }
    }

    /// What came breaks that rule.
    pub fn malformed(&self, what: Malformed) {
        count(Malformed::ALL.iter().position(|known| *known == what).and_then(|place| self.metrics.malformed.get(place)));
    }

    /// Why it will end.
    pub fn ends(&mut self, ended: &Ended) {
        self.end = label::of_end(ended);
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        count(label::ENDS.iter().position(|known| *known == self.end).and_then(|place| self.metrics.ended.get(place)));
    }
}

/// One more.
fn count(counter: Option<&AtomicU64>) {
    if let Some(counter) = counter {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_writer::Losses;

    fn lines(metrics: &Metrics, prefix: &str) -> Vec<String> {
        let text = metrics.write(&Others::default());
        text.lines().filter(|line| line.starts_with(prefix) && !line.ends_with(" 0")).map(str::to_owned).collect()
    }

    #[test]
    fn what_happens_is_told() {
        let log = LogWriter::start(|| Ok(std::io::sink()), Losses::AmongTheLines).unwrap();
        let metrics = Metrics::new(vec!["/hello"], 7, Process::default(), log);
        let (mut first, second) = (metrics.visit(), metrics.visit());
        metrics.accepted();
        metrics.exhausted(Exhausted::Threads);
        first.exchange(Some(Method::Head), Status::NOT_MODIFIED, Because::Kept, Duration::from_millis(1));
        second.exchange(Some(Method::Get), Status::OK, Because::Route("/hello"), Duration::from_secs(61));
        second.exchange(None, Status::BAD_REQUEST, Because::BrokenContent(Malformed::ChunkEnd), Duration::ZERO);
        first.ends(&Ended::Evicted);
        drop(first);
        for (prefix, want) in [
            ("threadbare_connections_live", vec!["threadbare_connections_live 1"]),
            ("threadbare_connections_ended_total", vec!["threadbare_connections_ended_total{reason=\"evicted\"} 1"]),
            ("threadbare_connections_accepted_total", vec!["threadbare_connections_accepted_total 1"]),
            ("threadbare_exhausted_total", vec!["threadbare_exhausted_total{what=\"threads\"} 1"]),
            ("threadbare_malformed_requests_total", vec!["threadbare_malformed_requests_total{kind=\"chunk_end\"} 1"]),
            ("threadbare_request_duration_seconds_sum", vec!["threadbare_request_duration_seconds_sum 61.001000000"]),
            (
                "threadbare_request_duration_seconds_bucket{le=\"0.0005\"}",
                vec!["threadbare_request_duration_seconds_bucket{le=\"0.0005\"} 1"],
            ),
            (
                "threadbare_request_duration_seconds_bucket{le=\"60\"}",
                vec!["threadbare_request_duration_seconds_bucket{le=\"60\"} 2"],
            ),
            (
                "threadbare_request_duration_seconds_bucket{le=\"+Inf\"}",
                vec!["threadbare_request_duration_seconds_bucket{le=\"+Inf\"} 3"],
            ),
            (
                "threadbare_requests_total",
                vec![
                    "threadbare_requests_total{method=\"GET\",code=\"2xx\",route=\"/hello\"} 1",
                    "threadbare_requests_total{method=\"HEAD\",code=\"3xx\",route=\"file\"} 1",
                    "threadbare_requests_total{method=\"unknown\",code=\"4xx\",route=\"none\"} 1",
                ],
            ),
            ("threadbare_connections_max", vec!["threadbare_connections_max 7"]),
        ] {
            assert_eq!(lines(&metrics, prefix), want, "{prefix}");
        }
        drop(second);
        let ended = lines(&metrics, "threadbare_connections_ended_total");
        assert!(
            ended.contains(&"threadbare_connections_ended_total{reason=\"panicked\"} 1".to_owned()),
            "nobody said why: {ended:?}"
        );
    }
}
