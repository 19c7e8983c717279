//! The root: the only file that opens or examines a path that a client names.
//!
//! Every path is resolved beneath one handle on the root, by the kernel where it can (`openat2`). Then the open handle is asked what it is,
//! since the path may mean something else a moment later.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirEntry, FileType, Metadata, OpenOptions};

use crate::files::directory::{DirectoryEntry, EntryKind, Name};
use crate::files::version::FileVersion;
use crate::os::os_name;

/// Attempts at a call that may succeed the next time; without a limit, renaming directories could keep a thread busy.
const ATTEMPTS_MAX: u32 = 8;

/// An open root.
#[derive(Debug)]
pub struct Root {
    /// The open directory. Its path beneath the root is empty.
    pub top: RootDirectory,
    /// The canonical path of the directory.
    path: PathBuf,
    follow_symlinks: bool,
    pub(super) single_file: Option<SingleFile>,
}

/// The served file, if it is a single one.
#[derive(Debug)]
pub(super) struct SingleFile {
    /// The name that the user gave, which may be that of a link.
    shown: Vec<u8>,
    /// The name in the open directory that the link leads to.
    pub(super) target: PathBuf,
}

/// What an open path is.
#[derive(Debug)]
pub enum Opened {
    /// A regular file, and its version according to the handle.
    File(File, FileVersion),
    /// A directory.
    Directory(RootDirectory),
}

/// An open directory: the root, or one beneath it.
#[derive(Debug)]
pub struct RootDirectory {
    pub(super) handle: Dir,
    /// The path beneath the root.
    pub path: Vec<u8>,
}

impl RootDirectory {
    /// Its version according to the handle.
    ///
    /// # Errors
    /// Its metadata cannot be read.
    pub fn version(&self) -> io::Result<FileVersion> {
        Ok(FileVersion::from_metadata(&self.handle.dir_metadata()?))
    }

    /// Whether it was removed since it was opened; it looks empty then.
    pub fn is_removed(&self) -> bool {
        self.version().is_ok_and(|version| version.is_removed())
    }
}

impl Root {
    /// Opens a directory, or a single file, to be served.
    ///
    /// # Errors
    /// It does not exist, may not be read, or is neither a directory nor a regular file.
    pub fn open(path: &Path, follow_symlinks: bool) -> io::Result<Root> {
        let (directory, file_name) = resolve(path)?;
        let single_file = file_name.map(|target| {
            let shown = path.file_name().unwrap_or(target.as_os_str()).as_encoded_bytes().to_vec();
            SingleFile { shown, target }
        });
        let handle = Dir::open_ambient_dir(&directory, ambient_authority())?;
        let top = RootDirectory { handle, path: Vec::new() };
        let root = Root { top, path: directory, follow_symlinks, single_file };
        // A handle on a directory does not imply the right to read it; fail now and not on every request.
        root.open_beneath(root.single_file().unwrap_or_default())?;
        Ok(root)
    }

    /// Whether `path` still leads to the open directory, or to the single file in it.
    pub fn is_at(&self, path: &Path) -> bool {
        match &self.single_file {
            None => self.is_directory_at(path),
            Some(file) => resolve(path)
                .is_ok_and(|(directory, name)| name.as_ref() == Some(&file.target) && self.is_directory_at(&directory)),
        }
    }

    /// Whether `path` leads to the open directory.
    pub fn is_directory_at(&self, path: &Path) -> bool {
        // For systems without inodes: an open directory cannot be replaced there, but a link that leads to it can.
        let has_its_path = || std::fs::canonicalize(path).is_ok_and(|canonical| canonical == self.path);
        let named = std::fs::metadata(path).map(|metadata| FileVersion::from_metadata(&Metadata::from_just_metadata(metadata)));
        let (Ok(open), Ok(named)) = (self.top.version(), named) else { return false };
        !named.is_removed() && named.is_same_inode(&open) && (cfg!(unix) || has_its_path())
    }

    /// The directory beneath which the sandbox must allow reading, and its path: the root. With ROOT as `given` by the user, it is the parent
    /// of the root if possible, so that a directory that replaces the root can be read as well.
    ///
    /// # Errors
    /// It cannot be opened, or there are too many open files.
    #[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "there is no sandbox"))]
    pub fn readable(&self, given: Option<&Path>) -> io::Result<(File, PathBuf)> {
        if self.follow_symlinks && cfg!(unix) {
            return Ok((File::open("/")?, "/".into()));
        }
        #[cfg(target_os = "linux")]
        if let Some(parent) = given.and_then(|path| self.open_parent(path)) {
            return Ok(parent);
        }
        Ok((self.top.handle.try_clone()?.into_std_file(), self.path.clone()))
    }

