//! Accepting, serving and shutting down connections.
//!
//! The accept loop is here. It never waits for a client, so one slow client cannot delay others. To read the source, start with
//! [`connection`], which serves one connection.

#[cfg(feature = "tls")]
pub mod certificates;
pub mod close_reason;
pub mod connection;
mod exchange;
pub mod explain;
mod explain_text;
pub mod listener;
pub mod proxy_protocol;
pub mod registry;
mod request_body;
pub mod response_writer;
#[cfg(feature = "tls")]
pub mod self_signed;
mod thread_pool;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use log::{info, warn};

use crate::handlers::AppState;
use crate::http::forwarded::{PeerAddr, PeerHost};
use crate::net::socket::{AcceptError, Listener, Socket, SocketTransport, wait_for_connection};
use crate::net::tls::Tls;
use crate::os::signals::{SIGNAL_DEBOUNCE, ShutdownSignal};
use crate::os::systemd::State;
use crate::server::listener::Listeners;
use crate::server::registry::{Admission, ConnectionEntry, ConnectionGuard, ConnectionRegistry};
use crate::server::thread_pool::ThreadPool;
use crate::telemetry::counted;
use crate::telemetry::metrics::Metrics;

/// Connections accepted from one listener before the next listener gets its turn.
const ACCEPTS_PER_LISTENER: usize = 64;
/// The first pause when the system has run out of a resource; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(1);
const BACKOFF_MAX: Duration = Duration::from_millis(200);
/// How long a new connection is held while no other is old enough to be evicted; then it gets a 503. By then every connection that was too
/// recent has sent its whole head, or can be evicted.
const HELD_MAX: Duration = Duration::from_millis(100);
/// The longest pause while a connection is held: another connection may end during the pause.
const HELD_PAUSE_MAX: Duration = Duration::from_millis(2);
/// The most rejected connections that linger at the same time, since each needs a descriptor. A low connection limit lowers it to an eighth
/// of that limit.
const REJECTED_MAX: usize = 64;
/// How long a rejected connection lingers, so that the client can read the 503.
const LINGER: Duration = Duration::from_secs(2);
/// During shutdown, a connection is evicted once it has been idle this long. If it were evicted at once, a client that had just sent its
/// next request, as proxies do, would not know whether it was received. Such a request is answered with `Connection: close`.
const SHUTDOWN_IDLE_AGE: Duration = Duration::from_millis(100);
/// How long queued connections are accepted during shutdown: enough for a full queue of 4,096.
const SHUTDOWN_ACCEPT_TIME: Duration = Duration::from_secs(1);
/// During shutdown, a connection with an incomplete head is evicted at this age.
const SHUTDOWN_HEAD_AGE: Duration = Duration::from_secs(1);
/// How often the shutdown looks for connections that have ended.
const SHUTDOWN_CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// The TLS of the server, with messages about its certificate and a function that reloads it. Never constructed in a build without TLS.
pub struct ServerTls {
    /// The configuration of connections.
    pub tls: Tls,
    /// The fingerprint of a self-signed certificate.
    pub fingerprint: Option<String>,
    /// Why a self-signed certificate cannot be stored.
    pub warning: Option<String>,
    /// Reads the files again, and returns when that is done; `None` if there are no files.
    pub reload: Option<Arc<dyn Fn() + Send + Sync>>,
}

