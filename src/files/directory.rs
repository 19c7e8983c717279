//! What is in this directory, and in which order?
//!
//! All that a listing shows, gathered before its first byte is made. Whatever form the listing takes, it shows this.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::files::lookup::Directory;
use crate::files::readme::Readme;
use crate::files::root::{DirectoryEntry, EntryKind, Name};
use crate::files::sort_order::SortOrder;

/// Names in one listing. A longer directory is refused: a client that copies or deletes accordingly would take a cut listing for a whole one.
pub const NAMES_MAX: usize = 200_000;
/// A listing of more names is long: at most one is read and sorted at a time, and what it holds is counted.
const LONG_NAMES_MIN: usize = 1000;
/// What the names of long listings may take while they are sent. One more is read as long as they take less: 64 MiB if all its names are
/// as long as they can be, and three times that while it is sorted.
const HELD_BYTES_MAX: usize = 128 * 1024 * 1024;
/// What a name takes beside its bytes.
const NAME_BYTES: usize = 48;
/// How long a long listing waits for others to be read or sent.
const WAIT_TIME_MAX: Duration = Duration::from_secs(10);

/// Guards what is known of all long listings, for a moment.
static LONG_LISTINGS: Mutex<LongListings> = Mutex::new(LongListings { held_bytes: 0, is_one_read: false });
/// A long listing has been read, or sent.
static CHANGED: Condvar = Condvar::new();

#[derive(Debug)]
struct LongListings {
    held_bytes: usize,
    is_one_read: bool,
}

fn long_listings() -> MutexGuard<'static, LongListings> {
    LONG_LISTINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to read a long listing.
#[derive(Debug)]
struct ReadPermit;

impl ReadPermit {
    /// Waits for it.
    fn wait(time_max: Duration) -> io::Result<ReadPermit> {
        let must_wait = |all: &mut LongListings| all.is_one_read || all.held_bytes >= HELD_BYTES_MAX;
        let (mut all, waited) =
            CHANGED.wait_timeout_while(long_listings(), time_max, must_wait).unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        all.is_one_read = true;
        Ok(ReadPermit)
    }
}

impl Drop for ReadPermit {
    fn drop(&mut self) {
        long_listings().is_one_read = false;
        CHANGED.notify_all();
    }
}

/// What a long listing takes while it is sent.
#[derive(Debug)]
struct HeldBytes(usize);

impl HeldBytes {
    fn new(names: &[Name]) -> HeldBytes {
        let bytes = names.iter().map(|name| NAME_BYTES + name.bytes.len()).sum();
        long_listings().held_bytes += bytes;
        HeldBytes(bytes)
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        long_listings().held_bytes -= self.0;
        CHANGED.notify_all();
    }
}

/// A directory that is to be shown: all its names, in order. What they name is looked at only as the listing is sent, so that a long one
/// starts at once and holds little.
#[derive(Debug)]
pub struct DirectoryListing {
    /// Its canonical path, with a slash at the end.
    pub path: Vec<u8>,
    /// In which order its names stand.
    pub order: SortOrder,
    /// Its names.
    pub names: Vec<Name>,
    /// What has been shown so far.
    pub tally: ListingTotals,
    /// What it says about itself.
    pub readme: Option<Readme>,
    directory: Directory,
    _held: Option<HeldBytes>,
}

/// How much there is in a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListingTotals {
    /// How many directories.
    pub directories: u64,
    /// How many files.
    pub files: u64,
    /// How many bytes the files have.
    pub bytes: u64,
}

impl ListingTotals {
    /// Counts one more.
    pub fn add(&mut self, entry: &DirectoryEntry) {
        match entry.kind {
            EntryKind::Directory => self.directories += 1,
            EntryKind::File => {
                self.files += 1;
                self.bytes = self.bytes.saturating_add(entry.length);
            }
        }
    }
}

impl DirectoryListing {
    /// Reads the names of a directory, all of them.
    ///
    /// # Errors
    /// It cannot be read; `FileTooLarge` where there are more than `names_max`; `ResourceBusy` where others take too much memory for too long.
    pub fn of(directory: Directory, path: &[u8], order: SortOrder, names_max: usize) -> io::Result<DirectoryListing> {
        let mut names = Vec::new();
        let mut permit = None;
        for name in directory.names()? {
            match names.len() {
                count if count == names_max => return Err(io::ErrorKind::FileTooLarge.into()),
                LONG_NAMES_MIN => permit = Some(ReadPermit::wait(WAIT_TIME_MAX)?),
                _ => {}
            }
            names.push(name?);
        }
        let names = order.sort(names, |name| directory.entry(&name.bytes))?;
        Ok(DirectoryListing {
            path: path.to_vec(),
            order,
            _held: permit.map(|_| HeldBytes::new(&names)),
            names,
            tally: ListingTotals::default(),
            readme: None,
            directory,
        })
    }

    /// Adds what the directory says about itself.
    pub fn with_readme(mut self) -> DirectoryListing {
        self.readme = Readme::of(&self.directory, &self.names);
        self
    }

