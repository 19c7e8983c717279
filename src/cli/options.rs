//! The command line: each option with its help and its environment variable.
//!
//! An option is one field here and one line in `config.rs`. The values are checked here, so that an error names the option.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, PossibleValuesParser, RangedU64ValueParser, Resettable, TypedValueParser};
use clap::{ArgAction, Parser};

use crate::config::glob::Glob;
use crate::config::headers::DefaultHeader;
use crate::config::{EtagSource, Limits, Sandbox};
use crate::http::forwarded::TrustedProxy;
use crate::http::grammar::{find_control_byte, is_token, parse_decimal};
use crate::http::negotiation::ContentCoding;
use crate::http::origin;
use crate::http::target::Authority;
use crate::telemetry::log_format::LogFormat;

/// A year: caches treat a longer time as this.
const CACHE_SECONDS_MAX: u64 = 31_536_000;
/// More threads than a machine can run.
const CONNECTIONS_MAX: u64 = 1024 * 1024;
pub(super) const MEBIBYTE: usize = 1024 * 1024;
/// A tebibyte: more is a mistake.
const CACHE_MIB_MAX: u64 = 1024 * 1024;
/// A day: a longer time is a mistake.
const SECONDS_MAX: u64 = 86_400;

/// The options that `-h` shows. `--help` shows all.
pub const SHORT_HELP: [&str; 13] =
    ["root", "port", "bind", "lan", "qr", "open", "index", "spa", "auth_file", "explain", "quiet", "long_help", "version"];

/// A parsed command line. [`Cli::config`] converts it.
#[derive(Debug, Parser)]
#[command(name = "threadbare", version, about, max_term_width = 110, disable_help_flag = true, disable_version_flag = true)]
pub struct Cli {
    /// Directory or single file to serve
    #[arg(value_name = "ROOT", default_value = ".", value_parser = OsStringValueParser::new().try_map(root), help_heading = Resettable::Reset, env = "THREADBARE_ROOT")]
    pub root: PathBuf,

    /// Port to listen on; 0 = any free port
    #[arg(short, long, value_name = "PORT", default_value_t = 8000, env = "THREADBARE_PORT", help_heading = "Listening")]
    pub port: u16,

    /// Address to listen on, or unix:PATH for a Unix socket; repeatable [default: 127.0.0.1 and ::1]
    #[arg(short, long, value_name = "ADDR", value_parser = listen_target, env = "THREADBARE_BIND", value_delimiter = ',', help_heading = "Listening")]
    pub bind: Vec<ListenTarget>,

    /// Listen on all interfaces, so that other devices can connect
    #[arg(long, env = "THREADBARE_LAN", help_heading = "Listening")]
    pub lan: bool,

    /// Serve HTTPS, with a self-signed certificate unless --tls-cert names one
    #[arg(long, env = "THREADBARE_TLS", help_heading = "Listening")]
    pub tls: bool,

    /// Certificate chain for HTTPS, in PEM; read again on SIGHUP and when it changes
    #[arg(long, value_name = "FILE", env = "THREADBARE_TLS_CERT", help_heading = "Listening")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of that certificate, in PEM
    #[arg(long, value_name = "FILE", env = "THREADBARE_TLS_KEY", help_heading = "Listening")]
    pub tls_key: Option<PathBuf>,

    /// Show the URL for other devices as a QR code; with --lan or --bind
    #[arg(long, env = "THREADBARE_QR", help_heading = "Listening")]
    pub qr: bool,

    /// Open the site in the browser
    #[arg(long, env = "THREADBARE_OPEN", help_heading = "Listening")]
    pub open: bool,

    /// Check the health of the server running with these options, then exit (0 = healthy)
    #[arg(long, help_heading = "Listening")]
    pub check_health: bool,

