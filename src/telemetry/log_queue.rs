//! Bounded queue of log lines, written by a thread of its own.
//!
//! Writing a log can block: a terminal stopped with Ctrl-S, a pipe without a reader, a full disk. So requests append lines to a queue of at
//! most 1 MiB, and one thread writes them. When the queue is full, lines are dropped, counted, and the count is reported.
//!
//! The queue is one of two buffers, which are swapped when the other has been written, so that a line costs no allocation. Nor does it wake
//! the thread, unless it is the first since the last batch.

use std::io::{self, Write};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use log::warn;

use crate::telemetry::counted;

/// Bytes waiting to be written, without the last line: some ten thousand lines.
const QUEUE_BYTES_MAX: usize = 1024 * 1024;
/// Capacity that a buffer keeps after a batch: more than a busy server logs within [`BATCH_DELAY`].
const BUFFER_BYTES_KEPT: usize = 256 * 1024;
/// How long the thread collects lines after the first: waking it for each would cost more than the request.
const BATCH_DELAY: Duration = Duration::from_millis(20);

/// The queue's end for lines. Appending never blocks on the destination and never fails.
#[derive(Clone, Debug)]
pub struct LogQueue {
    queue: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// In messages about this log.
    name: &'static str,
    /// Guards the lines, while one is appended or all are taken out.
    lines: Mutex<Lines>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    /// Lines that were dropped and not reported yet.
    dropped: u64,
    /// Lines that were dropped or could not be written, since the start.
    lost: u64,
    is_writing: bool,
    is_woken: bool,
}

impl LogQueue {
    /// Starts the thread that writes to the destination. The thread makes the destination itself, so that it can restrict its own rights
    /// first. Exiting does not wait for the thread, whose destination may block; call [`LogQueue::flush_timeout`] before.
    ///
    /// # Errors
    /// If the thread cannot be started, or `make` fails.
    pub fn start<D: Write>(name: &'static str, make: impl FnOnce() -> io::Result<D> + Send + 'static) -> io::Result<LogQueue> {
        let lines = Mutex::new(Lines::default());
        let queue = Arc::new(Shared { name, lines, filled: Condvar::new(), emptied: Condvar::new() });
        let writer_queue = Arc::clone(&queue);
        let (ready, is_ready) = sync_channel(1);
        let run = move || match make() {
            Ok(destination) => {
                drop(ready.send(Ok(())));
                writer_queue.write_loop(destination);
            }
            Err(error) => drop(ready.send(Err(error))),
        };
        Builder::new().name("log".into()).stack_size(64 * 1024).spawn(run)?;
        is_ready.recv().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        Ok(LogQueue { queue })
    }

    /// Appends whole lines: `write` is called with the buffer, or not at all if the queue is full.
    pub fn append(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut lines = self.queue.lock();
        if lines.bytes.len() >= QUEUE_BYTES_MAX {
            lines.dropped += 1;
            lines.lost += 1;
            return;
        }
        let was_empty = lines.bytes.is_empty();
        write(&mut lines.bytes);
        drop(lines);
        if was_empty {
            self.queue.filled.notify_one();
        }
    }

    /// Whether both are ends of one queue.
    pub fn is_same(&self, other: &LogQueue) -> bool {
        Arc::ptr_eq(&self.queue, &other.queue)
    }

    /// Flushes the destination even if no line is waiting: that is when the access log reopens its file.
    pub fn wake(&self) {
        self.queue.lock().is_woken = true;
        self.queue.filled.notify_one();
    }

    /// Returns how many lines were dropped or could not be written, since the start.
    pub fn lost_lines(&self) -> u64 {
        self.queue.lock().lost
    }

    /// Waits until all lines are written, for at most `limit`.
    pub fn flush_timeout(&self, limit: Duration) {
        let lines = self.queue.lock();
        self.queue.filled.notify_one();
        let is_pending = |lines: &mut Lines| lines.is_writing || !lines.bytes.is_empty();
        drop(self.queue.emptied.wait_timeout_while(lines, limit, is_pending));
    }
}

