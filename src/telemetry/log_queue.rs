//! How does a log line reach its destination without ever holding up a request?
//!
//! A terminal that is stopped with Ctrl-S, a pipe that nobody reads, a full disk: whoever writes there waits, and a server whose threads
//! all wait for their log serves nobody. So lines go into a queue of bounded size, and one thread writes them. When the queue is full,
//! lines are dropped and counted, and the count is logged when there is room again.
//!
//! The queue is one of two buffers, which change places whenever the other has been written: once both are large enough, a line costs
//! no allocation. Nor does it wake the thread, unless it is the first for a while.

use std::io::{self, Write};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use log::warn;

/// What waits to be written, in bytes, but for the last line: some ten thousand lines.
const QUEUE_BYTES_MAX: usize = 1024 * 1024;
/// After the first line the writer waits this long for others: waking it for each would cost more than the request.
const BATCH_DELAY: Duration = Duration::from_millis(20);
/// When nothing has come for this long, buffers that a flood has made large are given back.
const IDLE_SHRINK: Duration = Duration::from_secs(5);
/// What they may hold then, both together.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// The end of the queue that lines are put into. It never blocks and never fails.
#[derive(Clone, Debug)]
pub struct LogQueue {
    queue: Arc<Shared>,
}

/// Where it is said that lines were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Losses {
    /// In a line among the others.
    AmongTheLines,
    /// In the log of the program: whoever reads these lines expects nothing else among them.
    InTheProgramLog,
}

#[derive(Debug)]
struct Shared {
    /// Guards the lines, while one is appended or all are taken out.
    lines: Mutex<Lines>,
    filled: Condvar,
    emptied: Condvar,
    losses: Losses,
}

#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    /// Lines that were dropped and not reported yet.
    dropped: u64,
    /// Lines that were lost since the beginning.
    lost: u64,
    is_writing: bool,
    is_woken: bool,
}

impl LogQueue {
    /// Starts the thread that writes to the destination, which it makes itself: so it may give up rights first that others keep. It is not
    /// waited for at the end: a destination that blocks would hold up the exit; [`LogQueue::flush_timeout`] gives it a chance.
    ///
    /// # Errors
    /// When no thread can be started, or it cannot make its destination.
    pub fn start<D: Write>(make: impl FnOnce() -> io::Result<D> + Send + 'static, losses: Losses) -> io::Result<LogQueue> {
        let lines = Mutex::new(Lines::default());
        let queue = Arc::new(Shared { lines, filled: Condvar::new(), emptied: Condvar::new(), losses });
        let writers = Arc::clone(&queue);
        let (ready, is_ready) = sync_channel(1);
        let life = move || match make() {
            Ok(destination) => {
                drop(ready.send(Ok(())));
                writers.write_on(destination);
            }
            Err(error) => drop(ready.send(Err(error))),
        };
        Builder::new().name("log".into()).stack_size(64 * 1024).spawn(life)?;
        is_ready.recv().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        Ok(LogQueue { queue })
    }

    /// Puts into the queue what `write` appends: whole lines. Nothing is made that would be thrown away.
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

    /// Has the destination flushed although there may be no line to write: see [`ReopenableFile`](crate::telemetry::access_log::ReopenableFile).
    pub fn wake(&self) {
        self.queue.lock().is_woken = true;
        self.queue.filled.notify_one();
    }

    /// Whether both put their lines into the same queue.
    pub fn same_queue(&self, other: &LogQueue) -> bool {
        Arc::ptr_eq(&self.queue, &other.queue)
    }

    /// How many lines were lost since the beginning.
    pub fn dropped_lines(&self) -> u64 {
        self.queue.lock().lost
    }

