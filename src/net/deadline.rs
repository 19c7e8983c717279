//! How long may it take? The only way to read from or write to a connection.
//!
//! A timeout for each call is no defence: a client that sends one byte a second passes it for ever. So each phase of a connection
//! (waiting for a request, its head, its content, the response, lingering) has a *total*, and what is left of it is set as the
//! timeout of each call. That costs a system call, so the first call of a phase uses the phase's whole time, which is set
//! already in the common case: a request that arrives in one piece changes no timeout at all.
//!
//! A write returns when the kernel has taken all of it, or its timeout is over; and the kernel wakes us only when a third of its own
//! buffer is free again, which a slow client may not reach in a minute. So writes wait one short tick at a time: the next call then
//! takes whatever is free, and shows whether anything moved.

use std::io;
use std::time::{Duration, Instant};

use log::trace;

use crate::net::Transport;
use crate::net::busy_poll::BusyPoll;

/// No timeout below this is set: zero would mean "for ever", and the kernel rounds up to its tick of 4 ms anyway.
const TIMEOUT_MIN: Duration = Duration::from_millis(1);
/// One write call. Larger ones are not faster, and the total deadline is looked at between two of them.
const PIECE_BYTES_MAX: usize = 1024 * 1024;

/// How long one write call waits: a deadline may be so much late, and four calls a second are no work.
const WRITE_TICK: Duration = Duration::from_millis(250);

/// A connection whose every read and write is bounded in time.
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

/// One total, and what of it the socket has been told.
#[derive(Debug)]
struct Phase {
    begun: Instant,
    limit: Duration,
    first_call: bool,
    applied_timeout: Duration,
}

impl<S: Transport> DeadlineStream<S> {
    /// A connection that begins with reading for at most `read_time_max`, and in which a write may stand still for at most
    /// `stall_timeout`.
    pub fn new(stream: S, now: Instant, read_time_max: Duration, stall_timeout: Duration) -> DeadlineStream<S> {
        let phase = |limit| Phase { begun: now, limit, first_call: true, applied_timeout: Duration::ZERO };
        let (reading, writing) = (phase(read_time_max), phase(stall_timeout));
        DeadlineStream { stream, reading, writing, stall_timeout, received: 0, written: 0, busy_poll: BusyPoll::default() }
    }

    /// From `now` on, all reads together may take `limit`.
    pub fn begin_reading(&mut self, now: Instant, limit: Duration) {
        self.reading.begin(now, limit);
    }

    /// The reads of this phase may take `limit` in all, from when it began.
    pub fn extend_reading(&mut self, limit: Duration) {
        self.reading.limit = self.reading.limit.max(limit);
    }

    /// From `now` on, all writes together may take `limit`.
    pub fn begin_writing(&mut self, now: Instant, limit: Duration) {
        self.writing.begin(now, limit);
    }

    /// The writes of this phase may take `limit` in all, from when it began.
    pub fn extend_writing(&mut self, limit: Duration) {
        self.writing.limit = self.writing.limit.max(limit);
    }

    /// Reads some bytes; 0 is the end.
    ///
    /// # Errors
    /// `TimedOut` when the phase's time is over, and whatever the connection fails with.
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
                    trace!("read {count} bytes: {}", Visible(buffer.get(..count).unwrap_or_default()));
                    self.received += u64::try_from(count).unwrap_or(0);
                    return Ok(count);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads what comes within the time that it takes to look a few times, if it seems worth while; see [`BusyPoll`]. `None` otherwise.
    ///
    /// # Errors
    /// Whatever the connection fails with.
    pub fn poll_read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let count = self.busy_poll.read(&mut self.stream, buffer)?;
        if let Some(count) = count {
            trace!("read {count} bytes: {}", Visible(buffer.get(..count).unwrap_or_default()));
            self.received += u64::try_from(count).unwrap_or(0);
        }
        Ok(count)
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// `TimedOut` when the phase's time is over or nothing moved for too long, and whatever the connection fails with.
    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all_vectored(bytes, &[])
    }

    /// Writes all of `first`, and then all of `second`, together as far as the system takes them so.
    ///
    /// # Errors
    /// The same.
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
            let piece = |bytes| <[u8]>::get(bytes, ..PIECE_BYTES_MAX).unwrap_or(bytes);
            let result = match (first, second) {
                (one, []) | ([], one) => self.stream.write(piece(one)),
                (first, second) => self.stream.write_vectored(first, piece(second)),
            };
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    let (of_first, of_second) = (count.min(first.len()), count.saturating_sub(first.len()));
                    trace!("wrote {count} bytes: {}", Visible(first.get(..of_first).unwrap_or_default()));
                    first = first.get(of_first..).unwrap_or_default();
                    second = second.get(of_second..).unwrap_or_default();
                    self.written += u64::try_from(count).unwrap_or(0);
                    // It may have waited since: for all we know these bytes moved when it began.
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

    /// How many bytes have been read since the connection began.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// How many bytes have been written since the connection began.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The lingering close of RFC 9112 §9.6: says that nothing more will be written, then reads and throws away what the client
    /// still sends, until it ends, `limit` is over, or `bytes_max` have come. Closing at once with unread bytes would reset the
    /// connection, and the reset may overtake our answer on its way to the client.
    pub fn linger(&mut self, now: Instant, limit: Duration, bytes_max: u64) {
        self.stream.shutdown_write();
        self.begin_reading(now, limit);
        // Most clients end their side at once.
        match BusyPoll::default().read(&mut self.stream, &mut [0]) {
            Ok(Some(0)) | Err(_) => return,
            Ok(Some(_)) => self.received += 1,
            Ok(None) => {}
        }
        let mut scrap = vec![0; 16 * 1024];
        let mut left = bytes_max;
        while left > 0 {
            match self.read(&mut scrap) {
                Ok(0) | Err(_) => return,
                Ok(count) => left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX)),
            }
        }
    }

    /// See [`Transport::set_send_buffer_size`].
    pub fn set_send_buffer_size(&mut self, bytes: usize) {
        self.stream.set_send_buffer_size(bytes);
    }

    /// Makes the close of this connection visible as a failure. See [`Transport::reset_on_close`].
    pub fn reset_on_close(&mut self) {
        self.stream.reset_on_close();
    }
}

