//! The served directory: finds, opens and describes files beneath one root. The handlers make responses from them.

pub mod archive;
pub mod cache;
pub mod content_hash;
pub mod current;
pub mod directory;
pub mod lookup;
pub mod media_type;
pub mod representation;
pub mod root;
pub mod tar;
pub mod upload;
pub mod version;
pub mod zip;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Instant, SystemTime};

use crate::config::{Config, Sandbox};
use crate::http::target::RequestTarget;
use cache::Cache;
use content_hash::ContentHashes;
use current::RootError;
use root::Root;
use upload::Uploads;

/// The served directory or file, and the options that decide what is served of it.
#[derive(Debug)]
pub struct Site {
    /// What ROOT named when it was last resolved. Guarded to clone or replace it, never during a system call.
    root: RwLock<Result<Arc<Root>, RootError>>,
    /// When ROOT was last resolved. Guarded for a comparison, never during a system call.
    root_checked: Mutex<Instant>,
    /// The absolute path of ROOT, for messages.
    pub display_path: PathBuf,
    /// As given: the addresses in it may change before the server starts, and are not used here.
    config: Config,
    /// Cloned for each archive that is being sent.
    pub archive_permits: Arc<()>,
    hashes: ContentHashes,
    cache: Cache,
    /// When the site was found to have no `404.html`.
    no_error_document_since: Mutex<Option<Instant>>,
    /// Where files may be added; `None` if nowhere.
    pub uploads: Option<Uploads>,
}

impl Site {
    /// Opens ROOT.
    ///
    /// # Errors
    /// It does not exist, may not be read, or is neither a directory nor a regular file.
    pub fn open(config: &Config) -> io::Result<Site> {
        let root = Arc::new(Root::open(&config.root, config.follow_symlinks)?);
        Ok(Site {
            uploads: Uploads::new(config, &root),
            root: RwLock::new(Ok(root)),
            root_checked: Mutex::new(Instant::now()),
            display_path: fs::canonicalize(&config.root)?,
            config: config.clone(),
            archive_permits: Arc::default(),
            hashes: ContentHashes::default(),
            cache: Cache::new(config.limits.cache_bytes_max),
            no_error_document_since: Mutex::default(),
        })
    }

    /// The directory that the sandbox must allow reading beneath, and its path: the root or, if possible, what may replace it.
    ///
    /// # Errors
    /// It cannot be opened, or nothing is served.
    pub fn readable(&self, sandbox: Sandbox) -> io::Result<(File, PathBuf)> {
        let root = self.root().map_err(io::Error::other)?;
        root.readable((sandbox == Sandbox::Auto).then_some(&*self.config.root))
    }

    /// Whether the path leads to a file in memory, so that a lookup opens nothing but, perhaps, its form in a content coding.
    pub fn is_cached(&self, target: &RequestTarget<'_>) -> bool {
        let path = target.path().strip_prefix(b"/").unwrap_or_default();
        match (path.strip_suffix(b"/").or(path.is_empty().then_some(path)), self.config.index.first()) {
            (Some(directory), Some(index)) => self.cache.contains(&root::join(directory, index.as_bytes())),
            _ => self.cache.contains(path),
        }
    }

    /// Whether there is a first page for `--spa`.
    pub fn has_fallback_index(&self) -> bool {
        matches!(lookup::fallback_index(self, None, SystemTime::now()), lookup::Resource::File(_))
    }

    /// Whether clients can request the file at `path`, which need not exist yet. Names of it that `path` does not show are not found: hard
    /// links, and symbolic links beneath ROOT that lead to it.
    pub fn would_serve(&self, path: &Path) -> bool {
        let Ok(root) = self.root() else { return false };
        let Ok(absolute) = std::path::absolute(path) else { return false };
        let in_real_parent = || Some(fs::canonicalize(absolute.parent()?).ok()?.join(path.file_name()?));
        let real = fs::canonicalize(path).ok().or_else(in_real_parent);
        // A link on the way is a name of the file too, if links are followed.
        let named = self.config.follow_symlinks.then_some(absolute);
        let is_served = |beneath: &Path| match &root.single_file {
            Some(only) => beneath == only.target,
            None => !lookup::is_hidden(self, beneath.iter().map(OsStr::as_encoded_bytes)),
        };
        [real, named].into_iter().flatten().any(|path| {
            let mut roots = path.ancestors().skip(1).filter(|ancestor| root.is_directory_at(ancestor));
            roots.any(|ancestor| path.strip_prefix(ancestor).is_ok_and(is_served))
        })
    }
}

/// Returns a permit, which counts until it is dropped; `None` if `count_max` of them are in use. A permit is a reference to `permits`.
pub fn acquire_permit(permits: &Arc<()>, count_max: usize) -> Option<Arc<()>> {
    let permit = Arc::clone(permits);
    // `permits` itself is one reference more.
    (Arc::strong_count(&permit) <= count_max + 1).then_some(permit)
}

/// Directory for one test, removed with its contents.
#[cfg(test)]
pub(crate) mod scratch {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::{env, fs, process};

    use super::Site;
    use crate::config::cache_policy::CachePolicy;
    use crate::config::headers::encode_default_headers;
    use crate::config::{AllowedHosts, Bind, Config, EtagSource, Limits, MimeTypes, ProxyConfig, Sandbox};

    pub(crate) struct Scratch {
        path: PathBuf,
    }

    impl Scratch {
        /// Creates an empty directory of its own.
        pub(crate) fn new() -> Scratch {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let name = format!("threadbare-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let path = env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Scratch { path }
        }

        /// Creates a directory with these files in it, each with its path as content; a path that ends in a slash is a directory.
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

        /// A site whose root is `beneath` the directory, with default options.
        pub(crate) fn site(&self, beneath: &str, change: impl FnOnce(&mut Config)) -> Site {
            let mut config = Config {
                root: self.path.join(beneath),
                port: 0,
                bind: Bind::Loopback,
                sockets: Vec::new(),
                tls: false,
                index: vec!["index.html".to_owned()],
                listing: true,
                archive: false,
                serve_hidden: false,
                follow_symlinks: false,
                hosts: AllowedHosts::Any,
                sandbox: Sandbox::Off,
                builtin_routes: true,
                mime_types: MimeTypes::default(),
                cache_policy: CachePolicy::for_seconds(0, Vec::new(), false),
                etag_source: EtagSource::Mtime,
                default_headers: encode_default_headers(&[], &[]),
                cors: None,
                precompressed: false,
                clean_urls: false,
                spa: false,
                upload: None,
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