    /// The parent of the root, if ROOT is a symbolic link, which is meant to be replaced, or if the user of this process owns the parent and
    /// so may replace the directory.
    ///
    /// It is never `/` or a directory that contains the home directory, which the sandbox must protect. It is not the parent of the working
    /// directory either if ROOT is `.`, since ROOT then has no name that could lead to another directory.
    #[cfg(target_os = "linux")]
    fn open_parent(&self, path: &Path) -> Option<(File, PathBuf)> {
        use rustix::fs::{Mode, OFlags, open};
        use std::os::unix::fs::MetadataExt;
        use std::path::Component;
        let parent = self.path.parent().filter(|_| self.single_file.is_none())?;
        let holds_home =
            std::env::home_dir().is_some_and(|home| std::fs::canonicalize(&home).unwrap_or(home).starts_with(parent));
        // Without a trailing slash, which would follow the link.
        let is_link = path.components().as_path().is_symlink();
        let is_working_directory = path.components().all(|component| component == Component::CurDir);
        let is_owned = || std::fs::metadata(parent).is_ok_and(|metadata| metadata.uid() == rustix::process::geteuid().as_raw());
        if parent.parent().is_none() || holds_home || !is_link && (is_working_directory || !is_owned()) {
            return None;
        }
        // O_PATH needs no right to read the directory.
        let handle = open(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        Some((File::from(handle), parent.to_owned()))
    }

    /// The name of the open directory: the last segment of its canonical path, or `/`.
    pub fn name(&self) -> &[u8] {
        self.path.file_name().map_or(b"/", OsStr::as_encoded_bytes)
    }

    /// The name of the single file that is served; `None` if a directory is.
    pub fn single_file(&self) -> Option<&[u8]> {
        self.single_file.as_ref().map(|only| &*only.shown)
    }

    /// Opens a file or directory by its segments with slashes between them; an empty path is the root itself. It never blocks, not even on
    /// a FIFO.
    ///
    /// # Errors
    /// `NotFound` for what does not exist, leads out of the root, or is neither a file nor a directory; `PermissionDenied` for what may
    /// not be read; `ResourceBusy` if there are too many open files; or any other error of the system.
    pub fn open_beneath(&self, path: &[u8]) -> io::Result<Opened> {
        let file = self.open_readable(self.os_path(path)?).map_err(sanitize_error)?;
        let metadata = Metadata::from_just_metadata(file.metadata()?);
        match entry_kind(metadata.file_type()).ok_or(io::ErrorKind::NotFound)? {
            EntryKind::File => Ok(Opened::File(file, FileVersion::from_metadata(&metadata))),
            EntryKind::Directory => {
                Ok(Opened::Directory(RootDirectory { handle: Dir::from_std_file(file), path: path.to_vec() }))
            }
        }
    }

    /// Whether `path` leads to this version of a file, through no link unless links may lead anywhere. It opens nothing, and is `false` if
    /// unknown. A call per segment costs less than opening the file to see where a link leads.
    #[cfg(unix)]
    pub fn is_unchanged(&self, path: &[u8], version: &FileVersion) -> bool {
        use rustix::fs::{AtFlags, FileType, statat};
        let Ok(path) = self.os_path(path) else { return false };
        let flags = if self.follow_symlinks { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
        let path = path.as_os_str().as_encoded_bytes();
        let stat = |path: &[u8]| statat(&self.top.handle, path, flags).map(|stat| (FileType::from_raw_mode(stat.st_mode), stat));
        let mut parents = path.iter().enumerate().filter(|&(_, &byte)| byte == b'/').map(|(end, _)| path.split_at(end).0);
        let has_link = !self.follow_symlinks && !parents.all(|parent| stat(parent).is_ok_and(|(kind, _)| kind.is_dir()));
        !has_link && stat(path).is_ok_and(|(kind, stat)| kind.is_file() && version.is_of(&stat))
    }

    /// Always `false`: without inodes a replaced file may look the same.
    #[cfg(not(unix))]
    pub fn is_unchanged(&self, _: &[u8], _: &FileVersion) -> bool {
        false
    }

    /// The path beneath the handle for a path that a client names.
    fn os_path<'p>(&'p self, path: &'p [u8]) -> io::Result<&'p Path> {
        match &self.single_file {
            Some(only) if only.shown == path => Ok(&only.target),
            Some(_) => Err(io::ErrorKind::NotFound.into()),
            None => os_path(path),
        }
    }

    /// The names in a directory, in no particular order; `None` for those that are not served: links that lead out of the root or nowhere,
    /// FIFOs, devices. Any other failure is an error, since a listing must be complete.
    ///
    /// # Errors
    /// The directory cannot be read completely.
    pub fn names<'a>(&'a self, directory: &'a RootDirectory) -> io::Result<impl Iterator<Item = io::Result<Option<Name>>> + 'a> {
        // Names can be read without the right to search the directory; each entry would then look removed.
        directory.handle.metadata(".").map_err(sanitize_error)?;
        let entries = directory.handle.entries().map_err(sanitize_error)?;
        let names = entries.map(|entry| self.entry_name(directory, &entry.map_err(sanitize_error)?));
        // A directory that is removed while it is read ends early.
        let end = std::iter::once_with(|| directory.is_removed().then(|| Err(io::ErrorKind::NotFound.into())));
        Ok(names.chain(end.flatten()))
    }

    fn entry_name(&self, directory: &RootDirectory, entry: &DirEntry) -> io::Result<Option<Name>> {
        let bytes: Box<[u8]> = entry.file_name().into_encoded_bytes().into();
        if let Some(kind) = entry.file_type().ok().and_then(entry_kind) {
            return Ok(Some(Name { bytes, kind, is_link: false }));
        }
        // A link, something that is not served, or a file system that does not report types.
        let entry = self.entry(directory, &bytes)?;
        Ok(entry.map(|DirectoryEntry { kind, is_link, .. }| Name { bytes, kind, is_link }))
    }

    /// The entry of a directory under a name; `None` if it is gone, or not served.
    ///
    /// # Errors
    /// It exists, but its metadata cannot be read.
    pub fn entry(&self, directory: &RootDirectory, name: &[u8]) -> io::Result<Option<DirectoryEntry>> {
        let mut result = directory.handle.symlink_metadata(os_name(name)?);
        let is_link = result.as_ref().is_ok_and(Metadata::is_symlink);
        if is_link {
            // Resolved from the root and not from the directory: a link may lead up, but not out.
            let path = join(&directory.path, name);
            result = os_path(&path).and_then(|path| retry(|| self.metadata(path)));
        }
        let metadata = match result.map_err(sanitize_error) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if is_link && error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(kind) = entry_kind(metadata.file_type()) else { return Ok(None) };
        let modified = metadata.modified().ok().map(cap_std::time::SystemTime::into_std);
        Ok(Some(DirectoryEntry { kind, is_link, length: metadata.len(), modified }))
    }

    /// Opens a regular file or a directory for reading. Its type is checked before: opening a FIFO would take the data from its reader, and
    /// opening a device may have any effect. What replaces it in between is opened without blocking, and then found by its handle.
    fn open_readable(&self, path: &Path) -> io::Result<File> {
        entry_kind(retry(|| self.metadata(path))?.file_type()).ok_or(io::ErrorKind::NotFound)?;
        retry(|| self.open_nonblocking(path))
    }

    #[cfg(unix)]
    fn open_nonblocking(&self, path: &Path) -> io::Result<File> {
        use cap_std::fs::OpenOptionsExt;
        use rustix::fs::{Mode, OFlags, openat};
        // By default, opening a FIFO waits for a writer, and a terminal may become our controlling one.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        if self.follow_symlinks {
            return openat(&self.top.handle, path, flags, Mode::empty()).map(File::from).map_err(io::Error::from);
        }
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(i32::try_from(flags.bits()).map_err(io::Error::other)?);
        self.top.handle.open_with(path, &options).map(cap_std::fs::File::into_std)
    }

    // Windows opens a directory only with a flag of its own.
    #[cfg(not(unix))]
    fn open_nonblocking(&self, path: &Path) -> io::Result<File> {
        if self.follow_symlinks {
            return File::open(self.path.join(path));
        }
        match self.top.handle.open_with(path, OpenOptions::new().read(true)) {
            Ok(file) => Ok(file.into_std()),
            Err(error) => self.top.handle.open_dir(path).map(Dir::into_std_file).map_err(|_| error),
        }
    }

    /// The metadata of a path, links followed as far as they may lead.
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        if !self.follow_symlinks {
            return self.top.handle.metadata(path);
        }
        #[cfg(target_os = "linux")]
        let metadata = {
            use rustix::fs::{Mode, OFlags, openat};
            File::from(openat(&self.top.handle, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?).metadata()
        };
        // Without O_PATH, this may look in another directory than the one that is open, while ROOT is being replaced.
        #[cfg(not(target_os = "linux"))]
        let metadata = std::fs::metadata(self.path.join(path));
        metadata.map(Metadata::from_just_metadata)
    }
}

/// Where ROOT leads: a directory, and the name of the file in it if ROOT is a file.
fn resolve(path: &Path) -> io::Result<(PathBuf, Option<PathBuf>)> {
    let metadata = std::fs::metadata(path)?;
    let canonical = std::fs::canonicalize(path)?;
    match (canonical.parent(), canonical.file_name()) {
        _ if metadata.is_dir() => Ok((canonical, None)),
        // The directory is held open, since a file is replaced by renaming another one over it.
        (Some(parent), Some(name)) if metadata.is_file() => Ok((parent.to_owned(), Some(name.into()))),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a directory nor a regular file")),
    }
}

/// A name beneath a path.
pub fn join<'n>(path: &[u8], name: &'n [u8]) -> Cow<'n, [u8]> {
    if path.is_empty() { Cow::Borrowed(name) } else { Cow::Owned([path, b"/", name].concat()) }
}

