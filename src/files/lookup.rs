//! What does a path mean in this site?
//!
//! The path has been decoded and resolved once, in `http::target`; whether a name is hidden, which file is opened and where a
//! redirect leads are all decided on that one path.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use crate::config::{EtagSource, Hidden, Listing};
use crate::files::current::RootError;
use crate::files::representation::{CachedFile, FileMetadata, Representation};
use crate::files::root::{self, DirectoryEntry, Name, Opened, Root, join};
use crate::files::version::FileVersion;
use crate::files::{Site, cache, media_type};
use crate::handlers::message::OpenFile;
use crate::http::negotiation::{AcceptedCodings, ContentCoding, Identity};
use crate::http::target::RequestTarget;

/// What a path means.
#[derive(Debug)]
pub enum Resource {
    /// This file.
    File(Box<FoundFile>),
    /// This file, which is in memory.
    Kept(Arc<CachedFile>),
    /// A file, but in no form that the client accepts.
    Unacceptable,
    /// This directory, which has no index and may be listed.
    Directory(Directory),
    /// A directory under the name of a file: its own name is this, ready for Location.
    MovedPermanently(String),
    /// Nothing.
    NotFound,
    /// There is something, but it cannot be opened.
    Error(io::Error),
    /// Nothing can be served at the moment, whatever its path.
    Unavailable(RootError),
}

/// A directory that was found and is open.
#[derive(Debug)]
pub struct Directory {
    root: Arc<Root>,
    hidden: Hidden,
    directory: root::RootDirectory,
}

/// Looks a path up. `codings` is `None` where there is one form of each file.
pub fn lookup(site: &Site, target: &RequestTarget<'_>, codings: Option<&AcceptedCodings>, now: SystemTime) -> Resource {
    let Some(path) = target.path().strip_prefix(b"/") else { return Resource::NotFound };
    let root = match site.current.get() {
        Ok(root) => root,
        Err(why) => return Resource::Unavailable(why),
    };
    match lookup_beneath(site, &root, path, target, codings, now) {
        // Beneath a directory that was removed nothing is found; what ROOT names now may have it.
        Resource::NotFound if root.is_removed() => match site.current.get_now() {
            Ok(root) => lookup_beneath(site, &root, path, target, codings, now),
            Err(why) => Resource::Unavailable(why),
        },
        found => found,
    }
}

fn lookup_beneath(
    site: &Site,
    root: &Arc<Root>,
    path: &[u8],
    target: &RequestTarget<'_>,
    codings: Option<&AcceptedCodings>,
    now: SystemTime,
) -> Resource {
    if let Some(only) = root.single_file() {
        // It was asked for by name, so it is served even if that name is hidden.
        return if path.is_empty() || path == only { open(site, root, only, target, codings, now) } else { Resource::NotFound };
    }
    if is_hidden(site, target) {
        return Resource::NotFound;
    }
    match path.strip_suffix(b"/") {
        Some(path) => directory(site, root, path, codings, now),
        None if path.is_empty() => directory(site, root, path, codings, now),
        None => open(site, root, path, target, codings, now),
    }
}

/// The page that a site has for what it does not have.
const MISSING_PAGE: &[u8] = b"404.html";

/// Looks for the page that stands for what is missing, as it is.
pub fn error_document_404(site: &Site, now: SystemTime) -> Resource {
    let Ok(root) = site.current.get() else { return Resource::NotFound };
    if root.single_file().is_some() {
        return Resource::NotFound;
    }
    at(site, &root, MISSING_PAGE, None, now).map_or_else(open_error, |lies| found(lies).unwrap_or(Resource::NotFound))
}

/// Looks for the page that an application begins with: the index of the root, or the one file that there is.
pub fn fallback_index(site: &Site, codings: Option<&AcceptedCodings>, now: SystemTime) -> Resource {
    let Ok(root) = site.current.get() else { return Resource::NotFound };
    match root.single_file() {
        Some(only) => {
            at(site, &root, only, codings, now).map_or_else(open_error, |lies| found(lies).unwrap_or(Resource::NotFound))
        }
        None => index(site, &root, b"", codings, now).unwrap_or(Resource::NotFound),
    }
}

