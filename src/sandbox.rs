//! What if our own code were wrong? Then the kernel says no.
//!
//! Landlock is a Linux security module by which a process gives up rights for ever, for itself and for all threads that it starts later.
//! Once everything is open that has to be opened, we need nothing but to read beneath the root and to accept connections. So that is all
//! that is left: no other file, no write, no program, no connection to anywhere, no other port, no signal to another process.
//!
//! It must come before the first thread: a thread that already runs keeps its rights.

use crate::config::{Sandbox, Symlinks};

/// How far the kernel went along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confined {
    /// All the way, or as far as it can; in words for the log.
    Said(String),
    /// Not at all, because nobody wants it.
    Unwanted,
}

/// Gives all rights up but to read beneath `root`, or to read everywhere where links may lead anywhere.
///
/// # Errors
/// Only with [`Sandbox::Require`]: why not all of it could be had.
#[cfg(target_os = "linux")]
pub fn confine(wanted: Sandbox, symlinks: Symlinks, root: impl std::os::fd::AsFd) -> Result<Confined, String> {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, RestrictionStatus, Ruleset,
        RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    };
    if wanted == Sandbox::Off {
        return Ok(Confined::Unwanted);
    }
    let restrict = || -> Result<RestrictionStatus, RulesetError> {
        let reading: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
        Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(ABI::V6))?
            .handle_access(AccessNet::from_all(ABI::V6))?
            .scope(Scope::from_all(ABI::V6))?
            .create()?
            .add_rule(PathBeneath::new(root, reading))?
            .restrict_self()
    };
    let said = match restrict() {
        Ok(status) => match status.ruleset {
            RulesetStatus::FullyEnforced => {
                let what = match symlinks {
                    Symlinks::Within => "read beneath the root",
                    Symlinks::Followed => "read any file, for links may lead anywhere",
                };
                return Ok(Confined::Said(format!("the kernel lets us {what}, and nothing else (Landlock)")));
            }
            RulesetStatus::PartiallyEnforced => "this kernel knows only some of Landlock; what it knows is enforced".to_owned(),
            RulesetStatus::NotEnforced => "this kernel has no Landlock".to_owned(),
        },
        Err(error) => format!("Landlock failed: {error}"),
    };
    if wanted == Sandbox::Require { Err(said) } else { Ok(Confined::Said(format!("not wholly confined: {said}"))) }
}

/// Elsewhere there is nothing of the kind.
///
/// # Errors
/// With [`Sandbox::Require`], always.
#[cfg(not(target_os = "linux"))]
pub fn confine<R>(wanted: Sandbox, _: Symlinks, _: R) -> Result<Confined, String> {
    match wanted {
        Sandbox::Off => Ok(Confined::Unwanted),
        Sandbox::Auto => Ok(Confined::Said("not confined: this system has no Landlock".into())),
        Sandbox::Require => Err("this system has no Landlock".into()),
    }
}