    /// File served for its directory; repeatable, the first wins
    #[arg(
        long,
        value_name = "NAME",
        default_value = "index.html",
        env = "THREADBARE_INDEX",
        value_delimiter = ',',
        help_heading = "Files"
    )]
    pub index: Vec<String>,

    /// Respond 404 to a directory without an index file
    #[arg(long, env = "THREADBARE_NO_LISTING", help_heading = "Files")]
    pub no_listing: bool,

    /// Send a directory as one file for ?archive=tar and ?archive=zip, with links in listings
    #[arg(long, env = "THREADBARE_ARCHIVE", help_heading = "Files")]
    pub archive: bool,

    /// Serve names that begin with a dot
    #[arg(long, env = "THREADBARE_HIDDEN", help_heading = "Files")]
    pub hidden: bool,

    /// Follow symbolic links that lead out of ROOT
    #[arg(long, env = "THREADBARE_FOLLOW_SYMLINKS", help_heading = "Files")]
    pub follow_symlinks: bool,

    /// Send NAME.html for NAME, if nothing else has that path
    #[arg(long, env = "THREADBARE_CLEAN_URLS", help_heading = "Files")]
    pub clean_urls: bool,

    /// Send the index file of ROOT for pages that do not exist
    #[arg(long, env = "THREADBARE_SPA", help_heading = "Files")]
    pub spa: bool,

    /// Send NAME.br, NAME.zst or NAME.gz for NAME to clients that accept the coding
    #[arg(long, env = "THREADBARE_PRECOMPRESSED", help_heading = "Files")]
    pub precompressed: bool,

    /// Files ending in .gz, .br or .zst to send as compressed files of the type before it (Build/*, *.wasm.gz); repeatable
    #[arg(long, value_name = "GLOB", value_parser = encoded_glob, env = "THREADBARE_ENCODED", value_delimiter = ',', help_heading = "Files")]
    pub encoded: Vec<Glob>,

    /// Disable the built-in routes
    #[arg(long, env = "THREADBARE_NO_ROUTES", help_heading = "Files")]
    pub no_routes: bool,

    /// Media type for an extension or a file name (log=text/plain, CNAME=text/plain); repeatable
    #[arg(long, value_name = "EXT=TYPE", value_parser = media_type_override, env = "THREADBARE_MIME", value_delimiter = ',', help_heading = "Files")]
    pub mime: Vec<(String, String)>,

    /// Charset parameter of text types; none = no parameter
    #[arg(long, value_name = "NAME", default_value = "utf-8", value_parser = charset, env = "THREADBARE_CHARSET", help_heading = "Files")]
    pub charset: String,

    /// Time caches may reuse files without revalidation [default: 0]
    #[arg(long, value_name = "SECONDS", value_parser = RangedU64ValueParser::<u32>::new().range(0..=CACHE_SECONDS_MAX), env = "THREADBARE_CACHE", help_heading = "Caching")]
    pub cache: Option<u32>,

    /// Files that caches may reuse for a year (assets/**, *.woff2); repeatable
    #[arg(long, value_name = "GLOB", value_parser = Glob::parse, env = "THREADBARE_IMMUTABLE", value_delimiter = ',', help_heading = "Caching")]
    pub immutable: Vec<Glob>,

    /// Source of the ETag: mtime (length and time) or content (a hash)
    #[cfg_attr(not(feature = "content-hash"), arg(skip = EtagSource::Mtime))]
    #[cfg_attr(feature = "content-hash", arg(long, value_name = "SOURCE", default_value = "mtime", value_parser = one_of([("mtime", EtagSource::Mtime), ("content", EtagSource::Content)]), env = "THREADBARE_ETAG", help_heading = "Caching"))]
    pub etag: EtagSource,

    /// Memory for small files, in MiB; 0 = none
    #[arg(long, value_name = "MIB", default_value_t = Limits::default().cache_bytes_max / MEBIBYTE, value_parser = RangedU64ValueParser::<usize>::new().range(0..=CACHE_MIB_MAX), env = "THREADBARE_CACHE_MEMORY", help_heading = "Caching")]
    pub cache_memory: usize,

    /// Let clients add files beneath ROOT, or beneath DIR, a path within the site; repeatable
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, default_missing_value = "/", value_parser = upload_directory, env = "THREADBARE_UPLOAD", value_delimiter = ',', help_heading = "Uploads")]
    pub upload: Vec<String>,

    /// Let clients replace existing files; with --upload
    #[arg(long, env = "THREADBARE_OVERWRITE", help_heading = "Uploads")]
    pub overwrite: bool,

    /// Longest upload in bytes, or with K, M or G; with --upload [default: 4G]
    #[arg(long, value_name = "SIZE", value_parser = size, env = "THREADBARE_UPLOAD_MAX", help_heading = "Uploads")]
    pub upload_max: Option<u64>,

    /// Add a header field to every response; Cache-Control only to files; repeatable
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = DefaultHeader::parse, allow_hyphen_values = true, env = "THREADBARE_HEADER", value_delimiter = '\n', help_heading = "Access")]
    pub header: Vec<DefaultHeader>,

    /// Allow cross-origin requests from ORIGIN, with credentials; without ORIGIN, from any origin, without credentials; repeatable
    #[arg(long, value_name = "ORIGIN", num_args = 0..=1, require_equals = true, default_missing_value = "*", value_parser = cors_origin, env = "THREADBARE_CORS", value_delimiter = ',', help_heading = "Access")]
    pub cors: Vec<String>,

    /// Accept this name in the Host field, * = any; repeatable
    #[arg(long, value_name = "NAME", value_parser = host_name, env = "THREADBARE_ALLOW_HOST", value_delimiter = ',', help_heading = "Access")]
    pub allow_host: Vec<String>,

    /// Require this name and password (HTTP Basic), visible to other users of the machine; repeatable
    #[arg(long, value_name = "USER:PASSWORD", help_heading = "Access")]
    pub auth: Vec<String>,

    /// Require a name and password; FILE has lines USER:PASSWORD or USER:HASH
    #[arg(long, value_name = "FILE", env = "THREADBARE_AUTH_FILE", help_heading = "Access")]
    pub auth_file: Option<PathBuf>,

    /// Restrict the process to reading beneath ROOT: as far as the kernel can, fail if it cannot, or not at all
    #[arg(long, value_name = "MODE", default_value = "auto", value_parser = one_of([("auto", Sandbox::Auto), ("require", Sandbox::Require), ("off", Sandbox::Off)]), env = "THREADBARE_SANDBOX", help_heading = "Access")]
    pub sandbox: Sandbox,

    /// Believe X-Forwarded-For (ADDR=forwarded: Forwarded) of this proxy: an address, a network (10.0.0.0/8) or unix; repeatable
    #[arg(long, value_name = "ADDR", env = "THREADBARE_TRUST_PROXY", value_delimiter = ',', help_heading = "Proxies")]
    pub trust_proxy: Vec<TrustedProxy>,

    /// Require a PROXY protocol header (version 1 or 2) on every connection; with --trust-proxy, only from there, and X-Forwarded-For only with ADDR=x-forwarded-for
    #[arg(long, env = "THREADBARE_PROXY_PROTOCOL", help_heading = "Proxies")]
    pub proxy_protocol: bool,

    /// Keep accepting connections this long after SIGTERM while /health returns 503
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = RangedU64ValueParser::<u64>::new().range(..=SECONDS_MAX), env = "THREADBARE_DRAIN", help_heading = "Proxies")]
    pub drain: u64,

    /// Maximum number of connections; limits of the machine may lower it
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().connections_max, value_parser = RangedU64ValueParser::<usize>::new().range(1..=CONNECTIONS_MAX), env = "THREADBARE_MAX_CONNECTIONS", help_heading = "Limits")]
    pub max_connections: usize,

    /// Time for a request header, in all
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().header_timeout.as_secs(), value_parser = seconds(), env = "THREADBARE_HEADER_TIMEOUT", help_heading = "Limits")]
    pub header_timeout: u64,

    /// Time a client may stop reading a response, or be behind 1 KiB/s
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().send_timeout.as_secs(), value_parser = seconds(), env = "THREADBARE_SEND_TIMEOUT", help_heading = "Limits")]
    pub send_timeout: u64,

    /// Time an idle connection may wait for its next request
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().keep_alive_timeout.as_secs(), value_parser = seconds(), env = "THREADBARE_IDLE_TIMEOUT", help_heading = "Limits")]
    pub idle_timeout: u64,

    /// Time for requests in progress to complete after SIGTERM
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().shutdown_timeout.as_secs(), value_parser = RangedU64ValueParser::<u64>::new().range(..=SECONDS_MAX), env = "THREADBARE_SHUTDOWN_TIMEOUT", help_heading = "Limits")]
    pub shutdown_timeout: u64,

    /// Explain each exchange on standard error, in plain words
    #[arg(long, env = "THREADBARE_EXPLAIN", help_heading = "Output")]
    pub explain: bool,

    /// Count requests and connections, and serve the numbers to Prometheus at /metrics
    #[arg(long, env = "THREADBARE_METRICS", help_heading = "Output")]
    pub metrics: bool,

    /// Disable the access log
    #[arg(short, long, env = "THREADBARE_QUIET", help_heading = "Output")]
    pub quiet: bool,

    /// Write the access log to FILE, reopened on SIGHUP; - = standard output [default: standard error]
    #[arg(long, value_name = "FILE", env = "THREADBARE_ACCESS_LOG", help_heading = "Output")]
    pub access_log: Option<PathBuf>,

    /// Format of the access log
    #[arg(long, value_name = "FORMAT", default_value = "common", value_parser = one_of([("common", LogFormat::Common), ("combined", LogFormat::Combined), ("json", LogFormat::Json)]), env = "THREADBARE_LOG_FORMAT", help_heading = "Output")]
    pub log_format: LogFormat,

    /// Log more; repeatable. RUST_LOG overrides it
    #[arg(short, long, action = ArgAction::Count, env = "THREADBARE_VERBOSE", help_heading = "Output")]
    pub verbose: u8,

    /// Print the most common options
    #[arg(short = 'h', action = ArgAction::HelpShort, help_heading = "Output")]
    short_help: Option<bool>,

    /// Print all options
    #[arg(long = "help", action = ArgAction::HelpShort, help_heading = "Output")]
    long_help: Option<bool>,

    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = "Output")]
    version: Option<bool>,

    /// A habit from other servers, answered with a hint
    #[arg(short = 'd', long, value_name = "DIR", hide = true, value_parser = directory_hint)]
    directory: Option<String>,
}

