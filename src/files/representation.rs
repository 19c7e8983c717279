//! What is there to say about a file before it is sent? (RFC 9110 §8)

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::files::version::FileVersion;
use crate::http::conditional::{ETag, Strength, Validators};
use crate::http::date::HttpDate;
use crate::http::negotiation::ContentCoding;
use crate::http::response::ResponseHeaders;

/// The last second that an HTTP date can name: its year has four digits.
const LAST_DATE: Duration = Duration::from_secs(253_402_300_799);

/// A tag without its quotes: length in 16 digits, two dashes, nanoseconds in 24 (a second count of 64 bits times 10⁹), and a coding; or
/// 40 digits of a hash, and a coding.
const OPAQUE_BYTES_MAX: usize = 48;

/// A file, as its recipient is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Representation {
    /// Its media type, as Content-Type has it.
    pub media_type: Cow<'static, str>,
    /// How long a cache may use it without asking, as Cache-Control has it.
    pub cache_control: Cow<'static, str>,
    /// In which coding its bytes are.
    pub coding: Option<ContentCoding>,
    /// Whether another client might have been sent another coding.
    pub choice: Choice,
    /// Its length in bytes.
    pub length: u64,
    /// By what this version is told from others.
    pub validators: Validators,
}

/// Whether what is sent depends on the codings that a client accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// There is one form of it.
    None,
    /// There may be several, and Accept-Encoding has decided.
    ByCoding,
}

/// What is said of a file because of its path and of nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMetadata {
    /// Its media type.
    pub media_type: Cow<'static, str>,
    /// How long a cache may use it without asking.
    pub cache_control: Cow<'static, str>,
    /// In which coding its bytes are.
    pub coding: Option<ContentCoding>,
    /// Whether that was chosen.
    pub choice: Choice,
}

/// A hash of the content of a file, in hexadecimal digits: two files with the same one are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentHash(pub Arc<str>);

/// A representation that is in memory with all that is sent of it.
#[derive(Debug)]
pub struct CachedFile {
    /// What is said about it.
    pub representation: Representation,
    /// Which version of the file it is.
    pub stamp: FileVersion,
    /// The field lines of an answer that carries all of it.
    pub headers_200: Arc<[u8]>,
    /// The field lines of an answer that says that the client has it already.
    pub headers_304: Arc<[u8]>,
    /// Its bytes.
    pub content: Box<[u8]>,
}

impl FileMetadata {
    /// A file of that media type, of which nothing else is known.
    #[cfg(test)]
    pub(crate) fn of_type(media_type: &'static str) -> FileMetadata {
        FileMetadata { media_type: media_type.into(), cache_control: "no-cache".into(), coding: None, choice: Choice::None }
    }
}

impl Representation {
    /// What is true at the time of the request of a file with that stamp, and with that hash if its content has been looked at.
    pub fn of(stamp: &FileVersion, digest: Option<&ContentHash>, description: FileMetadata, now: SystemTime) -> Representation {
        let FileMetadata { media_type, cache_control, coding, choice } = description;
        let length = stamp.length;
        let validators = match (digest, stamp.modified) {
            // Who asks for hashes does not trust the times: they may differ between copies, or be the same for all versions. Last-Modified
            // is for a date that can be told consistently (RFC 9110 §8.8.2.1), so there is none.
            (Some(digest), modified) => {
                Validators { etag: Some(etag_of_content(digest, modified, coding, now)), last_modified: None }
            }
            (None, Some(modified)) => {
                Validators { etag: Some(etag(length, modified, coding, now)), last_modified: last_modified(modified, now) }
            }
            // The length alone would call two versions of one length the same.
            (None, None) => Validators { etag: None, last_modified: None },
        };
        Representation { media_type, cache_control, coding, choice, length, validators }
    }

