//! Worker pools: their size, their bounds, and what a panic in a job does to the rest.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use strait_pools::threads::{Builder, PinnedThread, Refusal, WorkerPool, Workers};

fn named(name: &str) -> Builder {
    PinnedThread::builder().name(name)
}

fn allowed() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap();
    (0..1024).filter(|&core| set.is_set(core)).collect()
}

#[test]
fn the_rule_is_one_per_core_and_two_for_input_and_output() {
    let cores = thread::available_parallelism().unwrap().get();
    for (workers, expected) in [(Workers::CpuBound, cores), (Workers::IoBound, 2 * cores)] {
        assert_eq!(workers.count(), expected);
        let pool = WorkerPool::new(named("rule"), workers, 1).unwrap();
        assert_eq!(pool.workers().len(), expected);
    }
}

/// A process confined to one core gets one worker, or two.
#[test]
fn the_rule_counts_only_cores_that_may_be_used() {
    let counts = thread::spawn(|| {
        let mut one = CpuSet::new();
        one.set(allowed()[0]);
        sched_setaffinity(None, &one).unwrap();
        (Workers::CpuBound.count(), Workers::IoBound.count())
    });
    assert_eq!(counts.join().unwrap(), (1, 2));
}

#[test]
fn an_explicit_list_pins_each_worker() {
    let cores = allowed();
    let pool = WorkerPool::new(named("md"), Workers::Cores(cores.clone()), 64).unwrap();
    let pinned: Vec<_> = pool.workers().iter().map(|worker| worker.set_up().core()).collect();
    assert!(pinned.into_iter().eq(cores.iter().copied().map(Some)));
    assert_eq!(pool.workers()[0].name(), "md-0");
    let (sender, receiver) = mpsc::channel();
    for _ in 0..64 {
        let sender = sender.clone();
        pool.submit(move || sender.send(allowed()).unwrap()).unwrap();
    }
    pool.shutdown();
    assert!(receiver.try_iter().all(|on| on.len() == 1 && cores.contains(&on[0])));
}

#[test]
fn a_core_that_is_not_there_means_no_pool() {
    let cores = vec![allowed()[0], 1023];
    let refused = WorkerPool::new(named("md"), Workers::Cores(cores), 1).unwrap_err();
    assert!(refused.to_string().starts_with("thread `md-1` asked for core 1023"), "{refused}");
    let refused = WorkerPool::new(named("md"), Workers::Cores(Vec::new()), 1).unwrap_err();
    assert!(matches!(refused.refusal, Refusal::NoCores), "{refused}");
}

#[test]
fn a_full_queue_returns_the_job() {
    let cores = vec![allowed()[0]];
    let pool = WorkerPool::new(named("small"), Workers::Cores(cores), 2).unwrap();
    let gate = Arc::new(Barrier::new(2));
    let done = Arc::new(AtomicU32::new(0));
    let count = || {
        let done = Arc::clone(&done);
        move || {
            done.fetch_add(1, SeqCst);
        }
    };
    let (entered, in_job) = mpsc::channel();
    let blocker = Arc::clone(&gate);
    pool.submit(move || {
        entered.send(()).unwrap();
        blocker.wait();
    })
    .unwrap();
    // The worker has the first job in hand, so that the queue is empty.
    in_job.recv().unwrap();
    pool.submit(count()).unwrap();
    pool.submit(count()).unwrap();
    let full = pool.submit(count()).unwrap_err();
    assert_eq!(full.to_string(), "the queue of worker pool `small` is full: 2 jobs wait in it");
    // Whoever submits too fast may do the job.
    (full.job)();
    gate.wait();
    pool.shutdown();
    assert_eq!(done.load(SeqCst), 3);
}

#[test]
fn a_job_that_panics_is_reported_and_harms_no_other() {
    let pool = WorkerPool::new(named("risky"), Workers::Cores(vec![allowed()[0]]), 100).unwrap();
    let done = Arc::new(AtomicU32::new(0));
    for number in 0..50 {
        let done = Arc::clone(&done);
        pool.submit(move || {
            assert!(number % 2 == 0, "job {number}");
            done.fetch_add(1, SeqCst);
        })
        .unwrap();
    }
    let panics = pool.shutdown();
    assert_eq!((done.load(SeqCst), panics.count), (25, 25));
    assert_eq!(panics.first[0].to_string(), "thread `risky-0` panicked: job 1");
    assert!(panics.first.len() < 25, "the messages of all panics are kept");
}

#[test]
fn what_waits_is_done_before_the_end() {
    let done = Arc::new(AtomicU32::new(0));
    let pool = WorkerPool::new(named("drain"), Workers::CpuBound, 1000).unwrap();
    for _ in 0..1000 {
        let done = Arc::clone(&done);
        let job = move || {
            done.fetch_add(1, SeqCst);
        };
        pool.submit(job).unwrap();
    }
    drop(pool);
    assert_eq!(done.load(SeqCst), 1000);
}

/// The last handle on a pool may go with a job; the pool then ends from within.
#[test]
fn a_job_may_have_the_last_handle() {
    let pool = WorkerPool::new(named("own"), Workers::Cores(vec![allowed()[0]]), 4).unwrap();
    let pool = Arc::new(pool);
    let (sender, receiver) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let own = Arc::clone(&pool);
    pool.submit(move || {
        // Until this is the last handle.
        let _ = gone.recv();
        drop(own);
        sender.send(()).unwrap();
    })
    .unwrap();
    drop(pool);
    drop(go);
    receiver.recv().expect("the job went on after the pool was gone");
}
