//! Sandbox: Landlock, which limits the process to reading the served directory.
//!
//! Landlock is a Linux security module by which a thread gives up rights permanently, for itself and for the threads that it starts later.
//! After start-up the server reads files under the root, adds files under the directories of `--upload`, accepts connections and removes its
//! Unix socket files; Landlock denies all other files, writes, programs, outgoing connections, further ports, and signals to other processes.
//!
//! [`confine`] must run before the first thread starts, since running threads keep their rights. The exceptions are the thread
//! that writes the log file and the one that reads certificates: they start earlier and restrict themselves ([`allow`]).

use std::path::PathBuf;

use log::Level;

use crate::config::Sandbox;
use crate::os::new_file::WritableDirectory;

/// Restricts the process to reading beneath a directory, creating files beneath `upload_directories` and removing files in
/// `socket_directories`. The directory is `/` if symbolic links may lead out of the root. Returns what the kernel enforces, for the log: at
/// level info if that is less than asked for.
///
/// # Errors
/// With [`Sandbox::Require`]: why the sandbox is not complete.
#[cfg(target_os = "linux")]
pub fn confine(
    wanted: Sandbox,
    (handle, directory): (impl std::os::fd::AsFd, PathBuf),
    upload_directories: &[WritableDirectory],
    socket_directories: &[PathBuf],
) -> Result<(Level, String), String> {
    use std::os::fd::AsFd;

    use landlock::{AccessFs, PathBeneath, PathFd, RulesetStatus};
    if wanted == Sandbox::Off {
        return Ok((Level::Debug, "off".to_owned()));
    }
    let create = AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::MakeDir | AccessFs::RemoveFile;
    let directories: Result<Vec<PathFd>, _> = socket_directories.iter().map(PathFd::new).collect();
    let status = directories.map_err(|error| error.to_string()).and_then(|directories| {
        let read = PathBeneath::new(handle.as_fd(), AccessFs::ReadFile | AccessFs::ReadDir);
        let create = upload_directories.iter().map(|directory| PathBeneath::new(directory.0.as_fd(), create));
        let remove = directories.iter().map(|directory| PathBeneath::new(directory.as_fd(), AccessFs::RemoveFile));
        restrict_to(remove.chain(create).chain([read])).map_err(|error| error.to_string())
    });
    let problem = match status {
        Ok(RulesetStatus::FullyEnforced) => {
            let remove = if socket_directories.is_empty() { "" } else { " and removing files in the directory of its socket" };
            let create = if upload_directories.is_empty() { "" } else { ", creating files in the directories of --upload" };
            return Ok((Level::Debug, format!("Landlock allows only reading in '{}'{create}{remove}", directory.display())));
        }
        Ok(RulesetStatus::PartiallyEnforced) => "this kernel supports only part of Landlock".to_owned(),
        Ok(RulesetStatus::NotEnforced) => "this kernel does not support Landlock".to_owned(),
        Err(error) => format!("Landlock failed: {error}"),
    };
    if wanted == Sandbox::Require { Err(problem) } else { Ok((Level::Info, format!("incomplete: {problem}"))) }
}

/// What a thread may do with files.
#[derive(Clone, Copy, Debug)]
pub enum FileAccess {
    /// Read them: for the thread that reads certificates.
    Read,
    /// Write and create them: for the thread that writes the log file.
    Write,
}

/// Restricts this thread to files in these directories.
///
/// # Errors
/// With [`Sandbox::Require`]: why the sandbox is not complete.
#[cfg(target_os = "linux")]
pub fn allow(wanted: Sandbox, directories: &[PathBuf], access: FileAccess) -> Result<(), String> {
    use landlock::{AccessFs, PathBeneath, PathFd, RulesetStatus};
    if wanted == Sandbox::Off {
        return Ok(());
    }
    let access = match access {
        FileAccess::Read => AccessFs::ReadFile.into(),
        FileAccess::Write => AccessFs::WriteFile | AccessFs::MakeReg,
    };
    let directories: Result<Vec<PathFd>, _> = directories.iter().map(PathFd::new).collect();
    let directories = directories.map_err(|error| error.to_string())?;
    match restrict_to(directories.into_iter().map(|directory| PathBeneath::new(directory, access))) {
        Err(error) if wanted == Sandbox::Require => Err(format!("cannot enforce --sandbox=require: Landlock failed: {error}")),
        Ok(status) if wanted == Sandbox::Require && status != RulesetStatus::FullyEnforced => {
            Err("cannot enforce --sandbox=require: this kernel does not fully support Landlock".to_owned())
        }
        _ => Ok(()),
    }
}

/// Removes all rights of this thread, and of threads that it starts later, except those of `rules`.
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

/// Does nothing: only Linux has Landlock.
///
/// # Errors
/// With [`Sandbox::Require`], always.
#[cfg(not(target_os = "linux"))]
pub fn confine<R>(wanted: Sandbox, _: (R, PathBuf), _: &[WritableDirectory], _: &[PathBuf]) -> Result<(Level, String), String> {
    match wanted {
        Sandbox::Off => Ok((Level::Debug, "off".to_owned())),
        Sandbox::Auto => Ok((Level::Debug, "not available: only Linux has Landlock".to_owned())),
        Sandbox::Require => Err("only Linux has Landlock".into()),
    }
}

/// Does nothing: only Linux has Landlock, and [`confine`] reports that.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn allow(_: Sandbox, _: &[PathBuf], _: FileAccess) -> Result<(), String> {
    Ok(())
}
