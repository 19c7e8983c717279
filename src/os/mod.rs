//! Operating system interfaces: signals, sandbox, limits, systemd, Unix sockets.
//!
//! Code that depends on the platform is here where possible, so that other modules need no `#[cfg]`.

pub mod limits;
pub mod new_file;
pub mod sandbox;
pub mod signals;
pub mod systemd;
#[cfg(unix)]
pub mod unix_socket;

use std::env;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// There are no Unix sockets on this system.
#[cfg(not(unix))]
pub mod unix_socket {
    use std::io;
    use std::path::{Path, PathBuf};

    use crate::net::socket::Listener;

    /// The file of a socket. It is never constructed.
    #[derive(Debug)]
    pub(crate) struct NoSocketFile {
        pub(crate) path: PathBuf,
    }

    pub(crate) use NoSocketFile as UnixSocketFile;

    pub(crate) fn open(_: &Path, _: i32) -> io::Result<(Listener, UnixSocketFile)> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Whether this system is a Unix: only there are Unix sockets and uploads supported.
pub const IS_UNIX: bool = cfg!(unix);

/// The beginning of the names of incomplete files, which are neither served nor listed.
pub const HIDDEN_PREFIX: &str = ".threadbare-";

/// Whether a name is that of an incomplete file. Some file systems ignore case.
pub fn is_incomplete_file(name: &[u8]) -> bool {
    name.split_at_checked(HIDDEN_PREFIX.len()).is_some_and(|(start, _)| start.eq_ignore_ascii_case(HIDDEN_PREFIX.as_bytes()))
}

/// Converts a name to the form that the system uses.
///
/// # Errors
/// `NotFound` if the system only has names in Unicode and this is not one, so that no file can have it.
pub(crate) fn os_name(name: &[u8]) -> io::Result<&OsStr> {
    #[cfg(unix)]
    return Ok(std::os::unix::ffi::OsStrExt::from_bytes(name));
    #[cfg(not(unix))]
    std::str::from_utf8(name).map(OsStr::new).map_err(|_| io::ErrorKind::NotFound.into())
}

/// The program that opens a URL in the user's browser, and its first arguments.
#[cfg(target_os = "macos")]
pub(crate) const OPENER: (&str, &[&str]) = ("open", &[]);
#[cfg(windows)]
pub(crate) const OPENER: (&str, &[&str]) = ("cmd", &["/c", "start", ""]);
#[cfg(not(any(target_os = "macos", windows)))]
pub(crate) const OPENER: (&str, &[&str]) = ("xdg-open", &[]);

/// Whether the process runs as root; false where the system has no such user.
pub(crate) fn is_root() -> bool {
    #[cfg(unix)]
    return rustix::process::geteuid().is_root();
    #[cfg(not(unix))]
    false
}

/// Whether the process has a controlling terminal, which sends SIGHUP when it is closed.
pub(crate) fn has_terminal() -> bool {
    cfg!(unix) && File::open("/dev/tty").is_ok()
}

/// The name of this machine, as `hostname` prints it; `None` where it is a single label anyway.
pub(crate) fn host_name() -> Option<String> {
    #[cfg(unix)]
    return rustix::system::uname().nodename().to_str().ok().map(str::to_owned);
    #[cfg(not(unix))]
    None
}

/// Opens a URL in the browser, in a process group of its own, so that Ctrl-C in the terminal does not end it. To be called before
/// the sandbox, which forbids it.
pub(crate) fn open_browser(url: &str) -> io::Result<Child> {
    let (program, first) = OPENER;
    let mut command = Command::new(program);
    command.args(first).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn()
}

/// Schedules the calling thread, and those that it starts later, by `SCHED_BATCH`: a thread that is woken waits its turn instead of
/// preempting the one that woke it, which would interrupt the client while it sends. `benches/RESULTS.md` has the gain. A policy or nice
/// value that was chosen for this process is kept.
///
/// # Errors
/// Why the policy is unchanged.
pub fn use_batch_scheduling() -> Result<(), String> {
    #[cfg(not(target_os = "linux"))]
    return Err("this system has no SCHED_BATCH".to_owned());
    #[cfg(target_os = "linux")]
    {
        use thread_priority::NormalThreadSchedulePolicy::{Batch, Other};
        use thread_priority::{ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy};
        let policy = thread_priority::thread_schedule_policy().map_err(|error| error.to_string())?;
        let nice = rustix::process::getpriority_process(None).map_err(|error| error.to_string())?;
        if policy != ThreadSchedulePolicy::Normal(Other) || nice != 0 {
            return Err(format!("the process was started with {policy:?} and nice value {nice}"));
        }
        // The crate sets the nice value too; 48 of 99 stands for 0.
        let priority = ThreadPriorityValue::try_from(48).map(ThreadPriority::Crossplatform)?;
        let (thread, batch) = (thread_priority::thread_native_id(), ThreadSchedulePolicy::Normal(Batch));
        thread_priority::set_thread_priority_and_policy(thread, priority, batch).map_err(|error| error.to_string())
    }
}

/// Opens a log file for appending, and creates it if it does not exist. Only the owner and the group may read it, since it tells which
/// client requested what.
///
/// # Errors
/// The error of the system. Opening a FIFO without a reader fails at once instead of blocking the start.
pub(crate) fn open_log_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    options.mode(0o640).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let file = options.append(true).create(true).open(path)?;
    // Writing may block: a separate thread does it.
    #[cfg(unix)]
    rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::APPEND)?;
    Ok(file)
}

/// Creates a file that only its owner can read.
///
/// # Errors
/// The error of the system; `AlreadyExists` if there is one.
pub fn create_private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    options.mode(0o600);
    options.write(true).create_new(true).open(path)
}

/// Returns the path of a file that outlives the process, beneath `XDG_STATE_HOME`; `None` if neither that nor a home directory is set.
pub fn state_file(name: &str) -> Option<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(env::home_dir().filter(|home| home.is_absolute())?.join(".local/state")));
    state.map(|state| state.join("threadbare").join(name))
}
