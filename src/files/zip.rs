//! The ZIP format (APPNOTE.TXT 6.3), with zip64 where a number or a length needs it.
//!
//! Contents are Deflate streams (RFC 1951) of stored blocks: not compressed, so that their length is known in advance, and yet with an end of
//! their own, so that a program can extract the archive while it arrives. The checksum follows the content, in a data descriptor.

use std::sync::LazyLock;
use std::time::SystemTime;

use crate::files::archive::{ArchiveFormat, Entry};
use crate::files::directory::EntryKind;
use crate::http::date::{CivilTime, unix_seconds};

/// ZIP. Modes are the same for all entries, and times are in UTC, so that the same tree gives the same bytes on every machine.
pub static ZIP: ArchiveFormat = ArchiveFormat {
    name: "zip",
    media_type: "application/zip",
    data_length: deflated_length,
    begin_entry,
    begin_block,
    update_checksum: crc32,
    end_entry,
    index_entry,
    end,
};

/// The longest stored block.
const BLOCK_BYTES_MAX: u64 = 0xffff;
/// Bytes before each block: whether it is the last, and twice its length.
const BLOCK_HEAD_BYTES: u64 = 5;
/// Lengths and offsets from here on stand in zip64 fields.
const ZIP64_MIN: u64 = 0xffff_ffff;
/// General purpose flags: a data descriptor follows the content; the name is in UTF-8.
const DESCRIPTOR_FLAG: u16 = 1 << 3;
const UTF8_FLAG: u16 = 1 << 11;
/// The version of APPNOTE that a program needs to extract directories and Deflate, and zip64.
const VERSION: u16 = 20;
const VERSION_ZIP64: u16 = 45;
/// The system whose modes are in the external attributes.
const MADE_ON_UNIX: u16 = 3 << 8;

/// The length of a Deflate stream of stored blocks.
fn deflated_length(length: u64) -> Option<u64> {
    length.checked_add(length.div_ceil(BLOCK_BYTES_MAX) * BLOCK_HEAD_BYTES)
}

/// Lengths as they stand in the archive, and whether they need zip64. The walk has checked that they fit.
fn lengths(entry: &Entry) -> (u64, u64, bool) {
    let deflated = deflated_length(entry.length).unwrap_or(u64::MAX);
    (deflated, entry.length, deflated >= ZIP64_MIN)
}

/// The fields that are the same in the local header and in the central directory: version, flags, method, time, date, `numbers` (checksum
/// and both lengths), and the lengths of the path and of the extra fields.
fn common_fields(path: &[u8], entry: &Entry, is_zip64: bool, numbers: [u32; 3], extra: &[u8]) -> Vec<u8> {
    let has_content = entry.length > 0;
    let descriptor = if has_content { DESCRIPTOR_FLAG } else { 0 };
    let utf8 = if std::str::from_utf8(path).is_ok() { UTF8_FLAG } else { 0 };
    let (time, date) = dos_time(entry.version.modified);
    let (version, method) = (if is_zip64 { VERSION_ZIP64 } else { VERSION }, if has_content { 8_u16 } else { 0 });
    let fields = [version, descriptor | utf8, method, time, date].map(u16::to_le_bytes).concat();
    let lengths = [length_16(path), length_16(extra)].concat();
    [fields, numbers.map(u32::to_le_bytes).concat(), lengths].concat()
}

fn begin_entry(out: &mut Vec<u8>, path: &[u8], entry: &Entry) {
    let (.., is_zip64) = lengths(entry);
    // The lengths are in the data descriptor, which has eight bytes for each because of this field.
    let zip64 = if is_zip64 { extra_field(1, &[0; 16]) } else { Vec::new() };
    let extra = [zip64, unix_time(entry)].concat();
    let length = if is_zip64 { u32::MAX } else { 0 };
    out.extend_from_slice(b"PK\x03\x04");
    out.extend_from_slice(&common_fields(path, entry, is_zip64, [0, length, length], &extra));
    out.extend_from_slice(path);
    out.extend_from_slice(&extra);
}

/// The head of a stored block (RFC 1951 §3.2.4).
fn begin_block(out: &mut Vec<u8>, left: u64) -> u64 {
    let length = u16::try_from(left).unwrap_or(u16::MAX);
    out.push(u8::from(left <= BLOCK_BYTES_MAX));
    out.extend_from_slice(&[length, !length].map(u16::to_le_bytes).concat());
    length.into()
}

/// The data descriptor.
fn end_entry(out: &mut Vec<u8>, entry: &Entry) {
    let (deflated, length, is_zip64) = lengths(entry);
    out.extend_from_slice(b"PK\x07\x08");
    out.extend_from_slice(&entry.checksum.to_le_bytes());
    if is_zip64 {
        out.extend_from_slice(&[deflated, length].map(u64::to_le_bytes).concat());
    } else {
        out.extend_from_slice(&[deflated, length].map(|length| saturated(length).to_le_bytes()).concat());
    }
}

