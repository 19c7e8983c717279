//! Starting and stopping of servers.

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

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running server, killed on drop.
pub struct Running<'a> {
    child: Child,
    guard: &'a Guard,
    log: Option<PathBuf>,
    /// The address it listens on.
    pub address: SocketAddr,
    /// Time from start to listening.
    pub ready_in: Duration,
}

impl<'a> Running<'a> {
    /// Starts a server.
    pub fn start(server: &Server, purpose: Purpose, place: &Place, guard: &'a Guard) -> Option<Running<'a>> {
        let port = free_port();
        let (site, scratch) = (place.site(), place.scratch());
        let log = (purpose == Purpose::Logged).then(|| scratch.join(format!("{}.log", server.name)));
        let pair = if purpose == Purpose::Tls { place.pair() } else { None };
        let command = server.command(&Setting { site: &site, scratch: &scratch, port, log: log.as_deref(), purpose, pair });
        Running::of(command, port, log, guard)
    }

    /// Starts the floor with these responses, with or without `SCHED_BATCH`.
    pub fn floor(answers: Answers, batch: bool, guard: &'a Guard) -> Option<Running<'a>> {
        let port = free_port();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--floor", &port.to_string(), &answers.to_argument()]).args(batch.then_some("--batch"));
        Running::of(command, port, None, guard)
    }

    fn of(mut command: Command, port: u16, log: Option<PathBuf>, guard: &'a Guard) -> Option<Running<'a>> {
        // Servers without an option for a log file write it to stdout, which is redirected.
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

    /// All processes of its group.
    pub fn processes(&self) -> Vec<u32> {
        crate::figures::members(self.child.id())
    }

    /// Truncates the log, which would eventually fill the disk.
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
