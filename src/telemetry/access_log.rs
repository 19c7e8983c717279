//! Access log: its destination, and reopening its file on SIGHUP.
//!
//! A request only appends its line to a [`LogQueue`]; a thread writes the queue to standard error, standard output or a file. Programs such
//! as logrotate rename the file and then send SIGHUP; until then lines go into the renamed file.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use log::{Level, info, log_enabled, warn};

use crate::config::Sandbox;
use crate::os;
use crate::os::sandbox::{self, FileAccess};
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

/// The access log.
#[derive(Debug)]
pub struct AccessLog {
    format: LogFormat,
    /// The queue of its lines.
    pub queue: LogQueue,
    /// Makes the thread of a log file reopen it; `None` if the log is not a file.
    reopen_requested: Option<Arc<AtomicBool>>,
}

impl Destination {
    /// Opens the file, if there is one, before the sandbox. Its thread keeps the right to create files in that directory, for the next
    /// file after a rotation, and loses all others.
    ///
    /// # Errors
    /// Why the file cannot be opened.
    pub fn open_file(&self, sandbox: Sandbox, format: LogFormat) -> Result<Option<AccessLog>, String> {
        let Destination::File(path) = self else { return Ok(None) };
        let error = |error: io::Error| format!("cannot write to {}: {error}; check --access-log", printable_path(path));
        // The path stays valid if the working directory changes.
        let path = std::path::absolute(path).map_err(error)?;
        let (file, reopen_requested) = (os::open_log_file(&path).map_err(error)?, Arc::<AtomicBool>::default());
        let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        let directory = real.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf);
        let writer = ReopenableFile { path, file, reopen_requested: Arc::clone(&reopen_requested) };
        let confined = move || {
            sandbox::allow(sandbox, &[directory], FileAccess::Write).map_err(io::Error::other)?;
            Ok(writer)
        };
        let queue = LogQueue::start(NAME, confined).map_err(error)?;
        Ok(Some(AccessLog { format, queue, reopen_requested: Some(reopen_requested) }))
    }

    /// Starts the access log, after [`Destination::open_file`]; returns `None` if `RUST_LOG` switches it off. On standard error it uses
    /// `shared`, if given: the lines of one queue stay in order.
    ///
    /// # Errors
    /// If its thread cannot be started.
    pub fn start(&self, file: Option<AccessLog>, format: LogFormat, shared: Option<LogQueue>) -> io::Result<Option<AccessLog>> {
        if !log_enabled!(target: ACCESS, Level::Info) {
            return Ok(None);
        }
        let queue = match (self, shared) {
            (Destination::File(_), _) => return Ok(file),
            (Destination::Stdout, _) => LogQueue::start(NAME, || Ok(io::stdout()))?,
            (Destination::Stderr, Some(shared)) => shared,
            (Destination::Stderr, None) => LogQueue::start(NAME, || Ok(io::stderr()))?,
        };
        Ok(Some(AccessLog::new(format, queue)))
    }
}

impl AccessLog {
    /// Creates an access log that writes to a queue.
    pub fn new(format: LogFormat, queue: LogQueue) -> AccessLog {
        AccessLog { format, queue, reopen_requested: None }
    }

    /// Appends the line of an exchange after its explanation, which may be empty: no line of another connection comes between them.
    pub fn note(&self, record: &AccessRecord<'_>, explanation: &str) {
        self.queue.append(|bytes| {
            bytes.extend_from_slice(explanation.as_bytes());
            record.write(self.format, bytes);
        });
    }

    /// Returns a function that makes the thread of a log file reopen it; `None` if the log is not a file.
    pub fn reopener(&self) -> Option<impl Fn() + Send + use<>> {
        let (reopen_requested, queue) = (self.reopen_requested.clone()?, self.queue.clone());
        Some(move || {
            reopen_requested.store(true, Ordering::Release);
            queue.wake();
        })
    }
}

/// A file that [`Write::flush`] reopens when that was requested, so that no line is split between two files.
#[derive(Debug)]
struct ReopenableFile {
    path: PathBuf,
    file: fs::File,
    reopen_requested: Arc<AtomicBool>,
}

impl Write for ReopenableFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.reopen_requested.swap(false, Ordering::Acquire) {
            return Ok(());
        }
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
        Ok(())
    }
}
