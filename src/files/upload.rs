//! Uploads: where files may be added, under which names, and how many at once.
//!
//! The path of an upload was decoded and normalized once, like that of a GET. Below the directory of `--upload` that it lies in, each
//! segment is opened in the directory before it and no symbolic link is followed, so that an upload cannot be led elsewhere.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::{Config, UploadConfig};
use crate::files::acquire_permit;
use crate::files::current::REPLACED;
use crate::files::root::{Opened, Root};
use crate::os::is_incomplete_file;
use crate::os::new_file::WritableDirectory;

/// Uploads at the same time. Each may take 64 KiB of memory and a descriptor for its file.
const UPLOADS_MAX: usize = 64;
/// Bytes of a name. No common file system allows more.
const NAME_BYTES_MAX: usize = 255;

/// Where and how files may be added.
#[derive(Debug)]
pub struct Uploads {
    /// The options of uploads.
    pub config: UploadConfig,
    /// The options of the site.
    site_config: Config,
    /// ROOT at the start: the sandbox allows writing nowhere else.
    root: Arc<Root>,
    /// Cloned for each upload in progress.
    permits: Arc<()>,
    /// Held while names appear, so that the preconditions of an upload still hold then.
    publishing: Mutex<()>,
}

/// Why a file cannot be added.
#[derive(Debug)]
pub enum UploadError {
    /// No file can have this name.
    InvalidName(&'static str),
    /// Files are not accepted in this place, or under this name.
    Forbidden(&'static str),
    /// Files are not accepted now.
    Unavailable(&'static str),
    /// The error of the system; `StorageFull` also if the file system has less space than the file needs.
    Io(io::Error),
}

impl From<io::Error> for UploadError {
    fn from(error: io::Error) -> UploadError {
        UploadError::Io(error)
    }
}

/// An upload in progress.
#[derive(Debug)]
pub struct Upload {
    /// Where its files are added.
    pub directory: WritableDirectory,
    _permit: Arc<()>,
}

impl Uploads {
    pub(super) fn new(config: &Config, root: &Arc<Root>) -> Option<Uploads> {
        Some(Uploads {
            config: config.upload.clone()?,
            site_config: config.clone(),
            root: Arc::clone(root),
            permits: Arc::default(),
            publishing: Mutex::new(()),
        })
    }

    /// Opens each directory of `--upload`.
    ///
    /// # Errors
    /// The directory that cannot be opened, and why.
    pub fn directories(&self) -> Result<Vec<WritableDirectory>, (String, io::Error)> {
        let open = |path: &Vec<u8>| self.open(path).map_err(|error| (String::from_utf8_lossy(path).into_owned(), error));
        self.config.directories.iter().map(open).collect()
    }

    fn open(&self, path: &[u8]) -> io::Result<WritableDirectory> {
        let path = path.strip_prefix(b"/").unwrap_or(path);
        match self.root.open_beneath(path.strip_suffix(b"/").unwrap_or(path))? {
            Opened::Directory(directory) => Ok(WritableDirectory(directory.handle)),
            Opened::File(..) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// The innermost directory of `--upload` in which a canonical path lies.
    fn directory_of(&self, path: &[u8]) -> Result<&[u8], UploadError> {
        let directories = self.config.directories.iter().map(|directory| &**directory);
        let innermost = directories.filter(|directory| path.starts_with(directory)).max_by_key(|directory| directory.len());
        innermost.ok_or(UploadError::Forbidden("files cannot be uploaded here"))
    }

    /// Whether a file at this path beneath the root may have been uploaded, and is of a type that could run scripts.
    pub fn is_untrusted(&self, path: &[u8], media_type: &str) -> bool {
        let is_active = |kind: &str| ["html", "xml", "xsl"].iter().any(|active| kind.to_ascii_lowercase().contains(active));
        is_active(media_type.split(';').next().unwrap_or(media_type)) && self.directory_of(&[b"/", path].concat()).is_ok()
    }

    /// Checks a canonical path: where it lies, and each of its segments.
    ///
    /// # Errors
    /// `Forbidden` outside of the directories of `--upload`, or those of [`Uploads::check_name`].
    pub fn check_path(&self, path: &[u8]) -> Result<(), UploadError> {
        self.directory_of(path)?;
        path.split(|&b| b == b'/').filter(|segment| !segment.is_empty()).try_for_each(|segment| self.check_name(segment))
    }

    /// Checks a name.
    ///
    /// # Errors
    /// `InvalidName` if no file can have this name; `Forbidden` if a file of this name would not be served, or would be an index.
    pub fn check_name(&self, name: &[u8]) -> Result<(), UploadError> {
        let is_index = |index: &String| name.eq_ignore_ascii_case(index.as_bytes());
        if matches!(name, b"" | b"." | b"..") || name.contains(&b'/') {
            Err(UploadError::InvalidName("this is not the name of a file"))
        } else if name.iter().any(u8::is_ascii_control) {
            Err(UploadError::InvalidName("control characters are not allowed in the name of a file"))
        } else if name.len() > NAME_BYTES_MAX {
            Err(UploadError::InvalidName("the name of the file is longer than 255 bytes"))
        } else if is_incomplete_file(name) || name.starts_with(b".") && !self.site_config.serve_hidden {
            Err(UploadError::Forbidden("names that begin with a dot are not served, and not accepted"))
        } else if self.site_config.index.iter().any(is_index) {
            Err(UploadError::Forbidden("index files cannot be uploaded"))
        } else {
            Ok(())
        }
    }

    /// Begins an upload of `length` bytes, if that is known, to a directory by its canonical path. Missing directories are created.
    ///
    /// # Errors
    /// Why it cannot be accepted now.
    pub fn begin(&self, directory: &[u8], length: Option<u64>) -> Result<Upload, UploadError> {
        let busy = UploadError::Unavailable("too many uploads are in progress, try again");
        let _permit = acquire_permit(&self.permits, UPLOADS_MAX).ok_or(busy)?;
        self.check_root()?;
        let base = self.directory_of(directory)?;
        let (_, beneath) = directory.split_at(base.len());
        let mut directory = self.open(base)?;
        for segment in beneath.split(|&b| b == b'/').filter(|segment| !segment.is_empty()) {
            directory = match directory.enter(segment) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    check_space(&directory, length)?;
                    directory.create_directory(segment)?;
                    directory.enter(segment)?
                }
                result => result?,
            };
        }
        check_space(&directory, length)?;
        directory.remove_leftovers();
        Ok(Upload { directory, _permit })
    }

    /// Begins to give files their names, one upload at a time.
    ///
    /// # Errors
    /// ROOT was replaced since the upload began.
    pub fn begin_publishing(&self) -> Result<MutexGuard<'_, ()>, UploadError> {
        self.check_root()?;
        // It guards no data that a panic could have damaged.
        Ok(self.publishing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn check_root(&self) -> Result<(), UploadError> {
        if self.root.is_at(&self.site_config.root) { Ok(()) } else { Err(UploadError::Unavailable(REPLACED)) }
    }
}

fn check_space(directory: &WritableDirectory, length: Option<u64>) -> io::Result<()> {
    // Where the system does not say how much space there is, writing will.
    let has_space = directory.free_bytes().is_none_or(|free| length.unwrap_or(0) <= free);
    if has_space { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
}