/// Serves until a signal requests shutdown, then finishes the requests that have begun.
///
/// When the shutdown timeout is over, `exit` is called with the number of open connections. It must end the process, since a thread that
/// waits for an unresponsive file system cannot be ended. With `tls`, TCP connections are encrypted.
pub fn run(listeners: Listeners, app: &AppState, tls: Option<&Tls>, connections_max: usize, exit: &(dyn Fn(usize) + Sync)) {
    let registry = ConnectionRegistry::new(connections_max);
    let work = |admitted: ConnectionGuard<'_>| {
        let ConnectionEntry { socket, peer, state, .. } = &*admitted.entry;
        let on_wait = |since| state.set_waiting_since(since);
        let transport = SocketTransport { socket, on_wait: &on_wait };
        let memory = app.memory.hold_none(Some(admitted.entry.clone()));
        match tls_for(tls, *peer) {
            Some(tls) => connection::serve_connection(tls.accept(transport), *peer, app, state, memory),
            None => connection::serve_connection(transport, *peer, app, state, memory),
        }
    };
    thread::scope(|scope| {
        let mut acceptor = Acceptor {
            app,
            tls,
            registry: &registry,
            threads: ThreadPool::new(scope, &work),
            held: None,
            rejected: VecDeque::new(),
            backoff: BACKOFF_MIN,
        };
        acceptor.run(&listeners.sockets, &app.stop, None);
        let signalled = Instant::now();
        app.notify.notify(State::Stopping);
        let drain_time = app.config.proxies.drain;
        if !drain_time.is_zero() {
            info!("draining for {} s: new connections are still served, and /health returns 503", drain_time.as_secs());
            // Not `app.stop`: it is already requested, and would end the loop at once.
            let (no_signal, until) = (ShutdownSignal::default(), signalled.checked_add(drain_time));
            acceptor.run(&listeners.sockets, &no_signal, signalled.checked_add(drain_time.min(SIGNAL_DEBOUNCE)));
            app.stop.arm_second_signal();
            acceptor.run(&listeners.sockets, &no_signal, until);
        }
        info!("shutting down: {}", counted(registry.count(), "active connection"));
        let began = Instant::now();
        // The kernel has already connected the clients in its queue, and they may have sent a request.
        let until = began.checked_add(SHUTDOWN_ACCEPT_TIME.min(app.config.limits.shutdown_timeout));
        while acceptor.accept_from(&listeners.sockets, &app.stop, until) == AcceptResult::Accepted {}
        drop(listeners);
        acceptor.threads.shutdown();
        let left = wait_for_connections(&registry, app, signalled, began);
        if left > 0 {
            exit(left);
        }
    })
}

/// Returns TLS for a connection, unless it came through a Unix socket.
fn tls_for(tls: Option<&Tls>, peer: PeerAddr) -> Option<&Tls> {
    tls.filter(|_| peer.address != PeerHost::Unix)
}

/// Waits until all connections have ended, or the shutdown timeout, counted from `began`, is over. Returns how many are still open.
fn wait_for_connections(registry: &ConnectionRegistry, app: &AppState, signalled: Instant, began: Instant) -> usize {
    loop {
        if signalled.elapsed() >= SIGNAL_DEBOUNCE {
            app.stop.arm_second_signal();
        }
        // Repeatedly, since a connection that was active before may be idle now.
        registry.evict_waiting(Instant::now(), SHUTDOWN_IDLE_AGE, SHUTDOWN_HEAD_AGE);
        // Also before the last look: the threads of evicted connections need a moment to end.
        thread::sleep(SHUTDOWN_CHECK_INTERVAL);
        let left = registry.count();
        if left == 0 || began.elapsed() >= app.config.limits.shutdown_timeout {
            return left;
        }
    }
}

/// The accept loop.
struct Acceptor<'a, 'scope, 'env> {
    app: &'a AppState,
    tls: Option<&'a Tls>,
    registry: &'env ConnectionRegistry,
    threads: ThreadPool<'scope, 'env, ConnectionGuard<'env>>,
    /// A connection that cannot be admitted yet, and since when it is held. Meanwhile, new ones stay in the queue of the kernel.
    held: Option<(Socket, PeerAddr, Instant)>,
    /// Connections that got a 503 and have not ended yet.
    rejected: VecDeque<(Socket, Instant)>,
    /// The next pause when the system has run out of a resource.
    backoff: Duration,
}

/// The result of [`Acceptor::accept_from`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AcceptResult {
    /// No connection was waiting, or the time to accept them is over.
    WouldBlock,
    /// At least one connection was accepted.
    Accepted,
    /// A connection is held; this is the time until the next attempt to admit it.
    Held(Duration),
    /// The system has run out of a resource.
    OutOfResources,
}

