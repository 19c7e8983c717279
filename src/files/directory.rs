//! What is in this directory, and in which order?
//!
//! All that a listing shows, gathered before its first byte is made. Whatever form the listing takes, it shows this.

use std::cmp::Ordering;
use std::io::{self, Read};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::files::lookup::Directory;
use crate::files::root::{DirectoryEntry, EntryKind, Name};
use crate::http::target::RequestTarget;

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

/// What is shown of one: more is a book, and has a link.
const BYTES_MAX: u64 = 64 * 1024;

/// The names that it may have, in any case; the first that there is wins.
const NAMES: [&str; 3] = ["readme.md", "readme.txt", "readme"];

/// A README.
#[derive(Debug, PartialEq, Eq)]
pub struct Readme {
    /// Its name.
    pub name: Vec<u8>,
    /// Its beginning. What is not UTF-8, and what would control the page and not be seen, has become U+FFFD.
    pub text: String,
    /// Whether there is more of it.
    pub truncated: bool,
}

impl Readme {
    /// The README of a directory that has these names; `None` if there is none, or it cannot be read.
    pub fn of(directory: &Directory, names: &[Name]) -> Option<Readme> {
        let named = |name: &&str| names.iter().find(|entry| entry.bytes.eq_ignore_ascii_case(name.as_bytes()));
        let entry = NAMES.iter().find_map(named).filter(|entry| entry.kind == EntryKind::File)?;
        let mut bytes = Vec::new();
        directory.open_file(&entry.bytes)?.take(BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
        let is_cut = u64::try_from(bytes.len()).is_ok_and(|length| length > BYTES_MAX);
        if is_cut {
            bytes.truncate(end_of_text(&bytes));
        }
        let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)).replace("\r\n", "\n");
        let is_unseen = |char: char| char.is_control() && !matches!(char, '\n' | '\t');
        Some(Readme { name: entry.bytes.to_vec(), text: text.replace(is_unseen, "\u{fffd}"), truncated: is_cut })
    }
}

/// Where the last whole character that fits ends.
fn end_of_text(bytes: &[u8]) -> usize {
    let most = usize::try_from(BYTES_MAX).unwrap_or(usize::MAX).min(bytes.len());
    // A character has at most three bytes that continue it.
    (0..=3)
        .filter_map(|back| most.checked_sub(back))
        .find(|&end| bytes.get(end).is_none_or(|&next| next & 0xc0 != 0x80))
        .unwrap_or(most)
}

/// What a listing is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// By name, as people count and without case.
    Name,
    /// By length.
    Size,
    /// By when it last changed.
    Time,
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The smallest, the oldest, A.
    Ascending,
    /// The largest, the newest, Z.
    Descending,
}

/// The order of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortOrder {
    /// What counts.
    pub column: SortKey,
    /// Which end comes first.
    pub direction: Direction,
}

impl SortOrder {
    /// What the query asks for. What it does not say, or says in words that we do not know, is by name from A on.
    pub fn asked(target: &RequestTarget<'_>) -> SortOrder {
        let mut order = SortOrder { column: SortKey::Name, direction: Direction::Ascending };
        for (name, value) in target.query_pairs() {
            match (&*name, &*value) {
                (b"sort", b"name") => order.column = SortKey::Name,
                (b"sort", b"size") => order.column = SortKey::Size,
                (b"sort", b"time") => order.column = SortKey::Time,
                (b"order", b"asc") => order.direction = Direction::Ascending,
                (b"order", b"desc") => order.direction = Direction::Descending,
                _ => {}
            }
        }
        order
    }

