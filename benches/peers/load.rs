//! Load generation, and the results that clients see.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::place::MANY;
use crate::rows::{Kind, PIPELINE, Row, UPLOAD_LENGTH, UPLOADS};
use crate::servers::Purpose;

/// The results of `wrk`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub requests: u64,
    pub seconds: f64,
    pub bytes: u64,
    pub p50_micros: f64,
    pub p99_micros: f64,
    pub trouble: Trouble,
}

/// Errors that clients saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    pub connect: u64,
    pub read: u64,
    pub write: u64,
    pub timeout: u64,
    /// Responses with an unexpected status: not 2xx or 3xx, or not 404 in the 404 workload.
    pub status: u64,
}

/// The end of all scripts: prints figures in a format for programs.
const DONE: &str = "done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('FIGURES %d %d %d %d %d %d %d %d %d %d\\n', summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(99), e.connect, e.read, e.write, e.timeout, e.status))
end
";

/// The script of workloads that need more than one repeated request.
fn script(kind: Kind) -> String {
    let more = match kind {
        Kind::Pipelined => format!(
            "local all\ninit = function() all = string.rep(wrk.format(), {PIPELINE}) end\nrequest = function() return all end\n"
        ),
        Kind::Many => format!(
            "local all = {{}}\n\
             init = function() for i = 1, {MANY} do all[i] = wrk.format(nil, string.format('/many/%05d.bin', i - 1)) end end\n\
             request = function() return all[math.random({MANY})] end\n"
        ),
        Kind::Put => format!(
            "local all = {{}}\n\
             init = function()\n  local body = string.rep('x', {UPLOAD_LENGTH})\n  for i = 1, {UPLOADS} do all[i] = wrk.format('PUT', string.format('/put/%05d.bin', i - 1), nil, body) end\nend\n\
             request = function() return all[math.random({UPLOADS})] end\n"
        ),
        Kind::Think => "delay = function() return 1 end\n".into(),
        Kind::File | Kind::Close | Kind::Missing | Kind::NotModified | Kind::Range | Kind::Listing | Kind::Busy => String::new(),
    };
    more + DONE
}

/// Runs `wrk` for the given time.
pub fn run(row: &Row, seconds: u64, address: SocketAddr, fields: &[String], scratch: &Path) -> Result<Seen, String> {
    let path = scratch.join("load.lua");
    fs::write(&path, script(row.kind)).unwrap();
    let mut command = Command::new("wrk");
    command
        .args(["-t", "1", "-c", &row.connections.to_string(), "-d", &format!("{seconds}s"), "--timeout", "8s", "-s"])
        .arg(path);
    for field in fields {
        command.args(["-H", field]);
    }
    let scheme = if row.purpose == Purpose::Tls { "https" } else { "http" };
    let output = command.arg(format!("{scheme}://{address}{}", row.target)).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let figures = text.lines().find_map(|line| line.strip_prefix("FIGURES "));
    let figures: Vec<u64> = figures.into_iter().flat_map(|line| line.split(' ')).filter_map(|word| word.parse().ok()).collect();
    let [requests, micros, bytes, p50, p99, connect, read, write, timeout, status] = figures[..] else {
        return Err(format!("wrk failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    };
    let status = if row.kind == Kind::Missing { requests.saturating_sub(status) } else { status };
    let trouble = Trouble { connect, read, write, timeout, status };
    // `wrk` corrects latencies for requests that it would have sent in the meantime, which is wrong for pipelined requests.
    let latency = |micros: u64| if row.kind == Kind::Pipelined { f64::NAN } else { micros as f64 };
    Ok(Seen { requests, seconds: micros as f64 / 1e6, bytes, p50_micros: latency(p50), p99_micros: latency(p99), trouble })
}

impl Trouble {
    /// Adds the errors of another run.
    pub fn add(&mut self, other: Trouble) {
        self.connect += other.connect;
        self.read += other.read;
        self.write += other.write;
        self.timeout += other.timeout;
        self.status += other.status;
    }

    /// The errors in words; `None` if there were none.
    pub fn says(&self) -> Option<String> {
        let kinds = [
            ("connect errors", self.connect),
            ("read errors", self.read),
            ("write errors", self.write),
            ("timeouts", self.timeout),
            ("wrong statuses", self.status),
        ];
        let some: Vec<String> =
            kinds.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{count} {what}")).collect();
        (!some.is_empty()).then(|| some.join(", "))
    }
}
