//! Byte ranges (RFC 9110 §14.1, §14.2).
//!
//! An invalid Range field is ignored: the client receives the full representation, as from a server without support for ranges. Only a valid
//! set without any satisfiable range is an error.

use crate::http::grammar::{list, parse_decimal};

/// Ranges of one request. Each part has a header of its own, so many tiny ranges would turn a small file into a large response.
pub const RANGES_MAX: usize = 16;

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
    /// The full representation, status 200: the field is absent or ignored.
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
    let set = value.and_then(|value| value.split_at_checked(b"bytes=".len()));
    let Some((unit, set)) = set else { return RangeSet::Full };
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return RangeSet::Full;
    }
    let (mut parts, mut count) = (Vec::new(), 0);
    for spec in list(set) {
        count += 1;
        if count > RANGES_MAX {
            return RangeSet::Full;
        }
        match parse_spec(spec, length) {
            Spec::Malformed => return RangeSet::Full,
            Spec::Unsatisfiable => {}
            // §14.2 permits to ignore overlapping ranges, which no client needs.
            Spec::Satisfiable(part) if parts.iter().any(|other| part.overlaps(other)) => return RangeSet::Full,
            Spec::Satisfiable(part) => parts.push(part),
        }
    }
    match *parts {
        [] if count == 0 => RangeSet::Full,
        [] => RangeSet::Unsatisfiable,
        [part] => RangeSet::Single(part),
        _ => RangeSet::Multiple(parts),
    }
}

/// One range of a set, evaluated.
enum Spec {
    Malformed,
    Unsatisfiable,
    Satisfiable(ByteRange),
}

// range-spec = int-range / suffix-range ; int-range = first-pos "-" [ last-pos ] ; suffix-range = "-" suffix-length
fn parse_spec(spec: &[u8], length: u64) -> Spec {
    let mut sides = spec.splitn(2, |&b| b == b'-');
    let (Some(first), Some(last)) = (sides.next(), sides.next()) else { return Spec::Malformed };
    let (start, end) = match (parse_position(first), parse_position(last)) {
        (Position::Empty, Position::At(suffix)) => (length.saturating_sub(suffix), length),
        (Position::At(first), Position::Empty) => (first, length),
        (Position::At(first), Position::At(last)) if first <= last => (first, length.min(last.saturating_add(1))),
        (Position::Empty, Position::Empty)
        | (Position::At(_), Position::At(_))
        | (Position::Malformed, _)
        | (_, Position::Malformed) => return Spec::Malformed,
    };
    if start < end { Spec::Satisfiable(ByteRange { start, length: end - start }) } else { Spec::Unsatisfiable }
}

/// The text on one side of the dash.
enum Position {
    Empty,
    At(u64),
    Malformed,
}

/// Parses one side of the dash. A number above 2^64 - 1 is valid, and lies beyond the end of every representation.
// first-pos = 1*DIGIT ; last-pos = 1*DIGIT ; suffix-length = 1*DIGIT
fn parse_position(text: &[u8]) -> Position {
    if text.is_empty() {
        return Position::Empty;
    }
    if !text.iter().all(u8::is_ascii_digit) {
        return Position::Malformed;
    }
    Position::At(parse_decimal(text).unwrap_or(u64::MAX))
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
    fn range_of_empty_file_is_unsatisfiable_and_of_largest_does_not_overflow() {
        for value in ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0"] {
            assert_eq!(parse_range(Some(value.as_bytes()), 0), RangeSet::Unsatisfiable, "{value}");
        }
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
        let set = |count: usize| (0..count).map(|n| format!("{}-{}", n * 2, n * 2)).collect::<Vec<_>>().join(",");
        let resolve = |count| parse_range(Some(format!("bytes={}", set(count)).as_bytes()), 1000);
        assert!(matches!(resolve(RANGES_MAX), RangeSet::Multiple(parts) if parts.len() == RANGES_MAX));
        assert_eq!(resolve(RANGES_MAX + 1), RangeSet::Full);
    }
}
