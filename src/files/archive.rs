//! Archives of directories (`--archive`), whose length is known before the first byte.
//!
//! A walk opens everything beneath the directory by the rules of GET, and keeps names, lengths and times. Each file is opened again while
//! the archive is sent. If it no longer has the bytes that were announced, reading fails, and the archive breaks off.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::time::Instant;

use crate::config::Limits;
use crate::files::directory::{Directory, EntryKind, Name};
use crate::files::root::{Opened, Root, join};
use crate::files::version::{FileVersion, read_range};
use crate::http::range::ByteRange;
use crate::telemetry::printable;

/// A format of archives. Each function appends bytes.
pub struct ArchiveFormat {
    /// The value in the query, and the extension of the file name.
    pub name: &'static str,
    /// The media type.
    pub media_type: &'static str,
    /// The number of bytes that the content of a file takes, by its length; `None` if it is too large.
    pub(super) data_length: fn(u64) -> Option<u64>,
    /// Writes what precedes the content of an entry. The path of a directory ends in a slash.
    pub(super) begin_entry: fn(&mut Vec<u8>, path: &[u8], entry: &Entry),
    /// Writes what precedes a block of content, of which so many bytes are left, and returns the length of that block.
    pub(super) begin_block: fn(&mut Vec<u8>, left: u64) -> u64,
    /// Updates the checksum of an entry by bytes of its content.
    pub(super) update_checksum: fn(u32, &[u8]) -> u32,
    /// Writes what follows the content of an entry that has any.
    pub(super) end_entry: fn(&mut Vec<u8>, entry: &Entry),
    /// Writes the line of an entry in the index after all entries.
    pub(super) index_entry: fn(&mut Vec<u8>, path: &[u8], entry: &Entry),
    /// Writes the end, by the number of entries, and the offsets where the index begins and ends.
    pub(super) end: fn(&mut Vec<u8>, entries: usize, index: (u64, u64)),
}

/// A file or directory in an archive.
#[derive(Debug)]
pub(super) struct Entry {
    name: Box<[u8]>,
    /// The number of directories above it in the archive.
    depth: usize,
    pub(super) kind: EntryKind,
    pub(super) version: FileVersion,
    /// The length of its content; 0 for a directory.
    pub(super) length: u64,
    /// The offset of the entry in the archive.
    pub(super) offset: u64,
    /// The checksum of its content; known once it has been sent.
    pub(super) checksum: u32,
}

/// Why there is no archive.
#[derive(Debug)]
pub enum ArchiveError {
    /// It would be too large, or takes too long: the reason.
    TooLarge(&'static str),
    /// The file or directory at this path beneath the root cannot be read.
    Unreadable(Vec<u8>, io::Error),
}

/// An archive that is ready to be sent: all but the contents of the files.
pub struct Archive {
    root: Arc<Root>,
    /// The path of the directory beneath the root, without slashes at its ends.
    base: Vec<u8>,
    format: &'static ArchiveFormat,
    entries: Vec<Entry>,
    /// The offsets where the index begins and ends.
    index: (u64, u64),
    /// The length in bytes.
    pub length: u64,
}

impl Archive {
    /// Walks a directory, with whose name every path in the archive begins. A directory comes before its entries, which are sorted by the
    /// bytes of their names. It leaves out hidden names, what is gone, what GET does not find, and links to a directory that contains the
    /// link.
    ///
    /// # Errors
    /// A limit is exceeded, or something beneath the directory cannot be read.
    pub fn plan(directory: Directory, format: &'static ArchiveFormat, limits: &Limits) -> Result<Archive, ArchiveError> {
        let entries = walk(&directory, limits)?;
        let base = directory.handle.path.clone();
        let mut archive = Archive { root: directory.root, base, format, entries, index: (0, 0), length: 0 };
        archive.measure().ok_or(ArchiveError::TooLarge("the archive would be longer than 2^64 bytes"))?;
        Ok(archive)
    }

    /// The bytes. `permit` is held until they are read.
    pub fn into_reader(self, permit: Arc<()>) -> impl Read + Send {
        let (paths, bytes) = (PathCursor::default(), Cursor::default());
        ArchiveReader { archive: self, next: 0, paths, bytes, content: None, _permit: permit }
    }

