//! What lies beneath the root, and nothing else?
//!
//! The only file that opens a path. Every open starts at one handle on the root and is resolved beneath it, by the kernel where
//! it can (`openat2`); then the open handle itself is asked what it is, since a path may mean something else a moment later.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirEntry, Metadata, OpenOptions};

use crate::config::Symlinks;
use crate::files::version::{FileVersion, is_unchanged};

/// The root of what is served.
#[derive(Debug)]
pub struct Root {
    handle: Dir,
    /// The root of all, where links may lead anywhere.
    #[cfg(unix)]
    fs_root: Option<File>,
    /// Where it lies.
    place: PathBuf,
    symlinks: Symlinks,
    single_file: Option<SingleFile>,
}

/// Where ROOT leads: a directory, and the one file in it if ROOT is a file.
#[derive(Debug)]
struct Place {
    directory: PathBuf,
    only: Option<PathBuf>,
}

/// What the sandbox is told that we must be able to read beneath.
#[cfg(unix)]
pub type Readable = File;

/// Nothing, where there is no sandbox.
#[cfg(not(unix))]
pub type Readable = ();

/// The one file that is served, beneath the directory that it lies in.
#[derive(Debug)]
struct SingleFile {
    /// The name that was given: a link's own.
    shown: Vec<u8>,
    /// The name that is opened: what the link leads to.
    beneath: PathBuf,
}

/// What an open path turned out to be.
#[derive(Debug)]
pub enum Opened {
    /// A regular file, and which one its handle says it is.
    File(File, FileVersion),
    /// A directory.
    Directory(RootDirectory),
}

/// An open directory.
#[derive(Debug)]
pub struct RootDirectory {
    handle: Dir,
    path: Vec<u8>,
}

/// A name in a directory, and what could be told of it without a look at what it names.
#[derive(Debug)]
pub struct Name {
    /// The name: any bytes but a slash and NUL.
    pub bytes: Box<[u8]>,
    /// What it names, links followed.
    pub kind: EntryKind,
    /// Whether the name itself is a symbolic link.
    pub is_link: bool,
}

/// What a directory holds under one name.
#[derive(Debug)]
pub struct DirectoryEntry {
    /// What it is, links followed.
    pub kind: EntryKind,
    /// Whether the name itself is a symbolic link.
    pub is_link: bool,
    /// Its length in bytes.
    pub length: u64,
    /// When it last changed.
    pub modified: Option<SystemTime>,
}

/// What an entry names. Nothing else is served, so nothing else is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
}

impl RootDirectory {
    /// Where it is beneath the root.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// Whether it was removed while it is open. It seems empty then.
    pub fn is_removed(&self) -> bool {
        is_removed(&self.handle)
    }
}

