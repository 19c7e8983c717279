//! Which small files are in memory?
//!
//! Opening, reading and closing a small file costs more than sending it. So its bytes are kept, together with the head fields that go
//! before them, and sent again for as long as a look at the path shows the same file: inode, length, both times, and no link on the
//! way ([`Root::is_unchanged`]). Every use looks. So the first request after a change sees it, and a file that is moved away, hidden
//! behind a link or no longer readable is not sent from memory.
//!
//! One thing a look cannot show: a program that writes through a shared memory map changes bytes long before the times of the file. The
//! same holds for every tag and date that a server or a proxy could send of it.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use crate::files::representation::{CachedFile, Representation};
use crate::files::root::Root;
use crate::files::version::FileVersion;
use crate::files::version::read_exact_at;

/// Larger files are read each time. Sending one from memory spares one copy of two; beyond this, other things cost more.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Files larger than this are kept when they are asked for a second time: so a walk through many of them drives nothing out.
const AT_ONCE_BYTES_MAX: u64 = 64 * 1024;
/// So many paths of files that were asked for once are remembered, a word for each.
const ASKED_ONCE: usize = 256;
/// Parts with a lock each, so that threads seldom meet at one.
const SHARDS: usize = 16;
/// What an entry takes beside its bytes: its place in the table, its validators, and what the allocator adds.
const ENTRY_BYTES: usize = 512;

/// What a key ends in if the file is there in another role than under its own name. No path holds a NUL.
pub const VARIANT_SUFFIX: &[u8] = b"\0";

/// The path that is looked at, of a file that is kept under that key: the same, but for its role.
pub fn file_path_of_key(key: &[u8]) -> &[u8] {
    key.strip_suffix(VARIANT_SUFFIX).unwrap_or(key)
}

/// Small files in memory, the least recently used first to go.
#[derive(Debug)]
pub struct Cache {
    shards: Box<[Shard]>,
    shard_bytes_max: usize,
    hasher: RandomState,
    /// Hashes of paths that were asked for lately.
    asked: Box<[AtomicU64]>,
}

#[derive(Debug, Default)]
struct Shard {
    /// Guards the table, for a look-up or an insertion. Nothing is read and no system call made under it.
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<Box<[u8]>, Entry>,
    bytes: usize,
    /// Insertions so far: the clock by which uses are compared. It stands still while all is found, so that finding writes nothing.
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    kept: Arc<CachedFile>,
    used: AtomicU64,
}

impl Cache {
    /// An empty one for at most so many bytes, head fields and names counted; 0 keeps nothing.
    pub fn new(bytes_max: usize) -> Cache {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        let asked = (0..ASKED_ONCE).map(|_| AtomicU64::new(0)).collect();
        Cache { shards, shard_bytes_max: bytes_max / SHARDS, hasher: RandomState::new(), asked }
    }

    /// The file under that key, if it is here and still the one that lies there.
    pub fn get(&self, root: &Root, key: &[u8]) -> Option<Arc<CachedFile>> {
        let shard = self.shard(key)?;
        let kept = {
            let table = shard.table.read().unwrap_or_else(PoisonError::into_inner);
            let entry = table.entries.get(key)?;
            if entry.used.load(Ordering::Relaxed) != table.clock {
                entry.used.store(table.clock, Ordering::Relaxed);
            }
            Arc::clone(&entry.kept)
        };
        if root.is_unchanged(file_path_of_key(key), &kept.stamp) {
            return Some(kept);
        }
        shard.remove(key);
        None
    }

    /// Reads an open file into memory, if it is small, and has not changed so lately that a next change could look the same. The file
    /// stands at its beginning, and there again where nothing comes of it.
    pub fn insert(&self, root: &Root, key: &[u8], open: &OpenedFile<'_>, now: SystemTime) -> Option<Arc<CachedFile>> {
        let OpenedFile { file, stamp, representation } = open;
        if stamp.length > FILE_BYTES_MAX || !stamp.is_stable(now) || self.shard_bytes_max == 0 {
            return None;
        }
        if stamp.length > AT_ONCE_BYTES_MAX && !self.second_request(key) {
            return None;
        }
        let content = read(file, stamp.length)?;
        // What was read is what lies there, and was all the time: the stamp is older than the reading, and this is later.
        if !root.is_unchanged(file_path_of_key(key), stamp) {
            return None;
        }
        let kept = Arc::new(CachedFile::new((*representation).clone(), **stamp, content));
        self.shard(key)?.insert(key, &kept, self.shard_bytes_max);
        Some(kept)
    }

    /// Whether that was asked for before, lately; it has been now.
    fn second_request(&self, key: &[u8]) -> bool {
        let hash = self.hasher.hash_one(key);
        let place = usize::try_from(hash % ASKED_ONCE.try_into().unwrap_or(1)).ok().and_then(|place| self.asked.get(place));
        place.is_some_and(|place| place.swap(hash, Ordering::Relaxed) == hash)
    }

    fn shard(&self, path: &[u8]) -> Option<&Shard> {
        let place = self.hasher.hash_one(path) % u64::try_from(self.shards.len()).ok()?;
        self.shards.get(usize::try_from(place).ok()?)
    }
}

/// A file that was just opened.
pub struct OpenedFile<'a> {
    /// The open file.
    pub file: &'a File,
    /// Which version of it.
    pub stamp: &'a FileVersion,
    /// What is said about it.
    pub representation: &'a Representation,
}

/// All bytes of a file, if they are so many. It does not move the place where the next read begins.
fn read(file: &File, length: u64) -> Option<Vec<u8>> {
    let mut content = vec![0; usize::try_from(length).ok()?];
    read_exact_at(file, &mut content, 0).ok()?;
    Some(content)
}

