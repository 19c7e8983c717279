//! How does a log line reach its destination without ever holding up a request?
//!
//! A terminal that is stopped with Ctrl-S, a pipe that nobody reads, a full disk: whoever writes there waits, and a server whose threads
//! all wait for their log serves nobody. So lines go into a queue of bounded size, and one thread writes them. When the queue is full,
//! lines are dropped and counted, and the count is logged when there is room again.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// What waits to be written, in bytes: some ten thousand lines.
const QUEUE_BYTES_MAX: usize = 1024 * 1024;
/// After the first line the writer waits this long for others: waking it for each would cost more than the request.
const GATHERING: Duration = Duration::from_millis(20);

/// The end of the queue that lines are put into. It never blocks and never fails.
#[derive(Clone, Debug)]
pub struct LogWriter {
    queue: Arc<Queue>,
}

#[derive(Debug)]
struct Queue {
    /// Guards the lines, while they are copied in or taken out as a whole.
    lines: Mutex<Lines>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    dropped: u64,
    is_writing: bool,
}

impl LogWriter {
    /// Starts the thread that writes to `destination`. It is not waited for at the end: a destination that blocks would hold
    /// up the exit; [`LogWriter::flush_for`] gives it a chance.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(destination: impl Write + Send + 'static) -> io::Result<LogWriter> {
        let queue = Arc::new(Queue { lines: Mutex::new(Lines::default()), filled: Condvar::new(), emptied: Condvar::new() });
        let writers = Arc::clone(&queue);
        Builder::new().name("log".into()).stack_size(64 * 1024).spawn(move || writers.write_on(destination))?;
        Ok(LogWriter { queue })
    }

    /// Waits until all lines are written, but not longer than `limit`.
    pub fn flush_for(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mut lines = self.queue.lock();
        while lines.is_writing || !lines.bytes.is_empty() {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return };
            self.queue.filled.notify_one();
            lines = self.queue.emptied.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// One call is one line: `env_logger` writes each record with a single `write_all`.
impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = self.queue.lock();
        if lines.bytes.len() + line.len() > QUEUE_BYTES_MAX {
            lines.dropped += 1;
            return Ok(line.len());
        }
        let was_empty = lines.bytes.is_empty();
        lines.bytes.extend_from_slice(line);
        drop(lines);
        if was_empty {
            self.queue.filled.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Queue {
    fn write_on(&self, mut destination: impl Write) {
        loop {
            let mut lines = self.lock();
            while lines.bytes.is_empty() {
                self.emptied.notify_all();
                lines = self.filled.wait(lines).unwrap_or_else(PoisonError::into_inner);
            }
            // Others gather meanwhile; whoever flushes wakes us early.
            lines = self.filled.wait_timeout(lines, GATHERING).unwrap_or_else(PoisonError::into_inner).0;
            let mut bytes = std::mem::take(&mut lines.bytes);
            let dropped = std::mem::take(&mut lines.dropped);
            lines.is_writing = true;
            drop(lines);
            if dropped > 0 {
                bytes.extend_from_slice(
                    format!("warn: {dropped} log lines were dropped: the log is not read fast enough\n").as_bytes(),
                );
            }
            // A destination that fails, fails: there is nowhere left to say so, and no reason to stop serving.
            let _ = destination.write_all(&bytes).and_then(|()| destination.flush());
            let mut lines = self.lock();
            lines.is_writing = false;
            if lines.bytes.is_empty() {
                self.emptied.notify_all();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A destination that writes only when it is told to.
    struct Gate(Receiver<()>, Sender<Vec<u8>>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            let _ = self.1.send(bytes.to_vec());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_destination_costs_lines_and_no_time_and_the_count_is_exact() {
        let (open, gate) = channel();
        let (sink, written) = channel();
        let mut log = LogWriter::start(Gate(gate, sink)).unwrap();
        let line = [b'x'; 1023].iter().copied().chain([b'\n']).collect::<Vec<u8>>();
        let total = 5000;
        for _ in 0..total {
            log.write_all(&line).unwrap();
        }
        drop(open);
        let mut text = Vec::new();
        log.write_all(b"").unwrap();
        log.flush_for(Duration::from_secs(10));
        while let Ok(bytes) = written.try_recv() {
            text.extend_from_slice(&bytes);
        }
        let text = String::from_utf8(text).unwrap();
        let kept = text.lines().filter(|line| line.starts_with('x')).count();
        let dropped: usize =
            text.lines().filter_map(|line| line.strip_prefix("warn: ")?.split(' ').next()?.parse::<usize>().ok()).sum();
        assert!(dropped > 0, "the queue is smaller than that");
        assert_eq!(kept + dropped, total);
    }
}
