//! Which state is a connection in, and may it be taken from its owner?
//!
//! ```text
//!            first byte            head complete
//!   IDLE ───────────────▶ HEAD ───────────────▶ ACTIVE ──▶ (answered) ──▶ IDLE
//!     │   head complete, in one piece             ▲ ▲
//!     ├───────────────────────────────────────────┘ │        a new connection begins in HEAD
//!     │                     │                       ▼
//!     ▼                     ▼       content awaited, or complete
//!  EVICTED ◀────────────────┴────────────────── CONTENT      nobody evicts ACTIVE
//! ```
//!
//! All changes are by compare-and-swap: whoever comes second loses, so no request is ever begun on a connection that is being cut.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateValue(u8);

/// It waits for a request.
pub const IDLE: StateValue = StateValue(0);
/// It waits for the rest of a head, or has just begun.
pub const HEAD: StateValue = StateValue(1);
/// A request is being answered.
pub const ACTIVE: StateValue = StateValue(2);
/// It waits for content.
pub const CONTENT: StateValue = StateValue(3);
const EVICTED: StateValue = StateValue(4);

/// Every age counts from here.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The connection has been evicted: its thread must end it without beginning anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evicted;

/// Which state a connection is in, shared between its thread and whoever may evict it.
#[derive(Debug)]
pub struct ConnState {
    state: AtomicU8,
    /// Since when, in nanoseconds after [`START`].
    since: AtomicU64,
}

impl ConnState {
    /// A connection that has just been accepted: it is in HEAD, for its first request should be on its way.
    pub fn new(now: Instant) -> ConnState {
        ConnState { state: AtomicU8::new(HEAD.0), since: AtomicU64::new(nanos(now)) }
    }

    /// The connection waits for its next request.
    ///
    /// # Errors
    /// It has been evicted.
    pub fn set_idle(&self, now: Instant) -> Result<(), Evicted> {
        // The time first: seen with the old state it only makes the connection look younger.
        self.since.store(nanos(now), Ordering::Relaxed);
        self.change(IDLE)
    }

    /// The first byte of a head has come, and not all of it.
    ///
    /// # Errors
    /// The connection has been evicted.
    pub fn set_reading_head(&self, now: Instant) -> Result<(), Evicted> {
        self.since.store(nanos(now), Ordering::Relaxed);
        self.change(HEAD)
    }

    /// The content of the request is awaited. What was asked for does not begin to count before all of it is here.
    ///
    /// # Errors
    /// The connection has been evicted.
    pub fn set_reading_body(&self, now: Instant) -> Result<(), Evicted> {
        self.since.store(nanos(now), Ordering::Relaxed);
        self.change(CONTENT)
    }

    /// A request is about to be answered.
    ///
    /// # Errors
    /// The connection has been evicted.
    pub fn set_active(&self) -> Result<(), Evicted> {
        self.change(ACTIVE)
    }

    /// Whether someone has evicted it.
    pub fn is_evicted(&self) -> bool {
        self.state() == EVICTED
    }

    /// Which state it was in a moment ago.
    pub fn state(&self) -> StateValue {
        StateValue(self.state.load(Ordering::Acquire))
    }

    /// How long it has been waiting for what it waits for.
    pub fn age(&self, now: Instant) -> Duration {
        Duration::from_nanos(nanos(now).saturating_sub(self.since.load(Ordering::Relaxed)))
    }

    fn change(&self, to: StateValue) -> Result<(), Evicted> {
        let unless_evicted = |state| (StateValue(state) != EVICTED).then_some(to.0);
        self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, unless_evicted).map(|_| ()).map_err(|_| Evicted)
    }

    /// Evicts it if it is in `from`, one of the states in which it waits.
    ///
    /// # Errors
    /// It is in another state by now, or someone else was first.
    pub fn evict(&self, from: StateValue) -> Result<(), Evicted> {
        let result = self.state.compare_exchange(from.0, EVICTED.0, Ordering::AcqRel, Ordering::Acquire);
        result.map(|_| ()).map_err(|_| Evicted)
    }
}

fn nanos(now: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(*START).as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever an owner does with its connection, and wherever among that someone else tries to evict it: either the eviction fails and
    /// the owner goes on as if nothing had been, or it succeeds, was allowed in the state it found, and the owner begins nothing more.
    #[test]
    fn every_interleaving_of_an_owner_and_two_evictors_is_either_before_or_after() {
        type Step = (&'static str, fn(&ConnState) -> Result<(), Evicted>);
        let now = Instant::now();
        let owner: [Step; 8] = [
            ("head", |slot| slot.set_reading_head(Instant::now())),
            ("active", ConnState::set_active),
            ("content", |slot| slot.set_reading_body(Instant::now())),
            ("active", ConnState::set_active),
            ("idle", |slot| slot.set_idle(Instant::now())),
            ("active", ConnState::set_active),
            ("idle", |slot| slot.set_idle(Instant::now())),
            ("head", |slot| slot.set_reading_head(Instant::now())),
        ];
        let mut succeeded = 0;
        for first in 0..=owner.len() {
            for second in first..=owner.len() {
                for (wanted_first, wanted_second) in
                    [IDLE, HEAD, CONTENT].into_iter().flat_map(|a| [(a, IDLE), (a, HEAD), (a, CONTENT)])
                {
                    let slot = ConnState::new(now);
                    let mut evicted = false;
                    for place in 0..=owner.len() {
                        for (when, wanted) in [(first, wanted_first), (second, wanted_second)] {
                            if when == place {
                                let state = slot.state();
                                let done = slot.evict(wanted).is_ok();
                                assert_eq!(done, state == wanted, "only from the state that was looked for, and only once");
                                assert!(!done || (state != ACTIVE && !evicted));
                                evicted |= done;
                            }
                        }
                        if let Some((name, step)) = owner.get(place) {
                            assert_eq!(step(&slot).is_err(), evicted, "{name} at {place}, evictors at {first} and {second}");
                        }
                    }
                    assert_eq!(slot.is_evicted(), evicted);
                    succeeded += usize::from(evicted);
                }
            }
        }
        assert!(succeeded > 100, "the walk met {succeeded} evictions");
    }
}
