//! From options to configuration, and the conflicts between options.

use std::env;
use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;

use crate::cli::options::{Cli, ListenTarget, MEBIBYTE};
use crate::config::cache_policy::CachePolicy;
use crate::config::headers::{DefaultHeader, encode_default_headers};
use crate::config::{AllowedHosts, Bind, Config, Cors, Limits, MimeTypes, ProxyConfig, UploadConfig};
use crate::handlers::access::{self, Auth};
use crate::http::forwarded::{ForwardedField, TrustedProxy};
use crate::http::origin::{AllowedOrigins, EXPOSED};
use crate::os;
use crate::telemetry::access_log::Destination;

/// The longest upload without `--upload-max`: 4 GiB hold a film or the image of a disk.
const UPLOAD_BYTES_MAX: u64 = 4 << 30;

/// `--header 'Cache-Control: …'` applies to files only: generated pages and errors have their own.
const CACHE_CONTROL: &str = "cache-control";

impl Cli {
    /// Converts the options. Whether listening is restricted to this machine is decided by `bind`, since sockets may be inherited.
    pub fn config(&self) -> Config {
        let bind = self.bind();
        let cors_headers: &[(&str, &str)] = match self.cors() {
            Some(Cors { origins: AllowedOrigins::Any, .. }) => {
                &[("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", "*")]
            }
            _ => &[],
        };
        Config {
            root: self.root.clone(),
            port: self.port,
            hosts: self.allowed_hosts(&bind),
            bind,
            sockets: self.sockets(),
            tls: self.tls || self.tls_cert.is_some(),
            index: self.index.clone(),
            listing: !self.no_listing,
            archive: self.archive,
            serve_hidden: self.hidden,
            follow_symlinks: self.follow_symlinks,
            sandbox: self.sandbox,
            builtin_routes: !self.no_routes,
            precompressed: self.precompressed,
            clean_urls: self.clean_urls,
            spa: self.spa,
            upload: self.upload(),
            // The last of several types for one extension wins.
            mime_types: MimeTypes {
                overrides: self.mime.iter().rev().cloned().collect(),
                charset: (self.charset != "none").then(|| self.charset.clone()),
                encoded: self.encoded.clone(),
            },
            cache_policy: self.cache_policy(),
            etag_source: self.etag,
            default_headers: encode_default_headers(&self.plain_headers(), cors_headers),
            cors: self.cors(),
            proxies: ProxyConfig {
                trusted: TrustedProxy::with_default(
                    &self.trust_proxy,
                    (!self.proxy_protocol).then_some(ForwardedField::XForwardedFor),
                ),
                proxy_protocol: self.proxy_protocol,
                drain: Duration::from_secs(self.drain),
            },
            limits: self.limits(),
        }
    }

    fn upload(&self) -> Option<UploadConfig> {
        let directories: Vec<Vec<u8>> = self.upload.iter().map(|path| path.clone().into_bytes()).collect();
        let bytes_max = self.upload_max.unwrap_or(UPLOAD_BYTES_MAX);
        (!directories.is_empty()).then_some(UploadConfig { directories, overwrite: self.overwrite, bytes_max })
    }

    fn limits(&self) -> Limits {
        Limits {
            connections_max: self.max_connections,
            header_timeout: Duration::from_secs(self.header_timeout),
            keep_alive_timeout: Duration::from_secs(self.idle_timeout),
            send_timeout: Duration::from_secs(self.send_timeout),
            cache_bytes_max: self.cache_memory.saturating_mul(MEBIBYTE),
            shutdown_timeout: Duration::from_secs(self.shutdown_timeout),
            ..Limits::default()
        }
    }

    /// Returns the addresses to listen on.
    pub fn bind(&self) -> Bind {
        let address = |target: &ListenTarget| if let ListenTarget::Address(address) = target { Some(*address) } else { None };
        match &*self.bind {
            _ if self.lan => Bind::Everywhere,
            [] => Bind::Loopback,
            targets => Bind::Addresses(targets.iter().filter_map(address).collect::<Vec<IpAddr>>()),
        }
    }

    fn sockets(&self) -> Vec<PathBuf> {
        let path = |target: &ListenTarget| if let ListenTarget::Path(path) = target { Some(path.clone()) } else { None };
        self.bind.iter().filter_map(path).collect()
    }

    /// Returns the names to accept in Host. An address that was chosen, and is no loopback address, is reached by names that the server cannot
    /// know; so is a Unix socket, through a proxy. A browser in the network of `--lan` could be tricked by DNS rebinding as one on this machine.
    pub fn allowed_hosts(&self, bind: &Bind) -> AllowedHosts {
        let lan = *bind == Bind::Everywhere;
        let is_any = !lan && (bind.addresses().is_empty() || !bind.is_loopback());
        if self.allow_host.iter().any(|name| name == "*") || (is_any && self.allow_host.is_empty()) {
            return AllowedHosts::Any;
        }
        let own = os::host_name().filter(|_| lan);
        AllowedHosts::Local { lan, extra: self.allow_host.iter().cloned().chain(own).collect() }
    }

