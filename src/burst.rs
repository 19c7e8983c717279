//! How does the memory come back that a burst of connections has taken?
//!
//! The GNU allocator has eight heaps for each processor, which the threads share, and keeps what small allocations leave there, some 3 KiB
//! of each connection: only when something large is freed does it join the pieces, and give back what lies above the last one in use.
//! After ten thousand connections it would keep 30 MiB for ever. Asking it directly is not a thing that safe Rust can do; freeing
//! something large in each heap is. With another allocator this costs nothing and helps nothing.

use std::hint::black_box;
use std::sync::{RwLock, mpsc};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

use log::debug;

use crate::workers::WAIT;

/// Fewer connections than this are no burst: they leave a megabyte behind, and the next ones use it.
const BURST_CONNECTIONS: usize = 64;
/// How often is looked whether a burst is over.
const LOOK: Duration = Duration::from_secs(3);
/// So many looks in a row must find it over: by then the threads are gone, for what they hold is in the way.
const CALM_LOOKS: u32 = 3;
/// From 64 KiB on the allocator tidies up when something is freed; from 128 KiB on it may not be in a heap at all.
const LARGE_BYTES: usize = 96 * 1024;
/// Threads that only free something. Twice the number of heaps, for two may get the same.
const THREADS_PER_PROCESSOR: usize = 16;

/// The GNU C library keeps so many bytes of stacks of ended threads, and something in the heap for each: a stack of this size, of which
/// nothing is ever touched, takes the place of all of them.
const STACKS_KEPT_BYTES: usize = 40 * 1024 * 1024;
/// What a thread needs that only frees something.
const STACK_BYTES: usize = 64 * 1024;

const _: () = assert!(LOOK.as_millis() * 2 > WAIT.as_millis());

/// Watches how many connections there are.
#[derive(Debug)]
pub struct Burst {
    peak: usize,
    calm_looks: u32,
    looked: Instant,
}

impl Burst {
    /// None yet.
    pub fn none(now: Instant) -> Burst {
        Burst { peak: 0, calm_looks: 0, looked: now }
    }

    /// When to look again, if that is of any use.
    pub fn next_look(&self) -> Option<Duration> {
        (self.peak >= BURST_CONNECTIONS).then_some(LOOK)
    }

    /// There are so many `connections` now; whether a burst has been over for a while.
    pub fn is_over(&mut self, connections: usize, now: Instant) -> bool {
        self.peak = self.peak.max(connections);
        if self.peak < BURST_CONNECTIONS || now.saturating_duration_since(self.looked) < LOOK {
            return false;
        }
        self.looked = now;
        self.calm_looks = if connections <= self.peak / 4 { self.calm_looks + 1 } else { 0 };
        let is_over = self.calm_looks == CALM_LOOKS;
        if is_over {
            (self.peak, self.calm_looks) = (connections, 0);
        }
        is_over
    }
}

/// Gives back what can be given back.
#[inline(never)]
pub fn give_back_memory() {
    // Twice: what the first threads need for themselves lies wherever there was a gap, perhaps at the very end; after them all is in
    // one piece, and what the second threads need lies at its beginning.
    for stack_bytes in [STACKS_KEPT_BYTES, 2 * STACKS_KEPT_BYTES] {
        on_a_stack_of(stack_bytes, free_something_large_in_each_heap);
        free_something_large();
    }
    debug!("gave memory back after a burst");
}

fn on_a_stack_of(bytes: usize, work: fn()) {
    // Where there is no room for it there is none to give back.
    if let Ok(thread) = Builder::new().stack_size(bytes).spawn(work) {
        let _ = thread.join();
    }
}

fn free_something_large() {
    drop(black_box(Vec::<u8>::with_capacity(LARGE_BYTES)));
}

/// As many threads as there may be heaps, all at once: threads that follow each other would share one.
fn free_something_large_in_each_heap() {
    let threads = THREADS_PER_PROCESSOR * thread::available_parallelism().map_or(1, usize::from);
    let gate = RwLock::new(());
    let (ready, all_ready) = mpsc::channel();
    thread::scope(|scope| {
        let closed = gate.write();
        let start_one = |_| {
            let (gate, ready) = (&gate, ready.clone());
            let work = move || {
                let _ = ready.send(());
                drop(gate.read());
                free_something_large();
            };
            Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).ok()
        };
        // Where threads are short, there are fewer.
        let started = (0..threads).map_while(start_one).count();
        all_ready.iter().take(started).for_each(drop);
        drop(closed);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_over_when_it_has_been_for_three_looks() {
        // Seconds, connections then, whether it is over, why.
        let looks: [(u64, usize, bool, &str); 15] = [
            (0, 63, false, "no burst"),
            (9, 0, false, "so nothing to look for"),
            (10, 64, false, "a burst"),
            (13, 16, false, "the first calm look"),
            (14, 16, false, "too early to count as another"),
            (16, 17, false, "not calm: it begins anew"),
            (19, 16, false, "one"),
            (22, 0, false, "two"),
            (25, 16, true, "three"),
            (28, 0, false, "said once"),
            (31, 0, false, "said once"),
            (34, 0, false, "said once"),
            (40, 1000, false, "the next one"),
            (50, 251, false, "more than a quarter are left"),
            (53, 250, false, "one"),
        ];
        let start = Instant::now();
        let mut burst = Burst::none(start);
        for (seconds, connections, is_over, why) in looks {
            assert_eq!(burst.is_over(connections, start + Duration::from_secs(seconds)), is_over, "at {seconds} s: {why}");
        }
        assert_eq!(burst.next_look(), Some(LOOK));
    }

    #[test]
    fn giving_back_ends() {
        give_back_memory();
    }
}
