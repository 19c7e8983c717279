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

use log::{error, info};

use crate::config::Symlinks;
use crate::site::root::{self, Root};

/// How long what ROOT named is taken for what it names: what replaces it is served within a second.
const RECHECK_TIME: Duration = Duration::from_millis(500);

/// Why nothing can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootError {
    /// Nothing exists at ROOT, or nothing that can be served.
    Missing,
    /// ROOT names another directory than at the start, and it cannot be opened: the sandbox, or its permissions, forbid it.
    Replaced,
}

impl RootError {
    /// What a client is told.
    pub fn message(self) -> &'static str {
        match self {
            RootError::Missing => "the served directory does not exist at the moment",
            RootError::Replaced => "the served directory was replaced and cannot be opened; restart the server",
        }
    }
}

/// ROOT, and what it named when it was last looked at.
#[derive(Debug)]
pub struct CurrentRoot {
    /// Absolute, so that a working directory that is replaced can be told from its successor.
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
        let path = std::path::absolute(path)?;
        let root = Arc::new(Root::open(&path, symlinks)?);
        let recheck_at = AtomicU64::new(millis(RECHECK_TIME));
        Ok(CurrentRoot { path, symlinks, root: RwLock::new(Ok(root)), opened: Instant::now(), recheck_at })
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

    /// Looks at ROOT, and opens it anew where it does not name the open directory any more.
    fn recheck(&self) {
        let held = self.held();
        if let (Ok(root), Ok(place)) = (&held, root::resolve(&self.path))
            && root.is_at(&place)
        {
            return;
        }
        let now = Root::open(&self.path, self.symlinks).map(Arc::new).map_err(|error| {
            let why = match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput => RootError::Missing,
                _ => RootError::Replaced,
            };
            if held.as_ref().err() != Some(&why) {
                error!("cannot serve '{}': {}: {error}", self.path.display(), why.message());
            }
            why
        });
        if now.is_ok() {
            info!("'{}' was replaced; serving what is there now", self.path.display());
        }
        *self.root.write().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// The directory that the sandbox must let us read beneath. Where `with_successors`, it is the parent of the served directory, if that
    /// is not too much: so what replaces the served directory can be read as well.
    ///
    /// # Errors
    /// It cannot be opened, or nothing is served.
    #[cfg(unix)]
    pub fn readable(&self, with_successors: bool) -> io::Result<std::fs::File> {
        let root = self.held().map_err(|why| io::Error::other(why.message()))?;
        let is_tree = self.symlinks == Symlinks::Within && root.only_file().is_none();
        match root.directory_place().parent() {
            Some(parent) if with_successors && is_tree && self.may_read_beneath(parent) => std::fs::File::open(parent),
            _ => root.readable(),
        }
    }

    /// Whether the sandbox may cover the parent of the served directory. It may if ROOT is a symbolic link, which is there to be swapped,
    /// or if the parent belongs to our user, who then may replace the directory. It never covers `/`, nor the home directory or one that
    /// holds it: the sandbox would be worth little. A working directory (`.`) is named by no path that could come to name another.
    #[cfg(unix)]
    fn may_read_beneath(&self, parent: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let holds_home = std::env::home_dir().is_some_and(|home| {
            let home = std::fs::canonicalize(&home).unwrap_or(home);
            home.starts_with(parent)
        });
        if parent.parent().is_none() || holds_home {
            return false;
        }
        // Without a slash at its end, which would follow the link.
        let is_link = self.path.components().as_path().is_symlink();
        let is_working_directory = std::env::current_dir().is_ok_and(|directory| directory == self.path);
        let is_ours = || std::fs::metadata(parent).is_ok_and(|metadata| metadata.uid() == rustix::process::geteuid().as_raw());
        is_link || !is_working_directory && is_ours()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
