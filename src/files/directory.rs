//! Contents of a directory: its names, their order and its README, as every form of a listing shows them.

use std::io::{self, Read};
use std::mem;
use std::sync::Arc;
use std::time::SystemTime;

use crate::files::root::{Opened, Root, RootDirectory, join};
use crate::http::target::RequestTarget;
use crate::net::budget::HeldMemory;
use crate::os::is_incomplete_file;

/// Names in one listing. A longer directory is refused: clients that copy or delete by a listing would take a truncated one as complete.
pub const NAMES_MAX: usize = 200_000;
/// Memory for a name beside its bytes.
const NAME_BYTES: usize = 48;
/// The same while names are sorted: a key, which may have twice as many bytes as the name, stands beside each.
const SORTED_NAME_BYTES: usize = 150;
/// Memory is counted in steps of this many bytes while names are read.
const STEP_BYTES: usize = 64 * 1024;

/// Bytes of a README that are shown.
const README_BYTES_MAX: u64 = 64 * 1024;
/// File names of a README without case, the best first.
const README_NAMES: [&str; 3] = ["readme.md", "readme.txt", "readme"];

/// A name in a directory.
#[derive(Debug)]
pub struct Name {
    /// Any bytes but a slash and NUL.
    pub bytes: Box<[u8]>,
    /// What it names, links followed.
    pub kind: EntryKind,
    /// Whether the name itself is a symbolic link.
    pub is_link: bool,
}

/// A directory entry with its metadata.
#[derive(Debug)]
pub struct DirectoryEntry {
    /// What it is, links followed.
    pub kind: EntryKind,
    /// Whether the name itself is a symbolic link.
    pub is_link: bool,
    /// Length in bytes.
    pub length: u64,
    /// Modification time.
    pub modified: Option<SystemTime>,
}

/// The kinds of entries that are served and listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
}

/// A directory that may be listed.
#[derive(Debug)]
pub struct Directory {
    /// The root.
    pub root: Arc<Root>,
    /// The open directory.
    pub handle: RootDirectory,
    pub(super) serve_hidden: bool,
    /// Whether it can be downloaded as an archive.
    pub archive: bool,
}

impl Directory {
    /// Its name: the last segment of its path, or the name of the root.
    pub fn name(&self) -> &[u8] {
        let path = &self.handle.path;
        if path.is_empty() { self.root.name() } else { path.rsplit(|&byte| byte == b'/').next().unwrap_or(path) }
    }

    /// Whether a name in it, or beneath it, is shown.
    pub(super) fn shows(&self, name: &Name) -> bool {
        (self.serve_hidden || !name.bytes.starts_with(b".")) && !is_incomplete_file(&name.bytes)
    }
}

/// A directory that is listed: all its names, in order. Their metadata is read while the listing is sent, so that a long one starts at once
/// and takes little memory.
#[derive(Debug)]
pub struct DirectoryListing {
    /// Its canonical path, with a slash at the end.
    pub path: Vec<u8>,
    /// How many `../` lead to the root, to each directory on the way, and to this one.
    pub levels_up: Vec<usize>,
    /// The order of the names.
    pub order: SortOrder,
    /// Its names.
    pub names: Vec<Name>,
    /// Number of entries that are hidden or not served.
    pub hidden: u64,
    /// Totals of the entries that were listed so far.
    pub totals: ListingTotals,
    /// Whether the form of the listing offers to upload files.
    pub accepts_uploads: bool,
    /// Its README, if the form of the listing shows it.
    pub readme: Option<Readme>,
    /// The directory itself.
    pub directory: Directory,
}

/// Totals of a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListingTotals {
    /// Number of directories.
    pub directories: u64,
    /// Number of files.
    pub files: u64,
    /// Length of all files, in bytes.
    pub bytes: u64,
}

