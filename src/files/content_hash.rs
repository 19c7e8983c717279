//! Content hashes for entity tags (`--etag content`, with the feature `content-hash`).
//!
//! Copies of a site on several servers then have equal tags, whatever the times of their files, and versions have different ones even if
//! a build sets all times to the same second. Each version of a file is read once, before its first response, and its hash remembered.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use crate::files::version::FileVersion;

/// Larger files have tags by time. The first client waits until the whole file has been read: less than two seconds for this many bytes
/// in the page cache.
const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Remembered versions, about 16 MiB. When there are more, all are forgotten.
const VERSIONS_MAX: usize = 65_536;
/// Files that are hashed at the same time. It bounds how many processors clients can occupy.
const READERS_MAX: usize = 16;

/// Hashes of file versions.
#[derive(Debug, Default)]
pub struct ContentHashes {
    /// Guards the table, for a look-up or an insertion. No file is read while it is held.
    known: RwLock<HashMap<FileVersion, Arc<str>>>,
    /// One of these, chosen by the version, is held while a file is read: other requests for it wait for its hash.
    reading: [Mutex<()>; READERS_MAX],
    hasher: RandomState,
}

impl ContentHashes {
    /// The hash of an open file, in hexadecimal digits; `None` if it is too large or cannot be read. The cursor of the file does not move.
    pub fn get(&self, file: &File, version: &FileVersion) -> Option<Arc<str>> {
        if version.length > FILE_BYTES_MAX {
            return None;
        }
        if let Some(known) = self.known(version) {
            return Some(known);
        }
        let [byte, ..] = self.hasher.hash_one(version).to_ne_bytes();
        let _reading = self.reading.get(usize::from(byte) % READERS_MAX)?.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = self.known(version) {
            return Some(known);
        }
        let began = SystemTime::now();
        let digest = hash(file, version.length)?;
        // A file that changed meanwhile, or may still change unnoticed, is read again the next time.
        let later = FileVersion::from_file(file).ok()?;
        if version.is_stable(began) && version.is_same(&later) {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= VERSIONS_MAX {
                known.clear();
            }
            known.insert(*version, Arc::clone(&digest));
        }
        Some(digest)
    }

    fn known(&self, version: &FileVersion) -> Option<Arc<str>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(version).cloned()
    }
}

/// The first 160 bits of the SHA-256 of the first `length` bytes.
#[cfg(feature = "content-hash")]
fn hash(file: &File, length: u64) -> Option<Arc<str>> {
    use sha2::{Digest as _, Sha256};

    use crate::files::version::read_exact_at;

    const BUFFER_BYTES: u64 = 64 * 1024;
    const HASH_BYTES: usize = 20;
    let mut buffer = vec![0; usize::try_from(BUFFER_BYTES.min(length)).ok()?];
    let (mut sha256, mut offset) = (Sha256::new(), 0);
    while offset < length {
        let part = buffer.get_mut(..usize::try_from(BUFFER_BYTES.min(length - offset)).ok()?)?;
        read_exact_at(file, part, offset).ok()?;
        sha256.update(&*part);
        offset += BUFFER_BYTES;
    }
    let digits: String = sha256.finalize().iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect();
    Some(digits.into())
}

/// `None`: a build without the feature refuses `--etag content` at the start.
#[cfg(not(feature = "content-hash"))]
fn hash(_: &File, _: u64) -> Option<Arc<str>> {
    None
}

#[cfg(all(test, unix))]
#[cfg(feature = "content-hash")]
mod tests {
    use std::fs;

    use super::*;
    use crate::files::scratch::Scratch;

    #[test]
    fn hash_is_of_the_whole_content() {
        let scratch = Scratch::new();
        let path = scratch.path().join("file");
        // From sha256sum.
        for (content, want, why) in [
            (vec![], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4", "an empty file"),
            (b"abc".to_vec(), "ba7816bf8f01cfea414140de5dae2223b00361a3", "the example of FIPS 180"),
            (vec![b'x'; 65_536], "1f8745f0d2d1387ec1af2211a3cf417b2e9e885e", "exactly one buffer"),
            (vec![b'x'; 65_537], "1abe08ebecf1c18cab71f6fe28aaddf20268f85b", "one byte more"),
        ] {
            fs::write(&path, content).unwrap();
            let file = File::open(&path).unwrap();
            assert_eq!(&*ContentHashes::default().get(&file, &FileVersion::from_file(&file).unwrap()).unwrap(), want, "{why}");
        }
    }

    #[test]
    fn stable_version_is_read_once() {
        let scratch = Scratch::with(&["old", "young"]);
        let hashes = ContentHashes::default();
        let remembered = |version: &FileVersion| hashes.known(version).is_some();
        let young = File::open(scratch.path().join("young")).unwrap();
        let version = FileVersion::from_file(&young).unwrap();
        hashes.get(&young, &version).unwrap();
        assert!(!remembered(&version), "it might change again unnoticed");

        // A file that is certainly older than a minute.
        let file = File::open("/bin/sh").unwrap();
        let version = FileVersion::from_file(&file).unwrap();
        let digest = hashes.get(&file, &version).unwrap();
        assert!(remembered(&version));
        let other = File::open(scratch.path().join("old")).unwrap();
        assert_eq!(hashes.get(&other, &version), Some(digest), "it is not read a second time");

        let mut longer = version;
        longer.length = version.length + 1;
        assert_eq!(hashes.get(&file, &longer), None, "the file is shorter than that");
        let sparse = File::create(scratch.path().join("sparse")).unwrap();
        sparse.set_len(FILE_BYTES_MAX + 1).unwrap();
        assert_eq!(hashes.get(&sparse, &FileVersion::from_file(&sparse).unwrap()), None, "one byte too long");
    }
}
