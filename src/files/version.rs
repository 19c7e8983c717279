//! Is this still the same file?
//!
//! A file that is cut or overwritten in place while it is sent would reach the client as a mixture of two versions. The stamp is taken
//! from the open handle before the first byte, and compared before the last.

use std::fs::{File, Metadata};
use std::io;
use std::time::SystemTime;

use cap_std::fs::Dir;

use crate::config::Symlinks;

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

/// Reads some bytes from that place on: one system call. 0 is the end.
///
/// # Errors
/// What the system says.
#[cfg(unix)]
#[inline]
pub fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

/// The same. Windows does move the place, but nobody here reads from where it is.
///
/// # Errors
/// What the system says.
#[cfg(windows)]
#[inline]
pub fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

/// Fills the buffer from that place on.
///
/// # Errors
/// What the system says, or `UnexpectedEof` if there are not so many bytes.
pub fn read_exact_at(file: &File, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match read_at(file, buffer, at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buffer = buffer.get_mut(count..).unwrap_or_default();
                at += u64::try_from(count).map_err(io::Error::other)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether `path`, from `root` on, leads to the version of a regular file that the stamp was taken of. Where links may not leave the
/// root, none may be on the way: a path with links is opened each time, for only opening can tell where they lead.
#[cfg(unix)]
#[inline]
pub fn is_unchanged(root: &Dir, path: &[u8], symlinks: Symlinks, stamp: &FileVersion) -> bool {
    use rustix::fs::FileType;
    if symlinks == Symlinks::Within {
        for (slash, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            let directory = path.get(..slash).unwrap_or_default();
            let is_directory = |stat: &rustix::fs::Stat| FileType::from_raw_mode(stat.st_mode).is_dir();
            if !at(root, directory, symlinks, &is_directory) {
                return false;
            }
        }
    }
    at(root, path, symlinks, &|stat| FileVersion::of_regular(stat).is_some_and(|now| now == *stamp))
}

/// Whether what lies at that path is as it should be.
#[cfg(unix)]
fn at(root: &Dir, path: &[u8], symlinks: Symlinks, should: &dyn Fn(&rustix::fs::Stat) -> bool) -> bool {
    use rustix::fs::{AtFlags, statat};
    let flags = match symlinks {
        Symlinks::Within => AtFlags::SYMLINK_NOFOLLOW,
        Symlinks::Followed => AtFlags::empty(),
    };
    statat(root, path, flags).as_ref().is_ok_and(should)
}

/// Elsewhere a file cannot be told from another so surely that its content could be sent unread.
#[cfg(not(unix))]
pub fn is_unchanged(_: &Dir, _: &[u8], _: Symlinks, _: &FileVersion) -> bool {
    false
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

    #[test]
    fn from_a_place_to_the_end_and_not_beyond() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/site/ten.txt");
        let file = File::open(path).unwrap();
        for (length, at, want, why) in [
            (10, 0, Some(&b"0123456789"[..]), "all of it"),
            (3, 7, Some(b"789"), "the last three"),
            (0, 10, Some(b""), "nothing, at the end"),
            (3, 8, None, "one more than there is"),
            (1, 10, None, "the first behind the end"),
            (3, 7, Some(b"789"), "the place has not moved"),
        ] {
            let mut buffer = vec![0; length];
            let read = read_exact_at(&file, &mut buffer, at);
            assert_eq!(read.is_ok().then_some(&*buffer), want, "{why}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_has_changed_or_lies_behind_a_link_is_not_the_same() {
        use std::fs;
        use std::os::unix::fs::symlink;

        use crate::files::root::{Opened, Root};
        use crate::files::scratch::Scratch;

        type Change = fn(&std::path::Path);
        let cases: [(&str, Change, bool, &str); 9] = [
            ("d/x", |_| {}, true, "nothing happened"),
            ("d/x", |at| fs::write(at.join("root/d/y"), "y").unwrap(), true, "something else did"),
            ("d/x", |at| fs::write(at.join("root/d/x"), "d/X").unwrap(), false, "written"),
            ("d/x", |at| fs::remove_file(at.join("root/d/x")).unwrap(), false, "removed"),
            ("d/x", |at| fs::rename(at.join("root/a"), at.join("root/d/x")).unwrap(), false, "replaced"),
            (
                "d/x",
                |at| {
                    fs::rename(at.join("root/d"), at.join("d")).unwrap();
                    symlink(at.join("d"), at.join("root/d")).unwrap();
                },
                false,
                "the same file, but its directory is a link out of the root now",
            ),
            (
                "d/x",
                |at| {
                    fs::rename(at.join("root/d"), at.join("root/e")).unwrap();
                    symlink("e", at.join("root/d")).unwrap();
                },
                false,
                "a link that stays inside: opening must tell",
            ),
            (
                "d/x",
                |at| fs::hard_link(at.join("root/d/x"), at.join("root/d/z")).unwrap(),
                false,
                "a link more: better read again",
            ),
            (
                "a",
                |at| {
                    fs::rename(at.join("root/a"), at.join("a")).unwrap();
                    symlink("../a", at.join("root/a")).unwrap();
                },
                false,
                "the file itself is a link now",
            ),
        ];
        for (path, change, want, why) in cases {
            let scratch = Scratch::with(&["root/d/x", "root/a"]);
            let root = Root::open(&scratch.path().join("root"), Symlinks::Within).unwrap();
            let Ok(Opened::File(_, stamp)) = root.open_beneath(path.as_bytes()) else { panic!("no file") };
            change(scratch.path());
            assert_eq!(root.is_unchanged(path.as_bytes(), &stamp), want, "{why}");
        }
    }
}