impl ListingTotals {
    /// Adds an entry.
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
    /// Reads and sorts all names of a directory.
    ///
    /// # Errors
    /// The directory cannot be read; `FileTooLarge` if it has more than `names_max` names; those of [`HeldMemory::grow`].
    pub fn read(
        directory: Directory,
        target: &RequestTarget<'_>,
        names_max: usize,
        memory: &mut HeldMemory,
    ) -> io::Result<DirectoryListing> {
        let order = SortOrder::from_query(target);
        let Directory { root, handle, .. } = &directory;
        let mut names = Vec::new();
        let (mut uncounted, mut hidden) = (0, 0);
        for name in root.names(handle)? {
            let Some(name) = name?.filter(|name| directory.shows(name)) else {
                hidden += 1;
                continue;
            };
            if names.len() == names_max {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            uncounted += SORTED_NAME_BYTES + 3 * name.bytes.len();
            if uncounted >= STEP_BYTES {
                memory.wait_for_turn()?;
                memory.grow(mem::take(&mut uncounted))?;
            }
            names.push(name);
        }
        memory.grow(uncounted)?;
        let names = order.sort(names, |name| root.entry(handle, &name.bytes))?;
        memory.shrink_to(names.iter().map(|name| NAME_BYTES + name.bytes.len()).sum());
        Ok(DirectoryListing {
            path: target.path().to_vec(),
            levels_up: target.levels_up(),
            order,
            names,
            hidden,
            totals: ListingTotals::default(),
            readme: None,
            accepts_uploads: false,
            directory,
        })
    }

    /// Reads the README of the directory.
    ///
    /// # Errors
    /// Those of [`HeldMemory::grow`].
    pub fn with_readme(mut self, memory: &mut HeldMemory) -> io::Result<DirectoryListing> {
        self.readme = Readme::read(&self.directory, &self.names);
        memory.grow(self.readme.as_ref().map_or(0, |readme| readme.text.len()))?;
        Ok(self)
    }

    /// What exists under a name now; `None` if it is gone since the names were read.
    ///
    /// # Errors
    /// It exists, but its metadata cannot be read.
    pub fn entry(&self, name: &Name) -> io::Result<Option<DirectoryEntry>> {
        self.directory.root.entry(&self.directory.handle, &name.bytes)
    }
}

/// The README of a directory, which is shown as plain text below its names. It is opened like any file that is requested.
#[derive(Debug, PartialEq, Eq)]
pub struct Readme {
    /// Its file name.
    pub name: Vec<u8>,
    /// Its beginning, with U+FFFD in place of control characters and of what is not UTF-8.
    pub text: String,
    /// Whether the file is longer.
    pub truncated: bool,
}

impl Readme {
    /// The README of a directory with these names; `None` if there is none, or it cannot be read.
    fn read(directory: &Directory, names: &[Name]) -> Option<Readme> {
        let named = |name: &&str| names.iter().find(|entry| entry.bytes.eq_ignore_ascii_case(name.as_bytes()));
        let entry = README_NAMES.iter().find_map(named).filter(|entry| entry.kind == EntryKind::File)?;
        let Opened::File(mut file, _) = directory.root.open_beneath(&join(&directory.handle.path, &entry.bytes)).ok()? else {
            return None;
        };
        let mut bytes = Vec::new();
        (&file).take(README_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        let truncated = file.read(&mut [0]).ok()? > 0;
        let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)).replace("\r\n", "\n");
        // A character that is cut in two is omitted.
        let text = text.strip_suffix(char::REPLACEMENT_CHARACTER).filter(|_| truncated).unwrap_or(&text);
        let is_control = |char: char| char.is_control() && !matches!(char, '\n' | '\t');
        Some(Readme { name: entry.bytes.to_vec(), text: text.replace(is_control, "\u{fffd}"), truncated })
    }
}

/// What a listing is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// Name, without case and with numbers by value.
    Name,
    /// Length.
    Size,
    /// Modification time.
    Time,
}

/// Order of a listing, as in the query `?sort=size&order=desc`. Directories always come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortOrder {
    /// The column.
    pub key: SortKey,
    /// Whether the order is descending: Z, the largest or the newest first.
    pub descending: bool,
}

