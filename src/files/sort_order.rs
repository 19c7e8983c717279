//! In which order are the names of a directory shown?
//!
//! Directories come first, always; then by name, size or time, as the query of the listing asks: `?sort=size&order=desc`.

use std::cmp::Ordering;
use std::io;
use std::time::SystemTime;

use crate::files::root::{DirectoryEntry, Name};
use crate::http::target::RequestTarget;

/// What a listing is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// By name, as people count and without case.
    Name,
    /// By length.
    Size,
    /// By when it last changed.
    Time,
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The smallest, the oldest, A.
    Ascending,
    /// The largest, the newest, Z.
    Descending,
}

/// The order of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortOrder {
    /// What counts.
    pub column: SortKey,
    /// Which end comes first.
    pub direction: Direction,
}

impl SortOrder {
    /// What the query asks for. What it does not say, or says in words that we do not know, is by name from A on.
    pub fn asked(target: &RequestTarget<'_>) -> SortOrder {
        let mut order = SortOrder { column: SortKey::Name, direction: Direction::Ascending };
        for (name, value) in target.query_pairs() {
            match (&*name, &*value) {
                (b"sort", b"name") => order.column = SortKey::Name,
                (b"sort", b"size") => order.column = SortKey::Size,
                (b"sort", b"time") => order.column = SortKey::Time,
                (b"order", b"asc") => order.direction = Direction::Ascending,
                (b"order", b"desc") => order.direction = Direction::Descending,
                _ => {}
            }
        }
        order
    }

    /// The query that asks for this order; none for the one that needs no asking.
    pub fn query(self) -> &'static str {
        use Direction::{Ascending, Descending};
        match (self.column, self.direction) {
            (SortKey::Name, Ascending) => "",
            (SortKey::Name, Descending) => "?sort=name&order=desc",
            (SortKey::Size, Ascending) => "?sort=size&order=asc",
            (SortKey::Size, Descending) => "?sort=size&order=desc",
            (SortKey::Time, Ascending) => "?sort=time&order=asc",
            (SortKey::Time, Descending) => "?sort=time&order=desc",
        }
    }

    /// The order that comes next for whoever asks for that column: the other way round if it is this one already, and else the one that
    /// people look for, A or the largest or the newest first.
    pub fn toggled(self, column: SortKey) -> SortOrder {
        let direction = match (column == self.column, self.direction, column) {
            (true, Direction::Descending, _) | (false, _, SortKey::Name) => Direction::Ascending,
            (true, Direction::Ascending, _) | (false, _, SortKey::Size | SortKey::Time) => Direction::Descending,
        };
        SortOrder { column, direction }
    }

    /// Puts names into this order. Equal ones stand by name. By size or time they are looked at first, and those that are gone left out.
    ///
    /// # Errors
    /// What `look` fails with.
    pub fn sort(self, names: Vec<Name>, look: impl Fn(&Name) -> io::Result<Option<DirectoryEntry>>) -> io::Result<Vec<Name>> {
        let mut keyed = Vec::with_capacity(names.len());
        for name in names {
            let (length, modified) = match self.column {
                SortKey::Name => (0, None),
                SortKey::Size | SortKey::Time => match look(&name)? {
                    Some(entry) => (entry.length, entry.modified),
                    None => continue,
                },
            };
            keyed.push(Keyed { folded: folded(&name.bytes), length, modified, name });
        }
        keyed.sort_unstable_by(|a, b| {
            let by_name = natural(&a.folded, &b.folded).then_with(|| a.name.bytes.cmp(&b.name.bytes));
            let by_column = match self.column {
                SortKey::Name => by_name,
                SortKey::Size => a.length.cmp(&b.length),
                SortKey::Time => a.modified.cmp(&b.modified),
            };
            let directed = match self.direction {
                Direction::Ascending => by_column,
                Direction::Descending => by_column.reverse(),
            };
            a.name.kind.cmp(&b.name.kind).then(directed).then(by_name)
        });
        Ok(keyed.into_iter().map(|keyed| keyed.name).collect())
    }
}

/// A name without case. One that is not UTF-8 keeps the length of its bytes.
fn folded(name: &[u8]) -> Box<[u8]> {
    match std::str::from_utf8(name) {
        Ok(name) => name.to_lowercase().into_bytes().into(),
        Err(_) => name.to_ascii_lowercase().into(),
    }
}

/// A name, and what it is sorted by.
struct Keyed {
    folded: Box<[u8]>,
    length: u64,
    modified: Option<SystemTime>,
    name: Name,
}

