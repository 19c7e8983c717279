//! What should whoever started the program know about its safety?

use log::Level;

use crate::config::{AllowedHosts, Fallback, Precompressed, Preface};
use crate::handlers::AppState;
use crate::os::sandbox::SandboxStatus;

/// One line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartupWarning {
    /// How much it matters.
    pub level: Level,
    /// What it says, and the way out.
    pub text: String,
}

/// Everything worth saying about this start.
pub fn startup_warnings(app: &AppState, confined: &SandboxStatus, has_password_in_sight: bool) -> Vec<StartupWarning> {
    let mut all = Vec::new();
    let mut say = |level, text: &str| all.push(StartupWarning { level, text: text.to_owned() });
    match confined {
        SandboxStatus::Active(text) => say(Level::Info, &format!("sandbox: {text}")),
        SandboxStatus::Disabled => say(Level::Info, "sandbox: off"),
    }
    if let Some(trouble) = app.notify.error() {
        say(Level::Warn, &format!("{trouble}; nobody is told that this server is ready"));
    }
    #[cfg(unix)]
    if rustix::process::geteuid().is_root() {
        say(Level::Warn, "running as root; for ports below 1024 use socket activation, setcap cap_net_bind_service or setpriv");
    }
    let is_reachable = !app.config.bind.is_loopback();
    if is_reachable && app.config.hosts == AllowedHosts::Any {
        say(Level::Info, "reachable by any name; --allow-host NAME accepts only localhost, addresses and that name");
    }
    if is_reachable && app.config.proxies.preface == Preface::ProxyProtocol && app.config.proxies.trusted.is_empty() {
        say(
            Level::Warn,
            "whoever connects may say to be anybody; --trust-proxy ADDR takes --proxy-protocol from that balancer only",
        );
    }
    if is_reachable && app.auth.is_some() {
        say(Level::Warn, "passwords travel in the clear; put a proxy with TLS in front");
    }
    if is_reachable && app.auth.is_none() && app.metrics.is_some() {
        say(
            Level::Warn,
            "/metrics tells everybody who reaches us how we are used; --auth asks for a password, a proxy can keep it back",
        );
    }
    if app.access_log.as_ref().is_some_and(|log| log.is_beneath(app.site.display_path())) {
        say(Level::Warn, "the access log lies in the directory that is served; let --access-log name a place beside it");
    }
    if has_password_in_sight {
        say(Level::Warn, "--auth shows its password to all users of this machine; --auth-file or THREADBARE_AUTH does not");
    }
    if app.auth.as_ref().is_some_and(|auth| auth.has_plaintext()) {
        say(Level::Warn, "some passwords are kept as they are; htpasswd -nB NAME makes a hash to keep instead");
    }
    if app.config.fallback == Fallback::StartPage && !app.site.has_fallback_index() {
        say(Level::Warn, "--spa has no page to send: there is no index in ROOT, so what is missing is 404");
    }
    if app.config.precompressed == Precompressed::On && app.site.is_single_file() {
        say(
            Level::Warn,
            "--precompressed has no effect: one file is served, and its compressed forms are others; serve the directory",
        );
    }
    all
}