/// One value of `--bind`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenTarget {
    /// An IP address.
    Address(IpAddr),
    /// The path of a Unix socket.
    Path(PathBuf),
}

/// Parses ROOT. Words that are no directory, but what people type for a port or an origin, get a hint.
fn root(word: OsString) -> Result<PathBuf, String> {
    let (bytes, text) = (word.as_encoded_bytes(), word.display());
    if word.is_empty() {
        Err("give a directory or a file, or nothing for the current directory".to_owned())
    } else if bytes.starts_with(b"http://") || bytes.starts_with(b"https://") {
        Err(format!("not a directory; to allow cross-origin requests from there, use --cors={text}"))
    } else if bytes.iter().all(u8::is_ascii_digit) && !Path::new(&word).exists() {
        Err(format!("not a directory; did you mean --port {text}?"))
    } else {
        Ok(PathBuf::from(word))
    }
}

/// Accepts one of these names, which clap lists in help and errors, and returns its value.
fn one_of<T: Copy + Send + Sync + 'static, const N: usize>(values: [(&'static str, T); N]) -> impl TypedValueParser<Value = T> {
    let value = move |name: String| values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value).ok_or("unknown");
    PossibleValuesParser::new(values.map(|(name, _)| name)).try_map(value)
}

fn directory_hint(text: &str) -> Result<String, String> {
    Err(format!("the directory is a positional argument: threadbare {text}"))
}

