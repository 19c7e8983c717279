//! Which connections are live, and who must go when there are too many?
//!
//! A server with one thread per connection has a fixed number of seats. When all are taken, the newcomer gets the seat of whoever has
//! been idle longest, or else of whoever has been longest at sending a head, or else at sending content: an attacker with a thousand
//! slow connections evicts only himself. Only if every seat is busy with an answer is anyone turned away.

use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::http::peer::PeerAddr;
use crate::net::socket::Socket;

/// A request younger than this is not evicted: a client that has just connected deserves the time of a round trip.
const AGE_MIN: Duration = Duration::from_millis(100);
/// Where seats are few it is this for each: newcomers find one at 10,000 a second however few there are.
const AGE_MIN_PER_CONNECTION: Duration = Duration::from_micros(100);
/// And not less than this: the head of a client that is near has come by then.
const AGE_MIN_LEAST: Duration = Duration::from_millis(5);

/// How long those who have been evicted are given to leave before another is.
const EVICTION_GRACE: Duration = Duration::from_millis(2);

/// One live connection.
#[derive(Debug)]
pub struct ConnectionEntry {
    /// Its state.
    pub state: ConnState,
    /// Its socket: the only descriptor it has.
    pub socket: Socket,
    /// Who is at the other end.
    pub peer: PeerAddr,
    place: AtomicUsize,
}

/// All live connections, at most so many.
#[derive(Debug)]
pub struct ConnectionRegistry {
    /// Guards the list, for a few lines at a time.
    entries: Mutex<Vec<Arc<ConnectionEntry>>>,
    removed: Condvar,
    /// Whether anyone waits for that: else it need not be said, which is a system call.
    has_waiter: AtomicBool,
    connections_max: usize,
    /// No request that is younger is evicted.
    age_min: Duration,
}

/// What became of a new connection.
#[derive(Debug)]
pub enum Admission<'a> {
    /// It has a seat.
    Admitted(ConnectionGuard<'a>),
    /// Every seat is busy; here it is back.
    Full(Socket),
    /// Every seat is busy or too fresh to be given away; here it is back, and after that time one may be had.
    RetryAfter(Socket, Duration),
}

/// A seat that is taken. Dropping it gives the seat back, whatever happened in between.
#[derive(Debug)]
pub struct ConnectionGuard<'a> {
    live: &'a ConnectionRegistry,
    /// The connection.
    pub entry: Arc<ConnectionEntry>,
}

impl ConnectionRegistry {
    /// No connections yet, and never more than `connections_max`.
    pub fn new(seats_max: usize) -> ConnectionRegistry {
        let age_min = AGE_MIN_PER_CONNECTION.saturating_mul(u32::try_from(seats_max).unwrap_or(u32::MAX));
        let age_min = age_min.clamp(AGE_MIN_LEAST, AGE_MIN);
        ConnectionRegistry {
            entries: Mutex::new(Vec::new()),
            removed: Condvar::new(),
            has_waiter: AtomicBool::new(false),
            connections_max: seats_max,
            age_min,
        }
    }

