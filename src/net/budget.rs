//! Memory budgets: how much memory connections may hold together.
//!
//! A request that needs memory beyond the budget evicts the connection whose client is furthest behind, and so releases the memory of that
//! connection. So clients that stop reading cannot keep memory from others.

use std::fmt::Debug;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a request waits for memory before it fails.
const WAIT_TIME_MAX: Duration = Duration::from_secs(10);
/// How long an evicted connection gets to release its memory before the next is evicted.
const EVICTION_TIME: Duration = Duration::from_millis(50);

/// A connection that can be evicted, so that it releases its memory.
pub trait Holder: Debug + Send + Sync {
    /// Since when its client is late, in nanoseconds after a moment that all share; `None` if the connection does not wait for its client.
    fn late_since(&self) -> Option<u64>;
    /// Ends the connection if it still waits for its client.
    fn evict(&self);
}

/// A number of bytes that is shared.
#[derive(Clone, Debug)]
pub struct MemoryBudget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bytes_max: usize,
    /// How long a request waits for memory.
    wait_time_max: Duration,
    /// Guards the numbers, for a few lines at a time.
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Debug, Default)]
struct State {
    held_bytes: usize,
    holders: Vec<Arc<dyn Holder>>,
    /// Requests that wait for memory, or for their turn.
    waiting: usize,
    /// Whether a request has its turn to grow step by step.
    turn_taken: bool,
}

/// Memory that is held, until it is dropped.
#[derive(Debug)]
pub struct HeldMemory {
    budget: MemoryBudget,
    holder: Option<Arc<dyn Holder>>,
    bytes: usize,
    has_turn: bool,
}

