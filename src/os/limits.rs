//! Limits of the machine on connections, and the resources that the process uses.
//!
//! Each connection takes a thread and a descriptor. Most limits make a call fail, but a Rust thread that cannot map its signal stack aborts
//! the process. So the limits are read at start-up, and the number of connections stays below all of them.

use std::fs;

/// Descriptors that are not connections: standard streams, listeners, the root, and some spare.
const DESCRIPTORS_RESERVED: u64 = 32;
/// Maps that are not thread stacks: the program, its libraries, the heap.
const MAPS_RESERVED: u64 = 2000;
/// Maps of a thread: its stack, its signal stack, a guard page for each, and one spare.
const MAPS_PER_THREAD: u64 = 5;
/// Threads that do not serve connections.
const THREADS_RESERVED: u64 = 32;

/// A limit of the machine, converted to connections.
#[derive(Debug)]
struct Limit {
    /// Its name, for the log.
    source: &'static str,
    connections: u64,
}

/// The number of connections to serve at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLimit {
    /// The number, at least 1.
    pub connections_max: usize,
    /// The limit of the machine that reduced it; `None` if it is the requested number.
    pub limited_by: Option<&'static str>,
}

impl ConnectionLimit {
    /// Returns `wanted`, reduced to what this machine allows. Raises the soft limit of descriptors to the hard one first.
    pub fn detect(wanted: usize) -> ConnectionLimit {
        ConnectionLimit::within(wanted, &limits())
    }

    fn within(wanted: usize, limits: &[Limit]) -> ConnectionLimit {
        let smallest = limits.iter().min_by_key(|limit| limit.connections);
        match smallest.map(|limit| (usize::try_from(limit.connections).unwrap_or(usize::MAX), limit.source)) {
            Some((connections, source)) if connections < wanted => {
                ConnectionLimit { connections_max: connections.max(1), limited_by: Some(source) }
            }
            _ => ConnectionLimit { connections_max: wanted.max(1), limited_by: None },
        }
    }
}

fn descriptor_limit(descriptors: u64) -> Limit {
    // A quarter is left for the files that are being sent.
    Limit { source: "open file limit (ulimit -n)", connections: descriptors.saturating_sub(DESCRIPTORS_RESERVED) / 4 * 3 }
}

fn map_limit(maps: u64) -> Limit {
    Limit { source: "vm.max_map_count", connections: maps.saturating_sub(MAPS_RESERVED) / MAPS_PER_THREAD }
}

fn thread_limit(source: &'static str, threads: u64) -> Limit {
    Limit { source, connections: threads.saturating_sub(THREADS_RESERVED) }
}

#[cfg(unix)]
fn limits() -> Vec<Limit> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // This may fail where the hard limit is above what the kernel allows; then the soft limit stays.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let descriptors = getrlimit(Resource::Nofile).current;
    let processes = getrlimit(Resource::Nproc).current.filter(|_| !super::is_root());
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let cgroup = own_cgroup().and_then(|group| number(&format!("/sys/fs/cgroup{group}/pids.max")));
    let limits = [
        descriptors.map(descriptor_limit),
        number("/proc/sys/vm/max_map_count").map(map_limit),
        processes.map(|threads| thread_limit("process limit (ulimit -u)", threads)),
        cgroup.map(|threads| thread_limit("pids.max of the control group", threads)),
    ];
    limits.into_iter().flatten().collect()
}

#[cfg(not(unix))]
fn limits() -> Vec<Limit> {
    let _ = (descriptor_limit, map_limit, thread_limit, fs::metadata::<&str>);
    Vec::new()
}

/// Returns the path of this process's control group (version 2).
#[cfg(unix)]
fn own_cgroup() -> Option<String> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    groups.lines().find_map(|line| line.strip_prefix("0::")).map(|path| path.trim_end_matches('/').to_owned())
}

/// The resources that the process uses; a field is `None` where the system does not report it.
#[derive(Debug, Default)]
pub struct ProcessUsage {
    /// Processor time of all threads, in user and system mode, in seconds.
    pub cpu_seconds: Option<f64>,
    /// The limit of open descriptors.
    pub descriptors_max: Option<u64>,
    /// Open descriptors.
    pub descriptors: Option<u64>,
    /// Resident memory.
    pub resident_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
}

