//! What has happened since the start, in numbers?
//!
//! [`Metrics`] counts (`--metrics`), and [`prometheus`](crate::telemetry::prometheus) writes the counts in the text format of Prometheus. Counting takes no lock and
//! allocates nothing: each count is an atomic number, and nothing is concluded from the order in which two of them change. Every label has
//! a small set of values that is known before the first request, so that no client can make up new ones.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::http::status::StatusCode;
use crate::server::close_reason::CloseReason;
use crate::telemetry::log_queue::LogQueue;
use crate::telemetry::prometheus::Process;

/// The classes of status codes that a response can have.
pub(crate) const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// The upper bounds of the buckets of request durations, in microseconds; one more bucket is for what takes longer. A file from memory is
/// sent in some 10 µs, a large one may take minutes.
pub(crate) const BOUNDS_MICROS: [u64; 18] = [
    25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000, 60_000_000,
];

/// All that is counted.
#[derive(Debug)]
pub struct Metrics {
    pub(crate) accepted: AtomicU64,
    pub(crate) refused: AtomicU64,
    /// By [`CloseReason::index`].
    pub(crate) ended: [AtomicU64; CloseReason::LABELS.len()],
    /// By class of status.
    pub(crate) requests: [AtomicU64; CLASSES.len()],
    pub(crate) durations: [AtomicU64; BOUNDS_MICROS.len() + 1],
    pub(crate) duration_nanos: AtomicU64,
    pub(crate) received_bytes: AtomicU64,
    pub(crate) sent_bytes: AtomicU64,
    pub(crate) malformed: AtomicU64,
    pub(crate) started: SystemTime,
    pub(crate) process: Process,
    pub(crate) program_log: LogQueue,
}

impl Metrics {
    /// Counts that begin at 0.
    pub fn new(process: Process, program_log: LogQueue) -> Metrics {
        Metrics {
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            ended: Default::default(),
            requests: Default::default(),
            durations: Default::default(),
            duration_nanos: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            malformed: AtomicU64::new(0),
            started: SystemTime::now(),
            process,
            program_log,
        }
    }

    /// Where the program writes its log.
    pub fn program_log(&self) -> &LogQueue {
        &self.program_log
    }

    /// Counts a connection that was accepted.
    pub fn accepted(&self) {
        add(&self.accepted, 1);
    }

    /// Counts a connection that was answered with 503 instead of being served.
    pub fn refused(&self) {
        add(&self.refused, 1);
    }

    /// Begins to count what happens on a connection that is served.
    pub fn connection(&self) -> ConnectionMetrics<'_> {
        ConnectionMetrics { metrics: self, moved: (0, 0), end: CloseReason::HandlerPanicked.index() }
    }
}

/// One connection, from its first byte to its end. The end is counted when this is dropped, also while the thread panics.
#[derive(Debug)]
pub struct ConnectionMetrics<'a> {
    metrics: &'a Metrics,
    /// How many of its bytes have been counted, received and sent.
    moved: (u64, u64),
    end: usize,
}

impl ConnectionMetrics<'_> {
    /// Counts the bytes that have moved since the last call. Both numbers are totals of the connection.
    pub fn moved(&mut self, received: u64, sent: u64) {
        let (received_before, sent_before) = std::mem::replace(&mut self.moved, (received, sent));
        add(&self.metrics.received_bytes, received.saturating_sub(received_before));
        add(&self.metrics.sent_bytes, sent.saturating_sub(sent_before));
    }

    /// Counts an exchange that took so long, after which the connection ends for that reason, if at all.
    pub fn exchange(&self, status: StatusCode, fate: Option<&CloseReason>, took: Duration) {
        let class = usize::from(status.as_u16() / 100).checked_sub(2).and_then(|class| self.metrics.requests.get(class));
        let bucket = BOUNDS_MICROS.iter().position(|bound| took <= Duration::from_micros(*bound)).unwrap_or(BOUNDS_MICROS.len());
        for count in class.into_iter().chain(self.metrics.durations.get(bucket)) {
            add(count, 1);
        }
        add(&self.metrics.duration_nanos, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        if let Some(CloseReason::Malformed(_)) = fate {
            add(&self.metrics.malformed, 1);
        }
    }

    /// Sets the reason that is counted when the connection ends.
    pub fn set_close_reason(&mut self, ended: &CloseReason) {
        self.end = ended.index();
    }
}

impl Drop for ConnectionMetrics<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.metrics.ended.get(self.end) {
            add(count, 1);
        }
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

pub(crate) fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::error::ParseError;
    use crate::telemetry::log_queue::Losses;

    #[test]
    fn what_happens_is_counted() {
        let log = LogQueue::start(|| Ok(std::io::sink()), Losses::AmongTheLines).unwrap();
        let metrics = Metrics::new(Process::default(), log);
        for _ in 0..4 {
            metrics.accepted();
        }
        metrics.refused();
        let (mut first, second, third) = (metrics.connection(), metrics.connection(), metrics.connection());
        first.exchange(StatusCode::NOT_MODIFIED, None, Duration::from_micros(25));
        second.exchange(StatusCode::OK, Some(&CloseReason::ConnectionClose), Duration::from_nanos(25_001));
        second.exchange(StatusCode::OK, None, Duration::from_secs(60));
        third.exchange(
            StatusCode::BAD_REQUEST,
            Some(&CloseReason::Malformed(ParseError::MissingChunkCrlf)),
            Duration::from_nanos(60_000_000_001),
        );
        third.exchange(StatusCode::CONTINUE, None, Duration::ZERO);
        first.moved(7, 100);
        first.moved(7, 101);
        first.set_close_reason(&CloseReason::Evicted);
        drop(first);
        drop(second);
        let text = metrics.write(5);
        for (line, why) in [
            ("threadbare_connections_live 1", "the third"),
            ("threadbare_connections_accepted_total 4", "one was refused"),
            ("threadbare_connections_ended_total{reason=\"evicted\"} 1", "as was said"),
            ("threadbare_connections_ended_total{reason=\"panicked\"} 1", "nobody said why"),
            ("threadbare_connections_ended_total{reason=\"refused\"} 1", "with 503"),
            ("threadbare_connections_ended_total{reason=\"idle\"} 0", "all reasons are there from the beginning"),
            ("threadbare_requests_total{code=\"2xx\"} 2", "whatever came after them"),
            ("threadbare_requests_total{code=\"3xx\"} 1", "304"),
            ("threadbare_requests_total{code=\"4xx\"} 1", "400"),
            ("threadbare_requests_total{code=\"5xx\"} 0", "none; and 100 has no class"),
            ("threadbare_request_duration_seconds_bucket{le=\"0.000025\"} 2", "at the bound, and below it"),
            ("threadbare_request_duration_seconds_bucket{le=\"0.00005\"} 3", "just beyond it"),
            ("threadbare_request_duration_seconds_bucket{le=\"2.5\"} 3", "each holds those before"),
            ("threadbare_request_duration_seconds_bucket{le=\"60\"} 4", "the last bound"),
            ("threadbare_request_duration_seconds_bucket{le=\"+Inf\"} 5", "and beyond it"),
            ("threadbare_request_duration_seconds_count 5", "all of them"),
            ("threadbare_request_duration_seconds_sum 120.000050002", "together"),
            ("threadbare_received_bytes_total 7", "counted once"),
            ("threadbare_sent_bytes_total 101", "and what was added"),
            ("threadbare_malformed_requests_total 1", "the third"),
            ("threadbare_log_lines_lost_total{log=\"access\"} 5", "as was said"),
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is missing: {why}\n{text}");
        }
    }
}
