//! The live connections: their number is limited, and idle ones are evicted for new ones.
//!
//! When the limit is reached, a new connection evicts the one that has been idle longest, or else the one with the oldest incomplete head,
//! or else with the oldest incomplete body, or else the one whose client is latest in reading its response. So a client with a thousand
//! slow connections only evicts its own. A connection is rejected only if every other handles a request, or has a client that keeps up.
//! A new connection evicts at most one, and only if it is admitted then.
//!
//! ```text
//!           first byte            head complete
//!   IDLE ──────────────▶ HEAD ───────────────────▶ ACTIVE ──▶ (response) ──▶ IDLE
//!     │   head complete, in one piece                ▲ ▲ ▲
//!     ├──────────────────────────────────────────────┘ │ └▶ SENDING: a write waits for the client
//!     ▼                    ▼                           ▼ waits for the body, or body complete
//!  EVICTED ◀───────────────┴───────────────────────── BODY, or SENDING    ACTIVE is never evicted; a new connection starts in HEAD
//! ```
//!
//! All changes are by compare-and-swap, so no request is handled on a connection that is being evicted.

use std::io;
use std::net::Shutdown;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::http::forwarded::PeerAddr;
use crate::net::budget::Holder;
use crate::net::socket::Socket;

/// A request younger than this is not evicted: a new client needs the time of a round trip.
const AGE_MIN: Duration = Duration::from_millis(100);
/// With few connections the minimum age is this for each, so that 10,000 new connections a second are admitted however low the limit is.
const AGE_MIN_PER_CONNECTION: Duration = Duration::from_micros(100);
/// The minimum age is never below this: the head of a nearby client has arrived by then.
const AGE_MIN_LEAST: Duration = Duration::from_millis(5);
/// How late a client must be in reading a response before it is evicted, as [`DeadlineStream`](crate::net::deadline) counts it: it has
/// read nothing for so long, or is so far behind the minimum rate.
const LATE_MIN: Duration = Duration::from_secs(10);
/// How long evicted connections get to end before others are evicted.
const EVICTION_GRACE: Duration = Duration::from_millis(2);

/// One live connection.
#[derive(Debug)]
pub struct ConnectionEntry {
    /// Its state.
    pub state: ConnState,
    /// Its socket, and its only descriptor.
    pub socket: Socket,
    /// The other end.
    pub peer: PeerAddr,
    /// Its index in the list of the registry.
    index: AtomicUsize,
}

/// All live connections.
#[derive(Debug)]
pub struct ConnectionRegistry {
    /// Guards the list, for a few lines at a time.
    entries: Mutex<Vec<Arc<ConnectionEntry>>>,
    /// The most connections at a time, not counting those that have been evicted and end soon.
    pub connections_max: usize,
    /// The age below which no request is evicted.
    age_min: Duration,
}

/// The result of registering a new connection.
#[derive(Debug)]
pub enum Admission<'a> {
    /// It is registered.
    Admitted(ConnectionGuard<'a>),
    /// No connection can be evicted at present. Returns the socket, and the time after which to try again; `None` if each handles a
    /// request, or has a client that keeps up with its response.
    Full(Socket, Option<Duration>),
}

/// A registered connection. Dropping it removes the connection, also when its thread panics.
#[derive(Debug)]
pub struct ConnectionGuard<'a> {
    registry: &'a ConnectionRegistry,
    /// The connection.
    pub entry: Arc<ConnectionEntry>,
}

impl ConnectionRegistry {
    /// Creates a registry for at most `connections_max` connections.
    pub fn new(connections_max: usize) -> ConnectionRegistry {
        let age_min = AGE_MIN_PER_CONNECTION.saturating_mul(u32::try_from(connections_max).unwrap_or(u32::MAX));
        ConnectionRegistry { entries: Mutex::new(Vec::new()), connections_max, age_min: age_min.clamp(AGE_MIN_LEAST, AGE_MIN) }
    }

