//! Signals: SIGINT and SIGTERM shut the server down, SIGHUP reopens the log file.
//!
//! While the server runs, the first SIGINT or SIGTERM sets a flag and makes a descriptor readable, which wakes the accept loop; a later one
//! terminates the process at once, and so does any signal during start-up. Handlers are installed before the first listener: PID 1 of a
//! container has no default action for these signals and would ignore them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use log::info;

use crate::net::socket::{Socket, wait_for_connection};

/// A signal that terminates the process gives it this exit code and the number of the signal, as a shell reports it.
const EXIT_SIGNALLED: i32 = 128;
/// Signals received within this interval after the first are treated as duplicates: `timeout` signals both the process and its group, and
/// script runners pass on what the terminal has already sent to all.
pub const SIGNAL_DEBOUNCE: Duration = Duration::from_millis(500);

/// Whether a shutdown was requested.
#[derive(Clone, Debug, Default)]
pub struct ShutdownSignal {
    requested: Arc<AtomicBool>,
    /// Whether a signal terminates the process instead of requesting a shutdown.
    forced: Arc<AtomicBool>,
    /// A socket that becomes readable when a shutdown is requested; `None` where a signal cannot wake a thread.
    pub wake_fd: Option<Arc<Socket>>,
}

impl ShutdownSignal {
    /// Handles SIGINT and SIGTERM: they terminate the process, until [`ShutdownSignal::enable_graceful`] is called.
    ///
    /// # Errors
    /// If the system refuses the handlers.
    pub fn on_signals() -> io::Result<ShutdownSignal> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        let (requested, forced) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
        #[cfg(unix)]
        let (wake, waker) = std::os::unix::net::UnixStream::pair()?;
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register_conditional_shutdown(signal, EXIT_SIGNALLED + signal, Arc::clone(&forced))?;
            signal_hook::flag::register(signal, Arc::clone(&requested))?;
            #[cfg(unix)]
            signal_hook::low_level::pipe::register(signal, waker.try_clone()?)?;
        }
        // A log that reaches the limit of file sizes is an error of that write (EFBIG) if this signal has a handler.
        #[cfg(unix)]
        signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
        Ok(ShutdownSignal {
            requested,
            forced,
            #[cfg(unix)]
            wake_fd: Some(Arc::new(std::os::fd::OwnedFd::from(wake).into())),
            #[cfg(not(unix))]
            wake_fd: None,
        })
    }

    /// Makes the next signal request a graceful shutdown instead of terminating the process.
    pub fn enable_graceful(&self) {
        self.forced.store(false, Ordering::SeqCst);
    }

    /// Makes the next signal terminate the process. To be called [`SIGNAL_DEBOUNCE`] after the first.
    pub fn arm_second_signal(&self) {
        if !self.forced.swap(true, Ordering::SeqCst) {
            info!("shutdown in progress; send the signal again to exit immediately");
        }
    }

    /// Whether a shutdown was requested.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// Waits until a shutdown is requested, or `limit` is over.
    pub fn pause(&self, limit: Duration) {
        let _ = wait_for_connection(&[], self.wake_fd.as_deref(), Some(limit));
    }
}

/// Calls `action` for each SIGHUP, if the system has it, on a thread of its own. Without this call SIGHUP ends the process, as a closed
/// terminal should.
///
/// # Errors
/// If the system refuses the handler or the thread.
pub fn on_sighup(action: impl Fn() + Send + 'static) -> io::Result<()> {
    #[cfg(unix)]
    {
        let mut signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGHUP])?;
        let wait = move || signals.forever().for_each(|_| action());
        std::thread::Builder::new().name("hangup".into()).stack_size(64 * 1024).spawn(wait)?;
    }
    #[cfg(not(unix))]
    drop(action);
    Ok(())
}
