//! The queue of bcrypt checks: a few at a time, fewer for one client, so that wrong passwords of one do not keep others out.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::http::forwarded::PeerHost;

/// Checks at the same time. More would take the processors from clients with known credentials.
const RUNNING_MAX: usize = 8;
/// Checks at the same time for one client.
const RUNNING_PER_CLIENT_MAX: usize = 2;
/// Checks of one client that wait. Each holds a connection and its thread.
const WAITING_PER_CLIENT_MAX: usize = 64;
/// Time to wait for a check. Browsers and people wait longer, but not for the connections that the others could use.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// The checks that run and those that wait.
#[derive(Debug, Default)]
pub struct CheckQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: Vec<PeerHost>,
    /// In the order of arrival, each with its number.
    waiting: VecDeque<(u64, PeerHost)>,
    next_number: u64,
}

/// The right to check one password, until it is dropped.
#[derive(Debug)]
pub struct CheckPermit<'a> {
    queue: &'a CheckQueue,
    client: PeerHost,
}

impl CheckQueue {
    /// Waits for a permit, at most five seconds; `None` if there is none by then, or too many checks of this client wait.
    pub fn enter(&self, client: PeerHost) -> Option<CheckPermit<'_>> {
        let client = client_network(client);
        let mut state = self.lock();
        if state.waiting.iter().filter(|(_, waiting)| *waiting == client).count() >= WAITING_PER_CLIENT_MAX {
            return None;
        }
        let number = state.next_number;
        state.next_number += 1;
        state.waiting.push_back((number, client));
        let is_waiting = |state: &mut State| state.next() != Some(number);
        let waited = self.changed.wait_timeout_while(state, WAIT_MAX, is_waiting).unwrap_or_else(PoisonError::into_inner);
        let (mut state, timeout) = waited;
        state.waiting.retain(|(waiting, _)| *waiting != number);
        let is_next = !timeout.timed_out();
        if is_next {
            state.running.push(client);
        }
        self.changed.notify_all();
        is_next.then_some(CheckPermit { queue: self, client })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The number of the check that may run now: the first whose client has not too many already.
    fn next(&self) -> Option<u64> {
        let running = |client| self.running.iter().filter(|running| *running == client).count();
        let mut waiting = self.waiting.iter().filter(|_| self.running.len() < RUNNING_MAX);
        waiting.find(|(_, client)| running(client) < RUNNING_PER_CLIENT_MAX).map(|(number, _)| *number)
    }
}

impl Drop for CheckPermit<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        if let Some(index) = state.running.iter().position(|running| *running == self.client) {
            state.running.swap_remove(index);
        }
        drop(state);
        self.queue.changed.notify_all();
    }
}

/// Returns what counts as one client: an IPv4 address, the /64 of an IPv6 address, or all peers of Unix sockets.
fn client_network(host: PeerHost) -> PeerHost {
    match host {
        PeerHost::Ip(IpAddr::V6(address)) => PeerHost::Ip(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()),
        host => host,
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    fn host(text: &str) -> PeerHost {
        if text == "unix" { PeerHost::Unix } else { PeerHost::Ip(text.parse().unwrap()) }
    }

    #[test]
    fn the_first_whose_client_has_room_is_next() {
        for (running, waiting, next, why) in [
            ("", "", None, "none waits"),
            ("", "10.0.0.1 10.0.0.2", Some(0), "in the order of arrival"),
            ("10.0.0.1", "10.0.0.1", Some(0), "a second check of one client"),
            ("10.0.0.1 10.0.0.1", "10.0.0.1 10.0.0.1", None, "no third one"),
            ("10.0.0.1 10.0.0.1", "10.0.0.1 10.0.0.2", Some(1), "another client goes first"),
            ("2001:db8::1 2001:db8::2", "2001:db8::3 2001:db8:0:1::1", Some(1), "a /64 is one client"),
            ("unix unix", "unix 10.0.0.1", Some(1), "so are all peers of Unix sockets"),
            ("1.0.0.1 1.0.0.2 1.0.0.3 1.0.0.4 1.0.0.5 1.0.0.6 1.0.0.7", "10.0.0.1", Some(0), "an eighth check"),
            ("1.0.0.1 1.0.0.2 1.0.0.3 1.0.0.4 1.0.0.5 1.0.0.6 1.0.0.7 1.0.0.8", "10.0.0.1", None, "no ninth one"),
        ] {
            let clients = |text: &str| text.split_whitespace().map(|text| client_network(host(text))).collect::<Vec<_>>();
            let state = State { running: clients(running), waiting: (0..).zip(clients(waiting)).collect(), next_number: 9 };
            assert_eq!(state.next(), next, "{running:?}, {waiting:?}: {why}");
        }
    }

    #[test]
    fn permits_are_returned_also_by_a_panic() {
        let queue = CheckQueue::default();
        let client = host("10.0.0.1");
        for _ in 0..2 * RUNNING_MAX {
            let result = catch_unwind(|| {
                let _permit = queue.enter(client);
                panic!("in a check");
            });
            assert!(result.is_err());
        }
        let first = (queue.enter(client).unwrap(), queue.enter(client).unwrap());
        std::thread::scope(|scope| {
            let third = scope.spawn(|| queue.enter(client).is_some());
            drop(queue.enter(host("10.0.0.2")).expect("another client does not wait"));
            drop(first);
            assert!(third.join().unwrap(), "it waited for the others");
        });
        let state = queue.lock();
        assert_eq!((state.running.len(), state.waiting.len()), (0, 0));
    }

    #[test]
    fn a_client_has_a_limited_number_of_waiting_checks() {
        let queue = CheckQueue::default();
        let client = host("10.0.0.1");
        queue.lock().waiting = (0..64).map(|number| (100 + number, client)).collect();
        assert!(queue.enter(client).is_none());
        queue.lock().waiting.clear();
        assert!(queue.enter(client).is_some());
    }
}