/// The header in the central directory.
fn index_entry(out: &mut Vec<u8>, path: &[u8], entry: &Entry) {
    let (deflated, length, _) = lengths(entry);
    let is_zip64 = deflated >= ZIP64_MIN || entry.offset >= ZIP64_MIN;
    let field = |number: u64| if is_zip64 { u32::MAX } else { saturated(number) };
    let numbers = [length, deflated, entry.offset].map(u64::to_le_bytes).concat();
    let zip64 = if is_zip64 { extra_field(1, &numbers) } else { Vec::new() };
    let extra = [zip64, unix_time(entry)].concat();
    // Type and permissions on Unix, and the attribute of a directory on MS-DOS.
    let attributes: u32 = if entry.kind == EntryKind::Directory { (0o40_755 << 16) | 0x10 } else { 0o100_644 << 16 };
    out.extend_from_slice(b"PK\x01\x02");
    out.extend_from_slice(&(MADE_ON_UNIX | VERSION_ZIP64).to_le_bytes());
    out.extend_from_slice(&common_fields(path, entry, is_zip64, [entry.checksum, field(deflated), field(length)], &extra));
    // No comment, the first disk, and no internal attributes.
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(&[attributes, field(entry.offset)].map(u32::to_le_bytes).concat());
    out.extend_from_slice(path);
    out.extend_from_slice(&extra);
}

/// The end of the central directory.
fn end(out: &mut Vec<u8>, entries: usize, (start, end): (u64, u64)) {
    let entries = u64::try_from(entries).unwrap_or(u64::MAX);
    let is_zip64 = entries >= 0xffff || end >= ZIP64_MIN;
    if is_zip64 {
        out.extend_from_slice(b"PK\x06\x06");
        // The length of the rest of this record.
        out.extend_from_slice(&44_u64.to_le_bytes());
        out.extend_from_slice(&[MADE_ON_UNIX | VERSION_ZIP64, VERSION_ZIP64].map(u16::to_le_bytes).concat());
        // Disks of this record and of the central directory.
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&[entries, entries, end - start, start].map(u64::to_le_bytes).concat());
        // Where this record is: on disk 0 of 1.
        out.extend_from_slice(b"PK\x06\x07\0\0\0\0");
        out.extend_from_slice(&end.to_le_bytes());
        out.extend_from_slice(&1_u32.to_le_bytes());
    }
    let count = if is_zip64 { u16::MAX } else { u16::try_from(entries).unwrap_or(u16::MAX) };
    let field = |number: u64| if is_zip64 { u32::MAX } else { saturated(number) };
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&[count, count].map(u16::to_le_bytes).concat());
    out.extend_from_slice(&[field(end - start), field(start)].map(u32::to_le_bytes).concat());
    // No comment.
    out.extend_from_slice(&[0; 2]);
}

fn saturated(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The length of a path or an extra field. No system has paths of 64 KiB.
fn length_16(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes()
}

fn extra_field(kind: u16, content: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes(), &length_16(content), content].concat()
}

/// The extended timestamp, which is exact to the second and independent of the time zone. There is none before 1970 and after 2038, where
/// programs differ about its sign.
fn unix_time(entry: &Entry) -> Vec<u8> {
    match entry.version.modified.map(|modified| i32::try_from(unix_seconds(modified))) {
        Some(Ok(seconds @ 0..)) => extra_field(0x5455, &[&[1], &seconds.to_le_bytes()[..]].concat()),
        _ => Vec::new(),
    }
}

/// Time and date as MS-DOS has them, in steps of two seconds; the beginning of 1980 for what it cannot express.
fn dos_time(modified: Option<SystemTime>) -> (u16, u16) {
    let fields = |CivilTime { year, month, day, second_of_day }| {
        let year = u16::try_from(year - 1980).ok().filter(|&year| year < 128)?;
        let (minute_of_day, second) = (second_of_day / 60, second_of_day % 60);
        let time = ((minute_of_day / 60) << 11) | ((minute_of_day % 60) << 5) | (second / 2);
        Some((u16::try_from(time).ok()?, (year << 9) | u16::try_from((month << 5) | day).ok()?))
    };
    modified.and_then(CivilTime::of).and_then(fields).unwrap_or((0, (1 << 5) | 1))
}

/// CRC-32 (ITU-T V.42) of each byte, followed by as many zero bytes as the number of the table. With eight tables, eight bytes take one
/// step: 2 GB/s instead of 400 MB/s.
#[allow(clippy::indexing_slicing, reason = "a byte is an index of each table")]
static CRC_TABLES: LazyLock<[[u32; 256]; 8]> = LazyLock::new(|| {
    let mut tables = [[0; 256]; 8];
    for byte in 0..=u8::MAX {
        let mut crc = u32::from(byte);
        for table in &mut tables {
            for _ in 0..8 {
                crc = if crc & 1 == 0 { crc >> 1 } else { (crc >> 1) ^ 0xedb8_8320 };
            }
            table[usize::from(byte)] = crc;
        }
    }
    tables
});

