//! The sharded cache, and the guide's own listings beside it: sixteen maps with a lock each, and a
//! computation that whoever misses begins.

use super::judge::{Behaviour, Beside};
use super::lab::{Lab, ROUNDS, effort, median};
use super::peer;
use anyhow::{Context, Result, ensure};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, PoisonError, RwLock};
use std::thread;
use std::time::Instant;
use strait_pools::cache::{ReadThrough, SHARDS};

/// Keys that are looked up in turn, and how many times per round.
const KEYS: usize = 1000;
const PASSES: u64 = effort(500);

/// Threads that miss one key at the same time, and how often they do.
const THREADS: usize = 8;
const MISSES: u32 = 100;

type Shard = RwLock<HashMap<String, String>>;

/// The guide's listing. (Its `get` returns an empty string on a miss.)
#[derive(Debug, Default)]
struct Listing {
    shards: [Shard; SHARDS],
    hash: RandomState,
}

impl Listing {
    fn shard(&self, key: &str) -> &Shard {
        // Below the number of shards.
        #[allow(clippy::cast_possible_truncation)]
        &self.shards[(self.hash.hash_one(key) % SHARDS as u64) as usize]
    }

    fn put(&self, key: &str, value: &str) {
        let mut map = self.shard(key).write().unwrap_or_else(PoisonError::into_inner);
        map.insert(key.to_owned(), value.to_owned());
    }

    fn get(&self, key: &str) -> Option<String> {
        let map = self.shard(key).read().unwrap_or_else(PoisonError::into_inner);
        map.get(key).cloned()
    }
}

/// Whether there are sixteen shards, and a miss is told from an empty value.
pub(super) fn shards(_: &mut Lab) -> Result<Behaviour> {
    let cache = ReadThrough::<String, String>::new(KEYS);
    let missing = cache.get("key");
    cache.insert("key".to_owned(), String::new());
    let empty = cache.get("key");
    Ok(Behaviour {
        holds: cache.shards() == 16 && missing.is_none() && empty.as_deref() == Some(""),
        seen: format!("{} shards; a miss is {missing:?}, an empty value {empty:?}", cache.shards()),
    })
}

/// Nanoseconds per look-up of a short string by another: ours, then the listing's.
pub(super) fn beside_the_maps(_: &mut Lab) -> Result<Beside> {
    let keys: Vec<String> = (0..KEYS).map(|number| format!("instrument-{number}")).collect();
    let (cache, listing) = (ReadThrough::<String, String>::new(4 * KEYS), Listing::default());
    for key in &keys {
        cache.insert(key.clone(), "a lot of 100".to_owned());
        listing.put(key, "a lot of 100");
    }
    let round = |get: &dyn Fn(&str) -> Option<String>| {
        let start = Instant::now();
        for _ in 0..PASSES {
            let found = keys.iter().filter(|key| black_box(get(key)).is_some()).count();
            ensure!(found == KEYS, "{found} of {KEYS} keys were found");
        }
        Ok(start.elapsed().as_nanos() as f64 / (KEYS as u64 * PASSES) as f64)
    };
    let (mut ours, mut other) = (Vec::new(), Vec::new());
    // The first round of each warms up.
    for number in 0..=ROUNDS {
        let (one, two) = (round(&|key| cache.get(key))?, round(&|key| listing.get(key))?);
        if number > 0 {
            ours.push(one);
            other.push(two);
        }
    }
    Ok(Beside { ours: median(ours), other: median(other) })
}

/// Whether a value that many miss at once is computed once. What becomes of the guide's way is noted.
pub(super) fn once_for_all(lab: &mut Lab) -> Result<Behaviour> {
    let cache = Arc::new(ReadThrough::<u32, u32>::new(KEYS));
    let ours = computations(move |key, compute| cache.get_or_compute(&key, || compute(key)))?;
    let map = Arc::new(RwLock::new(HashMap::new()));
    let listing = computations(move |key, compute| {
        let known = map.read().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        known.unwrap_or_else(|| {
            let value = compute(key);
            map.write().unwrap_or_else(PoisonError::into_inner).insert(key, value);
            value
        })
    })?;
    lab.note(format!("the guide's listing, asked the same: {listing} computations"));
    Ok(Behaviour {
        holds: ours == MISSES,
        seen: format!("{ours} computations of {MISSES} values that {THREADS} threads miss at once"),
    })
}

/// How often a value is computed when all threads ask for each key at the same time.
fn computations(
    get: impl Fn(u32, &dyn Fn(u32) -> u32) -> u32 + Clone + Send + 'static,
) -> Result<u32> {
    let computed = Arc::new(AtomicU32::new(0));
    let start = Arc::new(Barrier::new(THREADS));
    let running: Vec<_> = (0..THREADS)
        .map(|_| {
            let (computed, start) = (Arc::clone(&computed), Arc::clone(&start));
            let get = get.clone();
            thread::spawn(move || -> Result<bool> {
                peer::roam()?;
                let compute = |key| {
                    computed.fetch_add(1, Ordering::Relaxed);
                    // Long enough for the others to come.
                    (0..100).for_each(|_| thread::yield_now());
                    key + 1
                };
                let all_right = |key| {
                    start.wait();
                    get(key, &compute) == key + 1
                };
                // No short cut: the others wait at the start.
                Ok((0..MISSES).filter(|key| !all_right(*key)).count() == 0)
            })
        })
        .collect();
    for thread in running {
        let right = thread.join().ok().context("a thread of the measurement panicked")??;
        ensure!(right, "a thread was given the value of another key");
    }
    Ok(computed.load(Ordering::Relaxed))
}
