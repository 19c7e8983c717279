//! Which file lies at a path, and in which form is it sent? (RFC 9110 §12.5.3)
//!
//! From memory, if it is there; else it is opened, and kept if it is small. With `--precompressed` a file may lie beside it that holds the
//! same, coded already: `app.js.br` beside `app.js`. It is only another form of the file: without the file itself there is none, it is
//! opened by the same rules, and it must not be older than the file, for then it was made of an earlier version.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use crate::config::EtagSource;
use crate::files::representation::{CachedFile, FileMetadata, Representation};
use crate::files::root::{Opened, Root};
use crate::files::version::FileVersion;
use crate::files::{Site, cache, media_type};
use crate::handlers::message::OpenFile;
use crate::http::negotiation::{AcceptedCodings, ContentCoding};

/// What lies at a path.
#[derive(Debug)]
pub enum Lies {
    /// A file.
    File(FileForm),
    /// A file, but in no form that the client accepts.
    Unacceptable,
    /// A directory.
    Directory,
}

/// A file in the form in which it is sent.
#[derive(Debug)]
pub enum FileForm {
    /// It is open.
    Open(Box<FoundFile>),
    /// It is in memory.
    Kept(Arc<CachedFile>),
}

/// A file that was found and is open.
#[derive(Debug)]
pub struct FoundFile {
    /// The open file.
    pub open: OpenFile,
    /// What is said about it.
    pub representation: Representation,
}

impl FileForm {
    fn stamp(&self) -> &FileVersion {
        match self {
            FileForm::Open(found) => &found.open.stamp,
            FileForm::Kept(kept) => &kept.stamp,
        }
    }
}

/// The file at a path beneath the root, if it is in memory and has no other forms.
#[inline]
pub fn kept(site: &Site, root: &Root, path: &[u8], codings: Option<&AcceptedCodings>) -> Option<Arc<CachedFile>> {
    match codings {
        None => site.cache.get(root, path),
        Some(_) => None,
    }
}

/// Looks at a path beneath the root, without a slash at its end. `codings` is `None` where there is one form of each file.
///
/// # Errors
/// As [`Root::open_beneath`](crate::files::root::Root::open_beneath).
pub fn at(site: &Site, root: &Root, path: &[u8], codings: Option<&AcceptedCodings>, now: SystemTime) -> io::Result<Lies> {
    let lies = match site.cache.get(root, path) {
        Some(kept) => Lies::File(FileForm::Kept(kept)),
        None => unkept(site, root, path, now)?,
    };
    match (lies, codings) {
        (Lies::File(plain), Some(codings)) => Ok(chosen(site, root, path, plain, codings, now)),
        (lies, _) => Ok(lies),
    }
}

/// Looks for what is not in memory.
fn unkept(site: &Site, root: &Root, path: &[u8], now: SystemTime) -> io::Result<Lies> {
    match root.open_beneath(path)? {
        Opened::File(file, stamp) => {
            Ok(Lies::File(form(site, root, file, stamp, &ServedPath { path, coding: None, key: path }, now)))
        }
        Opened::Directory(_) => Ok(Lies::Directory),
    }
}

/// A file that is looked for.
struct ServedPath<'a> {
    /// The path of the file that was asked for.
    path: &'a [u8],
    /// In which coding it is looked for.
    coding: Option<ContentCoding>,
    /// Under which name it is kept in memory.
    key: &'a [u8],
}

/// The best form of a file for that client.
fn chosen(site: &Site, root: &Root, path: &[u8], plain: FileForm, codings: &AcceptedCodings, now: SystemTime) -> Lies {
    for coding in codings.preferred.into_iter().flatten() {
        if let Some(form) = coded(site, root, path, coding, now).filter(|form| is_of_version(form.stamp(), plain.stamp())) {
            return Lies::File(form);
        }
    }
    if codings.identity_allowed { Lies::File(plain) } else { Lies::Unacceptable }
}

/// The file in that coding, if it lies there. Whatever else keeps it from being opened, the file itself is open already.
fn coded(site: &Site, root: &Root, path: &[u8], coding: ContentCoding, now: SystemTime) -> Option<FileForm> {
    // One and the same file has other fields when it is asked for by its own name, so that is another key.
    let key = [path, coding.suffix().as_bytes(), cache::VARIANT_SUFFIX].concat();
    if let Some(kept) = site.cache.get(root, &key) {
        return Some(FileForm::Kept(kept));
    }
    match root.open_beneath(cache::file_path_of_key(&key)).ok()? {
        Opened::File(file, stamp) => {
            Some(form(site, root, file, stamp, &ServedPath { path, coding: Some(coding), key: &key }, now))
        }
        Opened::Directory(_) => None,
    }
}

/// Whether a coded file can have been made of this version: it is not older. Tools that compress or copy give both the same time, so that
/// must do; only a file that is written again within the same step of the clock (4 ms) passes for the one that was compressed. Without
/// times nobody can tell.
fn is_of_version(coded: &FileVersion, plain: &FileVersion) -> bool {
    coded.modified.zip(plain.modified).is_some_and(|(coded, plain)| coded >= plain)
}

/// A file that has just been opened; from memory, if it can be kept there.
fn form(site: &Site, root: &Root, file: File, stamp: FileVersion, place: &ServedPath<'_>, now: SystemTime) -> FileForm {
    let found = describe(site, OpenFile { file, stamp }, place, now);
    let FoundFile { open: OpenFile { file, stamp }, representation } = &*found;
    let opened = cache::OpenedFile { file, stamp, representation };
    match site.cache.insert(root, place.key, &opened, now) {
        Some(kept) => FileForm::Kept(kept),
        None => FileForm::Open(found),
    }
}

/// The same file, and what is said about it.
fn describe(site: &Site, open: OpenFile, place: &ServedPath<'_>, now: SystemTime) -> Box<FoundFile> {
    let name = place.path.rsplit(|&b| b == b'/').next().unwrap_or_default();
    let description = FileMetadata {
        media_type: media_type::of_name(name, &site.typing),
        cache_control: site.caching.header_for(place.path),
        coding: place.coding,
        choice: site.choice,
    };
    let digest = match site.tagging {
        EtagSource::Mtime => None,
        EtagSource::Content => site.digests.of(&open.file, &open.stamp),
    };
    let representation = Representation::of(&open.stamp, digest.as_ref(), description, now);
    Box::new(FoundFile { open, representation })
}
