//! Deadlines for reading and writing.
//!
//! A timeout for each call is not enough: a client that sends one byte a second never exceeds it. So each phase of a connection (waiting for
//! a request, its head, its body, the response, lingering) has a time limit, and the timeout of each read is the time that is left. Setting
//! a timeout costs a system call. The first read of a phase has the full limit, which is usually the timeout that the socket already has. So
//! a request that arrives in one piece changes no timeout.
//!
//! Bodies in both directions may be of any length, so each byte extends the deadline: the client must keep up a minimum rate, and the limit
//! is how far it may be behind. The time left never exceeds the limit, so a client cannot be fast at first and then stop for long.
//!
//! A write returns when the kernel has taken all bytes or the timeout is over. The kernel wakes the thread only when a third of its buffer is
//! free, which can take a slow client a minute. So a write waits for one short tick at a time: the next call writes what fits, and shows
//! whether the client is still reading.

use std::io;
use std::time::{Duration, Instant};

use log::trace;

use crate::net::Transport;

/// No timeout is below this: zero would mean none, and the kernel rounds up to its tick of 4 ms anyway.
const TIMEOUT_MIN: Duration = Duration::from_millis(1);
/// The most bytes of one write call. Longer calls are not faster, and the deadline is checked only between two calls.
const WRITE_BYTES_MAX: usize = 1024 * 1024;

/// The timeout of one write call, so that progress is checked this often.
const WRITE_TICK: Duration = Duration::from_millis(250);

/// A connection with a deadline for every read and write.
#[derive(Debug)]
pub struct DeadlineStream<S> {
    /// The connection. Only the methods of this type may read and write it, since they keep the deadlines.
    pub transport: S,
    reading: Phase,
    writing: Phase,
    /// Bytes read since the connection began.
    pub received: u64,
    /// Bytes written since the connection began.
    pub written: u64,
}

/// The time for all reads, or all writes, of one phase.
#[derive(Debug)]
struct Phase {
    deadline: Instant,
    /// The most time that the client can have left.
    limit: Duration,
    /// The rate at which bytes extend the deadline, in bytes per second; `u64::MAX` if they do not.
    min_rate: u64,
    /// When the phase began, for its first call, which need not read the clock; `None` afterwards.
    begun: Option<Instant>,
    /// The timeout that is set on the socket.
    applied_timeout: Duration,
}

impl<S: Transport> DeadlineStream<S> {
    /// Creates a stream whose first reads may take `read_time_max` in all, and its first writes `write_time_max`.
    pub fn new(transport: S, now: Instant, read_time_max: Duration, write_time_max: Duration) -> DeadlineStream<S> {
        let (reading, writing) = (Phase::new(now, read_time_max), Phase::new(now, write_time_max));
        DeadlineStream { transport, reading, writing, received: 0, written: 0 }
    }

    /// Starts a phase: from `now` on, all reads together may take `limit`.
    pub fn begin_reading(&mut self, now: Instant, limit: Duration) {
        self.reading.begin(now, limit, u64::MAX);
    }

    /// Starts a phase: from `now` on, reads must keep up `min_rate`, in bytes per second, and may be behind it by `limit`.
    pub fn begin_reading_at_rate(&mut self, now: Instant, limit: Duration, min_rate: u64) {
        self.reading.begin(now, limit, min_rate);
    }

