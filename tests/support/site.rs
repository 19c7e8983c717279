//! The site of the cases.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, UNIX_EPOCH};
use std::{env, process};

/// 2020-01-02 03:04:05 UTC: the modification time of every file, so that validators are known.
const MODIFIED_SECS: u64 = 1_577_934_245;

/// A copy of `tests/site`, with files that a repository cannot contain; removed on drop.
pub struct TestSite {
    parent: PathBuf,
}

impl TestSite {
    /// Creates it.
    pub fn new() -> TestSite {
        TestSite::beneath(&env::temp_dir())
    }

    /// Creates it in memory if possible, so that hundreds of uploads do not wait for the disk.
    pub fn in_memory() -> TestSite {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { TestSite::beneath(memory) } else { TestSite::new() }
    }

    fn beneath(place: &Path) -> TestSite {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let parent = place.join(format!("threadbare-cases-{}-{number}", process::id()));
        let site = TestSite { parent };
        let root = site.root();
        fs::create_dir_all(&root).unwrap();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/site"), &root);
        let big: Vec<u8> = (0..300_000_u32).map(|index| u8::try_from(index % 251).unwrap()).collect();
        fs::write(root.join("big.bin"), big).unwrap();
        fs::create_dir(root.join("coded/one.txt.br")).unwrap();
        fs::write(root.join("types/latin1"), b"caf\xe9\n").unwrap();
        fs::write(root.join("types/movie.ts"), [&[0x47][..], &[0xff; 187]].concat().repeat(2)).unwrap();
        for (name, content) in [
            ("types/empty", ""),
            ("empty.txt", ""),
            ("a b&c<d>.txt", "awkward\n"),
            ("ümlaut.txt", "umlaut\n"),
            (".hidden", "hidden\n"),
            (".hidden.gz", "hidden, coded\n"),
        ] {
            fs::write(root.join(name), content).unwrap();
        }
        // Next to the root: an unrelated name, and one with the root's name as prefix.
        for outside in ["outside", "site-secret"] {
            fs::create_dir(site.parent.join(outside)).unwrap();
            fs::write(site.parent.join(outside).join("secret.txt"), "SECRET").unwrap();
        }
        #[cfg(unix)]
        links(&root);
        for entry in walk(&root) {
            if fs::symlink_metadata(&entry).unwrap().is_file() {
                let file = File::options().write(true).open(&entry).unwrap();
                // A compressed form of an earlier version of its file.
                let age = if entry.ends_with("stale.txt.gz") { Duration::from_nanos(1) } else { Duration::ZERO };
                file.set_modified(UNIX_EPOCH + Duration::from_secs(MODIFIED_SECS) - age).unwrap();
            }
        }
        site
    }

    /// The directory to serve.
    pub fn root(&self) -> PathBuf {
        self.parent.join("site")
    }
}

impl Drop for TestSite {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.parent);
    }
}

#[cfg(unix)]
fn links(root: &Path) {
    use std::os::unix::fs::symlink;
    symlink("ten.txt", root.join("in-link")).unwrap();
    symlink("../outside/secret.txt", root.join("out-link")).unwrap();
    symlink("../outside", root.join("out-dir")).unwrap();
    symlink("../../outside/secret.txt", root.join("coded/linked.txt.gz")).unwrap();
    symlink("two.txt.gz", root.join("coded/linked.txt.br")).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Every file below a directory; links are not followed.
pub fn walk(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(walk(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}
