//! What is dear to compute, computed once: a sharded cache that fills itself.
//!
//! [`ReadThrough`] is `quick_cache` with an age limit. That crate brings the shards, each behind a
//! reader-writer lock of its own, the choice of what to drop when a shard is full (S3-FIFO: what was
//! asked for once goes before what is asked for often), and the single flight: of all who miss a key
//! at once, one computes and the others wait for it. It does not know time; what is added here is that
//! an entry beyond its age is a miss, replaced in a single flight too.

use quick_cache::sync::{Cache, DefaultLifecycle, EntryAction, EntryResult};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, UnitWeighter};
use std::borrow::Borrow;
use std::convert::Infallible;
use std::fmt;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Parts of a cache, each with a lock of its own.
pub const SHARDS: usize = 16;

/// The crate would make fewer shards if it expected fewer entries in each.
const LEAST_EXPECTED: usize = 32 * SHARDS;

/// A cache of at most so many entries, of at most a certain age if that is limited, which computes
/// what it does not have.
///
/// Values are cloned on their way out, under the lock of their shard: what is dear to clone belongs in
/// an `Arc`. That there is no value can be
/// cached as well, as an `Option`; it is not taken for a miss.
///
/// ```
/// use std::time::Duration;
/// use strait_pools::cache::ReadThrough;
///
/// let lot_sizes = ReadThrough::new(10_000).max_age(Duration::from_secs(60));
/// let ask_the_exchange = || Ok::<u32, std::io::Error>(100);
///
/// assert_eq!(lot_sizes.get("ACME"), None);
/// assert_eq!(lot_sizes.get_or_try_compute("ACME", ask_the_exchange)?, 100);
/// assert_eq!(lot_sizes.get("ACME"), Some(100));
/// # let _: &ReadThrough<String, u32> = &lot_sizes;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ReadThrough<K, V> {
    entries: Cache<K, Entry<V>>,
    max_age: Option<Duration>,
}

#[derive(Clone)]
struct Entry<V> {
    value: V,
    /// `None` for ever.
    expires: Option<Instant>,
}

impl<V> Entry<V> {
    fn is_fresh(&self) -> bool {
        self.expires.is_none_or(|expires| Instant::now() < expires)
    }
}

impl<K: Eq + Hash, V: Clone> ReadThrough<K, V> {
    /// An empty cache for `capacity` entries, a sixteenth of them (rounded up) in each shard.
    pub fn new(capacity: usize) -> Self {
        // Both are given, which is all that could be missing.
        let options = OptionsBuilder::new()
            .shards(SHARDS)
            .weight_capacity(capacity as u64)
            .estimated_items_capacity(capacity.max(LEAST_EXPECTED))
            .build()
            .expect("capacity and expected entries are given");
        let (hash, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self { entries: Cache::with_options(options, UnitWeighter, hash, lifecycle), max_age: None }
    }

    /// Takes entries made from now on for missing once they are this old. Reading then costs a look at
    /// the clock. They take up room until they are asked for again or make way for others.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// The value of `key`, if it is there and not too old.
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.entries.get(key).filter(Entry::is_fresh).map(|entry| entry.value)
    }

    /// The value of `key`, computed if it is not there, once however many ask at the same time.
    ///
    /// No lock is held meanwhile. `compute` must not ask this cache for the same key: it would wait for
    /// itself. If it panics, the next of those who wait computes.
    pub fn get_or_compute<Q>(&self, key: &Q, compute: impl FnOnce() -> V) -> V
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        let Ok(value) = self.get_or_try_compute(key, || Ok::<V, Infallible>(compute()));
        value
    }

    /// As [`get_or_compute`](Self::get_or_compute), of what may fail.
    ///
    /// # Errors
    ///
    /// That of `compute`, for this caller alone: nothing is kept, and the next of those who wait
    /// computes.
    pub fn get_or_try_compute<Q, E>(
        &self,
        key: &Q,
        compute: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(value) = self.get(key) {
            return Ok(value);
        }
        let fresh_or_mine = |_: &K, entry: &mut Entry<V>| {
            if entry.is_fresh() {
                EntryAction::Retain(entry.value.clone())
            } else {
                EntryAction::ReplaceWithGuard
            }
        };
        loop {
            let place = match self.entries.entry(key, None, fresh_or_mine) {
                EntryResult::Retained(value) => return Ok(value),
                EntryResult::Vacant(place) | EntryResult::Replaced(place, _) => place,
                // Neither was asked for: nothing is removed, and the wait has no end.
                EntryResult::Removed(..) | EntryResult::Timeout => continue,
            };
            let value = compute()?;
            // Somebody may have put another value there meanwhile, which then stays.
            let _ = place.insert(self.entry(value.clone()));
            return Ok(value);
        }
    }

    /// Puts a value there, in place of any other.
    pub fn insert(&self, key: K, value: V) {
        self.entries.insert(key, self.entry(value));
    }

    /// Removes the value of `key`; returns it if it was there and not too old.
    pub fn remove<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.entries.remove(key).map(|(_, entry)| entry).filter(Entry::is_fresh).map(|e| e.value)
    }

    /// How many entries there are, those too old included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many entries there can be: the capacity, rounded up to a multiple of [`SHARDS`].
    pub fn capacity(&self) -> u64 {
        self.entries.capacity()
    }

    /// Parts with a lock of their own: [`SHARDS`].
    pub fn shards(&self) -> usize {
        self.entries.num_shards()
    }

    fn entry(&self, value: V) -> Entry<V> {
        // An age beyond the clock's end is no limit.
        let expires = self.max_age.and_then(|age| Instant::now().checked_add(age));
        Entry { value, expires }
    }
}

impl<K, V> fmt::Debug for ReadThrough<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadThrough").field("max_age", &self.max_age).finish_non_exhaustive()
    }
}
