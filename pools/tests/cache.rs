//! The cache: what it keeps, what it tells apart, and that it computes nothing twice.

#![cfg(feature = "cache")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};
use strait_pools::cache::{ReadThrough, SHARDS};

/// Never in this test's life.
const AGES: Duration = Duration::from_secs(3600);

#[test]
fn there_are_sixteen_shards_however_small_the_cache() {
    for (capacity, room) in [(1, 16), (16, 16), (100, 112), (100_000, 100_000)] {
        let cache = ReadThrough::<u32, u32>::new(capacity);
        assert_eq!((cache.shards(), cache.capacity()), (SHARDS, room));
    }
}

#[test]
fn a_miss_is_not_an_empty_value() {
    let cache = ReadThrough::<String, String>::new(100);
    assert_eq!(cache.get("empty"), None);
    cache.insert("empty".to_owned(), String::new());
    assert_eq!(cache.get("empty"), Some(String::new()));
    assert_eq!(cache.remove("empty"), Some(String::new()));
    assert!(cache.is_empty());
}

#[test]
fn that_there_is_nothing_can_be_known() {
    let cache = ReadThrough::<u32, Option<u32>>::new(100);
    let nothing = || -> Result<_, String> { Ok(None) };
    assert_eq!(cache.get_or_try_compute(&1, nothing), Ok(None));
    assert_eq!(cache.get(&1), Some(None));
    assert_eq!(cache.get(&2), None);
}

#[test]
fn the_cache_stays_within_its_capacity() {
    let cache = ReadThrough::new(1000);
    for key in 0..10_000_u32 {
        cache.insert(key, key);
        assert!(cache.len() as u64 <= cache.capacity());
    }
    assert_eq!(cache.len() as u64, cache.capacity());
    let kept = (0..10_000).filter(|key| cache.get(key) == Some(*key)).count();
    assert_eq!(kept, cache.len());
}

/// Eight threads miss the same keys at once, a hundred times.
#[test]
fn eight_threads_compute_once() {
    const KEYS: u32 = 100;
    let threads = 8;
    let cache = Arc::new(ReadThrough::new(1000));
    let computed = Arc::new(AtomicU32::new(0));
    let start = Arc::new(Barrier::new(threads));
    let all: Vec<_> = (0..threads)
        .map(|_| {
            let (cache, computed) = (Arc::clone(&cache), Arc::clone(&computed));
            let start = Arc::clone(&start);
            thread::spawn(move || {
                for key in 0..KEYS {
                    start.wait();
                    let value = cache.get_or_compute(&key, || {
                        computed.fetch_add(1, SeqCst);
                        // Long enough for the others to come.
                        (0..100).for_each(|_| thread::yield_now());
                        key + 1
                    });
                    assert_eq!(value, key + 1);
                }
            })
        })
        .collect();
    all.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(computed.load(SeqCst), KEYS);
}

/// An entry that is too old is replaced in a single flight as well: the threads that meet at one
/// expiry compute one new value.
#[test]
fn an_expired_value_is_computed_once_more() {
    let cache = Arc::new(ReadThrough::new(100).max_age(Duration::ZERO));
    cache.insert(1, 0);
    let cache = Arc::new(Arc::into_inner(cache).unwrap().max_age(AGES));
    assert_eq!(cache.get(&1), None, "expired as soon as it was made");
    let (computed, start) = (Arc::new(AtomicU32::new(0)), Arc::new(Barrier::new(8)));
    let all: Vec<_> = (0..8)
        .map(|_| {
            let (cache, computed) = (Arc::clone(&cache), Arc::clone(&computed));
            let start = Arc::clone(&start);
            thread::spawn(move || {
                start.wait();
                cache.get_or_compute(&1, || computed.fetch_add(1, SeqCst) + 1)
            })
        })
        .collect();
    assert!(all.into_iter().all(|thread| thread.join().unwrap() == 1));
    assert_eq!((computed.load(SeqCst), cache.len()), (1, 1));
}

#[test]
fn values_grow_old() {
    let cache = ReadThrough::new(100).max_age(Duration::from_millis(5));
    cache.insert(1, 'a');
    let patience = Instant::now() + Duration::from_secs(60);
    while cache.get(&1).is_some() {
        assert!(Instant::now() < patience, "a value outlived its age by a minute");
        thread::yield_now();
    }
    assert_eq!(cache.remove(&1), None);
    let forever = ReadThrough::new(100).max_age(Duration::MAX);
    forever.insert(1, 'a');
    assert_eq!(forever.get(&1), Some('a'));
}

#[test]
fn failures_are_not_kept() {
    let cache = ReadThrough::<u32, u32>::new(100);
    assert_eq!(cache.get_or_try_compute(&1, || Err("no connection")), Err("no connection"));
    assert_eq!(cache.get_or_try_compute(&1, || Ok::<_, String>(7)), Ok(7));
    assert!(
        catch_unwind(AssertUnwindSafe(|| cache.get_or_compute(&2, || panic!("no way")))).is_err()
    );
    assert_eq!(cache.get_or_compute(&2, || 8), 8);
}

#[test]
fn what_is_put_there_during_a_computation_stays() {
    let cache = ReadThrough::new(100);
    let computed = cache.get_or_compute(&1, || {
        cache.insert(1, 'b');
        'a'
    });
    assert_eq!((computed, cache.get(&1)), ('a', Some('b')));
}
