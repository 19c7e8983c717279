//! Access log: its destination, and reopening its file on SIGHUP.
//!
//! A request only appends its line to a [`LogQueue`]; a thread writes the queue to standard error, standard output or a file. Programs such
//! as logrotate rename the file and then send SIGHUP; until then lines go into the renamed file.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use log::{Level, info, log_enabled, warn};

use crate::config::Sandbox;
use crate::os::{self, sandbox};
use crate::telemetry::log_format::{AccessRecord, LogFormat};
use crate::telemetry::log_queue::LogQueue;
use crate::telemetry::{ACCESS, printable_path};

/// The name of the access log in messages.
const NAME: &str = "access log";

/// Where the lines of the access log go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard error, like the program's log.
    Stderr,
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

/// A destination that is open.
#[derive(Debug)]
pub enum OpenedLog {
    /// Standard error.
    Stderr,
    /// Standard output.
    Stdout,
    /// A file.
    File(LogQueue, LogFile),
}

/// What others need to know of the file of the access log.
#[derive(Clone, Debug)]
pub struct LogFile {
    reopen_requested: Arc<AtomicBool>,
}

/// The access log.
#[derive(Debug)]
pub struct AccessLog {
    format: LogFormat,
    queue: LogQueue,
    file: Option<LogFile>,
}

/// Reopens the file of an access log.
#[derive(Debug)]
pub struct ReopenHandle {
    reopen_requested: Arc<AtomicBool>,
    queue: LogQueue,
}

impl Destination {
    /// Opens the file, if there is one, before the sandbox. Its thread keeps the right to create files in that directory, for the next
    /// file after a rotation, and loses all others.
    ///
    /// # Errors
    /// Why the file cannot be opened.
    pub fn open(self, sandbox: Sandbox) -> Result<OpenedLog, String> {
        let path = match self {
            Destination::Stderr => return Ok(OpenedLog::Stderr),
            Destination::Stdout => return Ok(OpenedLog::Stdout),
            Destination::File(path) => path,
        };
        let error = |error: io::Error| format!("cannot write to {}: {error}; check --access-log", printable_path(&path));
        let writer = ReopenableFile::append_to(&path).map_err(error)?;
        let file = LogFile { reopen_requested: Arc::clone(&writer.reopen_requested) };
        let directory = writer.directory();
        let confined = move || {
            sandbox::allow_write(sandbox, &directory).map_err(io::Error::other)?;
            Ok(writer)
        };
        Ok(OpenedLog::File(LogQueue::start(NAME, confined).map_err(error)?, file))
    }
}

impl OpenedLog {
    /// Starts the access log; returns `None` if `RUST_LOG` switches it off.
    ///
    /// # Errors
    /// If its thread cannot be started.
    pub fn start(self, format: LogFormat) -> io::Result<Option<AccessLog>> {
        if !log_enabled!(target: ACCESS, Level::Info) {
            return Ok(None);
        }
        let (queue, file) = match self {
            OpenedLog::Stderr => (LogQueue::start(NAME, || Ok(io::stderr()))?, None),
            OpenedLog::Stdout => (LogQueue::start(NAME, || Ok(io::stdout()))?, None),
            OpenedLog::File(queue, file) => (queue, Some(file)),
        };
        Ok(Some(AccessLog { file, ..AccessLog::new(format, queue) }))
    }
}

impl AccessLog {
    /// Creates an access log that writes to a queue.
    pub fn new(format: LogFormat, queue: LogQueue) -> AccessLog {
        AccessLog { format, queue, file: None }
    }

    /// Appends the line of an exchange.
    pub fn note(&self, record: &AccessRecord<'_>) {
        self.queue.append(|bytes| record.write(self.format, bytes));
    }

    /// Returns how many lines were lost since the start.
    pub fn lost_lines(&self) -> u64 {
        self.queue.lost_lines()
    }

    /// Returns a handle that reopens the file; `None` if the log is not a file.
    pub fn reopen_handle(&self) -> Option<ReopenHandle> {
        let reopen_requested = Arc::clone(&self.file.as_ref()?.reopen_requested);
        Some(ReopenHandle { reopen_requested, queue: self.queue.clone() })
    }

    /// Waits until all lines are written, for at most `limit`.
    pub fn flush_timeout(&self, limit: Duration) {
        self.queue.flush_timeout(limit);
    }
}

impl ReopenHandle {
    /// Makes the thread that writes the file reopen it now.
    pub fn reopen(&self) {
        self.reopen_requested.store(true, Ordering::Release);
        self.queue.wake();
    }
}

/// A file that [`Write::flush`] reopens when that was requested, so that no line is split between two files.
#[derive(Debug)]
struct ReopenableFile {
    path: PathBuf,
    file: fs::File,
    reopen_requested: Arc<AtomicBool>,
}

impl ReopenableFile {
    fn append_to(path: &Path) -> io::Result<ReopenableFile> {
        // The path stays valid if the working directory changes.
        let path = std::path::absolute(path)?;
        Ok(ReopenableFile { file: os::open_log_file(&path)?, path, reopen_requested: Arc::default() })
    }

    fn directory(&self) -> PathBuf {
        let real = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        real.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf)
    }

    fn reopen(&mut self) {
        match os::open_log_file(&self.path) {
            Ok(file) => {
                self.file = file;
                info!("reopened the access log");
            }
            Err(error) => {
                let hint = match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        " (if its directory was replaced, the sandbox allows only the old one: restart, or use --sandbox=off)"
                    }
                    _ => "",
                };
                warn!("cannot reopen {}: {error}{hint}; still writing to the old file", printable_path(&self.path));
            }
        }
    }
}

impl Write for ReopenableFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.reopen_requested.swap(false, Ordering::Acquire) {
            self.reopen();
        }
        Ok(())
    }
}