    /// Computes all offsets and the length; `None` if they exceed 64 bits.
    fn measure(&mut self) -> Option<()> {
        let (mut paths, mut out) = (PathCursor::default(), Vec::new());
        for number in 0..=2 * self.entries.len() {
            self.index = match number {
                number if number == self.entries.len() => (self.length, 0),
                number if number == 2 * self.entries.len() => (self.index.0, self.length),
                _ => self.index,
            };
            if let Some(entry) = self.entries.get_mut(number) {
                entry.offset = self.length;
            }
            self.write_part(number, &mut paths, &mut out);
            if let Some(entry) = self.entries.get(number).filter(|entry| entry.length > 0) {
                (self.format.end_entry)(&mut out, entry);
                self.length = self.length.checked_add((self.format.data_length)(entry.length)?)?;
            }
            self.length = self.length.checked_add(u64::try_from(out.len()).ok()?)?;
            out.clear();
        }
        Some(())
    }

    /// Writes a part of what is not content: the beginnings of all entries, each followed by its content and its end; then their lines in
    /// the index; then the end.
    fn write_part(&self, number: usize, paths: &mut PathCursor, out: &mut Vec<u8>) {
        let in_index = || self.entries.get(number.checked_sub(self.entries.len())?);
        if let Some(entry) = self.entries.get(number) {
            (self.format.begin_entry)(out, paths.enter(entry.depth, &entry.name, entry.kind), entry);
        } else if let Some(entry) = in_index() {
            (self.format.index_entry)(out, paths.enter(entry.depth, &entry.name, entry.kind), entry);
        } else {
            (self.format.end)(out, self.entries.len(), self.index);
        }
    }
}

/// Finds all entries, in the order of the archive. One directory is open at a time, however deep the tree is.
fn walk(directory: &Directory, limits: &Limits) -> Result<Vec<Entry>, ArchiveError> {
    let Directory { root, handle: top, .. } = directory;
    let began = Instant::now();
    let check = |entries: usize| match entries {
        entries if entries > limits.archive_entries_max => {
            Err(ArchiveError::TooLarge("this directory has more than 100,000 entries, too many for an archive"))
        }
        _ if began.elapsed() > limits.archive_walk_time_max => {
            Err(ArchiveError::TooLarge("this directory takes more than 10 s to read, too long for an archive"))
        }
        _ => Ok(()),
    };
    let mut entries = Vec::new();
    let mut pending = vec![(0, Name { bytes: directory.name().into(), kind: EntryKind::Directory, is_link: false })];
    let (mut paths, mut ancestors) = (PathCursor::default(), Vec::<FileVersion>::new());
    while let Some((depth, name)) = pending.pop() {
        let path = beneath(&top.path, paths.enter(depth, &name.bytes, name.kind)).into_owned();
        let unreadable = |error| ArchiveError::Unreadable(path.clone(), error);
        ancestors.truncate(depth);
        let (version, length) = match root.open_beneath(&path) {
            Ok(Opened::File(_, version)) if name.kind == EntryKind::File => (version, version.length),
            Ok(Opened::Directory(opened)) if name.kind == EntryKind::Directory => {
                let version = opened.version().map_err(unreadable)?;
                if name.is_link && ancestors.iter().any(|above| above.is_same_inode(&version)) {
                    continue;
                }
                let first = pending.len();
                for name in root.names(&opened).map_err(unreadable)? {
                    let Some(name) = name.map_err(unreadable)?.filter(|name| directory.shows(name)) else { continue };
                    pending.push((depth + 1, name));
                    check(entries.len() + 1 + pending.len())?;
                }
                if let Some(names) = pending.get_mut(first..) {
                    // The last is taken first.
                    names.sort_unstable_by(|(_, a), (_, b)| b.bytes.cmp(&a.bytes));
                }
                ancestors.push(version);
                (version, 0)
            }
            // It was replaced, or it is gone.
            Ok(_) => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(error)),
        };
        entries.push(Entry { name: name.bytes, depth, kind: name.kind, version, length, offset: 0, checksum: 0 });
        check(entries.len() + pending.len())?;
    }
    Ok(entries)
}

/// The path beneath the root of a path in the archive, which begins with the name of the directory at `base`.
fn beneath<'p>(base: &[u8], path: &'p [u8]) -> Cow<'p, [u8]> {
    let mut segments = path.strip_suffix(b"/").unwrap_or(path).splitn(2, |&byte| byte == b'/');
    match segments.nth(1) {
        Some(path) => join(base, path),
        None => Cow::Owned(base.to_vec()),
    }
}

