//! Has someone asked us to stop?
//!
//! While it serves, the first SIGINT or SIGTERM sets a flag and makes a descriptor readable, which wakes the accept loop; one that
//! comes later ends the process at once, and so does any before it serves, when there is nothing to finish. A process that is PID 1 of
//! a container has no default action for these signals, so it would ignore them without this.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Builder};
use std::time::Duration;

use log::info;

use crate::net::socket::Socket;

/// What a shell says of a process that SIGINT ended: 128 + 2.
pub const EXIT_FORCED: i32 = 130;
/// Signals that come within so long of the first are the same wish, told twice: `timeout` sends its signal to the process and to the
/// group that it is in, and what runs a script passes on what the terminal has sent to all.
const SIGNAL_DEBOUNCE: Duration = Duration::from_millis(500);

/// The wish to stop.
#[derive(Clone, Debug, Default)]
pub struct ShutdownSignal {
    requested: Arc<AtomicBool>,
    /// Whether a signal ends the process, and does not ask.
    forced: Arc<AtomicBool>,
    wake_fd: Option<Arc<Socket>>,
}

impl ShutdownSignal {
    /// Stops on SIGINT and SIGTERM: at once, until [`ShutdownSignal::enable_graceful`].
    ///
    /// # Errors
    /// When the system does not take the handlers.
    pub fn on_signals() -> io::Result<ShutdownSignal> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        let (asked, at_once) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register_conditional_shutdown(signal, EXIT_FORCED, Arc::clone(&at_once))?;
            signal_hook::flag::register(signal, Arc::clone(&asked))?;
        }
        #[cfg(unix)]
        {
            let (wake, waker) = std::os::unix::net::UnixStream::pair()?;
            for signal in [SIGINT, SIGTERM] {
                signal_hook::low_level::pipe::register(signal, waker.try_clone()?)?;
            }
            Ok(ShutdownSignal { requested: asked, forced: at_once, wake_fd: Some(Arc::new(Socket::Unix(wake))) })
        }
        #[cfg(not(unix))]
        Ok(ShutdownSignal { requested: asked, forced: at_once, wake_fd: None })
    }

    /// From here on there is something to finish: the next signal only asks.
    pub fn enable_graceful(&self) {
        self.forced.store(false, Ordering::SeqCst);
    }

    /// We have heard the wish. Whoever utters it once more, and not just twice, wants us to end at once.
    pub fn arm_second_signal(&self) {
        let at_once = Arc::clone(&self.forced);
        let arm = move || {
            thread::sleep(SIGNAL_DEBOUNCE);
            at_once.store(true, Ordering::SeqCst);
            info!("still at it; another signal ends it at once");
        };
        if Builder::new().name("second-signal".into()).stack_size(64 * 1024).spawn(arm).is_err() {
            self.forced.store(true, Ordering::SeqCst);
        }
    }

    /// Whether we are asked to.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// A socket that becomes readable when shutdown is requested; `None` where a signal cannot wake a thread.
    pub fn wake_fd(&self) -> Option<&Socket> {
        self.wake_fd.as_deref()
    }
}
