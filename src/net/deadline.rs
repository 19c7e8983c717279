//! Deadlines for reading and writing.
//!
//! A timeout for each call is no defence: a client that sends one byte a second never exceeds it. So each phase of a connection (waiting for
//! a request, its head, its body, the response, lingering) has a time limit, and the rest of it is the timeout of each call. Setting it
//! costs a system call. The first call of a phase uses the whole time of the phase, which usually is set already, so a request that arrives
//! in one piece changes no timeout.
//!
//! A write returns when the kernel has taken all bytes or the timeout is over, and the kernel wakes the thread only when a third of its
//! buffer is free, which can take a slow client a minute. So a write waits for one short tick at a time: the next call writes what fits, and
//! shows whether the client is still reading.

use std::io;
use std::time::{Duration, Instant};

use log::trace;

use crate::net::Transport;
use crate::net::busy_poll::BusyPoll;

/// No timeout is below this: zero would mean none, and the kernel rounds up to its tick of 4 ms anyway.
const TIMEOUT_MIN: Duration = Duration::from_millis(1);
/// Bytes of one write call. Larger ones are not faster, and the deadline is only checked between two of them.
const WRITE_BYTES_MAX: usize = 1024 * 1024;

/// The longest timeout of one write call, so that progress is checked this often.
const WRITE_TICK: Duration = Duration::from_millis(250);

/// A connection with a deadline for every read and write.
#[derive(Debug)]
pub struct DeadlineStream<S> {
    stream: S,
    reading: Phase,
    writing: Phase,
    stall_timeout: Duration,
    received: u64,
    written: u64,
    busy_poll: BusyPoll,
}

/// The time for all reads, or all writes, of one phase.
#[derive(Debug)]
struct Phase {
    begun: Instant,
    limit: Duration,
    first_call: bool,
    /// The timeout that is set on the socket.
    applied_timeout: Duration,
}

impl<S: Transport> DeadlineStream<S> {
    /// Creates a stream whose first reads may take `read_time_max` in all. A write fails if no byte has moved for `stall_timeout`.
    pub fn new(stream: S, now: Instant, read_time_max: Duration, stall_timeout: Duration) -> DeadlineStream<S> {
        let phase = |limit| Phase { begun: now, limit, first_call: true, applied_timeout: Duration::ZERO };
        let (reading, writing) = (phase(read_time_max), phase(stall_timeout));
        DeadlineStream { stream, reading, writing, stall_timeout, received: 0, written: 0, busy_poll: BusyPoll::default() }
    }

    /// Starts a phase: from `now` on, all reads together may take `limit`.
    pub fn begin_reading(&mut self, now: Instant, limit: Duration) {
        self.reading.begin(now, limit);
    }

    /// Extends the time for all reads of this phase to `limit` after its start; never shortens it.
    pub fn extend_reading(&mut self, limit: Duration) {
        self.reading.limit = self.reading.limit.max(limit);
    }

    /// Starts a phase: from `now` on, all writes together may take `limit`.
    pub fn begin_writing(&mut self, now: Instant, limit: Duration) {
        self.writing.begin(now, limit);
    }

    /// Extends the time for the writes of this phase to `limit`, from when it began.
    pub fn extend_writing(&mut self, limit: Duration) {
        self.writing.limit = self.writing.limit.max(limit);
    }

    /// Reads some bytes and returns their number; 0 is the end.
    ///
    /// # Errors
    /// `TimedOut` when the time of the phase is over, and whatever the connection fails with.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let now = self.reading.now();
            let timeout = self.reading.remaining(now)?;
            if timeout != self.reading.applied_timeout {
                self.stream.set_read_timeout(timeout)?;
                self.reading.applied_timeout = timeout;
            }
            match self.stream.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(count) => {
                    self.note_received(buffer, count);
                    return Ok(count);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Polls for bytes for a moment, if that is likely to pay; see `busy_poll.rs`. `None` if none have arrived.
    ///
    /// # Errors
    /// Whatever the connection fails with.
    pub fn poll_read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let count = self.busy_poll.read(&mut self.stream, buffer)?;
        if let Some(count) = count {
            self.note_received(buffer, count);
        }
        Ok(count)
    }

    fn note_received(&mut self, buffer: &[u8], count: usize) {
        trace!("read {count} bytes: {}", Visible(buffer.split_at(count).0));
        self.received += u64::try_from(count).unwrap_or(0);
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// `TimedOut` when the time of the phase is over or no byte has moved for too long, and whatever the connection fails with.
    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all_vectored(bytes, &[])
    }

