//! The files that all servers serve.

use std::fs::{self, File, Permissions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use crate::guard::Guard;

/// Number of files of 4 KiB in `many/`.
pub const MANY: usize = 10_000;
/// Number of entries in `folder/`.
pub const ENTRIES: usize = 1_000;

const KIB: u64 = 1024;

/// The files in the root, and their lengths.
const FILES: &[(&str, u64)] =
    &[("1k.bin", KIB), ("10k.bin", 10 * KIB), ("100k.bin", 100 * KIB), ("1m.bin", KIB * KIB), ("256m.bin", 256 * KIB * KIB)];

/// A site, and a directory for files of the servers. The guard removes both.
pub struct Place {
    above: PathBuf,
    /// A certificate and its key, for the workloads over TLS.
    #[cfg(feature = "tls")]
    pub tls: crate::tls::Pair,
}

impl Place {
    /// Creates both.
    pub fn new(guard: &Guard) -> Place {
        let above = std::env::temp_dir().join(format!("threadbare-peers-{}", std::process::id()));
        fs::create_dir_all(above.join("scratch")).unwrap();
        guard.watch_directory(&above);
        #[cfg(feature = "tls")]
        let tls = crate::tls::Pair::new(&above.join("scratch"), "peers", 30);
        let place = Place {
            above,
            #[cfg(feature = "tls")]
            tls,
        };
        for directory in ["many", "folder", "put"] {
            fs::create_dir_all(place.site().join(directory)).unwrap();
        }
        // Workers of nginx give up the rights of root.
        fs::set_permissions(place.site().join("put"), Permissions::from_mode(0o777)).unwrap();
        for (name, length) in FILES {
            write(&place.site().join(name), *length);
        }
        for number in 0..MANY {
            write(&place.site().join(format!("many/{number:05}.bin")), 4 * KIB);
        }
        for number in 0..ENTRIES {
            write(&place.site().join("folder").join(entry(number)), 10);
        }
        place
    }

    /// The served directory.
    pub fn site(&self) -> PathBuf {
        self.above.join("site")
    }

    /// The files of the certificate and its key.
    pub fn pair(&self) -> Option<(&Path, &Path)> {
        #[cfg(feature = "tls")]
        return Some((&self.tls.certificate, &self.tls.key));
        #[cfg(not(feature = "tls"))]
        None
    }

    /// Configurations, scripts and logs.
    pub fn scratch(&self) -> PathBuf {
        self.above.join("scratch")
    }
}

/// The name of an entry of `folder/`.
pub fn entry(number: usize) -> String {
    format!("entry-{number:04}.txt")
}

/// The byte at an offset of any file.
pub fn byte_at(offset: u64) -> u8 {
    u8::try_from(offset % 251).unwrap()
}

fn write(path: &Path, length: u64) {
    // A prime period, so that a range from the wrong offset is detected.
    let period: Vec<u8> = (0..251 * 64).map(byte_at).collect();
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let mut left = usize::try_from(length).unwrap();
    while left > 0 {
        let count = left.min(period.len());
        file.write_all(&period[..count]).unwrap();
        left -= count;
    }
    file.flush().unwrap();
    // The server keeps no file in memory that was modified within the last minute.
    file.get_ref().set_modified(UNIX_EPOCH + Duration::from_secs(784_111_777)).unwrap();
}
