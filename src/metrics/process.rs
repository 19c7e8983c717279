//! What does this process take from its machine?
//!
//! The numbers that Prometheus expects of every program, under the names that it has for them. The kernel tells them in `/proc`, which is
//! opened at the start: later the sandbox lets nobody open anything there.

use crate::metrics::exposition::{Exposition, Kind, Metric};

/// Where these numbers come from. Where the system does not tell them, they are not there.
#[derive(Debug, Default)]
pub struct Process {
    #[cfg(target_os = "linux")]
    sources: Option<Sources>,
}

#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Sources {
    status: std::fs::File,
    /// Guards the place in the directory, while its entries are counted.
    descriptors: std::sync::Mutex<rustix::fs::Dir>,
}

const CPU: Metric = Metric {
    name: "process_cpu_seconds_total",
    kind: Kind::Counter,
    help: "Processor time of all threads, in user and in system mode, in seconds.",
};
const RESIDENT: Metric =
    Metric { name: "process_resident_memory_bytes", kind: Kind::Gauge, help: "Memory that is in use, in bytes." };
const VIRTUAL: Metric =
    Metric { name: "process_virtual_memory_bytes", kind: Kind::Gauge, help: "Memory that is mapped, in bytes." };
const THREADS: Metric = Metric { name: "process_threads", kind: Kind::Gauge, help: "Threads." };
const OPEN_FDS: Metric = Metric { name: "process_open_fds", kind: Kind::Gauge, help: "Open file descriptors." };
const MAX_FDS: Metric = Metric { name: "process_max_fds", kind: Kind::Gauge, help: "Most file descriptors that may be open." };

#[cfg(target_os = "linux")]
impl Process {
    /// Opens what will be read. It must come before the sandbox.
    pub fn open() -> Process {
        use std::fs::File;
        let descriptors = File::open("/proc/self/fd").ok().and_then(|directory| rustix::fs::Dir::new(directory).ok());
        let status = File::open("/proc/self/status").ok();
        Process { sources: status.zip(descriptors).map(|(status, fds)| Sources { status, descriptors: fds.into() }) }
    }

    /// Appends what is known now.
    pub fn write(&self, out: &mut Exposition) {
        use crate::metrics::exposition::Seconds;
        use rustix::process::{Resource, getrlimit};
        use rustix::time::{ClockId, clock_gettime};
        let spent = clock_gettime(ClockId::ProcessCPUTime);
        if let (Ok(seconds), Ok(nanos)) = (u64::try_from(spent.tv_sec), u32::try_from(spent.tv_nsec)) {
            out.only(&CPU, &Seconds(std::time::Duration::new(seconds, nanos)));
        }
        if let Some(limit) = getrlimit(Resource::Nofile).current {
            out.only(&MAX_FDS, &limit);
        }
        let Some(sources) = &self.sources else { return };
        if let Some(count) = sources.descriptors() {
            out.only(&OPEN_FDS, &count);
        }
        let status = sources.status();
        for (metric, name, factor) in [(&RESIDENT, "VmRSS", 1024), (&VIRTUAL, "VmSize", 1024), (&THREADS, "Threads", 1)] {
            if let Some(number) = number(&status, name) {
                out.only(metric, &(number * factor));
            }
        }
    }
}

#[cfg(target_os = "linux")]
impl Sources {
    /// What the kernel says of the process as a whole, as text.
    fn status(&self) -> String {
        use std::os::unix::fs::FileExt;
        // Some 1,500 bytes; the kernel gives all of it at once.
        let mut bytes = vec![0; 16 * 1024];
        let count = self.status.read_at(&mut bytes, 0).unwrap_or(0);
        bytes.truncate(count);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn descriptors(&self) -> Option<u64> {
        let mut directory = self.descriptors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
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

#[cfg(not(target_os = "linux"))]
impl Process {
    /// Elsewhere there is nothing to open.
    pub fn open() -> Process {
        Process::default()
    }

    /// Elsewhere nothing is known.
    pub fn write(&self, _: &mut Exposition) {
        let _ = [CPU, RESIDENT, VIRTUAL, THREADS, OPEN_FDS, MAX_FDS];
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_all_of_them_again_and_again() {
        let process = Process::open();
        for _ in 0..2 {
            let mut out = Exposition::default();
            process.write(&mut out);
            let text = out.into_text();
            for metric in [CPU, RESIDENT, VIRTUAL, THREADS, OPEN_FDS, MAX_FDS] {
                let line = text.lines().find(|line| line.starts_with(&format!("{} ", metric.name))).unwrap();
                let value: f64 = line.split(' ').nth(1).unwrap().parse().unwrap();
                assert!(value > 0.0, "{line}");
            }
        }
    }
}
