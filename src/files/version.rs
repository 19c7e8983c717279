//! Versions of files: whether a file is still the one that was opened, and reads that do not move its cursor.
//!
//! A file that is truncated or overwritten in place while it is sent would reach the client as a mixture of two versions. Its version is
//! taken from the open handle before the first byte is sent, and compared before the last.

use std::fs::File;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cap_std::fs::Metadata;

use crate::http::range::ByteRange;

/// The coarsest step in which a file system counts time: two seconds on FAT. A file that changed within the current step may change again
/// and have the same times.
pub const TIMESTAMP_STEP_MAX: Duration = Duration::from_secs(2);
/// How long a file may be written through a shared memory mapping without a new modification time. Linux sets the time when a page is
/// written that was clean, and pages are written back, which makes them clean, after about 35 seconds.
const MAPPED_WRITE_TIME_MAX: Duration = Duration::from_secs(60);

/// One version of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileVersion {
    /// Length in bytes.
    pub length: u64,
    /// Modification time; `None` if the file system has none.
    pub modified: Option<SystemTime>,
    inode: InodeId,
}

/// Inode and status change time. Other systems than Unix do not report them: length and modification time must suffice there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct InodeId {
    device: u64,
    number: u64,
    changed_secs: i64,
    changed_nanos: i64,
    links: u64,
}

impl FileVersion {
    /// The version of an open file.
    ///
    /// # Errors
    /// Its metadata cannot be read.
    pub fn from_file(file: &File) -> io::Result<FileVersion> {
        Ok(FileVersion::from_metadata(&Metadata::from_just_metadata(file.metadata()?)))
    }

    /// The version of a file with these metadata.
    pub fn from_metadata(metadata: &Metadata) -> FileVersion {
        let modified = metadata.modified().ok().map(cap_std::time::SystemTime::into_std);
        #[cfg(not(unix))]
        let inode = InodeId::default();
        #[cfg(unix)]
        let inode = {
            use cap_std::fs::MetadataExt;
            InodeId {
                device: metadata.dev(),
                number: metadata.ino(),
                changed_secs: metadata.ctime(),
                changed_nanos: metadata.ctime_nsec(),
                links: metadata.nlink(),
            }
        };
        FileVersion { length: metadata.len(), modified, inode }
    }

    /// Whether a file with this `stat` is this version. Setting the modification time changes the status, whose time cannot be set.
    #[cfg(unix)]
    pub fn is_of(&self, stat: &rustix::fs::Stat) -> bool {
        let InodeId { device, number, changed_secs, changed_nanos, links } = self.inode;
        // The width of these fields differs between systems.
        let found = [i128::from(stat.st_dev), stat.st_ino.into(), stat.st_nlink.into(), stat.st_size.into()];
        let changed = [i128::from(stat.st_ctime), stat.st_ctime_nsec.into()];
        found == [device, number, links, self.length].map(i128::from) && changed == [changed_secs, changed_nanos].map(i128::from)
    }

    /// Whether the bytes announced of an open file can still be sent, by a version taken later from the same handle: the file must not be
    /// shorter, and at the same length its modification time must be the same. A file that has grown, such as a log, still holds them.
    pub fn is_same(&self, later: &FileVersion) -> bool {
        later.length > self.length || later.length == self.length && later.modified == self.modified
    }

    /// Whether the last name of the file or directory was removed after it was opened. On systems other than Unix an open
    /// file keeps its name.
    pub fn is_removed(&self) -> bool {
        cfg!(unix) && self.inode.links == 0
    }

    /// Whether these are versions of the same file or directory. Other systems than Unix cannot tell, and the answer is yes.
    pub fn is_same_inode(&self, other: &FileVersion) -> bool {
        (self.inode.device, self.inode.number) == (other.inode.device, other.inode.number)
    }

    /// Whether any change after `now` would be visible in the version. The status change time must be older than a step, since no program
    /// can set it back, and the modification time older than a write through a memory mapping can go unnoticed. Where one of them is
    /// unknown, no file is stable.
    pub fn is_stable(&self, now: SystemTime) -> bool {
        let modified = self.modified.is_some_and(|modified| is_older_than(modified, MAPPED_WRITE_TIME_MAX, now));
        modified && self.inode.changed().is_some_and(|changed| is_older_than(changed, TIMESTAMP_STEP_MAX, now))
    }
}

impl InodeId {
    /// The status change time; `None` if it is unknown or before 1970.
    fn changed(&self) -> Option<SystemTime> {
        let since = Duration::new(u64::try_from(self.changed_secs).ok()?, u32::try_from(self.changed_nanos).ok()?);
        UNIX_EPOCH.checked_add(since).filter(|_| self.number != 0)
    }
}