    /// The query that asks for this order; none for the one that needs no asking.
    pub fn query(self) -> &'static str {
        use Direction::{Ascending, Descending};
        match (self.column, self.direction) {
            (SortKey::Name, Ascending) => "",
            (SortKey::Name, Descending) => "?sort=name&order=desc",
            (SortKey::Size, Ascending) => "?sort=size&order=asc",
            (SortKey::Size, Descending) => "?sort=size&order=desc",
            (SortKey::Time, Ascending) => "?sort=time&order=asc",
            (SortKey::Time, Descending) => "?sort=time&order=desc",
        }
    }

    /// The order that comes next for whoever asks for that column: the other way round if it is this one already, and else the one that
    /// people look for, A or the largest or the newest first.
    pub fn toggled(self, column: SortKey) -> SortOrder {
        let direction = match (column == self.column, self.direction, column) {
            (true, Direction::Descending, _) | (false, _, SortKey::Name) => Direction::Ascending,
            (true, Direction::Ascending, _) | (false, _, SortKey::Size | SortKey::Time) => Direction::Descending,
        };
        SortOrder { column, direction }
    }

    /// Puts names into this order. Equal ones stand by name. By size or time they are looked at first, and those that are gone left out.
    ///
    /// # Errors
    /// What `look` fails with.
    pub fn sort(self, names: Vec<Name>, look: impl Fn(&Name) -> io::Result<Option<DirectoryEntry>>) -> io::Result<Vec<Name>> {
        let mut keyed = Vec::with_capacity(names.len());
        for name in names {
            let (length, modified) = match self.column {
                SortKey::Name => (0, None),
                SortKey::Size | SortKey::Time => match look(&name)? {
                    Some(entry) => (entry.length, entry.modified),
                    None => continue,
                },
            };
            keyed.push(Keyed { folded: folded(&name.bytes), length, modified, name });
        }
        keyed.sort_unstable_by(|a, b| {
            let by_name = natural(&a.folded, &b.folded).then_with(|| a.name.bytes.cmp(&b.name.bytes));
            let by_column = match self.column {
                SortKey::Name => by_name,
                SortKey::Size => a.length.cmp(&b.length),
                SortKey::Time => a.modified.cmp(&b.modified),
            };
            let directed = match self.direction {
                Direction::Ascending => by_column,
                Direction::Descending => by_column.reverse(),
            };
            a.name.kind.cmp(&b.name.kind).then(directed).then(by_name)
        });
        Ok(keyed.into_iter().map(|keyed| keyed.name).collect())
    }
}

/// A name without case. One that is not UTF-8 keeps the length of its bytes.
fn folded(name: &[u8]) -> Box<[u8]> {
    match std::str::from_utf8(name) {
        Ok(name) => name.to_lowercase().into_bytes().into(),
        Err(_) => name.to_ascii_lowercase().into(),
    }
}

/// A name, and what it is sorted by.
struct Keyed {
    folded: Box<[u8]>,
    length: u64,
    modified: Option<SystemTime>,
    name: Name,
}

