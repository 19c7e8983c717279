//! The tar format: ustar, with pax records for what its fields cannot hold (POSIX.1-2017, `pax`).

use crate::files::archive::{ArchiveFormat, Entry};
use crate::files::directory::EntryKind;
use crate::http::date::unix_seconds;

/// tar. Modes and owners are the same for all entries, so that the same tree gives the same bytes on every machine.
pub static TAR: ArchiveFormat = ArchiveFormat {
    name: "tar",
    media_type: "application/x-tar",
    data_length: Some,
    begin_entry,
    begin_block: |_, left| left,
    update_checksum: |_, _| 0,
    end_entry: |out, entry| pad(out, entry.length),
    index_entry: |_, _, _| {},
    end: |out, _, _| out.resize(out.len() + 2 * BLOCK_BYTES, 0),
};

const BLOCK_BYTES: usize = 512;
/// Bytes of the fields for the path: its end, and what precedes the slash before that.
const NAME_BYTES_MAX: usize = 100;
const PREFIX_BYTES_MAX: usize = 155;
/// The largest number in a field for eleven octal digits.
const OCTAL_MAX: u64 = 0o777_7777_7777;

fn begin_entry(out: &mut Vec<u8>, path: &[u8], entry: &Entry) {
    let (length, modified) = (entry.length, entry.version.modified.map_or(0, unix_seconds));
    let (fields, octal_modified) = (split_path(path), u64::try_from(modified).ok().filter(|&seconds| seconds <= OCTAL_MAX));
    let is_utf8 = std::str::from_utf8(path).is_ok();
    let mut records = Vec::new();
    if fields.is_none() && !is_utf8 {
        push_record(&mut records, "hdrcharset", b"BINARY");
    }
    // The charset of the fields is unknown, that of the record is UTF-8.
    if fields.is_none() || is_utf8 && !path.is_ascii() {
        push_record(&mut records, "path", path);
    }
    if length > OCTAL_MAX {
        push_record(&mut records, "size", length.to_string().as_bytes());
    }
    if octal_modified.is_none() {
        push_record(&mut records, "mtime", modified.to_string().as_bytes());
    }
    if !records.is_empty() {
        let length = u64::try_from(records.len()).unwrap_or(OCTAL_MAX);
        push_header(out, (b"", b"././@PaxHeader"), b'x', length, 0);
        out.append(&mut records);
        pad(out, length);
    }
    let kind = if entry.kind == EntryKind::Directory { b'5' } else { b'0' };
    push_header(out, fields.unwrap_or((b"", shorten(path))), kind, length.min(OCTAL_MAX), octal_modified.unwrap_or(0));
}

/// Splits a path into prefix and name; `None` if it does not fit into these fields.
fn split_path(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let Some(first) = path.len().checked_sub(NAME_BYTES_MAX + 1) else { return Some((b"", path)) };
    let slash = first + path.iter().skip(first).position(|&byte| byte == b'/')?;
    let (prefix, name) = (path.get(..slash)?, path.get(slash + 1..)?);
    (prefix.len() <= PREFIX_BYTES_MAX && !name.is_empty()).then_some((prefix, name))
}

/// The beginning of a path, for programs that ignore pax records. It must not end in `..`, which could lead out of the archive.
fn shorten(path: &[u8]) -> &[u8] {
    let path = path.get(..NAME_BYTES_MAX).unwrap_or(path);
    let end = path.iter().rposition(|byte| !b"./".contains(byte)).map_or(0, |last| last + 1);
    path.get(..end).unwrap_or(path)
}