impl Phase {
    fn begin(&mut self, now: Instant, limit: Duration) {
        self.begun = now;
        self.limit = limit;
        self.first_call = true;
    }

    /// When the next call begins; the clock is not even asked for the first.
    fn now(&mut self) -> Instant {
        if std::mem::take(&mut self.first_call) { self.begun } else { Instant::now() }
    }

    /// What a call that begins `now` may take.
    fn remaining(&self, now: Instant) -> io::Result<Duration> {
        let left = self.limit.saturating_sub(now.saturating_duration_since(self.begun));
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left.max(TIMEOUT_MIN)) }
    }
}

/// Bytes made visible for the log: at most 512 of them, control bytes and bytes above ASCII escaped.
struct Visible<'a>(&'a [u8]);

impl std::fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self.0.get(..512).unwrap_or(self.0);
        write!(f, "\"{}\"{}", shown.escape_ascii(), if shown.len() < self.0.len() { "…" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte a read, and remembers each timeout that it was told.
    #[derive(Default)]
    struct Slow {
        told: Vec<Duration>,
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
            self.told.push(limit);
            Ok(())
        }
        fn set_write_timeout(&mut self, limit: Duration) -> io::Result<()> {
            self.told.push(limit);
            Ok(())
        }
        fn shutdown_write(&mut self) {}
        fn reset_on_close(&mut self) {}
        fn set_send_buffer_size(&mut self, _: usize) {}
    }

    /// Takes so many bytes a write; 0 is a timeout.
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
    fn the_first_read_of_a_phase_sets_no_timeout_twice() {
        let idle = Duration::from_secs(15);
        let mut deadline = DeadlineStream::new(Slow::default(), Instant::now(), idle, idle);
        for _ in 0..100 {
            deadline.begin_reading(Instant::now(), idle);
            deadline.read(&mut [0]).unwrap();
        }
        assert_eq!(deadline.stream.told, [idle], "one call for a hundred requests");
    }

    #[test]
    fn later_reads_get_what_is_left() {
        let limit = Duration::from_secs(10);
        let begun = Instant::now().checked_sub(Duration::from_secs(7)).unwrap();
        let mut deadline = DeadlineStream::new(Slow::default(), begun, limit, limit);
        deadline.read(&mut [0]).unwrap();
        deadline.read(&mut [0]).unwrap();
        assert!(deadline.stream.told[1] <= Duration::from_secs(3), "the time that has passed counts");
        deadline.begin_reading(begun, Duration::from_secs(7));
        deadline.read(&mut [0]).unwrap();
        assert_eq!(deadline.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut, "a trickle does not extend it");
    }

    #[test]
    fn a_write_waits_a_tick_at_a_time_and_ends_with_its_total() {
        let total = Duration::from_secs(99);
        let mut deadline = DeadlineStream::new(Slow::default(), Instant::now(), total, total);
        deadline.begin_writing(Instant::now(), total);
        deadline.write_all(&[0; 5000]).unwrap();
        assert_eq!(deadline.stream.told, [WRITE_TICK], "told once");
        let begun = Instant::now().checked_sub(Duration::from_secs(100)).unwrap();
        deadline.begin_writing(begun, total);
        assert!(deadline.write_all(&[0; 5000]).is_err(), "the total ends it however steady the trickle");
    }

    #[test]
    fn a_write_ends_when_nothing_has_moved_for_too_long() {
        let (total, progress) = (Duration::from_secs(1000), Duration::from_secs(10));
        // What the kernel takes of each call, 0 if its tick ends first; how long ago the first began; whether all of it leaves.
        let cases: [(&[usize], u64, bool, &str); 5] = [
            (&[100], 10, true, "all at once, however long that took"),
            (&[0, 0, 100], 9, true, "there is time left"),
            (&[0], 10, false, "nothing moved in ten seconds"),
            (&[60, 0], 10, false, "some moved when it began, and nothing since"),
            (&[60, 30, 0, 0, 10], 10, true, "some has moved just now"),
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
