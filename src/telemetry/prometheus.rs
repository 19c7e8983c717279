//! Text exposition format of Prometheus, version 0.0.4.
//!
//! For each metric there is a line of help, a line with its type, and a line for each value. Names and label values are constants that need
//! no escaping.

use std::fmt::{Display, Write};
use std::time::{Duration, UNIX_EPOCH};

use crate::os::limits::ProcessUsage;
use crate::telemetry::metrics::{BOUNDS_MICROS, CLASSES, Metrics, load};

/// The media type of the text.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Metrics {
    /// Returns all metrics as text. `access_lines_lost` are the lines that the access log has lost.
    pub fn write(&self, access_lines_lost: u64) -> String {
        let mut out = Text(String::with_capacity(8 * 1024));
        let help = "Always 1; its label is the version.";
        out.labelled("gauge", "threadbare_build_info", help, "version", &[(env!("CARGO_PKG_VERSION"), 1)]);
        self.write_connections(&mut out);
        self.write_requests(&mut out);
        let help = "Bytes received on connections, counted after each exchange.";
        out.single("counter", "threadbare_received_bytes_total", help, &load(&self.received_bytes));
        let help = "Bytes sent on connections, counted after each exchange.";
        out.single("counter", "threadbare_sent_bytes_total", help, &load(&self.sent_bytes));
        let help = "Malformed requests.";
        out.single("counter", "threadbare_malformed_requests_total", help, &load(&self.malformed));
        let help = "Log lines that were dropped because the log is written too slowly, or that could not be written.";
        let lost = [("program", self.program_log.lost_lines()), ("access", access_lines_lost)];
        out.labelled("counter", "threadbare_log_lines_lost_total", help, "log", &lost);
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        out.single("gauge", "process_start_time_seconds", "Start time of the process, in seconds since 1970.", &started);
        write_usage(&mut out, &self.process.read());
        out.0
    }

    fn write_connections(&self, out: &mut Text) {
        // Closed ones first: a connection that closes in between was accepted before, so that the number of live ones is not negative.
        let counts = self.closed.iter().map(|(label, count)| (*label, load(count)));
        let closed: Vec<(&str, u64)> = counts.chain([("refused", load(&self.rejected))]).collect();
        let accepted = load(&self.accepted);
        let live = accepted.saturating_sub(closed.iter().map(|(_, count)| count).sum());
        let help = "Open connections, active and idle.";
        out.single("gauge", "threadbare_connections_live", help, &live);
        let help = "Accepted connections.";
        out.single("counter", "threadbare_connections_accepted_total", help, &accepted);
        let help = "Closed connections, by reason; evicted: closed in favour of a new connection, refused: rejected with 503.";
        out.labelled("counter", "threadbare_connections_ended_total", help, "reason", &closed);
    }

    fn write_requests(&self, out: &mut Text) {
        let requests: Vec<(&str, u64)> = CLASSES.into_iter().zip(self.requests.iter().map(load)).collect();
        let help = "Requests answered, by class of status.";
        out.labelled("counter", "threadbare_requests_total", help, "code", &requests);
        let help = "Requests over TLS, to this server or to a proxy that it trusts.";
        out.single("counter", "threadbare_https_requests_total", help, &load(&self.https));
        let name = "threadbare_request_duration_seconds";
        let help = "Time from the last byte of the request head to the last byte of the response.";
        out.begin("histogram", name, help);
        // Buckets are cumulative.
        let mut sum = 0;
        let bounds = BOUNDS_MICROS.iter().map(|&bound| Duration::from_micros(bound).as_secs_f64().to_string());
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&self.durations) {
            sum += load(count);
            out.value(&format!("{name}_bucket{{le=\"{bound}\"}}"), &sum);
        }
        out.value(&format!("{name}_sum"), &Duration::from_nanos(load(&self.duration_nanos)).as_secs_f64());
        out.value(&format!("{name}_count"), &sum);
    }
}

fn write_usage(out: &mut Text, usage: &ProcessUsage) {
    let gauges = [
        ("process_max_fds", "Limit of open file descriptors.", usage.descriptors_max),
        ("process_open_fds", "Open file descriptors.", usage.descriptors),
        ("process_resident_memory_bytes", "Resident memory, in bytes.", usage.resident_bytes),
        ("process_threads", "Threads.", usage.threads),
    ];
    if let Some(seconds) = usage.cpu_seconds {
        let help = "Processor time of all threads, in user and system mode, in seconds.";
        out.single("counter", "process_cpu_seconds_total", help, &seconds);
    }
    for (name, help, value) in gauges {
        if let Some(value) = value {
            out.single("gauge", name, help, &value);
        }
    }
}

/// The text. Writing to a String cannot fail.
struct Text(String);

impl Text {
    fn begin(&mut self, kind: &str, name: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, series: &str, value: &dyn Display) {
        let _ = writeln!(self.0, "{series} {value}");
    }

    /// Appends a metric that has one value.
    fn single(&mut self, kind: &str, name: &str, help: &str, value: &dyn Display) {
        self.begin(kind, name, help);
        self.value(name, value);
    }

    /// Appends a metric that has a value for each value of a label.
    fn labelled(&mut self, kind: &str, name: &str, help: &str, label: &str, values: &[(&str, u64)]) {
        self.begin(kind, name, help);
        for (text, value) in values {
            self.value(&format!("{name}{{{label}=\"{text}\"}}"), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_format() {
        let mut text = Text(String::new());
        text.single("gauge", "a", "What it is.", &1.05);
        text.labelled("counter", "b_total", "What it is.", "kind", &[("x", 1), ("y", 0)]);
        let want = "# HELP a What it is.\n# TYPE a gauge\na 1.05\n\
                    # HELP b_total What it is.\n# TYPE b_total counter\nb_total{kind=\"x\"} 1\nb_total{kind=\"y\"} 0\n";
        assert_eq!(text.0, want);
    }
}
