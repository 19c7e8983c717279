//! Representations of files: validators, header fields and content (RFC 9110 §8).

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::files::version::{FileVersion, TIMESTAMP_STEP_MAX, is_older_than};
use crate::http::conditional::{ETag, Strength, Validators};
use crate::http::date::{HttpDate, LAST_SECOND};
use crate::http::negotiation::ContentCoding;
use crate::http::range::ByteRange;
use crate::http::response::ResponseHeaders;
use crate::http::status::StatusCode;
use crate::net::budget::HeldMemory;

/// A file to be served: its metadata, and where its bytes come from.
#[derive(Debug)]
pub struct ServedFile {
    /// Its metadata.
    pub representation: Arc<Representation>,
    /// Its bytes.
    pub source: FileSource,
}

/// Where the bytes of a file come from.
#[derive(Debug)]
pub enum FileSource {
    /// An open file, which is sent only as long as it stays the same version.
    Disk(Box<OpenFile>),
    /// The cache.
    Memory(Arc<CachedFile>),
}

/// An open file.
#[derive(Debug)]
pub struct OpenFile {
    /// The handle.
    pub file: File,
    /// Its version when its length was determined.
    pub version: FileVersion,
}

/// A file in memory, with its encoded header fields.
#[derive(Debug)]
pub struct CachedFile {
    /// Its metadata.
    pub representation: Arc<Representation>,
    /// The path beneath the root from which it was read.
    pub path: Box<[u8]>,
    /// The field lines of a 200 response.
    pub headers_200: Arc<[u8]>,
    /// The field lines of a 304 response.
    pub headers_304: Arc<[u8]>,
    /// All of its bytes.
    pub content: Box<[u8]>,
    /// Its memory, until nothing refers to it; `None` without a cache.
    pub memory: Option<HeldMemory>,
}

/// The metadata of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Representation {
    /// The value of Content-Type.
    pub media_type: Cow<'static, str>,
    /// Whether it may have been uploaded by anyone and could run scripts, which browsers then must not allow.
    pub is_untrusted: bool,
    /// The value of Cache-Control.
    pub cache_control: Cow<'static, str>,
    /// The coding whose suffix the file has beside the plain one, as `app.js.br`; `None` for the plain file.
    pub coding: Option<ContentCoding>,
    /// The value of Content-Encoding: that coding, or the one that the format of the plain file includes.
    pub content_encoding: Option<ContentCoding>,
    /// Whether Accept-Encoding decided which coding is sent.
    pub varies_by_encoding: bool,
    /// The version that it describes.
    pub version: FileVersion,
    /// Entity tag and modification date.
    pub validators: Validators,
}

impl ServedFile {
    /// Serves a file from memory.
    pub fn from_cached(cached: Arc<CachedFile>) -> ServedFile {
        ServedFile { representation: Arc::clone(&cached.representation), source: FileSource::Memory(cached) }
    }

    /// The header fields of a 200 or 304 response. Those of a cached file are shared, so that sending it allocates nothing.
    pub fn headers(&self, status: StatusCode) -> ResponseHeaders {
        match &self.source {
            FileSource::Disk(_) => self.representation.headers(status),
            FileSource::Memory(cached) if status == StatusCode::NOT_MODIFIED => {
                ResponseHeaders::from_encoded(&cached.headers_304)
            }
            FileSource::Memory(cached) => ResponseHeaders::from_encoded(&cached.headers_200),
        }
    }
}

impl CachedFile {
    /// Creates a file in memory: the `content` of the version that `representation` describes, read from `path`.
    pub fn new(representation: Arc<Representation>, path: Box<[u8]>, content: Vec<u8>) -> CachedFile {
        let [headers_200, headers_304] =
            [StatusCode::OK, StatusCode::NOT_MODIFIED].map(|status| representation.headers(status).encode());
        CachedFile { representation, path, headers_200, headers_304, content: content.into(), memory: None }
    }

    /// The bytes of a range of the content.
    ///
    /// # Errors
    /// The range does not lie within it.
    pub fn part(&self, range: ByteRange) -> io::Result<&[u8]> {
        let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.start + range.length).ok());
        let bytes = bounds.and_then(|(start, end)| self.content.get(start..end));
        bytes.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl Representation {
    fn headers(&self, status: StatusCode) -> ResponseHeaders {
        let mut headers = ResponseHeaders::default();
        if status == StatusCode::OK {
            headers.push("Content-Type", self.media_type.clone());
        }
        self.push_common(&mut headers, status);
        headers
    }

    /// Appends the fields of a 200, 206 or 304 response, except Content-Type and Content-Range. A 304 response has none that describe its
    /// content (RFC 9110 §15.4.5).
    pub fn push_common(&self, headers: &mut ResponseHeaders, status: StatusCode) {
        let has_content = status != StatusCode::NOT_MODIFIED;
        if let Some(coding) = self.content_encoding.filter(|_| has_content) {
            headers.push("Content-Encoding", coding.name());
        }
        if let Some(etag) = &self.validators.etag {
            headers.push("ETag", etag.to_string());
        }
        if let Some(last_modified) = self.validators.last_modified {
            headers.push("Last-Modified", HttpDate::new(last_modified).text);
        }
        if has_content {
            headers.push("Accept-Ranges", "bytes");
        }
        if has_content && self.is_untrusted {
            headers.push("Content-Security-Policy", "sandbox");
        }
        headers.push("Cache-Control", self.cache_control.clone());
        self.push_vary(headers);
    }

    /// Appends `Vary` if other clients may be sent another coding (RFC 9110 §12.5.5).
    pub fn push_vary(&self, headers: &mut ResponseHeaders) {
        if self.varies_by_encoding {
            headers.push("Vary", "Accept-Encoding");
        }
    }
}