    /// The fields of an answer that carries all of it.
    pub fn headers_200(&self) -> ResponseHeaders {
        let mut fields = ResponseHeaders::default();
        fields.push("Content-Type", self.media_type.clone());
        self.push_common(&mut fields);
        fields
    }

    /// Appends the fields that every answer with its content has, or with a part of it.
    pub fn push_common(&self, fields: &mut ResponseHeaders) {
        if let Some(coding) = self.coding {
            fields.push("Content-Encoding", coding.name());
        }
        self.push_validators(fields);
        fields.push("Accept-Ranges", "bytes");
        fields.push("Cache-Control", self.cache_control.clone());
        self.choice.push_vary(fields);
    }

    /// The fields of an answer that says that the client has it already (RFC 9110 §15.4.5).
    pub fn headers_304(&self) -> ResponseHeaders {
        let mut fields = ResponseHeaders::default();
        self.push_validators(&mut fields);
        fields.push("Cache-Control", self.cache_control.clone());
        self.choice.push_vary(&mut fields);
        fields
    }

    fn push_validators(&self, fields: &mut ResponseHeaders) {
        if let Some(etag) = &self.validators.etag {
            fields.push("ETag", etag.to_string());
        }
        if let Some(last_modified) = self.validators.last_modified {
            fields.push("Last-Modified", HttpDate::new(last_modified).into_text());
        }
    }
}

impl Choice {
    /// Appends what tells a cache that others may get something else (RFC 9110 §12.5.5).
    pub fn push_vary(self, fields: &mut ResponseHeaders) {
        match self {
            Choice::None => {}
            Choice::ByCoding => fields.push("Vary", "Accept-Encoding"),
        }
    }
}

impl CachedFile {
    /// A representation of that version of a file, with its content and all that is sent before it.
    pub fn new(representation: Representation, stamp: FileVersion, content: Vec<u8>) -> CachedFile {
        let (fields, fields_not_modified) = (representation.headers_200().encode(), representation.headers_304().encode());
        CachedFile { representation, stamp, headers_200: fields, headers_304: fields_not_modified, content: content.into() }
    }

    /// So many of its bytes, from that one on, as far as it has them.
    pub fn part(&self, start: u64, length: u64) -> &[u8] {
        let of = |number| usize::try_from(number).unwrap_or(usize::MAX);
        let rest = self.content.get(of(start)..).unwrap_or_default();
        rest.get(..of(length)).unwrap_or(rest)
    }
}

/// The tag of a file: its length, and when it last changed in nanoseconds, so that two versions within a second differ.
///
/// It is weak while the file may still change without the tag changing. File systems count time in steps, and many writes fall
/// into one: only when a second has passed since the last change do we know that there was no other in the same step (RFC 9110
/// §8.8.2.2 asks the same of dates). A file from the future was written by another clock, of which we know nothing: it stays
/// weak.
///
/// Two codings of one file are two representations, and never share a tag (§8.8.3.3): the coding is a part of it.
fn etag(length: u64, modified: SystemTime, coding: Option<ContentCoding>, now: SystemTime) -> ETag {
    let strength = strength(modified, now);
    // As long as it can become: growing it would deepen the stack; see `conn::serve`.
    let mut opaque = String::with_capacity(OPAQUE_BYTES_MAX);
    // A String takes whatever it is given.
    let _ = match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => write!(opaque, "{length:x}-{:x}", after.as_nanos()),
        Err(before) => write!(opaque, "{length:x}--{:x}", before.duration().as_nanos()),
    };
    push_coding(&mut opaque, coding);
    ETag { strength, opaque }
}

/// The tag of a file whose content has been looked at. What has just changed may change again between the look and the sending, so
/// the same rule makes it weak.
fn etag_of_content(digest: &ContentHash, modified: Option<SystemTime>, coding: Option<ContentCoding>, now: SystemTime) -> ETag {
    let mut opaque = String::with_capacity(OPAQUE_BYTES_MAX);
    opaque.push_str(&digest.0);
    push_coding(&mut opaque, coding);
    ETag { strength: modified.map_or(Strength::Weak, |modified| strength(modified, now)), opaque }
}

