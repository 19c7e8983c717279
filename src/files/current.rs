//! Which directory does ROOT name now?
//!
//! The served directory may be replaced: removed and made again by a build, swapped by renaming a symbolic link, covered by a mount. A
//! handle that was opened at the start would show the old release for ever, or an empty directory. So ROOT is looked up again, at most
//! twice a second, and opened anew where it names another directory than before.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use log::{error, info, warn};

use crate::config::Symlinks;
use crate::files::root::sanitize_error;
use crate::files::root::{Readable, Root};

/// How long a look-up of ROOT stays valid: what replaces the directory is served within a second.
const RECHECK_TIME: Duration = Duration::from_millis(500);

/// Why nothing can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootError {
    /// Nothing exists at ROOT, or nothing that can be served.
    Missing,
    /// What ROOT names cannot be opened: the sandbox, or its permissions, forbid it.
    Replaced,
}

impl RootError {
    /// What a client is told.
    pub fn message(self) -> &'static str {
        match self {
            RootError::Missing => "the served directory does not exist at the moment",
            RootError::Replaced => "the served directory was replaced, or cannot be opened; restart the server",
        }
    }
}

/// ROOT, and what it named when it was last looked at.
#[derive(Debug)]
pub struct CurrentRoot {
    /// As it was given: a relative path is looked up in the working directory, wherever that is moved to.
    path: PathBuf,
    symlinks: Symlinks,
    /// Guards the open root. It is held to copy or to replace it, never while a file is looked at.
    root: RwLock<Result<Arc<Root>, RootError>>,
    opened: Instant,
    /// When to look again, in milliseconds after `opened`.
    recheck_at: AtomicU64,
}

impl CurrentRoot {
    /// Opens what ROOT names at the start.
    ///
    /// # Errors
    /// As [`Root::open`].
    pub fn open(path: &Path, symlinks: Symlinks) -> io::Result<CurrentRoot> {
        let root = Arc::new(Root::open(path, symlinks)?);
        let recheck_at = AtomicU64::new(millis(RECHECK_TIME));
        Ok(CurrentRoot { path: path.to_owned(), symlinks, root: RwLock::new(Ok(root)), opened: Instant::now(), recheck_at })
    }

    /// What ROOT names, at most [`RECHECK_TIME`] ago.
    ///
    /// # Errors
    /// Nothing can be served at the moment.
    pub fn get(&self) -> Result<Arc<Root>, RootError> {
        let elapsed = millis(self.opened.elapsed());
        let due = self.recheck_at.load(Ordering::Relaxed);
        let next = elapsed + millis(RECHECK_TIME);
        // Of several threads that find it due, one looks.
        if elapsed >= due && self.recheck_at.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.recheck();
        }
        self.held()
    }

    fn held(&self) -> Result<Arc<Root>, RootError> {
        self.root.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What ROOT names at this moment.
    ///
    /// # Errors
    /// Nothing can be served at the moment.
    pub fn get_now(&self) -> Result<Arc<Root>, RootError> {
        self.recheck();
        self.held()
    }

    /// Looks at ROOT, and opens it anew where it does not name the open directory any more.
    fn recheck(&self) {
        let held = self.held();
        if held.as_ref().is_ok_and(|root| root.is_at(&self.path)) {
            return;
        }
        let now = match Root::open(&self.path, self.symlinks) {
            Ok(root) => Ok(Arc::new(root)),
            Err(error) => match sanitize_error(error) {
                // Too many open files, or no memory: it will pass.
                error if matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::OutOfMemory) => return,
                error => Err(self.root_error(&error, held.as_ref().err())),
            },
        };
        match (&held, &now) {
            (Ok(_), Ok(_)) => info!("'{}' was replaced; serving the new one", self.path.display()),
            (Err(_), Ok(_)) => info!("'{}' can be served again", self.path.display()),
            (_, Err(_)) => {}
        }
        *self.root.write().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Why nothing can be served, which is logged when it begins.
    fn root_error(&self, error: &io::Error, held: Option<&RootError>) -> RootError {
        let path = self.path.display();
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

    /// The directory that the sandbox must let us read beneath. Where `with_successors`, it also holds what may replace the served one.
    ///
    /// # Errors
    /// It cannot be opened, or nothing is served.
    pub fn readable(&self, with_successors: bool) -> io::Result<(Readable, PathBuf)> {
        let root = self.held().map_err(|why| io::Error::other(why.message()))?;
        if with_successors { root.readable_with_successors(&self.path) } else { root.readable() }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
