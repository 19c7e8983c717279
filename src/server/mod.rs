//! Accepting, serving and shutting down connections.
//!
//! The accept loop is here; [`connection`] serves one connection and is the file to read first.

pub mod close_reason;
pub mod conn_state;
pub mod connection;
pub mod delivery;
pub mod exchange;
pub mod explain;
pub mod explain_bytes;
pub mod explain_connection;
pub mod explain_decisions;
pub mod explain_statuses;
pub mod explain_text;
pub mod file_buffer;
pub mod listener;
pub mod proxy_header;
pub mod proxy_protocol;
pub mod registry;
pub mod request_body;
pub mod response_framing;
pub mod response_writer;
pub mod thread_pool;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use log::{info, warn};

use crate::config::headers::DefaultHeaders;
use crate::handlers::AppState;
use crate::http::peer::PeerAddr;
use crate::net::socket::{Listener, Socket};
use crate::os::signals::ShutdownSignal;
use crate::os::systemd::State;
use crate::server::listener::{AcceptError, Listeners, accept};
use crate::server::registry::{Admission, ConnectionGuard, ConnectionRegistry};
use crate::server::thread_pool::ThreadPool;
use crate::telemetry::metrics::Metrics;

/// Connections taken from one listener before the next has its turn.
const ACCEPTS_PER_LISTENER: usize = 64;
/// Looks for another connection before the loop goes to sleep.
const BUSY_POLLS: u32 = 4;
/// The first pause when the system has run out of something; it doubles up to the last.
const BACKOFF_MIN: Duration = Duration::from_millis(1);
/// The longest pause.
const BACKOFF_MAX: Duration = Duration::from_millis(200);
/// How often a seat is looked for before a connection is turned away.
const ADMISSION_TRIES: usize = 4;
/// Connections that have been turned away and are still listened to. Each is a descriptor; those beyond are cut, and so are those
/// beyond an eighth of the seats.
const REJECTED_MAX: usize = 64;
/// How long those are listened to, so that they get to read why.
const LINGER: Duration = Duration::from_secs(2);
/// How long a connection that has had its last answer is still waited for when we are asked to stop: a client that asks again at once, as
/// proxies do, has its next request on the way, and would have to guess whether we have read it. It is answered with `Connection: close`.
const IDLE_AGE_WHEN_STOPPING: Duration = Duration::from_millis(100);
/// How long a connection that was accepted when we were asked to stop, and has not sent a whole head yet, is still waited for.
const HEAD_AGE_WHEN_STOPPING: Duration = Duration::from_secs(1);

/// What came of stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownResult {
    /// Every request that had begun was answered.
    Graceful,
    /// Time was over; so many connections were cut.
    Forced(usize),
}

/// Serves until someone asks to stop; then finishes what has begun.
///
/// When the grace time is over, `cut` is called: it must end the process, since a thread that waits for a dead file system
/// cannot be ended otherwise.
pub fn run(
    listeners: Listeners,
    app: &AppState,
    connections_max: usize,
    cut: &(dyn Fn(ShutdownResult) + Sync),
) -> ShutdownResult {
    let live = ConnectionRegistry::new(connections_max);
    let work = |admitted: ConnectionGuard<'_>| {
        let seat = &admitted.entry;
        connection::serve_connection(&seat.socket, seat.peer, app, &seat.slot);
    };
    thread::scope(|scope| {
        let workers = ThreadPool::new(scope, &work);
        let mut door = Acceptor {
            common: &app.config.common,
            metrics: app.metrics.as_ref(),
            live: &live,
            workers: &workers,
            rejected: VecDeque::new(),
            pause: BACKOFF_MIN,
            looks: 0,
        };
        door.receive(&listeners, &app.stop, None);
        app.stop.arm_second_signal();
        app.notify.notify(State::Stopping);
        let drain_time = app.config.proxies.drain;
        if !drain_time.is_zero() {
            info!("draining for {} s: newcomers are still served, and /health says 503", drain_time.as_secs());
            // What wakes us when we are asked to stop has done so, and would not let us wait any more.
            door.receive(&listeners, &ShutdownSignal::default(), Instant::now().checked_add(drain_time));
        }
        info!("stopping: {} connections to finish", live.count());
        // What waits in the kernel's queue has been promised an answer.
        while door.accept_from(listeners.sockets(), &app.stop) == AcceptResult::More {}
        drop(listeners);
        workers.shutdown();
        let stopped = drain(&live, app);
        if stopped != ShutdownResult::Graceful {
            cut(stopped);
        }
        stopped
    })
}

/// Waits for the requests in flight.
fn drain(live: &ConnectionRegistry, app: &AppState) -> ShutdownResult {
    let began = Instant::now();
    loop {
        let now = Instant::now();
        // Again and again, for a connection that was answering when we looked may be waiting now.
        live.evict_waiting(now, IDLE_AGE_WHEN_STOPPING, HEAD_AGE_WHEN_STOPPING);
        match live.wait_for_close(Duration::from_millis(20)) {
            0 => return ShutdownResult::Graceful,
            left if began.elapsed() >= app.config.limits.shutdown_timeout => return ShutdownResult::Forced(left),
            _ => {}
        }
    }
}

/// Where connections come in.
struct Acceptor<'door, 'scope, 'env, 'live: 'scope> {
    common: &'door DefaultHeaders,
    /// Where is counted who comes; `None` is nowhere.
    metrics: Option<&'door Metrics>,
    live: &'live ConnectionRegistry,
    workers: &'door ThreadPool<'scope, 'env, ConnectionGuard<'live>>,
    /// Connections that were turned away and have not ended yet.
    rejected: VecDeque<(Socket, Instant)>,
    pause: Duration,
    /// How often to look again before going to sleep.
    looks: u32,
}

