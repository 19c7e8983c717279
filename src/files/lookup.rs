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

/// The page of a site for missing files, relative to the root.
pub const ERROR_DOCUMENT_404: &[u8] = b"404.html";
/// How long a missing [`ERROR_DOCUMENT_404`] is not looked for again, since that costs as much as the lookup before it.
const ABSENCE_MAX_AGE: Duration = Duration::from_millis(500);

/// Age at which a compressed file is taken to be complete. Build tools write them in pieces, and rarely pause for so long.
const SETTLING_TIME: Duration = Duration::from_secs(2);

/// What a path means.
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
    let root = match site.current.get() {
        Ok(root) => root,
        Err(error) => return Resource::Unavailable(error),
    };
    match lookup_beneath(site, &root, target, codings, now) {
        // Nothing is found in a directory that was removed, but ROOT may name another one now.
        Resource::NotFound if root.is_removed() => match site.current.get_now() {
            Ok(root) => lookup_beneath(site, &root, target, codings, now),
            Err(error) => Resource::Unavailable(error),
        },
        found => found,
    }
}

fn lookup_beneath(
    site: &Site,
    root: &Arc<Root>,
    target: &RequestTarget<'_>,
    codings: Option<&AcceptedCodings>,
    now: SystemTime,
) -> Resource {
    let Some(path) = target.path().strip_prefix(b"/") else { return Resource::NotFound };
    let path = match root.single_file() {
        // The user named it, so it is served even if it is hidden.
        Some(only) if path.is_empty() || path == only => only,
        Some(_) => return Resource::NotFound,
        None if is_hidden(site, target.segments()) => return Resource::NotFound,
        None if path.is_empty() => return directory(site, root, path, codings, now),
        None => match path.strip_suffix(b"/") {
            Some(path) => return directory(site, root, path, codings, now),
            None => path,
        },
    };
    match file(site, root, path, codings, now) {
        Ok(Some(found)) => found,
        // The only file has become a directory: ROOT is resolved again soon.
        Ok(None) if root.single_file().is_some() => Resource::NotFound,
        Ok(None) => Resource::MovedPermanently(with_slash(target)),
        Err(error) => open_error(error),
    }
}

/// Looks up the site's own page for missing files. That there is none is remembered for [`ABSENCE_MAX_AGE`].
pub fn error_document_404(site: &Site, now: SystemTime) -> Resource {
    let absent_since = || site.no_error_document_since.lock().unwrap_or_else(PoisonError::into_inner);
    if absent_since().is_some_and(|since| since.elapsed() < ABSENCE_MAX_AGE) {
        return Resource::NotFound;
    }
    let found = match site.current.get() {
        Ok(root) if root.single_file().is_none() => {
            let found = file(site, &root, ERROR_DOCUMENT_404, None, now);
            found.unwrap_or_else(|error| Some(open_error(error))).unwrap_or(Resource::NotFound)
        }
        Ok(_) | Err(_) => Resource::NotFound,
    };
    if matches!(found, Resource::NotFound) {
        *absent_since() = Some(Instant::now());
    }
    found
}

/// Looks up the first page of a single-page application: the index of the root, or the only file.
pub fn fallback_index(site: &Site, codings: Option<&AcceptedCodings>, now: SystemTime) -> Resource {
    let Ok(root) = site.current.get() else { return Resource::NotFound };
    let found = match root.single_file() {
        Some(only) => file(site, &root, only, codings, now).unwrap_or_else(|error| Some(open_error(error))),
        None => index(site, &root, b"", codings, now),
    };
    found.unwrap_or(Resource::NotFound)
}

/// Whether a segment of the path begins with a dot, or is an incomplete upload. `/.well-known/` is public by definition (RFC 8615).
pub fn is_hidden<'a>(site: &Site, segments: impl Iterator<Item = &'a [u8]>) -> bool {
    let is_hidden = |(depth, segment): (usize, &[u8])| segment.starts_with(b".") && !(depth == 0 && segment == b".well-known");
    segments.enumerate().any(|segment| !site.serve_hidden && is_hidden(segment) || is_incomplete_file(segment.1))
}

/// The last segment of a path with the slash that relative links in the pages of a directory need. It is relative to the path (RFC 9110
/// §10.2.2), so that it names no other host, and is right where a proxy serves this below a prefix.
fn with_slash(target: &RequestTarget<'_>) -> String {
    let query = target.query.map(|query| format!("?{}", String::from_utf8_lossy(query))).unwrap_or_default();
    format!("{}/{query}", encode_path(target.segments().last().unwrap_or_default()))
}

/// A directory, by its path without the slash at its end.
fn directory(site: &Site, root: &Arc<Root>, path: &[u8], codings: Option<&AcceptedCodings>, now: SystemTime) -> Resource {
    // The index first: most directories have one, which takes a single open.
    if let Some(found) = index(site, root, path, codings, now) {
        return found;
    }
    // `root` may be half a second old, and a listing must show what ROOT names now.
    match site.current.get_now() {
        Ok(current) if Arc::ptr_eq(&current, root) => directory_listing(site, root, path),
        Ok(current) => index(site, &current, path, codings, now).unwrap_or_else(|| directory_listing(site, &current, path)),
        Err(error) => Resource::Unavailable(error),
    }
}

