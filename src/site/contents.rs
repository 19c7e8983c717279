//! What is in this directory, and in which order?
//!
//! All that a listing shows, gathered before its first byte is made. Whatever form the listing takes, it shows this.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::site::lookup::Directory;
use crate::site::order::Order;
use crate::site::readme::Readme;
use crate::site::root::{Entry, Kind, Name};

/// Names in one listing. Each costs some 65 bytes of memory while it is sent, and twice that while the names are sorted. A longer
/// directory is refused: what is cut looks whole to a client that copies or deletes by it.
pub const NAMES_MAX: usize = 200_000;
/// Names in all listings that are being sent: four of the longest, some 100 MB at worst.
const NAMES_HELD_MAX: usize = 4 * NAMES_MAX;
/// So many names at a time are counted, before they are held. Listings that are shorter than this are not counted: they are sent at once.
const BLOCK_NAMES: usize = 100;

static NAMES_HELD: AtomicUsize = AtomicUsize::new(0);

/// The right to hold names in memory, until it is dropped.
#[derive(Debug, Default)]
struct ListingPermit {
    names: usize,
}

impl ListingPermit {
    /// Takes another block.
    fn grow(&mut self) -> io::Result<()> {
        let more = |held: usize| held.checked_add(BLOCK_NAMES).filter(|held| *held <= NAMES_HELD_MAX);
        NAMES_HELD
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .map_err(|_| io::Error::from(io::ErrorKind::ResourceBusy))?;
        self.names += BLOCK_NAMES;
        Ok(())
    }
}

impl Drop for ListingPermit {
    fn drop(&mut self) {
        NAMES_HELD.fetch_sub(self.names, Ordering::Relaxed);
    }
}

/// A directory that is to be shown: all its names, in order. What they name is looked at only as the listing is sent, so that a long one
/// starts at once and holds little.
#[derive(Debug)]
pub struct Contents {
    /// Its canonical path, with a slash at the end.
    pub path: Vec<u8>,
    /// In which order its names stand.
    pub order: Order,
    /// Its names.
    pub names: Vec<Name>,
    /// What has been shown so far.
    pub tally: Tally,
    /// What it says about itself.
    pub readme: Option<Readme>,
    directory: Directory,
    _permit: ListingPermit,
}

/// How much there is in a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many directories.
    pub directories: u64,
    /// How many files.
    pub files: u64,
    /// How many bytes the files have.
    pub bytes: u64,
}

impl Tally {
    /// Counts one more.
    pub fn add(&mut self, entry: &Entry) {
        match entry.kind {
            Kind::Directory => self.directories += 1,
            Kind::File => {
                self.files += 1;
                self.bytes = self.bytes.saturating_add(entry.length);
            }
        }
    }
}

impl Contents {
    /// Reads the names of a directory, all of them.
    ///
    /// # Errors
    /// It cannot be read; `FileTooLarge` where there are more than `names_max`; `ResourceBusy` where too many long listings are being sent.
    pub fn of(directory: Directory, path: &[u8], order: Order, names_max: usize) -> io::Result<Contents> {
        let mut names = Vec::new();
        let mut permit = ListingPermit::default();
        for name in directory.names()? {
            if names.len() == names_max {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            names.push(name?);
            if names.len() % BLOCK_NAMES == 0 {
                permit.grow()?;
            }
        }
        let names = order.sort(names, |name| directory.entry(&name.bytes))?;
        Ok(Contents { path: path.to_vec(), order, names, tally: Tally::default(), readme: None, directory, _permit: permit })
    }

    /// Adds what the directory says about itself.
    pub fn with_readme(mut self) -> Contents {
        self.readme = Readme::of(&self.directory, &self.names);
        self
    }

    /// What is there under a name now; `None` if that is gone since the names were read.
    ///
    /// # Errors
    /// It cannot be looked at, though it is there.
    pub fn entry(&self, name: &Name) -> io::Result<Option<Entry>> {
        self.directory.entry(&name.bytes)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::config::Hidden;
    use crate::site::lookup::{Found, lookup};
    use crate::site::scratch::Scratch;
    use crate::wire::request::{HeadLimits, HeadParser};
    use crate::wire::target::Target;

    /// What is in a directory, at most so many names of it.
    pub(crate) fn contents(scratch: &Scratch, path: &str, hidden: Hidden) -> Contents {
        contents_up_to(scratch, path, hidden, 1000).unwrap()
    }

    fn contents_up_to(scratch: &Scratch, path: &str, hidden: Hidden, names_max: usize) -> io::Result<Contents> {
        let head = format!("GET {path} HTTP/1.0\r\n\r\n");
        let mut parser = HeadParser::new(HeadLimits::default());
        parser.advance(head.as_bytes()).unwrap();
        let target = Target::parse(&parser.head(head.as_bytes()).unwrap()).unwrap();
        let site = scratch.site("", |config| config.hidden = hidden);
        let Found::Directory(directory) = lookup(&site, &target, None, SystemTime::now()) else { panic!("no directory") };
        Ok(Contents::of(directory, target.path(), Order::asked(&target), names_max)?.with_readme())
    }

    #[test]
    fn names_that_are_held_are_counted_and_come_back() {
        // Other tests of this process hold a few.
        let mut permits = Vec::new();
        let mut permit = ListingPermit::default();
        while permit.grow().is_ok() {
            permits.push(std::mem::take(&mut permit));
        }
        let held = permits.len() * BLOCK_NAMES;
        assert!((NAMES_HELD_MAX - 10_000..=NAMES_HELD_MAX).contains(&held), "{held}");
        assert_eq!(permit.grow().unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        drop(permits);
        assert!(permit.grow().is_ok());
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
        assert!(!contents(&scratch, "/both/", Hidden::NotFound).readme.unwrap().is_cut, "just short enough");
        std::fs::write(scratch.path().join("both/README.md"), "x".repeat(64 * 1024 + 1)).unwrap();
        let readme = contents(&scratch, "/both/", Hidden::NotFound).readme.unwrap();
        assert!(readme.is_cut && readme.text.len() == 64 * 1024);
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
