//! The servers that are compared, and their configuration.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// How a server is started.
pub struct Setting<'a> {
    pub site: &'a Path,
    pub scratch: &'a Path,
    pub port: u16,
    /// The file that its access log goes to; `None` is no access log.
    pub log: Option<&'a Path>,
    pub purpose: Purpose,
    /// A certificate and its key.
    pub pair: Option<(&'a Path, &'a Path)>,
}

/// The purpose of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Most workloads.
    Usual,
    /// The workload with sixteen requests per write.
    Pipelined,
    /// The workload with access logs.
    Logged,
    /// The workload with uploads.
    Uploads,
    /// The workloads over TLS.
    Tls,
}

/// A server that may be installed on this machine.
pub struct Server {
    /// Its name.
    pub name: &'static str,
    /// Where to get it.
    pub from: &'static str,
    /// The configuration, in words for the report.
    pub says: &'static str,
    /// Whether it is so slow in most workloads that it runs in fewer rounds.
    pub is_slow: bool,
    /// For which purposes it is measured, besides those without uploads and TLS.
    also: &'static [Purpose],
    version: &'static [&'static str],
    command: fn(&Setting) -> Command,
}

/// The name of this server.
pub const OURS: &str = "threadbare";
/// The reference server.
pub const YARDSTICK: &str = "nginx";

/// All servers in the comparison.
pub const SERVERS: [Server; 8] = [
    Server {
        name: YARDSTICK,
        from: "Debian",
        says: "2 workers, `sendfile`, `tcp_nopush` (without it, small files are a third slower; off for pipelined requests, which it would delay by 40 ms), `open_file_cache` (valid for 30 s), any number of requests per connection, log buffered (64 KiB, 1 s), TLS 1.3; an upload is answered before it is on the disk",
        is_slow: false,
        also: &[Purpose::Uploads, Purpose::Tls],
        version: &["nginx", "-v"],
        command: nginx,
    },
    Server {
        name: OURS,
        from: "cargo bench builds it",
        says: "`-q`, otherwise the defaults: sandbox, Host check, timeouts, and a check of each cached file before use; without `-q` in the access log row; an upload is on the disk when it is answered",
        is_slow: false,
        also: &[Purpose::Uploads, Purpose::Tls],
        version: &[env!("CARGO_BIN_EXE_threadbare"), "--version"],
        command: |setting| {
            let quiet: &[&str] = if setting.log.is_none() { &["-q"] } else { &[] };
            let mut command = with(env!("CARGO_BIN_EXE_threadbare"), quiet);
            command.args(["--bind", "127.0.0.1", "--port"]).arg(setting.port.to_string()).arg(setting.site);
            match (setting.purpose, setting.pair) {
                (Purpose::Uploads, _) => drop(command.args(["--upload=put", "--overwrite"])),
                (Purpose::Tls, Some((certificate, key))) => {
                    command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key);
                }
                _ => {}
            }
            command.env_remove("RUST_LOG");
            command
        },
    },
    Server {
        name: "lighttpd",
        from: "Debian",
        says: "2 workers, stat cache, `sendfile`, 65,535 requests per connection",
        is_slow: false,
        also: &[Purpose::Tls],
        version: &["lighttpd", "-v"],
        command: lighttpd,
    },
    Server {
        name: "static-web-server",
        from: "cargo install static-web-server",
        says: "no `Cache-Control`, listings on",
        is_slow: false,
        also: &[],
        version: &["static-web-server", "--version"],
        command: |setting| {
            let mut command = with("static-web-server", &["-a", "127.0.0.1", "--cache-control-headers", "false", "-z", "true"]);
            if setting.log.is_some() {
                command.args(["--log-level", "info", "--log-remote-address", "true"]);
            }
            command.arg("-p").arg(setting.port.to_string()).arg("-d").arg(setting.site);
            command
        },
    },
    Server {
        name: "miniserve",
        from: "cargo install miniserve",
        says: "defaults; `--verbose` in the access log row",
        is_slow: true,
        also: &[],
        version: &["miniserve", "--version"],
        command: |setting| {
            let mut command = with("miniserve", &["-i", "127.0.0.1", "-p", &setting.port.to_string()]);
            command.args(setting.log.map(|_| "--verbose")).arg(setting.site);
            command
        },
    },
    Server {
        name: "dufs",
        from: "cargo install dufs",
        says: "an empty log format; the default one in the access log row",
        is_slow: true,
        also: &[],
        version: &["dufs", "--version"],
        command: |setting| {
            let mut command = with("dufs", &["-b", "127.0.0.1", "-p", &setting.port.to_string()]);
            if setting.log.is_none() {
                command.args(["--log-format", ""]);
            }
            command.arg(setting.site);
            command
        },
    },
    Server {
        name: "simple-http-server",
        from: "cargo install simple-http-server",
        says: "64 threads (a thread serves one connection until it ends), `--silent` except in the access log row",
        is_slow: true,
        also: &[],
        version: &["simple-http-server", "--version"],
        command: |setting| {
            let mut command = with("simple-http-server", &["--ip", "127.0.0.1", "-t", "64", "-p", &setting.port.to_string()]);
            if setting.log.is_none() {
                command.arg("--silent");
            }
            command.arg(setting.site);
            command
        },
    },
    Server {
        name: "python",
        from: "python.org",
        says: "`python3 -m http.server`; its log cannot be disabled, and goes to /dev/null",
        is_slow: true,
        also: &[],
        version: &["python3", "--version"],
        command: |setting| {
            let mut command = with("python3", &["-m", "http.server", "--bind", "127.0.0.1", "-d"]);
            command.arg(setting.site).arg(setting.port.to_string());
            command
        },
    },
];