/// Compares as people do: digits are numbers, so `2` comes before `10`.
fn natural(a: &[u8], b: &[u8]) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let order = match (a, b) {
            ([first, ..], [second, ..]) if first.is_ascii_digit() && second.is_ascii_digit() => {
                let ((number, a_rest), (other, b_rest)) = (split_number(a), split_number(b));
                (a, b) = (a_rest, b_rest);
                number.len().cmp(&other.len()).then_with(|| number.cmp(other))
            }
            ([first, a_rest @ ..], [second, b_rest @ ..]) => {
                (a, b) = (a_rest, b_rest);
                first.cmp(second)
            }
            _ => return a.len().cmp(&b.len()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// The digits at the start without their leading zeros, and what follows them.
fn split_number(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|b| !b.is_ascii_digit()).unwrap_or(bytes.len());
    let (digits, rest) = bytes.split_at_checked(end).unwrap_or_default();
    let zeros = digits.iter().position(|&b| b != b'0').unwrap_or(digits.len());
    (digits.get(zeros..).unwrap_or_default(), rest)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::config::Hidden;
    use crate::files::lookup::{Resource, lookup};
    use crate::files::scratch::Scratch;
    use crate::http::request::{HeadLimits, RequestParser};

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

    #[test]
    fn cut_between_characters() {
        let most = usize::try_from(BYTES_MAX).unwrap();
        for (text, want, why) in [
            ("a".repeat(most + 1), most, "one byte each"),
            (format!("{}\u{fc}", "a".repeat(most - 1)), most - 1, "two bytes, one of them within"),
            (format!("{}\u{1f9f5}", "a".repeat(most - 3)), most - 3, "four bytes, three within"),
            (format!("{}\u{1f9f5}a", "a".repeat(most - 4)), most, "four bytes, all within"),
        ] {
            assert_eq!(end_of_text(text.as_bytes()), want, "{why}");
        }
        assert_eq!(end_of_text(&vec![0x80; most + 1]), most, "no text at all");
    }

    #[test]
    fn natural_order() {
        for (smaller, larger) in
            [("a", "b"), ("a", "aa"), ("2", "10"), ("a2b", "a10"), ("a01", "a2"), ("1a", "1b"), ("", "a"), ("9", "a")]
        {
            assert_eq!(natural(smaller.as_bytes(), larger.as_bytes()), Ordering::Less, "{smaller} {larger}");
            assert_eq!(natural(larger.as_bytes(), smaller.as_bytes()), Ordering::Greater, "{larger} {smaller}");
        }
        assert_eq!(natural(b"a01", b"a1"), Ordering::Equal);
    }

    #[test]
    fn queries_ask_for_what_they_say() {
        use Direction::{Ascending, Descending};
        use SortKey::{Name, Size, Time};
        for column in [Name, Size, Time] {
            for direction in [Ascending, Descending] {
                let order = SortOrder { column, direction };
                let bytes = format!("GET /{} HTTP/1.0\r\n\r\n", order.query()).into_bytes();
                let mut parser = RequestParser::new(HeadLimits::default());
                parser.parse(&bytes).unwrap();
                assert_eq!(SortOrder::asked(&RequestTarget::parse(&parser.head(&bytes).unwrap()).unwrap()), order);
                assert_eq!(order.toggled(column).toggled(column), order, "twice the same is there and back");
            }
        }
        let by_name = SortOrder { column: Name, direction: Ascending };
        assert_eq!(by_name.toggled(Size), SortOrder { column: Size, direction: Descending }, "the largest first");
        assert_eq!(by_name.toggled(Size).toggled(Name), by_name, "but A first");
    }

    #[test]
    fn by_each_column_and_back() {
        use Direction::{Ascending, Descending};
        use SortKey::{Size, Time};
        for (column, direction, want) in [
            (SortKey::Name, Ascending, &["d", "a", "B", "c", "gone"][..]),
            (SortKey::Name, Descending, &["d", "gone", "c", "B", "a"]),
            (Size, Ascending, &["d", "B", "a", "c"]),
            (Size, Descending, &["d", "a", "c", "B"]),
            (Time, Ascending, &["d", "c", "a", "B"]),
            (Time, Descending, &["d", "B", "a", "c"]),
        ] {
            let rows = [
                ("c", EntryKind::File, 2, 1),
                ("a", EntryKind::File, 2, 2),
                ("gone", EntryKind::File, 0, 0),
                ("B", EntryKind::File, 1, 3),
                ("d", EntryKind::Directory, 9, 9),
            ];
            let names = rows.iter().map(|row| Name { bytes: row.0.as_bytes().into(), kind: row.1, is_link: false }).collect();
            let look = |name: &Name| {
                let &(_, kind, length, seconds) = rows.iter().find(|row| row.0.as_bytes() == &*name.bytes).unwrap();
                let modified = Some(UNIX_EPOCH + Duration::from_secs(seconds));
                Ok((&*name.bytes != b"gone").then_some(DirectoryEntry { kind, is_link: false, length, modified }))
            };
            let sorted = SortOrder { column, direction }.sort(names, look).unwrap();
            let names: Vec<_> = sorted.iter().map(|name| String::from_utf8_lossy(&name.bytes).into_owned()).collect();
            assert_eq!(names, want, "{column:?} {direction:?}");
        }
    }
}
