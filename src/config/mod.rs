//! The configuration of the server: plain data, with defaults.
//!
//! `cli` builds it from the command line; all other modules only read it.

pub mod cache_policy;
pub mod glob;
pub mod headers;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use crate::config::cache_policy::CachePolicy;
use crate::config::glob::Glob;
use crate::http::forwarded::TrustedProxy;
use crate::http::origin::AllowedOrigins;
use crate::http::request::HeadLimits;

/// Everything that the command line decides.
#[derive(Clone, Debug)]
pub struct Config {
    /// The directory or file to serve.
    pub root: PathBuf,
    /// The TCP port to listen on; 0 lets the system choose one.
    pub port: u16,
    /// The addresses to listen on.
    pub bind: Bind,
    /// The paths of Unix sockets to listen on. The umask decides their permissions, and so who may connect.
    pub sockets: Vec<PathBuf>,
    /// Whether TCP connections are encrypted.
    pub tls: bool,
    /// Names of index files, in the order in which they are tried.
    pub index: Vec<String>,
    /// Whether a directory without an index file is listed.
    pub listing: bool,
    /// Whether directories can be downloaded as archives.
    pub archive: bool,
    /// Whether names that begin with a dot are served.
    pub serve_hidden: bool,
    /// Whether symbolic links that leave the root are followed.
    pub follow_symlinks: bool,
    /// The names that are accepted in Host.
    pub hosts: AllowedHosts,
    /// Whether the process restricts itself to what it needs.
    pub sandbox: Sandbox,
    /// Whether the built-in routes respond.
    pub builtin_routes: bool,
    /// Whether compressed files beside a file are sent in its place.
    pub precompressed: bool,
    /// Whether `NAME.html` is sent for `NAME`.
    pub clean_urls: bool,
    /// Whether the index file of the root is sent for pages that do not exist.
    pub spa: bool,
    /// Where files may be added; `None` allows it nowhere.
    pub upload: Option<UploadConfig>,
    /// Media types by name.
    pub mime_types: MimeTypes,
    /// What Cache-Control says of files.
    pub cache_policy: CachePolicy,
    /// What entity tags are made of.
    pub etag_source: EtagSource,
    /// The header field lines of every response, encoded.
    pub default_headers: Vec<u8>,
    /// Cross-origin access; `None` allows none.
    pub cors: Option<Cors>,
    /// Proxies in front of the server.
    pub proxies: ProxyConfig,
    /// The limits.
    pub limits: Limits,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bind {
    /// 127.0.0.1 and ::1, or the one of them that exists.
    Loopback,
    /// All interfaces, IPv4 and IPv6, or the one of them that exists.
    Everywhere,
    /// Exactly these addresses.
    Addresses(Vec<IpAddr>),
}

impl Bind {
    /// Returns the addresses.
    pub fn addresses(&self) -> Vec<IpAddr> {
        match self {
            Bind::Loopback => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            Bind::Everywhere => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
            Bind::Addresses(addresses) => addresses.clone(),
        }
    }

    /// Returns whether only this machine can connect. Unix sockets count as local.
    pub fn is_loopback(&self) -> bool {
        self.addresses().iter().all(IpAddr::is_loopback)
    }
}

/// The names that are accepted in Host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHosts {
    /// Any name.
    Any,
    /// `localhost`, IP addresses, and `extra`.
    Local {
        /// Whether names that only a local network can resolve are accepted as well.
        lan: bool,
        /// Names from `--allow-host`.
        extra: Vec<String>,
    },
}

/// Whether the process restricts itself to what it needs (Landlock).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sandbox {
    /// As far as the kernel can.
    Auto,
    /// Fully, or the server does not start.
    Require,
    /// Not at all.
    Off,
}

/// Cross-origin access (Fetch, CORS protocol).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// The origins whose pages may read responses.
    pub origins: AllowedOrigins,
    /// The response fields that they may read, for Access-Control-Expose-Headers.
    pub exposed: String,
}