fn with(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// A production configuration: as many workers as cores, sendfile, and a cache of open files.
fn nginx(setting: &Setting) -> Command {
    let (scratch, site, port) = (setting.scratch.display(), setting.site.display(), setting.port);
    let log = setting.log.map_or("off".into(), |log| format!("{} combined buffer=64k flush=1s", log.display()));
    // Measured: it sends head and file in one packet, but delays the last of several responses.
    let nopush = if setting.purpose == Purpose::Pipelined { "off" } else { "on" };
    let tls = setting.pair.map_or(String::new(), |(certificate, key)| {
        let (certificate, key) = (certificate.display(), key.display());
        format!("ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.3; ssl_session_cache off;")
    });
    let ssl = if setting.pair.is_some() { " ssl" } else { "" };
    let uploads = if setting.purpose == Purpose::Uploads {
        "location /put/ { dav_methods PUT; client_max_body_size 1g; client_body_buffer_size 2m; }"
    } else {
        ""
    };
    let configuration = format!(
        "daemon off; pid {scratch}/nginx-{port}.pid; error_log /dev/null crit; worker_processes 2; worker_rlimit_nofile 16384;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n\
         access_log {log}; sendfile on; tcp_nopush {nopush}; keepalive_timeout 75; keepalive_requests 1000000000;\n\
         open_file_cache max=20000 inactive=60s; open_file_cache_valid 30s; open_file_cache_min_uses 1; open_file_cache_errors on;\n\
         client_body_temp_path {scratch}/b; proxy_temp_path {scratch}/p; fastcgi_temp_path {scratch}/f;\n\
         uwsgi_temp_path {scratch}/u; scgi_temp_path {scratch}/s;\n\
         types {{ text/plain txt; text/html html; }} default_type application/octet-stream;\n\
         server {{ listen 127.0.0.1:{port} backlog=4096{ssl}; root {site}; autoindex on; {tls} {uploads} }}\n\
         }}\n"
    );
    let path = setting.scratch.join(format!("nginx-{port}.conf"));
    fs::write(&path, configuration).unwrap();
    let mut command = with("nginx", &["-e", "/dev/null", "-c"]);
    command.arg(path);
    command
}

/// The equivalent configuration.
fn lighttpd(setting: &Setting) -> Command {
    let (site, port) = (setting.site.display(), setting.port);
    let log = setting.log.map_or(String::new(), |log| {
        format!("server.modules += ( \"mod_accesslog\" )\naccesslog.filename = \"{}\"\n", log.display())
    });
    let tls = setting.pair.map_or(String::new(), |(certificate, key)| {
        let (certificate, key) = (certificate.display(), key.display());
        format!(
            "server.modules += ( \"mod_openssl\" )\nssl.engine = \"enable\"\nssl.pemfile = \"{certificate}\"\nssl.privkey = \"{key}\"\n"
        )
    });
    let configuration = format!(
        "server.modules = ( \"mod_dirlisting\" )\n{log}{tls}\
         server.document-root = \"{site}\"\nserver.bind = \"127.0.0.1\"\nserver.port = {port}\n\
         server.max-worker = 2\nserver.max-fds = 16384\nserver.max-connections = 8192\nserver.listen-backlog = 4096\n\
         server.max-keep-alive-requests = 65535\nserver.max-keep-alive-idle = 75\n\
         server.stat-cache-engine = \"simple\"\nserver.network-backend = \"sendfile\"\n\
         dir-listing.activate = \"enable\"\n\
         mimetype.assign = ( \".txt\" => \"text/plain\", \".html\" => \"text/html\", \"\" => \"application/octet-stream\" )\n"
    );
    let path = setting.scratch.join(format!("lighttpd-{port}.conf"));
    fs::write(&path, configuration).unwrap();
    let mut command = with("lighttpd", &["-D", "-f"]);
    command.arg(path);
    command
}

impl Server {
    /// Whether it is threadbare.
    pub fn is_ours(&self) -> bool {
        self.name == OURS
    }

    /// Whether it is measured for that purpose.
    pub fn can(&self, purpose: Purpose) -> bool {
        !matches!(purpose, Purpose::Uploads | Purpose::Tls) || self.also.contains(&purpose)
    }

    /// How to start it.
    pub fn command(&self, setting: &Setting) -> Command {
        (self.command)(setting)
    }

    /// The first word of its output that looks like a version; `None` if it is not installed.
    pub fn version(&self) -> Option<String> {
        let (program, arguments) = self.version.split_first()?;
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
        let version = words.into_iter().find(|word| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit()));
        version.map(str::to_owned)
    }
}
