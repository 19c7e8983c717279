//! How are numbers written, so that Prometheus reads them?
//!
//! In its text format, version 0.0.4: for each metric a line of help, a line with its type, and a line for each value. Names and values of
//! labels are constants that need no escaping.

use std::fmt::{Display, Write};
use std::time::{Duration, UNIX_EPOCH};

use crate::server::close_reason::CloseReason;
use crate::telemetry::metrics::{BOUNDS_MICROS, CLASSES, Metrics, load};

/// The media type of the text.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Metrics {
    /// Returns all metrics as text. The access log says how many lines it has lost, unless these are lines of the program's log.
    pub fn write(&self, access_lines_lost: u64) -> String {
        let mut out = Text(String::with_capacity(8 * 1024));
        out.labelled(
            "gauge",
            "threadbare_build_info",
            "Always 1; its label is the version.",
            "version",
            &[(env!("CARGO_PKG_VERSION"), 1)],
        );
        self.write_connections(&mut out);
        self.write_requests(&mut out);
        let help = "Bytes that were read from connections, heads and contents, counted after each exchange.";
        out.single("counter", "threadbare_received_bytes_total", help, &load(&self.received_bytes));
        let help = "Bytes that were written to connections, heads and contents, counted after each exchange.";
        out.single("counter", "threadbare_sent_bytes_total", help, &load(&self.sent_bytes));
        let help = "Messages that were refused since they break a rule of HTTP.";
        out.single("counter", "threadbare_malformed_requests_total", help, &load(&self.malformed));
        let help = "Log lines that were dropped because the log is not written fast enough, or that could not be written.";
        let lost = [("program", self.program_log.dropped_lines()), ("access", access_lines_lost)];
        out.labelled("counter", "threadbare_log_lines_lost_total", help, "log", &lost);
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        out.single("gauge", "process_start_time_seconds", "When the program started, in seconds since 1970.", &started);
        self.process.write(&mut out);
        out.0
    }

    fn write_connections(&self, out: &mut Text) {
        // The ends first: what ends in between was accepted before, so that no number of live connections is negative.
        let counts = self.ended.iter().chain([&self.refused]).map(load);
        let ended: Vec<(&str, u64)> = CloseReason::LABELS.into_iter().chain(["refused"]).zip(counts).collect();
        let accepted = load(&self.accepted);
        let live = accepted.saturating_sub(ended.iter().map(|(_, count)| count).sum());
        let help = "Connections that are being served, or wait for their next request.";
        out.single("gauge", "threadbare_connections_live", help, &live);
        let help = "Connections that were accepted from the system.";
        out.single("counter", "threadbare_connections_accepted_total", help, &accepted);
        let help = "Connections that ended, by reason; evicted: another one needed the seat, refused: answered with 503 at once.";
        out.labelled("counter", "threadbare_connections_ended_total", help, "reason", &ended);
    }

    fn write_requests(&self, out: &mut Text) {
        let requests: Vec<(&str, u64)> = CLASSES.into_iter().zip(self.requests.iter().map(load)).collect();
        let help = "Requests that were answered, by class of status.";
        out.labelled("counter", "threadbare_requests_total", help, "code", &requests);
        let name = "threadbare_request_duration_seconds";
        let help = "From when all of the head of a request was here to when the system had taken the last byte of its answer.";
        out.begin("histogram", name, help);
        // Each bucket holds what is in those before it as well.
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

/// Text that grows by one metric after the other. Writing to a String cannot fail.
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

/// What this process takes from its machine, under the names that Prometheus has for it. Linux tells it in `/proc`, which is opened at the
/// start: later the sandbox allows no opening there. Elsewhere these metrics are missing.
#[derive(Debug, Default)]
pub struct Process {
    #[cfg(target_os = "linux")]
    status: Option<std::fs::File>,
    /// Guards the position in the directory, while its entries are counted.
    #[cfg(target_os = "linux")]
    descriptors: Option<std::sync::Mutex<rustix::fs::Dir>>,
}

#[cfg(not(target_os = "linux"))]
impl Process {
    /// Opens nothing.
    pub fn open() -> Process {
        Process::default()
    }

    fn write(&self, _: &mut Text) {}
}

#[cfg(target_os = "linux")]
impl Process {
    /// Opens what will be read. It must come before the sandbox.
    pub fn open() -> Process {
        use std::fs::File;
        let descriptors = File::open("/proc/self/fd").ok().and_then(|directory| rustix::fs::Dir::new(directory).ok());
        Process { status: File::open("/proc/self/status").ok(), descriptors: descriptors.map(Into::into) }
    }

    fn write(&self, out: &mut Text) {
        use rustix::process::{Resource, getrlimit};
        use rustix::time::{ClockId, clock_gettime};
        let spent = Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default().as_secs_f64();
        let help = "Processor time of all threads, in user and in system mode, in seconds.";
        out.single("counter", "process_cpu_seconds_total", help, &spent);
        if let Some(limit) = getrlimit(Resource::Nofile).current {
            out.single("gauge", "process_max_fds", "Most file descriptors that may be open.", &limit);
        }
        if let Some(count) = self.open_descriptors() {
            out.single("gauge", "process_open_fds", "Open file descriptors.", &count);
        }
        let status = self.status();
        if let Some(kibibytes) = number(&status, "VmRSS") {
            let help = "Memory that is in use, in bytes.";
            out.single("gauge", "process_resident_memory_bytes", help, &(kibibytes * 1024));
        }
        if let Some(threads) = number(&status, "Threads") {
            out.single("gauge", "process_threads", "Threads.", &threads);
        }
    }

    /// What the kernel says of the process as a whole, as text.
    fn status(&self) -> String {
        use std::os::unix::fs::FileExt;
        // Some 1,500 bytes; the kernel gives all of it at once.
        let mut bytes = vec![0; 16 * 1024];
        let count = self.status.as_ref().and_then(|status| status.read_at(&mut bytes, 0).ok());
        bytes.truncate(count.unwrap_or(0));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn open_descriptors(&self) -> Option<u64> {
        let mut directory = self.descriptors.as_ref()?.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        directory.rewind();
        let mut count = 0_u64;
        while let Some(entry) = directory.read() {
            count += u64::from(!entry.ok()?.file_name().to_bytes().starts_with(b"."));
        }
        Some(count)
    }
}

/// The number in a line like `Threads: 1` or `VmRSS: 1234 kB`, with a tab behind the colon.
#[cfg(target_os = "linux")]
fn number(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
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

    #[cfg(target_os = "linux")]
    #[test]
    fn process_metrics_can_be_read_more_than_once() {
        let process = Process::open();
        for _ in 0..2 {
            let mut out = Text(String::new());
            process.write(&mut out);
            let values: Vec<(&str, f64)> = out
                .0
                .lines()
                .filter(|line| !line.starts_with('#'))
                .map(|line| {
                    let (name, value) = line.split_once(' ').unwrap();
                    (name, value.parse().unwrap())
                })
                .collect();
            assert!(values.len() == 5 && values.iter().all(|(_, value)| *value > 0.0), "{values:?}");
        }
    }
}
