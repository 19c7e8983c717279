//! Which words change how it answers?

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};

use crate::config::cache_policy::{CachePolicy, Sharing};
use crate::config::glob::Glob;
use crate::config::headers::{DefaultHeader, DefaultHeaders};
use crate::config::{Cors, EtagSource, MimeTypes};
use crate::files::content_hash::CAN_HASH;
use crate::http::grammar::is_token;
use crate::http::origin::{self, AllowedOrigins, EXPOSED};
use crate::http::scan::find_control_byte;

/// A year: what is more means the same to every cache.
const CACHE_SECS_MAX: u64 = 31_536_000;

/// What our own pages say of it is for them to say, and what refusals say keeps them out of caches: so it is for files.
const CACHE_CONTROL: &str = "cache-control";

/// What the answers carry.
#[derive(Debug, Args)]
#[command(next_help_heading = "How it answers")]
pub struct ResponseOptions {
    /// How long caches may use a file without asking whether it has changed; 0: they always ask
    #[arg(long, value_name = "SECONDS", value_parser = RangedU64ValueParser::<u32>::new().range(0..=CACHE_SECS_MAX), env = "THREADBARE_CACHE")]
    pub cache: Option<u32>,

    /// Files that never change under their name (assets/**, *.woff2): caches need not ask for a year; may be given more than once
    #[arg(long, value_name = "GLOB", value_parser = Glob::parse, env = "THREADBARE_IMMUTABLE", value_delimiter = ',')]
    pub immutable: Vec<Glob>,

    /// By what an ETag tells versions of a file apart: its length and time, or a hash of its content, for copies whose times differ
    /// (only a build with --features content-hash can)
    #[arg(long, value_name = "BY", value_enum, default_value = "mtime", env = "THREADBARE_ETAG")]
    pub etag: Etag,

    /// A field for every answer ('X-Frame-Options: DENY'); Cache-Control is for files alone; may be given more than once
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = DefaultHeader::parse, allow_hyphen_values = true, env = "THREADBARE_HEADER", value_delimiter = '\n')]
    pub header: Vec<DefaultHeader>,

    /// Let pages of that site (scheme://host or scheme://host:port) read the answers, also with passwords that the browser keeps;
    /// without ORIGIN, those of all sites, never with these; may be given more than once
    #[arg(long, value_name = "ORIGIN", num_args = 0..=1, require_equals = true, default_missing_value = "*", value_parser = cors_origin, env = "THREADBARE_CORS", value_delimiter = ',')]
    pub cors: Vec<String>,

    /// The media type of files with an extension (log=text/plain); may be given more than once
    #[arg(long, value_name = "EXT=TYPE", value_parser = own_type, env = "THREADBARE_MIME", value_delimiter = ',')]
    pub mime: Vec<(String, String)>,

    /// The charset of texts; none says nothing about it
    #[arg(long, value_name = "NAME", default_value = "utf-8", value_parser = charset, env = "THREADBARE_CHARSET")]
    pub charset: String,
}

/// What a tag is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "clap would turn the whole help into its long form")]
pub enum Etag {
    Mtime,
    Content,
}

/// An extension and a media type.
// media-type = type "/" subtype parameters (RFC 9110 §8.3.1)
fn own_type(text: &str) -> Result<(String, String), &'static str> {
    let (extension, media_type) = text.split_once('=').ok_or("write EXTENSION=TYPE/SUBTYPE")?;
    let extension = extension.strip_prefix('.').unwrap_or(extension);
    if extension.is_empty() || extension.contains(['.', '/']) {
        return Err("an extension is what follows the last dot of a name");
    }
    let media_type = media_type.trim();
    let essence = media_type.split(';').next().unwrap_or_default().trim_end();
    let is_type =
        essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind.as_bytes()) && is_token(subtype.as_bytes()));
    if !is_type || !media_type.is_ascii() || find_control_byte(media_type.as_bytes(), 0).is_some() {
        return Err("that is no media type; write TYPE/SUBTYPE, as in text/plain");
    }
    Ok((extension.to_ascii_lowercase(), media_type.to_owned()))
}

fn cors_origin(text: &str) -> Result<String, &'static str> {
    if text == "*" { Ok(text.to_owned()) } else { origin::parse_origin(text) }
}

fn charset(text: &str) -> Result<String, &'static str> {
    if is_token(text.as_bytes()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("write the name of a charset, as in utf-8, or none")
    }
}

impl ResponseOptions {
    /// Of which media types files are.
    pub fn typing(&self) -> MimeTypes {
        // Of two types for one extension, the last one typed is meant.
        let own = self.mime.iter().rev().cloned().collect();
        MimeTypes { overrides: own, charset: Some(self.charset.clone()).filter(|name| name != "none") }
    }

    /// How long caches may use files without asking. What was typed as a field says it for all files that never change under their name.
    pub fn caching(&self, sharing: Sharing) -> CachePolicy {
        let caching = CachePolicy::for_seconds(self.cache.unwrap_or(0), self.immutable.clone(), sharing);
        let typed: Vec<&str> = self.typed_caching().collect();
        if typed.is_empty() { caching } else { CachePolicy { default: typed.join(", ").into(), ..caching } }
    }

    /// By what two versions of a file are told apart.
    pub fn tagging(&self) -> EtagSource {
        match self.etag {
            Etag::Mtime => EtagSource::Mtime,
            Etag::Content => EtagSource::Content,
        }
    }

    fn typed_caching(&self) -> impl Iterator<Item = &str> {
        self.header.iter().filter(|field| field.is(CACHE_CONTROL)).map(|field| &*field.value)
    }

    /// What cannot both be meant, or not by this build, if anything.
    pub fn conflict(&self) -> Option<&'static str> {
        if !CAN_HASH && self.etag == Etag::Content {
            return Some("this build has no '--etag content'; build it with: cargo build --release --features content-hash");
        }
        let is_any = |origin: &String| origin == "*";
        if self.cache.is_some() && self.typed_caching().next().is_some() {
            Some("--cache and --header 'Cache-Control' both say how long files may be used; give one of them")
        } else if self.cors.iter().any(is_any) && !self.cors.iter().all(is_any) {
            Some("--cors without an ORIGIN lets pages of all sites read the answers; give it alone, or only with origins")
        } else {
            None
        }
    }

    /// Fields for every answer, as they were typed.
    fn given(&self) -> Vec<DefaultHeader> {
        self.header.iter().filter(|field| !field.is(CACHE_CONTROL)).cloned().collect()
    }

    /// What every answer carries.
    pub fn common(&self) -> DefaultHeaders {
        let open = [("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", "*")];
        let is_open = self.cors().is_some_and(|cors| cors.origins == AllowedOrigins::Any);
        DefaultHeaders::new(&self.given(), if is_open { &open } else { &[] })
    }

    /// The pages of which other sites may read our answers.
    pub fn cors(&self) -> Option<Cors> {
        let origins = match &*self.cors {
            [] => return None,
            [any, ..] if any == "*" => AllowedOrigins::Any,
            named => AllowedOrigins::Named(named.to_vec()),
        };
        let typed = self.given().into_iter().map(|field| format!(", {}", field.name)).collect::<String>();
        Some(Cors { origins, exposed: format!("{EXPOSED}{typed}") })
    }
}
