//! Has someone asked us to begin anew what can be begun anew?
//!
//! SIGHUP once meant that the telephone was hung up; daemons, who have none, take it as the wish to read or open their files again. A
//! program in a terminal should still end when the terminal is closed: so nobody listens for it unless there is such a file, or a
//! supervisor who wants to know when it is done.

use std::io;
#[cfg(unix)]
use std::thread::Builder;

/// Calls `then` for each SIGHUP from now on, on a thread of its own.
///
/// # Errors
/// When the system does not take the handler, or no thread can be started.
#[cfg(unix)]
pub fn on_sighup(mut then: impl FnMut() + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::SIGHUP;
    use signal_hook::iterator::Signals;
    let mut signals = Signals::new([SIGHUP])?;
    let life = move || signals.forever().for_each(|_| then());
    Builder::new().name("hangup".into()).stack_size(64 * 1024).spawn(life)?;
    Ok(())
}

/// There is no such signal here.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn on_sighup(_: impl FnMut() + Send + 'static) -> io::Result<()> {
    Ok(())
}
