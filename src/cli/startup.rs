//! Start-up: opens everything in the order that signals, the sandbox and the threads require, then serves.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use log::{info, log, warn};

use crate::cli::banner::{self, Banner};
use crate::cli::health_check::show;
use crate::cli::{Cli, stdout_error};
use crate::config::{AllowedHosts, Bind, Config};
use crate::files::Site;
use crate::files::upload::Uploads;
use crate::handlers::AppState;
use crate::os;
use crate::os::limits::{ProcessStats, fit_to_machine};
use crate::os::sandbox;
use crate::os::signals::{ShutdownSignal, on_sighup};
use crate::os::systemd::{SdNotify, State};
use crate::server::close_reason::CloseReason;
use crate::server::listener::{BindError, ListenAddr, Listeners};
use crate::server::{self, ServerTls};
use crate::telemetry::access_log::{AccessLog, Destination};
use crate::telemetry::log_queue::LogQueue;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::{self, Color, Explain, counted, printable_path};

/// Time for the last log lines to be written.
const LOG_FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// Runs the server until it is asked to stop.
///
/// # Errors
/// Why it cannot start, in one line.
pub fn run(cli: &Cli) -> Result<(), String> {
    // Signal handlers come first: as PID 1 a process without them would ignore SIGTERM.
    let stop = ShutdownSignal::on_signals().map_err(|error| format!("cannot handle signals: {error}"))?;
    let mut config = cli.config();
    let lowered = fit_to_machine(&mut config.limits, config.tls);
    let auth = cli.credentials()?;
    let site = Site::open(&config).map_err(|error| cannot_serve(&config.root, &error))?;
    check_private_files(cli, &site)?;
    let listeners = open_listeners(cli, &mut config)?;
    let (listening, sockets): (Vec<_>, Vec<_>) = (listeners.addresses().collect(), listeners.paths().collect());
    let lan_addresses = banner::lan_addresses(&listening);
    let tls = open_tls(cli, &config, lan_addresses.iter().copied().chain(listening.iter().map(SocketAddr::ip)))?;
    let banner = Banner {
        served: &site.display_path,
        bind: &config.bind,
        listening: &listening,
        sockets: &sockets,
        lan_addresses: &lan_addresses,
        scheme: if config.tls { "https" } else { "http" },
        fingerprint: tls.as_ref().and_then(|tls| tls.fingerprint.as_deref()),
        color: Color::of(&io::stdout()),
    };
    let browser = banner.local_urls().first().filter(|_| cli.open).map(|url| os::open_browser(url));
    let destination = cli.access_log_destination();
    let log_file = destination.open_file(config.sandbox, cli.log_format)?;
    let notify = SdNotify::from_environment();
    let process = cli.metrics.then(ProcessStats::open);
    // Landlock applies to the calling thread and those that it starts: everything is open, and no thread is running yet.
    let readable = site.readable(config.sandbox).map_err(|error| cannot_serve(&config.root, &error))?;
    let writable = site.uploads.as_ref().map_or(Ok(Vec::new()), Uploads::directories).map_err(cannot_upload)?;
    let sandbox = sandbox::confine(config.sandbox, readable, &writable, &listeners.socket_directories())
        .map_err(|reason| format!("cannot enforce --sandbox=require: {reason}; use --sandbox=auto to start without"))?;
    let scheduling = os::use_batch_scheduling();
    let cannot_log = |error: io::Error| format!("cannot start the log: {error}");
    let log = LogQueue::start("log", || Ok(io::stderr())).map_err(cannot_log)?;
    telemetry::init(cli.log_level(), cli.quiet, log.clone());
    // The default hook writes to standard error itself, and would block if nothing reads it.
    std::panic::set_hook(Box::new(|panic| log::error!("{panic}")));
    let shared = cli.explain.then(|| log.clone());
    let access_log = destination.start(log_file, cli.log_format, shared).map_err(cannot_log)?;
    // A script that reads the URL may send a signal at once.
    reload_on_sighup(access_log.as_ref(), &notify, tls.as_ref()).map_err(|error| format!("cannot handle SIGHUP: {error}"))?;
    stop.enable_graceful();
    banner.print(cli.qr).map_err(|error| stdout_error(&error))?;
    if let Some(started) = browser {
        banner::reap_browser(started);
    }
    let explain = cli.explain.then(|| Explain { log: log.clone(), color: Color::of(&io::stderr()) });
    let metrics = process.map(|process| Metrics::new(CloseReason::LABELS, process, log.clone()));
    let app = AppState { stop, access_log, explain, metrics, notify, ..AppState::new(config, site, auth) };
    lowered.iter().for_each(|line| info!("{line}"));
    let (level, status) = sandbox;
    log!(level, "sandbox: {status}");
    match scheduling {
        Ok(()) => log::debug!("scheduling policy: SCHED_BATCH"),
        Err(reason) => log::debug!("scheduling policy unchanged: {reason}"),
    }
    log_warnings(cli, &app, tls.as_ref());
    let on_forced = |left| {
        warn!("shutdown timeout: closing {}", counted(left, "connection"));
        flush_logs(&app, &log);
        std::process::exit(0);
    };
    app.notify.notify(State::Ready);
    server::run(listeners, &app, tls.as_ref().map(|tls| &tls.tls), app.config.limits.connections_max, &on_forced);
    info!("stopped");
    flush_logs(&app, &log);
    Ok(())
}