    /// Writes all of `first` and then all of `second`, in one call if they fit.
    ///
    /// # Errors
    /// As [`DeadlineStream::write_all`].
    pub fn write_all_vectored(&mut self, first: &[u8], second: &[u8]) -> io::Result<()> {
        let (mut first, mut second) = (first, second);
        let mut moved = None;
        while !first.is_empty() || !second.is_empty() {
            let now = self.writing.now();
            let stalled = moved.map_or(Duration::ZERO, |moved| now.saturating_duration_since(moved));
            let patience = self.stall_timeout.saturating_sub(stalled).max(TIMEOUT_MIN);
            let timeout = self.writing.remaining(now)?.min(WRITE_TICK).min(patience);
            if timeout != self.writing.applied_timeout {
                self.stream.set_write_timeout(timeout)?;
                self.writing.applied_timeout = timeout;
            }
            let result = match (first, second) {
                (one, []) | ([], one) => self.stream.write(first_piece(one)),
                (first, second) => self.stream.write_vectored(first, first_piece(second)),
            };
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    let (written, rest) = first.split_at(count.min(first.len()));
                    trace!("wrote {count} bytes: {}", Visible(written));
                    first = rest;
                    second = second.split_at(count - written.len()).1;
                    self.written += u64::try_from(count).unwrap_or(0);
                    // The call may have waited after these bytes moved, so they count from its start.
                    moved = Some(now);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    if moved.get_or_insert(now).elapsed() >= self.stall_timeout {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Bytes read since the connection began.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes written since the connection began.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Lingers before the close (RFC 9112 §9.6): shuts down writing, then reads and discards what the client still sends, until it closes,
    /// `limit` is over, or `bytes_max` have arrived. Closing with unread bytes would reset the connection, and the client might lose the last
    /// response.
    pub fn linger(&mut self, now: Instant, limit: Duration, bytes_max: u64) {
        self.stream.shutdown_write();
        self.begin_reading(now, limit);
        // Most clients close at once.
        match BusyPoll::default().read(&mut self.stream, &mut [0]) {
            Ok(Some(0)) | Err(_) => return,
            Ok(Some(_)) => self.received += 1,
            Ok(None) => {}
        }
        let mut scratch = vec![0; 16 * 1024];
        let mut left = bytes_max;
        while left > 0 {
            match self.read(&mut scratch) {
                Ok(0) | Err(_) => return,
                Ok(count) => left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX)),
            }
        }
    }

    /// Limits the bytes that the kernel buffers for the client. See [`Transport::set_send_buffer_size`].
    pub fn set_send_buffer_size(&mut self, bytes: usize) {
        self.stream.set_send_buffer_size(bytes);
    }

    /// Makes the close a reset. See [`Transport::reset_on_close`].
    pub fn reset_on_close(&mut self) {
        self.stream.reset_on_close();
    }
}

fn first_piece(bytes: &[u8]) -> &[u8] {
    bytes.split_at(bytes.len().min(WRITE_BYTES_MAX)).0
}

impl Phase {
    fn begin(&mut self, now: Instant, limit: Duration) {
        self.begun = now;
        self.limit = limit;
        self.first_call = true;
    }

    /// Returns the current time; for the first call of a phase without asking the clock.
    fn now(&mut self) -> Instant {
        if std::mem::take(&mut self.first_call) { self.begun } else { Instant::now() }
    }

    /// Returns the timeout of a call at `now`.
    fn remaining(&self, now: Instant) -> io::Result<Duration> {
        let left = self.limit.saturating_sub(now.saturating_duration_since(self.begun));
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left.max(TIMEOUT_MIN)) }
    }
}

/// At most 512 bytes for the log, with control bytes and bytes above ASCII escaped.
struct Visible<'a>(&'a [u8]);