impl<'scope, 'env: 'scope> Acceptor<'_, 'scope, 'env> {
    /// Accepts connections until `stop` is requested or `until` is reached.
    fn run(&mut self, sockets: &[Listener], stop: &ShutdownSignal, until: Option<Instant>) {
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if stop.is_requested() || left == Some(Duration::ZERO) {
                return;
            }
            let result = self.accept_from(sockets, stop, until);
            self.drain_rejected();
            // While rejected connections linger, they are looked at this often.
            let limit = (!self.rejected.is_empty()).then_some(BACKOFF_MAX).into_iter().chain(left).min();
            match result {
                AcceptResult::Accepted => {}
                AcceptResult::Held(pause) => stop.pause(pause),
                // The guard waits. If the system cannot wait, the next arm pauses.
                AcceptResult::WouldBlock if wait_for_connection(sockets, stop.wake_fd.as_deref(), limit).is_ok() => {}
                AcceptResult::WouldBlock | AcceptResult::OutOfResources => self.back_off(stop),
            }
        }
    }

    /// Accepts the connections that wait at each listener, up to a limit, and none after `until` or while one is held.
    fn accept_from(&mut self, sockets: &[Listener], stop: &ShutdownSignal, until: Option<Instant>) -> AcceptResult {
        let mut result = AcceptResult::WouldBlock;
        if let Some((connection, peer, since)) = self.held.take() {
            result = self.admit(connection, peer, since, stop);
        }
        for socket in sockets {
            for _ in 0..ACCEPTS_PER_LISTENER {
                if matches!(result, AcceptResult::Held(_)) {
                    return result;
                }
                if until.is_some_and(|until| Instant::now() >= until) {
                    return AcceptResult::WouldBlock;
                }
                match socket.accept() {
                    Ok((connection, peer)) => {
                        self.backoff = BACKOFF_MIN;
                        self.app.metrics.iter().for_each(Metrics::accepted);
                        result = self.admit(connection, peer, Instant::now(), stop);
                    }
                    Err(error) => match AcceptError::from_io_error(&error) {
                        AcceptError::WouldBlock => break,
                        AcceptError::Transient => {}
                        AcceptError::OutOfResources => {
                            warn!("cannot accept connections: {error}; evicting one connection");
                            self.rejected.pop_front();
                            self.registry.evict_one(Instant::now());
                            return AcceptResult::OutOfResources;
                        }
                    },
                }
            }
        }
        result
    }

    /// Registers a connection and starts serving it, rejects it, or holds it if no other is old enough to be evicted.
    fn admit(&mut self, connection: Socket, peer: PeerAddr, since: Instant, stop: &ShutdownSignal) -> AcceptResult {
        let now = Instant::now();
        match self.registry.admit(connection, peer, now) {
            Admission::Admitted(admitted) => self.spawn(admitted, stop),
            Admission::Full(connection, Some(wait)) if now < since + HELD_MAX && !stop.is_requested() => {
                self.held = Some((connection, peer, since));
                return AcceptResult::Held(wait.min(HELD_PAUSE_MAX));
            }
            Admission::Full(connection, _) => self.reject(connection, peer),
        }
        AcceptResult::Accepted
    }

    /// Gives an admitted connection a thread: a new one, or that of an evicted connection.
    fn spawn(&mut self, admitted: ConnectionGuard<'env>, stop: &ShutdownSignal) {
        let Err((admitted, error)) = self.threads.spawn(admitted) else { return };
        // Above the limit, `admit` has already evicted one.
        if self.registry.count() <= self.registry.connections_max {
            self.registry.evict_one(Instant::now());
        }
        warn!("cannot start a thread: {error}; evicting one connection");
        stop.pause(BACKOFF_MIN);
        let Err((admitted, _)) = self.threads.spawn(admitted) else { return };
        let (connection, peer) = (admitted.entry.socket.try_clone(), admitted.entry.peer);
        drop(admitted);
        if let Ok(connection) = connection {
            self.reject(connection, peer);
        }
    }

    /// Sends a 503, without ever waiting for the client. With TLS that would need a handshake, so the connection is closed.
    fn reject(&mut self, connection: Socket, peer: PeerAddr) {
        self.app.metrics.iter().for_each(Metrics::rejected);
        if tls_for(self.tls, peer).is_some() || connection.set_nonblocking(true).is_err() {
            return;
        }
        // The empty send buffer of a new socket takes these few hundred bytes at once.
        let _ = (&connection).write(&response_writer::service_unavailable(&self.app.config.default_headers, SystemTime::now()));
        let _ = connection.shutdown(Shutdown::Write);
        if self.rejected.len() >= REJECTED_MAX.min(self.registry.connections_max / 8) {
            self.rejected.pop_front();
        }
        self.rejected.push_back((connection, Instant::now()));
    }

    /// Reads what rejected clients still send, since closing with unread bytes would reset the connection before the client reads the 503.
    fn drain_rejected(&mut self) {
        let mut scratch = [0; 2048];
        self.rejected.retain_mut(|(connection, since)| match (&*connection).read(&mut scratch) {
            Ok(0) => false,
            Ok(_) => since.elapsed() < LINGER,
            Err(error) => error.kind() == ErrorKind::WouldBlock && since.elapsed() < LINGER,
        });
    }

    /// Pauses, twice as long each time in a row.
    fn back_off(&mut self, stop: &ShutdownSignal) {
        stop.pause(self.backoff);
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
    }
}