    /// Registers a connection, and evicts another if the limit is reached.
    pub fn admit(&self, socket: Socket, peer: PeerAddr, now: Instant) -> Admission<'_> {
        let mut entries = self.lock();
        if entries.len() >= self.connections_max {
            // Evicted connections end within microseconds; while many have not, no more are added.
            if entries.len() - self.connections_max > self.connections_max / 8 {
                return Admission::Full(socket, Some(EVICTION_GRACE));
            }
            if let Err(wait) = evict_oldest(&entries, now, self.age_min) {
                return Admission::Full(socket, wait);
            }
        }
        let index = AtomicUsize::new(entries.len());
        let entry = Arc::new(ConnectionEntry { state: ConnState::new(now), socket, peer, index });
        entries.push(Arc::clone(&entry));
        Admission::Admitted(ConnectionGuard { registry: self, entry })
    }

    /// Evicts one connection, because the system has run out of a resource.
    pub fn evict_one(&self, now: Instant) {
        let _ = evict_oldest(&self.lock(), now, self.age_min);
    }

    /// Evicts every connection that has waited for a request for `idle_age_min`, or for the rest of a head for `head_age_min`.
    pub fn evict_waiting(&self, now: Instant, idle_age_min: Duration, head_age_min: Duration) {
        for entry in self.lock().iter() {
            let age = entry.state.age(now);
            let evicted_from = |state, age_min| age >= age_min && entry.state.evict(state);
            if evicted_from(IDLE, idle_age_min) || evicted_from(HEAD, head_age_min) {
                entry.cut();
            }
        }
    }

    /// The number of live connections.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<ConnectionEntry>>> {
        // The list is consistent after each line, so a panic elsewhere has not damaged it.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionGuard<'_> {
    fn drop(&mut self) {
        let mut entries = self.registry.lock();
        let index = self.entry.index.load(Ordering::Relaxed);
        entries.swap_remove(index);
        if let Some(moved) = entries.get(index) {
            moved.index.store(index, Ordering::Relaxed);
        }
    }
}

impl ConnectionEntry {
    /// Shuts the socket down, which wakes a thread that reads or writes there.
    fn cut(&self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// A connection whose client is late is evicted when others need the memory that it holds.
impl Holder for ConnectionEntry {
    fn late_since(&self) -> Option<u64> {
        matches!(self.state.get(), SENDING | BODY).then(|| self.state.since.load(Ordering::Relaxed))
    }

    fn evict(&self) {
        if self.state.evict(SENDING) || self.state.evict(BODY) {
            self.cut();
        }
    }
}

/// Evicts the connection that has been idle longest, else the one with the oldest incomplete head, else with the oldest incomplete body,
/// else the one whose client is latest in reading.
///
/// # Errors
/// The time after which one can be evicted, if all incomplete requests are too recent; `None` if each connection handles a request, or
/// has a client that keeps up.
fn evict_oldest(entries: &[Arc<ConnectionEntry>], now: Instant, age_min: Duration) -> Result<(), Option<Duration>> {
    let mut wait = None;
    for (state, age_min) in [(IDLE, Duration::ZERO), (HEAD, age_min), (BODY, age_min), (SENDING, LATE_MIN)] {
        // The one that was found may have become active meanwhile; then the next is tried, a limited number of times.
        for _ in 0..8 {
            let candidates = entries.iter().filter(|entry| entry.state.get() == state);
            let aged = candidates.map(|entry| (entry.state.age(now), entry));
            let Some((age, oldest)) = aged.max_by_key(|(age, _)| *age) else { break };
            if age < age_min {
                // Nothing waits until a client is late.
                if state != SENDING {
                    wait = Some(age_min - age);
                }
                break;
            }
            if oldest.state.evict(state) {
                oldest.cut();
                return Ok(());
            }
        }
    }
    Err(wait)
}

/// Waits for a request.
pub(super) const IDLE: u8 = 0;
/// Waits for the rest of a request head, or has just been accepted.
pub(super) const HEAD: u8 = 1;
/// Handles a request.
const ACTIVE: u8 = 2;
/// Waits for the rest of a request body.
pub(super) const BODY: u8 = 3;
/// A write waits for the client.
const SENDING: u8 = 4;
const EVICTED: u8 = 5;

/// All ages count from here.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The state of a connection, shared between its thread and the registry.
#[derive(Debug)]
pub struct ConnState {
    state: AtomicU8,
    /// When it began to wait, in nanoseconds after [`START`]; in SENDING, [`ConnState::set_waiting_since`].
    since: AtomicU64,
}

impl ConnState {
    /// The state of a connection that has just been accepted: HEAD, since its first request should be on its way.
    pub fn new(now: Instant) -> ConnState {
        ConnState { state: AtomicU8::new(HEAD), since: AtomicU64::new(nanos(now)) }
    }

    /// A write waits for the client, which is late since this time; with `None`, no write waits any more.
    ///
    /// # Errors
    /// The connection has been evicted.
    pub(super) fn set_waiting_since(&self, since: Option<Instant>) -> io::Result<()> {
        since.map_or_else(|| self.set_active(), |since| self.wait_in(SENDING, since))
    }

    /// A request is complete and about to be handled, or a response goes on.
    ///
    /// # Errors
    /// The connection has been evicted.
    pub(super) fn set_active(&self) -> io::Result<()> {
        self.change(ACTIVE)
    }

    /// Whether the connection has been evicted.
    pub(super) fn is_evicted(&self) -> bool {
        self.get() == EVICTED
    }

    fn get(&self) -> u8 {
        self.state.load(Ordering::Acquire)
    }

    /// How long the connection has been waiting.
    fn age(&self, now: Instant) -> Duration {
        Duration::from_nanos(nanos(now).saturating_sub(self.since.load(Ordering::Relaxed)))
    }

    /// The connection waits, in state IDLE, HEAD, BODY or SENDING.
    ///
    /// # Errors
    /// It has been evicted.
    pub(super) fn wait_in(&self, state: u8, now: Instant) -> io::Result<()> {
        // The time first: together with the old state it only makes the connection look younger.
        self.since.store(nanos(now), Ordering::Relaxed);
        self.change(state)
    }

    fn change(&self, to: u8) -> io::Result<()> {
        let unless_evicted = |state| (state != EVICTED).then_some(to);
        let changed = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, unless_evicted);
        changed.map(|_| ()).map_err(|_| io::ErrorKind::ConnectionAborted.into())
    }

    /// Evicts the connection if it is in state `from`, and returns whether it was: its thread must end without handling another request.
    fn evict(&self, from: u8) -> bool {
        self.state.compare_exchange(from, EVICTED, Ordering::AcqRel, Ordering::Acquire).is_ok()
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
            (self.0.accept().unwrap().0, client)
        }
    }