/// Repeats a call that a signal interrupted, or during which a directory on the path was renamed.
fn retry<T>(call: impl Fn() -> io::Result<T>) -> io::Result<T> {
    use io::ErrorKind::{Interrupted, WouldBlock};
    let is_final = |result: &io::Result<T>| !matches!(result, Err(error) if matches!(error.kind(), Interrupted | WouldBlock));
    (1..ATTEMPTS_MAX).map(|_| call()).find(is_final).unwrap_or_else(&call)
}

/// What is served of a type; `None` for a link, a FIFO or a device.
fn entry_kind(file_type: FileType) -> Option<EntryKind> {
    let file = file_type.is_file().then_some(EntryKind::File);
    file.or(file_type.is_dir().then_some(EntryKind::Directory))
}

/// A path beneath the root as the system takes it.
fn os_path(path: &[u8]) -> io::Result<&Path> {
    if path.is_empty() {
        return Ok(Path::new("."));
    }
    if cfg!(windows) && path.split(|&b| b == b'/').any(is_reserved_windows_name) {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(Path::new(os_name(path)?))
}

/// Maps an error of opening or reading to what a client may learn: `NotFound` also for paths that lead out of the root.
pub fn sanitize_error(error: io::Error) -> io::Error {
    use io::ErrorKind as K;
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        match Errno::from_io_error(&error) {
            // A cycle of links, a socket, a device that is missing.
            Some(Errno::LOOP | Errno::NXIO | Errno::NODEV) => return K::NotFound.into(),
            // Too many open files, in this process or in the system.
            Some(Errno::MFILE | Errno::NFILE) => return io::Error::new(K::ResourceBusy, error),
            _ => {}
        }
    }
    match error.kind() {
        // Without an error number it is from cap-std, which reports an attempt to leave the root so.
        K::PermissionDenied if error.raw_os_error().is_none() => K::NotFound.into(),
        // Leaving the root by openat2, a file in place of a directory, a long name, a NUL.
        K::CrossesDevices | K::NotADirectory | K::InvalidFilename | K::InvalidInput => K::NotFound.into(),
        _ => error,
    }
}

