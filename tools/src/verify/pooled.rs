//! Pooled service objects, and the guide's own pool beside ours: a queue under a lock.

use super::judge::{Behaviour, Beside};
use super::lab::{Lab, ROUNDS, effort, median};
use super::peer;
use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;
use std::time::Instant;
use strait_pools::objects::ObjectPool;

/// Objects, as in the guide.
const LIMIT: u16 = 100;

/// Loans per thread and round.
const LOANS: u64 = effort(500_000);

/// A service object with some state to reset.
#[derive(Debug, Default)]
struct Connection {
    requests: u64,
}

impl Connection {
    fn use_once(&mut self) {
        self.requests = black_box(self.requests + 1);
    }

    fn reset(&mut self) {
        self.requests = 0;
    }
}

fn pool() -> ObjectPool<Connection> {
    ObjectPool::new("connections", LIMIT, Connection::default, Connection::reset)
}

/// The guide's listing.
#[derive(Debug, Default)]
struct Listing {
    free: Mutex<VecDeque<Box<Connection>>>,
}

impl Listing {
    fn get(&self) -> Box<Connection> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.pop_front().unwrap_or_default()
    }

    fn give_back(&self, mut connection: Box<Connection>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < usize::from(LIMIT) {
            connection.reset();
            free.push_back(connection);
        }
    }
}

/// Whether a pool of a hundred lends that many, refuses the next, and resets what returns.
pub(super) fn a_hundred(_: &mut Lab) -> Result<Behaviour> {
    let made = Arc::new(AtomicU32::new(0));
    let make = {
        let made = Arc::clone(&made);
        move || {
            made.fetch_add(1, Ordering::Relaxed);
            Connection::default()
        }
    };
    let pool = ObjectPool::new("connections", LIMIT, make, Connection::reset);
    let mut lent = Vec::new();
    let refusal = loop {
        match pool.try_get() {
            Ok(mut connection) => {
                connection.use_once();
                lent.push(connection);
            }
            Err(exhausted) => break exhausted,
        }
    };
    let first = lent.len();
    drop(lent);
    let again: Vec<_> = std::iter::from_fn(|| pool.try_get().ok()).collect();
    let reset = again.iter().filter(|connection| connection.requests == 0).count();
    let made = made.load(Ordering::Relaxed);
    let limit = usize::from(LIMIT);
    Ok(Behaviour {
        holds: (first, again.len(), reset, made) == (limit, limit, limit, u32::from(LIMIT)),
        seen: format!(
            "{made} made, {first} lent at once, {reset} came back reset; then: {refusal}"
        ),
    })
}

/// Nanoseconds from taking an object to having returned it: ours, then the listing's.
pub(super) fn alone(_: &mut Lab) -> Result<Beside> {
    loans(1)
}

/// The same while another thread does so too.
pub(super) fn together(_: &mut Lab) -> Result<Beside> {
    loans(2)
}

fn loans(threads: u64) -> Result<Beside> {
    let (pool, listing) = (Arc::new(pool()), Arc::new(Listing::default()));
    let (mut ours, mut other) = (Vec::new(), Vec::new());
    // The first round of each warms up.
    for round in 0..=ROUNDS {
        let pool = Arc::clone(&pool);
        let one = on_each(threads, move || {
            for _ in 0..LOANS {
                pool.get().use_once();
            }
        })?;
        let listing = Arc::clone(&listing);
        let two = on_each(threads, move || {
            for _ in 0..LOANS {
                let mut connection = listing.get();
                connection.use_once();
                listing.give_back(connection);
            }
        })?;
        if round > 0 {
            ours.push(one);
            other.push(two);
        }
    }
    Ok(Beside { ours: median(ours), other: median(other) })
}

/// Nanoseconds per loan of a thread, of `threads` threads that begin together.
fn on_each(threads: u64, work: impl Fn() + Clone + Send + 'static) -> Result<f64> {
    let start = Arc::new(Barrier::new(usize::try_from(threads)?));
    let running: Vec<_> = (0..threads)
        .map(|_| {
            let (start, work) = (Arc::clone(&start), work.clone());
            thread::spawn(move || -> Result<u128> {
                peer::roam()?;
                start.wait();
                let begun = Instant::now();
                work();
                Ok(begun.elapsed().as_nanos())
            })
        })
        .collect();
    let mut longest = 0;
    for thread in running {
        let time = thread.join().ok().context("a thread of the measurement panicked")??;
        longest = longest.max(time);
    }
    Ok(longest as f64 / LOANS as f64)
}