/// Refuses to serve passwords, keys and the access log.
fn check_private_files(cli: &Cli, site: &Site) -> Result<(), String> {
    let log = match cli.access_log_destination() {
        Destination::File(path) => Some(path),
        Destination::Stderr | Destination::Stdout => None,
    };
    for (option, path) in
        [("--auth-file", cli.auth_file.as_ref()), ("--access-log", log.as_ref()), ("--tls-key", cli.tls_key.as_ref())]
    {
        if let Some(path) = path.filter(|path| site.would_serve(path)) {
            let path = printable_path(path);
            return Err(format!("{option} '{path}' is beneath ROOT, so clients could read it; move it to another directory"));
        }
    }
    Ok(())
}

/// Takes the sockets that systemd opened, or opens those that the options name. Inherited sockets decide who can connect.
fn open_listeners(cli: &Cli, config: &mut Config) -> Result<Listeners, String> {
    match Listeners::from_env()? {
        Some(listeners) => {
            config.bind = Bind::Addresses(listeners.addresses().map(|address| address.ip()).collect());
            config.hosts = cli.allowed_hosts(&config.bind);
            Ok(listeners)
        }
        None => Listeners::open(&config.bind, config.port, &config.sockets).map_err(|error| cannot_listen(&error)),
    }
}

/// Opens the certificate, if connections are encrypted. A self-signed one has the names of this machine and these addresses.
#[cfg(feature = "tls")]
fn open_tls(cli: &Cli, config: &Config, addresses: impl Iterator<Item = IpAddr>) -> Result<Option<ServerTls>, String> {
    use crate::server::certificates;
    if let (Some(certificate), Some(key)) = (&cli.tls_cert, &cli.tls_key) {
        return certificates::from_files(certificate, key, config.sandbox).map(Some);
    }
    let host = os::host_name().map(|host| host.to_ascii_lowercase());
    let local = host.as_deref().and_then(|host| host.split('.').next()).map(|label| format!("{label}.local"));
    let others = addresses.filter(|address| !address.is_unspecified() && !address.is_loopback());
    let addresses = Bind::Loopback.addresses().into_iter().chain(others);
    let names = ["localhost".to_owned()].into_iter().chain(host).chain(local).chain(addresses.map(|address| address.to_string()));
    config.tls.then(|| certificates::self_signed(&names.collect::<Vec<String>>())).transpose()
}

/// Opens nothing: this build has no TLS, and the options for it are refused.
#[cfg(not(feature = "tls"))]
fn open_tls(_: &Cli, _: &Config, _: impl Iterator<Item = IpAddr>) -> Result<Option<ServerTls>, String> {
    Ok(None)
}

/// Lets SIGHUP reopen the log file and read the certificate again, and tells systemd about it.
fn reload_on_sighup(access_log: Option<&AccessLog>, notify: &SdNotify, tls: Option<&ServerTls>) -> io::Result<()> {
    let reload_certificate = tls.and_then(|tls| tls.reload.clone());
    let (reopen_log, notify) = (access_log.and_then(AccessLog::reopener), notify.clone());
    // A closed terminal ends the server; where there is none, SIGHUP is a request to reload.
    if reopen_log.is_none() && reload_certificate.is_none() && !notify.is_connected() && os::has_terminal() {
        return Ok(());
    }
    on_sighup(move || {
        notify.notify(State::Reloading);
        reopen_log.iter().for_each(|reopen| reopen());
        reload_certificate.iter().for_each(|reload| reload());
        notify.notify(State::Ready);
    })
}

