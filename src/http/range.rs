//! Byte ranges (RFC 9110 §14.1, §14.2).
//!
//! An invalid Range field is ignored: the client receives the full representation, as from a server without support for ranges. Only a valid
//! set without any satisfiable range is an error.

use crate::http::grammar::{list, parse_decimal, split_once, strip_prefix_ignore_case};

/// Ranges of one request that ascend without overlap, as zsync sends dozens of them. Each part has a header of its own, shorter than 150
/// bytes and the media type, so a response exceeds the file by less than 40 KB.
pub const RANGES_MAX: usize = 200;
/// Ranges of one request in any other order, each of which is compared with all before it.
const UNORDERED_RANGES_MAX: usize = 16;

/// A contiguous part of a representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// Index of the first byte.
    pub start: u64,
    /// Number of bytes; at least one in a [`RangeSet`].
    pub length: u64,
}

/// The parts of a representation that a Range field selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeSet {
    /// The full representation, status 200: the field is absent or ignored, or the representation is empty.
    Full,
    /// One part, status 206.
    Single(ByteRange),
    /// Two or more parts that do not overlap, in the order requested: status 206 as multipart/byteranges.
    Multiple(Vec<ByteRange>),
    /// No range contains a byte of the representation, status 416.
    Unsatisfiable,
}

impl ByteRange {
    /// Returns the index of the last byte.
    pub fn last(&self) -> u64 {
        self.start.saturating_add(self.length.saturating_sub(1))
    }

    fn overlaps(&self, other: &ByteRange) -> bool {
        self.start <= other.last() && other.start <= self.last()
    }
}

/// Evaluates the value of a Range field for a representation of `length` bytes.
// Range = range-unit "=" range-set ; range-set = 1#range-spec
pub fn parse_range(value: Option<&[u8]>, length: u64) -> RangeSet {
    // Range units are case-insensitive (RFC 9110 §14.1).
    let Some(set) = value.and_then(|value| strip_prefix_ignore_case(value, b"bytes=")) else { return RangeSet::Full };
    let (mut parts, mut count, mut is_ascending): (Vec<ByteRange>, _, _) = (Vec::new(), 0, true);
    for spec in list(set) {
        count += 1;
        let Ok(part) = parse_spec(spec, length) else { return RangeSet::Full };
        is_ascending &= part.zip(parts.last()).is_none_or(|(part, before)| part.start > before.last());
        // §14.2 permits to ignore overlapping and many small ranges, which no client needs.
        if count > if is_ascending { RANGES_MAX } else { UNORDERED_RANGES_MAX }
            || !is_ascending && part.is_some_and(|part| parts.iter().any(|other| part.overlaps(other)))
        {
            return RangeSet::Full;
        }
        parts.extend(part);
    }
    match *parts {
        [] if count == 0 => RangeSet::Full,
        [] => RangeSet::Unsatisfiable,
        // §14.2 permits to ignore ranges of an empty representation, and no 206 could describe such a part.
        [ByteRange { length: 0, .. }] => RangeSet::Full,
        [part] => RangeSet::Single(part),
        _ => RangeSet::Multiple(parts),
    }
}

/// A range or a position that breaks the grammar.
struct Malformed;

/// Returns the part that one range selects, which has no bytes only if the representation is empty; `None` if it is unsatisfiable.
// range-spec = int-range / suffix-range ; int-range = first-pos "-" [ last-pos ] ; suffix-range = "-" suffix-length
fn parse_spec(spec: &[u8], length: u64) -> Result<Option<ByteRange>, Malformed> {
    let (first, last) = split_once(spec, b"-").ok_or(Malformed)?;
    let (start, end) = match (parse_position(first)?, parse_position(last)?) {
        (None, Some(0)) => return Ok(None),
        (None, Some(suffix)) => (length.saturating_sub(suffix), length),
        (Some(first), None) => (first, length),
        (Some(first), Some(last)) if first <= last => (first, length.min(last.saturating_add(1))),
        (None, None) | (Some(_), Some(_)) => return Err(Malformed),
    };
    // A suffix is satisfiable whatever the length (§14.1.2). Clients that ask for the first bytes of any file expect an empty one as well.
    let is_satisfiable = start < end || start == 0 && length == 0;
    Ok(is_satisfiable.then(|| ByteRange { start, length: end - start }))
}

