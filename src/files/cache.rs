//! Cache of small files in memory.
//!
//! Opening, reading and closing a small file costs more than sending it. So its bytes and encoded header fields are kept, and each use
//! checks by `stat` that the path still leads to the same version of the file ([`Root::is_unchanged`]): the first request after a change
//! sees it. Writes through a shared memory mapping change the bytes before the times, so a file is kept only a minute after its modification
//! ([`FileVersion::is_stable`](crate::files::version::FileVersion::is_stable)). File systems without write-back, such as tmpfs, may not set
//! the times of a mapped file at all; entity tags and dates cannot tell such versions apart.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use crate::files::representation::{CachedFile, Representation};
use crate::files::root::Root;
use crate::files::version::read_exact_at;
use crate::http::negotiation::ContentCoding;
use crate::net::budget::{HeldMemory, MemoryBudget};

/// Larger files are read from disk each time. Sending one from memory saves one copy of two; beyond this, other costs dominate.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Larger files are cached on their second request: a crawler that reads each file once would otherwise evict everything.
const FIRST_REQUEST_BYTES_MAX: u64 = 64 * 1024;
/// Hashes of paths of large files that were requested once: one for each value of their first byte.
const FIRST_REQUESTS: usize = 256;
/// Estimated size of an entry beside its bytes and paths: header fields, table slot, validators and allocator overhead.
const ENTRY_BYTES: usize = 1024;

/// Cache of files, which evicts the least recently used.
#[derive(Debug)]
pub struct Cache {
    bytes_max: usize,
    /// Counts the entries, and files that were evicted and are still being sent.
    budget: MemoryBudget,
    /// Guards the entries, for a look-up or an insertion. No file is read and no system call made while it is held.
    entries: RwLock<Entries>,
    first_requests: Box<[AtomicU64]>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Entries {
    /// By coding, and then by path: a file has other header fields when it is requested under its own name.
    tables: BTreeMap<Option<ContentCoding>, HashMap<Box<[u8]>, Entry>>,
    bytes: usize,
    /// Number of insertions, the clock of [`Entry::used_at`]. It does not advance on hits, so that these write nothing.
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    file: Arc<CachedFile>,
    /// Its size in bytes.
    cost: usize,
    used_at: AtomicU64,
}

/// The path of the file that holds `path` in a coding, such as `app.js.br`.
pub fn coded_path(path: &[u8], coding: Option<ContentCoding>) -> Cow<'_, [u8]> {
    match coding {
        None => path.into(),
        Some(coding) => [path, coding.suffix().as_bytes()].concat().into(),
    }
}

impl Cache {
    /// An empty cache for at most `bytes_max` bytes, header fields and paths included; 0 disables it.
    pub fn new(bytes_max: usize) -> Cache {
        let first_requests = (0..FIRST_REQUESTS).map(|_| AtomicU64::new(0)).collect();
        let budget = MemoryBudget::new(bytes_max);
        Cache { bytes_max, budget, entries: RwLock::default(), first_requests, hasher: RandomState::new() }
    }

    /// The file at `path` in that coding, if it is cached and unchanged on disk.
    pub fn get(&self, root: &Root, path: &[u8], coding: Option<ContentCoding>) -> Option<Arc<CachedFile>> {
        let file = self.entries.read().unwrap_or_else(PoisonError::into_inner).get(path, coding)?;
        if root.is_unchanged(&file.path, &file.representation.version) {
            return Some(file);
        }
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(path, coding);
        None
    }

    /// Whether the file at `path` is cached, in no coding. It may have changed on disk.
    pub fn contains(&self, path: &[u8]) -> bool {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.tables.get(&None).is_some_and(|table| table.contains_key(path))
    }

