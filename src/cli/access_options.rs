//! Which words say who gets in, and what we may do?

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::config::cache_policy::Sharing;
use crate::config::{AllowedHosts, Bind, Sandbox};
use crate::handlers::access::{self, Auth};
use crate::http::target::Authority;

/// Who may see the site.
#[derive(Debug, Args)]
#[command(next_help_heading = "Who gets in")]
pub struct AccessOptions {
    /// Answer to this name too, where else only localhost and addresses do; * is any; may be given more than once
    #[arg(long, value_name = "NAME", value_parser = host_name, env = "THREADBARE_ALLOW_HOST", value_delimiter = ',')]
    pub allow_host: Vec<String>,

    /// Ask for a name and a password (HTTP Basic); may be given more than once. Other users of this machine can see it
    #[arg(long, value_name = "USER:PASSWORD", value_parser = auth_entry)]
    pub auth: Vec<String>,

    /// The same from a file, a USER:PASSWORD or USER:HASH (htpasswd -B) a line; also from $THREADBARE_AUTH
    #[arg(long, value_name = "FILE", env = "THREADBARE_AUTH_FILE")]
    pub auth_file: Option<PathBuf>,

    /// Let the kernel hold us to reading beneath ROOT: as far as it can, wholly or not at all
    #[arg(long, value_name = "MODE", value_enum, default_value_t = SandboxMode::Auto, env = "THREADBARE_SANDBOX")]
    pub sandbox: SandboxMode,
}

/// The values of `--sandbox`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "clap would turn the whole help into its long form")]
pub enum SandboxMode {
    Auto,
    Require,
    Off,
}

/// A host name as it may stand in Host, without a port; or `*`.
fn host_name(text: &str) -> Result<String, &'static str> {
    let is_name = Authority::parse(text.as_bytes()).is_some_and(|authority| authority.port.is_none()) && !text.ends_with(':');
    if is_name || text == "*" { Ok(text.to_owned()) } else { Err("write a host name without a port, or *") }
}

fn auth_entry(text: &str) -> Result<String, &'static str> {
    Auth::new([text]).map(|_| text.to_owned()).map_err(|(_, why)| why)
}

impl AccessOptions {
    /// By which names we are asked on these addresses. Where others can reach us, they do so by names that we do not know.
    pub fn hosts(&self, bind: &Bind) -> AllowedHosts {
        let any = self.allow_host.iter().any(|name| name == "*");
        if any || (!bind.is_loopback() && self.allow_host.is_empty()) {
            AllowedHosts::Any
        } else {
            AllowedHosts::Local { extra: self.allow_host.clone() }
        }
    }

    /// Who may come in.
    pub fn passwords(&self) -> access::CredentialSources<'_> {
        access::CredentialSources {
            given: &self.auth,
            file: self.auth_file.as_deref(),
            environment: std::env::var_os(access::VARIABLE),
        }
    }

    /// Who may keep what we send: where there are passwords, only the browser of who gave one.
    pub fn sharing(&self) -> Sharing {
        let access::CredentialSources { given, file, environment } = self.passwords();
        let is_open = given.is_empty() && file.is_none() && environment.is_none_or(|lines| lines.is_empty());
        if is_open { Sharing::Public } else { Sharing::Private }
    }

    /// Whether the kernel holds us to what we need.
    pub fn sandbox(&self) -> Sandbox {
        match self.sandbox {
            SandboxMode::Auto => Sandbox::Auto,
            SandboxMode::Require => Sandbox::Require,
            SandboxMode::Off => Sandbox::Off,
        }
    }
}
