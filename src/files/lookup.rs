//! Lookup of request paths in the served directory.
//!
//! A path has been decoded and normalized once, in `http::target`. Whether it is hidden, which file is opened and where a redirect leads
//! are decided on that one path.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::config::EtagSource;
use crate::files::cache::coded_path;
use crate::files::current::RootError;
use crate::files::directory::Directory;
use crate::files::representation::{FileSource, OpenFile, Representation, ServedFile, validators};
use crate::files::root::{Opened, Root, join};
use crate::files::version::FileVersion;
use crate::files::{Site, media_type};
use crate::http::negotiation::{AcceptedCodings, ContentCoding};
use crate::http::target::{RequestTarget, encode_path};
use crate::os::is_incomplete_file;

/// The page that a site may have for missing files, relative to the root.
pub const ERROR_DOCUMENT_404: &[u8] = b"404.html";
/// How long the absence of [`ERROR_DOCUMENT_404`] is remembered: looking for it costs as much as the lookup of the requested file.
const ABSENCE_MAX_AGE: Duration = Duration::from_millis(500);

/// Age from which a compressed file is assumed to be complete. Build tools write it in pieces, and rarely pause for so long.
const SETTLING_TIME: Duration = Duration::from_secs(2);

/// What a path leads to.
#[derive(Debug)]
pub enum Resource {
    /// A file.
    File(ServedFile),
    /// A file, but in no coding that the client accepts.
    NotAcceptable,
    /// A directory without an index, which may be listed.
    Directory(Directory),
    /// A directory whose path lacks the slash at its end: the value of Location.
    MovedPermanently(String),
    /// Nothing, or nothing that may be served.
    NotFound,
    /// A file or directory that cannot be opened.
    Error(io::Error),
    /// Nothing can be served at present, whatever its path.
    Unavailable(RootError),
}

/// Looks a path up. `codings` is `None` unless files may be sent in a content coding.
pub fn lookup(site: &Site, target: &RequestTarget<'_>, codings: Option<&AcceptedCodings>, now: SystemTime) -> Resource {
    let lookup_in = |root| Lookup { site, root, codings, now }.resource(target);
    let root = match site.root() {
        Ok(root) => root,
        Err(error) => return Resource::Unavailable(error),
    };
    match lookup_in(Arc::clone(&root)) {
        // The directory was removed, so nothing is found in it, but ROOT may name another one now.
        Resource::NotFound if root.top.is_removed() => site.root_now().map_or_else(Resource::Unavailable, lookup_in),
        found => found,
    }
}

/// Looks up a directory by a path that ends in a slash, even if it has an index. A directory that may not be listed is not found.
pub fn lookup_directory(site: &Site, target: &RequestTarget<'_>, now: SystemTime) -> Resource {
    let Some(path) = target.path().strip_suffix(b"/") else { return Resource::NotFound };
    match site.root_now() {
        Err(error) => Resource::Unavailable(error),
        Ok(root) if root.single_file().is_some() || is_hidden(site, target.segments()) => Resource::NotFound,
        Ok(root) => Lookup { site, root, codings: None, now }.listing(path.strip_prefix(b"/").unwrap_or(path)),
    }
}

/// Opens the site's own page for missing files; `None` if it has none, which is remembered for half a second.
pub fn error_document_404(site: &Site, now: SystemTime) -> Option<ServedFile> {
    let absent_since = || site.no_error_document_since.lock().unwrap_or_else(PoisonError::into_inner);
    if absent_since().is_some_and(|since| since.elapsed() < ABSENCE_MAX_AGE) {
        return None;
    }
    let root = site.root().ok().filter(|root| root.single_file().is_none())?;
    let found = Lookup { site, root, codings: None, now }.file_in_coding(ERROR_DOCUMENT_404, None).ok().flatten();
    *absent_since() = if found.is_none() { Some(Instant::now()) } else { None };
    found
}

/// Looks up the first page of a single-page application: the index of the root, or the only file.
pub fn fallback_index(site: &Site, codings: Option<&AcceptedCodings>, now: SystemTime) -> Resource {
    let Ok(root) = site.root() else { return Resource::NotFound };
    let lookup = Lookup { site, root, codings, now };
    let found = match lookup.root.single_file() {
        Some(only) => lookup.file(only),
        None => lookup.index(b""),
    };
    found.unwrap_or(Resource::NotFound)
}

/// Whether a segment of the path is an incomplete upload, or begins with a dot and such files are not served. `/.well-known/` is public by
/// definition (RFC 8615).
pub fn is_hidden<'a>(site: &Site, segments: impl Iterator<Item = &'a [u8]>) -> bool {
    let is_hidden = |(depth, segment): (usize, &[u8])| segment.starts_with(b".") && !(depth == 0 && segment == b".well-known");
    segments.enumerate().any(|segment| !site.config.serve_hidden && is_hidden(segment) || is_incomplete_file(segment.1))
}