/// Compares as people do: digits are numbers, so `2` comes before `10`.
fn natural(a: &[u8], b: &[u8]) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let order = match (a, b) {
            ([first, ..], [second, ..]) if first.is_ascii_digit() && second.is_ascii_digit() => {
                let ((number, a_rest), (other, b_rest)) = (split_number(a), split_number(b));
                (a, b) = (a_rest, b_rest);
                number.len().cmp(&other.len()).then_with(|| number.cmp(other))
            }
            ([first, a_rest @ ..], [second, b_rest @ ..]) => {
                (a, b) = (a_rest, b_rest);
                first.cmp(second)
            }
            _ => return a.len().cmp(&b.len()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// The digits at the start without their leading zeros, and what follows them.
fn split_number(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|b| !b.is_ascii_digit()).unwrap_or(bytes.len());
    let (digits, rest) = bytes.split_at_checked(end).unwrap_or_default();
    let zeros = digits.iter().position(|&b| b != b'0').unwrap_or(digits.len());
    (digits.get(zeros..).unwrap_or_default(), rest)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::files::root::EntryKind;
    use crate::http::request::{HeadLimits, RequestParser};

    #[test]
    fn natural_order() {
        for (smaller, larger) in
            [("a", "b"), ("a", "aa"), ("2", "10"), ("a2b", "a10"), ("a01", "a2"), ("1a", "1b"), ("", "a"), ("9", "a")]
        {
            assert_eq!(natural(smaller.as_bytes(), larger.as_bytes()), Ordering::Less, "{smaller} {larger}");
            assert_eq!(natural(larger.as_bytes(), smaller.as_bytes()), Ordering::Greater, "{larger} {smaller}");
        }
        assert_eq!(natural(b"a01", b"a1"), Ordering::Equal);
    }

    #[test]
    fn queries_ask_for_what_they_say() {
        use Direction::{Ascending, Descending};
        use SortKey::{Name, Size, Time};
        for column in [Name, Size, Time] {
            for direction in [Ascending, Descending] {
                let order = SortOrder { column, direction };
                let bytes = format!("GET /{} HTTP/1.0\r\n\r\n", order.query()).into_bytes();
                let mut parser = RequestParser::new(HeadLimits::default());
                parser.parse(&bytes).unwrap();
                assert_eq!(SortOrder::asked(&RequestTarget::parse(&parser.head(&bytes).unwrap()).unwrap()), order);
                assert_eq!(order.toggled(column).toggled(column), order, "twice the same is there and back");
            }
        }
        let by_name = SortOrder { column: Name, direction: Ascending };
        assert_eq!(by_name.toggled(Size), SortOrder { column: Size, direction: Descending }, "the largest first");
        assert_eq!(by_name.toggled(Size).toggled(Name), by_name, "but A first");
    }

    #[test]
    fn by_each_column_and_back() {
        use Direction::{Ascending, Descending};
        use SortKey::{Size, Time};
        for (column, direction, want) in [
            (SortKey::Name, Ascending, &["d", "a", "B", "c", "gone"][..]),
            (SortKey::Name, Descending, &["d", "gone", "c", "B", "a"]),
            (Size, Ascending, &["d", "B", "a", "c"]),
            (Size, Descending, &["d", "a", "c", "B"]),
            (Time, Ascending, &["d", "c", "a", "B"]),
            (Time, Descending, &["d", "B", "a", "c"]),
        ] {
            let rows = [
                ("c", EntryKind::File, 2, 1),
                ("a", EntryKind::File, 2, 2),
                ("gone", EntryKind::File, 0, 0),
                ("B", EntryKind::File, 1, 3),
                ("d", EntryKind::Directory, 9, 9),
            ];
            let names = rows.iter().map(|row| Name { bytes: row.0.as_bytes().into(), kind: row.1, is_link: false }).collect();
            let look = |name: &Name| {
                let &(_, kind, length, seconds) = rows.iter().find(|row| row.0.as_bytes() == &*name.bytes).unwrap();
                let modified = Some(UNIX_EPOCH + Duration::from_secs(seconds));
                Ok((&*name.bytes != b"gone").then_some(DirectoryEntry { kind, is_link: false, length, modified }))
            };
            let sorted = SortOrder { column, direction }.sort(names, look).unwrap();
            let names: Vec<_> = sorted.iter().map(|name| String::from_utf8_lossy(&name.bytes).into_owned()).collect();
            assert_eq!(names, want, "{column:?} {direction:?}");
        }
    }
}