impl SortOrder {
    /// The order that a query selects. Missing and unknown values mean by name, ascending.
    pub fn from_query(target: &RequestTarget<'_>) -> SortOrder {
        let mut order = SortOrder { key: SortKey::Name, descending: false };
        for (name, value) in target.query_pairs() {
            match (&*name, &*value) {
                (b"sort", b"name") => order.key = SortKey::Name,
                (b"sort", b"size") => order.key = SortKey::Size,
                (b"sort", b"time") => order.key = SortKey::Time,
                (b"order", b"asc") => order.descending = false,
                (b"order", b"desc") => order.descending = true,
                _ => {}
            }
        }
        order
    }

    /// The query that selects this order; empty for the default.
    pub fn query(self) -> &'static str {
        match (self.key, self.descending) {
            (SortKey::Name, false) => "",
            (SortKey::Name, true) => "?sort=name&order=desc",
            (SortKey::Size, false) => "?sort=size&order=asc",
            (SortKey::Size, true) => "?sort=size&order=desc",
            (SortKey::Time, false) => "?sort=time&order=asc",
            (SortKey::Time, true) => "?sort=time&order=desc",
        }
    }

    /// The order that the link of a column selects: reversed if the listing is sorted by it already, and else A, the largest or the newest
    /// first.
    pub fn toggled(self, key: SortKey) -> SortOrder {
        let descending = if key == self.key { !self.descending } else { key != SortKey::Name };
        SortOrder { key, descending }
    }

    /// Sorts names; equal ones by name. By size or time each is looked up with `entry`, and omitted if it is gone.
    ///
    /// # Errors
    /// Those of `entry`.
    fn sort(self, names: Vec<Name>, entry: impl Fn(&Name) -> io::Result<Option<DirectoryEntry>>) -> io::Result<Vec<Name>> {
        struct Keyed {
            key: Box<[u8]>,
            length_or_time: (u64, Option<SystemTime>),
            name: Name,
        }
        let mut keyed = Vec::with_capacity(names.len());
        for name in names {
            let length_or_time = match self.key {
                SortKey::Name => Some((0, None)),
                SortKey::Size => entry(&name)?.map(|entry| (entry.length, None)),
                SortKey::Time => entry(&name)?.map(|entry| (0, entry.modified)),
            };
            if let Some(length_or_time) = length_or_time {
                keyed.push(Keyed { key: name_sort_key(&name.bytes).into(), length_or_time, name });
            }
        }
        keyed.sort_unstable_by(|a, b| {
            let by_name = a.key.cmp(&b.key).then_with(|| a.name.bytes.cmp(&b.name.bytes));
            let by_key = if self.key == SortKey::Name { by_name } else { a.length_or_time.cmp(&b.length_or_time) };
            let directed = if self.descending { by_key.reverse() } else { by_key };
            a.name.kind.cmp(&b.name.kind).then(directed).then(by_name)
        });
        Ok(keyed.into_iter().map(|keyed| keyed.name).collect())
    }
}

