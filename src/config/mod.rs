//! The configuration of the server: plain data, with defaults.
//!
//! `cli` builds it from the command line; all other modules only read it.

pub mod cache_policy;
pub mod headers;

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::config::cache_policy::CachePolicy;
use crate::config::headers::DefaultHeaders;
use crate::http::forwarded::TrustedProxies;
use crate::http::headers::Headers;
use crate::http::negotiation::AcceptedCodings;
use crate::http::origin::AllowedOrigins;
use crate::http::request::HeadLimits;

/// Everything the command line decides, as plain data.
#[derive(Clone, Debug)]
pub struct Config {
    /// The directory or file to serve.
    pub root: PathBuf,
    /// The TCP port to listen on; 0 lets the system choose one.
    pub port: u16,
    /// The addresses to listen on.
    pub bind: Bind,
    /// The paths of Unix sockets to listen at. Their permissions, which the umask decides, say who may connect.
    pub sockets: Vec<PathBuf>,
    /// Names tried, in order, when a directory is asked for.
    pub index: Vec<String>,
    /// What a directory without an index answers.
    pub listing: Listing,
    /// Whether names that begin with a dot are served.
    pub hidden: Hidden,
    /// Whether links that leave the root are followed.
    pub symlinks: Symlinks,
    /// By which names we are asked.
    pub hosts: AllowedHosts,
    /// Whether the kernel holds us to what we need.
    pub sandbox: Sandbox,
    /// Whether the built-in routes answer.
    pub routes: Routes,
    /// Whether there are files in several codings.
    pub precompressed: Precompressed,
    /// What is sent to who goes to a page that is not there.
    pub fallback: Fallback,
    /// Of which media types files are.
    pub typing: MimeTypes,
    /// How long caches may use them without asking.
    pub caching: CachePolicy,
    /// By what two versions of one are told apart.
    pub tagging: EtagSource,
    /// What every response carries.
    pub common: DefaultHeaders,
    /// The pages of which other sites may read our answers; `None`: of none.
    pub cors: Option<Cors>,
    /// Who stands before us.
    pub proxies: ProxyConfig,
    /// The limits.
    pub limits: Limits,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bind {
    /// 127.0.0.1 and ::1; a machine without one of the two is served on the other.
    Loopback,
    /// All interfaces, IPv4 and IPv6 alike; again one is enough.
    Everywhere,
    /// Exactly these.
    Addresses(Vec<IpAddr>),
}

impl Bind {
    /// Whether only this machine can reach us. It always can by a socket in the file system; without any address, only by those.
    pub fn is_loopback(&self) -> bool {
        match self {
            Bind::Loopback => true,
            Bind::Everywhere => false,
            Bind::Addresses(addresses) => addresses.iter().all(IpAddr::is_loopback),
        }
    }
}

/// Whether directories are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// They are.
    Shown,
    /// A directory without an index is 404.
    NotFound,
}

/// What becomes of names that begin with a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// They are 404, but for /.well-known/ (RFC 8615).
    NotFound,
    /// They are names like all others.
    Served,
}

/// What becomes of symbolic links that leave the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symlinks {
    /// They are 404. Those that stay inside work.
    Within,
    /// They are followed, wherever they lead.
    Followed,
}

/// By which names we are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHosts {
    /// By any.
    Any,
    /// By `localhost`, an address, and these.
    Local {
        /// Names that were given by `--allow-host`.
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

impl FromStr for Sandbox {
    type Err = String;

    fn from_str(text: &str) -> Result<Sandbox, String> {
        match text {
            "auto" => Ok(Sandbox::Auto),
            "require" => Ok(Sandbox::Require),
            "off" => Ok(Sandbox::Off),
            _ => Err("expected auto, require or off".to_owned()),
        }
    }
}

/// Whether the built-in routes answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routes {
    /// They do, where no file has their name.
    On,
    /// They do not.
    Off,
}

/// The pages of which other sites may read our answers, and what of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Of which.
    pub origins: AllowedOrigins,
    /// Which fields they may read.
    pub exposed: String,
}

/// Of which media types files are, where somebody knows better than the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MimeTypes {
    /// Extensions in lower case, and the types of files that have them.
    pub overrides: Vec<(String, String)>,
    /// In which charset texts are. `None` says nothing about it.
    pub charset: Option<String>,
}

impl Default for MimeTypes {
    fn default() -> MimeTypes {
        MimeTypes { overrides: Vec::new(), charset: Some("utf-8".to_owned()) }
    }
}

