//! Latest values: one writer, and readers that see the newest value of each key, and no other.
//!
//! ```text
//! ┌─────────────┬───────────────────────────────────┬──────────────────────────────
//! │ incarnation │ version 0 │ slot │ slot │ slot │… │ version 1 │ slot │ slot │ …
//! └─────────────┴───────────────────────────────────┴──────────────────────────────
//!                 key 0: the value is in slot          key 1
//!                 version & (SLOTS − 1)
//! ```
//!
//! A value is written into the slot after that of the present one, and is the present one once the key's
//! version is stored: there is no moment at which a key has no value. The slot of version `v` is written again
//! for version `v + SLOTS`, which begins when version `v + SLOTS − 1` is stored. So the version
//! is all that a reader needs to know whether its copy is whole: it looks at the version, copies,
//! and looks again; if fewer than `SLOTS − 1` values came meanwhile, nobody has touched its slot.
//!
//! A reader therefore fails only if the writer sets one key [`SLOTS`]` − 1` times while it copies, and then it
//! tries again: up to [`ATTEMPTS`] times, after which it says so. It writes nothing, so it may look at
//! memory that it cannot write. (This is Lamport's "latest value" register, with the busy mark of a
//! sequence lock folded into the version.)
//!
//! # Orderings
//!
//! | store | pairs with | makes visible |
//! |---|---|---|
//! | `version`, Release (`latest.publish`) | `version`, Acquire (`latest.read`) | the value |
//! | `version`, `fence(Release)` (`latest.write`), words of a later value | words of it, `fence(Acquire)` (`latest.reread`), `version` | to who read one new word: how far the writer has got |
//!
//! # When a process dies here
//!
//! *The writer*, before the version is stored: the key keeps its value, and a successor writes over what was
//! begun. After it: the value counts. There is nothing to repair.
//! *A reader*: nobody knows.

pub mod layout;

use crate::ring::latest::layout::{HeadLines, SLOTS};
use strait_pools::marks::{Mark, pass};
use strait_pools::placement::{Many, Placement};
use strait_pools::sync::Ordering::{Acquire, Relaxed, Release};
use strait_pools::sync::{AtomicU64, Site, fence};

/// How often a reader begins to copy one value before it says that the writer is too fast.
pub const ATTEMPTS: u32 = if cfg!(loom) { 2 } else { 64 };

/// The words that writer and readers share, wherever they live.
#[derive(Debug)]
pub struct Words<P: Placement> {
    /// Written by the writer.
    pub head: P::One<HeadLines>,
    /// The version of each key, written by the writer.
    pub versions: P::Many<AtomicU64>,
}

impl<P: Placement> Clone for Words<P> {
    fn clone(&self) -> Self {
        Self { head: self.head.clone(), versions: self.versions.clone() }
    }
}

/// Where a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Whose value it is.
    pub key: u64,
    /// Which of the key's slots: below [`SLOTS`].
    pub index: u64,
}

impl Slot {
    fn of(key: u64, version: u64) -> Self {
        Self { key, index: version & (SLOTS - 1) }
    }
}

/// The writing side. Not shared: there is one, and it is `&mut` to use.
#[derive(Debug)]
pub struct Writer<P: Placement> {
    words: Words<P>,
    /// Whether readers sleep.
    parking: bool,
    /// How many writers there have been, this one included.
    incarnation: u64,
}

impl<P: Placement> Writer<P> {
    /// Takes over, from a new segment or from a predecessor that closed or died.
    ///
    /// Whoever calls this holds the writer's role: no other writer exists. If readers sleep
    /// (`parking`), they are woken: a predecessor may have died between publishing and waking.
    pub fn take_over(words: Words<P>, parking: bool) -> Self {
        let incarnation = words.head.incarnation.load(Relaxed).wrapping_add(1);
        words.head.incarnation.store(incarnation, Relaxed);
        pass(Mark::LatestTaken);
        if parking {
            words.head.crowd.rouse();
        }
        Self { words, parking, incarnation }
    }

    /// How many writers there have been, this one included.
    #[inline(always)]
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Gives `key` the value that `write` writes into the slot it is given, word by word and relaxed.
    /// Returns its version.
    ///
    /// The key is taken modulo the number of keys.
    #[inline(always)]
    pub fn set(&mut self, key: u64, write: impl FnOnce(Slot)) -> u64 {
        let version = self.words.versions.at(key);
        let next = version.load(Relaxed).wrapping_add(1);
        // Pairs with `latest.reread`: who reads a word of what follows sees the version before it.
        fence(Release, "latest.write");
        pass(Mark::LatestWriting);
        write(Slot::of(key, next));
        pass(Mark::LatestWritten);
        // Pairs with `latest.read`: makes the value visible.
        version.store(next, Release.at("latest.publish"));
        pass(Mark::LatestPublished);
        self.wake();
        next
    }

    /// Wakes readers that sleep; done by itself only after closing.
    #[inline(always)]
    pub fn wake(&self) {
        if self.parking {
            self.words.head.crowd.wake();
        }
    }

    /// The words shared with the readers.
    pub fn words(&self) -> &Words<P> {
        &self.words
    }
}

/// What [`Words::read`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<R> {
    /// The key was never set.
    Unset,
    /// A copy of its latest value, and which one that is, counted from 1.
    Latest(R, u64),
    /// The key was set so often that none of [`ATTEMPTS`] copies was whole.
    Contended,
}

impl<P: Placement> Words<P> {
    /// How many values `key` has had.
    #[inline(always)]
    pub fn version(&self, key: u64) -> u64 {
        self.versions.at(key).load(Relaxed)
    }

    /// Reads the latest value of `key`, of which `copy` makes a private copy, word by word and relaxed, from
    /// the slot it is given.
    ///
    /// What `copy` returns is dropped if the slot was written over meanwhile: it must take any bytes.
    /// The key is taken modulo the number of keys.
    #[inline(always)]
    pub fn read<R>(&self, key: u64, mut copy: impl FnMut(Slot) -> R) -> Value<R> {
        let version = self.versions.at(key);
        for _ in 0..ATTEMPTS {
            // Pairs with `latest.publish`.
            let found = version.load(Acquire.at("latest.read"));
            if found == 0 {
                return Value::Unset;
            }
            let copied = copy(Slot::of(key, found));
            // Pairs with `latest.write`: if a word of the copy is of a later value, the version is as
            // late as that value's predecessor.
            fence(Acquire, "latest.reread");
            if version.load(Relaxed).wrapping_sub(found) < SLOTS - 1 {
                return Value::Latest(copied, found);
            }
        }
        Value::Contended
    }
}