impl Root {
    /// Opens a directory to be served with all that is beneath it, or a file to be served alone.
    ///
    /// # Errors
    /// It does not exist, may not be read, or is neither of the two.
    pub fn open(path: &Path, symlinks: Symlinks) -> io::Result<Root> {
        let Place { directory: place, only } = resolve(path)?;
        let only = match (only, path.file_name()) {
            (None, _) => None,
            (Some(beneath), Some(shown)) => Some(SingleFile { shown: shown.as_encoded_bytes().to_vec(), beneath }),
            (Some(_), None) => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let root = Root {
            handle: Dir::open_ambient_dir(&place, ambient_authority())?,
            #[cfg(unix)]
            fs_root: if symlinks == Symlinks::Followed { Some(File::open("/")?) } else { None },
            place,
            symlinks,
            single_file: only,
        };
        // The handle on the root may lack the right to read it: better to say so now than to every client.
        root.open_beneath(root.single_file().unwrap_or_default())?;
        Ok(root)
    }

    /// Returns whether `path` still leads to the directory that is open, or to the single file in it.
    pub fn is_at(&self, path: &Path) -> bool {
        match &self.single_file {
            None => self.is_directory_at(path),
            Some(file) => resolve(path)
                .is_ok_and(|place| place.only.as_ref() == Some(&file.beneath) && self.is_directory_at(&place.directory)),
        }
    }

    #[cfg(unix)]
    fn is_directory_at(&self, path: &Path) -> bool {
        use rustix::fs::{fstat, stat};
        match (fstat(&self.handle), stat(path)) {
            (Ok(open), Ok(named)) => named.st_nlink > 0 && (open.st_dev, open.st_ino) == (named.st_dev, named.st_ino),
            _ => false,
        }
    }

    /// A directory that is open cannot be replaced, but a link that leads to it can.
    #[cfg(not(unix))]
    fn is_directory_at(&self, path: &Path) -> bool {
        std::fs::canonicalize(path).is_ok_and(|place| place == self.place)
    }

    /// What we must be able to read beneath.
    ///
    /// # Errors
    /// There are too many open files.
    #[cfg(unix)]
    pub fn readable(&self) -> io::Result<(Readable, PathBuf)> {
        match &self.fs_root {
            Some(everything) => Ok((everything.try_clone()?, "/".into())),
            None => Ok((self.handle.try_clone().map(Dir::into_std_file)?, self.place.clone())),
        }
    }

    /// What we must be able to read beneath so that what replaces the directory at `path` can be read as well: its parent. It is so if
    /// `path` is a symbolic link, which is there to be swapped, or if the parent belongs to our user, who may then replace the directory.
    /// It is never `/`, nor the home directory or one that holds it: the sandbox would be worth little. The working directory is not
    /// meant by its name.
    ///
    /// # Errors
    /// It cannot be opened.
    #[cfg(unix)]
    pub fn readable_with_successors(&self, path: &Path) -> io::Result<(Readable, PathBuf)> {
        use rustix::fs::{Mode, OFlags, open};
        use std::os::unix::fs::MetadataExt;
        use std::path::Component;
        let Some(parent) = self.place.parent().filter(|_| self.symlinks == Symlinks::Within && self.single_file.is_none()) else {
            return self.readable();
        };
        let holds_home =
            std::env::home_dir().is_some_and(|home| std::fs::canonicalize(&home).unwrap_or(home).starts_with(parent));
        // Without a slash at its end, which would follow the link.
        let is_link = path.components().as_path().is_symlink();
        let is_working_directory = path.components().all(|component| component == Component::CurDir);
        let is_ours = || std::fs::metadata(parent).is_ok_and(|metadata| metadata.uid() == rustix::process::geteuid().as_raw());
        if parent.parent().is_none() || holds_home || !is_link && (is_working_directory || !is_ours()) {
            return self.readable();
        }
        // A directory that may be passed through but not read can be named all the same.
        match open(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(handle) => Ok((File::from(handle), parent.to_owned())),
            Err(_) => self.readable(),
        }
    }

    /// No sandbox needs to know.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub fn readable(&self) -> io::Result<(Readable, PathBuf)> {
        Ok(((), self.place.clone()))
    }

    /// No sandbox needs to know.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub fn readable_with_successors(&self, _: &Path) -> io::Result<(Readable, PathBuf)> {
        self.readable()
    }

    /// The name of the one file that is served; `None` if it is a directory.
    pub fn single_file(&self) -> Option<&[u8]> {
        self.single_file.as_ref().map(|only| &*only.shown)
    }

    /// Opens what has that path: segments with a slash between them, or nothing for the root itself. It never waits, not even for
    /// the other end of a FIFO.
    ///
    /// # Errors
    /// `NotFound` for what does not exist, cannot exist, leads out of the root, or is no file and no directory;
    /// `PermissionDenied` for what we may not read; `ResourceBusy` if there are too many open files; or anything else.
    pub fn open_beneath(&self, path: &[u8]) -> io::Result<Opened> {
        let beneath = match &self.single_file {
            Some(only) if only.shown == path => &*only.beneath,
            Some(_) => return Err(io::ErrorKind::NotFound.into()),
            None => beneath(path)?,
        };
        let file = self.open_any(beneath).map_err(sanitize_error)?;
        opened(file, path)
    }

    /// Whether that path leads, without any link that this server would not follow, to the very version of a file that the stamp was
    /// taken of. It opens nothing. `false` where that cannot be told.
    #[inline]
    pub fn is_unchanged(&self, path: &[u8], stamp: &FileVersion) -> bool {
        match &self.single_file {
            Some(only) if only.shown == path => {
                is_unchanged(&self.handle, only.beneath.as_os_str().as_encoded_bytes(), self.symlinks, stamp)
            }
            Some(_) => false,
            None => is_unchanged(&self.handle, path, self.symlinks, stamp),
        }
    }

    /// The names that a directory holds, in no order. What could not be served is left out: links that lead out of the root or nowhere,
    /// FIFOs, devices. Anything else that keeps a name from being read is an error: a listing is whole, or it is none.
    ///
    /// # Errors
    /// The directory cannot be read, to its beginning or to its end.
    pub fn names<'a>(&'a self, directory: &'a RootDirectory) -> io::Result<impl Iterator<Item = io::Result<Name>> + 'a> {
        // Names can be read without the right to look behind them: then each would seem to be gone.
        directory.handle.metadata(".").map_err(sanitize_error)?;
        let entries = directory.handle.entries().map_err(sanitize_error)?;
        let names =
            entries.filter_map(|entry| entry.map_err(sanitize_error).and_then(|entry| self.name(directory, &entry)).transpose());
        // A directory that is removed ends early, or has no entries.
        let end = std::iter::once_with(|| if directory.is_removed() { Err(io::ErrorKind::NotFound.into()) } else { Ok(None) });
        Ok(names.chain(end.filter_map(Result::transpose)))
    }

    fn name(&self, directory: &RootDirectory, entry: &DirEntry) -> io::Result<Option<Name>> {
        let bytes: Box<[u8]> = entry.file_name().as_encoded_bytes().into();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => Ok(Some(Name { bytes, kind: EntryKind::Directory, is_link: false })),
            Ok(kind) if kind.is_file() => Ok(Some(Name { bytes, kind: EntryKind::File, is_link: false })),
            // A link, what cannot be served, or a file system that does not tell.
            _ => {
                let entry = self.entry(directory, &bytes)?;
                Ok(entry.map(|DirectoryEntry { kind, is_link, .. }| Name { bytes, kind, is_link }))
            }
        }
    }

    /// What a directory holds under a name; `None` if that is gone, or could not be served.
    ///
    /// # Errors
    /// It cannot be looked at, though it is there.
    pub fn entry(&self, directory: &RootDirectory, name: &[u8]) -> io::Result<Option<DirectoryEntry>> {
        let os_name = os_name(name)?;
        let mut looked = directory.handle.symlink_metadata(os_name);
        let is_link = looked.as_ref().is_ok_and(Metadata::is_symlink);
        if is_link {
            // From the root, not from the directory: a link may lead up, as long as it does not lead out.
            let path = join(&directory.path, name);
            looked = beneath(&path).and_then(|path| retried(|| self.metadata(path)));
        }
        let metadata = match looked.map_err(sanitize_error) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if is_link && error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
            Err(error) => return Err(error),
        };
        let kind = if metadata.is_dir() {
            EntryKind::Directory
        } else if metadata.is_file() {
            EntryKind::File
        } else {
            return Ok(None);
        };
        let modified = metadata.modified().ok().map(cap_std::time::SystemTime::into_std);
        Ok(Some(DirectoryEntry { kind, is_link, length: metadata.len(), modified }))
    }
}

