//! What is in this directory, and in which order?
//!
//! All that a listing shows, gathered before its first byte is made. Whatever form the listing takes, it shows this.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::site::lookup::Directory;
use crate::site::order::Order;
use crate::site::readme::Readme;
use crate::site::root::{Entry, Kind};

/// Names in one listing. Each costs 200 to 450 bytes of memory while it is sent; beyond this a page is of no use to a person.
pub const ENTRIES_MAX: usize = 10_000;
/// Names in all listings that are being sent: 32 of the longest, some 70 to 140 MB. Clients that ask for them and read nothing would
/// have them held in memory for seconds, each of them all.
const HELD_MAX: usize = 32 * ENTRIES_MAX;
/// Listings of so many names are not counted: they are sent at once.
const UNCOUNTED_MAX: usize = 100;

static HELD: AtomicUsize = AtomicUsize::new(0);

/// So many names that are held, until it is dropped.
#[derive(Debug)]
struct Held(usize);

impl Held {
    fn new(count: usize) -> io::Result<Held> {
        let count = if count > UNCOUNTED_MAX { count } else { 0 };
        let more = |held: usize| held.checked_add(count).filter(|held| count == 0 || *held <= HELD_MAX);
        let result = HELD.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        result.map(|_| Held(count)).map_err(|_| io::ErrorKind::ResourceBusy.into())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// A directory that is to be shown.
#[derive(Debug)]
pub struct Contents {
    /// Its canonical path, with a slash at the end.
    pub path: Vec<u8>,
    /// In which order its names stand.
    pub order: Order,
    /// Its names.
    pub entries: Vec<Entry>,
    /// Whether these are all.
    pub rest: Rest,
    /// What it says about itself.
    pub readme: Option<Readme>,
    /// What else a visitor is told, in the form that the visitor reads.
    pub epilogue: String,
    _held: Held,
}

/// Whether a listing shows all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It does.
    None,
    /// There are more names than it can show.
    LeftOut,
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

impl Contents {
    /// Reads a directory, and no more entries of it than are shown.
    ///
    /// # Errors
    /// It cannot be read; or `ResourceBusy`, where too many long ones are being sent.
    pub fn of(directory: &Directory<'_>, path: &[u8], order: Order, entries_max: usize) -> io::Result<Contents> {
        let mut all = directory.entries()?;
        let entries: Vec<Entry> = all.by_ref().take(entries_max).collect();
        let held = Held::new(entries.len())?;
        let rest = if all.next().is_some() { Rest::LeftOut } else { Rest::None };
        Ok(Contents {
            path: path.to_vec(),
            order,
            entries: order.sort(entries),
            rest,
            readme: None,
            epilogue: String::new(),
            _held: held,
        })
    }

    /// How much of what.
    pub fn tally(&self) -> Tally {
        self.entries.iter().fold(Tally::default(), |tally, entry| match entry.kind {
            Kind::Directory => Tally { directories: tally.directories + 1, ..tally },
            Kind::File => Tally { files: tally.files + 1, bytes: tally.bytes.saturating_add(entry.length), ..tally },
        })
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
    pub(crate) fn contents(scratch: &Scratch, path: &str, hidden: Hidden, entries_max: usize) -> Contents {
        let head = format!("GET {path} HTTP/1.0\r\n\r\n");
        let mut parser = HeadParser::new(HeadLimits::default());
        parser.advance(head.as_bytes()).unwrap();
        let target = Target::parse(&parser.head(head.as_bytes()).unwrap()).unwrap();
        let site = scratch.site("", |config| config.hidden = hidden);
        let Found::Directory(directory) = lookup(&site, &target, None, SystemTime::now()) else { panic!("no directory") };
        let mut contents = Contents::of(&directory, target.path(), Order::asked(&target), entries_max).unwrap();
        contents.readme = Readme::of(&directory, &contents.entries);
        contents
    }

    #[test]
    fn names_that_are_held_are_counted_and_come_back() {
        // Other tests of this process hold a few.
        let held: Vec<Held> = std::iter::from_fn(|| Held::new(ENTRIES_MAX).ok()).collect();
        assert!((30..=32).contains(&held.len()), "{}", held.len());
        assert!(Held::new(UNCOUNTED_MAX).is_ok(), "a short one is always shown");
        assert_eq!(Held::new(ENTRIES_MAX).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        drop(held);
        assert!(Held::new(ENTRIES_MAX).is_ok());
    }

    #[test]
    fn no_more_than_so_many() {
        let scratch = Scratch::with(&["a", "bb", "d/"]);
        for (max, want) in [(4, (3, Rest::None)), (3, (3, Rest::None)), (2, (2, Rest::LeftOut)), (0, (0, Rest::LeftOut))] {
            let contents = contents(&scratch, "/", Hidden::NotFound, max);
            assert_eq!((contents.entries.len(), contents.rest), want);
        }
        let all = contents(&scratch, "/", Hidden::NotFound, 9);
        assert_eq!(all.tally(), Tally { directories: 1, files: 2, bytes: 3 }, "each file holds its own path");
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
            let readme = contents(&scratch, path, Hidden::NotFound, 99).readme;
            let got = readme.as_ref().map(|readme| (std::str::from_utf8(&readme.name).unwrap(), &*readme.text));
            assert_eq!(got, want, "{path}: {why}");
        }
        std::fs::write(scratch.path().join("both/README.md"), "x".repeat(64 * 1024)).unwrap();
        assert!(!contents(&scratch, "/both/", Hidden::NotFound, 99).readme.unwrap().is_cut, "just short enough");
        std::fs::write(scratch.path().join("both/README.md"), "x".repeat(64 * 1024 + 1)).unwrap();
        let readme = contents(&scratch, "/both/", Hidden::NotFound, 99).readme.unwrap();
        assert!(readme.is_cut && readme.text.len() == 64 * 1024);
    }

    #[cfg(unix)]
    #[test]
    fn a_readme_that_leads_out_is_not_shown() {
        let scratch = Scratch::with(&["secret", "d/"]);
        std::os::unix::fs::symlink("../../secret", scratch.path().join("d/README.md")).unwrap();
        let outside = contents(&scratch, "/d/", Hidden::NotFound, 99);
        assert_eq!((outside.entries.len(), outside.readme), (0, None));
    }
}