    /// Reads an open file into the cache. `None` if it is too large, there is no memory for it, it cannot be read, or it has changed so
    /// recently that another change could go unnoticed. The cursor of the file does not move.
    pub fn insert(
        &self,
        root: &Root,
        path: &[u8],
        representation: &Arc<Representation>,
        file: &File,
        now: SystemTime,
    ) -> Option<Arc<CachedFile>> {
        let (version, coding) = (&representation.version, representation.coding);
        let file_path = coded_path(path, coding);
        let bytes = usize::try_from(version.length).ok()?;
        let cost = path.len() + file_path.len() + bytes + ENTRY_BYTES;
        if version.length > FILE_BYTES_MAX || !version.is_stable(now) || cost > self.bytes_max {
            return None;
        }
        if version.length > FIRST_REQUEST_BYTES_MAX && self.is_first_request(path, coding) {
            return None;
        }
        let memory = self.reserve(cost)?;
        let mut content = vec![0; bytes];
        read_exact_at(file, &mut content, 0).ok()?;
        // The version is from before the read, and this check from after it: the content is of this version.
        if !root.is_unchanged(&file_path, version) {
            return None;
        }
        let cached = CachedFile::new(Arc::clone(representation), (&*file_path).into(), content);
        let cached = Arc::new(CachedFile { memory: Some(memory), ..cached });
        self.entries.write().unwrap_or_else(PoisonError::into_inner).insert(path, &cached, cost);
        Some(cached)
    }

    /// Returns memory for an entry, and evicts others if there is not enough. `None` if too much of it belongs to files that were evicted
    /// and are still being sent.
    fn reserve(&self, bytes: usize) -> Option<HeldMemory> {
        self.budget.try_hold(bytes).or_else(|| {
            self.entries.write().unwrap_or_else(PoisonError::into_inner).evict(self.bytes_max - bytes);
            self.budget.try_hold(bytes)
        })
    }

    /// Whether the file was not requested before, as far as is remembered; records that it is now.
    fn is_first_request(&self, path: &[u8], coding: Option<ContentCoding>) -> bool {
        let hash = self.hasher.hash_one((path, coding));
        let [byte, ..] = hash.to_ne_bytes();
        self.first_requests.get(usize::from(byte)).is_none_or(|known| known.swap(hash, Ordering::Relaxed) != hash)
    }
}

impl Entries {
    fn get(&self, path: &[u8], coding: Option<ContentCoding>) -> Option<Arc<CachedFile>> {
        let entry = self.tables.get(&coding)?.get(path)?;
        if entry.used_at.load(Ordering::Relaxed) != self.clock {
            entry.used_at.store(self.clock, Ordering::Relaxed);
        }
        Some(Arc::clone(&entry.file))
    }

    fn insert(&mut self, path: &[u8], file: &Arc<CachedFile>, cost: usize) {
        let coding = file.representation.coding;
        self.remove(path, coding);
        self.clock += 1;
        self.bytes += cost;
        let entry = Entry { file: Arc::clone(file), cost, used_at: AtomicU64::new(self.clock) };
        self.tables.entry(coding).or_default().insert(path.into(), entry);
    }

    fn remove(&mut self, path: &[u8], coding: Option<ContentCoding>) {
        if let Some(entry) = self.tables.get_mut(&coding).and_then(|table| table.remove(path)) {
            self.bytes -= entry.cost;
        }
    }