/// Where a path leads.
///
/// # Errors
/// It does not exist, may not be read, or is neither a directory nor a regular file.
fn resolve(path: &Path) -> io::Result<Place> {
    let metadata = std::fs::metadata(path)?;
    let place = std::fs::canonicalize(path)?;
    match (place.parent(), place.file_name()) {
        _ if metadata.is_dir() => Ok(Place { directory: place, only: None }),
        // A file that is replaced has another one renamed over it, so it is the directory that is held open.
        (Some(parent), Some(name)) if metadata.is_file() => Ok(Place { directory: parent.to_owned(), only: Some(name.into()) }),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a directory nor a regular file")),
    }
}

/// What has been opened, by what its handle says.
fn opened(file: File, path: &[u8]) -> io::Result<Opened> {
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok(Opened::File(file, FileVersion::of(&metadata)))
    } else if metadata.is_dir() {
        Ok(Opened::Directory(RootDirectory { handle: Dir::from_std_file(file), path: path.to_vec() }))
    } else {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// A path, and a name beneath it.
pub fn join<'n>(path: &[u8], name: &'n [u8]) -> Cow<'n, [u8]> {
    if path.is_empty() { Cow::Borrowed(name) } else { Cow::Owned([path, b"/", name].concat()) }
}

/// The whole path of what is served, to show to the person who asked for it.
pub fn absolute(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// How often a call is tried that might succeed the next time. More would be a way to keep us busy.
const TRIES_MAX: u32 = 8;

/// Calls again after a signal, or when a directory on the way was renamed just then.
fn retried<T>(call: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let mut tries_left = TRIES_MAX;
    loop {
        tries_left -= 1;
        match call() {
            Err(error) if tries_left > 0 && matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            result => return result,
        }
    }
}

impl Root {
    /// Opens a regular file or a directory to read it, and nothing else. The type is looked at before: to open a FIFO for reading takes
    /// it from the reader that its writer waits for, and to open a device may do anything. What is put there between the look and the
    /// open is opened after all, without waiting; then its handle tells.
    #[cfg(unix)]
    fn open_any(&self, path: &Path) -> io::Result<File> {
        require_readable_type(&retried(|| self.metadata(path))?)?;
        retried(|| self.open_now(path))
    }

    #[cfg(unix)]
    fn open_now(&self, path: &Path) -> io::Result<File> {
        use cap_std::fs::OpenOptionsExt;
        use rustix::fs::{Mode, OFlags, openat};
        // Opening a FIFO waits for a writer, and opening a terminal may make it ours, unless told not to.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        match self.symlinks {
            Symlinks::Within => {
                let mut options = OpenOptions::new();
                options.read(true).custom_flags(i32::try_from(flags.bits()).map_err(io::Error::other)?);
                self.handle.open_with(path, &options).map(cap_std::fs::File::into_std)
            }
            Symlinks::Followed => openat(&self.handle, path, flags, Mode::empty()).map(File::from).map_err(io::Error::from),
        }
    }

    /// Opens a regular file or a directory to read it, and nothing else. Windows opens a directory only when asked for one.
    #[cfg(not(unix))]
    fn open_any(&self, path: &Path) -> io::Result<File> {
        require_readable_type(&self.metadata(path)?)?;
        if self.symlinks == Symlinks::Followed {
            return File::open(self.place.join(path));
        }
        match self.handle.open_with(path, OpenOptions::new().read(true)) {
            Ok(file) => Ok(file.into_std()),
            Err(error) => self.handle.open_dir(path).map(Dir::into_std_file).map_err(|_| error),
        }
    }

    /// What a link leads to.
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        match self.symlinks {
            Symlinks::Within => self.handle.metadata(path),
            Symlinks::Followed => self.metadata_anywhere(path).map(Metadata::from_just_metadata),
        }
    }
}