/// Bytes that compare as names without case, and with runs of digits as numbers, so that `2` comes before `10`.
fn name_sort_key(name: &[u8]) -> Vec<u8> {
    let folded = match std::str::from_utf8(name) {
        Ok(name) if !name.is_ascii() => name.to_lowercase().into_bytes(),
        _ => name.to_ascii_lowercase(),
    };
    let mut key = Vec::with_capacity(folded.len());
    for run in folded.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
        if run.iter().all(u8::is_ascii_digit) {
            let zeros = run.iter().take_while(|&&digit| digit == b'0').count();
            let number = run.split_at(zeros).1;
            // More digits make a larger number: their count in unary, then the digits themselves.
            key.resize(key.len() + number.len(), b'1');
            key.push(b'0');
            key.extend_from_slice(number);
        } else {
            key.extend_from_slice(run);
        }
    }
    key
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::files::lookup::{Resource, lookup};
    use crate::files::scratch::Scratch;
    use crate::http::request::{HeadLimits, RequestParser};
    use crate::net::budget::MemoryBudget;

    /// More memory than a test needs.
    pub(crate) fn memory() -> HeldMemory {
        MemoryBudget::new(usize::MAX).hold_none(None)
    }

    /// The listing of a directory.
    pub(crate) fn listing(scratch: &Scratch, path: &str, serve_hidden: bool) -> DirectoryListing {
        listing_up_to(scratch, path, serve_hidden, 1000).unwrap()
    }

    fn listing_up_to(scratch: &Scratch, path: &str, serve_hidden: bool, names_max: usize) -> io::Result<DirectoryListing> {
        let mut memory = memory();
        listing_within(scratch, path, serve_hidden, names_max, &mut memory)?.with_readme(&mut memory)
    }

    fn listing_within(
        scratch: &Scratch,
        path: &str,
        serve_hidden: bool,
        names_max: usize,
        memory: &mut HeldMemory,
    ) -> io::Result<DirectoryListing> {
        let head = format!("GET {path} HTTP/1.0\r\n\r\n");
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(head.as_bytes()).unwrap();
        let target = RequestTarget::parse(&parser.head(head.as_bytes()).unwrap()).unwrap();
        let site = scratch.site("", |config| config.serve_hidden = serve_hidden);
        let Resource::Directory(directory) = lookup(&site, &target, None, SystemTime::now()) else { panic!("no directory") };
        DirectoryListing::read(directory, &target, names_max, memory)
    }

    #[test]
    fn memory_of_the_names_is_held() {
        let scratch = Scratch::with(&["d/a", "d/bb", "d/README"]);
        std::fs::write(scratch.path().join("d/README"), "text").unwrap();
        let (names, bytes) = (3, "abbREADME".len());
        let while_sorted = names * SORTED_NAME_BYTES + 3 * bytes;
        let mut memory = MemoryBudget::new(while_sorted - 1).hold_none(None);
        let error = listing_within(&scratch, "/d/", false, names, &mut memory).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge, "one byte too little");

        let budget = MemoryBudget::new(while_sorted);
        let mut memory = budget.hold_none(None);
        let listing = listing_within(&scratch, "/d/", false, names, &mut memory).expect("exactly enough");
        let free = while_sorted - names * NAME_BYTES - bytes;
        let is_free = |bytes| budget.try_hold(bytes).is_some();
        assert!(is_free(free) && !is_free(free + 1), "the names are still held");
        let _listing = listing.with_readme(&mut memory).unwrap();
        assert!(is_free(free - 4) && !is_free(free - 3), "and so is the README");
    }

    #[test]
    fn listing_is_complete_or_an_error() {
        let scratch = Scratch::with(&["a", "bb", "d/"]);
        for (max, want) in [(4, Ok(3)), (3, Ok(3)), (2, Err(io::ErrorKind::FileTooLarge)), (0, Err(io::ErrorKind::FileTooLarge))]
        {
            let count = listing_up_to(&scratch, "/", false, max).map(|listing| listing.names.len());
            assert_eq!(count.map_err(|error| error.kind()), want, "at most {max}");
        }
    }

    #[test]
    fn readme_of_a_directory_is_shown() {
        let files = ["none/a", "dir/README.md/x", "both/README.md", "both/readme.txt", "case/ReadMe", "hidden/.readme.md"];
        let scratch = Scratch::with(&files);
        std::fs::write(scratch.path().join("case/ReadMe"), b"\xef\xbb\xbfa\r\n\tb\x1b[0m\xff<").unwrap();
        for (path, want, why) in [
            ("/none/", None, "there is none"),
            ("/dir/", None, "a directory is no README"),
            ("/both/", Some(("README.md", "both/README.md")), "the best of the names"),
            ("/case/", Some(("ReadMe", "a\n\tb\u{fffd}[0m\u{fffd}<")), "case is ignored, and control characters replaced"),
            ("/hidden/", None, "a hidden file is not shown"),
        ] {
            let readme = listing(&scratch, path, false).readme;
            let got = readme.as_ref().map(|readme| (std::str::from_utf8(&readme.name).unwrap(), &*readme.text));
            assert_eq!(got, want, "{path}: {why}");
        }
        std::fs::write(scratch.path().join("both/README.md"), "x".repeat(64 * 1024)).unwrap();
        assert!(!listing(&scratch, "/both/", false).readme.unwrap().truncated, "exactly the limit");
        std::fs::write(scratch.path().join("both/README.md"), "x".repeat(64 * 1024 + 1)).unwrap();
        let readme = listing(&scratch, "/both/", false).readme.unwrap();
        assert!(readme.truncated && readme.text.len() == 64 * 1024);
    }

    #[cfg(unix)]
    #[test]
    fn readme_that_links_out_of_the_root_is_not_shown() {
        let scratch = Scratch::with(&["secret", "d/"]);
        std::os::unix::fs::symlink("../../secret", scratch.path().join("d/README.md")).unwrap();
        let outside = listing(&scratch, "/d/", false);
        assert_eq!((outside.names.len(), outside.readme), (0, None));
    }

    #[test]
    fn readme_is_truncated_between_characters() {
        let most = usize::try_from(README_BYTES_MAX).unwrap();
        let scratch = Scratch::with(&["readme"]);
        for (text, want, why) in [
            ("a".repeat(most + 1), most, "one byte each"),
            (format!("{}\u{fc}", "a".repeat(most - 1)), most - 1, "two bytes, one of them within"),
            (format!("{}\u{1f9f5}", "a".repeat(most - 3)), most - 3, "four bytes, three within"),
            (format!("{}\u{1f9f5}a", "a".repeat(most - 4)), most, "four bytes, all within"),
        ] {
            std::fs::write(scratch.path().join("readme"), &text).unwrap();
            let readme = listing(&scratch, "/", false).readme.unwrap();
            assert!(readme.truncated && readme.text == text[..want], "{why}");
        }
    }

    #[test]
    fn names_are_in_natural_order() {
        for (smaller, larger) in [
            ("a", "b"),
            ("a", "aa"),
            ("2", "10"),
            ("a2b", "a10"),
            ("a01", "a2"),
            ("1a", "1b"),
            ("", "a"),
            ("9", "a"),
            ("a", "a0"),
            ("a/", "a1"),
            ("a1", "a:"),
            ("a1", "a1-"),
            ("19", "20"),
            ("a9", "a00010b"),
        ] {
            assert!(name_sort_key(smaller.as_bytes()) < name_sort_key(larger.as_bytes()), "{smaller} {larger}");
        }
        assert_eq!(name_sort_key(b"a01"), name_sort_key(b"A1"));
    }

    #[test]
    fn queries_select_the_order() {
        use SortKey::{Name, Size, Time};
        for column in [Name, Size, Time] {
            for descending in [false, true] {
                let order = SortOrder { key: column, descending };
                let bytes = format!("GET /{} HTTP/1.0\r\n\r\n", order.query()).into_bytes();
                let mut parser = RequestParser::new(HeadLimits::default());
                parser.parse(&bytes).unwrap();
                assert_eq!(SortOrder::from_query(&RequestTarget::parse(&parser.head(&bytes).unwrap()).unwrap()), order);
                assert_eq!(order.toggled(column).toggled(column), order, "toggling twice restores the order");
            }
        }
        let by_name = SortOrder { key: Name, descending: false };
        assert_eq!(by_name.toggled(Size), SortOrder { key: Size, descending: true }, "the largest first");
        assert_eq!(by_name.toggled(Size).toggled(Name), by_name, "A first");
    }

    #[test]
    fn names_are_sorted_by_each_column() {
        use SortKey::{Size, Time};
        for (column, descending, want) in [
            (SortKey::Name, false, &["d", "a", "B", "c", "gone"][..]),
            (SortKey::Name, true, &["d", "gone", "c", "B", "a"]),
            (Size, false, &["d", "B", "a", "c"]),
            (Size, true, &["d", "a", "c", "B"]),
            (Time, false, &["d", "c", "a", "B"]),
            (Time, true, &["d", "B", "a", "c"]),
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
            let sorted = SortOrder { key: column, descending }.sort(names, look).unwrap();
            let names: Vec<_> = sorted.iter().map(|name| String::from_utf8_lossy(&name.bytes).into_owned()).collect();
            assert_eq!(names, want, "{column:?} descending: {descending}");
        }
    }
}