fn flush_logs(app: &AppState, log: &LogQueue) {
    app.access_log.iter().for_each(|access_log| access_log.queue.flush_timeout(LOG_FLUSH_TIMEOUT));
    log.flush_timeout(LOG_FLUSH_TIMEOUT);
}

/// Logs what is unsafe or useless about this configuration.
fn log_warnings(cli: &Cli, app: &AppState, tls: Option<&ServerTls>) {
    let config = &app.config;
    if let Some(warning) = tls.and_then(|tls| tls.warning.as_ref()) {
        warn!("{warning}");
    }
    let is_reachable = !config.bind.is_loopback();
    if cli.quiet && cli.access_log.is_some() {
        warn!("--quiet disables the access log, so nothing is written to --access-log; use one of them");
    }
    if let Some(error) = &app.notify.error {
        warn!("{error}; systemd is not notified");
    }
    if os::is_root() {
        warn!("running as root; for ports below 1024 use socket activation, setcap cap_net_bind_service or setpriv");
    }
    if is_reachable && config.hosts == AllowedHosts::Any {
        info!("any Host name is accepted; --allow-host NAME accepts only localhost, IP addresses and that name");
    }
    if is_reachable && config.proxies.proxy_protocol && config.proxies.trusted.is_empty() {
        warn!("any client can forge its address in a PROXY header; add --trust-proxy ADDR for the load balancer");
    }
    if is_reachable && app.auth.is_some() && !config.tls {
        warn!("passwords are sent unencrypted; use --tls, or put a proxy with TLS in front");
    }
    if is_reachable && app.auth.is_none() && app.metrics.is_some() {
        warn!("/metrics is reachable without authentication; add --auth-file, or block it in the proxy");
    }
    if is_reachable && app.auth.is_none() && config.upload.is_some() {
        warn!("anyone who can connect can upload files; add --auth-file");
    }
    if app.site.would_serve(Path::new("/dev/stderr")) {
        warn!("the log is a file beneath ROOT, which clients can read; redirect standard error to another directory");
    }
    if !cli.auth.is_empty() {
        warn!("--auth shows its password to all users of this machine; use --auth-file or THREADBARE_AUTH");
    }
    if app.auth.as_ref().is_some_and(|auth| auth.has_plaintext()) {
        warn!("some passwords are stored in plain text; create hashes with htpasswd -nB NAME");
    }
    if !config.proxies.drain.is_zero() && !config.builtin_routes {
        warn!("with --no-routes load balancers cannot see --drain, since /health does not respond; remove one of them");
    }
    if config.spa && !app.site.has_fallback_index() {
        warn!("--spa has no effect: ROOT has no index file");
    }
    if config.precompressed && app.site.root().is_ok_and(|root| root.single_file().is_some()) {
        warn!("--precompressed has no effect with a single file; serve its directory");
    }
}

fn cannot_serve(root: &Path, error: &io::Error) -> String {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory; check ROOT".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied; check its permissions".to_owned(),
        io::ErrorKind::InvalidInput => "not a directory or a regular file".to_owned(),
        _ => error.to_string(),
    };
    format!("cannot serve '{}': {reason}", printable_path(root))
}

fn cannot_upload((directory, error): (String, io::Error)) -> String {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "no such directory in ROOT; create it".to_owned(),
        io::ErrorKind::NotADirectory => "not a directory".to_owned(),
        _ => error.to_string(),
    };
    format!("cannot upload to '{}': {reason}", printable_path(Path::new(&directory)))
}

fn cannot_listen(error: &BindError) -> String {
    let is_path = matches!(error.place, ListenAddr::Path(_));
    let reason = match error.error.kind() {
        io::ErrorKind::AddrInUse if is_path => "another server listens there; choose another path with --bind".to_owned(),
        io::ErrorKind::AlreadyExists => "the file is not a socket; remove it, or choose another path with --bind".to_owned(),
        _ if is_path => format!("{}; check the path in --bind", error.error),
        io::ErrorKind::AddrInUse => "port in use; choose another with --port (0 = any free port)".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied; choose a port above 1023 with --port".to_owned(),
        io::ErrorKind::AddrNotAvailable => "not an address of this machine; check --bind".to_owned(),
        _ => format!("{}; check --bind and --port", error.error),
    };
    format!("cannot listen on {}: {reason}", show(&error.place))
}
