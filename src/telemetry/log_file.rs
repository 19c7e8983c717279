//! How is a log written to a file that others may take away?
//!
//! Programs such as logrotate rename the file, and then ask for a new one by SIGHUP. Until then lines go into the old one, whatever it
//! is called by now; and they are appended to whatever others have left in it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use log::{info, warn};

/// A file that is opened anew when that is asked for: by [`Write::flush`], so that it never happens within a line.
#[derive(Debug)]
pub struct ReopenableFile {
    path: PathBuf,
    file: File,
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
        let real = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
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
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::{OFlags, fcntl_setfl};
    // A FIFO that nobody reads would have us wait before we serve anyone.
    let not_waiting = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(not_waiting).open(path)?;
    // Once it is open a thread of its own writes, which may wait.
    fcntl_setfl(&file, OFlags::APPEND)?;
    Ok(file)
}

/// Opens a file at its end.
#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}