impl std::fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (shown, rest) = self.0.split_at(self.0.len().min(512));
        write!(f, "\"{}\"{}", shown.escape_ascii(), if rest.is_empty() { "" } else { "…" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns one byte for each read, and records the timeouts.
    #[derive(Default)]
    struct Slow {
        timeouts: Vec<Duration>,
    }

    impl Transport for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer[0] = b'x';
            Ok(1)
        }
        fn try_read(&mut self, _: &mut [u8]) -> io::Result<Option<usize>> {
            Ok(None)
        }
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len().min(1000))
        }
        fn write_vectored(&mut self, first: &[u8], _: &[u8]) -> io::Result<usize> {
            self.write(first)
        }
        fn set_read_timeout(&mut self, limit: Duration) -> io::Result<()> {
            self.timeouts.push(limit);
            Ok(())
        }
        fn set_write_timeout(&mut self, limit: Duration) -> io::Result<()> {
            self.timeouts.push(limit);
            Ok(())
        }
        fn shutdown_write(&mut self) {}
        fn reset_on_close(&mut self) {}
        fn set_send_buffer_size(&mut self, _: usize) {}
    }

    /// Writes these numbers of bytes; 0 is a timeout.
    struct Ticks<'a>(&'a [usize]);

    impl Transport for Ticks<'_> {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }
        fn try_read(&mut self, _: &mut [u8]) -> io::Result<Option<usize>> {
            Ok(None)
        }
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            let (&count, rest) = self.0.split_first().expect("one call too many");
            self.0 = rest;
            if count == 0 { Err(io::ErrorKind::TimedOut.into()) } else { Ok(count) }
        }
        fn write_vectored(&mut self, first: &[u8], _: &[u8]) -> io::Result<usize> {
            self.write(first)
        }
        fn set_read_timeout(&mut self, _: Duration) -> io::Result<()> {
            Ok(())
        }
        fn set_write_timeout(&mut self, _: Duration) -> io::Result<()> {
            Ok(())
        }
        fn shutdown_write(&mut self) {}
        fn reset_on_close(&mut self) {}
        fn set_send_buffer_size(&mut self, _: usize) {}
    }

    #[test]
    fn first_read_of_a_phase_does_not_set_the_same_timeout_again() {
        let idle = Duration::from_secs(15);
        let mut deadline = DeadlineStream::new(Slow::default(), Instant::now(), idle, idle);
        for _ in 0..100 {
            deadline.begin_reading(Instant::now(), idle);
            deadline.read(&mut [0]).unwrap();
        }
        assert_eq!(deadline.stream.timeouts, [idle], "one call for a hundred requests");
    }

    #[test]
    fn later_reads_get_the_time_that_is_left() {
        let limit = Duration::from_secs(10);
        let begun = Instant::now().checked_sub(Duration::from_secs(7)).unwrap();
        let mut deadline = DeadlineStream::new(Slow::default(), begun, limit, limit);
        deadline.read(&mut [0]).unwrap();
        deadline.read(&mut [0]).unwrap();
        assert!(deadline.stream.timeouts[1] <= Duration::from_secs(3), "the time that has passed is subtracted");
        deadline.begin_reading(begun, Duration::from_secs(7));
        deadline.read(&mut [0]).unwrap();
        assert_eq!(deadline.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut, "slow bytes do not extend the time");
    }

    #[test]
    fn write_waits_a_tick_at_a_time_and_ends_with_its_phase() {
        let total = Duration::from_secs(99);
        let mut deadline = DeadlineStream::new(Slow::default(), Instant::now(), total, total);
        deadline.begin_writing(Instant::now(), total);
        deadline.write_all(&[0; 5000]).unwrap();
        assert_eq!(deadline.stream.timeouts, [WRITE_TICK], "the timeout is set once");
        let begun = Instant::now().checked_sub(Duration::from_secs(100)).unwrap();
        deadline.begin_writing(begun, total);
        assert!(deadline.write_all(&[0; 5000]).is_err(), "slow bytes do not extend the time");
    }

    #[test]
    fn write_ends_when_no_byte_has_moved_for_too_long() {
        let (total, progress) = (Duration::from_secs(1000), Duration::from_secs(10));
        // What the kernel takes in each call, 0 for a timeout; how many seconds ago the phase began; whether all bytes are written.
        let cases: [(&[usize], u64, bool, &str); 5] = [
            (&[100], 10, true, "all bytes at once"),
            (&[0, 0, 100], 9, true, "time is left"),
            (&[0], 10, false, "no byte moved for ten seconds"),
            (&[60, 0], 10, false, "no byte moved since the start"),
            (&[60, 30, 0, 0, 10], 10, true, "some bytes moved just now"),
        ];
        for (takes, seconds, is_whole, why) in cases {
            let mut deadline = DeadlineStream::new(Ticks(takes), Instant::now(), total, progress);
            deadline.begin_writing(Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap(), total);
            let outcome = deadline.write_all(&[0; 100]);
            assert_eq!(outcome.is_ok(), is_whole, "{why}: {outcome:?}");
            assert!(deadline.stream.0.is_empty(), "{why}: {} calls were not made", deadline.stream.0.len());
        }
    }
}
