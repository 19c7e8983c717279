//! Files that appear whole or not at all.
//!
//! A new file has no name until it is complete, where the system can do that (`O_TMPFILE`), and a hidden one elsewhere. A crash then leaves
//! nothing, or a hidden file that the next upload to the directory removes. Each name is one segment in an open directory, and no symbolic
//! link is followed.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};

use cap_std::fs::Dir;
#[cfg(unix)]
use rustix::fs::{Mode, OFlags, openat};
#[cfg(unix)]
use rustix::io::Errno;

use crate::os::{HIDDEN_PREFIX, os_name};

/// The end of the name of an incomplete file.
const HIDDEN_SUFFIX: &str = ".part";

/// The permissions of a new file, from which the umask removes some.
#[cfg(unix)]
const MODE: Mode = Mode::from_raw_mode(0o666);

/// A directory in which files and directories may be created.
#[derive(Debug)]
pub struct WritableDirectory(pub Dir);

impl WritableDirectory {
    /// Opens a directory in it.
    ///
    /// # Errors
    /// `NotADirectory` also for a symbolic link.
    #[cfg(unix)]
    pub fn enter(&self, name: &[u8]) -> io::Result<WritableDirectory> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
        match openat(&self.0, name, flags, Mode::empty()) {
            Err(Errno::LOOP) => Err(io::ErrorKind::NotADirectory.into()),
            result => Ok(WritableDirectory(Dir::from_std_file(result?.into()))),
        }
    }

    /// Fails, since this system cannot add files.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(unix))]
    pub fn enter(&self, _: &[u8]) -> io::Result<WritableDirectory> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Creates a directory in it. Another process may create it at the same time.
    ///
    /// # Errors
    /// The error of the system.
    pub fn create_directory(&self, name: &[u8]) -> io::Result<()> {
        match self.0.create_dir(os_name(name)?) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result,
        }
    }

    /// Returns whether this is the name of a regular file; `None` if nothing has this name.
    ///
    /// # Errors
    /// The error of the system.
    pub fn has_file(&self, name: &[u8]) -> io::Result<Option<bool>> {
        match self.0.symlink_metadata(os_name(name)?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            result => result.map(|metadata| Some(metadata.is_file())),
        }
    }

    /// Removes a file.
    pub fn remove(&self, name: &[u8]) {
        // What cannot be removed stays; there is nothing else to try.
        let _ = os_name(name).and_then(|name| self.0.remove_file(name));
    }

    /// Bytes that may be written to its file system; `None` if the system does not say.
    pub fn free_bytes(&self) -> Option<u64> {
        #[cfg(unix)]
        return rustix::fs::fstatvfs(&self.0).ok().map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize));
        #[cfg(not(unix))]
        None
    }

    /// Removes the hidden files that interrupted uploads have left, which requires an exclusive lock on the directory. Then takes a shared
    /// lock, so that no other upload removes the hidden file of this one.
    #[cfg(unix)]
    pub fn remove_leftovers(&self) {
        use rustix::fs::{FlockOperation, flock};
        if flock(&self.0, FlockOperation::NonBlockingLockExclusive).is_ok()
            && let Ok(entries) = self.0.entries()
        {
            for name in entries.flatten().map(|entry| entry.file_name()) {
                let name = name.as_encoded_bytes();
                if name.starts_with(HIDDEN_PREFIX.as_bytes()) && name.ends_with(HIDDEN_SUFFIX.as_bytes()) {
                    self.remove(name);
                }
            }
        }
        // Where locks do not work, as on some network file systems, nothing is removed.
        let _ = flock(&self.0, FlockOperation::NonBlockingLockShared);
    }

    /// Does nothing, since this system cannot add files.
    #[cfg(not(unix))]
    pub fn remove_leftovers(&self) {}
}

/// A file that is being written. It disappears unless it is published.
#[derive(Debug)]
pub struct NewFile<'d> {
    directory: &'d WritableDirectory,
    /// `None` once it is closed.
    file: Option<File>,
    hidden: Option<String>,
}

