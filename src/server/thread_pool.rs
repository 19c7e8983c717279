//! Threads that serve one connection after the other.
//!
//! Starting a thread costs more than a small request, so a thread that has finished a connection waits some seconds for another. There
//! is no limit here: `registry.rs` limits the connections, and each has a thread of its own.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};
use std::time::Duration;

use log::error;

/// How long a thread waits for another job before it ends: longer than the pause between two bursts.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection needs at most 48 KiB (a panic with a backtrace); pages that are never touched cost nothing.
const STACK_BYTES: usize = 256 * 1024;

/// A pool of threads. Every job gets a thread at once: an idle one, or a new one.
pub(super) struct ThreadPool<'scope, 'env, J: Send> {
    scope: &'scope Scope<'scope, 'env>,
    work: &'env (dyn Fn(J) + Sync),
    shared: Arc<Shared<J>>,
}

struct Shared<J> {
    /// Guards the queue, for a few lines at a time.
    queue: Mutex<Queue<J>>,
    changed: Condvar,
}

struct Queue<J> {
    jobs: VecDeque<J>,
    /// Threads that are starting, or wait for a job. There are never fewer of them than jobs.
    idle: usize,
    /// Those of them that sleep: only these need to be woken, which is a system call.
    asleep: usize,
    shutdown: bool,
}

impl<'scope, 'env: 'scope, J: Send + 'scope> ThreadPool<'scope, 'env, J> {
    /// Creates a pool without threads. Each job is passed to `work`.
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>, work: &'env (dyn Fn(J) + Sync)) -> Self {
        let queue = Queue { jobs: VecDeque::new(), idle: 0, asleep: 0, shutdown: false };
        ThreadPool { scope, work, shared: Arc::new(Shared { queue: Mutex::new(queue), changed: Condvar::new() }) }
    }

    /// Starts a job.
    ///
    /// # Errors
    /// The job, if it needs a new thread and the system cannot start one.
    pub(super) fn spawn(&mut self, job: J) -> Result<(), (J, io::Error)> {
        let mut queue = self.shared.lock();
        queue.jobs.push_back(job);
        if queue.idle >= queue.jobs.len() {
            let wake = queue.asleep > 0;
            drop(queue);
            if wake {
                self.shared.changed.notify_one();
            }
            return Ok(());
        }
        queue.idle += 1;
        drop(queue);
        let (work, shared) = (self.work, Arc::clone(&self.shared));
        let spawned = Builder::new().stack_size(STACK_BYTES).spawn_scoped(self.scope, move || shared.run(work));
        let Err(error) = spawned else { return Ok(()) };
        let mut queue = self.shared.lock();
        queue.idle -= 1;
        // The last job is this one, unless another thread has taken it meanwhile.
        let job = if queue.jobs.len() > queue.idle { queue.jobs.pop_back() } else { None };
        job.map_or(Ok(()), |job| Err((job, error)))
    }

    /// Ends all idle threads. Those that work end after their job.
    pub(super) fn shutdown(&self) {
        self.shared.lock().shutdown = true;
        self.shared.changed.notify_all();
    }
}

impl<J: Send> Shared<J> {
    /// Runs one job after the other, until there is none for [`IDLE_TIMEOUT`].
    fn run(&self, work: &(dyn Fn(J) + Sync)) {
        while let Some(job) = self.next_job() {
            // A bug costs one connection. What the job owns is released while its stack unwinds.
            if catch_unwind(AssertUnwindSafe(|| work(job))).is_err() {
                error!("connection ended in a panic");
            }
            self.lock().idle += 1;
        }
    }

    /// Waits for a job. The thread is counted as idle before and no longer counted afterwards.
    fn next_job(&self) -> Option<J> {
        let mut queue = self.lock();
        if queue.jobs.is_empty() && !queue.shutdown {
            queue.asleep += 1;
            let is_idle = |queue: &mut Queue<J>| queue.jobs.is_empty() && !queue.shutdown;
            (queue, _) = self.changed.wait_timeout_while(queue, IDLE_TIMEOUT, is_idle).unwrap_or_else(PoisonError::into_inner);
            queue.asleep -= 1;
        }
        queue.idle -= 1;
        queue.jobs.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, Queue<J>> {
        // The queue is consistent after each line, so a panic elsewhere has not damaged it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Instant;

    use super::*;

    #[test]
    fn finished_thread_takes_the_next_job_even_after_a_panic() {
        let (done, results) = mpsc::channel();
        let done = Mutex::new(done);
        let work = |job: u32| {
            done.lock().unwrap_or_else(PoisonError::into_inner).send(thread::current().id()).unwrap();
            assert!(job != 3, "job 3 panics");
        };
        thread::scope(|scope| {
            let mut pool = ThreadPool::new(scope, &work);
            let mut threads = HashSet::new();
            for job in 0..50 {
                assert!(pool.spawn(job).is_ok());
                threads.insert(results.recv().unwrap());
                while pool.shared.lock().idle == 0 {
                    thread::yield_now();
                }
            }
            assert_eq!(threads.len(), 1, "one thread is enough for one job after the other");
            pool.shutdown();
        });
    }

    #[test]
    fn jobs_at_the_same_time_have_threads_of_their_own() {
        let barrier = std::sync::Barrier::new(8);
        let work = |_: u32| {
            barrier.wait();
        };
        thread::scope(|scope| {
            let mut pool = ThreadPool::new(scope, &work);
            for job in 0..8 {
                assert!(pool.spawn(job).is_ok());
            }
            pool.shutdown();
        });
    }

    #[test]
    fn shutdown_ends_idle_threads_at_once() {
        let work = |_: u32| {};
        let began = Instant::now();
        thread::scope(|scope| {
            let mut pool = ThreadPool::new(scope, &work);
            assert!(pool.spawn(1).is_ok());
            while pool.shared.lock().asleep == 0 {
                thread::yield_now();
            }
            pool.shutdown();
        });
        assert!(began.elapsed() < IDLE_TIMEOUT, "the thread would have waited so long");
    }
}