    /// Evicts the least recently used entries until at most `bytes_max` bytes are left; then an eighth more, since each eviction sorts
    /// all entries.
    fn evict(&mut self, bytes_max: usize) {
        if self.bytes <= bytes_max {
            return;
        }
        let entries = self.tables.values().flatten();
        let mut by_use: Vec<_> = entries
            .map(|(path, entry)| (entry.used_at.load(Ordering::Relaxed), path.clone(), entry.file.representation.coding))
            .collect();
        by_use.sort_unstable_by_key(|(used_at, ..)| *used_at);
        for (_, path, coding) in by_use {
            if self.bytes <= bytes_max - bytes_max / 8 {
                break;
            }
            self.remove(&path, coding);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::files::root::Opened;
    use crate::files::scratch::Scratch;

    const LATER: Duration = Duration::from_secs(63);

    /// Opens the file and offers it to the cache, `later` after now.
    fn offer(cache: &Cache, root: &Root, path: &str, later: Duration) -> Option<Arc<CachedFile>> {
        let Ok(Opened::File(file, version)) = root.open_beneath(path.as_bytes()) else { panic!("no file {path}") };
        let now = SystemTime::now() + later;
        let representation = Arc::new(Representation::of_type("text/plain", &version, now));
        cache.insert(root, path.as_bytes(), &representation, &file, now)
    }

    #[test]
    fn cached_file_is_found_until_it_changes() {
        let scratch = Scratch::with(&["d/x", "big", "small"]);
        let at = |name: &str| scratch.path().join(name);
        let root = Root::open(scratch.path(), false).unwrap();
        let limit = usize::try_from(FILE_BYTES_MAX).unwrap();
        let cache = Cache::new(limit + ENTRY_BYTES);
        fs::write(at("big"), vec![b'x'; limit + 1]).unwrap();
        fs::write(at("small"), vec![b'x'; limit]).unwrap();
        assert!(offer(&cache, &root, "d/x", Duration::ZERO).is_none(), "it has just changed, and might change again");
        assert!(offer(&cache, &root, "d/x", Duration::from_secs(3)).is_none(), "it may be written through a memory mapping");
        assert!(offer(&cache, &root, "big", LATER).is_none(), "one byte too long");
        assert!(offer(&cache, &root, "small", LATER).is_none(), "not on the first request");
        assert!(offer(&cache, &root, "small", LATER).is_none(), "more than the cache may hold, so it is not read");
        assert!(offer(&cache, &root, "d/x", LATER).is_some());
        assert_eq!(&*cache.get(&root, b"d/x", None).unwrap().content, b"d/x");
        assert!(cache.contains(b"d/x") && !cache.contains(b"d") && !cache.contains(b"x"));
        assert!(cache.get(&root, b"d/x", Some(ContentCoding::Gzip)).is_none(), "another coding");
        assert!(cache.get(&root, b"d", None).is_none() && cache.get(&root, b"x", None).is_none(), "other names");
        fs::write(at("d/x"), "new").unwrap();
        assert!(cache.get(&root, b"d/x", None).is_none(), "it changed");
        let entries = cache.entries.read().unwrap();
        assert!(entries.tables.values().all(HashMap::is_empty) && entries.bytes == 0, "a changed file is removed");
        assert!(offer(&Cache::new(0), &root, "d/x", LATER).is_none(), "the cache is disabled");
        let cache = Cache::new(2 * limit);
        assert!(offer(&cache, &root, "small", LATER).is_none() && offer(&cache, &root, "small", LATER).is_some());
        assert!(cache.get(&root, b"small", None).is_some(), "the longest file that is cached");
        fs::write(at("x"), vec![b'x'; 64 * 1024]).unwrap();
        assert!(offer(&cache, &root, "x", LATER).is_some(), "the longest file that is cached on the first request");
    }

    #[test]
    fn least_recently_used_files_are_evicted_first() {
        let names: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let scratch = Scratch::with(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let root = Root::open(scratch.path(), false).unwrap();
        let cache = Cache::new(10 * (ENTRY_BYTES + 6));
        for (count, name) in names.iter().enumerate() {
            assert!(offer(&cache, &root, name, LATER).is_some());
            assert!(cache.get(&root, b"0", None).is_some(), "used after each insertion, cached after {name}");
            let entries = cache.entries.read().unwrap();
            assert!(entries.bytes <= cache.bytes_max, "never more than allowed");
            assert!(entries.tables[&None].contains_key(name.as_bytes()), "the newest is cached");
            assert!(count < 10 || entries.tables[&None].len() >= 8, "no more are evicted than needed");
        }
        assert!(cache.get(&root, b"1", None).is_none(), "used once, before all others");
    }

    #[test]
    fn evicted_files_count_while_they_are_sent() {
        let scratch = Scratch::with(&["a", "b", "c", "d"]);
        let root = Root::open(scratch.path(), false).unwrap();
        let cache = Cache::new(3 * (ENTRY_BYTES + 3));
        let sent = ["a", "b", "c"].map(|name| offer(&cache, &root, name, LATER).expect("there is room for three"));
        assert!(offer(&cache, &root, "d", LATER).is_none(), "all three are still being sent, so a fourth is not read");
        let [a, b, c] = sent;
        drop(b);
        assert!(offer(&cache, &root, "d", LATER).is_some(), "the memory of one is free");
        assert!(cache.get(&root, b"d", None).is_some());
        drop((a, c));
    }
}
