//! Which bytes does the client want? (RFC 9110 §14.1, §14.2)
//!
//! A range that is not understood is no error: whoever asked gets the whole, which is what it would have got from a server that
//! knows no ranges. Only a range that is well-formed and lies wholly outside is refused.

use crate::http::grammar::{list, parse_decimal};

/// Ranges of one request. Each costs a part with a head of its own, so many tiny ones would make a large answer of a small file.
pub const RANGES_MAX: usize = 16;

/// Consecutive bytes of a representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// Index of the first byte.
    pub start: u64,
    /// How many bytes.
    pub length: u64,
}

/// What a Range field comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeSet {
    /// No ranges, or none that count: the whole representation, 200.
    Full,
    /// One part, 206.
    Single(ByteRange),
    /// Two or more, in the order of the request, none overlapping another: 206 as multipart/byteranges.
    Multiple(Vec<ByteRange>),
    /// No range has a byte within the representation, 416.
    Unsatisfiable,
}

impl ByteRange {
    /// Index of the last byte.
    pub fn last(&self) -> u64 {
        self.start.saturating_add(self.length.saturating_sub(1))
    }

    fn overlaps(&self, other: &ByteRange) -> bool {
        self.start <= other.last() && other.start <= self.last()
    }
}

/// Resolves the value of Range against a representation of `length` bytes.
// Range = range-unit "=" range-set ; range-set = 1#range-spec
pub fn parse_range(value: Option<&[u8]>, length: u64) -> RangeSet {
    // Names of range units compare without case (RFC 9110 §14.1).
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
            Spec::Outside => {}
            // Nobody needs a byte twice (§14.2 allows us to say so).
            Spec::Inside(part) if parts.iter().any(|other| part.overlaps(other)) => return RangeSet::Full,
            Spec::Inside(part) => parts.push(part),
        }
    }
    match *parts {
        [] if count == 0 => RangeSet::Full,
        [] => RangeSet::Unsatisfiable,
        [part] => RangeSet::Single(part),
        _ => RangeSet::Multiple(parts),
    }
}

/// What one range of a set comes to.
enum Spec {
    Malformed,
    Outside,
    Inside(ByteRange),
}

// range-spec = int-range / suffix-range ; int-range = first-pos "-" [ last-pos ] ; suffix-range = "-" suffix-length
fn parse_spec(spec: &[u8], length: u64) -> Spec {
    let Some(dash) = spec.iter().position(|&b| b == b'-') else { return Spec::Malformed };
    let Some((first, [_, last @ ..])) = spec.split_at_checked(dash) else { return Spec::Malformed };
    let (start, end) = match (position(first), position(last)) {
        (Position::Empty, Position::At(suffix)) => (length.saturating_sub(suffix), length),
        (Position::At(first), Position::Empty) => (first, length),
        (Position::At(first), Position::At(last)) if first <= last => (first, length.min(last.saturating_add(1))),
        (Position::Empty, Position::Empty)
        | (Position::At(_), Position::At(_))
        | (Position::Malformed, _)
        | (_, Position::Malformed) => return Spec::Malformed,
    };
    if start < end { Spec::Inside(ByteRange { start, length: end - start }) } else { Spec::Outside }
}

/// One side of the dash.
enum Position {
    Empty,
    At(u64),
    Malformed,
}

/// Digits that do not fit 64 bits are no error: they name a byte beyond any end.
// first-pos = 1*DIGIT ; last-pos = 1*DIGIT ; suffix-length = 1*DIGIT
fn position(text: &[u8]) -> Position {
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
    fn of_ten_bytes() {
        use RangeSet::{Full, Multiple, Single, Unsatisfiable};
        for (value, want, why) in [
            ("bytes=0-0", Single(part(0, 1)), "one byte"),
            ("bytes=0-1", Single(part(0, 2)), "what Safari asks first"),
            ("bytes=2-", Single(part(2, 8)), "to the end"),
            ("bytes=-3", Single(part(7, 3)), "the last three"),
            ("bytes=-10", Single(part(0, 10)), "as many as there are"),
            ("bytes=-11", Single(part(0, 10)), "more than there are"),
            ("bytes=5-99", Single(part(5, 5)), "cut at the end"),
            ("bytes=9-9", Single(part(9, 1)), "the last byte"),
            ("bytes=10-", Unsatisfiable, "one beyond"),
            ("bytes=10-20", Unsatisfiable, "beyond on both sides"),
            ("bytes=-0", Unsatisfiable, "the last none"),
            ("BYTES=0-0", Single(part(0, 1)), "case of the unit does not count"),
            ("bytes=007-008", Single(part(7, 2)), "leading zeros"),
            ("bytes=0-99999999999999999999", Single(part(0, 10)), "more than 64 bits"),
            ("bytes=-99999999999999999999", Single(part(0, 10)), "more than 64 bits"),
            ("bytes=99999999999999999999-", Unsatisfiable, "more than 64 bits"),
            ("bytes=18446744073709551615-18446744073709551615", Unsatisfiable, "the largest"),
            ("bytes=0-0,2-2", Multiple(vec![part(0, 1), part(2, 1)]), "two"),
            ("bytes=5-6 ,\t0-1", Multiple(vec![part(5, 2), part(0, 2)]), "in the order of the request"),
            ("bytes=,0-0,,2-2,", Multiple(vec![part(0, 1), part(2, 1)]), "empty members"),
            ("bytes=0-1,2-3", Multiple(vec![part(0, 2), part(2, 2)]), "neighbours do not overlap"),
            ("bytes=0-1,1-2", Full, "one byte twice"),
            ("bytes=3-4,-10", Full, "one within the other"),
            ("bytes=0-0,20-", Single(part(0, 1)), "one of two has bytes"),
            ("bytes=20-,30-40", Unsatisfiable, "neither of two has"),
            ("bytes=0-0,x", Full, "one malformed spoils the set"),
            ("bytes=20-,x", Full, "malformed comes before unsatisfiable"),
            ("bytes=2-1", Full, "backwards"),
            ("bytes=", Full, "an empty set"),
            ("bytes=,", Full, "a set of nothing"),
            ("bytes=-", Full, "no number"),
            ("bytes=1", Full, "no dash"),
            ("bytes=+1-2", Full, "a sign"),
            ("bytes=1-+2", Full, "a sign"),
            ("bytes=0x1-2", Full, "hexadecimal"),
            ("bytes=1 - 2", Full, "spaces within"),
            ("bytes=1--2", Full, "two dashes"),
            ("bytes=--2", Full, "two dashes"),
            ("bytes=\"0-0\"", Full, "quotes"),
            ("bytes 0-1", Full, "no equals sign"),
            ("bytes =0-1", Full, "a space before it"),
            ("lines=0-1", Full, "another unit"),
            ("", Full, "empty"),
        ] {
            assert_eq!(parse_range(Some(value.as_bytes()), 10), want, "{value}: {why}");
        }
        assert_eq!(parse_range(None, 10), Full, "no field");
    }

    #[test]
    fn of_no_bytes_and_of_as_many_as_possible() {
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
    fn at_most_so_many() {
        let set = |count: usize| (0..count).map(|n| format!("{}-{}", n * 2, n * 2)).collect::<Vec<_>>().join(",");
        let resolve = |count| parse_range(Some(format!("bytes={}", set(count)).as_bytes()), 1000);
        assert!(matches!(resolve(RANGES_MAX), RangeSet::Multiple(parts) if parts.len() == RANGES_MAX));
        assert_eq!(resolve(RANGES_MAX + 1), RangeSet::Full);
    }
}
