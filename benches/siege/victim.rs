//! The process under attack, seen from outside.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};

use crate::promise::Promise;

/// The small file that ordinary clients request.
pub const SMALL: &[u8] = b"threadbare is still there\n";
/// The length of the large file: more than all buffers on the path.
pub const LARGE_BYTES: usize = 8 * 1024 * 1024;
/// Memory that the allocator may keep after an attack. Measured: 37 MiB after 10,000 connections.
const MEMORY_KEPT_KIB: u64 = 64 * 1024;

/// A server with a site of its own; both are removed on drop.
pub struct Victim {
    child: Child,
    site: PathBuf,
    /// The address it listens on.
    pub address: SocketAddr,
    rest: Figures,
}

/// Resources of a process.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Resident memory.
    pub rss_kib: u64,
    /// Threads.
    pub threads: u64,
    /// Open descriptors.
    pub descriptors: usize,
}

impl Victim {
    /// Starts the release binary on a free port, without its log.
    pub fn start(options: &[&str]) -> Victim {
        let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
        command.args(options);
        Victim::of(command, Stdio::null())
    }

    /// Starts a command that runs the binary, with the log sent to `log`.
    pub fn of(mut command: Command, log: Stdio) -> Victim {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let site = std::env::temp_dir().join(format!("threadbare-siege-{}-{number}", std::process::id()));
        fs::create_dir_all(&site).unwrap();
        fs::write(site.join("small.txt"), SMALL).unwrap();
        fs::write(site.join("large.bin"), vec![b'x'; LARGE_BYTES]).unwrap();
        // The server keeps no file in memory that was modified within the last minute.
        File::options().write(true).open(site.join("small.txt")).unwrap().set_modified(UNIX_EPOCH).unwrap();
        command.args(["--port", "0", "--bind", "127.0.0.1"]).arg(&site);
        let mut child = command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let url = ready.split_whitespace().last().expect("a ready line");
        let address = url.split("://").last().unwrap().trim_end_matches('/').parse().unwrap();
        let nothing = Figures { rss_kib: 0, threads: 0, descriptors: 0 };
        let mut victim = Victim { child, site, address, rest: nothing };
        // The first request is a warm-up, even if it lacks a password.
        let _ = crate::ordinary::ask(victim.address);
        victim.rest = victim.settled(Duration::from_secs(5), |figures| figures.threads <= 4);
        victim
    }

    /// The directory of its site.
    pub fn site(&self) -> &Path {
        &self.site
    }

    /// Its log, if it is a pipe.
    pub fn log(&mut self) -> ChildStderr {
        self.child.stderr.take().expect("a piped log")
    }

    /// A field of `/proc/PID/status`.
    fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the server is running");
        let line = status.lines().find(|line| line.split(':').next() == Some(name)).expect("such a line");
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Its current resources.
    pub fn figures(&self) -> Figures {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count();
        Figures { rss_kib: self.status("VmRSS"), threads: self.status("Threads"), descriptors }
    }

    /// Its peak resident memory, in KiB.
    pub fn rss_peak_kib(&self) -> u64 {
        self.status("VmHWM")
    }

    /// The CPU time it has used.
    pub fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The name may contain spaces; it ends with the last parenthesis. utime and stime are the 14th and 15th, in hundredths.
        let ticks = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
        Duration::from_millis(ticks.map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum())
    }

    /// Polls until the condition holds or the time is over, and returns the last sample.
    pub fn settled(&self, limit: Duration, is_so: impl Fn(Figures) -> bool) -> Figures {
        let deadline = Instant::now() + limit;
        loop {
            let figures = self.figures();
            if is_so(figures) || Instant::now() >= deadline {
                return figures;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Within 10 s after the attack, it has no more threads and descriptors than before: idle workers exit after a while. The allocator may
    /// keep memory for later connections.
    pub fn back_at_rest(&self) -> Vec<Promise> {
        let rest = self.rest;
        let is_back = |now: Figures| now.threads <= rest.threads && now.descriptors <= rest.descriptors;
        let after = self.settled(Duration::from_secs(10), |now| is_back(now) && now.rss_kib <= rest.rss_kib + MEMORY_KEPT_KIB);
        let grown = after.rss_kib.saturating_sub(rest.rss_kib);
        vec![
            Promise::at_most("threads within 10 s after the attack", rest.threads, after.threads, ""),
            Promise::at_most("descriptors within 10 s after the attack", rest.descriptors, after.descriptors, ""),
            Promise::at_most("memory growth", MEMORY_KEPT_KIB, grown, "KiB"),
        ]
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for it to exit.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.site);
    }
}
