//! Description of the machine.

use std::fs;
use std::process::Command;
use std::thread;

/// Describes the machine in one sentence, without anything that identifies it.
pub fn describe() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unknown processor".into());
    let is_virtual = fs::read_to_string("/proc/cpuinfo").unwrap_or_default().contains(" hypervisor ");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // The suffix after the version is specific to the distribution.
    let kernel = kernel.trim().split('-').next().unwrap_or_default().to_owned();
    let memory_kib = field("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let memory_gib = memory_kib.unwrap_or(0).div_ceil(1024 * 1024);
    let kind = if is_virtual { "a virtual machine" } else { "a machine" };
    format!("{cores} cores of {kind} ({cpu}), {memory_gib} GiB of memory, Linux {kernel}, {}, {}", rustc(), wrk())
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn rustc() -> String {
    let words = first_line("rustc", "--version");
    words.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn wrk() -> String {
    let words = first_line("wrk", "-v");
    words.split(' ').take(2).collect::<Vec<_>>().join(" ").replace("debian/", "")
}

fn first_line(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}
