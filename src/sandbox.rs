//! What if our own code were wrong? Then the kernel says no.
//!
//! Landlock is a Linux security module by which a process gives up rights for ever, for itself and for all threads that it starts later.
//! Once everything is open that has to be opened, we need nothing but to read beneath the root and to accept connections. So that is all
//! that is left: no other file, no write, no program, no connection to anywhere, no other port, no signal to another process.
//!
//! It must come before the first thread: a thread that already runs keeps its rights. Only those begin earlier that need another right: one
//! to write where the log file is, one to remove our sockets at the end. They give up all others themselves, so that what reads cannot
//! write, and what writes cannot read.

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
    use landlock::{AccessFs, RulesetStatus};
    if wanted == Sandbox::Off {
        return Ok(Confined::Unwanted);
    }
    let said = match give_up_all_but(AccessFs::ReadFile | AccessFs::ReadDir, [root]) {
        Ok(RulesetStatus::FullyEnforced) => {
            let what = match symlinks {
                Symlinks::Within => "read beneath the root",
                Symlinks::Followed => "read any file, for links may lead anywhere",
            };
            return Ok(Confined::Said(format!("the kernel lets us {what}, and nothing else (Landlock)")));
        }
        Ok(RulesetStatus::PartiallyEnforced) => "this kernel knows only some of Landlock; what it knows is enforced".to_owned(),
        Ok(RulesetStatus::NotEnforced) => "this kernel has no Landlock".to_owned(),
        Err(error) => format!("Landlock failed: {error}"),
    };
    if wanted == Sandbox::Require { Err(said) } else { Ok(Confined::Said(format!("not wholly confined: {said}"))) }
}

/// Gives all rights of this thread up but to write in a directory, and to make files there: it keeps a log.
///
/// # Errors
/// Only with [`Sandbox::Require`]: why not all of it could be had.
#[cfg(target_os = "linux")]
pub fn confine_to_writing_in(wanted: Sandbox, directory: &std::path::Path) -> Result<(), String> {
    use landlock::AccessFs;
    confine_thread(wanted, AccessFs::WriteFile | AccessFs::MakeReg, [directory])
}

/// Gives all rights of this thread up but to remove files in these directories: it takes sockets away at the end.
///
/// # Errors
/// Only with [`Sandbox::Require`]: why not all of it could be had.
#[cfg(target_os = "linux")]
pub fn confine_to_removing_in(wanted: Sandbox, directories: &[std::path::PathBuf]) -> Result<(), String> {
    use landlock::AccessFs;
    confine_thread(wanted, AccessFs::RemoveFile.into(), directories.iter().map(|directory| &**directory))
}

/// Confines a thread that has one thing to do, in these directories.
#[cfg(target_os = "linux")]
fn confine_thread<'a>(
    wanted: Sandbox,
    rights: landlock::BitFlags<landlock::AccessFs>,
    directories: impl IntoIterator<Item = &'a std::path::Path>,
) -> Result<(), String> {
    use landlock::{PathFd, RulesetStatus};
    if wanted == Sandbox::Off {
        return Ok(());
    }
    let handles: Result<Vec<PathFd>, _> = directories.into_iter().map(PathFd::new).collect();
    match give_up_all_but(rights, handles.map_err(|error| error.to_string())?) {
        Err(error) if wanted == Sandbox::Require => Err(format!("cannot do --sandbox=require: Landlock failed: {error}")),
        Ok(status) if wanted == Sandbox::Require && status != RulesetStatus::FullyEnforced => {
            Err("cannot do --sandbox=require: this kernel has no Landlock, or not all of it".to_owned())
        }
        _ => Ok(()),
    }
}

/// Has the kernel take all rights from this thread, and from those that it starts, but `rights` on what lies beneath these directories.
#[cfg(target_os = "linux")]
fn give_up_all_but<D: std::os::fd::AsFd>(
    rights: landlock::BitFlags<landlock::AccessFs>,
    beneath: impl IntoIterator<Item = D>,
) -> Result<landlock::RulesetStatus, landlock::RulesetError> {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr, RulesetCreatedAttr,
        RulesetError, Scope,
    };
    let rules = beneath.into_iter().map(|directory| Ok::<_, RulesetError>(PathBeneath::new(directory, rights)));
    let restricted = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V6))?
        .handle_access(AccessNet::from_all(ABI::V6))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .add_rules(rules)?
        .restrict_self()?;
    Ok(restricted.ruleset)
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

/// Elsewhere every thread keeps what the process may do.
///
/// # Errors
/// None: [`confine`] says no already.
#[cfg(not(target_os = "linux"))]
pub fn confine_to_writing_in(_: Sandbox, _: &std::path::Path) -> Result<(), String> {
    Ok(())
}

/// The same.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn confine_to_removing_in(_: Sandbox, _: &[std::path::PathBuf]) -> Result<(), String> {
    Ok(())
}