/// The validators of a version of a file, at the time of the request. With a content hash there is no Last-Modified: times may then differ
/// between copies, or be equal for all versions, and it is meant for dates that are consistent (RFC 9110 §8.8.2.1).
pub fn validators(version: &FileVersion, hash: Option<&str>, coding: Option<ContentCoding>, now: SystemTime) -> Validators {
    let modified = version.modified;
    // Without a hash and a modification time there is no tag: the length alone would not tell two versions apart.
    let opaque = hash.map(str::to_owned).or_else(|| Some(length_and_time(version.length, modified?)));
    Validators {
        etag: opaque.map(|opaque| etag(opaque, modified, coding, now)),
        last_modified: modified.filter(|_| hash.is_none()).and_then(|modified| last_modified(modified, now)),
    }
}

/// The length of a file, and its modification time in nanoseconds.
fn length_and_time(length: u64, modified: SystemTime) -> String {
    match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => format!("{length:x}-{:x}", after.as_nanos()),
        Err(before) => format!("{length:x}--{:x}", before.duration().as_nanos()),
    }
}

/// The tag of a file. The coding is a part of it, since two codings of one file never share a tag (RFC 9110
/// §8.8.3.3). It is weak for two seconds after the last change, since several writes may fall into one step of the clock (RFC 9110 §8.8.1).
/// A modification time in the future is from another clock, so its tag stays weak.
fn etag(opaque: String, modified: Option<SystemTime>, coding: Option<ContentCoding>, now: SystemTime) -> ETag {
    let is_old = modified.is_some_and(|modified| is_older_than(modified, TIMESTAMP_STEP_MAX, now));
    ETag {
        strength: if is_old { Strength::Strong } else { Strength::Weak },
        opaque: match coding {
            None => opaque,
            Some(coding) => format!("{opaque}-{}", coding.name()),
        },
    }
}

/// The modification time in whole seconds, or the time of the request if that is earlier: a response must not date its content after
/// itself (RFC 9110 §8.8.2.1). `None` for times that no HTTP date can express.
fn last_modified(modified: SystemTime, now: SystemTime) -> Option<SystemTime> {
    let since = modified.min(now).duration_since(UNIX_EPOCH).ok()?;
    (since.as_secs() <= LAST_SECOND).then_some(UNIX_EPOCH + Duration::from_secs(since.as_secs()))
}

#[cfg(test)]
impl Representation {
    /// A file of that media type, served with default options.
    pub(crate) fn of_type(media_type: &'static str, version: &FileVersion, now: SystemTime) -> Representation {
        Representation {
            media_type: media_type.into(),
            is_untrusted: false,
            cache_control: "no-cache".into(),
            coding: None,
            content_encoding: None,
            varies_by_encoding: false,
            version: *version,
            validators: validators(version, None, None, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::new(1_700_000_000, 500);

    #[test]
    #[cfg_attr(windows, ignore = "its clock counts in steps of 100 ns, and not so far")]
    fn validators_of_unusual_times() {
        let after = |secs, nanos| UNIX_EPOCH + Duration::new(secs, nanos);
        let before = |secs, nanos| UNIX_EPOCH - Duration::new(secs, nanos);
        for (modified, tag, date, why) in [
            (after(784_111_777, 1), "\"ff-ae1b981bc490a01\"", Some(784_111_777), "long ago"),
            (after(0, 0), "\"ff-0\"", Some(0), "the first second"),
            (after(1_699_999_998, 400), "\"ff-17979cfdbef46d90\"", Some(1_699_999_998), "two seconds and 100 ns ago"),
            (after(1_699_999_998, 500), "W/\"ff-17979cfdbef46df4\"", Some(1_699_999_998), "two seconds ago"),
            (after(1_700_000_000, 500), "W/\"ff-17979cfe362a01f4\"", Some(1_700_000_000), "just now"),
            (after(1_700_000_001, 0), "W/\"ff-17979cfe71c4ca00\"", Some(1_700_000_000), "in a second"),
            (after(999_999_999_999, 0), "W/\"ff-3635c9adc5a3053600\"", Some(1_700_000_000), "in the year 33658"),
            (before(0, 1), "\"ff--1\"", None, "before 1970"),
            (before(2_177_452_800, 0), "\"ff--1e37ddc8f32e0000\"", None, "1901"),
        ] {
            let now = UNIX_EPOCH + NOW;
            assert_eq!(etag(length_and_time(255, modified), Some(modified), None, now).to_string(), tag, "{why}");
            assert_eq!(last_modified(modified, now), date.map(|secs| after(secs, 0)), "{why}");
        }
        let coded = etag("ff-1".into(), Some(after(784_111_777, 1)), Some(ContentCoding::Brotli), UNIX_EPOCH + NOW);
        assert_eq!(coded.to_string(), "\"ff-1-br\"", "the same in another coding");
        for (modified, coding, tag, why) in [
            (Some(after(784_111_777, 1)), None, "\"0a1b\"", "the time is not part of it"),
            (Some(after(1_699_999_998, 500)), None, "W/\"0a1b\"", "two seconds old"),
            (Some(after(784_111_777, 1)), Some(ContentCoding::Brotli), "\"0a1b-br\"", "in another coding"),
            (None, None, "W/\"0a1b\"", "modification time unknown"),
        ] {
            assert_eq!(etag("0a1b".into(), modified, coding, UNIX_EPOCH + NOW).to_string(), tag, "{why}");
        }
        let year_33658 = after(999_999_999_999, 0);
        assert_eq!(last_modified(year_33658, year_33658), None, "a year that no HTTP date can express");
    }
}
