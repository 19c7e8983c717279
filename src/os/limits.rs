//! How many connections can this machine carry?
//!
//! Each connection is a thread and a descriptor, and the system limits both. Some of these limits answer with an error; one does not:
//! a Rust thread that cannot map its signal stack aborts the process, and nothing can catch that. So the limits are read
//! before the first connection, and the cap is kept below all of them.

use std::fs;

/// Descriptors that are not connections: the standard streams, listeners, the root, and a few to spare.
const DESCRIPTORS_RESERVED: u64 = 32;
/// Maps that are not thread stacks: the program, its libraries, the heap.
const MAPS_RESERVED: u64 = 2000;
/// Maps of a thread: its stack, its signal stack, a guard page for each, and one to spare.
const MAPS_PER_THREAD: u64 = 5;
/// Threads that serve no connection.
const THREADS_RESERVED: u64 = 32;

/// A limit of the machine, in connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Where it comes from, for the person who may want to raise it.
    pub source: &'static str,
    /// So many connections it allows.
    pub connections: u64,
}

/// How many connections are served, and which limit lowered the number that was wished for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLimit {
    /// The cap.
    pub connections_max: usize,
    /// What it is due to; `None` if it is what was wished for.
    pub limited_by: Option<&'static str>,
}

/// The capacity of this machine, at most `wanted`. Raises the soft limit of descriptors to the hard one first.
pub fn detect(wanted: usize) -> ConnectionLimit {
    within(wanted, &limits())
}

/// The least of what is wanted and all limits; never less than one connection.
fn within(wanted: usize, limits: &[Limit]) -> ConnectionLimit {
    let least = limits.iter().min_by_key(|limit| limit.connections);
    match least.map(|limit| (usize::try_from(limit.connections).unwrap_or(usize::MAX), limit.source)) {
        Some((connections, origin)) if connections < wanted => {
            ConnectionLimit { connections_max: connections.max(1), limited_by: Some(origin) }
        }
        _ => ConnectionLimit { connections_max: wanted.max(1), limited_by: None },
    }
}

fn of_descriptors(descriptors: u64) -> Limit {
    // A quarter is left for the files that are being sent.
    Limit { source: "the limit of open files (ulimit -n)", connections: descriptors.saturating_sub(DESCRIPTORS_RESERVED) / 4 * 3 }
}

fn of_maps(maps: u64) -> Limit {
    Limit { source: "vm.max_map_count", connections: maps.saturating_sub(MAPS_RESERVED) / MAPS_PER_THREAD }
}

fn of_threads(origin: &'static str, threads: u64) -> Limit {
    Limit { source: origin, connections: threads.saturating_sub(THREADS_RESERVED) }
}

#[cfg(unix)]
fn limits() -> Vec<Limit> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // It may fail where the hard limit is above what the kernel allows; then the soft one stays.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let descriptors = getrlimit(Resource::Nofile).current.map(of_descriptors);
    let processes = getrlimit(Resource::Nproc).current.filter(|_| !rustix::process::geteuid().is_root());
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let maps = number("/proc/sys/vm/max_map_count").map(of_maps);
    let group = number(&format!("/sys/fs/cgroup{}/pids.max", own_group().unwrap_or_default()));
    let limits = [
        descriptors,
        maps,
        processes.map(|threads| of_threads("the limit of processes (ulimit -u)", threads)),
        group.map(|threads| of_threads("pids.max of the control group", threads)),
    ];
    limits.into_iter().flatten().collect()
}

#[cfg(not(unix))]
fn limits() -> Vec<Limit> {
    let _ = (of_descriptors, of_maps, of_threads, fs::metadata::<&str>);
    Vec::new()
}

/// The path of our control group, as version 2 names it.
#[cfg(unix)]
fn own_group() -> Option<String> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    groups.lines().find_map(|line| line.strip_prefix("0::")).map(|path| path.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_counts() {
        for (wanted, limits, connections_max, lowered_by, why) in [
            (4096, vec![], 4096, None, "no limit is known"),
            (4096, vec![of_maps(65_530)], 4096, None, "a usual machine"),
            (1_000_000, vec![of_maps(65_530), of_descriptors(1_048_576)], 12_706, Some("vm.max_map_count"), "a million"),
            (4096, vec![of_descriptors(64)], 24, Some("the limit of open files (ulimit -n)"), "ulimit -n 64"),
            (4096, vec![of_threads("x", 10)], 1, Some("x"), "there is always room for one"),
            (0, vec![], 1, None, "even if none is wished for"),
        ] {
            assert_eq!(within(wanted, &limits), ConnectionLimit { connections_max, limited_by: lowered_by }, "{why}");
        }
    }
}