impl Root {
    /// What a path leads to, links followed wherever they lead. It begins where opening begins: at the handle.
    #[cfg(unix)]
    fn metadata_anywhere(&self, path: &Path) -> io::Result<std::fs::Metadata> {
        use rustix::fs::{Mode, OFlags, openat};
        File::from(openat(&self.handle, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?).metadata()
    }

    #[cfg(not(unix))]
    fn metadata_anywhere(&self, path: &Path) -> io::Result<std::fs::Metadata> {
        std::fs::metadata(self.place.join(path))
    }

    /// Whether the directory was removed while it is open. It seems empty then.
    pub fn is_removed(&self) -> bool {
        is_removed(&self.handle)
    }
}

#[cfg(unix)]
fn is_removed(directory: &Dir) -> bool {
    rustix::fs::fstat(directory).is_ok_and(|stat| stat.st_nlink == 0)
}

/// A directory that is open cannot be removed.
#[cfg(not(unix))]
fn is_removed(_: &Dir) -> bool {
    false
}

/// Refuses what is neither a regular file nor a directory.
fn require_readable_type(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() || metadata.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// The path beneath the root that the system is asked for.
fn beneath(path: &[u8]) -> io::Result<&Path> {
    if path.is_empty() {
        return Ok(Path::new("."));
    }
    if cfg!(windows) && path.split(|&b| b == b'/').any(is_reserved_windows_name) {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(Path::new(os_name(path)?))
}

/// Names are bytes.
#[cfg(unix)]
fn os_name(name: &[u8]) -> io::Result<&OsStr> {
    Ok(std::os::unix::ffi::OsStrExt::from_bytes(name))
}

/// Names are text: one that is not cannot exist.
#[cfg(not(unix))]
fn os_name(name: &[u8]) -> io::Result<&OsStr> {
    std::str::from_utf8(name).map(OsStr::new).map_err(|_| io::ErrorKind::NotFound.into())
}

/// An error of opening or reading, as far as a client may know it: `NotFound` also for what leads out of the root.
pub fn sanitize_error(error: io::Error) -> io::Error {
    use io::ErrorKind as K;
    match error.kind() {
        // No system call said this: it is how an attempt to leave the root is reported.
        K::PermissionDenied if error.raw_os_error().is_none() => K::NotFound.into(),
        // Another way to say so; a file where a directory should be; a name that is too long; a NUL.
        K::CrossesDevices | K::NotADirectory | K::InvalidFilename | K::InvalidInput => K::NotFound.into(),
        _ => map_errno(error),
    }
}

/// The same for errors that have a number but no kind.
#[cfg(unix)]
fn map_errno(error: io::Error) -> io::Error {
    use rustix::io::Errno;
    match Errno::from_io_error(&error) {
        // Links in a circle; a socket, or a device that is not there.
        Some(Errno::LOOP | Errno::NXIO | Errno::NODEV) => io::ErrorKind::NotFound.into(),
        // Too many open files, ours or the system's: it will pass.
        Some(Errno::MFILE | Errno::NFILE) => io::Error::new(io::ErrorKind::ResourceBusy, error),
        _ => error,
    }
}

/// The same for errors that have a number but no kind: none that we know of.
#[cfg(not(unix))]
fn map_errno(error: io::Error) -> io::Error {
    error
}

/// Whether Windows would take a segment for something else than a file of that name: a device, a stream, a path of its own, or
/// the same file under a second name, past a rule about the first.
pub fn is_reserved_windows_name(segment: &[u8]) -> bool {
    /// Devices, in every directory and with every extension.
    const DEVICES: &[&str] = &["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    /// Devices that have a number.
    const PORTS: &[&str] = &["COM", "LPT"];
    /// Digits of a port: 1, 2 and 3 may be superscripts.
    const DIGITS: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "\u{b9}", "\u{b2}", "\u{b3}"];

    if segment.iter().any(|&b| b < b' ' || b"\\:<>\"|?*".contains(&b)) || segment.ends_with(b".") || segment.ends_with(b" ") {
        return true;
    }
    let stem = segment.split(|&b| b == b'.').next().unwrap_or_default().trim_ascii_end();
    let is = |name: &str| stem.eq_ignore_ascii_case(name.as_bytes());
    let is_port = |port: &str| {
        let (name, number) = stem.split_at_checked(port.len()).unwrap_or_default();
        name.eq_ignore_ascii_case(port.as_bytes()) && DIGITS.iter().any(|digit| number == digit.as_bytes())
    };
    // The short name of a long one: LONGNA~1.TXT.
    let digits = stem.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let is_short_name = digits > 0 && stem.iter().rev().nth(digits) == Some(&b'~');
    DEVICES.iter().any(|name| is(name)) || PORTS.iter().any(|port| is_port(port)) || is_short_name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Scratch;

    #[cfg(target_os = "linux")]
    #[test]
    fn beneath_and_never_above() {
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
        let root = Root::open(&scratch.path().join("root"), Symlinks::Within).unwrap();
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
            ("d/../../root-secret", Err(()), "above on the way"),
            ("/etc/passwd", Err(()), "an absolute path"),
            ("circle", Err(()), "a link to itself"),
            ("nowhere", Err(()), "a link to nothing"),
            ("fifo", Err(()), "a FIFO, at once"),
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
        let mut names: Vec<_> =
            root.names(&top).unwrap().map(|name| String::from_utf8(name.unwrap().bytes.into()).unwrap()).collect();
        names.sort();
        assert_eq!(names, ["a", "d", "directory"], "what could not be served is not shown");
    }

    #[test]
    fn roots() {
        let scratch = Scratch::with(&["d/a", "d/b"]);
        let directory = Root::open(&scratch.path().join("d"), Symlinks::Within).unwrap();
        assert_eq!(directory.single_file(), None);
        let file = Root::open(&scratch.path().join("d/a"), Symlinks::Within).unwrap();
        assert_eq!(file.single_file(), Some(&b"a"[..]));
        assert!(file.open_beneath(b"a").is_ok());
        assert!(file.open_beneath(b"b").is_err() && file.open_beneath(b"").is_err() && file.open_beneath(b"./a").is_err());
        for none in ["x", "d/a/x"] {
            assert!(Root::open(&scratch.path().join(none), Symlinks::Within).is_err(), "{none}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn errors_as_seen_outside() {
        use io::ErrorKind as K;
        use rustix::io::Errno as E;
        for (error, want, why) in [
            (E::NOENT.into(), K::NotFound, "there is none"),
            (E::ACCESS.into(), K::PermissionDenied, "we may not read it"),
            (E::PERM.into(), K::PermissionDenied, "we may not read it"),
            (io::Error::new(K::PermissionDenied, "outside"), K::NotFound, "an escape"),
            (E::XDEV.into(), K::NotFound, "an escape"),
            (E::LOOP.into(), K::NotFound, "links in a circle"),
            (E::NOTDIR.into(), K::NotFound, "a file where a directory should be"),
            (E::NAMETOOLONG.into(), K::NotFound, "a long name"),
            (E::INVAL.into(), K::NotFound, "NUL"),
            (E::NXIO.into(), K::NotFound, "a socket"),
            (E::MFILE.into(), K::ResourceBusy, "our limit of open files"),
            (E::NFILE.into(), K::ResourceBusy, "the system's"),
            (E::NOMEM.into(), K::OutOfMemory, "no memory"),
        ] {
            assert_eq!(sanitize_error(error).kind(), want, "{why}");
        }
        let error = rustix::io::Errno::IO.into();
        assert_eq!(sanitize_error(error).raw_os_error(), Some(E::IO.raw_os_error()), "anything else stays");
    }

    #[test]
    fn windows_traps() {
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
