//! Polling for a moment before a thread sleeps.
//!
//! A busy client sends its next request microseconds after the response. Sleeping until then is the most expensive part of a small
//! exchange: two context switches, and the client's write has to wake this thread. So a connection first polls its socket a few times and
//! yields the processor in between; with many busy connections, the others run meanwhile. `benches/RESULTS.md` has the measurements.
//!
//! It must cost nothing where it does not pay. A connection that has polled in vain sleeps at once the next time, for twice as many
//! requests each time; the number of polling connections is limited; and a yield that took long shows that another program wants the
//! processor, which then schedules a thread that sleeps before one that yields.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::net::Transport;

/// Polls before a thread sleeps. With 16 and 64 busy connections, more polls hardly ever found anything.
const POLLS: u32 = 4;
/// Connections that poll at the same time. More were not faster with 256, 512 or 1,024 clients.
const PERMITS_MAX: u32 = 96;
/// A yield that takes longer than this, and longer than the other polling connections need, gave the processor to another program, whose
/// time slice is two or three milliseconds.
const YIELD_TIME_MAX: Duration = Duration::from_millis(1);
/// What each of the other polling connections needs at most: the time of a small exchange, with room to spare.
const EXCHANGE_TIME_MAX: Duration = Duration::from_micros(25);
/// A connection that polls in vain skips at most this many reads before it polls again.
const SKIPS_MAX: u32 = 64;

/// Connections that are polling.
static PERMITS: AtomicU32 = AtomicU32::new(0);

/// Calls `poll` a few times until it returns something, and lets other threads run before each call.
pub(crate) fn poll_before_sleep<T>(mut poll: impl FnMut() -> Option<T>) -> Option<T> {
    (0..POLLS).find_map(|_| {
        thread::yield_now();
        poll()
    })
}

/// What a connection has learnt about its client.
#[derive(Debug, Default)]
pub(crate) struct BusyPoll {
    /// Reads left that do not poll.
    skip: u32,
    /// How many the last failure skipped.
    last_skip: u32,
}

/// The right to poll.
struct PollPermit {
    /// Connections that were polling already.
    others: u32,
}

impl PollPermit {
    fn acquire() -> Option<PollPermit> {
        let permit = PollPermit { others: PERMITS.fetch_add(1, Ordering::Relaxed) };
        // Dropping it undoes the addition.
        (permit.others < PERMITS_MAX).then_some(permit)
    }
}

impl Drop for PollPermit {
    fn drop(&mut self) {
        PERMITS.fetch_sub(1, Ordering::Relaxed);
    }
}

impl BusyPoll {
    /// Reads what arrives while the stream is polled; `None` if nothing did or polling does not pay.
    ///
    /// # Errors
    /// Whatever the connection fails with.
    pub(crate) fn read<S: Transport>(&mut self, stream: &mut S, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(None);
        }
        let Some(permit) = PollPermit::acquire() else {
            self.skip = SKIPS_MAX;
            return Ok(None);
        };
        let yield_time_max = YIELD_TIME_MAX + EXCHANGE_TIME_MAX * permit.others;
        let mut before = Instant::now();
        let mut is_contended = false;
        let read = poll_before_sleep(|| {
            let after = Instant::now();
            is_contended = after - before > yield_time_max;
            before = after;
            match stream.try_read(buffer) {
                Ok(None) => is_contended.then_some(Ok(None)),
                read => Some(read),
            }
        });
        match read {
            Some(Ok(Some(count))) => {
                self.last_skip = 0;
                Ok(Some(count))
            }
            Some(Err(error)) => Err(error),
            Some(Ok(None)) | None => {
                self.last_skip = if is_contended { SKIPS_MAX } else { (self.last_skip * 2).clamp(1, SKIPS_MAX) };
                self.skip = self.last_skip;
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A client whose next bytes arrive at the poll with this number; counts polls.
    struct Client {
        arrives_at: u32,
        polls: u32,
    }

    impl Transport for Client {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }
        fn try_read(&mut self, _: &mut [u8]) -> io::Result<Option<usize>> {
            self.polls += 1;
            Ok((self.polls == self.arrives_at).then_some(1))
        }
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
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

    /// Returns the polls of this many requests of a client that never sends in time.
    fn polls_in_vain(requests: u32) -> u32 {
        let (mut busy_poll, mut client) = (BusyPoll::default(), Client { arrives_at: 0, polls: 0 });
        for _ in 0..requests {
            assert_eq!(busy_poll.read(&mut client, &mut [0]).unwrap(), None);
        }
        client.polls
    }

    #[test]
    fn slow_client_is_polled_less_and_less() {
        assert!((1..=POLLS).contains(&polls_in_vain(1)), "the first request polls");
        assert!(polls_in_vain(2) <= POLLS, "the second does not");
        // 1 + 2 + 4 + ... + 64 requests that do not poll, then 64 of 65.
        assert!(polls_in_vain(10_000) <= POLLS * (8 + 10_000 / 65), "in the end one request in 65 does");
    }

    #[test]
    fn fast_client_is_polled_each_time() {
        for arrives_at in 1..=POLLS {
            let mut busy_poll = BusyPoll::default();
            for _ in 0..100 {
                // A busy machine may take the processor away in the middle; then it is right to sleep.
                let found = busy_poll.read(&mut Client { arrives_at, polls: 0 }, &mut [0]).unwrap();
                assert!(found == Some(1) || busy_poll.skip > 0);
                busy_poll.skip = 0;
            }
        }
    }

    #[test]
    fn permits_are_limited_and_returned() {
        let permits: Vec<PollPermit> = std::iter::from_fn(PollPermit::acquire).collect();
        assert!(permits.len() <= usize::try_from(PERMITS_MAX).unwrap());
        let read = BusyPoll::default().read(&mut Client { arrives_at: 1, polls: 0 }, &mut [0]).unwrap();
        assert_eq!(read, None, "no permit is left");
        drop(permits);
        assert!(PollPermit::acquire().is_some());
    }
}