fn listen_target(text: &str) -> Result<ListenTarget, &'static str> {
    match text.strip_prefix("unix:") {
        Some("") => Err("expected a path after unix:"),
        Some(_) if !crate::os::IS_UNIX => Err("this system has no Unix sockets"),
        Some(path) => Ok(ListenTarget::Path(path.into())),
        None => text.parse().map(ListenTarget::Address).map_err(|_| "expected an IP address, or unix:PATH"),
    }
}

/// Parses an extension or a file name and its media type.
// media-type = type "/" subtype parameters (RFC 9110 §8.3.1)
fn media_type_override(text: &str) -> Result<(String, String), &'static str> {
    let (name, media_type) = text.split_once('=').ok_or("expected EXTENSION=TYPE/SUBTYPE or NAME=TYPE/SUBTYPE")?;
    if matches!(name, "" | ".") || name.contains('/') {
        return Err("expected an extension or the name of a file, without its directory");
    }
    let media_type = media_type.trim();
    let essence = media_type.split(';').next().unwrap_or(media_type).trim_end();
    let is_type =
        essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind.as_bytes()) && is_token(subtype.as_bytes()));
    if !is_type || !media_type.is_ascii() || find_control_byte(media_type.as_bytes(), 0).is_some() {
        return Err("expected a media type, such as text/plain");
    }
    Ok((name.to_owned(), media_type.to_owned()))
}