/// Parses one side of the dash, which may be empty. A number above 2^64 - 1 is valid, and lies beyond the end of every representation.
// first-pos = 1*DIGIT ; last-pos = 1*DIGIT ; suffix-length = 1*DIGIT
fn parse_position(text: &[u8]) -> Result<Option<u64>, Malformed> {
    if !text.iter().all(u8::is_ascii_digit) {
        return Err(Malformed);
    }
    Ok((!text.is_empty()).then(|| parse_decimal(text).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(start: u64, length: u64) -> ByteRange {
        ByteRange { start, length }
    }

    #[test]
    fn ranges_of_ten_bytes() {
        use RangeSet::{Full, Multiple, Single, Unsatisfiable};
        for (value, want, why) in [
            ("bytes=0-0", Single(part(0, 1)), "one byte"),
            ("bytes=0-1", Single(part(0, 2)), "the first request of Safari for a video"),
            ("bytes=2-", Single(part(2, 8)), "to the end"),
            ("bytes=-3", Single(part(7, 3)), "the last three bytes"),
            ("bytes=-10", Single(part(0, 10)), "a suffix of the full length"),
            ("bytes=-11", Single(part(0, 10)), "a suffix longer than the representation"),
            ("bytes=5-99", Single(part(5, 5)), "cut at the end"),
            ("bytes=9-9", Single(part(9, 1)), "the last byte"),
            ("bytes=10-", Unsatisfiable, "one byte beyond the end"),
            ("bytes=10-20", Unsatisfiable, "start and end beyond the end"),
            ("bytes=-0", Unsatisfiable, "an empty suffix"),
            ("BYTES=0-0", Single(part(0, 1)), "the unit ignores case"),
            ("bytes=007-008", Single(part(7, 2)), "leading zeros"),
            ("bytes=0-99999999999999999999", Single(part(0, 10)), "more than 64 bits"),
            ("bytes=-99999999999999999999", Single(part(0, 10)), "more than 64 bits"),
            ("bytes=99999999999999999999-", Unsatisfiable, "more than 64 bits"),
            ("bytes=18446744073709551615-18446744073709551615", Unsatisfiable, "the largest position"),
            ("bytes=0-0,2-2", Multiple(vec![part(0, 1), part(2, 1)]), "two ranges"),
            ("bytes=5-6 ,\t0-1", Multiple(vec![part(5, 2), part(0, 2)]), "the order of the request is kept"),
            ("bytes=,0-0,,2-2,", Multiple(vec![part(0, 1), part(2, 1)]), "empty members"),
            ("bytes=0-1,2-3", Multiple(vec![part(0, 2), part(2, 2)]), "adjacent ranges do not overlap"),
            ("bytes=0-1,1-2", Full, "one byte overlaps"),
            ("bytes=3-4,-10", Full, "one range inside the other"),
            ("bytes=0-0,20-", Single(part(0, 1)), "only one of two is satisfiable"),
            ("bytes=20-,30-40", Unsatisfiable, "neither of two is satisfiable"),
            ("bytes=0-0,x", Full, "one invalid range invalidates the set"),
            ("bytes=20-,x", Full, "invalid takes precedence over unsatisfiable"),
            ("bytes=2-1", Full, "end before start"),
            ("bytes=", Full, "an empty set"),
            ("bytes=,", Full, "only an empty member"),
            ("bytes=-", Full, "no number"),
            ("bytes=1", Full, "no dash"),
            ("bytes=+1-2", Full, "a sign"),
            ("bytes=1-+2", Full, "a sign"),
            ("bytes=0x1-2", Full, "hexadecimal"),
            ("bytes=1 - 2", Full, "spaces inside a range"),
            ("bytes=1--2", Full, "two dashes"),
            ("bytes=--2", Full, "two dashes"),
            ("bytes=\"0-0\"", Full, "quotes"),
            ("bytes 0-1", Full, "no equals sign"),
            ("bytes =0-1", Full, "a space before the equals sign"),
            ("lines=0-1", Full, "another unit"),
            ("", Full, "empty"),
        ] {
            assert_eq!(parse_range(Some(value.as_bytes()), 10), want, "{value}: {why}");
        }
        assert_eq!(parse_range(None, 10), Full, "no field");
    }

    #[test]
    fn ranges_of_an_empty_file() {
        use RangeSet::{Full, Unsatisfiable};
        for (value, want, why) in [
            ("bytes=0-", Full, "from the first byte"),
            ("bytes=0-0", Full, "the first byte"),
            ("bytes=0-1023", Full, "the first bytes"),
            ("bytes=-1", Full, "a suffix is satisfiable for any length"),
            ("bytes=-18446744073709551616", Full, "a suffix of more than 64 bits"),
            ("bytes=0-,-5", Full, "both are"),
            ("bytes=5-,0-", Full, "one of them is"),
            ("bytes=-0", Unsatisfiable, "an empty suffix never is"),
            ("bytes=1-", Unsatisfiable, "the client has more than there is"),
            ("bytes=1-1,-0", Unsatisfiable, "neither is"),
        ] {
            assert_eq!(parse_range(Some(value.as_bytes()), 0), want, "{value}: {why}");
        }
    }

    #[test]
    fn range_of_the_largest_file_does_not_overflow() {
        for (value, want) in [
            ("bytes=0-", part(0, u64::MAX)),
            ("bytes=18446744073709551614-18446744073709551615", part(u64::MAX - 1, 1)),
            ("bytes=-18446744073709551615", part(0, u64::MAX)),
        ] {
            assert_eq!(parse_range(Some(value.as_bytes()), u64::MAX), RangeSet::Single(want), "{value}");
        }
    }

    #[test]
    fn number_of_ranges_is_limited() {
        let ascending = |count: usize| (0..count).map(|n| format!("{}-{}", n * 2, n * 2)).collect::<Vec<_>>();
        let descending = |count| ascending(count).into_iter().rev().collect();
        let last_first = |count| [vec!["999-".to_owned()], ascending(count - 1)].concat();
        let overlapping = |count| [ascending(count - 1), vec![format!("{}-999", (count - 2) * 2)]].concat();
        let beyond = |count| [ascending(1), vec!["1000-".to_owned(); count - 1]].concat();
        type Case<'a> = (&'a dyn Fn(usize) -> Vec<String>, usize, Option<usize>, &'a str);
        let cases: [Case<'_>; 9] = [
            (&ascending, RANGES_MAX, Some(RANGES_MAX), "ascending"),
            (&ascending, RANGES_MAX + 1, None, "one more"),
            (&descending, UNORDERED_RANGES_MAX, Some(UNORDERED_RANGES_MAX), "descending"),
            (&descending, UNORDERED_RANGES_MAX + 1, None, "one more"),
            (&last_first, UNORDERED_RANGES_MAX, Some(UNORDERED_RANGES_MAX), "one is out of order"),
            (&last_first, UNORDERED_RANGES_MAX + 1, None, "one more"),
            (&overlapping, RANGES_MAX, None, "the last two share a byte"),
            (&beyond, RANGES_MAX, Some(1), "those that have no byte count too"),
            (&beyond, RANGES_MAX + 1, None, "one more"),
        ];
        for (specs, count, parts, why) in cases {
            let got = match parse_range(Some(format!("bytes={}", specs(count).join(",")).as_bytes()), 1000) {
                RangeSet::Multiple(parts) => Some(parts.len()),
                RangeSet::Single(_) => Some(1),
                RangeSet::Full => None,
                RangeSet::Unsatisfiable => Some(0),
            };
            assert_eq!(got, parts, "{count} ranges, {why}");
        }
    }
}