/// How a turn of accepting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AcceptResult {
    /// Nobody is left waiting.
    WouldBlock,
    /// There may be more.
    More,
    /// The system has run out of something.
    OutOfResources,
}

impl<'scope, 'env: 'scope, 'live: 'scope> Acceptor<'_, 'scope, 'env, 'live> {
    /// Takes connections until someone asks to stop, or that time has come.
    fn receive(&mut self, listeners: &Listeners, stop: &ShutdownSignal, until: Option<Instant>) {
        loop {
            let now = Instant::now();
            let left = until.map(|until| until.saturating_duration_since(now));
            if stop.is_requested() || left == Some(Duration::ZERO) {
                return;
            }
            let turn = self.accept_from(listeners.sockets(), stop);
            self.drain_rejected();
            let limit = (!self.rejected.is_empty()).then_some(BACKOFF_MAX).into_iter().chain(left).min();
            match turn {
                AcceptResult::More => {}
                AcceptResult::WouldBlock if self.looks_again() => {}
                AcceptResult::WouldBlock if listeners.wait(stop, limit).is_ok() => {}
                AcceptResult::WouldBlock | AcceptResult::OutOfResources => self.pause(stop),
            }
        }
    }

    /// Takes what waits at each listener, up to a turn's worth.
    fn accept_from(&mut self, sockets: &[Listener], stop: &ShutdownSignal) -> AcceptResult {
        let mut turn = AcceptResult::WouldBlock;
        for socket in sockets {
            let mut left = ACCEPTS_PER_LISTENER;
            while left > 0 {
                left -= 1;
                match accept(socket) {
                    Ok((connection, peer)) => {
                        self.pause = BACKOFF_MIN;
                        self.looks = BUSY_POLLS;
                        self.count(Metrics::accepted);
                        self.admit(connection, peer, stop);
                    }
                    Err(error) => match AcceptError::of(&error) {
                        AcceptError::WouldBlock => break,
                        AcceptError::Transient => {}
                        AcceptError::OutOfResources => {
                            warn!("cannot accept: {error}; closing the oldest idle connection");
                            self.rejected.pop_front();
                            self.live.evict_one(Instant::now());
                            return AcceptResult::OutOfResources;
                        }
                    },
                }
            }
            if left == 0 {
                turn = AcceptResult::More;
            }
        }
        turn
    }

    /// Gives a connection a seat and a thread, or an answer that says why not. Where every seat is taken and none is old enough to be
    /// given away, it waits for the first that will be: nobody else could be seated meanwhile.
    fn admit(&mut self, connection: Socket, peer: PeerAddr, stop: &ShutdownSignal) {
        let mut connection = connection;
        for _ in 0..ADMISSION_TRIES {
            match self.live.admit(connection, peer, Instant::now()) {
                Admission::Full(connection) => return self.reject_503(connection),
                Admission::Admitted(admitted) => return self.spawn(admitted),
                Admission::RetryAfter(back, wait) => {
                    connection = back;
                    Listeners::pause(stop, wait);
                }
            }
        }
        self.reject_503(connection);
    }

    /// Gives an admitted connection a thread.
    fn spawn(&mut self, admitted: ConnectionGuard<'live>) {
        let Err((admitted, error)) = self.workers.hand_over(admitted) else { return };
        warn!("cannot start a thread: {error}");
        let connection = admitted.entry.socket.try_clone();
        self.live.evict_one(Instant::now());
        drop(admitted);
        if let Ok(connection) = connection {
            self.reject_503(connection);
        }
    }

    /// Answers 503 without ever waiting for the client.
    fn reject_503(&mut self, connection: Socket) {
        self.count(Metrics::refused);
        if connection.set_nonblocking(true).is_err() {
            return;
        }
        // A fresh socket takes these few hundred bytes at once, or it is gone.
        let _ = (&connection).write(&response_framing::service_unavailable(self.common, SystemTime::now()));
        let _ = connection.shutdown(Shutdown::Write);
        if self.rejected.len() >= REJECTED_MAX.min(self.live.connections_max() / 8) {
            self.rejected.pop_front();
        }
        self.rejected.push_back((connection, Instant::now()));
    }

    fn count(&self, what: impl FnOnce(&Metrics)) {
        if let Some(metrics) = self.metrics {
            what(metrics);
        }
    }

    /// Reads what those that were turned away still send, so that our answer is not reset away; forgets them when they end.
    fn drain_rejected(&mut self) {
        let mut scrap = [0; 2048];
        self.rejected.retain_mut(|(connection, since)| match (&*connection).read(&mut scrap) {
            Ok(0) => false,
            Ok(_) => since.elapsed() < LINGER,
            Err(error) => error.kind() == ErrorKind::WouldBlock && since.elapsed() < LINGER,
        });
    }

    /// Whether to look again before going to sleep: where connections come one upon another, the next is microseconds away. Others run
    /// meanwhile; see `net::busy_poll`.
    fn looks_again(&mut self) -> bool {
        let Some(left) = self.looks.checked_sub(1) else { return false };
        self.looks = left;
        thread::yield_now();
        true
    }

    /// Waits a little, and each time in a row twice as long.
    fn pause(&mut self, stop: &ShutdownSignal) {
        Listeners::pause(stop, self.pause);
        self.pause = (self.pause * 2).min(BACKOFF_MAX);
    }
}