/// Appends a header block.
fn push_header(out: &mut Vec<u8>, (prefix, name): (&[u8], &[u8]), kind: u8, length: u64, modified: u64) {
    let mode = if kind == b'5' { "0000755" } else { "0000644" };
    let numbers = format!("{mode}\00000000\00000000\0{length:011o}\0{modified:011o}\0");
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    block.extend_from_slice(name);
    block.resize(NAME_BYTES_MAX, 0);
    block.extend_from_slice(numbers.as_bytes());
    let checksum_at = block.len();
    // The checksum is computed with spaces in its place.
    block.extend_from_slice(b"        ");
    block.push(kind);
    // No target of a link.
    block.resize(block.len() + 100, 0);
    block.extend_from_slice(b"ustar\x0000");
    // No names of user and group, and device numbers of 0.
    block.resize(block.len() + 64, 0);
    block.extend_from_slice(b"0000000\x000000000\0");
    block.extend_from_slice(prefix);
    block.resize(BLOCK_BYTES, 0);
    let checksum: u32 = block.iter().copied().map(u32::from).sum();
    block.splice(checksum_at..checksum_at + 8, format!("{checksum:06o}\0 ").into_bytes());
    out.append(&mut block);
}

/// Appends a pax record, `LENGTH KEY=VALUE`, whose length includes its own digits.
fn push_record(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    let digits = |number: usize| number.to_string().len();
    let rest = key.len() + value.len() + 3;
    out.extend_from_slice(format!("{} {key}=", rest + digits(rest + digits(rest))).as_bytes());
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Appends zeros after content of this length, up to the next block.
fn pad(out: &mut Vec<u8>, length: u64) {
    let used = usize::try_from(length).map_or(0, |length| length % BLOCK_BYTES);
    out.resize(out.len() + (BLOCK_BYTES - used) % BLOCK_BYTES, 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::archive::tests::entry;

    #[test]
    fn paths_are_split_at_a_slash() {
        let of = |length: usize| "x".repeat(length);
        for (path, want, why) in [
            (of(100), Some((String::new(), of(100))), "the longest name"),
            (of(101), None, "a longer one"),
            (format!("{}/{}", of(155), of(100)), Some((of(155), of(100))), "the longest path"),
            (format!("{}/{}", of(156), of(100)), None, "a longer prefix"),
            (format!("{}/{}", of(1), of(101)), None, "a longer name behind a slash"),
            (format!("a/b/{}", of(98)), Some(("a".to_owned(), format!("b/{}", of(98)))), "the first slash that will do"),
            (format!("{}/", of(100)), None, "the slash of a directory is no place to split"),
            (format!("/{}", of(100)), Some((String::new(), of(100))), "a prefix without bytes"),
        ] {
            let got = split_path(path.as_bytes())
                .map(|(prefix, name)| [prefix, name].map(|part| String::from_utf8(part.to_vec()).unwrap()));
            assert_eq!(got.map(|[prefix, name]| (prefix, name)), want, "{why}");
        }
    }

    #[test]
    fn shortened_names_lead_nowhere_else() {
        for (path, want) in [
            (format!("{}/..{}", "x".repeat(97), "y".repeat(9)), "x".repeat(97)),
            (format!("{}/.{}", "x".repeat(98), "y".repeat(9)), "x".repeat(98)),
            (".".repeat(200), String::new()),
            ("x".repeat(200), "x".repeat(100)),
        ] {
            assert_eq!(shorten(path.as_bytes()), want.as_bytes());
        }
    }

    #[test]
    fn the_length_of_a_record_includes_its_digits() {
        for (value, total) in
            [(0, "5"), (4, "9"), (5, "11"), (91, "97"), (93, "99"), (94, "101"), (990, "997"), (992, "999"), (993, "1001")]
        {
            let mut out = Vec::new();
            push_record(&mut out, "k", &vec![b'v'; value]);
            assert_eq!((out.len().to_string(), out.starts_with(format!("{total} k=").as_bytes())), (total.to_owned(), true));
        }
    }

    #[test]
    fn numbers_beyond_eleven_octal_digits_are_in_records() {
        for (length, record) in [(OCTAL_MAX, ""), (OCTAL_MAX + 1, "19 size=8589934592\n")] {
            let mut out = Vec::new();
            begin_entry(&mut out, b"a", &entry(length, 0));
            assert_eq!(out.len(), if record.is_empty() { 512 } else { 3 * 512 });
            assert!(record.is_empty() || out[512..].starts_with(record.as_bytes()));
            assert_eq!(&out[out.len() - 512 + 124..][..12], b"77777777777\0");
        }
    }
}