    /// Waits until all lines are written, but not longer than `limit`.
    pub fn flush_timeout(&self, limit: Duration) {
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
    fn write_on<D: Write>(&self, destination: D) {
        let mut pen = Writer { destination, losses: self.losses, is_within_line: false, failing: None };
        let mut bytes = Vec::new();
        loop {
            let mut lines = self.next(&mut bytes);
            std::mem::swap(&mut bytes, &mut lines.bytes);
            let dropped = std::mem::take(&mut lines.dropped);
            lines.is_writing = true;
            lines.is_woken = false;
            drop(lines);
            pen.say_dropped(dropped, &mut bytes);
            let lost = pen.write(&bytes);
            bytes.clear();
            let mut lines = self.lock();
            lines.lost += lost;
            lines.is_writing = false;
            if lines.bytes.is_empty() {
                self.emptied.notify_all();
            }
        }
    }

    /// Waits until there is something to do, and a little longer for more.
    fn next(&self, other: &mut Vec<u8>) -> MutexGuard<'_, Lines> {
        let mut lines = self.lock();
        while lines.bytes.is_empty() && !lines.is_woken {
            self.emptied.notify_all();
            if lines.bytes.capacity() + other.capacity() <= KEPT_BYTES_MAX {
                lines = self.filled.wait(lines).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (woken, waited) = self.filled.wait_timeout(lines, IDLE_SHRINK).unwrap_or_else(PoisonError::into_inner);
            lines = woken;
            if waited.timed_out() && lines.bytes.is_empty() {
                lines.bytes = Vec::new();
                *other = Vec::new();
            }
        }
        if !lines.is_woken {
            // Others gather meanwhile; whoever flushes wakes us early.
            lines = self.filled.wait_timeout(lines, BATCH_DELAY).unwrap_or_else(PoisonError::into_inner).0;
        }
        lines
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What writes to the destination, and how that went the last time.
struct Writer<D> {
    destination: D,
    losses: Losses,
    /// The last attempt broke off within a line.
    is_within_line: bool,
    /// How many lines were lost since it began to fail, if it does.
    failing: Option<u64>,
}

impl<D: Write> Writer<D> {
    fn say_dropped(&self, dropped: u64, bytes: &mut Vec<u8>) {
        match self.losses {
            _ if dropped == 0 => {}
            // A Vec takes whatever it is given.
            Losses::AmongTheLines => {
                drop(writeln!(bytes, "warn: {dropped} log lines were dropped: the log is not read fast enough"));
            }
            Losses::InTheProgramLog => warn!("{dropped} lines of the access log were dropped: it is not written fast enough"),
        }
    }

    /// Writes these lines; how many of them were lost. A destination that fails is no reason to stop serving.
    fn write(&mut self, lines: &[u8]) -> u64 {
        let mut rest = lines;
        let result = self.try_write(&mut rest);
        let written = lines.len() - rest.len();
        if let Some(last) = written.checked_sub(1) {
            self.is_within_line = lines.get(last) != Some(&b'\n');
        }
        let lost = u64::try_from(rest.iter().filter(|b| **b == b'\n').count()).unwrap_or(u64::MAX);
        // Where the program's own log fails there is nowhere left to say so.
        let is_told = self.losses == Losses::InTheProgramLog;
        match (result, self.failing) {
            (Ok(()), None) => {}
            (Ok(()), Some(lost)) => {
                self.failing = None;
                if is_told {
                    warn!("the access log is written again; {lost} of its lines were lost");
                }
            }
            (Err(error), before) => {
                self.failing = Some(before.unwrap_or(0) + lost);
                if is_told && before.is_none() {
                    warn!("cannot write the access log: {error}; its lines are lost until that is mended");
                }
            }
        }
        lost
    }

    /// The destination is flushed before and after, so that a file that is to be opened anew never changes within a line.
    fn try_write(&mut self, rest: &mut &[u8]) -> io::Result<()> {
        self.destination.flush()?;
        if self.is_within_line && !rest.is_empty() {
            self.destination.write_all(b"\n")?;
            self.is_within_line = false;
        }
        while !rest.is_empty() {
            match self.destination.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => *rest = rest.get(count..).unwrap_or_default(),
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
        let mut log = LogQueue::start(move || Ok(Gate(gate, sink)), Losses::AmongTheLines).unwrap();
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
        let dropped: usize =
            text.lines().filter_map(|line| line.strip_prefix("warn: ")?.split(' ').next()?.parse::<usize>().ok()).sum();
        assert!(dropped > 0, "the queue is smaller than that");
        assert_eq!(kept + dropped, total);
    }

    /// Takes so many bytes a write; 0 is a failure.
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
    fn a_destination_that_fails_loses_whole_lines_and_the_count_is_exact() {
        for (takes, lost, left, why) in [
            (&[][..], 0, "one\ntwo\nthree\n", "nothing fails"),
            (&[5, 2], 0, "one\ntwo\nthree\n", "in pieces"),
            (&[0], 2, "three\n", "the first batch is lost"),
            (&[4, 0], 1, "one\nthree\n", "the second line of it"),
            (&[5, 0], 1, "one\nt\nthree\n", "within the second line, which ends where the next begins"),
            (&[5, 0, 0], 2, "one\nt", "and then all fails"),
        ] {
            let destination = Fails(takes, Vec::new());
            let mut pen = Writer { destination, losses: Losses::AmongTheLines, is_within_line: false, failing: None };
            assert_eq!(pen.write(b"one\ntwo\n") + pen.write(b"three\n"), lost, "{why}");
            assert_eq!(String::from_utf8(pen.destination.1).unwrap(), left, "{why}");
        }
    }

    #[test]
    fn once_it_is_warm_a_line_needs_no_memory() {
        let (open, gate) = channel();
        let (sink, written) = channel();
        let log = LogQueue::start(move || Ok(Gate(gate, sink)), Losses::AmongTheLines).unwrap();
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
        assert!(room[2..].iter().all(|bytes| room[..2].contains(bytes)), "two buffers take turns: {room:?}");
    }
}