    fn admit<'a>(registry: &'a ConnectionRegistry, pairs: &Pairs, now: Instant) -> Option<(ConnectionGuard<'a>, TcpStream)> {
        let (socket, client) = pairs.next();
        match registry.admit(socket, client.local_addr().unwrap().into(), now) {
            Admission::Admitted(admitted) => Some((admitted, client)),
            Admission::Full(..) => None,
        }
    }

    #[test]
    fn oldest_idle_connection_is_evicted_first_then_the_oldest_head() {
        let pairs = Pairs(TcpListener::bind("127.0.0.1:0").unwrap());
        let registry = ConnectionRegistry::new(3);
        let peer = PeerAddr::unix();
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let (busy, _c0) = admit(&registry, &pairs, at(0)).unwrap();
        busy.entry.state.set_active().unwrap();
        let (head, mut head_client) = admit(&registry, &pairs, at(58)).unwrap();
        let (idle, mut idle_client) = admit(&registry, &pairs, at(2)).unwrap();
        idle.entry.state.set_active().unwrap();
        idle.entry.state.wait_in(IDLE, at(50)).unwrap();

        let (fourth, _c3) = admit(&registry, &pairs, at(60)).expect("the idle one is evicted");
        assert!(idle.entry.state.is_evicted() && !head.entry.state.is_evicted());
        assert_eq!(idle_client.read(&mut [0]).unwrap(), 0, "the client sees the end of the stream");
        drop(idle);

        let soon = registry.admit(pairs.next().0, peer, at(61));
        assert!(
            matches!(soon, Admission::Full(_, Some(wait)) if wait == Duration::from_millis(2)),
            "no head is older than 5 ms: {soon:?}"
        );
        let (fifth, _c4) = admit(&registry, &pairs, at(63)).expect("now one is older");
        assert!(head.entry.state.is_evicted() && !fourth.entry.state.is_evicted());
        assert_eq!(head_client.read(&mut [0]).unwrap(), 0);
        drop(head);

        fourth.entry.state.set_active().unwrap();
        fifth.entry.state.set_active().unwrap();
        assert!(matches!(registry.admit(pairs.next().0, peer, at(500)), Admission::Full(_, None)), "all are active");
        drop((busy, fourth, fifth));
        assert_eq!(registry.count(), 0);
    }

    #[test]
    fn age_min_depends_on_the_limit() {
        for (connections_max, micros) in
            [(1, 5_000), (24, 5_000), (50, 5_000), (51, 5_100), (512, 51_200), (1_000, 100_000), (4_096, 100_000)]
        {
            let age_min = ConnectionRegistry::new(connections_max).age_min;
            assert_eq!(age_min, Duration::from_micros(micros), "{connections_max} connections");
        }
    }

    #[test]
    fn incomplete_body_is_evicted_last_and_complete_request_never() {
        let pairs = Pairs(TcpListener::bind("127.0.0.1:0").unwrap());
        let registry = ConnectionRegistry::new(2);
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let (upload, mut upload_client) = admit(&registry, &pairs, at(0)).unwrap();
        upload.entry.state.set_active().unwrap();
        upload.entry.state.wait_in(BODY, at(1)).unwrap();
        let (head, _c1) = admit(&registry, &pairs, at(200)).unwrap();

        let (third, _c2) = admit(&registry, &pairs, at(300)).expect("a younger head is evicted before an older body");
        assert!(head.entry.state.is_evicted() && !upload.entry.state.is_evicted());
        drop(head);
        third.entry.state.set_active().unwrap();
        let (fourth, _c3) = admit(&registry, &pairs, at(301)).expect("then the body is");
        assert!(upload.entry.state.is_evicted());
        assert_eq!(upload_client.read(&mut [0]).unwrap(), 0);
        drop(upload);
        fourth.entry.state.wait_in(BODY, at(301)).unwrap();
        fourth.entry.state.set_active().unwrap();
        assert!(admit(&registry, &pairs, at(900)).is_none(), "all bodies are complete, and the requests are being handled");
    }

    #[test]
    fn the_latest_reader_is_evicted_last_of_all() {
        let pairs = Pairs(TcpListener::bind("127.0.0.1:0").unwrap());
        let registry = ConnectionRegistry::new(3);
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let [(slow, mut slow_client), (slower, mut slower_client), (upload, _c2)] = [0, 1, 2].map(|millis| {
            let (admitted, client) = admit(&registry, &pairs, at(millis)).unwrap();
            admitted.entry.state.set_active().unwrap();
            (admitted, client)
        });
        slow.entry.state.set_waiting_since(Some(at(5_001))).unwrap();
        slower.entry.state.set_waiting_since(Some(at(5_000))).unwrap();
        upload.entry.state.wait_in(BODY, at(14_990)).unwrap();
        let (third, _c3) = admit(&registry, &pairs, at(15_000)).expect("a body that has waited for 10 ms");
        assert!(upload.entry.state.is_evicted() && !slower.entry.state.is_evicted());
        drop(upload);
        third.entry.state.set_active().unwrap();

        let (fourth, _c4) = admit(&registry, &pairs, at(15_000)).expect("a reader that is 10 s late");
        assert!(slower.entry.state.is_evicted() && !slow.entry.state.is_evicted());
        assert_eq!(slower_client.read(&mut [0]).unwrap(), 0);
        assert!(slower.entry.state.set_waiting_since(None).is_err(), "its write fails");
        drop(slower);
        fourth.entry.state.set_active().unwrap();
        let full = registry.admit(pairs.next().0, PeerAddr::unix(), at(15_000));
        assert!(matches!(full, Admission::Full(_, None)), "the other is less late, and that is not waited for: {full:?}");
        slow.entry.state.set_waiting_since(None).unwrap();
        assert!(admit(&registry, &pairs, at(99_000)).is_none(), "it has read on, and its next request may be handled");
        slow.entry.state.set_waiting_since(Some(at(80_000))).unwrap();
        assert!(admit(&registry, &pairs, at(99_000)).is_some());
        assert_eq!(slow_client.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn one_new_connection_evicts_at_most_one_and_only_if_it_is_admitted() {
        let pairs = Pairs(TcpListener::bind("127.0.0.1:0").unwrap());
        let registry = ConnectionRegistry::new(16);
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let live: Vec<_> = (0..16).map(|_| admit(&registry, &pairs, start).unwrap()).collect();
        let mut admitted = Vec::new();
        for _ in 0..10 {
            admitted.extend(admit(&registry, &pairs, later));
            let evicted = live.iter().filter(|(guard, _)| guard.entry.state.is_evicted()).count();
            assert_eq!(evicted, admitted.len(), "the evicted ones have not ended");
        }
        assert_eq!(admitted.len(), 3, "an eighth of the limit, and one");
    }

    #[test]
    fn evict_waiting_evicts_idle_then_head() {
        let pairs = Pairs(TcpListener::bind("127.0.0.1:0").unwrap());
        let registry = ConnectionRegistry::new(100);
        let began = Instant::now();
        let at = |millis| began + Duration::from_millis(millis);
        let (idle, head) = (Duration::from_millis(100), Duration::from_millis(1000));
        let connections: Vec<_> = (0..3).map(|_| admit(&registry, &pairs, at(0)).unwrap()).collect();
        let [idle_one, new_one, active_one] = &connections[..] else { panic!() };
        idle_one.0.entry.state.set_active().unwrap();
        idle_one.0.entry.state.wait_in(IDLE, at(0)).unwrap();
        active_one.0.entry.state.set_active().unwrap();
        for (millis, gone, why) in [
            (99, [false, false, false], "the next request may be on its way"),
            (100, [true, false, false], "it did not arrive"),
            (999, [true, false, false], "the head may still come"),
            (1000, [true, true, false], "it did not arrive; an active connection is never evicted"),
        ] {
            registry.evict_waiting(at(millis), idle, head);
            assert_eq!([idle_one, new_one, active_one].map(|(admitted, _)| admitted.entry.state.is_evicted()), gone, "{why}");
        }
    }

    #[test]
    fn connections_end_in_any_order() {
        let pairs = Pairs(TcpListener::bind("127.0.0.1:0").unwrap());
        let registry = ConnectionRegistry::new(100);
        let mut admitted: Vec<_> = (0..20).map(|_| admit(&registry, &pairs, Instant::now()).unwrap()).collect();
        for left in (0..20).rev() {
            admitted.swap_remove((left * 7) % (left + 1));
            assert_eq!(registry.count(), left);
        }
    }

    /// Wherever between the steps of an owner an eviction is tried: either it fails and the owner goes on, or it succeeds, was allowed in
    /// the state it found, and every further step of the owner fails.
    #[test]
    fn every_interleaving_of_an_owner_and_two_evictions() {
        type Step = (&'static str, fn(&ConnState) -> io::Result<()>);
        let now = Instant::now();
        let owner: [Step; 10] = [
            ("head", |state| state.wait_in(HEAD, Instant::now())),
            ("active", ConnState::set_active),
            ("body", |state| state.wait_in(BODY, Instant::now())),
            ("active", ConnState::set_active),
            ("idle", |state| state.wait_in(IDLE, Instant::now())),
            ("active", ConnState::set_active),
            ("sending", |state| state.wait_in(SENDING, Instant::now())),
            ("active", ConnState::set_active),
            ("idle", |state| state.wait_in(IDLE, Instant::now())),
            ("head", |state| state.wait_in(HEAD, Instant::now())),
        ];
        let mut succeeded = 0;
        for first in 0..=owner.len() {
            for second in first..=owner.len() {
                for (wanted_first, wanted_second) in
                    [IDLE, HEAD, BODY, SENDING].into_iter().flat_map(|a| [IDLE, HEAD, BODY, SENDING].map(|b| (a, b)))
                {
                    let shared = ConnState::new(now);
                    let mut evicted = false;
                    for place in 0..=owner.len() {
                        for (when, wanted) in [(first, wanted_first), (second, wanted_second)] {
                            if when == place {
                                let state = shared.get();
                                let done = shared.evict(wanted);
                                assert_eq!(done, state == wanted, "only from the state that was expected, and only once");
                                assert!(!done || (state != ACTIVE && !evicted));
                                evicted |= done;
                            }
                        }
                        if let Some((name, step)) = owner.get(place) {
                            assert_eq!(step(&shared).is_err(), evicted, "{name} at {place}, evictions at {first} and {second}");
                        }
                    }
                    assert_eq!(shared.is_evicted(), evicted);
                    succeeded += usize::from(evicted);
                }
            }
        }
        assert!(succeeded > 100, "only {succeeded} evictions succeeded");
    }
}