fn strength(modified: SystemTime, now: SystemTime) -> Strength {
    let age = now.duration_since(modified).unwrap_or_default();
    if age >= Duration::from_secs(1) { Strength::Strong } else { Strength::Weak }
}

fn push_coding(opaque: &mut String, coding: Option<ContentCoding>) {
    if let Some(coding) = coding {
        opaque.push('-');
        opaque.push_str(coding.name());
    }
}

/// When a file last changed, in whole seconds; the time of the request if that is earlier, since a response must not date what it
/// carries after itself (RFC 9110 §8.8.2.1). `None` for what no HTTP date can name.
fn last_modified(modified: SystemTime, now: SystemTime) -> Option<SystemTime> {
    let since = modified.min(now).duration_since(UNIX_EPOCH).ok()?;
    (since <= LAST_DATE).then_some(UNIX_EPOCH + Duration::from_secs(since.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::new(1_700_000_000, 500);

    #[test]
    #[cfg_attr(windows, ignore = "its clock counts in steps of 100 ns, and not so far")]
    fn validators_of_odd_times() {
        let after = |secs, nanos| UNIX_EPOCH + Duration::new(secs, nanos);
        let before = |secs, nanos| UNIX_EPOCH - Duration::new(secs, nanos);
        for (modified, tag, date, why) in [
            (after(784_111_777, 1), "\"ff-ae1b981bc490a01\"", Some(784_111_777), "long ago"),
            (after(0, 0), "\"ff-0\"", Some(0), "the first second"),
            (after(1_699_999_999, 500), "\"ff-17979cfdfa8f37f4\"", Some(1_699_999_999), "a second ago"),
            (after(1_699_999_999, 501), "W/\"ff-17979cfdfa8f37f5\"", Some(1_699_999_999), "a nanosecond less"),
            (after(1_700_000_000, 500), "W/\"ff-17979cfe362a01f4\"", Some(1_700_000_000), "just now"),
            (after(1_700_000_001, 0), "W/\"ff-17979cfe71c4ca00\"", Some(1_700_000_000), "in a second"),
            (after(999_999_999_999, 0), "W/\"ff-3635c9adc5a3053600\"", Some(1_700_000_000), "in the year 33658"),
            (before(0, 1), "\"ff--1\"", None, "before 1970"),
            (before(2_177_452_800, 0), "\"ff--1e37ddc8f32e0000\"", None, "1901"),
        ] {
            let now = UNIX_EPOCH + NOW;
            assert_eq!(etag(255, modified, None, now).to_string(), tag, "{why}");
            assert_eq!(last_modified(modified, now), date.map(|secs| after(secs, 0)), "{why}");
        }
        let coded = etag(255, after(784_111_777, 1), Some(ContentCoding::Brotli), UNIX_EPOCH + NOW);
        assert_eq!(coded.to_string(), "\"ff-ae1b981bc490a01-br\"", "the same in another coding");
        let digest = ContentHash("0a1b".into());
        for (modified, coding, tag, why) in [
            (Some(after(784_111_777, 1)), None, "\"0a1b\"", "its time is not in it"),
            (Some(after(1_699_999_999, 501)), None, "W/\"0a1b\"", "younger than a second"),
            (Some(after(784_111_777, 1)), Some(ContentCoding::Brotli), "\"0a1b-br\"", "in another coding"),
            (None, None, "W/\"0a1b\"", "nobody knows since when"),
        ] {
            assert_eq!(etag_of_content(&digest, modified, coding, UNIX_EPOCH + NOW).to_string(), tag, "{why}");
        }
        let year_33658 = after(999_999_999_999, 0);
        assert_eq!(last_modified(year_33658, year_33658), None, "a clock that is no better");
    }
}
