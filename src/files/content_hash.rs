//! What does the content of this version of a file hash to?
//!
//! With `--etag content` two copies of a site have the same tags, whatever the times of their files are, and two versions have different
//! ones, even where a build sets all times to the same second. It costs one reading of each file, before its first answer; what came of
//! it is remembered for as long as the stamp of the open file stays the same.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use crate::files::representation::ContentHash;
use crate::files::version::{FileVersion, Freshness};

/// Larger files are told apart by their times as ever. A client waits for its first byte until all of the file has been read: less than
/// two seconds for so many bytes that are in memory already.
const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Versions that are remembered, 16 MiB in all. What is beyond drives all of them out: each then costs another reading.
const REMEMBERED_MAX: usize = 65_536;
/// Files that are read at once. It bounds how many processors strangers can keep busy, and who asks for a file that is being read waits
/// for what comes of it.
const READERS_MAX: usize = 16;

/// Whether this build can: few need it.
#[cfg(feature = "content-hash")]
pub const CAN_HASH: bool = true;
/// It cannot.
#[cfg(not(feature = "content-hash"))]
pub const CAN_HASH: bool = false;

/// What is known of versions of files.
#[derive(Debug, Default)]
pub struct ContentHashes {
    /// Guards the table, for a look-up or an insertion. Nothing is read under it.
    known: RwLock<HashMap<FileVersion, ContentHash>>,
    /// One is held while a file is read; which, is a matter of its stamp.
    reading: [Mutex<()>; READERS_MAX],
    hasher: RandomState,
}

impl ContentHashes {
    /// The hash of an open file with that stamp; `None` if it is too large or cannot be read. The place where the next read begins does
    /// not move.
    pub fn of(&self, file: &File, stamp: &FileVersion) -> Option<ContentHash> {
        if stamp.length > FILE_BYTES_MAX {
            return None;
        }
        self.known(stamp).or_else(|| self.read(file, stamp))
    }

    fn known(&self, stamp: &FileVersion) -> Option<ContentHash> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(stamp).cloned()
    }

    fn read(&self, file: &File, stamp: &FileVersion) -> Option<ContentHash> {
        let place = self.hasher.hash_one(stamp) % u64::try_from(READERS_MAX).ok()?;
        let reading = self.reading.get(usize::try_from(place).ok()?)?;
        let _reading = reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = self.known(stamp) {
            return Some(known);
        }
        let began = SystemTime::now();
        let digest = hash(file, stamp.length)?;
        // What may have changed meanwhile, or might still change unseen, is read anew the next time.
        let later = FileVersion::of(&file.metadata().ok()?);
        if stamp.is_stable(began) && stamp.compare(&later) == Freshness::Same {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= REMEMBERED_MAX {
                known.clear();
            }
            known.insert(*stamp, digest.clone());
        }
        Some(digest)
    }
}

/// The first 160 bits of the SHA-256 of so many bytes: nobody finds two files that share them.
#[cfg(feature = "content-hash")]
fn hash(file: &File, length: u64) -> Option<ContentHash> {
    use std::fmt::Write;

    use sha2::{Digest as _, Sha256};

    use crate::files::version::read_exact_at;

    const PIECE_BYTES: u64 = 64 * 1024;
    const DIGEST_BYTES: usize = 20;
    let mut piece = vec![0; usize::try_from(PIECE_BYTES.min(length)).ok()?];
    let (mut sha256, mut at) = (Sha256::new(), 0);
    while at < length {
        let part = piece.get_mut(..usize::try_from(PIECE_BYTES.min(length - at)).ok()?)?;
        read_exact_at(file, part, at).ok()?;
        sha256.update(&*part);
        at += PIECE_BYTES;
    }
    let mut text = String::with_capacity(2 * DIGEST_BYTES);
    for byte in sha256.finalize().iter().take(DIGEST_BYTES) {
        // A String takes whatever it is given.
        let _ = write!(text, "{byte:02x}");
    }
    Some(ContentHash(text.into()))
}

/// A build that cannot hash does not start with `--etag content`.
#[cfg(not(feature = "content-hash"))]
fn hash(_: &File, _: u64) -> Option<ContentHash> {
    None
}

#[cfg(all(test, unix))]
#[cfg(feature = "content-hash")]
mod tests {
    use std::fs;

    use super::*;
    use crate::files::scratch::Scratch;

    fn stamp_of(file: &File) -> FileVersion {
        let Ok(metadata) = file.metadata() else { panic!("an open file has metadata") };
        FileVersion::of(&metadata)
    }

    #[test]
    fn the_hash_is_that_of_the_whole_content() {
        let scratch = Scratch::new();
        let path = scratch.path().join("file");
        // By sha256sum.
        for (content, want, why) in [
            (vec![], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4", "nothing"),
            (b"abc".to_vec(), "ba7816bf8f01cfea414140de5dae2223b00361a3", "the example of FIPS 180"),
            (vec![b'x'; 65_536], "1f8745f0d2d1387ec1af2211a3cf417b2e9e885e", "a piece"),
            (vec![b'x'; 65_537], "1abe08ebecf1c18cab71f6fe28aaddf20268f85b", "a byte more"),
        ] {
            fs::write(&path, content).unwrap();
            let file = File::open(&path).unwrap();
            assert_eq!(&*ContentHashes::default().of(&file, &stamp_of(&file)).unwrap().0, want, "{why}");
        }
    }

    #[test]
    fn a_version_is_read_once_and_the_next_one_again() {
        let scratch = Scratch::with(&["old", "young"]);
        let digests = ContentHashes::default();
        let remembered = |stamp: &FileVersion| digests.known(stamp).is_some();
        let young = File::open(scratch.path().join("young")).unwrap();
        let stamp = stamp_of(&young);
        digests.of(&young, &stamp).unwrap();
        assert!(!remembered(&stamp), "it might change again unseen");

        // No file here is two seconds old, but those of the repository are.
        let file = File::open(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("LICENSE")).unwrap();
        let stamp = stamp_of(&file);
        let digest = digests.of(&file, &stamp).unwrap();
        assert!(remembered(&stamp));
        let nothing = File::open(scratch.path().join("old")).unwrap();
        assert_eq!(digests.of(&nothing, &stamp), Some(digest), "the second time nothing is read");

        let mut longer = stamp;
        longer.length = stamp.length + 1;
        assert_eq!(digests.of(&file, &longer), None, "it is not so long any more");
        let sparse = File::create(scratch.path().join("sparse")).unwrap();
        sparse.set_len(FILE_BYTES_MAX + 1).unwrap();
        assert_eq!(digests.of(&sparse, &stamp_of(&sparse)), None, "one byte too many");
    }
}