impl Shard {
    fn insert(&self, path: &[u8], kept: &Arc<CachedFile>, bytes_max: usize) {
        let bytes = cost(path, kept);
        if bytes > bytes_max {
            return;
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.remove(path);
        table.make_room(bytes_max - bytes);
        table.clock += 1;
        table.bytes += bytes;
        let used = AtomicU64::new(table.clock);
        table.entries.insert(path.into(), Entry { kept: Arc::clone(kept), used });
    }

    fn remove(&self, path: &[u8]) {
        self.table.write().unwrap_or_else(PoisonError::into_inner).remove(path);
    }
}

impl Table {
    fn remove(&mut self, path: &[u8]) {
        if let Some((path, entry)) = self.entries.remove_entry(path) {
            self.bytes = self.bytes.saturating_sub(cost(&path, &entry.kept));
        }
    }

    /// Lets the least recently used go until no more than `bytes_max` are left. When it must, it lets an eighth more go: each time
    /// all uses are compared, which should not happen for every new file.
    fn make_room(&mut self, bytes_max: usize) {
        if self.bytes <= bytes_max {
            return;
        }
        let mut uses: Vec<(u64, Box<[u8]>)> =
            self.entries.iter().map(|(path, entry)| (entry.used.load(Ordering::Relaxed), path.clone())).collect();
        uses.sort_unstable();
        let target = bytes_max - bytes_max / 8;
        for (_, path) in uses {
            if self.bytes <= target {
                break;
            }
            self.remove(&path);
        }
    }
}

/// What an entry takes, in bytes.
fn cost(path: &[u8], kept: &CachedFile) -> usize {
    path.len() + kept.content.len() + kept.headers_200.len() + kept.headers_304.len() + ENTRY_BYTES
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::config::Symlinks;
    use crate::files::representation::FileMetadata;
    use crate::files::root;
    use crate::files::scratch::Scratch;

    /// Opens the file and offers it to the cache, `later` after now.
    fn offer(cache: &Cache, root: &Root, path: &str, later: Duration) -> Option<Arc<CachedFile>> {
        let Ok(root::Opened::File(file, stamp)) = root.open_beneath(path.as_bytes()) else { panic!("no file {path}") };
        let now = SystemTime::now() + later;
        let representation = Representation::of(&stamp, None, FileMetadata::of_type("text/plain"), now);
        cache.insert(root, path.as_bytes(), &OpenedFile { file: &file, stamp: &stamp, representation: &representation }, now)
    }

    const LATER: Duration = Duration::from_secs(3);

    #[test]
    fn what_is_kept_is_found_until_it_changes() {
        let scratch = Scratch::with(&["d/x", "big", "small"]);
        let at = |name: &str| scratch.path().join(name);
        let root = Root::open(scratch.path(), Symlinks::Within).unwrap();
        let cache = Cache::new(1024 * 1024);
        let limit = usize::try_from(FILE_BYTES_MAX).unwrap();
        fs::write(at("big"), vec![b'x'; limit + 1]).unwrap();
        fs::write(at("small"), vec![b'x'; limit]).unwrap();
        assert!(offer(&cache, &root, "d/x", Duration::ZERO).is_none(), "it has just changed, and might again");
        assert!(offer(&cache, &root, "big", LATER).is_none(), "one byte too many");
        assert!(offer(&cache, &root, "small", LATER).is_none(), "not the first time");
        assert!(offer(&cache, &root, "small", LATER).is_some());
        assert!(cache.get(&root, b"small").is_none(), "more than a part of the cache takes");
        assert!(offer(&cache, &root, "d/x", LATER).is_some());
        assert_eq!(&*cache.get(&root, b"d/x").unwrap().content, b"d/x");
        assert!(cache.get(&root, b"d").is_none() && cache.get(&root, b"x").is_none(), "other names");
        fs::write(at("d/x"), "new").unwrap();
        assert!(cache.get(&root, b"d/x").is_none(), "it changed");
        assert!(cache.shards.iter().all(|shard| shard.table.read().unwrap().entries.is_empty()), "and is forgotten");
        assert!(offer(&Cache::new(0), &root, "d/x", LATER).is_none(), "a cache of no size");
        let cache = Cache::new(SHARDS * 2 * limit);
        assert!(offer(&cache, &root, "small", LATER).is_none() && offer(&cache, &root, "small", LATER).is_some());
        assert!(cache.get(&root, b"small").is_some(), "the largest that is kept");
        fs::write(at("x"), vec![b'x'; 64 * 1024]).unwrap();
        assert!(offer(&cache, &root, "x", LATER).is_some(), "the largest that is kept at once");
    }

    #[test]
    fn the_least_recently_used_go_first() {
        let names: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let scratch = Scratch::with(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let root = Root::open(scratch.path(), Symlinks::Within).unwrap();
        // Two names of one shard are needed to see an order, so there is one shard only, with room for ten.
        let one = offer(&Cache::new(1024 * 1024), &root, "0", LATER).unwrap();
        let each = cost(b"00", &one) + 2;
        let cache = Cache { shards: vec![Shard::default()].into(), shard_bytes_max: 10 * each, ..Cache::new(0) };
        for (count, name) in names.iter().enumerate() {
            assert!(offer(&cache, &root, name, LATER).is_some());
            assert!(cache.get(&root, b"0").is_some(), "used after each, still here after {name}");
            let table = cache.shards[0].table.read().unwrap();
            assert!(table.bytes <= cache.shard_bytes_max, "never more than allowed");
            assert!(table.entries.contains_key(name.as_bytes()), "the newest is here");
            assert!(count < 10 || table.entries.len() >= 8, "no more go than must");
        }
        assert!(cache.get(&root, b"1").is_none(), "used once, long ago");
    }
}
