//! Which words ask for a manual page or for completions?
//!
//! Both are made from the same definitions as `--help`, by a build with the feature `generate`: whoever packages the program runs it
//! once, and what is installed does not carry what makes them.

use clap::builder::Resettable;
use clap::{Args, ValueEnum};

/// What is written to standard output instead of serving.
#[derive(Debug, Args)]
pub struct Generate {
    /// Print completions for that shell; only a build with --features generate can
    #[arg(long, value_name = "SHELL", value_enum, exclusive = true, help_heading = Resettable::Reset)]
    pub completions: Option<Shell>,

    /// Print the manual page; only a build with --features generate can
    #[arg(long, exclusive = true, help_heading = Resettable::Reset)]
    pub man: bool,
}

/// The shells that there are completions for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "clap would turn the whole help into its long form")]
pub enum Shell {
    Bash,
    Elvish,
    Fish,
    #[value(name = "powershell")]
    PowerShell,
    Zsh,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Completions for that shell.
    Completions(Shell),
    /// The manual page.
    Man,
}

impl Generate {
    /// What is asked for, if anything is.
    pub fn asked(&self) -> Option<Asked> {
        self.completions.map(Asked::Completions).or(self.man.then_some(Asked::Man))
    }
}

/// What was asked for.
///
/// # Errors
/// This build cannot make it; in one line, with the way out.
#[cfg(not(feature = "generate"))]
pub fn generate(asked: Asked, _: clap::Command) -> Result<Vec<u8>, String> {
    let option = match asked {
        Asked::Completions(_) => "--completions",
        Asked::Man => "--man",
    };
    Err(format!("this build has no {option}; build it with: cargo build --release --features generate"))
}

/// What was asked for, made from a definition.
///
/// # Errors
/// It cannot be written, which memory always can.
#[cfg(feature = "generate")]
pub fn generate(asked: Asked, mut command: clap::Command) -> Result<Vec<u8>, String> {
    use clap_complete::Shell as For;
    let shell = match asked {
        Asked::Completions(Shell::Bash) => For::Bash,
        Asked::Completions(Shell::Elvish) => For::Elvish,
        Asked::Completions(Shell::Fish) => For::Fish,
        Asked::Completions(Shell::PowerShell) => For::PowerShell,
        Asked::Completions(Shell::Zsh) => For::Zsh,
        Asked::Man => {
            let page = crate::cli::man_page::man_page(command);
            return page.map_err(|error| format!("cannot write the manual page: {error}"));
        }
    };
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut command, "threadbare", &mut out);
    Ok(out)
}
