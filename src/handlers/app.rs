//! What may a request look at?

use crate::config::Config;
use crate::files::Site;
use crate::handlers::credentials::Auth;
use crate::os::signals::ShutdownSignal;
use crate::os::systemd::SdNotify;
use crate::server::explain::Explain;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::metrics::Metrics;

/// What all connections share, by reference.
pub struct AppState {
    /// What the program was told to do.
    pub config: Config,
    /// The directory that is served.
    pub site: Site,
    /// Who may see it; `None` is everybody.
    pub auth: Option<Auth>,
    /// Whether we are asked to stop.
    pub stop: ShutdownSignal,
    /// Where exchanges are noted; `None` is nowhere.
    pub access_log: Option<AccessLog>,
    /// To whom each exchange is explained; `None` is nobody.
    pub explain: Option<Explain>,
    /// Where what happens is counted; `None` is nowhere.
    pub metrics: Option<Metrics>,
    /// Who is told how we are.
    pub notify: SdNotify,
}

impl AppState {
    /// What a request may always look at. The rest is as if nobody had asked for it: no access log, and no end.
    pub fn new(config: Config, site: Site, auth: Option<Auth>) -> AppState {
        let notify = SdNotify::default();
        AppState { config, site, auth, stop: ShutdownSignal::default(), access_log: None, explain: None, metrics: None, notify }
    }
}
