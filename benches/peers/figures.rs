//! Resource usage of a server, seen from outside.

use std::fs;
use std::time::Duration;

/// What a process and its children hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Resident, summed over the processes: what they share is counted for each.
    pub rss_kib: u64,
    /// Its proportional share: what they share is divided among all that map it.
    pub pss_kib: u64,
}

/// The processes of a group.
pub fn members(leader: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes.filter(|process| stat(*process, 2) == Some(u64::from(leader))).collect()
}

/// A number of `/proc/PID/stat`, counted behind the name: state is 0, the group 2, utime and stime 11 and 12.
fn stat(process: u32, index: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name may hold blanks; it ends with the last parenthesis.
    stat.rsplit(')').next()?.split_whitespace().nth(index)?.parse().ok()
}

/// User and system time of these, in hundredths of a second as the kernel tells it.
pub fn processor_time(processes: &[u32]) -> Duration {
    let ticks = processes.iter().flat_map(|process| [stat(*process, 11), stat(*process, 12)]).flatten();
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// The same to the nanosecond, without threads that have ended: for those who do little.
pub fn processor_time_of_threads(processes: &[u32]) -> Duration {
    let tasks = processes.iter().filter_map(|process| fs::read_dir(format!("/proc/{process}/task")).ok());
    let spent = tasks.flatten().filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}

/// Resident memory alone, which is quickly had.
pub fn rss_kib(processes: &[u32]) -> u64 {
    processes.iter().filter_map(|process| field(&fs::read_to_string(format!("/proc/{process}/status")).ok()?, "VmRSS:")).sum()
}

/// What these hold.
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