impl MemoryBudget {
    /// Creates a budget of `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> MemoryBudget {
        MemoryBudget::with_wait_time(bytes_max, WAIT_TIME_MAX)
    }

    fn with_wait_time(bytes_max: usize, wait_time_max: Duration) -> MemoryBudget {
        MemoryBudget(Arc::new(Shared { bytes_max, wait_time_max, state: Mutex::default(), released: Condvar::new() }))
    }

    /// Returns no memory yet, which can grow. It is released early if `holder` is evicted.
    pub fn hold_none(&self, holder: Option<Arc<dyn Holder>>) -> HeldMemory {
        HeldMemory { budget: self.clone(), holder, bytes: 0, has_turn: false }
    }

    /// Holds memory if it is free.
    pub fn try_hold(&self, bytes: usize) -> Option<HeldMemory> {
        let mut state = self.lock();
        state.held_bytes = state.held_bytes.checked_add(bytes).filter(|sum| *sum <= self.0.bytes_max)?;
        Some(HeldMemory { budget: self.clone(), holder: None, bytes, has_turn: false })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldMemory {
    /// Waits until no other request has its turn to grow step by step: several that each hold a part of what they need would wait for each
    /// other. The turn ends with [`HeldMemory::shrink_to`].
    ///
    /// # Errors
    /// `ResourceBusy` after ten seconds.
    pub fn wait_for_turn(&mut self) -> io::Result<()> {
        let Shared { wait_time_max, released, .. } = &*self.budget.0;
        let mut state = self.budget.lock();
        state.waiting += 1;
        let waited = released.wait_timeout_while(state, *wait_time_max, |state| state.turn_taken && !self.has_turn);
        let (mut state, result) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        if result.timed_out() {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        state.turn_taken = true;
        self.has_turn = true;
        Ok(())
    }

    /// Holds more memory. Evicts others if there is not enough, and waits.
    ///
    /// # Errors
    /// `FileTooLarge` if the whole budget would not suffice; `ResourceBusy` if others hold too much for ten seconds.
    pub fn grow(&mut self, bytes: usize) -> io::Result<()> {
        let Shared { bytes_max, wait_time_max, released, .. } = &*self.budget.0;
        if self.bytes + bytes > *bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut state = self.budget.lock();
        let mut deadline = None;
        while state.held_bytes + bytes > *bytes_max {
            let now = Instant::now();
            if now >= *deadline.get_or_insert(now + *wait_time_max) {
                return Err(io::ErrorKind::ResourceBusy.into());
            }
            let is_other = |holder: &&Arc<dyn Holder>| self.holder.as_ref().is_none_or(|own| !Arc::ptr_eq(own, holder));
            let late = state.holders.iter().filter(is_other).filter_map(|holder| Some((holder.late_since()?, holder)));
            if let Some((_, latest)) = late.min_by_key(|(since, _)| *since) {
                latest.evict();
            }
            state.waiting += 1;
            state = released.wait_timeout(state, EVICTION_TIME).unwrap_or_else(PoisonError::into_inner).0;
            state.waiting -= 1;
        }
        state.held_bytes += bytes;
        if self.bytes == 0 && bytes > 0 {
            state.holders.extend(self.holder.clone());
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Releases all but this many bytes, and the turn.
    pub fn shrink_to(&mut self, bytes: usize) {
        let released = self.bytes.saturating_sub(bytes);
        if released == 0 && !self.has_turn {
            return;
        }
        let mut state = self.budget.lock();
        state.turn_taken &= !std::mem::take(&mut self.has_turn);
        state.held_bytes -= released;
        self.bytes -= released;
        if let Some(holder) = self.holder.as_ref().filter(|_| released > 0 && self.bytes == 0)
            && let Some(index) = state.holders.iter().position(|other| Arc::ptr_eq(other, holder))
        {
            state.holders.swap_remove(index);
        }
        if state.waiting > 0 {
            self.budget.0.released.notify_all();
        }
    }
}

impl Drop for HeldMemory {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;

    use super::*;

    /// A connection that says when it is evicted, and ends then.
    #[derive(Debug)]
    struct Client {
        late_since: Option<u64>,
        evicted: Mutex<Sender<()>>,
    }

    impl Holder for Client {
        fn late_since(&self) -> Option<u64> {
            self.late_since
        }

        fn evict(&self) {
            let _ = self.evicted.lock().unwrap().send(());
        }
    }

    fn client(late_since: Option<u64>) -> (Option<Arc<dyn Holder>>, Receiver<()>) {
        let (evicted, is_evicted) = channel();
        (Some(Arc::new(Client { late_since, evicted: Mutex::new(evicted) })), is_evicted)
    }

    #[test]
    fn the_budget_is_shared_and_returned() {
        let budget = MemoryBudget::new(10);
        let mut first = budget.hold_none(None);
        first.grow(6).unwrap();
        assert!(budget.try_hold(5).is_none(), "one byte too many");
        let second = budget.try_hold(4).expect("exactly the rest");
        assert_eq!(first.grow(5).unwrap_err().kind(), io::ErrorKind::FileTooLarge, "more than all");
        drop(second);
        first.grow(4).unwrap();
        assert!(budget.try_hold(1).is_none());
        first.shrink_to(3);
        first.shrink_to(5);
        assert!(budget.try_hold(8).is_none() && budget.try_hold(7).is_some(), "memory shrinks, and does not grow again");
        drop(first);
        assert!(budget.try_hold(10).is_some());
        assert!(budget.try_hold(usize::MAX).is_none(), "the sum does not overflow");
    }

    #[test]
    fn one_request_at_a_time_has_its_turn() {
        let budget = MemoryBudget::with_wait_time(10, Duration::from_millis(20));
        let (mut first, mut second) = (budget.hold_none(None), budget.hold_none(None));
        first.wait_for_turn().unwrap();
        first.wait_for_turn().unwrap();
        assert_eq!(second.wait_for_turn().unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        second.shrink_to(0);
        assert!(second.wait_for_turn().is_err(), "only its own turn ends");
        first.shrink_to(0);
        second.wait_for_turn().unwrap();
        drop(second);
        first.wait_for_turn().unwrap();
    }

    #[test]
    fn the_latest_are_evicted_until_there_is_enough() {
        let budget = MemoryBudget::new(100);
        let (active, active_is_evicted) = client(None);
        let mut held = budget.hold_none(active);
        held.grow(40).unwrap();
        let connections = [(30, 2), (20, 1), (10, 3)].map(|(bytes, late_since)| {
            let (late, is_evicted) = client(Some(late_since));
            let mut held = budget.hold_none(late);
            held.grow(bytes).unwrap();
            thread::spawn(move || is_evicted.recv().map(|()| drop(held)))
        });
        let mut request = budget.hold_none(None);
        request.grow(50).unwrap();
        let [second, first, last] = connections;
        assert!(first.join().unwrap().is_ok() && second.join().unwrap().is_ok(), "20 bytes are not enough, 50 are");
        assert!(!last.is_finished() && active_is_evicted.try_recv().is_err());
        request.grow(10).unwrap();
        assert!(last.join().unwrap().is_ok());
        assert_eq!(budget.lock().holders.len(), 1, "the evicted are forgotten");
    }

    #[test]
    fn a_request_fails_if_no_other_is_late() {
        let budget = MemoryBudget::with_wait_time(10, Duration::from_millis(1));
        let (active, _active_is_evicted) = client(None);
        let (own, own_is_evicted) = client(Some(1));
        let mut held = [active, own].map(|holder| budget.hold_none(holder));
        held.iter_mut().for_each(|held| held.grow(5).unwrap());
        let [_active, own] = &mut held;
        assert_eq!(own.grow(1).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        assert!(own_is_evicted.try_recv().is_err(), "a connection does not evict itself");
    }
}
