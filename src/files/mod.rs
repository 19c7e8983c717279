//! The served directory: finding and opening files beneath one root.
//!
//! This module finds and describes files; the handlers make responses from them.

pub mod cache;
pub mod content_hash;
pub mod current;
pub mod directory;
pub mod lookup;
pub mod media_type;
pub mod representation;
pub mod root;
pub mod version;

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::config::cache_policy::CachePolicy;
use crate::config::{Config, EtagSource, Hidden, Listing, MimeTypes, Precompressed, Sandbox};
use crate::files::representation::Choice;
use cache::Cache;
use content_hash::ContentHashes;
use current::{CurrentRoot, RootError};

/// What is served.
#[derive(Debug)]
pub struct Site {
    current: CurrentRoot,
    shown_path: PathBuf,
    index: Vec<String>,
    listing: Listing,
    hidden: Hidden,
    typing: MimeTypes,
    caching: CachePolicy,
    choice: Choice,
    tagging: EtagSource,
    digests: ContentHashes,
    cache: Cache,
}

impl Site {
    /// Opens the directory, or the one file, that the program was told to serve.
    ///
    /// # Errors
    /// It does not exist, may not be read, or is neither a directory nor a regular file.
    pub fn open(config: &Config) -> io::Result<Site> {
        let current = CurrentRoot::open(&config.root, config.symlinks)?;
        let shown_path = root::absolute(&config.root);
        Ok(Site {
            current,
            shown_path,
            index: config.index.clone(),
            listing: config.listing,
            hidden: config.hidden,
            typing: config.typing.clone(),
            caching: config.caching.clone(),
            choice: match config.precompressed {
                Precompressed::Off => Choice::None,
                Precompressed::On => Choice::ByCoding,
            },
            tagging: config.tagging,
            digests: ContentHashes::default(),
            cache: Cache::new(config.limits.cache_bytes_max),
        })
    }

    /// What the kernel must let us read beneath: the root and what may replace it, or everything where links may lead anywhere.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn readable(&self, sandbox: Sandbox) -> io::Result<(root::Readable, PathBuf)> {
        self.current.readable(sandbox == Sandbox::Auto)
    }

    /// Whether there is something to serve.
    ///
    /// # Errors
    /// There is not, and why.
    pub fn check(&self) -> Result<(), RootError> {
        self.current.get().map(|_| ())
    }

    /// Whether there is a page that an application begins with.
    pub fn has_start_page(&self) -> bool {
        matches!(lookup::fallback_index(self, None, SystemTime::now()), lookup::Resource::File(_) | lookup::Resource::Kept(_))
    }

    /// Whether one file is served, and nothing beside it.
    pub fn is_one_file(&self) -> bool {
        self.current.get().is_ok_and(|root| root.single_file().is_some())
    }

    /// Where it is, for the person who started the program.
    pub fn shown_path(&self) -> &Path {
        &self.shown_path
    }
}

/// A directory for one test, removed with all that is in it.
#[cfg(test)]
pub(crate) mod scratch {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::{env, fs, process};

    use super::Site;
    use crate::config::cache_policy::CachePolicy;
    use crate::config::headers::DefaultHeaders;
    use crate::config::{
        AllowedHosts, Bind, Config, EtagSource, Fallback, Hidden, Limits, Listing, MimeTypes, Precompressed, ProxyConfig, Routes,
        Sandbox, Symlinks,
    };

    pub(crate) struct Scratch {
        path: PathBuf,
    }

    impl Scratch {
        /// An empty directory that nobody else uses.
        pub(crate) fn new() -> Scratch {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let name = format!("threadbare-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let path = env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Scratch { path }
        }

        /// The same with these files in it, each with its own path as content. A path that ends in a slash is a directory.
        pub(crate) fn with(paths: &[&str]) -> Scratch {
            let scratch = Scratch::new();
            for path in paths {
                let place = scratch.path.join(path);
                if path.ends_with('/') {
                    fs::create_dir_all(place).unwrap();
                } else {
                    fs::create_dir_all(place.parent().unwrap()).unwrap();
                    fs::write(place, path).unwrap();
                }
            }
            scratch
        }

        pub(crate) fn path(&self) -> &Path {
            &self.path
        }

        /// A site whose root is `beneath` the directory, configured as by default.
        pub(crate) fn site(&self, beneath: &str, change: impl FnOnce(&mut Config)) -> Site {
            let mut config = Config {
                root: self.path.join(beneath),
                port: 0,
                bind: Bind::Loopback,
                sockets: Vec::new(),
                index: vec!["index.html".to_owned()],
                listing: Listing::Shown,
                hidden: Hidden::NotFound,
                symlinks: Symlinks::Within,
                hosts: AllowedHosts::Any,
                sandbox: Sandbox::Off,
                routes: Routes::On,
                typing: MimeTypes::default(),
                caching: CachePolicy::ALWAYS_ASK,
                tagging: EtagSource::Mtime,
                common: DefaultHeaders::default(),
                cors: None,
                precompressed: Precompressed::Off,
                fallback: Fallback::None,
                proxies: ProxyConfig::default(),
                limits: Limits::default(),
            };
            change(&mut config);
            Site::open(&config).unwrap()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