/// The path of the current entry. Entries have only their names, so that a deep tree takes little memory.
#[derive(Default)]
struct PathCursor {
    path: Vec<u8>,
    /// Lengths of the paths of the directories above.
    ends: Vec<usize>,
}

impl PathCursor {
    /// The path of the next entry; that of a directory ends in a slash.
    fn enter(&mut self, depth: usize, name: &[u8], kind: EntryKind) -> &[u8] {
        self.ends.truncate(depth);
        self.path.truncate(self.ends.last().copied().unwrap_or(0));
        self.path.extend_from_slice(name);
        if kind == EntryKind::Directory {
            self.path.push(b'/');
            self.ends.push(self.path.len());
        }
        &self.path
    }
}

/// Reads an archive.
struct ArchiveReader {
    archive: Archive,
    /// The number of the next part.
    next: usize,
    paths: PathCursor,
    /// Bytes between the contents, such as headers; some of them may have been read.
    bytes: Cursor<Vec<u8>>,
    /// The content of the entry before the next part.
    content: Option<Content>,
    _permit: Arc<()>,
}

/// A file that is being read.
struct Content {
    file: File,
    /// The offset of the next byte.
    offset: u64,
    block_end: u64,
}

impl ArchiveReader {
    /// Continues with the next part, and returns whether there is one.
    fn next_part(&mut self) -> io::Result<bool> {
        let Archive { root, base, entries, .. } = &self.archive;
        if self.next > 2 * entries.len() {
            return Ok(false);
        }
        self.archive.write_part(self.next, &mut self.paths, self.bytes.get_mut());
        if let Some(entry) = entries.get(self.next).filter(|entry| entry.length > 0) {
            self.content = match root.open_beneath(&beneath(base, &self.paths.path))? {
                Opened::File(file, version) if entry.version.is_same(&version) => Some(Content { file, offset: 0, block_end: 0 }),
                Opened::File(..) | Opened::Directory(_) => return Err(changed(&self.paths.path)),
            };
        }
        self.next += 1;
        Ok(true)
    }

    /// Reads content into the buffer and returns its length; 0 if other bytes are next.
    fn read_content(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Archive { entries, format, .. } = &mut self.archive;
        let Some((content, entry)) = self.content.as_mut().zip(entries.get_mut(self.next - 1)) else { return Ok(0) };
        let left = entry.length - content.offset;
        if left == 0 {
            (format.end_entry)(self.bytes.get_mut(), entry);
            let is_same = entry.version.is_same(&FileVersion::from_file(&content.file)?);
            self.content = None;
            return if is_same { Ok(0) } else { Err(changed(&self.paths.path)) };
        }
        if content.offset == content.block_end {
            content.block_end += (format.begin_block)(self.bytes.get_mut(), left);
            return Ok(0);
        }
        let block = ByteRange { start: content.offset, length: content.block_end - content.offset };
        let count = read_range(&content.file, block, buffer)?;
        if count == 0 {
            return Err(changed(&self.paths.path));
        }
        entry.checksum = (format.update_checksum)(entry.checksum, buffer.split_at(count).0);
        content.offset += u64::try_from(count).map_err(io::Error::other)?;
        Ok(count)
    }
}

impl Read for ArchiveReader {
    /// Fills the whole buffer, except at the end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let (_, rest) = buffer.split_at_mut(filled);
            let count = self.bytes.read(rest)?;
            if count > 0 {
                filled += count;
                continue;
            }
            self.bytes.get_mut().clear();
            self.bytes.set_position(0);
            if self.content.is_some() {
                filled += self.read_content(rest)?;
            } else if !self.next_part()? {
                break;
            }
        }
        Ok(filled)
    }
}

