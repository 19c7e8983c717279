//! Limits of the machine on connections and memory, and the resources that the process uses.
//!
//! Each connection takes a thread, a descriptor and memory. Most limits make a call fail, but a Rust thread that cannot map its signal stack
//! aborts the process, and the kernel kills a process whose control group has no memory left. So the limits are read at start-up, and the
//! server stays below all of them.

use std::fs;
use std::path::Path;

use crate::config::Limits;

/// Descriptors that are not connections: standard streams, listeners, the root, and some spare.
const DESCRIPTORS_RESERVED: usize = 32;
/// Maps that are not thread stacks: the program, its libraries, the heap.
const MAPS_RESERVED: usize = 2000;
/// Maps of a thread: its stack, its signal stack, a guard page for each, and one spare.
const MAPS_PER_THREAD: usize = 5;
/// Threads that do not serve connections.
const THREADS_RESERVED: usize = 32;
/// Memory in bytes of the program, its logs, its large file buffers and the least for generated content.
const MEMORY_RESERVED: usize = 32 * 1024 * 1024;
/// Memory in bytes of a connection: its thread, its buffers, and what the kernel holds for them.
const MEMORY_PER_CONNECTION: usize = 64 * 1024;
/// What TLS adds to it: its state, and the bytes that are being encrypted and decrypted.
const MEMORY_OF_TLS: usize = 64 * 1024;
/// The least memory for generated content, a part of [`MEMORY_RESERVED`].
const CONTENT_BYTES_LEAST: usize = 16 * 1024 * 1024;

/// A limit of the machine, converted to connections.
#[derive(Debug)]
struct Limit {
    /// Its name, for the log.
    source: &'static str,
    connections: usize,
}

/// Lowers limits to what this machine allows, and returns a line for the log about each that was lowered. Raises the soft limit of
/// descriptors to the hard one first.
pub fn fit_to_machine(limits: &mut Limits, has_tls: bool) -> Vec<String> {
    let mut lowered = Vec::new();
    let mut machine = machine_limits();
    if let Some(bytes) = cgroup_limit("memory.max") {
        let cache_bytes = limits.cache_bytes_max;
        machine.push(fit_to_memory(limits, bytes, MEMORY_PER_CONNECTION + if has_tls { MEMORY_OF_TLS } else { 0 }));
        if limits.cache_bytes_max < cache_bytes {
            let mebibytes = limits.cache_bytes_max / (1024 * 1024);
            lowered.push(format!("memory for small files reduced to {mebibytes} MiB: {MEMORY_MAX}"));
        }
    }
    let (connections_max, source) = fit_connections(limits.connections_max, &machine);
    lowered.extend(source.map(|source| format!("connection limit reduced to {connections_max}: {source}")));
    limits.connections_max = connections_max;
    lowered
}

/// Returns `wanted`, at least 1, or the smallest of the limits and its name.
fn fit_connections(wanted: usize, limits: &[Limit]) -> (usize, Option<&'static str>) {
    match limits.iter().min_by_key(|limit| limit.connections) {
        Some(limit) if limit.connections < wanted => (limit.connections.max(1), Some(limit.source)),
        _ => (wanted.max(1), None),
    }
}

const MEMORY_MAX: &str = "memory.max of the control group";

/// Divides the memory of the control group: small files get at most half of what is not reserved, connections the rest, and generated
/// content what the connections do not need.
fn fit_to_memory(limits: &mut Limits, bytes: usize, per_connection: usize) -> Limit {
    let free = bytes.saturating_sub(MEMORY_RESERVED);
    limits.cache_bytes_max = limits.cache_bytes_max.min(free / 2);
    let free = free - limits.cache_bytes_max;
    let wanted = limits.connections_max.saturating_mul(per_connection);
    let content = CONTENT_BYTES_LEAST.saturating_add(free.saturating_sub(wanted));
    limits.content_bytes_max = limits.content_bytes_max.min(content);
    Limit { source: MEMORY_MAX, connections: free / per_connection }
}

fn descriptor_limit(descriptors: usize) -> Limit {
    // A quarter is left for the files that are being sent.
    Limit { source: "open file limit (ulimit -n)", connections: descriptors.saturating_sub(DESCRIPTORS_RESERVED) / 4 * 3 }
}

fn map_limit(maps: usize) -> Limit {
    Limit { source: "vm.max_map_count", connections: maps.saturating_sub(MAPS_RESERVED) / MAPS_PER_THREAD }
}

fn thread_limit(source: &'static str, threads: usize) -> Limit {
    Limit { source, connections: threads.saturating_sub(THREADS_RESERVED) }
}