/// One call is one line: `env_logger` writes each record with a single `write_all`.
impl Write for LogQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.append(|bytes| bytes.extend_from_slice(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn write_loop<D: Write>(&self, destination: D) {
        let mut writer = Writer { name: self.name, destination, is_within_line: false, failing: None };
        let mut bytes = Vec::new();
        loop {
            let mut lines = self.wait();
            std::mem::swap(&mut bytes, &mut lines.bytes);
            let dropped = std::mem::take(&mut lines.dropped);
            lines.is_writing = true;
            lines.is_woken = false;
            drop(lines);
            if dropped > 0 {
                warn!("dropped {} of the {}: it is not written fast enough", counted(dropped, "line"), self.name);
            }
            let lost = writer.write(&bytes);
            bytes.clear();
            bytes.shrink_to(BUFFER_BYTES_KEPT);
            let mut lines = self.lock();
            lines.lost += lost;
            lines.is_writing = false;
            if lines.bytes.is_empty() {
                self.emptied.notify_all();
            }
        }
    }

    /// Waits for a line or a call of [`LogQueue::wake`]; after a line, also [`BATCH_DELAY`] for more, which a flush cuts short.
    fn wait(&self) -> MutexGuard<'_, Lines> {
        let is_idle = |lines: &mut Lines| lines.bytes.is_empty() && !lines.is_woken;
        let mut lines = self.filled.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner);
        if !lines.is_woken {
            lines = self.filled.wait_timeout(lines, BATCH_DELAY).unwrap_or_else(PoisonError::into_inner).0;
        }
        lines
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The destination, and the result of the last write to it.
struct Writer<D> {
    name: &'static str,
    destination: D,
    /// Whether the last write failed within a line.
    is_within_line: bool,
    /// Lines lost since writing began to fail, if it fails.
    failing: Option<u64>,
}

impl<D: Write> Writer<D> {
    /// Writes lines, and returns how many of them were lost. The first failure and the recovery are reported, in the program's log.
    fn write(&mut self, lines: &[u8]) -> u64 {
        let mut rest = lines;
        let result = self.try_write(&mut rest);
        if let Some(last) = lines.split_at(lines.len() - rest.len()).0.last() {
            self.is_within_line = *last != b'\n';
        }
        let lost = rest.iter().filter(|byte| **byte == b'\n').map(|_| 1).sum();
        match (result, self.failing) {
            (Ok(()), None) => {}
            (Ok(()), Some(lost)) => {
                self.failing = None;
                warn!("writing the {} again after the loss of {}", self.name, counted(lost, "line"));
            }
            (Err(error), before) => {
                self.failing = Some(before.unwrap_or(0) + lost);
                if before.is_none() {
                    warn!("cannot write {}: {error}; dropping lines until it recovers", self.name);
                }
            }
        }
        lost
    }

    /// Flushes before and after the lines, so that a file is never reopened within a line.
    fn try_write(&mut self, rest: &mut &[u8]) -> io::Result<()> {
        self.destination.flush()?;
        if self.is_within_line && !rest.is_empty() {
            self.destination.write_all(b"\n")?;
            self.is_within_line = false;
        }
        while !rest.is_empty() {
            match self.destination.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => *rest = rest.split_at(count).1,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.destination.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A destination that writes once for each message on its channel.
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
    fn blocked_destination_drops_lines_and_counts_them() {
        let (open, gate) = channel();
        let (sink, written) = channel();
        let mut log = LogQueue::start("log", move || Ok(Gate(gate, sink))).unwrap();
        let line = [b'x'; 1023].iter().copied().chain([b'\n']).collect::<Vec<u8>>();
        let total = 5000;
        for _ in 0..total {
            log.write_all(&line).unwrap();
        }
        drop(open);
        let mut text = Vec::new();
        log.write_all(b"").unwrap();
        log.flush_timeout(Duration::from_secs(10));
        while let Ok(bytes) = written.try_recv() {
            text.extend_from_slice(&bytes);
        }
        let text = String::from_utf8(text).unwrap();
        let kept = text.lines().filter(|line| line.starts_with('x')).count();
        let dropped = usize::try_from(log.lost_lines()).unwrap();
        assert!(dropped > 0, "the queue is smaller than that");
        assert_eq!(kept + dropped, total);
        assert!(log.queue.lock().bytes.capacity() <= 2 * QUEUE_BYTES_MAX);
    }

    /// Takes the given number of bytes at each write; 0 is a failure.
    struct Fails<'a>(&'a [usize], Vec<u8>);

    impl Write for Fails<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (&count, rest) = self.0.split_first().unwrap_or((&usize::MAX, &[]));
            self.0 = rest;
            let count = count.min(bytes.len());
            self.1.extend_from_slice(&bytes[..count]);
            if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn failing_destination_loses_whole_lines_and_counts_them() {
        for (takes, lost, left, why) in [
            (&[][..], 0, "one\ntwo\nthree\n", "nothing fails"),
            (&[5, 2], 0, "one\ntwo\nthree\n", "short writes"),
            (&[0], 2, "three\n", "the first batch is lost"),
            (&[4, 0], 1, "one\nthree\n", "the second line of it is lost"),
            (&[5, 0], 1, "one\nt\nthree\n", "it fails within the second line, which the next one ends"),
            (&[5, 0, 0], 2, "one\nt", "everything fails after that"),
        ] {
            let destination = Fails(takes, Vec::new());
            let mut writer = Writer { name: "log", destination, is_within_line: false, failing: None };
            assert_eq!(writer.write(b"one\ntwo\n") + writer.write(b"three\n"), lost, "{why}");
            assert_eq!(String::from_utf8(writer.destination.1).unwrap(), left, "{why}");
        }
    }

    #[test]
    fn lines_are_appended_without_allocation() {
        let (open, gate) = channel();
        let (sink, written) = channel();
        let log = LogQueue::start("log", move || Ok(Gate(gate, sink))).unwrap();
        let mut room = Vec::new();
        for _ in 0..6 {
            for _ in 0..100 {
                log.append(|bytes| bytes.extend_from_slice(b"a line of the log\n"));
            }
            room.push(log.queue.lock().bytes.capacity());
            open.send(()).unwrap();
            written.recv_timeout(Duration::from_secs(10)).unwrap();
            log.flush_timeout(Duration::from_secs(10));
        }
        assert!(room[2..].iter().all(|bytes| room[..2].contains(bytes)), "two buffers are swapped: {room:?}");
    }
}