/// Updates a CRC-32 by more bytes; that of no bytes is 0.
#[allow(clippy::indexing_slicing, reason = "a byte is an index of each table")]
fn crc32(crc: u32, bytes: &[u8]) -> u32 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let tables @ [first, ..] = &*CRC_TABLES;
    let step = |crc: u32, &chunk: &[u8; 8]| {
        let word = u64::from_le_bytes(chunk) ^ u64::from(crc);
        let looked_up = word.to_le_bytes().into_iter().zip(tables.iter().rev());
        looked_up.fold(0, |crc, (byte, table)| crc ^ table[usize::from(byte)])
    };
    let crc = chunks.iter().fold(!crc, step);
    !rest.iter().fold(crc, |crc, &byte| (crc >> 8) ^ first[usize::from(crc.to_le_bytes()[0] ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::archive::tests::entry;

    #[test]
    fn checksums_are_those_of_crc_32() {
        assert_eq!(crc32(0, b"123456789"), 0xcbf4_3926, "the check value of the catalogue of CRC algorithms");
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for at in [0, 1, 7, 8, 9, 500, 999, 1000] {
            let (first, second) = bytes.split_at(at);
            assert_eq!(crc32(crc32(0, first), second), crc32(0, &bytes), "in two parts of {at} and more");
        }
        assert_eq!(crc32(0, b""), 0);
    }

    #[test]
    fn blocks_add_up_to_the_deflated_length() {
        for (length, blocks) in [(1, 1), (65_535, 1), (65_536, 2), (131_070, 2), (131_071, 3)] {
            let (mut left, mut out, mut count) = (length, Vec::new(), 0);
            while left > 0 {
                out.clear();
                left -= begin_block(&mut out, left);
                count += 1;
                assert_eq!((out[0] == 1, out.len()), (left == 0, 5), "{length}: only the last is final");
                assert_eq!(u16::from_le_bytes([out[1], out[2]]), !u16::from_le_bytes([out[3], out[4]]));
            }
            assert_eq!((count, deflated_length(length)), (blocks, Some(length + 5 * blocks)));
        }
        assert_eq!(deflated_length(u64::MAX), None);
    }

    /// Whether the local header, the data descriptor, the central header and the end have zip64 fields.
    fn zip64(length: u64, offset: u64, entries: usize, index: (u64, u64)) -> [bool; 4] {
        let entry = entry(length, offset);
        let [mut local, mut descriptor, mut central, mut last] = [const { Vec::new() }; 4];
        begin_entry(&mut local, b"a", &entry);
        end_entry(&mut descriptor, &entry);
        index_entry(&mut central, b"a", &entry);
        end(&mut last, entries, index);
        let has_extra = |bytes: &[u8], at: usize| bytes[at..].starts_with(&[1, 0]);
        [has_extra(&local, 31), descriptor.len() == 24, has_extra(&central, 47), last.len() == 98]
    }

    #[test]
    fn large_numbers_are_in_zip64_fields() {
        // The longest file whose deflated length has 32 bits, and is no mark of zip64.
        let longest = 4_294_639_629;
        assert_eq!(deflated_length(longest), Some(0xffff_fffe));
        let (no, end) = (0xffff_fffe, 0xffff_ffff);
        for (length, offset, entries, index, want, why) in [
            (longest, no, 65_534, (0, no), [false; 4], "the largest of all"),
            (longest + 1, 0, 1, (0, 0), [true, true, true, false], "a longer file"),
            (0, end, 1, (0, 0), [false, false, true, false], "a file after 4 GiB"),
            (0, 0, 65_535, (0, 0), [false, false, false, true], "many files"),
            (0, 0, 1, (0, end), [false, false, false, true], "an index that ends after 4 GiB"),
        ] {
            assert_eq!(zip64(length, offset, entries, index), want, "{why}");
        }
    }

    #[test]
    fn times_have_steps_of_two_seconds() {
        let after = |seconds| Some(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds));
        let none = (0, (1 << 5) | 1);
        for (time, want, why) in [
            (None, none, "unknown"),
            (after(315_532_799), none, "the last second of 1979"),
            (after(315_532_800), none, "the first of 1980"),
            (after(315_532_803), (1, none.1), "rounded down"),
            (after(4_354_819_199), ((23 << 11) | (59 << 5) | 29, (127 << 9) | (12 << 5) | 31), "the last of 2107"),
            (after(4_354_819_200), none, "the first of 2108"),
        ] {
            assert_eq!(dos_time(time), want, "{why}");
        }
    }
}