#[cfg(unix)]
fn machine_limits() -> Vec<Limit> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // This may fail where the hard limit is above what the kernel allows; then the soft limit stays.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let current = |resource| usize::try_from(getrlimit(resource).current?).ok();
    let processes = current(Resource::Nproc).filter(|_| !super::is_root());
    let limits = [
        current(Resource::Nofile).map(descriptor_limit),
        read_number(Path::new("/proc/sys/vm/max_map_count")).map(map_limit),
        processes.map(|threads| thread_limit("process limit (ulimit -u)", threads)),
        cgroup_limit("pids.max").map(|threads| thread_limit("pids.max of the control group", threads)),
    ];
    limits.into_iter().flatten().collect()
}

#[cfg(not(unix))]
fn machine_limits() -> Vec<Limit> {
    let _ = (descriptor_limit, map_limit, thread_limit);
    Vec::new()
}

/// Returns a limit of this process's control group (version 2); `None` if there is none.
fn cgroup_limit(name: &str) -> Option<usize> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    smallest_limit(Path::new("/sys/fs/cgroup"), group, name)
}

/// Returns the smallest limit of that name of a group and those above it, whose limits hold for it, too. In a container `root` may be the
/// group itself, or `group` a path that exists only outside.
fn smallest_limit(root: &Path, group: &str, name: &str) -> Option<usize> {
    let group = root.join(group.trim_start_matches('/'));
    let groups = group.ancestors().take_while(|path| path.starts_with(root));
    groups.filter_map(|path| read_number(&path.join(name))).min()
}

/// Returns the number in a file; `None` if there is none, or one too large for the address space, which limits nothing.
fn read_number(path: &Path) -> Option<usize> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
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
        for (wanted, limits, connections_max, source, why) in [
            (4096, vec![], 4096, None, "no limit is known"),
            (4096, vec![map_limit(65_530)], 4096, None, "a typical machine"),
            (1_000_000, vec![map_limit(65_530), descriptor_limit(1_048_576)], 12_706, Some("vm.max_map_count"), "a million"),
            (4096, vec![descriptor_limit(64)], 24, Some("open file limit (ulimit -n)"), "ulimit -n 64"),
            (4096, vec![thread_limit("x", 10)], 1, Some("x"), "at least one connection"),
            (0, vec![], 1, None, "even if none is requested"),
        ] {
            assert_eq!(fit_connections(wanted, &limits), (connections_max, source), "{why}");
        }
    }

    #[test]
    fn memory_is_divided() {
        const MIB: usize = 1024 * 1024;
        for (bytes, cache, connections, content, why) in [
            (usize::MAX, 64, usize::MAX / 65_536 - 1536, 128, "no limit to speak of"),
            (464 * MIB, 64, 5888, 128, "the least with which nothing is lowered"),
            (463 * MIB, 64, 5872, 127, "generated content is lowered first"),
            (352 * MIB, 64, 4096, 16, "to its least"),
            (256 * MIB, 64, 2560, 16, "then connections"),
            (128 * MIB, 48, 768, 16, "and small files, to half of what is not reserved"),
            (32 * MIB, 0, 0, 16, "all is reserved"),
            (0, 0, 0, 16, "less than nothing"),
        ] {
            let mut limits = Limits::default();
            let limit = fit_to_memory(&mut limits, bytes, MEMORY_PER_CONNECTION);
            let mebibytes = |bytes: usize| bytes / (1024 * 1024);
            let got = (mebibytes(limits.cache_bytes_max), limit.connections, mebibytes(limits.content_bytes_max));
            assert_eq!(got, (cache, connections, content), "{bytes} bytes: {why}");
        }
        let mut limits = Limits { cache_bytes_max: 0, ..Limits::default() };
        assert_eq!(fit_to_memory(&mut limits, 128 * MIB, MEMORY_PER_CONNECTION).connections, 1536, "without a cache");
        let with_tls = fit_to_memory(&mut limits, 128 * MIB, MEMORY_PER_CONNECTION + MEMORY_OF_TLS);
        assert_eq!(with_tls.connections, 768, "twice the memory for each");
    }

    #[test]
    fn limits_of_groups_above_apply() {
        let root = std::env::temp_dir().join(format!("threadbare-cgroup-{}", std::process::id()));
        fs::create_dir_all(root.join("a/b/c")).unwrap();
        for (path, text) in
            [("pids.max", "900\n"), ("a/pids.max", "100\n"), ("a/b/pids.max", "max\n"), ("a/b/c/pids.max", "200\n")]
        {
            fs::write(root.join(path), text).unwrap();
        }
        for (group, want, why) in [
            ("/a/b/c", Some(100), "a group above it allows less"),
            ("/a/b", Some(100), "its own is no limit"),
            ("/", Some(900), "the root of a container is its own group"),
            ("/docker/1234", Some(900), "a path outside of the container"),
            ("/../../x", Some(900), "a path above the root of the container"),
        ] {
            assert_eq!(smallest_limit(&root, group, "pids.max"), want, "{group}: {why}");
            assert_eq!(smallest_limit(&root, group, "memory.max"), None, "{group}: no such file");
        }
        fs::remove_dir_all(root).unwrap();
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