/// A lookup beneath one root.
struct Lookup<'a> {
    site: &'a Site,
    root: Arc<Root>,
    codings: Option<&'a AcceptedCodings>,
    now: SystemTime,
}

impl Lookup<'_> {
    fn resource(&self, target: &RequestTarget<'_>) -> Resource {
        let Some(path) = target.path().strip_prefix(b"/") else { return Resource::NotFound };
        match (self.root.single_file(), path.strip_suffix(b"/")) {
            // ROOT names this file, so it is served even if it is hidden. If it has become a directory, ROOT is resolved again soon.
            (Some(only), _) if path.is_empty() || path == only => self.file(only).unwrap_or(Resource::NotFound),
            (Some(_), _) => Resource::NotFound,
            (None, _) if is_hidden(self.site, target.segments()) => Resource::NotFound,
            (None, Some(directory)) => self.directory(directory),
            (None, None) if path.is_empty() => self.directory(path),
            (None, None) => self.file(path).unwrap_or_else(|| Resource::MovedPermanently(with_slash(target))),
        }
    }

    /// Looks up the directory at `path`, which has no slash at its end.
    fn directory(&self, path: &[u8]) -> Resource {
        // The index first: most directories have one, which takes a single open.
        if let Some(found) = self.index(path) {
            return found;
        }
        // The root may be half a second old, and a listing must show what ROOT names now.
        match self.site.root_now() {
            Ok(current) if Arc::ptr_eq(&current, &self.root) => self.listing(path),
            Ok(current) => {
                let current = Lookup { root: current, ..*self };
                current.index(path).unwrap_or_else(|| current.listing(path))
            }
            Err(error) => Resource::Unavailable(error),
        }
    }

    /// The index file of a directory, or the error that prevented looking for it; `None` if there is none.
    fn index(&self, path: &[u8]) -> Option<Resource> {
        self.site.config.index.iter().find_map(|name| match self.file(&join(path, name.as_bytes())) {
            Some(Resource::NotFound) => None,
            found => found,
        })
    }

    fn listing(&self, path: &[u8]) -> Resource {
        let (root, config) = (&self.root, &self.site.config);
        if !config.listing {
            return Resource::NotFound;
        }
        match root.open_beneath(path) {
            Ok(Opened::Directory(handle)) => {
                let (serve_hidden, archive) = (config.serve_hidden, config.archive);
                Resource::Directory(Directory { root: Arc::clone(root), handle, serve_hidden, archive })
            }
            // A file with a slash at its end: relative links in it would lead to paths beneath the file.
            Ok(Opened::File(..)) => Resource::NotFound,
            Err(error) => open_error(error),
        }
    }

    /// The file at a path, in the coding that suits the client best (RFC 9110 §12.5.3); `None` for a directory.
    ///
    /// With `--precompressed`, `app.js.br` is the Brotli-compressed form of `app.js`. It is opened by the same rules, and ignored if it
    /// cannot be opened, is empty, younger than two seconds or older than `app.js`, since it may then be incomplete or out of date.
    fn file(&self, path: &[u8]) -> Option<Resource> {
        let plain = match self.file_in_coding(path, None) {
            Ok(plain) => plain?,
            Err(error) => return Some(open_error(error)),
        };
        // A file whose type implies a coding, such as .svgz, has no other forms, and is sent to every client.
        let is_plain = plain.representation.content_encoding.is_none();
        let Some(codings) = self.codings.filter(|_| is_plain) else { return Some(Resource::File(plain)) };
        for coding in codings.preferred.into_iter().flatten() {
            if let Ok(Some(coded)) = self.file_in_coding(path, Some((coding, &plain)))
                && is_complete(&coded.representation.version, self.now)
                && is_not_older(&coded.representation.version, &plain.representation.version)
            {
                return Some(Resource::File(coded));
            }
        }
        Some(if codings.identity_allowed { Resource::File(plain) } else { Resource::NotAcceptable })
    }

    /// The file at a path, from memory if it is cached and unchanged; `None` for a directory. With `coded`, which is a content coding and the
    /// plain file, the form of the file in that coding.
    fn file_in_coding(&self, path: &[u8], coded: Option<(ContentCoding, &ServedFile)>) -> io::Result<Option<ServedFile>> {
        let (Lookup { site, root, now, .. }, coding) = (self, coded.map(|(coding, _)| coding));
        if let Some(cached) = site.cache.get(root, path, coding) {
            return Ok(Some(ServedFile::from_cached(cached)));
        }
        let Opened::File(file, version) = root.open_beneath(&coded_path(path, coding))? else { return Ok(None) };
        let open = OpenFile { file, version };
        let representation = Arc::new(self.describe(path, coded, &open));
        Ok(Some(match site.cache.insert(root, path, &representation, &open.file, *now) {
            Some(cached) => ServedFile::from_cached(cached),
            None => ServedFile { representation, source: FileSource::Disk(Box::new(open)) },
        }))
    }

    /// Describes the open file at `path`, or its form in the coding of `coded`.
    #[inline(never)] // its frame is not part of the caller's: with three others, 4 KiB less for each idle connection
    fn describe(&self, path: &[u8], coded: Option<(ContentCoding, &ServedFile)>, open: &OpenFile) -> Representation {
        let (site, config) = (self.site, &self.site.config);
        let (coding, plain) = coded.unzip();
        let hash = match config.etag_source {
            EtagSource::Mtime => None,
            EtagSource::Content => site.hashes.get(&open.file, &open.version),
        };
        let (media_type, own_coding) = match plain {
            Some(plain) => (plain.representation.media_type.clone(), None),
            None => media_type::of_file(path, &config.mime_types, open),
        };
        Representation {
            is_untrusted: site.uploads.as_ref().is_some_and(|uploads| uploads.is_untrusted(path, &media_type)),
            media_type,
            cache_control: config.cache_policy.header_for(path),
            coding,
            content_encoding: coding.or(own_coding),
            varies_by_encoding: config.precompressed && own_coding.is_none(),
            version: open.version,
            validators: validators(&open.version, hash.as_deref(), coding, self.now),
        }
    }
}