/// Parses a pattern that can match names ending in `.gz`, `.br` or `.zst`.
fn encoded_glob(pattern: &str) -> Result<Glob, &'static str> {
    let glob = Glob::parse(pattern)?;
    let end = pattern.rsplit(['*', '?']).next().unwrap_or(pattern);
    let is_suffix = |coding: ContentCoding| end.ends_with(coding.suffix()) || coding.suffix().ends_with(end);
    if !ContentCoding::ALL.into_iter().any(is_suffix) {
        return Err("only names ending in .gz, .br or .zst can match; add the suffix, as in *.wasm.gz");
    }
    Ok(glob)
}

fn charset(text: &str) -> Result<String, &'static str> {
    if is_token(text.as_bytes()) { Ok(text.to_ascii_lowercase()) } else { Err("expected a charset such as utf-8, or none") }
}

fn cors_origin(text: &str) -> Result<String, &'static str> {
    if text == "*" { Ok(text.to_owned()) } else { origin::parse_origin(text) }
}

/// Parses a host name without a port, or `*`.
fn host_name(text: &str) -> Result<String, &'static str> {
    let is_name = Authority::parse(text.as_bytes()).is_some_and(|authority| authority.port.is_none()) && !text.ends_with(':');
    if is_name || text == "*" { Ok(text.to_owned()) } else { Err("expected a host name without a port, or *") }
}

/// Parses a path within the site, to one that begins and ends with a slash.
fn upload_directory(text: &str) -> Result<String, &'static str> {
    let segments: Vec<&str> = text.split('/').filter(|segment| !matches!(*segment, "" | ".")).collect();
    if segments.iter().any(|segment| *segment == ".." || segment.contains(char::is_control)) {
        return Err("expected the path of a directory within the site, such as /incoming");
    }
    Ok(segments.iter().fold("/".to_owned(), |path, segment| format!("{path}{segment}/")))
}

/// Parses a number of bytes, KiB, MiB or GiB.
fn size(text: &str) -> Result<u64, &'static str> {
    let units = [(['K', 'k'], 10), (['M', 'm'], 20), (['G', 'g'], 30)];
    let unit = units.into_iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)));
    let (digits, shift) = unit.unwrap_or((text, 0));
    let bytes = parse_decimal(digits.as_bytes()).and_then(|number| number.checked_mul(1 << shift));
    bytes.ok_or("expected a number of bytes, or of KiB, MiB or GiB with K, M or G")
}

/// Accepts a time that can be waited for: one second to a day.
fn seconds() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(1..=SECONDS_MAX)
}
