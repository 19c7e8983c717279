//! What may a request look at?

use crate::auth::Auth;
use crate::config::Config;
use crate::site::Site;
use crate::stop::Stop;

/// What all connections share, by reference.
pub struct App {
    /// What the program was told to do.
    pub config: Config,
    /// The directory that is served.
    pub site: Site,
    /// Who may see it; `None` is everybody.
    pub auth: Option<Auth>,
    /// Whether we are asked to stop.
    pub stop: Stop,
}
