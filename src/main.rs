//! Flags → server → exit code; nothing else.

#![forbid(unsafe_code)]
#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions
)]

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use threadbare::cli::Cli;
use threadbare::cli::banner::{Banner, printable};
use threadbare::cli::output_options::OutputOptions;
use threadbare::cli::{browser, health_check, interfaces, qr, startup_warnings};
use threadbare::config::Bind;
use threadbare::files::Site;
use threadbare::handlers::AppState;
use threadbare::os::signals::ShutdownSignal;
use threadbare::os::systemd::{SdNotify, State};
use threadbare::os::{limits, sandbox, sighup};
use threadbare::server::explain::Explain;
use threadbare::server::listener::{BindError, ListenAddr, Listeners};
use threadbare::server::{self, ShutdownResult};
use threadbare::telemetry::access_log::{AccessLog, ReopenHandle};
use threadbare::telemetry::color::Color;
use threadbare::telemetry::log_queue::{LogQueue, Losses};
use threadbare::telemetry::logging;
use threadbare::telemetry::metrics::Metrics;
use threadbare::telemetry::prometheus::Process;

/// How long the last log lines are waited for at the end.
const LAST_LINES: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let cli = Cli::from_process();
    match if cli.listen.check_health { ask(&cli) } else { run(&cli) } {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(io::stderr(), "threadbare: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Asks the server with the same options how it is.
fn ask(cli: &Cli) -> Result<(), String> {
    let answer = health_check::check(&cli.config())?;
    // The exit code says the same.
    let _ = writeln!(io::stdout(), "{answer}");
    Ok(())
}

fn run(cli: &Cli) -> Result<(), String> {
    // Before the first listener: as PID 1 a signal without a handler would be ignored.
    let stop = ShutdownSignal::on_signals().map_err(|error| format!("cannot handle signals: {error}"))?;
    let mut config = cli.config();
    let auth = cli.access.passwords().read()?;
    let site = Site::open(&config).map_err(|error| cannot_serve(&config.root, &error))?;
    let listeners = match Listeners::from_env().map_err(|unfit| unfit.to_string())? {
        Some(listeners) => {
            // Whoever opened them has decided who can reach us.
            config.bind = Bind::Addresses(listeners.addresses().map(|address| address.ip()).collect());
            config.hosts = cli.access.hosts(&config.bind);
            listeners
        }
        None => Listeners::open(&config.bind, config.port, &config.sockets).map_err(|cannot| cannot_listen(&cannot))?,
    };
    let capacity = limits::detect(config.limits.connections_max);
    let (listening, paths): (Vec<_>, Vec<_>) = (listeners.addresses().collect(), listeners.paths().collect());
    let everywhere = listening.iter().any(|address| address.ip().is_unspecified());
    let machine = if everywhere { interfaces::local_addresses() } else { Vec::new() };
    let welcome = Banner {
        served: site.display_path(),
        listening: &listening,
        paths: &paths,
        machine: &machine,
        ink: Color::of(&io::stdout()),
    };
    let browser = welcome.local_url().filter(|_| cli.output.open).map(browser::open_browser);
    let access_log = cli.output.access_log().open(config.sandbox)?;
    let notify = SdNotify::from_environment();
    let process = cli.output.metrics.then(Process::open);
    // All is open that has to be, and there is no thread yet that would keep its rights.
    let readable = site.readable(config.sandbox).map_err(|error| cannot_serve(&config.root, &error))?;
    let confined = sandbox::confine(config.sandbox, readable, &listeners.socket_directories())
        .map_err(|why| format!("cannot do --sandbox=require: {why}; --sandbox=auto goes on without"))?;
    let no_log = |error: io::Error| format!("cannot start the log: {error}");
    let log = LogQueue::start(|| Ok(io::stderr()), Losses::AmongTheLines).map_err(no_log)?;
    logging::start(cli.output.verbosity(), log.clone());
    // The default hook writes to stderr itself, and would wait there for whoever does not read it.
    std::panic::set_hook(Box::new(|panic| log::error!("{panic}")));
    // Whoever reads that we serve may ask us to stop.
    stop.enable_graceful();
    announce(&welcome, &cli.output);
    if let Some(asked) = browser {
        asked.reap();
    }
    if let Some(limit) = capacity.limited_by {
        log::info!("at most {} connections, because of {limit}", capacity.connections_max);
    }
    if let Some(advice) = cli.output.advice() {
        log::warn!("{advice}");
    }
    let access_log = access_log.start(cli.output.log_format(), &log).map_err(no_log)?;
    let explain = cli.output.explain.then(|| Explain::new(log.clone(), Color::of(&io::stderr())));
    let metrics = process.map(|process| Metrics::new(process, log.clone()));
    let app = AppState { stop, access_log, explain, metrics, notify, ..AppState::new(config, site, auth) };
    for warning in startup_warnings::startup_warnings(&app, &confined, !cli.access.auth.is_empty()) {
        log::log!(warning.level, "{}", warning.text);
    }
    let cut = |stopped| {
        if let ShutdownResult::Forced(left) = stopped {
            log::warn!("the grace time is over: {left} connections are cut");
        }
        write_last_lines(&app, &log);
        std::process::exit(0);
    };
    heed_hangups(&app).map_err(|error| format!("cannot handle SIGHUP: {error}"))?;
    app.notify.notify(State::Ready);
    server::run(listeners, &app, capacity.connections_max, &cut);
    log::info!("stopped");
    write_last_lines(&app, &log);
    Ok(())
}

/// Has SIGHUP open the log file anew, if there is one; whoever started us may want to know when that is done.
fn heed_hangups(app: &AppState) -> io::Result<()> {
    let (reopening, notify) = (app.access_log.as_ref().and_then(AccessLog::reopening), app.notify.clone());
    if reopening.is_none() && !notify.is_connected() {
        return Ok(());
    }
    sighup::on_sighup(move || {
        notify.notify(State::Reloading);
        reopening.iter().for_each(ReopenHandle::ask);
        notify.notify(State::Ready);
    })
}

fn write_last_lines(app: &AppState, log: &LogQueue) {
    if let Some(access_log) = &app.access_log {
        access_log.flush_timeout(LAST_LINES);
    }
    log.flush_timeout(LAST_LINES);
}

/// Says where we are, on standard output.
fn announce(welcome: &Banner<'_>, talk: &OutputOptions) {
    let mut text = welcome.lines();
    if talk.qr {
        match welcome.lan_url().and_then(|url| qr::lines(&url, welcome.ink)) {
            Some(code) => text.push_str(&format!("\n{code}")),
            None => log::warn!("--qr: this machine has no address that others could use"),
        }
    }
    let mut out = io::stdout().lock();
    // Nobody needs to be reading.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn cannot_serve(root: &Path, error: &io::Error) -> String {
    let way_out = match error.kind() {
        io::ErrorKind::NotFound => "there is no such directory or file; check ROOT",
        io::ErrorKind::PermissionDenied => "it may not be read; check its permissions",
        _ => "it must be a directory or a regular file",
    };
    format!("cannot serve '{}': {way_out} ({error})", printable(root))
}

fn cannot_listen(cannot: &BindError) -> String {
    let (place, is_path) = match &cannot.place {
        ListenAddr::Address(address) => (address.to_string(), false),
        ListenAddr::Path(path) => (format!("unix:{}", printable(path)), true),
    };
    let way_out = match cannot.error.kind() {
        io::ErrorKind::AddrInUse if is_path => "somebody listens there already; choose another path with --bind",
        io::ErrorKind::AlreadyExists => "what is there is no socket; remove it, or choose another path with --bind",
        _ if is_path => "check the path behind unix:",
        io::ErrorKind::AddrInUse => "the port is in use; choose another with --port, or 0 for any free one",
        io::ErrorKind::PermissionDenied => "ports below 1024 need privileges; choose a higher one with --port",
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; check --bind",
        _ => "check --bind and --port",
    };
    format!("cannot listen on {place}: {way_out} ({})", cannot.error)
}