/// A reader of the process's own resource usage. Linux reports it in `/proc`, which must be opened before the sandbox; other systems
/// report nothing.
#[derive(Debug, Default)]
pub struct ProcessStats {
    #[cfg(target_os = "linux")]
    status: Option<fs::File>,
    /// Guards the position in the directory while its entries are counted.
    #[cfg(target_os = "linux")]
    descriptors: Option<std::sync::Mutex<rustix::fs::Dir>>,
}

#[cfg(not(target_os = "linux"))]
impl ProcessStats {
    /// Opens nothing.
    pub fn open() -> ProcessStats {
        ProcessStats::default()
    }

    /// Returns nothing.
    pub fn read(&self) -> ProcessUsage {
        ProcessUsage::default()
    }
}

#[cfg(target_os = "linux")]
impl ProcessStats {
    /// Opens the files that [`ProcessStats::read`] reads.
    pub fn open() -> ProcessStats {
        let descriptors = fs::File::open("/proc/self/fd").ok().and_then(|directory| rustix::fs::Dir::new(directory).ok());
        ProcessStats { status: fs::File::open("/proc/self/status").ok(), descriptors: descriptors.map(Into::into) }
    }

    /// Reads the present usage.
    pub fn read(&self) -> ProcessUsage {
        use rustix::process::{Resource, getrlimit};
        use rustix::time::{ClockId, clock_gettime};
        let cpu = std::time::Duration::try_from(clock_gettime(ClockId::ProcessCPUTime));
        let status = self.status();
        ProcessUsage {
            cpu_seconds: cpu.ok().map(|time| time.as_secs_f64()),
            descriptors_max: getrlimit(Resource::Nofile).current,
            descriptors: self.count_descriptors(),
            resident_bytes: number(&status, "VmRSS").map(|kibibytes| kibibytes * 1024),
            threads: number(&status, "Threads"),
        }
    }

    fn status(&self) -> String {
        use std::os::unix::fs::FileExt;
        // It has some 1,500 bytes, which the kernel returns by one read.
        let mut bytes = vec![0; 16 * 1024];
        let count = self.status.as_ref().and_then(|status| status.read_at(&mut bytes, 0).ok());
        bytes.truncate(count.unwrap_or(0));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn count_descriptors(&self) -> Option<u64> {
        let mut directory = self.descriptors.as_ref()?.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        directory.rewind();
        let mut count = 0_u64;
        while let Some(entry) = directory.read() {
            count += u64::from(!entry.ok()?.file_name().to_bytes().starts_with(b"."));
        }
        Some(count)
    }
}

/// Returns the number in a line like `Threads:\t1` or `VmRSS:\t1234 kB`.
#[cfg(target_os = "linux")]
fn number(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smallest_limit_applies() {
        for (wanted, limits, connections_max, limited_by, why) in [
            (4096, vec![], 4096, None, "no limit is known"),
            (4096, vec![map_limit(65_530)], 4096, None, "a typical machine"),
            (1_000_000, vec![map_limit(65_530), descriptor_limit(1_048_576)], 12_706, Some("vm.max_map_count"), "a million"),
            (4096, vec![descriptor_limit(64)], 24, Some("open file limit (ulimit -n)"), "ulimit -n 64"),
            (4096, vec![thread_limit("x", 10)], 1, Some("x"), "at least one connection"),
            (0, vec![], 1, None, "even if none is requested"),
        ] {
            assert_eq!(ConnectionLimit::within(wanted, &limits), ConnectionLimit { connections_max, limited_by }, "{why}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn process_usage_can_be_read_more_than_once() {
        let stats = ProcessStats::open();
        for _ in 0..2 {
            let usage = stats.read();
            assert!(usage.cpu_seconds > Some(0.0), "{usage:?}");
            for value in [usage.descriptors_max, usage.descriptors, usage.resident_bytes, usage.threads] {
                assert!(value > Some(0), "{usage:?}");
            }
        }
    }
}
