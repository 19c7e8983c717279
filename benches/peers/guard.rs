//! Cleanup when the benchmark is interrupted.
//!
//! A second process, in a group of its own so that ctrl-c does not reach it. It reads which process groups to kill and which directories to
//! remove, and does so when its input ends: at exit, in a panic, after ctrl-c, and after SIGKILL.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, Write, stdin};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process_group};

/// The cleanup process.
pub struct Guard {
    child: Mutex<Child>,
}

impl Guard {
    /// Starts it.
    pub fn start() -> Guard {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let child = command.arg("--guard").process_group(0).stdin(Stdio::piped()).spawn().unwrap();
        Guard { child: Mutex::new(child) }
    }

    /// Registers a process group to kill at exit.
    pub fn watch_group(&self, leader: u32) {
        self.say(&format!("group {leader}"));
    }

    /// Unregisters a process group that has ended, since its ID may be reused.
    pub fn forget_group(&self, leader: u32) {
        self.say(&format!("ended {leader}"));
    }

    /// Registers a directory to remove at exit.
    pub fn watch_directory(&self, path: &Path) {
        self.say(&format!("directory {}", path.display()));
    }

    fn say(&self, line: &str) {
        let mut child = self.child.lock().unwrap();
        // If the process is gone, everything has been cleaned up already.
        let _ = writeln!(child.stdin.as_mut().unwrap(), "{line}");
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        drop(child.stdin.take());
        let _ = child.wait();
    }
}

/// Kills a process group.
pub fn end_group(leader: u32) {
    if let Some(leader) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(leader, Signal::KILL);
    }
}

/// Runs the cleanup process.
pub fn watch() {
    let (mut groups, mut directories) = (BTreeSet::new(), Vec::new());
    for line in stdin().lock().lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("group", leader)) => drop(groups.insert(leader.parse().unwrap())),
            Some(("ended", leader)) => drop(groups.remove(&leader.parse().unwrap())),
            Some(("directory", path)) => directories.push(path.to_owned()),
            _ => {}
        }
    }
    groups.into_iter().for_each(end_group);
    for path in directories {
        let _ = fs::remove_dir_all(path);
    }
}