    /// Reads names and passwords from options, file and environment; `None` if none are given.
    ///
    /// # Errors
    /// As [`Auth::read`].
    pub fn credentials(&self) -> Result<Option<Auth>, String> {
        Auth::read(&self.auth, self.auth_file.as_deref(), env::var_os(access::VARIABLE))
    }

    fn cache_policy(&self) -> CachePolicy {
        let in_environment = env::var_os(access::VARIABLE).is_some_and(|lines| !lines.is_empty());
        let private = !self.auth.is_empty() || self.auth_file.is_some() || in_environment;
        let policy = CachePolicy::for_seconds(self.cache.unwrap_or(0), self.immutable.clone(), private);
        let typed: Vec<&str> = self.cache_control_headers().collect();
        if typed.is_empty() { policy } else { CachePolicy { default: typed.join(", ").into(), ..policy } }
    }

    fn cache_control_headers(&self) -> impl Iterator<Item = &str> {
        self.header.iter().filter(|header| header.is(CACHE_CONTROL)).map(|header| &*header.value)
    }

    fn plain_headers(&self) -> Vec<DefaultHeader> {
        self.header.iter().filter(|header| !header.is(CACHE_CONTROL)).cloned().collect()
    }

    fn cors(&self) -> Option<Cors> {
        let origins = match &*self.cors {
            [] => return None,
            [any, ..] if any == "*" => AllowedOrigins::Any,
            named => AllowedOrigins::Named(named.to_vec()),
        };
        let typed = self.plain_headers().into_iter().map(|header| format!(", {}", header.name)).collect::<String>();
        Some(Cors { origins, exposed: format!("{EXPOSED}{typed}") })
    }

    /// Returns where the access log goes. With `--quiet` no file is created.
    pub fn access_log_destination(&self) -> Destination {
        match &self.access_log {
            Some(path) if !self.quiet && path.as_os_str() == "-" => Destination::Stdout,
            Some(path) if !self.quiet => Destination::File(path.clone()),
            _ => Destination::Stderr,
        }
    }

    /// Returns the level of the program's own messages.
    pub fn log_level(&self) -> LevelFilter {
        match self.verbose {
            0 => LevelFilter::Info,
            1 => LevelFilter::Debug,
            _ => LevelFilter::Trace,
        }
    }

    /// Returns what is wrong with a combination of options that clap cannot check.
    pub fn conflict(&self) -> Option<String> {
        let is_any = |origin: &String| origin == "*";
        // Inherited sockets may be reachable from anywhere.
        let inherits_sockets = env::var_os("LISTEN_FDS").is_some_and(|count| count != OsStr::new("0"));
        let conflict = if self.lan && !self.bind.is_empty() {
            Some("'--lan' and '--bind' both choose addresses; use one of them")
        } else if self.tls_cert.is_some() != self.tls_key.is_some() {
            Some("'--tls-cert' and '--tls-key' belong together; give both, or '--tls' alone for a self-signed certificate")
        } else if (self.tls || self.tls_cert.is_some()) && !cfg!(feature = "tls") {
            Some(
                "HTTPS ('--tls', '--tls-cert') needs a build with the feature tls: the Debian package, the container image, or cargo build --features tls",
            )
        } else if self.qr && self.bind().is_loopback() && !inherits_sockets {
            Some("'--qr' shows a URL for other devices, which cannot reach this server; add '--lan' or '--bind ADDR'")
        } else if self.check_health && self.port == 0 && self.sockets().is_empty() {
            Some("'--check-health' needs the port of the server, and '--port 0' is any; name the port")
        } else if self.archive && self.no_listing {
            Some("'--archive' sends what '--no-listing' hides; use one of them")
        } else if self.cache.is_some() && self.cache_control_headers().next().is_some() {
            Some("'--cache' and '--header Cache-Control' both set Cache-Control; use one of them")
        } else if self.cors.iter().any(is_any) && !self.cors.iter().all(is_any) {
            Some("'--cors' without ORIGIN allows any origin; use it alone, or only with origins")
        } else {
            self.upload_conflict()
        };
        // Not by clap, whose message would show the password.
        let wrong_entry = || {
            let reason = self.auth.iter().find_map(|entry| Auth::default().add(entry).err())?;
            Some(format!("'--auth': {reason}"))
        };
        conflict.map(str::to_owned).or_else(wrong_entry)
    }
    fn upload_conflict(&self) -> Option<&'static str> {
        if self.upload.is_empty() {
            let alone = "'--overwrite' and '--upload-max' have no effect without '--upload'; add it";
            (self.overwrite || self.upload_max.is_some()).then_some(alone)
        } else if !os::IS_UNIX {
            Some("'--upload' is not available on this system, only on Unix")
        } else if self.root.is_file() {
            Some("'--upload' adds files to a directory, and ROOT is a single file; name its directory")
        } else if self.follow_symlinks {
            Some("'--upload' cannot be combined with '--follow-symlinks', which leads out of ROOT; use one of them")
        } else if self.precompressed {
            Some(
                "'--upload' cannot be combined with '--precompressed': an uploaded app.js.gz would replace app.js; use one of them",
            )
        } else {
            None
        }
    }
}