    /// Starts a phase: from `now` on, writes must keep up `min_rate`, in bytes per second, and may be behind it by `limit`.
    pub fn begin_writing_at_rate(&mut self, now: Instant, limit: Duration, min_rate: u64) {
        self.writing.begin(now, limit, min_rate);
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
                self.transport.set_read_timeout(timeout)?;
                self.reading.applied_timeout = timeout;
            }
            match self.transport.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(count) => {
                    // Not the bytes, which may hold credentials.
                    trace!("read {count} bytes");
                    self.received += u64::try_from(count).unwrap_or(0);
                    self.reading.extend(count);
                    return Ok(count);
                }
            }
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// `TimedOut` when the time of the phase is over, and whatever the connection fails with.
    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all_vectored(bytes, &[])
    }

    /// Writes all of `first` and then all of `second`, in one call if they fit.
    ///
    /// # Errors
    /// As [`DeadlineStream::write_all`].
    pub fn write_all_vectored(&mut self, first: &[u8], second: &[u8]) -> io::Result<()> {
        if self.writing.applied_timeout != WRITE_TICK {
            self.transport.set_write_timeout(WRITE_TICK)?;
            self.writing.applied_timeout = WRITE_TICK;
        }
        let (mut first, mut second) = (first, second);
        let mut is_waiting = false;
        while !first.is_empty() || !second.is_empty() {
            let piece = first_piece(if first.is_empty() { second } else { first });
            let result = match (first, second) {
                (_, []) | ([], _) => self.transport.write(piece),
                (first, second) => self.transport.write_vectored(first, first_piece(second)),
            };
            let count = match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::TimedOut => 0,
                Err(error) => return Err(error),
            };
            if count > 0 {
                let (written, rest) = first.split_at(count.min(first.len()));
                trace!("wrote {count} bytes");
                first = rest;
                second = second.split_at(count - written.len()).1;
                self.written += u64::try_from(count).unwrap_or(0);
                self.writing.extend(count);
            }
            if count < piece.len() {
                // This call has waited for the client, for a tick. A write that does not wait need not read the clock.
                self.writing.remaining(Instant::now())?;
                self.transport.set_waiting_since(Some(self.writing.late_since()))?;
                is_waiting = true;
            }
        }
        if is_waiting { self.transport.set_waiting_since(None) } else { Ok(()) }
    }

    /// Lingers before the close (RFC 9112 §9.6): shuts down writing, then reads and discards what the client still sends, until it closes,
    /// `limit` is over, or `bytes_max` have arrived. Closing with unread bytes would reset the connection, and the client might lose the last
    /// response.
    pub fn linger(&mut self, now: Instant, limit: Duration, bytes_max: u64) {
        self.transport.shutdown_write();
        self.begin_reading(now, limit);
        let mut scratch = vec![0; 16 * 1024];
        let mut left = bytes_max;
        while left > 0 {
            match self.read(&mut scratch) {
                Ok(0) | Err(_) => return,
                Ok(count) => left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX)),
            }
        }
    }
}

fn first_piece(bytes: &[u8]) -> &[u8] {
    bytes.split_at(bytes.len().min(WRITE_BYTES_MAX)).0
}

impl Phase {
    fn new(now: Instant, limit: Duration) -> Phase {
        Phase { deadline: later(now, limit), limit, min_rate: u64::MAX, begun: Some(now), applied_timeout: Duration::ZERO }
    }

    fn begin(&mut self, now: Instant, limit: Duration, min_rate: u64) {
        *self = Phase { min_rate, applied_timeout: self.applied_timeout, ..Phase::new(now, limit) };
    }

    /// Extends the deadline by the time that these bytes take at the minimum rate.
    fn extend(&mut self, bytes: usize) {
        let nanos = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(1_000_000_000) / self.min_rate.max(1);
        self.deadline = later(self.deadline, Duration::from_nanos(nanos));
    }

    /// Returns the current time. For the first call of a phase this is when the phase began, without reading the clock.
    fn now(&mut self) -> Instant {
        self.begun.take().unwrap_or_else(Instant::now)
    }

    /// Returns the timeout of a call at `now`; `TimedOut` if the time of the phase is over.
    fn remaining(&mut self, now: Instant) -> io::Result<Duration> {
        self.deadline = self.deadline.min(later(now, self.limit));
        let left = self.deadline.saturating_duration_since(now);
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left.max(TIMEOUT_MIN)) }
    }

    /// Returns how late the client is, as a time: a client that kept up until then, and has read nothing since, would be as late.
    fn late_since(&self) -> Instant {
        self.deadline.checked_sub(self.limit).unwrap_or(self.deadline)
    }
}