/// The index file of a directory, or the error because of which it is unknown whether there is one.
fn index(site: &Site, root: &Root, path: &[u8], codings: Option<&AcceptedCodings>, now: SystemTime) -> Option<Resource> {
    site.index.iter().find_map(|name| match file(site, root, &join(path, name.as_bytes()), codings, now) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(Resource::Error(error)),
    })
}

fn directory_listing(site: &Site, root: &Arc<Root>, path: &[u8]) -> Resource {
    if !site.listing {
        return Resource::NotFound;
    }
    match root.open_beneath(path) {
        Ok(Opened::Directory(handle)) => {
            Resource::Directory(Directory { root: Arc::clone(root), handle, serve_hidden: site.serve_hidden })
        }
        // A file with a slash at its end: relative links in it would lead to paths beneath the file.
        Ok(Opened::File(..)) => Resource::NotFound,
        Err(error) => open_error(error),
    }
}

fn open_error(error: io::Error) -> Resource {
    if error.kind() == io::ErrorKind::NotFound { Resource::NotFound } else { Resource::Error(error) }
}

/// The file at a path, in the coding that suits the client best (RFC 9110 §12.5.3); `None` for a directory.
///
/// With `--precompressed`, `app.js.br` is the Brotli-compressed form of `app.js`. It is opened by the same rules, and ignored if it
/// cannot be opened, is empty, younger than two seconds or older than `app.js`, since it may then be incomplete or out of date.
fn file(
    site: &Site,
    root: &Root,
    path: &[u8],
    codings: Option<&AcceptedCodings>,
    now: SystemTime,
) -> io::Result<Option<Resource>> {
    let Some(plain) = file_in_coding(site, root, path, None, now)? else { return Ok(None) };
    // A file that is compressed by definition has no other forms, and is sent to every client.
    let is_plain = plain.representation.content_encoding.is_none();
    let Some(codings) = codings.filter(|_| is_plain) else { return Ok(Some(Resource::File(plain))) };
    for coding in codings.preferred.into_iter().flatten() {
        if let Ok(Some(coded)) = file_in_coding(site, root, path, Some((coding, &plain)), now)
            && is_complete(coded.version(), now)
            && is_not_older(coded.version(), plain.version())
        {
            return Ok(Some(Resource::File(coded)));
        }
    }
    Ok(Some(if codings.identity_allowed { Resource::File(plain) } else { Resource::NotAcceptable }))
}

/// The file at a path, or a coding of that plain file, from memory if it is cached and unchanged; `None` for a directory.
fn file_in_coding(
    site: &Site,
    root: &Root,
    path: &[u8],
    coded: Option<(ContentCoding, &ServedFile)>,
    now: SystemTime,
) -> io::Result<Option<ServedFile>> {
    let coding = coded.map(|(coding, _)| coding);
    if let Some(cached) = site.cache.get(root, path, coding) {
        return Ok(Some(ServedFile::from_cached(cached)));
    }
    let Opened::File(file, version) = root.open_beneath(&coded_path(path, coding))? else { return Ok(None) };
    let open = OpenFile { file, version };
    let representation = Arc::new(describe(site, path, coded, &open, now));
    Ok(Some(match site.cache.insert(root, path, &representation, &open, now) {
        Some(cached) => ServedFile::from_cached(cached),
        None => ServedFile { representation, source: FileSource::Disk(Box::new(open)) },
    }))
}

/// Whether a compressed file is likely to be written completely: it is not empty, and nothing was written to it for two seconds.
fn is_complete(coded: &FileVersion, now: SystemTime) -> bool {
    let age = coded.modified.and_then(|modified| now.duration_since(modified).ok());
    coded.length > 0 && age.is_some_and(|age| age >= SETTLING_TIME)
}

/// Whether a compressed file can have been made from this version of the plain one. Compressors copy the modification time, so equal times
/// pass. A second write within the resolution of the file system's clock is not detected. Without modification times, the answer is no.
fn is_not_older(coded: &FileVersion, plain: &FileVersion) -> bool {
    coded.modified.zip(plain.modified).is_some_and(|(coded, plain)| coded >= plain)
}

fn describe(
    site: &Site,
    path: &[u8],
    coded: Option<(ContentCoding, &ServedFile)>,
    open: &OpenFile,
    now: SystemTime,
) -> Representation {
    let (coding, plain) = coded.unzip();
    let hash = match site.etag_source {
        EtagSource::Mtime => None,
        EtagSource::Content => site.hashes.get(&open.file, &open.version),
    };
    let (media_type, own_coding) = match plain {
        Some(plain) => (plain.representation.media_type.clone(), None),
        None => media_type::of_file(path, &site.typing, open),
    };
    Representation {
        is_untrusted: site.uploads.as_ref().is_some_and(|uploads| uploads.is_untrusted(path, &media_type)),
        media_type,
        cache_control: site.caching.header_for(path),
        coding,
        content_encoding: coding.or(own_coding),
        varies_by_encoding: site.varies_by_encoding && own_coding.is_none(),
        length: open.version.length,
        validators: validators(&open.version, hash.as_ref(), coding, now),
    }
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
                assert_eq!(representation.length, u64::try_from(content.len()).unwrap());
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
            (found.representation.length, &*found.representation.media_type),
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