    /// Gives a connection a seat, if need be someone else's.
    pub fn admit(&self, socket: Socket, peer: PeerAddr, now: Instant) -> Admission<'_> {
        let mut seats = self.lock();
        if seats.len() >= self.connections_max {
            // The evicted leave within microseconds; while many of them are still leaving, nobody else is sent away.
            let leaving = seats.len() - self.connections_max;
            match evict_one(&seats, now, self.age_min) {
                _ if leaving > self.connections_max / 8 => return Admission::RetryAfter(socket, EVICTION_GRACE),
                Eviction::Evicted => {}
                Eviction::TooRecent(wait) => return Admission::RetryAfter(socket, wait),
                Eviction::NoneIdle => return Admission::Full(socket),
            }
        }
        let seat = Arc::new(ConnectionEntry { state: ConnState::new(now), socket, peer, place: AtomicUsize::new(seats.len()) });
        seats.push(Arc::clone(&seat));
        Admission::Admitted(ConnectionGuard { live: self, entry: seat })
    }

    /// Evicts one connection, where the system has run out of something.
    pub fn evict_one(&self, now: Instant) {
        evict_one(&self.lock(), now, self.age_min);
    }

    /// Evicts every connection that has waited for a request for `idle_age_min`, or for the rest of a head for `head_age_min`.
    pub fn evict_waiting(&self, now: Instant, idle_age_min: Duration, head_age_min: Duration) {
        for seat in self.lock().iter() {
            let age = seat.state.age(now);
            let evicted_from = |state, age_min| age >= age_min && seat.state.evict(state).is_ok();
            if evicted_from(IDLE, idle_age_min) || evicted_from(HEAD, head_age_min) {
                cut(seat);
            }
        }
    }

    /// How many there may be.
    pub fn connections_max(&self) -> usize {
        self.connections_max
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Waits until someone leaves, but not longer than `limit`; how many are left.
    pub fn wait_for_close(&self, limit: Duration) -> usize {
        let seats = self.lock();
        if seats.is_empty() {
            return 0;
        }
        // With the list locked: who leaves later sees it.
        self.has_waiter.store(true, Ordering::Relaxed);
        let (seats, _) = self.removed.wait_timeout(seats, limit).unwrap_or_else(PoisonError::into_inner);
        seats.len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<ConnectionEntry>>> {
        // The list is right after each line, so a panic elsewhere while it was held has not spoilt it.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionGuard<'_> {
    fn drop(&mut self) {
        let mut seats = self.live.lock();
        let place = self.entry.place.load(Ordering::Relaxed);
        seats.swap_remove(place);
        if let Some(moved) = seats.get(place) {
            moved.place.store(place, Ordering::Relaxed);
        }
        let is_awaited = self.live.has_waiter.load(Ordering::Relaxed);
        drop(seats);
        if is_awaited {
            self.live.removed.notify_all();
        }
    }
}

/// What came of looking for a connection to evict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Eviction {
    /// One is on its way out.
    Evicted,
    /// There are only unfinished requests that have just begun; the oldest is old enough after that time.
    TooRecent(Duration),
    /// Each is busy with a request.
    NoneIdle,
}

/// Evicts the connection that has been idle longest, else the one with the oldest unfinished head, else content.
fn evict_one(seats: &[Arc<ConnectionEntry>], now: Instant, age_min: Duration) -> Eviction {
    let mut found = Eviction::NoneIdle;
    for (state, age_min) in [(IDLE, Duration::ZERO), (HEAD, age_min), (CONTENT, age_min)] {
        // Between looking and swapping it may have become busy: then look again, a bounded number of times.
        for _ in 0..8 {
            let candidates = seats.iter().filter(|seat| seat.state.state() == state);
            let aged = candidates.map(|seat| (seat.state.age(now), seat));
            let Some((age, oldest)) = aged.max_by_key(|(age, _)| *age) else { break };
            if let Some(wait) = age_min.checked_sub(age).filter(|wait| !wait.is_zero()) {
                found = Eviction::TooRecent(wait);
                break;
            }
            if oldest.state.evict(state).is_ok() {
                cut(oldest);
                return Eviction::Evicted;
            }
        }
    }
    found
}

/// Ends both directions: a thread that reads or writes there wakes at once.
fn cut(seat: &ConnectionEntry) {
    let _ = seat.socket.shutdown(Shutdown::Both);
}

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
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    struct Pairs(TcpListener);

    impl Pairs {
        fn next(&self) -> (Socket, TcpStream) {
            let client = TcpStream::connect(self.0.local_addr().unwrap()).unwrap();
            (Socket::Tcp(self.0.accept().unwrap().0), client)
        }
    }

    fn admit<'a>(live: &'a ConnectionRegistry, pairs: &Pairs, now: Instant) -> Option<(ConnectionGuard<'a>, TcpStream)> {
        let (socket, client) = pairs.next();
        match live.admit(socket, client.local_addr().unwrap().into(), now) {
            Admission::Admitted(admitted) => Some((admitted, client)),
            Admission::Full(_) | Admission::RetryAfter(..) => None,
        }
    }

    #[test]
    fn the_oldest_idle_goes_first_then_the_oldest_head_then_nobody() {
        let pairs = Pairs(TcpListener::bind("127.0.0.1:0").unwrap());
        let live = ConnectionRegistry::new(3);
        let nobody = PeerAddr::unix();
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let (busy, _c0) = admit(&live, &pairs, at(0)).unwrap();
        busy.entry.state.set_active().unwrap();
        let (head, mut head_client) = admit(&live, &pairs, at(58)).unwrap();
        let (idle, mut idle_client) = admit(&live, &pairs, at(2)).unwrap();
        idle.entry.state.set_active().unwrap();
        idle.entry.state.set_idle(at(50)).unwrap();

        let (fourth, _c3) = admit(&live, &pairs, at(60)).expect("the idle one makes room");
        assert!(idle.entry.state.is_evicted() && !head.entry.state.is_evicted());
        assert_eq!(idle_client.read(&mut [0]).unwrap(), 0, "its client sees the end");
        drop(idle);

        let soon = live.admit(pairs.next().0, nobody, at(61));
        assert!(
            matches!(soon, Admission::RetryAfter(_, wait) if wait == Duration::from_millis(2)),
            "no head is older than 5 ms: {soon:?}"
        );
        let (fifth, _c4) = admit(&live, &pairs, at(63)).expect("now one is");
        assert!(head.entry.state.is_evicted() && !fourth.entry.state.is_evicted());
        assert_eq!(head_client.read(&mut [0]).unwrap(), 0);
        drop(head);

        fourth.entry.state.set_active().unwrap();
        fifth.entry.state.set_active().unwrap();
        assert!(matches!(live.admit(pairs.next().0, nobody, at(500)), Admission::Full(_)), "all are busy");
        drop((busy, fourth, fifth));
        assert_eq!(live.count(), 0);
        assert_eq!(live.wait_for_close(Duration::ZERO), 0);
    }

    #[test]
    fn where_seats_are_few_a_newcomer_waits_less() {
        for (seats_max, micros) in
            [(1, 5_000), (24, 5_000), (50, 5_000), (51, 5_100), (512, 51_200), (1_000, 100_000), (4_096, 100_000)]
        {
            assert_eq!(ConnectionRegistry::new(seats_max).age_min, Duration::from_micros(micros), "{seats_max} seats");
        }
    }

    #[test]
    fn content_that_is_awaited_is_evicted_last_and_content_that_is_here_never() {
        let pairs = Pairs(TcpListener::bind("127.0.0.1:0").unwrap());
        let live = ConnectionRegistry::new(2);
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let (upload, mut upload_client) = admit(&live, &pairs, at(0)).unwrap();
        upload.entry.state.set_active().unwrap();
        upload.entry.state.set_reading_body(at(1)).unwrap();
        let (head, _c1) = admit(&live, &pairs, at(200)).unwrap();

        let (third, _c2) = admit(&live, &pairs, at(300)).expect("the younger head goes before the older content");
        assert!(head.entry.state.is_evicted() && !upload.entry.state.is_evicted());
        drop(head);
        third.entry.state.set_active().unwrap();
        let (fourth, _c3) = admit(&live, &pairs, at(301)).expect("then the content goes");
        assert!(upload.entry.state.is_evicted());
        assert_eq!(upload_client.read(&mut [0]).unwrap(), 0);
        drop(upload);
        fourth.entry.state.set_reading_body(at(301)).unwrap();
        fourth.entry.state.set_active().unwrap();
        assert!(admit(&live, &pairs, at(900)).is_none(), "all of it is here, and the request is being answered");
    }

    #[test]
    fn who_waits_is_sent_home_when_he_has_waited_long_enough() {
        let pairs = Pairs(TcpListener::bind("127.0.0.1:0").unwrap());
        let live = ConnectionRegistry::new(100);
        let began = Instant::now();
        let at = |millis| began + Duration::from_millis(millis);
        let (idle, head) = (Duration::from_millis(100), Duration::from_millis(1000));
        let seats: Vec<_> = (0..3).map(|_| admit(&live, &pairs, at(0)).unwrap()).collect();
        let [waits, begins, answers] = &seats[..] else { panic!() };
        waits.0.entry.state.set_active().unwrap();
        waits.0.entry.state.set_idle(at(0)).unwrap();
        answers.0.entry.state.set_active().unwrap();
        for (millis, gone, why) in [
            (99, [false, false, false], "his next request may be on its way"),
            (100, [true, false, false], "it is not"),
            (999, [true, false, false], "the head may still come"),
            (1000, [true, true, false], "it does not; and an answer is never cut off here"),
        ] {
            live.evict_waiting(at(millis), idle, head);
            assert_eq!([waits, begins, answers].map(|(admitted, _)| admitted.entry.state.is_evicted()), gone, "{why}");
        }
    }

    #[test]
    fn seats_are_given_back_in_any_order() {
        let pairs = Pairs(TcpListener::bind("127.0.0.1:0").unwrap());
        let live = ConnectionRegistry::new(100);
        let mut admitted: Vec<_> = (0..20).map(|_| admit(&live, &pairs, Instant::now()).unwrap()).collect();
        for left in (0..20).rev() {
            admitted.swap_remove((left * 7) % (left + 1));
            assert_eq!(live.count(), left);
        }
    }

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