/// The Location of a directory whose path was requested without the slash at its end: the last segment and a slash, since relative links in
/// the pages of the directory need it. The reference is relative (RFC 9110 §10.2.2), so it can lead to no other host, and also works if a
/// proxy serves this site below a prefix.
fn with_slash(target: &RequestTarget<'_>) -> String {
    let query = target.query.map(|query| format!("?{}", String::from_utf8_lossy(query))).unwrap_or_default();
    format!("{}/{query}", encode_path(target.segments().last().unwrap_or_default()))
}

fn open_error(error: io::Error) -> Resource {
    if error.kind() == io::ErrorKind::NotFound { Resource::NotFound } else { Resource::Error(error) }
}

/// Whether a compressed file is likely to be written completely: it is not empty, and nothing was written to it for two seconds.
fn is_complete(coded: &FileVersion, now: SystemTime) -> bool {
    let age = coded.modified.and_then(|modified| now.duration_since(modified).ok());
    coded.length > 0 && age.is_some_and(|age| age >= SETTLING_TIME)
}

/// Whether a compressed file can have been made from this version of the plain one. Compressors copy the modification time, so equal times
/// pass. A second write within the resolution of the file system's clock is not detected. `false` without modification times.
fn is_not_older(coded: &FileVersion, plain: &FileVersion) -> bool {
    coded.modified.zip(plain.modified).is_some_and(|(coded, plain)| coded >= plain)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;

    use super::*;
    use crate::files::scratch::Scratch;
    use crate::http::request::{HeadLimits, RequestParser};

    /// The meaning of a target: the content of a file, `list`, `to …` or `-`.
    fn look(site: &Site, target: &str) -> String {
        let head = format!("GET {target} HTTP/1.0\r\n\r\n");
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(head.as_bytes()).unwrap();
        match lookup(site, &RequestTarget::parse(&parser.head(head.as_bytes()).unwrap()).unwrap(), None, SystemTime::now()) {
            Resource::File(ServedFile { representation, source: FileSource::Disk(mut open) }) => {
                let mut content = String::new();
                open.file.read_to_string(&mut content).unwrap();
                assert_eq!(representation.version.length, u64::try_from(content.len()).unwrap());
                content
            }
            Resource::File(_) => panic!("the file is too recent to be cached"),
            Resource::Directory(_) => "list".to_owned(),
            Resource::MovedPermanently(location) => format!("to {location}"),
            Resource::NotFound => "-".to_owned(),
            Resource::NotAcceptable => "unacceptable".to_owned(),
            Resource::Error(error) => error.to_string(),
            Resource::Unavailable(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn paths_are_looked_up() {
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
            ("/index.html", "index.html", "a file"),
            ("/a%20b", "a b", "decoded"),
            ("/d/x", "d/x", "in a directory"),
            ("/d/../d/./x", "d/x", "resolved"),
            ("/%25", "%", "percent-decoded once"),
            ("/%2525", "-", "percent-decoded only once"),
            ("/d", "to d/", "a directory without its slash"),
            ("/d?a=%20&b", "to d/?a=%20&b", "the query is kept unchanged"),
            ("/d?", "to d/?", "an empty query is kept"),
            ("/%C3%BC", "to %C3%BC/", "the path is encoded again"),
            ("//d", "to d/", "never to another host"),
            ("/d/", "list", "no index"),
            ("/i/", "i/index.html", "the first index"),
            ("/odd/", "odd/index.htm", "a directory cannot be an index"),
            ("/d/x/", "-", "a file with a slash"),
            ("/x", "-", "nothing"),
            ("/x/", "-", "nothing"),
            ("/d/x/y", "-", "beneath a file"),
            ("/.hidden", "-", "hidden"),
            ("/%2ehidden", "-", "hidden, encoded"),
            ("/d/.hidden", "-", "hidden below"),
            ("/.git/config", "-", "beneath a hidden directory"),
            ("/.git", "-", "no redirect reveals it"),
            ("/.well-known/x", ".well-known/x", "well known"),
            ("/.well-known", "to .well-known/", "well known"),
            ("/.well-known/.x", "-", "hidden below it"),
            ("/d/.well-known/x", "-", "well known at the root only"),
        ] {
            assert_eq!(look(&site, target), want, "{target}: {why}");
        }
        let served = scratch.site("", |config| config.serve_hidden = true);
        assert_eq!(look(&served, "/.git/config"), ".git/config");
        let unlisted = scratch.site("", |config| config.listing = false);
        assert_eq!((look(&unlisted, "/d/"), look(&unlisted, "/i/")), ("-".to_owned(), "i/index.html".to_owned()));
    }

    #[test]
    fn absence_of_the_error_document_is_remembered() {
        let scratch = Scratch::with(&["a"]);
        let site = scratch.site("", |_| ());
        let is_remembered = || site.no_error_document_since.lock().unwrap().is_some();
        assert!(error_document_404(&site, SystemTime::now()).is_none() && is_remembered());
        fs::write(scratch.path().join("404.html"), "gone").unwrap();
        *site.no_error_document_since.lock().unwrap() = None;
        assert!(error_document_404(&site, SystemTime::now()).is_some() && !is_remembered());
    }

    #[test]
    fn single_file_is_served_alone() {
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
    fn links_are_followed_within_the_root() {
        use std::os::unix::fs::symlink;
        let scratch = Scratch::with(&["root/d/", "root/a", "secret", "store/v1"]);
        let link = |original: &str, place: &str| symlink(original, scratch.path().join(place)).unwrap();
        link("../a", "root/d/index.html");
        link("../secret", "root/out");
        link("store/v1", "latest.css");
        let site = scratch.site("root", |_| ());
        let Resource::File(found) = lookup_at(&site, b"/d/") else { panic!("no index") };
        assert_eq!(
            (found.representation.version.length, &*found.representation.media_type),
            (6, "text/html; charset=utf-8"),
            "an index may be a link within the root"
        );
        assert_eq!(look(&site, "/out"), "-");
        let Resource::File(found) = lookup_at(&scratch.site("latest.css", |_| ()), b"/latest.css") else { panic!("no file") };
        assert_eq!(
            &*found.representation.media_type, "text/css; charset=utf-8",
            "a single file through a link has the name of the link"
        );
    }

    #[cfg(unix)]
    fn lookup_at(site: &Site, path: &[u8]) -> Resource {
        let head = [b"GET ", path, b" HTTP/1.0\r\n\r\n"].concat();
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(&head).unwrap();
        lookup(site, &RequestTarget::parse(&parser.head(&head).unwrap()).unwrap(), None, SystemTime::now())
    }

    #[test]
    fn compressed_files_are_complete_after_a_while() {
        let now = SystemTime::now();
        let scratch = Scratch::with(&["a"]);
        for (content, modified, want, why) in [
            ("x", now - Duration::from_secs(2), true, "old enough"),
            ("x", now - Duration::from_millis(1900), false, "too young"),
            ("", now - Duration::from_secs(60), false, "empty"),
            ("x", now + Duration::from_secs(60), false, "from the future"),
        ] {
            fs::write(scratch.path().join("a"), content).unwrap();
            let file = fs::File::options().append(true).open(scratch.path().join("a")).unwrap();
            file.set_modified(modified).unwrap();
            assert_eq!(is_complete(&FileVersion::from_file(&file).unwrap(), now), want, "{why}");
        }
    }

    #[test]
    fn a_single_file_that_became_a_directory_is_no_redirect() {
        let scratch = Scratch::with(&["only"]);
        let site = scratch.site("only", |_| {});
        fs::remove_file(scratch.path().join("only")).unwrap();
        fs::create_dir(scratch.path().join("only")).unwrap();
        // A listing once ROOT is resolved again.
        assert!(["-", "list"].contains(&&*look(&site, "/")));
    }
}
