//! Has someone asked us to stop?
//!
//! The first SIGINT or SIGTERM sets a flag and makes a descriptor readable, which wakes the accept loop; a second one ends the
//! process at once. A process that is PID 1 of a container has no default action for these signals, so it would ignore them
//! without this.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a shell says of a process that SIGINT ended: 128 + 2.
pub const ENDED_BY_SECOND_SIGNAL: i32 = 130;

/// The wish to stop.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    #[cfg(unix)]
    wake: Option<Arc<std::os::unix::net::UnixStream>>,
}

impl Stop {
    /// Stops on SIGINT and SIGTERM.
    ///
    /// # Errors
    /// When the system does not take the handlers.
    pub fn on_signals() -> io::Result<Stop> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag down and sets it, the second finds it up.
            signal_hook::flag::register_conditional_shutdown(signal, ENDED_BY_SECOND_SIGNAL, Arc::clone(&asked))?;
            signal_hook::flag::register(signal, Arc::clone(&asked))?;
        }
        #[cfg(unix)]
        {
            let (wake, waker) = std::os::unix::net::UnixStream::pair()?;
            for signal in [SIGINT, SIGTERM] {
                signal_hook::low_level::pipe::register(signal, waker.try_clone()?)?;
            }
            Ok(Stop { asked, wake: Some(Arc::new(wake)) })
        }
        #[cfg(not(unix))]
        Ok(Stop { asked })
    }

    /// Whether we are asked to.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// What becomes readable when we are.
    #[cfg(unix)]
    pub fn wake(&self) -> Option<&std::os::unix::net::UnixStream> {
        self.wake.as_deref()
    }
}
