//! Is this still the same file?
//!
//! A file that is replaced, cut or overwritten while it is sent would reach the client as a mixture of two. The stamp is taken from
//! the open handle before the first byte, and compared before the last.

use std::fs::Metadata;
use std::time::SystemTime;

/// What identifies one version of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Length in bytes.
    pub length: u64,
    /// When its content last changed, as far as the file system says.
    pub modified: Option<SystemTime>,
    identity: Identity,
}

/// Inode, and when it last changed in any way. Only Unix tells; elsewhere length and modification time must do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    changed_secs: i64,
    changed_nanos: i64,
}

impl Stamp {
    /// The stamp of an open file.
    pub fn of(metadata: &Metadata) -> Stamp {
        Stamp { length: metadata.len(), modified: metadata.modified().ok(), identity: identity(metadata) }
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
        changed_secs: metadata.ctime(),
        changed_nanos: metadata.ctime_nsec(),
    }
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {
    Identity::default()
}
