//! Starting a server, and ending it reliably.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::floor::Answers;
use crate::guard::{Guard, end_group};
use crate::place::Place;
use crate::servers::{Purpose, Server, Setting};

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that runs, ended with this value.
pub struct Running<'a> {
    child: Child,
    guard: &'a Guard,
    log: Option<PathBuf>,
    /// Where it listens.
    pub address: SocketAddr,
    /// How long it took until it did.
    pub ready_in: Duration,
}

impl<'a> Running<'a> {
    /// One of the servers.
    pub fn start(server: &Server, purpose: Purpose, place: &Place, guard: &'a Guard) -> Option<Running<'a>> {
        let port = free_port();
        let (site, scratch) = (place.site(), place.scratch());
        let log = (purpose == Purpose::Logged).then(|| scratch.join(format!("{}.log", server.name)));
        let command = server.command(&Setting { site: &site, scratch: &scratch, port, log: log.as_deref(), purpose });
        Running::of(command, port, log, guard)
    }

    /// The floor with these answers, with or without `SCHED_BATCH`.
    pub fn floor(answers: Answers, batch: bool, guard: &'a Guard) -> Option<Running<'a>> {
        let (port, program) = (free_port(), std::env::current_exe().unwrap());
        let mut command = Command::new(if batch { "chrt".as_ref() } else { program.as_os_str() });
        if batch {
            command.args(["--batch", "0"]).arg(program);
        }
        command.args(["--floor", &port.to_string(), &answers.to_argument()]);
        Running::of(command, port, None, guard)
    }

    fn of(mut command: Command, port: u16, log: Option<PathBuf>, guard: &'a Guard) -> Option<Running<'a>> {
        // Those that cannot name a file for it write the log where we send it; the others open it by themselves.
        let sink = |log: &Option<PathBuf>| match log {
            Some(path) => Stdio::from(OpenOptions::new().append(true).create(true).open(path).unwrap()),
            None => Stdio::null(),
        };
        let begun = Instant::now();
        command.process_group(0).stdin(Stdio::null()).stdout(sink(&log)).stderr(sink(&log));
        let child = command.spawn().ok()?;
        guard.watch_group(child.id());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut running = Running { child, guard, log, address, ready_in: Duration::ZERO };
        while TcpStream::connect(address).is_err() {
            if begun.elapsed() > PATIENCE {
                return None;
            }
            thread::sleep(Duration::from_micros(200));
        }
        running.ready_in = begun.elapsed();
        Some(running)
    }

    /// All its processes, which are those of its group.
    pub fn processes(&self) -> Vec<u32> {
        crate::figures::members(self.child.id())
    }

    /// Empties the log, which would fill the disk in the end.
    pub fn empty_log(&self) {
        if let Some(log) = &self.log {
            let _ = File::options().write(true).open(log).and_then(|file| file.set_len(0));
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        end_group(self.child.id());
        let _ = self.child.wait();
        self.guard.forget_group(self.child.id());
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