fn later(time: Instant, by: Duration) -> Instant {
    time.checked_add(by).unwrap_or(time)
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
    }

    /// Writes these numbers of bytes; 0 is a timeout. Records whether a write was said to wait.
    struct Ticks<'a>(&'a [usize], Vec<bool>);

    impl Transport for Ticks<'_> {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            let (&count, rest) = self.0.split_first().expect("one call too many");
            self.0 = rest;
            if count == 0 { Err(io::ErrorKind::TimedOut.into()) } else { Ok(count) }
        }
        fn write_vectored(&mut self, first: &[u8], _: &[u8]) -> io::Result<usize> {
            self.write(first)
        }
        fn set_waiting_since(&mut self, since: Option<Instant>) -> io::Result<()> {
            self.1.push(since.is_some());
            Ok(())
        }
    }

    #[test]
    fn first_read_of_a_phase_does_not_set_the_same_timeout_again() {
        let idle = Duration::from_secs(15);
        let mut deadline = DeadlineStream::new(Slow::default(), Instant::now(), idle, idle);
        for _ in 0..100 {
            deadline.begin_reading(Instant::now(), idle);
            deadline.read(&mut [0]).unwrap();
        }
        assert_eq!(deadline.transport.timeouts, [idle], "one call for a hundred requests");
    }

    #[test]
    fn later_reads_get_the_time_that_is_left() {
        let limit = Duration::from_secs(10);
        let begun = Instant::now().checked_sub(Duration::from_secs(7)).unwrap();
        let mut deadline = DeadlineStream::new(Slow::default(), begun, limit, limit);
        deadline.read(&mut [0]).unwrap();
        deadline.read(&mut [0]).unwrap();
        assert!(deadline.transport.timeouts[1] <= Duration::from_secs(3), "the time that has passed is subtracted");
        deadline.begin_reading(begun, Duration::from_secs(7));
        deadline.read(&mut [0]).unwrap();
        assert_eq!(deadline.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut, "slow bytes do not extend the time");
    }

    #[test]
    fn write_waits_a_tick_at_a_time_and_says_so() {
        let total = Duration::from_secs(99);
        let mut deadline = DeadlineStream::new(Slow::default(), Instant::now(), total, total);
        deadline.write_all(&[0; 5000]).unwrap();
        assert_eq!(deadline.transport.timeouts, [WRITE_TICK], "the timeout is set once");
        for (takes, want, why) in [
            (&[100][..], &[][..], "a client that keeps up"),
            (&[40, 60], &[true, false], "a short write has waited"),
            (&[0, 0, 100], &[true, true, false], "and so has one that timed out"),
        ] {
            let mut deadline = DeadlineStream::new(Ticks(takes, Vec::new()), Instant::now(), total, total);
            deadline.write_all(&[0; 100]).unwrap();
            assert_eq!(deadline.transport.1, want, "{why}");
        }
    }

    #[test]
    fn write_ends_when_the_client_is_too_late() {
        let limit = Duration::from_secs(10);
        // What the kernel takes in each call, 0 for a timeout; how many seconds ago the phase began; whether all bytes are written.
        let cases: [(&[usize], u64, bool, &str); 6] = [
            (&[100], 11, true, "a client that keeps up is never late, however long the server took"),
            (&[0, 0, 100], 9, true, "time is left"),
            (&[0], 10, false, "no byte moved for ten seconds"),
            (&[10, 0], 11, false, "ten bytes at ten a second are a second"),
            (&[20, 0, 80], 11, true, "twenty are two"),
            (&[20, 0, 20, 0, 60], 11, true, "and so on"),
        ];
        for (takes, seconds, is_whole, why) in cases {
            let mut deadline = DeadlineStream::new(Ticks(takes, Vec::new()), Instant::now(), limit, limit);
            deadline.begin_writing_at_rate(Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap(), limit, 10);
            let outcome = deadline.write_all(&[0; 100]);
            assert_eq!(outcome.is_ok(), is_whole, "{why}: {outcome:?}");
        }
    }

    /// Returns after how many seconds a client is cut that moves `bytes` every `every` seconds, if it is within two days.
    fn life(first: usize, bytes: usize, every: u64) -> Option<u64> {
        let (start, limit) = (Instant::now(), Duration::from_secs(60));
        let mut phase = Phase::new(start, limit);
        phase.begin(start, limit, 1024);
        phase.extend(first);
        (1..172_800).find(|second| {
            let is_over = phase.remaining(start + Duration::from_secs(*second)).is_err();
            if second % every == 0 {
                phase.extend(bytes);
            }
            is_over
        })
    }

    #[test]
    fn clients_may_pause_but_not_be_slow_for_long() {
        const GIB: usize = 1024 * 1024 * 1024;
        for (first, bytes, every, want, why) in [
            (0, 1024, 1, None, "the minimum rate"),
            (0, 55 * 1024, 55, None, "the minimum rate, in bursts"),
            (0, 100 * 1024, 59, None, "a player that reads ahead and pauses"),
            (0, 293, 1, Some(84), "less than a third of the minimum rate"),
            (GIB, 293, 1, Some(86), "the same after a fast start: what was saved does not count"),
            (0, 0, 1, Some(60), "nothing"),
            (GIB, 0, 1, Some(61), "a pause that is too long"),
        ] {
            assert_eq!(life(first, bytes, every), want, "{why}");
        }
    }
}
