//! How are numbers spelled, so that Prometheus reads them?
//!
//! Its text format, version 0.0.4: for each metric a line that says what it is, one that says of which kind, and a line for each value.

use std::fmt::{self, Display, Write};
use std::time::Duration;

/// What the text is, as Content-Type has it.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, until the program starts again.
    Counter,
    /// It comes and goes.
    Gauge,
    /// It counts in buckets.
    Histogram,
}

/// A metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it is, in one line.
    pub help: &'static str,
}

/// A time in seconds, spelled without the long way that floating-point numbers take.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0.as_secs(), self.0.subsec_nanos())
    }
}

/// Text that grows by one metric after the other.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

impl Exposition {
    /// A metric begins; its values come next.
    // None of these is inlined: the page has many lines, and each would be a copy.
    #[inline(never)]
    pub fn begin(&mut self, metric: &Metric) {
        let Metric { name, kind, help } = metric;
        // A String takes whatever it is given.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {}", kind.name());
    }

    /// A value. Names and values of labels are ours, and hold nothing that would have to be escaped.
    #[inline(never)]
    pub fn value(&mut self, name: &str, labels: &[(&str, &str)], value: &dyn Display) {
        self.text.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.text, "{}{label}=\"{text}\"", if place == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// A metric that has one value.
    #[inline(never)]
    pub fn only(&mut self, metric: &Metric, value: &dyn Display) {
        self.begin(metric);
        self.value(metric.name, &[], value);
    }

    /// A metric that has a value for each of some names.
    #[inline(never)]
    pub fn each(&mut self, metric: &Metric, label: &str, values: &[(&str, u64)]) {
        self.begin(metric);
        for (name, value) in values {
            self.value(metric.name, &[(label, name)], value);
        }
    }

    /// All of it.
    pub fn into_text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn these_are_its_lines() {
        let metric = |name, kind| Metric { name, kind, help: "What it is." };
        let mut text = Exposition::default();
        text.only(&metric("a", Kind::Gauge), &Seconds(Duration::from_millis(1050)));
        text.each(&metric("b_total", Kind::Counter), "kind", &[("x", 1), ("y", 0)]);
        text.value("c", &[("d", "e"), ("f", "g")], &3);
        let want = "# HELP a What it is.\n# TYPE a gauge\na 1.050000000\n\
                    # HELP b_total What it is.\n# TYPE b_total counter\nb_total{kind=\"x\"} 1\nb_total{kind=\"y\"} 0\n\
                    c{d=\"e\",f=\"g\"} 3\n";
        assert_eq!(text.into_text(), want);
    }
}
