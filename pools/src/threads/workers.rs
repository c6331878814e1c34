//! A pool of threads that take jobs from one bounded queue.

use super::builder::Builder;
use super::error::{Panicked, Refusal, SpawnError, message_of};
use super::pinned::{Context, PinnedThread};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use thiserror::Error;

/// How many panics keep their message; the rest are counted.
const PANICS_KEPT: usize = 16;

/// What a worker does.
pub type Job = Box<dyn FnOnce() + Send>;

/// How many workers, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Workers {
    /// As many as this process may use cores, for jobs that compute.
    CpuBound,
    /// Twice as many, for jobs that mostly wait for input and output.
    IoBound,
    /// One pinned to each of these cores.
    Cores(Vec<usize>),
}

impl Workers {
    /// How many that is.
    ///
    /// The cores that this process may use are those of its affinity mask, within the quota of its
    /// control group; one, where the system does not say.
    pub fn count(&self) -> usize {
        let cores = || available_parallelism().map_or(1, usize::from);
        match self {
            Self::CpuBound => cores(),
            Self::IoBound => 2 * cores(),
            Self::Cores(list) => list.len(),
        }
    }
}

/// The queue has no room; here is the job.
#[derive(Error)]
#[error("the queue of worker pool `{pool}` is full: {limit} jobs wait in it")]
pub struct Full {
    /// What was to be done.
    pub job: Job,
    /// The pool's name.
    pub pool: String,
    /// How many jobs its queue holds.
    pub limit: usize,
}

impl fmt::Debug for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Full({self})")
    }
}

/// The jobs of a pool that panicked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Panics {
    /// How many there were.
    pub count: u64,
    /// The first few of them: which worker, and what the panic said.
    pub first: Vec<Panicked>,
}

/// Threads that take jobs from one bounded queue, each as soon as it has finished the one before.
/// Idle, they sleep.
///
/// ```
/// use std::sync::mpsc;
/// use strait_pools::threads::{PinnedThread, WorkerPool, Workers};
///
/// let pool = WorkerPool::new(PinnedThread::builder().name("parse"), Workers::CpuBound, 1024)?;
/// let (sender, receiver) = mpsc::channel();
/// for number in 0..10_u64 {
///     let sender = sender.clone();
///     pool.submit(move || sender.send(number * number).expect("somebody listens"))?;
/// }
/// let panics = pool.shutdown(); // when all jobs are done
/// assert_eq!(receiver.try_iter().sum::<u64>(), 285);
/// assert_eq!(panics.count, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Dropped, it finishes the jobs that wait and then ends its threads, as [`shutdown`](Self::shutdown)
/// does.
pub struct WorkerPool {
    name: String,
    limit: usize,
    /// `None` while the pool shuts down: workers end when the queue is empty and has no sender.
    jobs: Option<Sender<Job>>,
    workers: Vec<PinnedThread>,
    panics: Arc<Mutex<Panics>>,
}

impl WorkerPool {
    /// Starts `workers` threads like `thread`, numbered behind its name, before a queue for `limit`
    /// jobs (at least one).
    ///
    /// # Errors
    ///
    /// A thread cannot be started or set up; those before it have then ended again. Or the list of
    /// cores is empty.
    pub fn new(thread: Builder, workers: Workers, limit: usize) -> Result<Self, SpawnError> {
        let limit = limit.max(1);
        let name = thread.base_name().to_owned();
        if workers.count() == 0 {
            return Err(SpawnError { thread: name, refusal: Refusal::NoCores });
        }
        let (sender, jobs) = bounded(limit);
        let mut pool = Self {
            name,
            limit,
            jobs: Some(sender),
            workers: Vec::with_capacity(workers.count()),
            panics: Arc::default(),
        };
        for number in 0..workers.count() {
            let mut worker = thread.clone().name(format!("{}-{number}", pool.name));
            if let Workers::Cores(cores) = &workers {
                worker = worker.core(cores[number]);
            }
            let (jobs, panics) = (jobs.clone(), Arc::clone(&pool.panics));
            pool.workers
                .push(worker.spawn(move |context: &mut Context| work(context, &jobs, &panics))?);
        }
        Ok(pool)
    }

    /// Puts a job into the queue; never waits.
    ///
    /// # Errors
    ///
    /// The queue is full. The job comes back, to be tried again or done by the caller.
    pub fn submit(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Full> {
        self.submit_boxed(Box::new(job))
    }

    /// As [`submit`](Self::submit), for a job that came back.
    ///
    /// # Errors
    ///
    /// The queue is full.
    pub fn submit_boxed(&self, job: Job) -> Result<(), Full> {
        let full = |job| Full { job, pool: self.name.clone(), limit: self.limit };
        match &self.jobs {
            Some(jobs) => jobs.try_send(job).map_err(|refused| full(refused.into_inner())),
            None => Err(full(job)),
        }
    }

    /// The threads, for their names and how they were set up.
    pub fn workers(&self) -> &[PinnedThread] {
        &self.workers
    }

    /// The jobs that panicked so far.
    pub fn panics(&self) -> Panics {
        lock(&self.panics).clone()
    }

    /// Waits until all jobs in the queue are done, ends the threads, and tells which jobs panicked.
    pub fn shutdown(mut self) -> Panics {
        self.drain();
        self.panics()
    }

    fn drain(&mut self) {
        self.jobs = None;
        self.workers.clear();
    }
}

impl Drop for WorkerPool {
    fn drop(&mut self) {
        self.drain();
    }
}

impl fmt::Debug for WorkerPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPool")
            .field("name", &self.name)
            .field("limit", &self.limit)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

/// Does jobs until there are none and will be none.
fn work(context: &mut Context, jobs: &Receiver<Job>, panics: &Mutex<Panics>) {
    for job in jobs {
        // What a job shares with others it must leave sound if it panics, as in any thread.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(job)) {
            let mut panics = lock(panics);
            panics.count += 1;
            if panics.first.len() < PANICS_KEPT {
                let (thread, message) = (context.name().to_owned(), message_of(&*payload));
                panics.first.push(Panicked { thread, message });
            }
        }
    }
}

/// Nobody panics with the lock in hand, and a list of panics cannot be left half-written.
fn lock(panics: &Mutex<Panics>) -> MutexGuard<'_, Panics> {
    panics.lock().unwrap_or_else(PoisonError::into_inner)
}
