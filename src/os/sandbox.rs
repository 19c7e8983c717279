//! What if our own code were wrong? Then the kernel says no.
//!
//! Landlock is a Linux security module by which a process gives up rights for ever, for itself and for all threads that it starts later.
//! Once everything is open that has to be opened, we need nothing but to read beneath the root, to accept connections, and to remove the
//! files of our Unix sockets at the end. So that is all that is left: no other file, no write, no program, no connection to anywhere, no
//! other port, no signal to another process.
//!
//! It must come before the first thread: a thread that already runs keeps its rights. Only the thread that writes a log file begins
//! earlier. It gives up all other rights itself, so that what reads cannot write, and what writes cannot read.

use std::path::PathBuf;

use crate::config::Sandbox;

/// What the kernel enforces, in words for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SandboxStatus {
    /// Everything.
    Active(String),
    /// Not everything, or nothing, and why.
    Partial(String),
    /// Nothing, by `--sandbox=off`.
    Disabled,
}

/// Gives all rights up but to read beneath a directory, which is `/` where links may lead anywhere, and to remove files in
/// `socket_directories`.
///
/// # Errors
/// Only with [`Sandbox::Require`]: why not all of it could be had.
#[cfg(target_os = "linux")]
pub fn confine(
    wanted: Sandbox,
    (handle, directory): (impl std::os::fd::AsFd, PathBuf),
    socket_directories: &[PathBuf],
) -> Result<SandboxStatus, String> {
    use std::os::fd::AsFd;

    use landlock::{AccessFs, PathBeneath, PathFd, RulesetStatus};
    if wanted == Sandbox::Off {
        return Ok(SandboxStatus::Disabled);
    }
    let reading = PathBeneath::new(handle.as_fd(), AccessFs::ReadFile | AccessFs::ReadDir);
    let directories: Result<Vec<PathFd>, _> = socket_directories.iter().map(PathFd::new).collect();
    let status = directories.map_err(|error| error.to_string()).and_then(|directories| {
        let removing = directories.iter().map(|directory| PathBeneath::new(directory.as_fd(), AccessFs::RemoveFile));
        restrict_to(removing.chain([reading])).map_err(|error| error.to_string())
    });
    let said = match status {
        Ok(RulesetStatus::FullyEnforced) => {
            let removes = if socket_directories.is_empty() { "" } else { ", removing files in the directory of its socket" };
            let directory = directory.display();
            return Ok(SandboxStatus::Active(format!(
                "the kernel allows reading beneath '{directory}'{removes}, and nothing else (Landlock)"
            )));
        }
        Ok(RulesetStatus::PartiallyEnforced) => "this kernel knows only some of Landlock; what it knows is enforced".to_owned(),
        Ok(RulesetStatus::NotEnforced) => "this kernel has no Landlock".to_owned(),
        Err(error) => format!("Landlock failed: {error}"),
    };
    if wanted == Sandbox::Require { Err(said) } else { Ok(SandboxStatus::Partial(format!("not fully active: {said}"))) }
}

/// Gives all rights of this thread up but to write in a directory, and to make files there: it keeps a log.
///
/// # Errors
/// Only with [`Sandbox::Require`]: why not all of it could be had.
#[cfg(target_os = "linux")]
pub fn allow_write(wanted: Sandbox, directory: &std::path::Path) -> Result<(), String> {
    use landlock::{AccessFs, PathBeneath, PathFd, RulesetStatus};
    if wanted == Sandbox::Off {
        return Ok(());
    }
    let directory = PathFd::new(directory).map_err(|error| error.to_string())?;
    match restrict_to([PathBeneath::new(directory, AccessFs::WriteFile | AccessFs::MakeReg)]) {
        Err(error) if wanted == Sandbox::Require => Err(format!("cannot do --sandbox=require: Landlock failed: {error}")),
        Ok(status) if wanted == Sandbox::Require && status != RulesetStatus::FullyEnforced => {
            Err("cannot do --sandbox=require: this kernel has no Landlock, or not all of it".to_owned())
        }
        _ => Ok(()),
    }
}

/// Has the kernel take all rights from this thread, and from those that it starts, but those of these rules.
#[cfg(target_os = "linux")]
fn restrict_to<D: std::os::fd::AsFd>(
    rules: impl IntoIterator<Item = landlock::PathBeneath<D>>,
) -> Result<landlock::RulesetStatus, landlock::RulesetError> {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
    };
    let restricted = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V6))?
        .handle_access(AccessNet::from_all(ABI::V6))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .add_rules(rules.into_iter().map(Ok::<_, RulesetError>))?
        .restrict_self()?;
    Ok(restricted.ruleset)
}

/// Elsewhere there is nothing of the kind.
///
/// # Errors
/// With [`Sandbox::Require`], always.
#[cfg(not(target_os = "linux"))]
pub fn confine<R>(wanted: Sandbox, _: (R, PathBuf), _: &[PathBuf]) -> Result<SandboxStatus, String> {
    match wanted {
        Sandbox::Off => Ok(SandboxStatus::Unwanted),
        Sandbox::Auto => Ok(SandboxStatus::Said("not confined: this system has no Landlock".into())),
        Sandbox::Require => Err("this system has no Landlock".into()),
    }
}

/// Elsewhere every thread keeps what the process may do.
///
/// # Errors
/// None: [`confine`] says no already.
#[cfg(not(target_os = "linux"))]
pub fn allow_write(_: Sandbox, _: &std::path::Path) -> Result<(), String> {
    Ok(())
}
