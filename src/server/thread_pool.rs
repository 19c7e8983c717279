//! Who serves the next connection? A thread of its own, always; but not always a new one.
//!
//! Starting a thread costs more than a small request. So a thread that has finished its connection waits a few seconds for another.
//! The newest waits on top of the stack: the others are left to sleep until their time is over.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder, Scope};
use std::time::Duration;

use log::error;

/// How long a thread waits for another connection. Long enough for the next burst, short enough not to keep memory for nothing.
const WAIT: Duration = Duration::from_secs(5);

/// How often a thread looks for its next job before it goes to sleep.
const LOOKS: usize = 4;

/// 256 KiB: what a connection needs at most is 48 (a panic with a backtrace), and untouched pages cost nothing.
const STACK_BYTES: usize = 256 * 1024;

/// Threads, each for one job at a time.
pub struct ThreadPool<'scope, 'env, J: Send> {
    scope: &'scope Scope<'scope, 'env>,
    work: &'env (dyn Fn(J) + Sync),
    waiting: Arc<Waiting<J>>,
}

/// Threads that have finished and wait for another job; the newest last.
struct Waiting<J> {
    /// Guards the list, for a few lines at a time. `None` when all have been sent home.
    stack: Mutex<Option<Vec<Arc<Worker<J>>>>>,
}

/// The hand that a job is put into.
struct Worker<J> {
    /// Guards the job on its way from one thread to the other.
    mailbox: Mutex<Mailbox<J>>,
    given: Condvar,
}

struct Mailbox<J> {
    job: Option<J>,
    /// Whether the thread must be woken: that is a system call, which a thread that is awake can be spared.
    sleeps: bool,
    /// Whether there will be no other job.
    shutdown: bool,
}

impl<'scope, 'env: 'scope, J: Send + 'scope> ThreadPool<'scope, 'env, J> {
    /// Creates an empty pool. All its threads do `work`.
    pub fn new(scope: &'scope Scope<'scope, 'env>, work: &'env (dyn Fn(J) + Sync)) -> Self {
        ThreadPool { scope, work, waiting: Arc::new(Waiting { stack: Mutex::new(Some(Vec::new())) }) }
    }

    /// Gives a job to a thread that waits, or to a new one.
    ///
    /// # Errors
    /// The job, when no thread could be started: the system has a limit, and it is reached.
    pub fn hand_over(&self, job: J) -> Result<(), (J, io::Error)> {
        let mut stack = lock(&self.waiting.stack);
        if let Some(hand) = stack.as_mut().and_then(Vec::pop) {
            // With the list still locked: a thread that finds itself gone from it must find its job too.
            hand.send(job);
            return Ok(());
        }
        drop(stack);
        let palm = Mailbox { job: Some(job), sleeps: false, shutdown: false };
        let hand = Arc::new(Worker { mailbox: Mutex::new(palm), given: Condvar::new() });
        let (work, waiting, mine) = (self.work, Arc::clone(&self.waiting), Arc::clone(&hand));
        let started = Builder::new().stack_size(STACK_BYTES).spawn_scoped(self.scope, move || worker_loop(work, &waiting, &mine));
        match started {
            Ok(_) => Ok(()),
            Err(error) => match hand.take() {
                Some(job) => Err((job, error)),
                None => Ok(()),
            },
        }
    }

    /// Sends all that wait home. Those that work go home when they have finished.
    pub fn shutdown(&self) {
        for hand in lock(&self.waiting.stack).take().into_iter().flatten() {
            hand.shutdown();
        }
    }
}

/// The life of a thread: a job, and another as long as there are any.
fn worker_loop<J: Send>(work: &(dyn Fn(J) + Sync), waiting: &Waiting<J>, mine: &Arc<Worker<J>>) {
    while let Some(job) = mine.take() {
        // A bug costs one connection. What the job owned is given back while its stack unwinds.
        if catch_unwind(AssertUnwindSafe(|| work(job))).is_err() {
            error!("a connection ended in a panic; the others go on");
        }
        match lock(&waiting.stack).as_mut() {
            Some(stack) => stack.push(Arc::clone(mine)),
            None => return,
        }
        if !mine.wait() {
            // If it is no longer in the list, someone has taken it out: to give it a job, or to send it home.
            if let Some(stack) = lock(&waiting.stack).as_mut() {
                // The oldest stands first, and its time is over first.
                if let Some(place) = stack.iter().position(|hand| Arc::ptr_eq(hand, mine)) {
                    stack.remove(place);
                }
            }
        }
    }
}

impl<J> Worker<J> {
    fn send(&self, job: J) {
        let mut palm = lock(&self.mailbox);
        palm.job = Some(job);
        let sleeps = palm.sleeps;
        drop(palm);
        if sleeps {
            self.given.notify_one();
        }
    }

    fn shutdown(&self) {
        lock(&self.mailbox).shutdown = true;
        self.given.notify_one();
    }

    /// Waits for a job; whether there is one. Under load the next one is microseconds away, so it first looks a few times, and lets
    /// others run between two looks; see `net::busy_poll`.
    fn wait(&self) -> bool {
        for _ in 0..LOOKS {
            thread::yield_now();
            if lock(&self.mailbox).job.is_some() {
                return true;
            }
        }
        let mut palm = lock(&self.mailbox);
        // Whoever sent us home while we looked found nobody asleep to wake.
        if palm.job.is_some() || palm.shutdown {
            return palm.job.is_some();
        }
        palm.sleeps = true;
        let (mut palm, _) = self.given.wait_timeout(palm, WAIT).unwrap_or_else(PoisonError::into_inner);
        palm.sleeps = false;
        palm.job.is_some()
    }

    fn take(&self) -> Option<J> {
        lock(&self.mailbox).job.take()
    }
}

/// All that these locks guard is right after each line, so a panic elsewhere has not spoilt it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_finished_thread_takes_the_next_job_and_a_panic_ends_nothing() {
        let (done, results) = mpsc::channel();
        let done = Mutex::new(done);
        let work = |job: u32| {
            let me = thread::current().id();
            lock(&done).send(me).unwrap();
            assert!(job != 3, "job 3 panics");
        };
        thread::scope(|scope| {
            let workers = ThreadPool::new(scope, &work);
            let mut threads = HashSet::new();
            for job in 0..50 {
                assert!(workers.hand_over(job).is_ok());
                threads.insert(results.recv().unwrap());
                while lock(&workers.waiting.stack).as_ref().unwrap().is_empty() {
                    thread::yield_now();
                }
            }
            assert_eq!(threads.len(), 1, "one after the other, one thread is enough");
            workers.shutdown();
        });
    }

    #[test]
    fn jobs_at_the_same_time_have_threads_of_their_own() {
        let barrier = std::sync::Barrier::new(8);
        let work = |_: u32| {
            barrier.wait();
        };
        thread::scope(|scope| {
            let workers = ThreadPool::new(scope, &work);
            for job in 0..8 {
                assert!(workers.hand_over(job).is_ok());
            }
            workers.shutdown();
        });
    }

    #[test]
    fn who_is_sent_home_before_it_sleeps_does_not_sleep() {
        let hand: Worker<u32> =
            Worker { mailbox: Mutex::new(Mailbox { job: None, sleeps: false, shutdown: false }), given: Condvar::new() };
        hand.shutdown();
        let began = std::time::Instant::now();
        assert!(!hand.wait());
        assert!(began.elapsed() < WAIT, "it would have slept so long");
    }
}