impl<'d> NewFile<'d> {
    /// Creates an empty file. The umask decides who may read it.
    ///
    /// # Errors
    /// The error of the system.
    pub fn create(directory: &'d WritableDirectory) -> io::Result<NewFile<'d>> {
        #[cfg(target_os = "linux")]
        if let Ok(file) = openat(&directory.0, ".", OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, MODE) {
            return Ok(NewFile { directory, file: Some(file.into()), hidden: None });
        }
        NewFile::named(directory)
    }

    #[cfg(unix)]
    fn named(directory: &'d WritableDirectory) -> io::Result<NewFile<'d>> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
        let name = hidden_name();
        let file = openat(&directory.0, &*name, flags, MODE)?;
        Ok(NewFile { directory, file: Some(file.into()), hidden: Some(name) })
    }

    #[cfg(not(unix))]
    fn named(_: &'d WritableDirectory) -> io::Result<NewFile<'d>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// The error of the system.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }

    /// Waits until the content is on the disk.
    ///
    /// # Errors
    /// The error of the system.
    pub fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }

    /// Closes the file, which then has a hidden name.
    ///
    /// # Errors
    /// The error of the system.
    pub fn close(&mut self) -> io::Result<()> {
        if self.hidden.is_none() {
            let name = hidden_name();
            self.link(name.as_bytes())?;
            self.hidden = Some(name);
        }
        self.file = None;
        Ok(())
    }

    /// Gives the file its name. Returns whether it has replaced another file.
    ///
    /// # Errors
    /// `AlreadyExists` if something has this name, and may not be replaced or is not a regular file.
    pub fn publish(&mut self, name: &[u8], may_replace: bool) -> io::Result<bool> {
        let result = match &self.hidden {
            Some(hidden) => rename_new(self.directory, hidden.as_bytes(), name),
            None => self.link(name),
        };
        let replaces = match result {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && may_replace => {
                if self.directory.has_file(name)? == Some(false) {
                    return Err(error);
                }
                self.close()?;
                let hidden = self.hidden.as_deref().unwrap_or_default();
                self.directory.0.rename(hidden, &self.directory.0, os_name(name)?)?;
                true
            }
            result => result.map(|()| false)?,
        };
        self.hidden = None;
        Ok(replaces)
    }

    /// Gives an unnamed file a name.
    #[cfg(target_os = "linux")]
    fn link(&self, name: &[u8]) -> io::Result<()> {
        use rustix::fs::{AtFlags, CWD, linkat};
        let (Some(file), to) = (&self.file, &self.directory.0) else { return Err(io::ErrorKind::NotFound.into()) };
        match linkat(file, "", to, name, AtFlags::EMPTY_PATH) {
            // Older kernels require a privilege for that, but not for this path (open(2), O_TMPFILE).
            Err(Errno::NOENT) => {
                let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(file));
                Ok(linkat(CWD, path, to, name, AtFlags::SYMLINK_FOLLOW)?)
            }
            result => Ok(result?),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn link(&self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        self.hidden.iter().for_each(|name| self.directory.remove(name.as_bytes()));
    }
}

/// Renames a file unless the new name is taken.
fn rename_new(directory: &WritableDirectory, from: &[u8], to: &[u8]) -> io::Result<()> {
    let handle = &directory.0;
    #[cfg(target_os = "linux")]
    match rustix::fs::renameat_with(handle, from, handle, to, rustix::fs::RenameFlags::NOREPLACE) {
        // Some file systems cannot do that, but have links.
        Err(Errno::INVAL | Errno::NOSYS) => {}
        result => return Ok(result?),
    }
    handle.hard_link(os_name(from)?, handle, os_name(to)?)?;
    directory.remove(from);
    Ok(())
}

/// A name that cannot be predicted.
fn hidden_name() -> String {
    format!("{HIDDEN_PREFIX}{:016x}{HIDDEN_SUFFIX}", RandomState::new().hash_one(0))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Runs `test` with each way to create a file, in a directory of its own.
    fn each_way(name: &str, test: impl Fn(&Path, &WritableDirectory, fn(&WritableDirectory) -> NewFile<'_>)) {
        let ways: [fn(&WritableDirectory) -> NewFile<'_>; 2] =
            [|directory| NewFile::create(directory).unwrap(), |directory| NewFile::named(directory).unwrap()];
        for (number, create) in ways.into_iter().enumerate() {
            let path = std::env::temp_dir().join(format!("threadbare-new-{name}-{number}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            let directory = WritableDirectory(Dir::from_std_file(File::open(&path).unwrap()));
            test(&path, &directory, create);
            fs::remove_dir_all(&path).unwrap();
        }
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn file_appears_when_it_is_published() {
        each_way("publish", |path, directory, create| {
            let mut file = create(directory);
            file.write(b"new").unwrap();
            assert!(!path.join("a").exists());
            file.sync().unwrap();
            assert!(!file.publish(b"a", false).unwrap(), "a new file");
            drop(file);
            assert_eq!((names(path), fs::read_to_string(path.join("a")).unwrap()), (vec!["a".to_owned()], "new".to_owned()));
        });
    }

    #[test]
    fn existing_file_is_replaced_only_if_it_may_be() {
        each_way("replace", |path, directory, create| {
            fs::write(path.join("a"), "old").unwrap();
            fs::create_dir(path.join("d")).unwrap();
            std::os::unix::fs::symlink("a", path.join("link")).unwrap();
            for is_closed in [false, true] {
                let mut file = create(directory);
                file.write(b"new").unwrap();
                if is_closed {
                    file.close().unwrap();
                }
                for (name, may_replace) in [("a", false), ("d", false), ("d", true), ("link", false), ("link", true)] {
                    let error = file.publish(name.as_bytes(), may_replace).unwrap_err();
                    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{name} {may_replace}");
                }
                assert_eq!(fs::read_to_string(path.join("a")).unwrap(), "old");
                drop(file);
                assert_eq!(names(path), ["a", "d", "link"], "nothing is left");
            }
            let mut file = create(directory);
            file.write(b"new").unwrap();
            assert!(file.publish(b"a", true).unwrap(), "replaced");
            drop(file);
            assert_eq!((names(path).len(), fs::read_to_string(path.join("a")).unwrap()), (3, "new".to_owned()));
        });
    }

    #[test]
    fn leftovers_are_removed_unless_an_upload_is_in_progress() {
        each_way("leftovers", |path, directory, create| {
            let keep = ["a.part", "threadbare-1.part", ".threadbare-1", ".threadbare-"];
            keep.iter().for_each(|name| fs::write(path.join(name), "").unwrap());
            fs::write(path.join(".threadbare-1.part"), "").unwrap();
            directory.remove_leftovers();
            assert_eq!(names(path).len(), keep.len(), "{:?}", names(path));
            let mut file = create(directory);
            file.close().unwrap();
            let other = WritableDirectory(Dir::from_std_file(File::open(path).unwrap()));
            other.remove_leftovers();
            assert_eq!(names(path).len(), keep.len() + 1, "that of another upload stays");
            file.publish(b"new", false).unwrap();
        });
    }

    #[test]
    fn only_directories_are_entered() {
        each_way("enter", |path, directory, _| {
            directory.create_directory(b"d").unwrap();
            directory.create_directory(b"d").expect("it may exist");
            fs::write(path.join("f"), "").unwrap();
            std::os::unix::fs::symlink("d", path.join("link")).unwrap();
            assert!(directory.enter(b"d").is_ok());
            for (name, kind) in
                [("f", io::ErrorKind::NotADirectory), ("link", io::ErrorKind::NotADirectory), ("x", io::ErrorKind::NotFound)]
            {
                assert_eq!(directory.enter(name.as_bytes()).unwrap_err().kind(), kind, "{name}");
            }
            assert_eq!(
                [&b"f"[..], b"d", b"link", b"x"].map(|name| directory.has_file(name).unwrap()),
                [Some(true), Some(false), Some(false), None]
            );
            assert!(directory.free_bytes().unwrap() > 0);
        });
    }
}
