//! Resource usage of idle servers, and programs that keep the cores busy.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::figures::{self, Memory};
use crate::guard::{Guard, end_group};
use crate::running::Running;

/// Idle connections, each after one request.
pub const IDLE_CONNECTIONS: usize = 500;
/// How long CPU usage is measured.
pub const WATCHED: Duration = Duration::from_secs(5);
/// Longer than any workload: a busy program exits even if it is not killed.
const BUSY_AT_MOST: Duration = Duration::from_secs(60);

/// Figures of an idle server.
pub struct Rest {
    /// Time from process start to listening.
    pub ready_in: Duration,
    /// Memory before the first request.
    pub fresh: Memory,
    /// Memory after all workloads.
    pub after: Memory,
    /// Memory per idle connection; `None` if the server closed them.
    pub kib_per_connection: Option<f64>,
    /// CPU usage with the idle connections, in percent of one core.
    pub idle_percent: f64,
}

/// Measures all servers at the same time, since they are idle.
pub fn measure(servers: &[Option<Running>], fresh: &[Option<Memory>]) -> Vec<Option<Rest>> {
    // Idle threads and idle connections.
    thread::sleep(Duration::from_secs(3));
    let processes: Vec<Option<Vec<u32>>> = servers.iter().map(|running| running.as_ref().map(Running::processes)).collect();
    let memories = || processes.iter().map(|them| them.as_ref().map(|them| figures::memory(them))).collect::<Vec<_>>();
    let times = || processes.iter().map(|them| them.as_ref().map(|them| figures::processor_time_of_threads(them)));
    let after = memories();
    let crowds: Vec<Vec<TcpStream>> = servers.iter().map(|running| running.as_ref().map_or_else(Vec::new, crowd)).collect();
    thread::sleep(Duration::from_secs(1));
    let (begun, before) = (Instant::now(), times().collect::<Vec<_>>());
    thread::sleep(WATCHED);
    let seconds = begun.elapsed().as_secs_f64();
    let spent: Vec<_> = times().zip(before).map(|(now, before)| Some(now?.saturating_sub(before?))).collect();
    let with_crowd = memories();
    let kept: Vec<bool> = crowds.iter().map(|crowd| crowd.len() == IDLE_CONNECTIONS && crowd.iter().all(is_open)).collect();
    let one = |column: usize| {
        let after = after[column]?;
        let added = with_crowd[column]?.rss_kib.saturating_sub(after.rss_kib);
        Some(Rest {
            ready_in: servers[column].as_ref()?.ready_in,
            fresh: fresh[column]?,
            after,
            kib_per_connection: kept[column].then_some(added as f64 / IDLE_CONNECTIONS as f64),
            idle_percent: spent[column]?.as_secs_f64() / seconds * 100.0,
        })
    };
    (0..servers.len()).map(one).collect()
}

/// Connections that have received one response.
fn crowd(running: &Running) -> Vec<TcpStream> {
    let request = format!("GET /1k.bin HTTP/1.1\r\nHost: {}\r\n\r\n", running.address);
    let ask = |_| {
        let mut stream = TcpStream::connect_timeout(&running.address, Duration::from_secs(2)).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
        stream.write_all(request.as_bytes()).ok()?;
        let mut buffer = [0; 4096];
        // Head and body may arrive separately.
        let mut total = 0;
        while total < 1024 {
            total += stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        }
        Some(stream)
    };
    (0..IDLE_CONNECTIONS).map_while(ask).collect()
}

fn is_open(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).is_ok()
        && stream.peek(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Programs that keep every core busy, killed on drop.
pub struct Busy<'a> {
    children: Vec<Child>,
    guard: &'a Guard,
}

impl<'a> Busy<'a> {
    /// Starts one for each core.
    pub fn start(guard: &'a Guard) -> Busy<'a> {
        let cores = thread::available_parallelism().unwrap().get();
        let start = |_| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            let child = command.arg("--busy").process_group(0).stdin(Stdio::null()).spawn().unwrap();
            guard.watch_group(child.id());
            child
        };
        let busy = Busy { children: (0..cores).map(start).collect(), guard };
        thread::sleep(Duration::from_millis(50));
        busy
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        for child in &mut self.children {
            end_group(child.id());
            let _ = child.wait();
            self.guard.forget_group(child.id());
        }
    }
}

/// Keeps one core busy.
pub fn keep_a_core_busy() {
    let begun = Instant::now();
    let mut number: u64 = 1;
    while begun.elapsed() < BUSY_AT_MOST {
        for _ in 0..100_000 {
            number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
}
