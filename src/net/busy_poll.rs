//! Is it worth looking again before going to sleep?
//!
//! When an answer is written, a busy client's next request is microseconds away. To sleep until it comes is the costliest part of a
//! small exchange: this thread is taken off its processor, another is put on, and the client's write must wake us, which costs the
//! client as much again. So a connection first looks a few times whether something has come, and lets others run between two looks
//! (`yield`). Where many connections are busy, they are what runs meanwhile, and by the time it is our turn again the request is there:
//! nobody sleeps, nobody is woken, and a turn of all of them is one round of the scheduler. That is how an event loop works, too;
//! here the kernel's run queue is the loop.
//!
//! It must cost nothing where it does not pay. So each connection remembers: a look in vain makes it sleep at once the next time, twice as
//! often with each that follows. Only so many look at a time. And a yield that took long shows that another program wants the processor:
//! whoever sleeps is put before it when woken, whoever yields is put behind it, so then sleeping is the faster way.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::net::Transport;

/// Looks before going to sleep. Measured with 16 and 64 busy connections, more found hardly anything.
const POLLS_MAX: u32 = 4;
/// Connections that look at the same time. With hundreds a look comes round too late: 256 and 512 were no faster, here or with 1,024 clients.
const PERMITS_MAX: u32 = 96;
/// A yield that takes longer than this, and longer than those who look as well may take meanwhile, gave the processor to another
/// program, whose turn is two or three milliseconds.
const YIELD_TIME_MAX: Duration = Duration::from_millis(1);
/// What each of those may take: a small exchange, with room to spare.
const EXCHANGE_TIME_MAX: Duration = Duration::from_micros(25);
/// After looks in vain the connection goes to sleep at once so often, at the most, until it tries again.
const SKIPS_MAX: u32 = 64;

/// How many look just now.
static PERMITS: AtomicU32 = AtomicU32::new(0);

/// What a connection has learnt about its client.
#[derive(Debug, Default)]
pub struct BusyPoll {
    /// So often it will go to sleep at once.
    skip: u32,
    /// How often it did the last time.
    last_skip: u32,
}

/// A look that counts among those of all connections.
struct PollPermit {
    /// How many others there were.
    others: u32,
}

impl PollPermit {
    fn begin() -> Option<PollPermit> {
        let looking = PollPermit { others: PERMITS.fetch_add(1, Ordering::Relaxed) };
        // Too many: dropping it takes it back.
        (looking.others < PERMITS_MAX).then_some(looking)
    }
}

impl Drop for PollPermit {
    fn drop(&mut self) {
        PERMITS.fetch_sub(1, Ordering::Relaxed);
    }
}

impl BusyPoll {
    /// What has come after a few looks; `None` if that is nothing, or was not worth a look.
    ///
    /// # Errors
    /// What the connection fails with.
    pub fn read<S: Transport>(&mut self, stream: &mut S, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(None);
        }
        let Some(looking) = PollPermit::begin() else {
            self.skip = SKIPS_MAX;
            return Ok(None);
        };
        let yield_time_max = YIELD_TIME_MAX + EXCHANGE_TIME_MAX * looking.others;
        let mut before = Instant::now();
        for _ in 0..POLLS_MAX {
            thread::yield_now();
            let after = Instant::now();
            if let Some(count) = stream.try_read(buffer)? {
                self.last_skip = 0;
                return Ok(Some(count));
            }
            if after - before > yield_time_max {
                self.last_skip = SKIPS_MAX;
                break;
            }
            before = after;
        }
        self.last_skip = (self.last_skip * 2).clamp(1, SKIPS_MAX);
        self.skip = self.last_skip;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A client whose next bytes come at the look of that number; counts looks.
    struct Client {
        comes_at: u32,
        looks: u32,
    }

    impl Transport for Client {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }
        fn try_read(&mut self, _: &mut [u8]) -> io::Result<Option<usize>> {
            self.looks += 1;
            Ok((self.looks == self.comes_at).then_some(1))
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

    /// Looks, for so many requests in a row, of a client that is never there in time.
    fn looks_in_vain(requests: u32) -> u32 {
        let (mut eager, mut client) = (BusyPoll::default(), Client { comes_at: 0, looks: 0 });
        for _ in 0..requests {
            assert_eq!(eager.read(&mut client, &mut [0]).unwrap(), None);
        }
        client.looks
    }

    #[test]
    fn a_slow_client_is_looked_for_less_and_less() {
        assert!((1..=POLLS_MAX).contains(&looks_in_vain(1)), "a few times at first");
        assert!(looks_in_vain(2) <= POLLS_MAX, "then not at all, once");
        // 1 + 2 + 4 + ... + 64 requests without a look, then one of 65.
        assert!(looks_in_vain(10_000) <= POLLS_MAX * (8 + 10_000 / 65), "and at last for one request of 65");
    }

    #[test]
    fn a_quick_client_is_looked_for_each_time() {
        for comes_at in 1..=POLLS_MAX {
            let mut eager = BusyPoll::default();
            for _ in 0..100 {
                // A busy machine may take the processor away in the middle: then it sleeps, and that is right.
                let found = eager.read(&mut Client { comes_at, looks: 0 }, &mut [0]).unwrap();
                assert!(found == Some(1) || eager.skip > 0);
                eager.skip = 0;
            }
        }
    }

    #[test]
    fn only_so_many_look_and_each_that_ends_makes_room() {
        let looking: Vec<PollPermit> = std::iter::from_fn(PollPermit::begin).collect();
        assert!(looking.len() <= usize::try_from(PERMITS_MAX).unwrap());
        assert_eq!(BusyPoll::default().read(&mut Client { comes_at: 1, looks: 0 }, &mut [0]).unwrap(), None, "one too many");
        drop(looking);
        assert!(PollPermit::begin().is_some());
    }
}