/// Whether Windows would take a segment for something else than a file of that name: a device, a stream, a path of its own, or another name
/// of a file whose own name may be hidden. Tested on every system, used on Windows.
fn is_reserved_windows_name(segment: &[u8]) -> bool {
    /// Devices, in every directory and with any extension.
    const DEVICES: &[&str] = &["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    /// Devices that have a number.
    const PORTS: &[&str] = &["COM", "LPT"];
    /// Numbers of ports: 1, 2 and 3 may be superscripts.
    const DIGITS: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "\u{b9}", "\u{b2}", "\u{b3}"];

    if segment.iter().any(|&b| b < b' ' || b"\\:<>\"|?*".contains(&b)) || segment.ends_with(b".") || segment.ends_with(b" ") {
        return true;
    }
    let stem = segment.split(|&b| b == b'.').next().unwrap_or(segment).trim_ascii_end();
    let port = DIGITS.iter().find_map(|digit| stem.strip_suffix(digit.as_bytes()));
    // The short alias of a long name: LONGNA~1.TXT.
    let digits = stem.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let is_short_name = digits > 0 && stem.iter().rev().nth(digits) == Some(&b'~');
    let is_one_of = |names: &[&str], name: &[u8]| names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    is_one_of(DEVICES, stem) || port.is_some_and(|port| is_one_of(PORTS, port)) || is_short_name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Scratch;

    #[cfg(target_os = "linux")]
    #[test]
    fn paths_are_opened_beneath_the_root_only() {
        use std::os::unix::fs::symlink;
        let scratch = Scratch::with(&["root/a", "root/d/b", "root-secret", "rootless/secret", "secret"]);
        let link = |original: &str, place: &str| symlink(original, scratch.path().join(place)).unwrap();
        link("../a", "root/d/up");
        link("d", "root/directory");
        link("../secret", "root/out");
        link("../../secret", "root/d/out");
        link(scratch.path().join("root/a").to_str().unwrap(), "root/absolute");
        link("/etc", "root/etc");
        link("circle", "root/circle");
        link("nowhere", "root/nowhere");
        let fifo = scratch.path().join("root/fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(scratch.path().join("root/socket")).unwrap();
        let root = Root::open(&scratch.path().join("root"), false).unwrap();
        let long = "x".repeat(300);
        for (path, want, why) in [
            ("", Ok(EntryKind::Directory), "the root itself"),
            ("a", Ok(EntryKind::File), "a file"),
            ("d", Ok(EntryKind::Directory), "a directory"),
            ("d/b", Ok(EntryKind::File), "a file in it"),
            ("d/up", Ok(EntryKind::File), "a link up, but not out"),
            ("directory/b", Ok(EntryKind::File), "through a link"),
            ("out", Err(()), "a link out"),
            ("d/out", Err(()), "a link out from below"),
            ("absolute", Err(()), "an absolute link, even to the inside"),
            ("etc/passwd", Err(()), "an absolute link"),
            ("../secret", Err(()), "above"),
            ("d/../../root-secret", Err(()), "above, through a directory"),
            ("/etc/passwd", Err(()), "an absolute path"),
            ("circle", Err(()), "a cycle of links"),
            ("nowhere", Err(()), "a link to nothing"),
            ("fifo", Err(()), "a FIFO, without blocking"),
            ("socket", Err(()), "a socket"),
            ("a/b", Err(()), "beneath a file"),
            ("a\0", Err(()), "NUL"),
            (&long, Err(()), "a long name"),
        ] {
            let kind = root.open_beneath(path.as_bytes()).map(|opened| match opened {
                Opened::File(..) => EntryKind::File,
                Opened::Directory(_) => EntryKind::Directory,
            });
            assert_eq!(kind.map_err(|error| error.kind()), want.map_err(|()| io::ErrorKind::NotFound), "{path:?}: {why}");
        }
        let Ok(Opened::Directory(top)) = root.open_beneath(b"") else { panic!("no directory") };
        let mut names: Vec<_> = root
            .names(&top)
            .unwrap()
            .filter_map(Result::unwrap)
            .map(|name| String::from_utf8(name.bytes.into()).unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["a", "d", "directory"], "names that are not served are omitted");
    }

    #[cfg(unix)]
    #[test]
    fn changed_or_linked_file_is_not_unchanged() {
        use std::fs;
        use std::os::unix::fs::symlink;

        type Change = fn(&std::path::Path);
        let cases: [(&str, Change, bool, &str); 10] = [
            ("d/x", |_| {}, true, "nothing happened"),
            ("d/x", |at| fs::write(at.join("root/d/y"), "y").unwrap(), true, "another file was written"),
            ("d/x", |at| fs::write(at.join("root/d/x"), "d/X").unwrap(), false, "written"),
            (
                "d/x",
                |at| fs::File::open(at.join("root/d/x")).unwrap().set_modified(std::time::SystemTime::now()).unwrap(),
                false,
                "only its modification time was set",
            ),
            ("d/x", |at| fs::remove_file(at.join("root/d/x")).unwrap(), false, "removed"),
            ("d/x", |at| fs::rename(at.join("root/a"), at.join("root/d/x")).unwrap(), false, "replaced"),
            (
                "d/x",
                |at| {
                    fs::rename(at.join("root/d"), at.join("d")).unwrap();
                    symlink(at.join("d"), at.join("root/d")).unwrap();
                },
                false,
                "the same file, but its directory became a link out of the root",
            ),
            (
                "d/x",
                |at| {
                    fs::rename(at.join("root/d"), at.join("root/e")).unwrap();
                    symlink("e", at.join("root/d")).unwrap();
                },
                false,
                "the same file, through a link within the root, which only opening shows",
            ),
            (
                "d/x",
                |at| fs::hard_link(at.join("root/d/x"), at.join("root/d/z")).unwrap(),
                false,
                "one more hard link changes the status",
            ),
            (
                "a",
                |at| {
                    fs::rename(at.join("root/a"), at.join("a")).unwrap();
                    symlink("../a", at.join("root/a")).unwrap();
                },
                false,
                "the file became a link",
            ),
        ];
        for (path, change, want, why) in cases {
            let scratch = Scratch::with(&["root/d/x", "root/a"]);
            let root = Root::open(&scratch.path().join("root"), false).unwrap();
            let Ok(Opened::File(_, version)) = root.open_beneath(path.as_bytes()) else { panic!("no file") };
            change(scratch.path());
            assert_eq!(root.is_unchanged(path.as_bytes(), &version), want, "{why}");
        }
    }

    #[test]
    fn root_is_a_directory_or_a_single_file() {
        let scratch = Scratch::with(&["d/a", "d/b"]);
        let directory = Root::open(&scratch.path().join("d"), false).unwrap();
        assert_eq!(directory.single_file(), None);
        let file = Root::open(&scratch.path().join("d/a"), false).unwrap();
        assert_eq!(file.single_file(), Some(&b"a"[..]));
        assert!(file.open_beneath(b"a").is_ok());
        assert!(file.open_beneath(b"b").is_err() && file.open_beneath(b"").is_err() && file.open_beneath(b"./a").is_err());
        for none in ["x", "d/a/x"] {
            assert!(Root::open(&scratch.path().join(none), false).is_err(), "{none}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn errors_are_mapped_for_clients() {
        use io::ErrorKind as K;
        use rustix::io::Errno as E;
        for (error, want, why) in [
            (E::NOENT.into(), K::NotFound, "does not exist"),
            (E::ACCESS.into(), K::PermissionDenied, "no permission"),
            (E::PERM.into(), K::PermissionDenied, "no permission"),
            (io::Error::new(K::PermissionDenied, "outside"), K::NotFound, "leads out of the root"),
            (E::XDEV.into(), K::NotFound, "leads out of the root"),
            (E::LOOP.into(), K::NotFound, "a cycle of links"),
            (E::NOTDIR.into(), K::NotFound, "a file in place of a directory"),
            (E::NAMETOOLONG.into(), K::NotFound, "a long name"),
            (E::INVAL.into(), K::NotFound, "NUL"),
            (E::NXIO.into(), K::NotFound, "a socket"),
            (E::MFILE.into(), K::ResourceBusy, "the limit of the process"),
            (E::NFILE.into(), K::ResourceBusy, "the limit of the system"),
            (E::NOMEM.into(), K::OutOfMemory, "no memory"),
        ] {
            assert_eq!(sanitize_error(error).kind(), want, "{why}");
        }
        let error = rustix::io::Errno::IO.into();
        assert_eq!(sanitize_error(error).raw_os_error(), Some(E::IO.raw_os_error()), "other errors are unchanged");
    }

    #[test]
    fn reserved_windows_names_are_found() {
        for (segment, want) in [
            ("index.html", false),
            ("a b", false),
            (".well-known", false),
            ("...x", false),
            ("console", false),
            ("com", false),
            ("com10", false),
            ("lpt\u{b4}", false),
            ("a.con", false),
            ("~", false),
            ("a~b", false),
            ("~user", false),
            ("1", false),
            ("\u{fc}ber.txt", false),
            ("a\\b", true),
            ("C:", true),
            ("a.txt::$DATA", true),
            ("a?", true),
            ("a*", true),
            ("<a>", true),
            ("a|b", true),
            ("\"a\"", true),
            ("a\n", true),
            ("a.", true),
            ("a ", true),
            ("con", true),
            ("CON.txt", true),
            ("con .txt", true),
            ("nul.tar.gz", true),
            ("Aux", true),
            ("prn", true),
            ("COM0", true),
            ("com9.log", true),
            ("lpt1", true),
            ("com\u{b9}", true),
            ("LPT\u{b3}.x", true),
            ("CONIN$", true),
            ("conout$", true),
            ("PROGRA~1", true),
            ("longna~12.txt", true),
        ] {
            assert_eq!(is_reserved_windows_name(segment.as_bytes()), want, "{segment:?}");
        }
    }
}