/// What that means; `None` for a directory.
fn found(lies: Lies) -> Option<Resource> {
    match lies {
        Lies::File(FileForm::Open(file)) => Some(Resource::File(file)),
        Lies::File(FileForm::Kept(kept)) => Some(Resource::Kept(kept)),
        Lies::Unacceptable => Some(Resource::Unacceptable),
        Lies::Directory => None,
    }
}

/// Whether one of the segments is a hidden name. `/.well-known/` is there to be asked for (RFC 8615).
fn is_hidden(site: &Site, target: &RequestTarget<'_>) -> bool {
    match site.hidden {
        Hidden::Served => false,
        Hidden::NotFound => {
            let is_hidden =
                |(place, segment): (usize, &[u8])| segment.starts_with(b".") && !(place == 0 && segment == b".well-known");
            target.segments().enumerate().any(is_hidden)
        }
    }
}

/// A path without a slash at its end.
#[inline]
fn open(
    site: &Site,
    root: &Root,
    path: &[u8],
    target: &RequestTarget<'_>,
    codings: Option<&AcceptedCodings>,
    now: SystemTime,
) -> Resource {
    match kept(site, root, path, codings) {
        Some(kept) => Resource::Kept(kept),
        None => open_from_disk(site, root, path, target, codings, now),
    }
}

/// The same for what is not in memory, or has several forms.
fn open_from_disk(
    site: &Site,
    root: &Root,
    path: &[u8],
    target: &RequestTarget<'_>,
    codings: Option<&AcceptedCodings>,
    now: SystemTime,
) -> Resource {
    match at(site, root, path, codings, now) {
        Ok(lies) => found(lies).unwrap_or_else(|| Resource::MovedPermanently(with_slash(target))),
        Err(error) => open_error(error),
    }
}

/// The place of a directory that was asked for under the name of a file: links in its pages are relative to the slash. The path begins
/// with one slash only, so it names no other host.
fn with_slash(target: &RequestTarget<'_>) -> String {
    let query = target.query.map(|query| format!("?{}", String::from_utf8_lossy(query))).unwrap_or_default();
    format!("{}/{query}", target.encoded_path())
}

/// The index of a directory, if it has one, or what keeps us from knowing.
#[inline]
fn index(site: &Site, root: &Root, path: &[u8], codings: Option<&AcceptedCodings>, now: SystemTime) -> Option<Resource> {
    for name in &site.index {
        let path = join(path, name.as_bytes());
        if let Some(kept) = kept(site, root, &path, codings) {
            return Some(Resource::Kept(kept));
        }
        if let Some(found) = index_from_disk(site, root, &path, codings, now) {
            return Some(found);
        }
    }
    None
}

/// What lies there may be an index: a file, or what keeps us from knowing.
fn index_from_disk(
    site: &Site,
    root: &Root,
    path: &[u8],
    codings: Option<&AcceptedCodings>,
    now: SystemTime,
) -> Option<Resource> {
    match at(site, root, path, codings, now) {
        Ok(lies) => found(lies),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(Resource::Error(error)),
    }
}

/// A path with a slash at its end, which has been cut off.
fn directory(site: &Site, root: &Arc<Root>, path: &[u8], codings: Option<&AcceptedCodings>, now: SystemTime) -> Resource {
    // The index first: most directories have one, and then one open is all it takes.
    if let Some(found) = index(site, root, path, codings, now) {
        return found;
    }
    // A listing of what ROOT named half a second ago would not be taken for that.
    match site.current.get_now() {
        Ok(current) if Arc::ptr_eq(&current, root) => directory_listing(site, root, path),
        Ok(current) => index(site, &current, path, codings, now).unwrap_or_else(|| directory_listing(site, &current, path)),
        Err(why) => Resource::Unavailable(why),
    }
}