/// Where files may be added, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadConfig {
    /// Canonical paths of directories, with a slash at both ends.
    pub directories: Vec<Vec<u8>>,
    /// Whether existing files may be replaced.
    pub overwrite: bool,
    /// Bytes of one request.
    pub bytes_max: u64,
}

/// Media types by name, where they differ from the built-in table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MimeTypes {
    /// Extensions or file names, and their types; the first that suits decides.
    pub overrides: Vec<(String, String)>,
    /// The charset parameter of text types; `None` adds none.
    pub charset: Option<String>,
    /// The files whose suffix `.gz`, `.br` or `.zst` means a content coding, and that have the type of the rest of their name.
    pub encoded: Vec<Glob>,
}

/// What an entity tag is made of (RFC 9110 §8.8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EtagSource {
    /// The length and the modification time of the file.
    Mtime,
    /// A hash of the content: the same on all replicas, whatever their clocks say. The file must be read once.
    Content,
}

/// Proxies and load balancers in front of the server.
#[derive(Clone, Debug, Default)]
pub struct ProxyConfig {
    /// The proxies that are trusted, each with the field that is believed.
    pub trusted: Vec<TrustedProxy>,
    /// Whether every connection begins with a PROXY header.
    pub proxy_protocol: bool,
    /// How long connections are still accepted after the first signal, so that a load balancer can notice.
    pub drain: Duration,
}

/// Limits on what a client can make long. Each has its unit in its name and its reason here.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The limits of a request head.
    pub head: HeadLimits,
    /// Connections. Each costs a thread and about 16 KiB; limits of the machine may lower it.
    pub connections_max: usize,
    /// Time for a request head in all, from accept or from its first byte: enough to type one. Apache allows 20 to 40 s.
    pub header_timeout: Duration,
    /// Time that a connection may wait for its next request: long enough for a reader of a page, short enough for many of them.
    pub keep_alive_timeout: Duration,
    /// How far a request body may be behind the minimum rate.
    pub body_timeout: Duration,
    /// How far a client may be behind the minimum rate in reading a response: long enough for a reader that pauses.
    pub send_timeout: Duration,
    /// The slowest client that is served, in both directions. 1 KiB/s is a modem of 1990.
    pub min_rate_bytes_per_sec: u64,
    /// Time to read and discard what the client still sends before closing, so that it can read the response (RFC 9112 §9.6).
    pub linger_timeout: Duration,
    /// Bytes to discard before closing.
    pub linger_bytes_max: u64,
    /// Bytes of an unread request body to discard so that the connection can persist: 64 KiB cost less than a new connection.
    pub drain_bytes_max: u64,
    /// The longest body that /echo shows.
    pub echo_bytes_max: usize,
    /// Memory for small files. 64 MiB hold a site of ten thousand pages.
    pub cache_bytes_max: usize,
    /// Memory for request bodies and generated content. A listing of 200,000 names takes 14 to 60 MiB while it is sent.
    pub content_bytes_max: usize,
    /// Archives that are made and sent at the same time. One of 100,000 entries takes about 20 MiB.
    pub archives_max: usize,
    /// Entries of an archive, with the directory itself.
    pub archive_entries_max: usize,
    /// Time to find the entries of an archive.
    pub archive_walk_time_max: Duration,
    /// Time for requests in progress to complete after the first signal.
    pub shutdown_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head: HeadLimits::default(),
            connections_max: 4096,
            header_timeout: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(20),
            send_timeout: Duration::from_secs(60),
            min_rate_bytes_per_sec: 1024,
            linger_timeout: Duration::from_secs(2),
            linger_bytes_max: 64 * 1024 * 1024,
            drain_bytes_max: 64 * 1024,
            echo_bytes_max: 64 * 1024,
            cache_bytes_max: 64 * 1024 * 1024,
            content_bytes_max: 128 * 1024 * 1024,
            archives_max: 4,
            archive_entries_max: 100_000,
            archive_walk_time_max: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
impl Default for MimeTypes {
    fn default() -> MimeTypes {
        MimeTypes { overrides: Vec::new(), charset: Some("utf-8".to_owned()), encoded: Vec::new() }
    }
}
