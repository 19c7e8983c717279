//! What is each metric called, and what does it say?
//!
//! One row for each. `docs/watching.md`, the dashboard and the rules in `deploy/` are held to these by a test.

use crate::metrics::exposition::{Kind, Metric};

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, help }
}

/// The version.
pub const BUILD_INFO: Metric = gauge("threadbare_build_info", "Always 1; its label is the version.");
/// Connections that are being served, or wait for their next request.
pub const CONNECTIONS_LIVE: Metric =
    gauge("threadbare_connections_live", "Connections that are being served, or wait for their next request.");
/// How many there may be.
pub const CONNECTIONS_MAX: Metric =
    gauge("threadbare_connections_max", "Most connections that there may be at once; then the oldest idle one makes room.");
/// Connections that came in.
pub const CONNECTIONS_ACCEPTED: Metric =
    counter("threadbare_connections_accepted_total", "Connections that were accepted from the system.");
/// Connections that were turned away.
pub const CONNECTIONS_REFUSED: Metric = counter(
    "threadbare_connections_refused_total",
    "Connections that were turned away with 503, since no seat or thread was free.",
);
/// Connections that ended.
pub const CONNECTIONS_ENDED: Metric =
    counter("threadbare_connections_ended_total", "Connections that ended, by reason; evicted: another one needed the seat.");
/// What ran out.
pub const EXHAUSTED: Metric =
    counter("threadbare_exhausted_total", "How often the system had run out of descriptors or threads.");
/// Requests that were answered.
pub const REQUESTS: Metric = counter(
    "threadbare_requests_total",
    "Requests that were answered, by method, class of status, and what answered: a kind of place in the site, or a built-in route.",
);
/// How long they took.
pub const DURATION: Metric = Metric {
    name: "threadbare_request_duration_seconds",
    kind: Kind::Histogram,
    help: "From when all of the head of a request was here to when the system had taken the last byte of its answer.",
};
/// How many took at most so long.
pub const DURATION_BUCKET: &str = "threadbare_request_duration_seconds_bucket";
/// How long all took together.
pub const DURATION_SUM: &str = "threadbare_request_duration_seconds_sum";
/// How many there were.
pub const DURATION_COUNT: &str = "threadbare_request_duration_seconds_count";
/// Bytes that came.
pub const RECEIVED_BYTES: Metric = counter(
    "threadbare_received_bytes_total",
    "Bytes that were read from connections, heads and contents, counted after each exchange.",
);
/// Bytes that left.
pub const SENT_BYTES: Metric = counter(
    "threadbare_sent_bytes_total",
    "Bytes that were written to connections, heads and contents, counted after each exchange.",
);
/// Messages that break a rule.
pub const MALFORMED: Metric =
    counter("threadbare_malformed_requests_total", "Messages that were refused since they break a rule of HTTP, by the rule.");
/// Files that were in memory.
pub const CACHE_HITS: Metric = counter("threadbare_cache_hits_total", "How often a file was taken from memory.");
/// Files that were not.
pub const CACHE_MISSES: Metric =
    counter("threadbare_cache_misses_total", "How often a file was opened, since it was not in memory or is too large for it.");
/// Files that had to go.
pub const CACHE_EVICTED: Metric =
    counter("threadbare_cache_evicted_files_total", "Files that left memory because others needed the room.");
/// Files in memory.
pub const CACHE_FILES: Metric = gauge("threadbare_cache_files", "Files in memory.");
/// What they take.
pub const CACHE_BYTES: Metric = gauge("threadbare_cache_bytes", "What files in memory take.");
/// What they may take.
pub const CACHE_MAX_BYTES: Metric = gauge("threadbare_cache_max_bytes", "What files in memory may take.");
/// Lines that nobody will read.
pub const LOG_LINES_LOST: Metric = counter(
    "threadbare_log_lines_lost_total",
    "Log lines that were dropped because the log is not written fast enough, or that could not be written.",
);
/// Whether we go.
pub const STOPPING: Metric = gauge("threadbare_stopping", "1 from when the server was asked to stop.");
/// When we came.
pub const START_TIME: Metric = gauge("process_start_time_seconds", "When the program started, in seconds since 1970.");