/// A directory without an index.
fn directory_listing(site: &Site, root: &Arc<Root>, path: &[u8]) -> Resource {
    if site.listing == Listing::NotFound {
        return Resource::NotFound;
    }
    match root.open_beneath(path) {
        Ok(Opened::Directory(directory)) => {
            Resource::Directory(Directory { root: Arc::clone(root), hidden: site.hidden, directory })
        }
        // The links in its pages would lead beneath a file.
        Ok(Opened::File(..)) => Resource::NotFound,
        Err(error) => open_error(error),
    }
}

fn open_error(error: io::Error) -> Resource {
    if error.kind() == io::ErrorKind::NotFound { Resource::NotFound } else { Resource::Error(error) }
}

impl Directory {
    /// The names that may be seen in it, in no order.
    ///
    /// # Errors
    /// It cannot be read, to its beginning or to its end.
    pub fn names(&self) -> io::Result<impl Iterator<Item = io::Result<Name>> + '_> {
        let is_shown = |name: &Name| self.hidden == Hidden::Served || !name.bytes.starts_with(b".");
        Ok(self.root.names(&self.directory)?.filter(move |name| name.as_ref().map_or(true, is_shown)))
    }

    /// What is there under a name; `None` if that is gone.
    ///
    /// # Errors
    /// It cannot be looked at, though it is there.
    pub fn entry(&self, name: &[u8]) -> io::Result<Option<DirectoryEntry>> {
        self.root.entry(&self.directory, name)
    }

    /// Whether it was removed while it is open. It seems empty then.
    pub fn is_removed(&self) -> bool {
        self.directory.is_removed()
    }

    /// A file in it; `None` if there is none of that name, or it cannot be opened.
    pub fn open_file(&self, name: &[u8]) -> Option<File> {
        match self.root.open_beneath(&join(self.directory.path(), name)) {
            Ok(Opened::File(file, _)) => Some(file),
            Ok(Opened::Directory(_)) | Err(_) => None,
        }
    }
}

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
    match codings.identity {
        Identity::Accepted => Lies::File(plain),
        Identity::Refused => Lies::Unacceptable,
    }
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;

    use super::*;
    use crate::files::scratch::Scratch;
    use crate::http::request::{HeadLimits, RequestParser};

    /// What a target means, in a word: the content of a file, `list`, `to …` or `-`.
    fn look(site: &Site, target: &str) -> String {
        let head = format!("GET {target} HTTP/1.0\r\n\r\n");
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(head.as_bytes()).unwrap();
        match lookup(site, &RequestTarget::parse(&parser.head(head.as_bytes()).unwrap()).unwrap(), None, SystemTime::now()) {
            Resource::File(mut found) => {
                let mut content = String::new();
                found.open.file.read_to_string(&mut content).unwrap();
                assert_eq!(found.representation.length, u64::try_from(content.len()).unwrap());
                content
            }
            Resource::Kept(_) => panic!("these files are too young to be kept"),
            Resource::Directory(_) => "list".to_owned(),
            Resource::MovedPermanently(location) => format!("to {location}"),
            Resource::NotFound => "-".to_owned(),
            Resource::Unacceptable => "in no form".to_owned(),
            Resource::Error(error) => error.to_string(),
            Resource::Unavailable(why) => format!("{why:?}"),
        }
    }

    #[test]
    fn paths() {
        let files = [
            "index.html",
            "a b",
            "d/x",
            "i/index.html",
            "i/index.htm",
            "odd/index.html/",
            "odd/index.htm",
            "%",
            "\u{fc}/x",
            ".hidden",
            "d/.hidden",
            ".git/config",
            ".well-known/x",
            ".well-known/.x",
            "d/.well-known/x",
        ];
        let scratch = Scratch::with(&files);
        let site = scratch.site("", |config| config.index.push("index.htm".to_owned()));
        for (target, want, why) in [
            ("/", "index.html", "the index of the root"),
            ("/index.html", "index.html", "by its name"),
            ("/a%20b", "a b", "decoded"),
            ("/d/x", "d/x", "in a directory"),
            ("/d/../d/./x", "d/x", "resolved"),
            ("/%25", "%", "decoded once"),
            ("/%2525", "-", "and only once"),
            ("/d", "to /d/", "a directory without its slash"),
            ("/d?a=%20&b", "to /d/?a=%20&b", "the query is kept as it came"),
            ("/d?", "to /d/?", "an empty one too"),
            ("/%C3%BC", "to /%C3%BC/", "encoded again"),
            ("//d", "to /d/", "never to another host"),
            ("/d/", "list", "no index"),
            ("/i/", "i/index.html", "the first index"),
            ("/odd/", "odd/index.htm", "a directory is no index"),
            ("/d/x/", "-", "a file with a slash"),
            ("/x", "-", "nothing"),
            ("/x/", "-", "nothing"),
            ("/d/x/y", "-", "beneath a file"),
            ("/.hidden", "-", "hidden"),
            ("/%2ehidden", "-", "hidden, encoded"),
            ("/d/.hidden", "-", "hidden below"),
            ("/.git/config", "-", "beneath a hidden directory"),
            ("/.git", "-", "no redirect tells of it"),
            ("/.well-known/x", ".well-known/x", "well known"),
            ("/.well-known", "to /.well-known/", "well known"),
            ("/.well-known/.x", "-", "hidden below it"),
            ("/d/.well-known/x", "-", "well known at the root only"),
        ] {
            assert_eq!(look(&site, target), want, "{target}: {why}");
        }
        let served = scratch.site("", |config| config.hidden = Hidden::Served);
        assert_eq!(look(&served, "/.git/config"), ".git/config");
        let unlisted = scratch.site("", |config| config.listing = Listing::NotFound);
        assert_eq!((look(&unlisted, "/d/"), look(&unlisted, "/i/")), ("-".to_owned(), "i/index.html".to_owned()));
    }

    #[test]
    fn one_file() {
        let scratch = Scratch::with(&["d/.a", "d/b"]);
        let site = scratch.site("d/.a", |_| ());
        for (target, want) in [("/", "d/.a"), ("/.a", "d/.a"), ("/.a/", "-"), ("/b", "-"), ("/d/.a", "-"), ("/index.html", "-")] {
            assert_eq!(look(&site, target), want, "{target}");
        }
        fs::write(scratch.path().join("d/new"), "new .a").unwrap();
        fs::rename(scratch.path().join("d/new"), scratch.path().join("d/.a")).unwrap();
        assert_eq!(look(&site, "/"), "new .a", "replaced");
    }

    #[cfg(unix)]
    #[test]
    fn links() {
        use std::os::unix::fs::symlink;
        let scratch = Scratch::with(&["root/d/", "root/a", "secret", "store/v1"]);
        let link = |original: &str, place: &str| symlink(original, scratch.path().join(place)).unwrap();
        link("../a", "root/d/index.html");
        link("../secret", "root/out");
        link("store/v1", "latest.css");
        let site = scratch.site("root", |_| ());
        let Resource::File(found) = lookup_at(&site, b"/d/") else { panic!("no index") };
        assert_eq!(
            (found.representation.length, &*found.representation.media_type),
            (6, "text/html; charset=utf-8"),
            "an index may lie elsewhere in the root"
        );
        assert_eq!(look(&site, "/out"), "-");
        let Resource::File(found) = lookup_at(&scratch.site("latest.css", |_| ()), b"/latest.css") else { panic!("no file") };
        assert_eq!(
            &*found.representation.media_type, "text/css; charset=utf-8",
            "one file, through a link: it has the name that was given"
        );
    }

    #[cfg(unix)]
    fn lookup_at(site: &Site, path: &[u8]) -> Resource {
        let head = [b"GET ", path, b" HTTP/1.0\r\n\r\n"].concat();
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(&head).unwrap();
        lookup(site, &RequestTarget::parse(&parser.head(&head).unwrap()).unwrap(), None, SystemTime::now())
    }
}
