//! Counters of connections and requests (`--metrics`); [`prometheus`](crate::telemetry::prometheus) writes them as text.
//!
//! Counting takes no lock and allocates nothing: each counter is an atomic number. Every label has a small set of values that is known at
//! the start, so that clients cannot create new series.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::http::forwarded::Scheme;
use crate::http::status::StatusCode;
use crate::os::limits::ProcessStats;
use crate::telemetry::log_queue::LogQueue;

/// The classes of status codes that a response can have.
pub(crate) const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// The upper bounds of the buckets of request durations, in microseconds; one more bucket holds longer ones. A cached file takes some 10 µs,
/// a large download minutes.
pub(crate) const BOUNDS_MICROS: [u64; 18] = [
    25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000, 60_000_000,
];

/// All counters.
#[derive(Debug)]
pub struct Metrics {
    pub(crate) accepted: AtomicU64,
    pub(crate) rejected: AtomicU64,
    /// The reasons for closing a connection, and the connections that each has closed.
    pub(crate) closed: Vec<(&'static str, AtomicU64)>,
    /// By class of status.
    pub(crate) requests: [AtomicU64; CLASSES.len()],
    pub(crate) durations: [AtomicU64; BOUNDS_MICROS.len() + 1],
    pub(crate) duration_nanos: AtomicU64,
    pub(crate) received_bytes: AtomicU64,
    pub(crate) sent_bytes: AtomicU64,
    pub(crate) malformed: AtomicU64,
    pub(crate) https: AtomicU64,
    pub(crate) started: SystemTime,
    pub(crate) process: ProcessStats,
    pub(crate) program_log: LogQueue,
}

impl Metrics {
    /// Creates counters at 0. `close_reasons` are the labels of all reasons for closing a connection.
    pub fn new(close_reasons: &[&'static str], process: ProcessStats, program_log: LogQueue) -> Metrics {
        Metrics {
            accepted: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            closed: close_reasons.iter().map(|label| (*label, AtomicU64::new(0))).collect(),
            requests: Default::default(),
            durations: Default::default(),
            duration_nanos: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            malformed: AtomicU64::new(0),
            https: AtomicU64::new(0),
            started: SystemTime::now(),
            process,
            program_log,
        }
    }

    /// Counts a connection that was accepted.
    pub fn accepted(&self) {
        add(&self.accepted, 1);
    }

    /// Counts a connection that was rejected with 503.
    pub fn rejected(&self) {
        add(&self.rejected, 1);
    }

    /// Starts counting for a connection. `close_reason` is counted unless another one is set before its end: that of a panic.
    pub fn connection(&self, close_reason: &'static str) -> ConnectionMetrics<'_> {
        ConnectionMetrics { metrics: self, counted_bytes: (0, 0), close_reason }
    }
}

/// The counters of one connection. Dropping it counts the close reason, also when the thread panics.
#[derive(Debug)]
pub struct ConnectionMetrics<'a> {
    metrics: &'a Metrics,
    /// The bytes counted so far, received and sent.
    counted_bytes: (u64, u64),
    /// The reason to count when the connection ends.
    pub close_reason: &'static str,
}

impl ConnectionMetrics<'_> {
    /// Counts the bytes since the last call. Both arguments are totals of the connection.
    pub fn count_bytes(&mut self, received: u64, sent: u64) {
        let (received_before, sent_before) = std::mem::replace(&mut self.counted_bytes, (received, sent));
        add(&self.metrics.received_bytes, received.saturating_sub(received_before));
        add(&self.metrics.sent_bytes, sent.saturating_sub(sent_before));
    }

    /// Counts an exchange.
    pub fn exchange(&self, status: StatusCode, is_malformed: bool, scheme: Option<Scheme>, duration: Duration) {
        let class = usize::from(status.as_u16() / 100).checked_sub(2).and_then(|class| self.metrics.requests.get(class));
        let bucket =
            BOUNDS_MICROS.iter().position(|bound| duration <= Duration::from_micros(*bound)).unwrap_or(BOUNDS_MICROS.len());
        for count in class.into_iter().chain(self.metrics.durations.get(bucket)) {
            add(count, 1);
        }
        add(&self.metrics.duration_nanos, u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
        add(&self.metrics.malformed, is_malformed.into());
        add(&self.metrics.https, (scheme == Some(Scheme::Https)).into());
    }
}

impl Drop for ConnectionMetrics<'_> {
    fn drop(&mut self) {
        if let Some((_, count)) = self.metrics.closed.iter().find(|(label, _)| *label == self.close_reason) {
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

    #[test]
    fn exchanges_and_connections_are_counted() {
        let log = LogQueue::start("log", || Ok(std::io::sink())).unwrap();
        let metrics = Metrics::new(&["idle", "evicted", "panicked"], ProcessStats::default(), log);
        for _ in 0..4 {
            metrics.accepted();
        }
        metrics.rejected();
        let begin = || metrics.connection("panicked");
        let (mut first, second, third) = (begin(), begin(), begin());
        first.exchange(StatusCode::NOT_MODIFIED, false, None, Duration::from_micros(25));
        second.exchange(StatusCode::OK, false, None, Duration::from_nanos(25_001));
        second.exchange(StatusCode::OK, false, Some(Scheme::Https), Duration::from_secs(60));
        third.exchange(StatusCode::BAD_REQUEST, true, None, Duration::from_nanos(60_000_000_001));
        third.exchange(StatusCode::CONTINUE, false, None, Duration::ZERO);
        first.count_bytes(7, 100);
        first.count_bytes(7, 101);
        first.close_reason = "evicted";
        drop(first);
        drop(second);
        let text = metrics.write(5);
        for (line, why) in [
            ("threadbare_connections_live 1", "the third"),
            ("threadbare_connections_accepted_total 4", "one was rejected"),
            ("threadbare_connections_ended_total{reason=\"evicted\"} 1", "the reason that was set"),
            ("threadbare_connections_ended_total{reason=\"panicked\"} 1", "no reason was set"),
            ("threadbare_https_requests_total 1", "one of five"),
            ("threadbare_connections_ended_total{reason=\"refused\"} 1", "with 503"),
            ("threadbare_connections_ended_total{reason=\"idle\"} 0", "all series exist from the start"),
            ("threadbare_requests_total{code=\"2xx\"} 2", "two responses"),
            ("threadbare_requests_total{code=\"3xx\"} 1", "304"),
            ("threadbare_requests_total{code=\"4xx\"} 1", "400"),
            ("threadbare_requests_total{code=\"5xx\"} 0", "none; 100 has no class"),
            ("threadbare_request_duration_seconds_bucket{le=\"0.000025\"} 2", "at the bound, and below it"),
            ("threadbare_request_duration_seconds_bucket{le=\"0.00005\"} 3", "just beyond it"),
            ("threadbare_request_duration_seconds_bucket{le=\"2.5\"} 3", "buckets are cumulative"),
            ("threadbare_request_duration_seconds_bucket{le=\"60\"} 4", "the last bound"),
            ("threadbare_request_duration_seconds_bucket{le=\"+Inf\"} 5", "and beyond it"),
            ("threadbare_request_duration_seconds_count 5", "all of them"),
            ("threadbare_request_duration_seconds_sum 120.000050002", "together"),
            ("threadbare_received_bytes_total 7", "counted once"),
            ("threadbare_sent_bytes_total 101", "the difference is added"),
            ("threadbare_malformed_requests_total 1", "the third"),
            ("threadbare_log_lines_lost_total{log=\"access\"} 5", "as was said"),
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is missing: {why}\n{text}");
        }
    }
}