fn changed(path: &[u8]) -> io::Error {
    io::Error::other(format!("{} changed while an archive was sent", printable(path)))
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::files::lookup::{Resource, lookup_directory};
    use crate::files::scratch::Scratch;
    use crate::files::tar::TAR;
    use crate::files::zip::ZIP;
    use crate::http::request::{HeadLimits, RequestParser};
    use crate::http::target::RequestTarget;

    /// A file of this length, modified in 1970.
    pub(in crate::files) fn entry(length: u64, offset: u64) -> Entry {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/site/ten.txt");
        let mut version = FileVersion::from_file(&File::open(path).unwrap()).unwrap();
        (version.length, version.modified) = (length, Some(std::time::UNIX_EPOCH));
        Entry { name: (*b"a").into(), depth: 0, kind: EntryKind::File, version, length, offset, checksum: 0 }
    }

    fn directory(scratch: &Scratch) -> Directory {
        let head = b"GET / HTTP/1.0\r\n\r\n";
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(head).unwrap();
        let target = RequestTarget::parse(&parser.head(head).unwrap()).unwrap();
        match lookup_directory(&scratch.site("", |_| {}), &target, std::time::SystemTime::now()) {
            Resource::Directory(directory) => directory,
            other => panic!("{other:?}"),
        }
    }

    fn limits() -> Limits {
        Limits { archive_entries_max: 1000, archive_walk_time_max: Duration::from_secs(1000), ..Limits::default() }
    }

    /// The names of the entries of an archive, whose directory is called `top` here.
    fn names(scratch: &Scratch, limits: &Limits) -> Result<Vec<String>, &'static str> {
        let archive = match Archive::plan(directory(scratch), &TAR, limits) {
            Ok(archive) => archive,
            Err(ArchiveError::TooLarge(reason)) => return Err(reason),
            Err(error) => panic!("{error:?}"),
        };
        let mut paths = PathCursor::default();
        let path = |entry: &Entry| {
            let path = String::from_utf8(paths.enter(entry.depth, &entry.name, entry.kind).to_vec()).unwrap();
            format!("top{}", path.split_at(archive.root.name().len()).1)
        };
        Ok(archive.entries.iter().map(path).collect())
    }

    #[test]
    fn entries_are_in_the_order_of_their_bytes() {
        let scratch = Scratch::with(&["b/2", "b/10", "b.txt", "B", "a/b/c/d", "a/e", "empty/", ".hidden", "a/.hidden/x"]);
        let want = ["top/", "top/B", "top/a/", "top/a/b/", "top/a/b/c/", "top/a/b/c/d", "top/a/e"];
        let rest = ["top/b/", "top/b/10", "top/b/2", "top/b.txt", "top/empty/"];
        assert_eq!(names(&scratch, &limits()).unwrap(), [&want[..], &rest].concat());
    }

    #[test]
    fn a_walk_has_limits() {
        let scratch = Scratch::with(&["a/b", "a/c", "d"]);
        for (archive_entries_max, want) in [(5, true), (4, false), (1, false), (0, false)] {
            let limits = Limits { archive_entries_max, ..limits() };
            assert_eq!(names(&scratch, &limits).is_ok(), want, "5 entries, {archive_entries_max} allowed");
        }
        let reason = names(&scratch, &Limits { archive_walk_time_max: Duration::ZERO, ..limits() }).unwrap_err();
        assert!(reason.contains("10 s"), "{reason}");
    }

    #[test]
    fn lengths_that_overflow_are_too_large() {
        for format in [&TAR, &ZIP] {
            for (lengths, want, why) in [
                (&[1 << 62, 1 << 62][..], true, "two exbibytes of files"),
                (&[1 << 63, 1 << 63], false, "2^64 bytes of content"),
                (&[u64::MAX], false, "a file, and its header"),
            ] {
                let Directory { root, .. } = directory(&Scratch::with(&["a"]));
                let entries = lengths.iter().map(|&length| entry(length, 0)).collect();
                let mut archive = Archive { root, base: Vec::new(), format, entries, index: (0, 0), length: 0 };
                assert_eq!(archive.measure().is_some(), want, "{}: {why}", format.name);
            }
        }
    }

    #[test]
    fn reads_of_any_size_give_the_same_bytes() {
        let scratch = Scratch::with(&["a", "b/c", "b/empty/", "d"]);
        std::fs::write(scratch.path().join("d"), vec![b'd'; 70_000]).unwrap();
        for format in [&TAR, &ZIP] {
            let plan = || Archive::plan(directory(&scratch), format, &limits()).unwrap();
            let mut whole = Vec::new();
            plan().into_reader(Arc::default()).read_to_end(&mut whole).unwrap();
            assert_eq!(u64::try_from(whole.len()).unwrap(), plan().length);
            for size in [1, 7, 512, 65_536] {
                let (mut reader, mut got, mut buffer) = (plan().into_reader(Arc::default()), Vec::new(), vec![0; size]);
                loop {
                    match reader.read(&mut buffer).unwrap() {
                        0 => break,
                        count => got.extend_from_slice(&buffer[..count]),
                    }
                }
                assert!(got == whole, "{} in pieces of {size}", format.name);
            }
        }
    }
}