/// By what two versions of one file are told apart (RFC 9110 §8.8.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EtagSource {
    /// By its length and the time of its last change: looking costs nothing.
    #[default]
    Mtime,
    /// By a hash of its content: it has to be read once, and is the same wherever the content is, whatever the clocks say.
    Content,
}

impl FromStr for EtagSource {
    type Err = String;

    fn from_str(text: &str) -> Result<EtagSource, String> {
        match text {
            "mtime" => Ok(EtagSource::Mtime),
            "content" => Ok(EtagSource::Content),
            _ => Err("expected mtime or content".to_owned()),
        }
    }
}

/// Whether a file may have others beside it that hold the same in another coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precompressed {
    /// A file is a file.
    Off,
    /// `app.js.br`, `app.js.zst` and `app.js.gz` are forms of `app.js`.
    On,
}

impl Precompressed {
    /// What the client accepts, where that decides anything.
    pub fn codings(self, headers: &Headers<'_>) -> Option<AcceptedCodings> {
        match self {
            Precompressed::Off => None,
            Precompressed::On => Some(AcceptedCodings::accepted(headers)),
        }
    }
}

/// What is sent to who goes to a page that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// That it is not there.
    None,
    /// The index of the root: an application that knows what to do with all its addresses.
    StartPage,
}

/// What a proxy or a balancer in front is to us.
#[derive(Clone, Debug, Default)]
pub struct ProxyConfig {
    /// Whose word counts when it is said for whom a request is.
    pub trusted: TrustedProxies,
    /// What every connection begins with.
    pub preface: Preface,
    /// How long newcomers are still served after the first signal: a balancer needs so long to see that others must take them.
    pub drain: Duration,
}

/// What a connection begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preface {
    /// A request.
    #[default]
    None,
    /// A header of the PROXY protocol.
    ProxyProtocol,
}

/// How much is logged, unless RUST_LOG says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verbosity {
    /// Up to which level.
    pub level: log::LevelFilter,
    /// Up to which level access lines are.
    pub access: log::LevelFilter,
}

/// How much one client may ask of us, and how long it may take. Each has its unit in its name and its reason here.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The limits of a request head.
    pub head: HeadLimits,
    /// Live connections. Each costs a thread and about 10 KiB; the machine's own limits may lower it.
    pub connections_max: usize,
    /// How long a request head may take in all, from accept or from its first byte. 10 s: Apache allows 20 to 40.
    pub header_timeout: Duration,
    /// How long a connection may wait for its next request. 15 s: long enough for a person who reads a page, short enough for
    /// a server with many of them.
    pub keep_alive_timeout: Duration,
    /// How long content may take beyond what its length allows for.
    pub content_time_base: Duration,
    /// How long a response may take beyond what its length allows for.
    pub response_time_base: Duration,
    /// The slowest client that is served, in bytes a second: 1 KiB/s is a modem of 1990. Content and responses may take their base
    /// time and their length at this rate, all together.
    pub min_rate_bytes_per_sec: u64,
    /// How long a response may go without any progress. 10 s: a sleeping laptop loses its download and resumes by a range.
    pub stall_timeout: Duration,
    /// How long we listen after our last byte, so that the client gets to read it (RFC 9112 §9.6).
    pub linger_timeout: Duration,
    /// How many bytes we throw away while we listen so.
    pub linger_bytes_max: u64,
    /// How much content that nobody has read is taken in to save the connection. 64 KiB is cheaper than a new connection.
    pub drain_bytes_max: u64,
    /// The content that /echo shows. 1 MiB is a lot to look at.
    pub echo_bytes_max: usize,
    /// Small files that are kept in memory, in bytes. 64 MiB hold a site of ten thousand pages.
    pub cache_bytes_max: usize,
    /// How long requests in flight are given to finish after the first signal.
    pub shutdown_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head: HeadLimits::default(),
            connections_max: 4096,
            header_timeout: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(15),
            content_time_base: Duration::from_secs(20),
            response_time_base: Duration::from_secs(20),
            min_rate_bytes_per_sec: 1024,
            stall_timeout: Duration::from_secs(10),
            linger_timeout: Duration::from_secs(2),
            linger_bytes_max: 64 * 1024 * 1024,
            drain_bytes_max: 64 * 1024,
            echo_bytes_max: 1024 * 1024,
            cache_bytes_max: 64 * 1024 * 1024,
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// How long `bytes` may take in all, beyond a base time.
    pub fn timeout_for(&self, base: Duration, bytes: u64) -> Duration {
        base.saturating_add(Duration::from_secs(bytes / self.min_rate_bytes_per_sec.max(1)))
    }
}