/// Whether a time was more than `age` ago. One in the future is from another clock, and was not.
pub fn is_older_than(time: SystemTime, age: Duration, now: SystemTime) -> bool {
    now.duration_since(time).is_ok_and(|passed| passed > age)
}

/// Reads bytes from the start of a part of a file, usually by one system call, and returns their number; 0 is the end of the file. The cursor
/// does not move, except on Windows, where nothing uses it.
///
/// # Errors
/// Those of the system call, which is repeated if a signal interrupts it.
pub fn read_range(file: &File, part: ByteRange, buffer: &mut [u8]) -> io::Result<usize> {
    let most = usize::try_from(part.length).map_or(buffer.len(), |length| length.min(buffer.len()));
    let (buffer, _) = buffer.split_at_mut(most);
    loop {
        #[cfg(unix)]
        let result = std::os::unix::fs::FileExt::read_at(file, buffer, part.start);
        #[cfg(windows)]
        let result = std::os::windows::fs::FileExt::seek_read(file, buffer, part.start);
        if !result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {
            return result;
        }
    }
}

/// Fills the buffer with the bytes at an offset. The cursor does not move, except on Windows.
///
/// # Errors
/// Those of the system, or `UnexpectedEof` if the file ends before.
pub fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset);
    #[cfg(windows)]
    {
        let mut file = file;
        io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
        io::Read::read_exact(&mut file, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_the_same_if_announced_bytes_are_still_there() {
        let version = FileVersion {
            length: 1,
            modified: Some(UNIX_EPOCH),
            inode: InodeId { device: 1, number: 2, changed_secs: 3, changed_nanos: 400, links: 1 },
        };
        let with = |change: &dyn Fn(&mut FileVersion)| {
            let mut later = version;
            change(&mut later);
            version.is_same(&later)
        };
        for (later, want, why) in [
            (with(&|_| {}), true, "no change"),
            (with(&|version| version.length = 0), false, "shorter"),
            (with(&|version| version.length = 2), true, "appended to"),
            (with(&|version| (version.length, version.modified) = (2, None)), true, "appended to, and its time is unknown"),
            (with(&|version| (version.length, version.modified) = (0, None)), false, "shorter, and its time is unknown"),
            (with(&|version| version.modified = None), false, "written to at the same length"),
            (with(&|version| version.inode.changed_nanos = 9), true, "another mode, owner or name"),
            (with(&|version| version.inode.links = 0), true, "replaced by rename: its last link is gone"),
            (with(&|version| version.inode.links = 2), true, "another hard link"),
        ] {
            assert_eq!(later, want, "{why}");
        }
    }

    #[test]
    fn version_is_stable_when_both_times_are_old() {
        let second = |secs| Some(UNIX_EPOCH + Duration::from_secs(secs));
        for (changed_secs, changed_nanos, modified, number, want, why) in [
            (98, 0, second(0), 2, false, "changed exactly one step ago"),
            (97, 999_999_900, second(0), 2, true, "changed one step and 100 ns ago, the resolution of Windows"),
            (101, 0, second(0), 2, false, "changed in the future"),
            (0, 0, second(40), 2, false, "written exactly a minute ago, perhaps through a memory mapping"),
            (0, 0, second(39), 2, true, "written more than a minute ago"),
            (0, 0, second(101), 2, false, "written in the future"),
            (0, 0, None, 2, false, "no modification time"),
            (-1, 0, second(0), 2, false, "changed before 1970"),
            (0, 0, second(0), 0, false, "no inode, and so no time of change"),
        ] {
            let inode = InodeId { device: 1, number, changed_secs, changed_nanos, links: 1 };
            let version = FileVersion { length: 1, modified, inode };
            assert_eq!(version.is_stable(UNIX_EPOCH + Duration::from_secs(100)), want, "{why}");
        }
    }

    #[test]
    fn read_exact_at_stops_at_the_end_of_the_file() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/site/ten.txt");
        let file = File::open(path).unwrap();
        for (length, at, want, why) in [
            (10, 0, Some(&b"0123456789"[..]), "all of it"),
            (3, 7, Some(b"789"), "the last three"),
            (0, 10, Some(b""), "nothing at the end"),
            (3, 8, None, "one more than there is"),
            (1, 10, None, "the first byte after the end"),
            (3, 7, Some(b"789"), "the cursor has not moved"),
        ] {
            let mut buffer = vec![0; length];
            let read = read_exact_at(&file, &mut buffer, at);
            assert_eq!(read.is_ok().then_some(&*buffer), want, "{why}");
        }
    }
}
