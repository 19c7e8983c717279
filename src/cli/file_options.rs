//! Which words say what is served?

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{OsStringValueParser, Resettable, TypedValueParser};

use crate::config::{Fallback, Hidden, Listing, Precompressed, Routes, Symlinks};

/// What is served, and under which names.
#[derive(Debug, Args)]
#[command(next_help_heading = "What it serves")]
pub struct FileOptions {
    /// The directory (or one file) to serve
    #[arg(value_name = "ROOT", default_value = ".", value_parser = OsStringValueParser::new().try_map(root), help_heading = Resettable::Reset, env = "THREADBARE_ROOT")]
    pub root: PathBuf,

    /// A name that is served for its directory; may be given more than once, the first that exists wins
    #[arg(long, value_name = "NAME", default_value = "index.html", env = "THREADBARE_INDEX", value_delimiter = ',')]
    pub index: Vec<String>,

    /// A directory without an index is 404
    #[arg(long, env = "THREADBARE_NO_LISTING")]
    pub no_listing: bool,

    /// Also serve names that begin with a dot (else 404, except in /.well-known/)
    #[arg(long, env = "THREADBARE_HIDDEN")]
    pub hidden: bool,

    /// Follow symbolic links wherever they lead, also out of ROOT; the sandbox cannot hold reading back then
    #[arg(long, env = "THREADBARE_FOLLOW_SYMLINKS")]
    pub follow_symlinks: bool,

    /// Send the index of ROOT to browsers that go to a page that is not there (no dot in its last segment), for applications in one page
    #[arg(long, env = "THREADBARE_SPA")]
    pub spa: bool,

    /// Send app.js.br, app.js.zst or app.js.gz for app.js to clients that accept that coding, unless it is older than app.js
    #[arg(long, env = "THREADBARE_PRECOMPRESSED")]
    pub precompressed: bool,

    /// Switch the built-in routes off
    #[arg(long, env = "THREADBARE_NO_ROUTES")]
    pub no_routes: bool,
}

/// A directory or a file; not what was meant for `--cors`, which takes its value behind an equals sign.
fn root(word: OsString) -> Result<PathBuf, String> {
    let is_origin = word.to_str().is_some_and(|word| word.starts_with("http://") || word.starts_with("https://"));
    if word.is_empty() {
        Err("give a directory or a file, or nothing for the current directory".to_owned())
    } else if is_origin {
        Err(format!("that is no directory; for pages of that site write --cors={}", word.display()))
    } else {
        Ok(PathBuf::from(word))
    }
}

impl FileOptions {
    /// What a directory without an index answers.
    pub fn listing(&self) -> Listing {
        if self.no_listing { Listing::NotFound } else { Listing::Shown }
    }

    /// Whether names that begin with a dot are served.
    pub fn hidden(&self) -> Hidden {
        if self.hidden { Hidden::Served } else { Hidden::NotFound }
    }

    /// Whether links that leave the root are followed.
    pub fn symlinks(&self) -> Symlinks {
        if self.follow_symlinks { Symlinks::Followed } else { Symlinks::Within }
    }

    /// What is sent to who goes to a page that is not there.
    pub fn fallback(&self) -> Fallback {
        if self.spa { Fallback::StartPage } else { Fallback::None }
    }

    /// Whether there are files in several codings.
    pub fn precompressed(&self) -> Precompressed {
        if self.precompressed { Precompressed::On } else { Precompressed::Off }
    }

    /// Whether the built-in routes answer.
    pub fn routes(&self) -> Routes {
        if self.no_routes { Routes::Off } else { Routes::On }
    }
}
