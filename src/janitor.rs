//! Who takes our sockets' files away when we go?
//!
//! To remove a file is a right that nobody needs who serves. So it is kept by a thread that does nothing else: it begins before the kernel
//! confines the others, gives up all rights but that one, and waits for the end.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use crate::config::Sandbox;
use crate::sandbox;
use crate::unix_socket::SocketFile;

/// How long the files may take. Nobody should wait for a dead file system because of them.
const TIME_MAX: Duration = Duration::from_millis(500);

/// The way to the thread that removes them. Dropping it sends it to work.
#[derive(Debug)]
pub struct Janitor {
    begin: Sender<()>,
    /// Guards the end of the work, while someone waits for it.
    done: Mutex<Receiver<()>>,
}

impl Janitor {
    /// Starts the thread, if there is anything to remove.
    ///
    /// # Errors
    /// When it cannot be started, or not confined where that is required.
    pub fn start(files: Vec<SocketFile>, wanted: Sandbox) -> Result<Option<Janitor>, String> {
        if files.is_empty() {
            return Ok(None);
        }
        let directories: Vec<PathBuf> = files.iter().filter_map(|file| file.path.parent().map(PathBuf::from)).collect();
        let (begin, begun) = channel();
        let (finish, done) = channel();
        let (ready, is_ready) = sync_channel(1);
        let life = move || {
            let confined = sandbox::confine_to_removing_in(wanted, &directories);
            drop(ready.send(confined));
            // Whoever goes without a word goes as well.
            let _ = begun.recv();
            files.iter().for_each(SocketFile::remove);
            let _ = finish.send(());
        };
        let started = Builder::new().name("janitor".into()).stack_size(64 * 1024).spawn(life);
        started.map_err(|error| format!("cannot start a thread: {error}"))?;
        is_ready.recv().unwrap_or(Ok(()))?;
        Ok(Some(Janitor { begin, done: Mutex::new(done) }))
    }

    /// Has the files removed now, if they have not been yet.
    pub fn sweep(&self) {
        if self.begin.send(()).is_ok() {
            let _ = self.done.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(TIME_MAX);
        }
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        self.sweep();
    }
}
