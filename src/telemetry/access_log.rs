//! Where do the lines of the access log go?
//!
//! To standard error, among what the program says; to standard output; or to a file, which is opened anew on SIGHUP. A thread writes
//! each of these, and a request only leaves its line in a queue ([`log_writer`](crate::telemetry::log_queue)).

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use log::{Level, info, log_enabled, warn};

use crate::config::Sandbox;
use crate::os::sandbox;
use crate::telemetry::ACCESS;
use crate::telemetry::log_format::{AccessRecord, LogFormat};
use crate::telemetry::log_queue::{LogQueue, Losses};

/// Where lines shall go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To standard error, with what else the program says.
    ProgramLog,
    /// To standard output.
    Stdout,
    /// To a file.
    File(PathBuf),
}

/// A destination that is open, and to which nothing is written yet.
#[derive(Debug)]
pub enum OpenedLog {
    /// Whatever the program's own log is.
    ProgramLog,
    /// Standard output.
    Stdout,
    /// A file.
    File {
        /// The thread that writes to it.
        writer: LogQueue,
        /// How it is asked for a new one.
        renewal: ReopenFlag,
        /// In which directory it is.
        directory: PathBuf,
    },
}

/// The access log.
#[derive(Debug)]
pub struct AccessLog {
    format: LogFormat,
    writer: LogQueue,
    file: Option<File>,
}

/// The file that it is written to.
#[derive(Clone, Debug)]
struct File {
    renewal: ReopenFlag,
    directory: PathBuf,
}

/// How it is asked for a new file.
#[derive(Debug)]
pub struct ReopenHandle {
    renewal: ReopenFlag,
    writer: LogQueue,
}

impl Destination {
    /// Opens what has to be open before the kernel confines us. The thread that writes to a file may write in its directory, where it has
    /// to make the next one, and do nothing else; all other threads, which come later, may write nowhere.
    ///
    /// # Errors
    /// What is wrong, and the way out.
    pub fn open(self, wanted: Sandbox) -> Result<OpenedLog, String> {
        let path = match self {
            Destination::ProgramLog => return Ok(OpenedLog::ProgramLog),
            Destination::Stdout => return Ok(OpenedLog::Stdout),
            Destination::File(path) => path,
        };
        let cannot = |error: io::Error| format!("cannot write to {}: {error}; check --access-log", path.display());
        let file = ReopenableFile::append_to(&path).map_err(cannot)?;
        let (renewal, directory) = (file.renewal(), file.directory());
        let writable = directory.clone();
        let confined = move || {
            sandbox::allow_write(wanted, &writable).map_err(io::Error::other)?;
            Ok(file)
        };
        let writer = LogQueue::start(confined, Losses::InTheProgramLog).map_err(cannot)?;
        Ok(OpenedLog::File { writer, renewal, directory })
    }
}

impl OpenedLog {
    /// Starts the access log; `None` if `RUST_LOG` wants none.
    ///
    /// # Errors
    /// When the thread for it cannot be started.
    pub fn start(self, format: LogFormat, program_log: &LogQueue) -> io::Result<Option<AccessLog>> {
        let mut file = None;
        let writer = match self {
            _ if !log_enabled!(target: ACCESS, Level::Info) => return Ok(None),
            OpenedLog::ProgramLog => program_log.clone(),
            OpenedLog::Stdout => LogQueue::start(|| Ok(io::stdout()), Losses::InTheProgramLog)?,
            OpenedLog::File { writer, renewal, directory } => {
                file = Some(File { renewal, directory });
                writer
            }
        };
        Ok(Some(AccessLog { file, ..AccessLog::new(format, writer) }))
    }
}

impl AccessLog {
    /// One whose lines go wherever that writes them.
    pub fn new(format: LogFormat, writer: LogQueue) -> AccessLog {
        AccessLog { format, writer, file: None }
    }

    /// Notes an exchange.
    pub fn note(&self, line: &AccessRecord<'_>) {
        self.writer.append(|bytes| line.write(self.format, bytes));
    }

    /// How many of its lines were lost; `None` if they go where the program writes what it says, and are counted there.
    pub fn lost_beside(&self, program_log: &LogQueue) -> Option<u64> {
        (!self.writer.same_queue(program_log)).then(|| self.writer.dropped_lines())
    }

    /// Whether it is a file somewhere beneath that directory.
    pub fn is_beneath(&self, root: &Path) -> bool {
        self.file.as_ref().is_some_and(|file| file.directory.starts_with(root))
    }

    /// How it is asked for a new file; `None` where it has none.
    pub fn reopening(&self) -> Option<ReopenHandle> {
        let renewal = self.file.as_ref()?.renewal.clone();
        Some(ReopenHandle { renewal, writer: self.writer.clone() })
    }

    /// Waits until all lines are written, but not longer than `limit`.
    pub fn flush_timeout(&self, limit: Duration) {
        self.writer.flush_timeout(limit);
    }
}

impl ReopenHandle {
    /// Asks for it. The thread that writes the lines does it at once.
    pub fn ask(&self) {
        self.renewal.ask();
        self.writer.wake();
    }
}

/// A file that is opened anew when that is asked for: by [`Write::flush`], so that it never happens within a line.
#[derive(Debug)]
pub struct ReopenableFile {
    path: PathBuf,
    file: fs::File,
    is_asked: Arc<AtomicBool>,
}

/// The wish that a file be opened anew.
#[derive(Clone, Debug)]
pub struct ReopenFlag(Arc<AtomicBool>);

impl ReopenFlag {
    /// Asks for it: the next flush does it.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl ReopenableFile {
    /// Opens the file to append to it, or makes it.
    ///
    /// # Errors
    /// What the system says.
    pub fn append_to(path: &Path) -> io::Result<ReopenableFile> {
        let path = std::path::absolute(path)?;
        Ok(ReopenableFile { file: open(&path)?, path, is_asked: Arc::default() })
    }

    /// By which it is asked for a new file.
    pub fn renewal(&self) -> ReopenFlag {
        ReopenFlag(Arc::clone(&self.is_asked))
    }

    /// The directory in which the file is, and a new one would be.
    pub fn directory(&self) -> PathBuf {
        let real = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        real.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf)
    }

    fn renew(&mut self) {
        match open(&self.path) {
            Ok(file) => {
                self.file = file;
                info!("the access log is opened anew");
            }
            Err(error) => {
                let way_out = match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        " (if its directory was replaced, the sandbox holds us to the old one: start anew, or with --sandbox=off)"
                    }
                    _ => "",
                };
                let path = self.path.display();
                warn!("cannot open {path} anew: {error}{way_out}; the access log goes on in the old file");
            }
        }
    }
}

impl Write for ReopenableFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_asked.swap(false, Ordering::Acquire) {
            self.renew();
        }
        Ok(())
    }
}

/// Opens a file at its end. Others than the owner and the group need not know who asked for what.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::{OFlags, fcntl_setfl};
    // A FIFO that nobody reads would have us wait before we serve anyone.
    let not_waiting = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let file = fs::OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(not_waiting).open(path)?;
    // Once it is open a thread of its own writes, which may wait.
    fcntl_setfl(&file, OFlags::APPEND)?;
    Ok(file)
}

/// Opens a file at its end.
#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().append(true).create(true).open(path)
}
