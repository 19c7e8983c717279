//! ROOT, and the directory that it names at present.
//!
//! The served directory may be replaced: removed and created again by a build, swapped by renaming a symbolic link, covered by a mount. A
//! handle from the start would show the old release forever, or an empty directory. So ROOT is resolved again at most twice a second, and
//! reopened if it names another directory than before.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use log::{error, info, warn};

use crate::files::Site;
use crate::files::root::{Root, sanitize_error};
use crate::telemetry::printable_path;

/// How long a resolution of ROOT is reused: a new directory is served within a second.
const RECHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Why nothing can be served: the text of the 503 response.
pub type RootError = &'static str;

/// ROOT does not exist, or is neither a directory nor a file.
const MISSING: RootError = "the served directory does not exist at present";
/// ROOT cannot be opened: the sandbox or its permissions forbid it.
pub const REPLACED: RootError = "the served directory was replaced or cannot be opened; restart the server";

impl Site {
    /// What ROOT named at most half a second ago.
    ///
    /// # Errors
    /// Nothing can be served at present.
    pub fn root(&self) -> Result<Arc<Root>, RootError> {
        // Of several threads that find it due, one resolves it, and the others do not wait.
        if let Ok(mut checked) = self.root_checked.try_lock()
            && checked.elapsed() >= RECHECK_INTERVAL
        {
            *checked = Instant::now();
            drop(checked);
            return self.root_now();
        }
        self.held_root()
    }

    fn held_root(&self) -> Result<Arc<Root>, RootError> {
        self.root.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What ROOT names now: it is resolved, and reopened if it no longer names the open directory.
    ///
    /// # Errors
    /// Nothing can be served at present.
    pub fn root_now(&self) -> Result<Arc<Root>, RootError> {
        // A relative path is resolved in the working directory, even if that was moved.
        let path = &self.config.root;
        let held = self.held_root();
        if held.as_ref().is_ok_and(|root| root.is_at(path)) {
            return held;
        }
        let now = match Root::open(path, self.config.follow_symlinks) {
            Ok(root) => Ok(Arc::new(root)),
            Err(error) => match sanitize_error(error) {
                // Temporary, and no reason to stop serving the open directory.
                error if matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::OutOfMemory) => return held,
                error => Err(self.root_error(&error, held.as_ref().err().copied())),
            },
        };
        match (&held, &now) {
            (Ok(_), Ok(_)) => info!("'{}' was replaced; serving the new directory", printable_path(path)),
            (Err(_), Ok(_)) => info!("'{}' can be served again", printable_path(path)),
            (_, Err(_)) => {}
        }
        *self.root.write().unwrap_or_else(PoisonError::into_inner) = now.clone();
        now
    }

    /// Why nothing can be served; logged when the reason changes.
    fn root_error(&self, error: &io::Error, held: Option<RootError>) -> RootError {
        let path = printable_path(&self.config.root);
        let why = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput => MISSING,
            _ => REPLACED,
        };
        match why {
            _ if held == Some(why) => {}
            MISSING => warn!("cannot serve '{path}': {why}"),
            _ => error!("cannot serve '{path}': {why}: {error}"),
        }
        why
    }
}
