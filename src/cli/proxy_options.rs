//! Which words say who stands before us?

use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use crate::config::{Preface, ProxyConfig};
use crate::http::forwarded::{IpNet, TrustedProxies};

/// What a proxy or a balancer in front is to us.
#[derive(Debug, Args)]
#[command(next_help_heading = "Behind a proxy")]
pub struct ProxyOptions {
    /// Believe what a proxy at this address, in this network (10.0.0.0/8), or at a Unix socket (unix) says of its client, by Forwarded or X-Forwarded-For; may be given more than once
    #[arg(long, value_name = "ADDR", env = "THREADBARE_TRUST_PROXY", value_delimiter = ',')]
    pub trust_proxy: Vec<IpNet>,

    /// Every connection begins with a header of the PROXY protocol, version 1 or 2; with --trust-proxy, none but from there
    #[arg(long, env = "THREADBARE_PROXY_PROTOCOL")]
    pub proxy_protocol: bool,

    /// After the first signal serve newcomers for so long, while /health says 503; then stop
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = RangedU64ValueParser::<u64>::new().range(..=86_400), env = "THREADBARE_DRAIN")]
    pub drain: u64,
}

impl ProxyOptions {
    /// What they are to us.
    pub fn proxies(&self) -> ProxyConfig {
        let preface = if self.proxy_protocol { Preface::ProxyProtocol } else { Preface::None };
        ProxyConfig { trusted: TrustedProxies::new(self.trust_proxy.clone()), preface, drain: Duration::from_secs(self.drain) }
    }
}
