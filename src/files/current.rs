//! ROOT, and the directory that it names at present.
//!
//! The served directory may be replaced: removed and created again by a build, swapped by renaming a symbolic link, covered by a mount. A
//! handle from the start would show the old release forever, or an empty directory. So ROOT is resolved again at most twice a second, and
//! reopened if it names another directory than before.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use log::{error, info, warn};

use crate::files::root::{Root, sanitize_error};
use crate::telemetry::printable_path;

/// How long a resolution of ROOT is reused: a new directory is served within a second.
const RECHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Why nothing can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootError {
    /// ROOT does not exist, or is neither a directory nor a file.
    Missing,
    /// ROOT cannot be opened: the sandbox or its permissions forbid it.
    Replaced,
}

impl RootError {
    /// The text of the 503 response.
    pub fn message(self) -> &'static str {
        match self {
            RootError::Missing => "the served directory does not exist at present",
            RootError::Replaced => "the served directory was replaced or cannot be opened; restart the server",
        }
    }
}

/// ROOT, and the directory that it named when it was last resolved.
#[derive(Debug)]
pub struct CurrentRoot {
    /// As given: a relative path is resolved in the working directory, even if that is moved.
    path: PathBuf,
    follow_symlinks: bool,
    /// Guards the open root. It is held to clone or replace the value, never during a system call.
    root: RwLock<Result<Arc<Root>, RootError>>,
    /// When ROOT was last resolved. Guarded for a comparison, never during a system call.
    checked: Mutex<Instant>,
}

impl CurrentRoot {
    /// Opens ROOT at the start.
    ///
    /// # Errors
    /// Those of [`Root::open`].
    pub fn open(path: &Path, follow_symlinks: bool) -> io::Result<CurrentRoot> {
        let root = Arc::new(Root::open(path, follow_symlinks)?);
        let checked = Mutex::new(Instant::now());
        Ok(CurrentRoot { path: path.to_owned(), follow_symlinks, root: RwLock::new(Ok(root)), checked })
    }

    /// What ROOT named at most half a second ago.
    ///
    /// # Errors
    /// Nothing can be served at present.
    pub fn get(&self) -> Result<Arc<Root>, RootError> {
        // Of several threads that find it due, one resolves it, and the others do not wait.
        if let Ok(mut checked) = self.checked.try_lock()
            && checked.elapsed() >= RECHECK_INTERVAL
        {
            *checked = Instant::now();
            drop(checked);
            self.recheck();
        }
        self.held()
    }

    fn held(&self) -> Result<Arc<Root>, RootError> {
        self.root.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What ROOT names now.
    ///
    /// # Errors
    /// Nothing can be served at present.
    pub fn get_now(&self) -> Result<Arc<Root>, RootError> {
        self.recheck();
        self.held()
    }

    /// Resolves ROOT, and reopens it if it no longer names the open directory.
    fn recheck(&self) {
        let held = self.held();
        if held.as_ref().is_ok_and(|root| root.is_at(&self.path)) {
            return;
        }
        let now = match Root::open(&self.path, self.follow_symlinks) {
            Ok(root) => Ok(Arc::new(root)),
            Err(error) => match sanitize_error(error) {
                // Temporary, and no reason to stop serving the open directory.
                error if matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::OutOfMemory) => return,
                error => Err(self.root_error(&error, held.as_ref().err())),
            },
        };
        match (&held, &now) {
            (Ok(_), Ok(_)) => info!("'{}' was replaced; serving the new directory", printable_path(&self.path)),
            (Err(_), Ok(_)) => info!("'{}' can be served again", printable_path(&self.path)),
            (_, Err(_)) => {}
        }
        *self.root.write().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Why nothing can be served; logged when the reason changes.
    fn root_error(&self, error: &io::Error, held: Option<&RootError>) -> RootError {
        let path = printable_path(&self.path);
        let why = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput => RootError::Missing,
            _ => RootError::Replaced,
        };
        match why {
            _ if held == Some(&why) => {}
            RootError::Missing => warn!("cannot serve '{path}': {}", why.message()),
            RootError::Replaced => error!("cannot serve '{path}': {}: {error}", why.message()),
        }
        why
    }

    /// The directory that the sandbox must allow reading beneath, and its path; `with_successors`, one that also holds what may replace ROOT.
    ///
    /// # Errors
    /// It cannot be opened, or nothing is served.
    pub fn readable(&self, with_successors: bool) -> io::Result<(File, PathBuf)> {
        let root = self.held().map_err(|why| io::Error::other(why.message()))?;
        if with_successors { root.readable_with_successors(&self.path) } else { root.readable() }
    }
}
