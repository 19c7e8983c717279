//! What is there to say about a file before it is sent? (RFC 9110 §8)

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::semantics::conditional::{ETag, Strength, Validators};
use crate::site::lookup::OpenFile;
use crate::site::media_type;

/// The last second that an HTTP date can name: its year has four digits.
const LAST_DATE: Duration = Duration::from_secs(253_402_300_799);

/// A file, as its recipient is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Representation {
    /// Its media type, as Content-Type has it.
    pub media_type: Cow<'static, str>,
    /// Its length in bytes.
    pub length: u64,
    /// By what this version is told from others.
    pub validators: Validators,
}

impl Representation {
    /// What is true of an open file at the time of the request.
    pub fn of(found: &OpenFile, now: SystemTime) -> Representation {
        let length = found.stamp.length;
        let validators = match found.stamp.modified {
            Some(modified) => Validators { etag: Some(etag(length, modified, now)), last_modified: last_modified(modified, now) },
            // The length alone would call two versions of one length the same.
            None => Validators { etag: None, last_modified: None },
        };
        Representation { media_type: media_type::of_name(&found.name), length, validators }
    }
}

/// The tag of a file: its length, and when it last changed in nanoseconds, so that two versions within a second differ.
///
/// It is weak while the file may still change without the tag changing. File systems count time in steps, and many writes fall
/// into one: only when a second has passed since the last change do we know that there was no other in the same step (RFC 9110
/// §8.8.2.2 asks the same of dates). A file from the future was written by another clock, of which we know nothing: it stays
/// weak.
fn etag(length: u64, modified: SystemTime, now: SystemTime) -> ETag {
    let age = now.duration_since(modified).unwrap_or_default();
    let strength = if age >= Duration::from_secs(1) { Strength::Strong } else { Strength::Weak };
    let opaque = match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => format!("{length:x}-{:x}", after.as_nanos()),
        Err(before) => format!("{length:x}--{:x}", before.duration().as_nanos()),
    };
    ETag { strength, opaque }
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
            assert_eq!(etag(255, modified, now).to_string(), tag, "{why}");
            assert_eq!(last_modified(modified, now), date.map(|secs| after(secs, 0)), "{why}");
        }
        let year_33658 = after(999_999_999_999, 0);
        assert_eq!(last_modified(year_33658, year_33658), None, "a clock that is no better");
    }
}
