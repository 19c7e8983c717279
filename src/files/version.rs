//! Is this still the same file?
//!
//! A file that is cut or overwritten in place while it is sent would reach the client as a mixture of two versions. The stamp is taken
//! from the open handle before the first byte, and compared before the last.

use std::fs::Metadata;
use std::time::SystemTime;

/// The longest step in which a file system counts time: FAT's two seconds.
const STEP_NANOS_MAX: i64 = 2_000_000_000;

/// What identifies one version of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileVersion {
    /// Length in bytes.
    pub length: u64,
    /// When its content last changed, as far as the file system says.
    pub modified: Option<SystemTime>,
    identity: InodeId,
}

/// What two stamps of one open file show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The same content.
    Same,
    /// Another one, or a mixture.
    Changed,
}

/// Inode, and when it last changed in any way. Only Unix tells; elsewhere length and modification time must do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct InodeId {
    device: u64,
    inode: u64,
    changed_secs: i64,
    changed_nanos: i64,
    links: u64,
}

impl FileVersion {
    /// Whether what was announced of an open file can still be sent, by a stamp taken later: it must not be shorter, and at the same
    /// length its modification time must be the same. A file that has grown, such as a log or a recording, still holds the announced
    /// bytes. A change of status alone (mode, owner, links, name) says nothing about them.
    pub fn compare(&self, later: &FileVersion) -> Freshness {
        if later.length > self.length || later.length == self.length && later.modified == self.modified {
            Freshness::Same
        } else {
            Freshness::Changed
        }
    }

    /// Whether the file system would have shown any later change by `now`. Times are counted in steps, of two seconds at the most: a
    /// file that changed within the present step may change again and look the same. The status change counts, which nobody can
    /// set back. Only Unix tells it: elsewhere no file is ever settled.
    pub fn is_stable(&self, now: SystemTime) -> bool {
        let InodeId { inode, changed_secs, changed_nanos, .. } = self.identity;
        let now = now.duration_since(SystemTime::UNIX_EPOCH).ok().and_then(|now| i64::try_from(now.as_nanos()).ok());
        let changed = changed_secs.checked_mul(1_000_000_000).and_then(|nanos| nanos.checked_add(changed_nanos));
        let age = now.zip(changed).map_or(0, |(now, changed)| now.saturating_sub(changed));
        inode != 0 && age > STEP_NANOS_MAX
    }

    /// The stamp of what a path leads to, its own links not followed; `None` for what is no regular file.
    #[cfg(unix)]
    pub fn of_regular(stat: &rustix::fs::Stat) -> Option<FileVersion> {
        use std::time::Duration;
        let length = u64::try_from(stat.st_size).ok()?;
        let nanos = u32::try_from(stat.st_mtime_nsec).ok()?;
        let modified = match u64::try_from(stat.st_mtime) {
            Ok(secs) => SystemTime::UNIX_EPOCH.checked_add(Duration::new(secs, nanos)),
            Err(_) => SystemTime::UNIX_EPOCH
                .checked_sub(Duration::from_secs(stat.st_mtime.unsigned_abs()))
                .and_then(|second| second.checked_add(Duration::from_nanos(nanos.into()))),
        };
        let identity = InodeId {
            device: number(stat.st_dev)?,
            inode: stat.st_ino,
            changed_secs: stat.st_ctime,
            changed_nanos: i64::try_from(stat.st_ctime_nsec).ok()?,
            links: number(stat.st_nlink)?,
        };
        rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file().then_some(FileVersion { length, modified, identity })
    }

    /// The stamp of an open file.
    pub fn of(metadata: &Metadata) -> FileVersion {
        FileVersion { length: metadata.len(), modified: metadata.modified().ok(), identity: identity(metadata) }
    }
}

/// A number of `stat`, whose width each system chooses for itself.
#[cfg(unix)]
#[inline]
fn number(of_any_width: impl TryInto<u64>) -> Option<u64> {
    of_any_width.try_into().ok()
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> InodeId {
    use std::os::unix::fs::MetadataExt;
    InodeId {
        device: metadata.dev(),
        inode: metadata.ino(),
        changed_secs: metadata.ctime(),
        changed_nanos: metadata.ctime_nsec(),
        links: metadata.nlink(),
    }
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> InodeId {
    InodeId::default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_counts_as_a_change() {
        let stamp = FileVersion {
            length: 1,
            modified: Some(SystemTime::UNIX_EPOCH),
            identity: InodeId { device: 1, inode: 2, changed_secs: 3, changed_nanos: 400, links: 1 },
        };
        let with = |change: &dyn Fn(&mut FileVersion)| {
            let mut later = stamp;
            change(&mut later);
            stamp.compare(&later)
        };
        for (secs, nanos, want, why) in [
            (5, 400, false, "a whole step, and no more"),
            (5, 500, true, "a little more: the clock of Windows counts no less"),
            (2, 0, false, "changed in the future"),
        ] {
            let now = SystemTime::UNIX_EPOCH + Duration::new(secs, nanos);
            assert_eq!(stamp.is_stable(now), want, "{why}");
        }
        for (later, want, why) in [
            (with(&|_| {}), Freshness::Same, "nothing"),
            (with(&|stamp| stamp.length = 0), Freshness::Changed, "shorter"),
            (with(&|stamp| stamp.length = 2), Freshness::Same, "appended to"),
            (with(&|stamp| (stamp.length, stamp.modified) = (2, None)), Freshness::Same, "appended to, as its time says"),
            (with(&|stamp| (stamp.length, stamp.modified) = (0, None)), Freshness::Changed, "shorter, as its time says"),
            (with(&|stamp| stamp.modified = None), Freshness::Changed, "written to at the same length"),
            (with(&|stamp| stamp.identity.changed_nanos = 9), Freshness::Same, "another mode, owner or name"),
            (with(&|stamp| stamp.identity.links = 0), Freshness::Same, "replaced by rename: its last link is gone"),
            (with(&|stamp| stamp.identity.links = 2), Freshness::Same, "another hard link"),
        ] {
            assert_eq!(later, want, "{why}");
        }
    }
}
