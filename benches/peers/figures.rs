//! Resource usage of a server, seen from outside.

use std::fs;
use std::time::Duration;

/// Memory of a process and its children.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Resident set size, summed over the processes: shared pages count for each.
    pub rss_kib: u64,
    /// Proportional set size: shared pages are divided among the processes that map them.
    pub pss_kib: u64,
}

/// The processes of a group.
pub fn members(leader: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes.filter(|process| stat(*process, 2) == Some(u64::from(leader))).collect()
}

/// A field of `/proc/PID/stat`, counted after the name: state is 0, the group 2, utime and stime 11 and 12.
fn stat(process: u32, index: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name may contain spaces; it ends with the last parenthesis.
    stat.rsplit(')').next()?.split_whitespace().nth(index)?.parse().ok()
}

/// User and system time of the processes, in hundredths of a second.
pub fn processor_time(processes: &[u32]) -> Duration {
    let ticks = processes.iter().flat_map(|process| [stat(*process, 11), stat(*process, 12)]).flatten();
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// CPU time in nanoseconds, without threads that have ended. More precise for idle processes.
pub fn processor_time_of_threads(processes: &[u32]) -> Duration {
    let tasks = processes.iter().filter_map(|process| fs::read_dir(format!("/proc/{process}/task")).ok());
    let spent = tasks.flatten().filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}

/// Resident memory only, which is fast to read.
pub fn rss_kib(processes: &[u32]) -> u64 {
    processes.iter().filter_map(|process| field(&fs::read_to_string(format!("/proc/{process}/status")).ok()?, "VmRSS:")).sum()
}

/// The memory of the processes.
pub fn memory(processes: &[u32]) -> Memory {
    let mut memory = Memory::default();
    for process in processes {
        let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
        memory.rss_kib += field(&text, "Rss:").unwrap_or(0);
        memory.pss_kib += field(&text, "Pss:").unwrap_or(0);
    }
    memory
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}