    /// What is there under a name now; `None` if that is gone since the names were read.
    ///
    /// # Errors
    /// It cannot be looked at, though it is there.
    pub fn entry(&self, name: &Name) -> io::Result<Option<DirectoryEntry>> {
        self.directory.entry(&name.bytes)
    }

    /// Whether the directory was removed since the names were read.
    pub fn is_removed(&self) -> bool {
        self.directory.is_removed()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::config::Hidden;
    use crate::files::lookup::{Resource, lookup};
    use crate::files::scratch::Scratch;
    use crate::http::request::{HeadLimits, RequestParser};
    use crate::http::target::RequestTarget;

    /// What is in a directory, at most so many names of it.
    pub(crate) fn contents(scratch: &Scratch, path: &str, hidden: Hidden) -> DirectoryListing {
        contents_up_to(scratch, path, hidden, 1000).unwrap()
    }

    fn contents_up_to(scratch: &Scratch, path: &str, hidden: Hidden, names_max: usize) -> io::Result<DirectoryListing> {
        let head = format!("GET {path} HTTP/1.0\r\n\r\n");
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(head.as_bytes()).unwrap();
        let target = RequestTarget::parse(&parser.head(head.as_bytes()).unwrap()).unwrap();
        let site = scratch.site("", |config| config.hidden = hidden);
        let Resource::Directory(directory) = lookup(&site, &target, None, SystemTime::now()) else { panic!("no directory") };
        Ok(DirectoryListing::of(directory, target.path(), SortOrder::asked(&target), names_max)?.with_readme())
    }

    #[test]
    fn long_listings_are_read_one_by_one_and_what_they_hold_is_counted() {
        let soon = Duration::from_millis(1);
        let permit = ReadPermit::wait(WAIT_TIME_MAX).unwrap();
        assert_eq!(ReadPermit::wait(soon).unwrap_err().kind(), io::ErrorKind::ResourceBusy, "one is being read");
        drop(permit);
        let name = |length| Name { bytes: vec![b'x'; length].into(), kind: EntryKind::File, is_link: false };
        let held = HeldBytes::new(&[name(HELD_BYTES_MAX)]);
        assert_eq!(ReadPermit::wait(soon).unwrap_err().kind(), io::ErrorKind::ResourceBusy, "others take all");
        drop(held);
        assert!(ReadPermit::wait(WAIT_TIME_MAX).is_ok(), "and give it back");
    }

    #[test]
    fn all_names_or_an_error() {
        let scratch = Scratch::with(&["a", "bb", "d/"]);
        for (max, want) in [(4, Ok(3)), (3, Ok(3)), (2, Err(io::ErrorKind::FileTooLarge)), (0, Err(io::ErrorKind::FileTooLarge))]
        {
            let count = contents_up_to(&scratch, "/", Hidden::NotFound, max).map(|contents| contents.names.len());
            assert_eq!(count.map_err(|error| error.kind()), want, "at most {max}");
        }
    }

    #[test]
    fn the_readme_of_a_directory() {
        let files = ["none/a", "dir/README.md/x", "both/README.md", "both/readme.txt", "case/ReadMe", "hidden/.readme.md"];
        let scratch = Scratch::with(&files);
        std::fs::write(scratch.path().join("case/ReadMe"), b"\xef\xbb\xbfa\r\n\tb\x1b[0m\xff<").unwrap();
        for (path, want, why) in [
            ("/none/", None, "there is none"),
            ("/dir/", None, "a directory is none"),
            ("/both/", Some(("README.md", "both/README.md")), "the first of the names"),
            ("/case/", Some(("ReadMe", "a\n\tb\u{fffd}[0m\u{fffd}<")), "in any case, and made harmless"),
            ("/hidden/", None, "what is not listed is not shown"),
        ] {
            let readme = contents(&scratch, path, Hidden::NotFound).readme;
            let got = readme.as_ref().map(|readme| (std::str::from_utf8(&readme.name).unwrap(), &*readme.text));
            assert_eq!(got, want, "{path}: {why}");
        }
        std::fs::write(scratch.path().join("both/README.md"), "x".repeat(64 * 1024)).unwrap();
        assert!(!contents(&scratch, "/both/", Hidden::NotFound).readme.unwrap().truncated, "just short enough");
        std::fs::write(scratch.path().join("both/README.md"), "x".repeat(64 * 1024 + 1)).unwrap();
        let readme = contents(&scratch, "/both/", Hidden::NotFound).readme.unwrap();
        assert!(readme.truncated && readme.text.len() == 64 * 1024);
    }

    #[cfg(unix)]
    #[test]
    fn a_readme_that_leads_out_is_not_shown() {
        let scratch = Scratch::with(&["secret", "d/"]);
        std::os::unix::fs::symlink("../../secret", scratch.path().join("d/README.md")).unwrap();
        let outside = contents(&scratch, "/d/", Hidden::NotFound);
        assert_eq!((outside.names.len(), outside.readme), (0, None));
    }
}
