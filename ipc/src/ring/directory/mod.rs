//! A directory: offers that processes make, withdraw, and find by interface and ranking.
//!
//! ```text
//! ┌──────┬───────┬─────────────────┬───────┬─────────┬─────────┬─────────┬──
//! │ head │ taken │ bucket │ bucket │ names │ entry 0 │ entry 1 │ entry 2 │ …
//! └──────┴───────┴────┬────────────┴───────┴─────────┴─────────┴─────────┴──
//!                     │ level 1  ──────────────────────► entry 2 ──► ∅
//!                     └ level 0  ──► entry 0 ──────────► entry 2 ──► ∅
//! ```
//!
//! The hash of its interface's name says in which *bucket* an offer is. A bucket is a skip list, ordered by
//! that hash, then by ranking, highest first, then by age: so the best offer of an interface is the first one
//! in its list, whether there are a hundred thousand interfaces or a hundred thousand offers of one, and a
//! search meets a number of entries that grows with the logarithm of what its bucket holds.
//!
//! **Writers** take turns ([`change`]): one process at a time, by a lock of the kernel's, which ends with its
//! holder. **Readers** take no lock, write nothing and call no kernel. What is linked is offered: an entry is
//! made whole, then *live*, then linked from level 0 up, and unlinked from the top down before it ceases to
//! be live. So a reader that stands on a live entry stands in a list, and one that finds that the entry it
//! stands on has changed begins again where it was, by key. After each link that it follows it looks again at
//! three things, in this order behind a fence: whether the entry it came to is the one whose key it has read,
//! whether the one it stands on has not changed, and whether the link is still there. If so, the link was
//! there *while* that entry was what it is, and nothing that was offered before and is still offered lies
//! between the two.
//!
//! An entry's bytes are written only while it is not live, and copied by readers as those of
//! [latest values](super::latest) are: look at the state, copy, look again.
//!
//! # Orderings
//!
//! | store | pairs with | makes visible |
//! |---|---|---|
//! | `unfinished`, `fence(Release)` (`directory.begin`) | any word of the entry, `fence(Acquire)` (`directory.reread`) | to who read one new word: that the entry is no longer what it was |
//! | `state`, Release (`directory.live`) | `state`, Acquire (`directory.read`) | the entry; and that links to what it was before are gone |
//! | a link, Release (`directory.link`) | the link, Acquire (`directory.follow`) | that the entry it leads to is live |
//! | `changes`, Release (`directory.count`) | `changes`, Acquire (`directory.changed`) | to who is told of a change: the change |
//!
//! # When a process dies here
//!
//! *A writer*: the kernel gives the turn to the next, which finds the number of the entry that the dead one
//! was changing and withdraws it, wherever that had stopped: an offer that was half made is the dead one's
//! own, and one half withdrawn was to go. Until then readers find every other entry, and that one or not.
//!
//! *A reader*: nobody knows. *A watcher*: see [`crowd`](super::crowd).

pub mod change;
pub mod layout;

pub use change::{Change, NewEntry, Refused};

use layout::{EntryHead, HeadLines, LEVELS, Tower};
use std::cmp::Reverse;
use strait_pools::placement::{Many, Placement};
use strait_pools::sync::Ordering::{Acquire, Relaxed};
use strait_pools::sync::{AtomicU32, AtomicU64, Site, fence, step};
use thiserror::Error;

/// How often a reader begins again, without having got any further, before it gives up.
pub const ATTEMPTS: u32 = if cfg!(loom) { 4 } else { 1000 };

/// The words of a directory, wherever they live.
#[derive(Debug)]
pub struct Words<P: Placement> {
    /// What is being changed, and how many changes there were.
    pub head: P::One<HeadLines>,
    /// A bit for each entry in use.
    pub taken: P::Many<AtomicU64>,
    /// Where the lists begin.
    pub buckets: P::Many<Tower>,
    /// Where the lists by name begin, which writers alone use.
    pub names: P::Many<AtomicU32>,
    /// The entries, without their bytes.
    pub entries: P::Many<EntryHead>,
}

impl<P: Placement> Clone for Words<P> {
    fn clone(&self) -> Self {
        Self {
            head: self.head.clone(),
            taken: self.taken.clone(),
            buckets: self.buckets.clone(),
            names: self.names.clone(),
            entries: self.entries.clone(),
        }
    }
}

/// Where an offer stands in its list: by interface, then the highest ranking, then the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Hash of the interface's name.
    pub interface: u64,
    /// The offer's ranking.
    pub ranking: Reverse<i64>,
    /// Which offer it is.
    pub id: u64,
}

/// One offer: an entry, for as long as that is what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which entry.
    pub index: u64,
    /// What its state is while this offer stands in it: an odd number.
    pub state: u64,
}

/// An offer that a search met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub place: Place,
    /// By what it was found.
    pub key: Key,
}

/// A word that cannot be what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("`{word}` of entry {entry} is {found:#x}, which it cannot be")]
pub struct Damaged {
    /// The word.
    pub word: &'static str,
    /// The entry; of a word that leads to the first in a list, the number of the list.
    pub entry: u64,
    /// What stands there.
    pub found: u64,
}

/// Why a search came to no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Lost {
    /// A word makes no sense.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// Offers came and went next to where the search stood, each time it looked.
    #[error("offers came and went during each of {ATTEMPTS} attempts to pass them")]
    Contended,
}

/// What is behind a link.
enum Step {
    Entry(Found),
    End,
    /// Where the link was is something else by now.
    Moved,
}

impl<P: Placement> Words<P> {
    /// The best offer of the interface with this hash, or of one with the same.
    #[inline]
    pub fn first(&self, interface: u64) -> Result<Option<Found>, Lost> {
        self.seek(interface, |key| key.interface < interface)
    }

    /// The next best offer of the same interface, or of one whose hash is the same.
    #[inline]
    pub fn after(&self, found: &Found) -> Result<Option<Found>, Lost> {
        let interface = found.key.interface;
        match self.follow(interface, Some(found), 0)? {
            Step::Entry(next) => Ok((next.key.interface == interface).then_some(next)),
            Step::End => Ok(None),
            Step::Moved => self.seek(interface, |key| *key <= found.key),
        }
    }

    /// The first entry of a bucket that is not before what is looked for, if it is of that interface.
    fn seek(
        &self,
        interface: u64,
        is_before: impl Fn(&Key) -> bool,
    ) -> Result<Option<Found>, Lost> {
        let mut attempts = 0;
        'again: while attempts < ATTEMPTS {
            attempts += 1;
            let (mut from, mut level) = (None, LEVELS - 1);
            // Each step leads to a larger key, or down.
            for _ in 0..self.entries.len() + LEVELS as u64 {
                match self.follow(interface, from.as_ref(), level)? {
                    Step::Moved => continue 'again,
                    Step::Entry(next) if is_before(&next.key) => from = Some(next),
                    _ if level > 0 => level -= 1,
                    Step::Entry(next) => {
                        return Ok((next.key.interface == interface).then_some(next));
                    }
                    Step::End => return Ok(None),
                }
            }
        }
        Err(Lost::Contended)
    }

    /// Goes on from an entry, or from the beginning of the bucket, on one level.
    #[inline]
    fn follow(&self, bucket: u64, from: Option<&Found>, level: usize) -> Result<Step, Damaged> {
        let link = &self.tower(bucket, from.map(|from| from.place.index)).0[level];
        // Pairs with `directory.link`: what it leads to is live. And with `directory.begin`: whoever
        // sees a link of what the entry is next sees that it is no longer what it was.
        let number = link.load(Acquire.at("directory.follow"));
        let stands = || from.is_none_or(|from| self.is_current(from.place));
        let Some(index) = u64::from(number).checked_sub(1) else {
            return Ok(if stands() { Step::End } else { Step::Moved });
        };
        let next = if index < self.entries.len() { self.look(index) } else { None };
        let fell = step("directory.stands") && !stands();
        let leads_elsewhere = step("directory.again") && link.load(Relaxed) != number;
        if fell || leads_elsewhere {
            return Ok(Step::Moved);
        }
        match next {
            Some(next) if self.may_follow(bucket, from.map(|from| from.key), next.key) => {
                Ok(Step::Entry(next))
            }
            // It was withdrawn, and its successor in that entry is not live yet.
            None if index < self.entries.len() => Ok(Step::Moved),
            _ => Err(self.damaged("next", bucket, from.map(|from| from.place.index), number)),
        }
    }

    /// Whether an entry with this key may stand in the list of the bucket, behind one with the other key.
    fn may_follow(&self, bucket: u64, before: Option<Key>, key: Key) -> bool {
        let mask = self.buckets.len() - 1;
        (key.interface ^ bucket) & mask == 0 && before.is_none_or(|before| before < key)
    }

    /// The entry's offer, if there is one.
    #[inline]
    pub fn look(&self, index: u64) -> Option<Found> {
        let entry = self.entries.at(index);
        // Pairs with `directory.live`: all of the entry; and links to what it was before are gone.
        let place = Place { index, state: entry.state.load(Acquire.at("directory.read")) };
        let key = Key {
            interface: entry.interface.load(Relaxed),
            ranking: Reverse(entry.ranking.load(Relaxed).cast_signed()),
            id: entry.id.load(Relaxed),
        };
        (place.state & 1 == 1 && self.is_unchanged(place)).then_some(Found { place, key })
    }

    /// What `copy` copies of an offer, word by word and relaxed, if it is still that offer afterwards.
    ///
    /// What `copy` returns is dropped if not: it must take any bytes.
    #[inline]
    pub fn read<R>(&self, place: Place, copy: impl FnOnce(&EntryHead) -> R) -> Option<R> {
        let copied = copy(self.entries.at(place.index));
        self.is_unchanged(place).then_some(copied)
    }

    /// Whether what was read of an offer, before this, is all of it its own.
    #[inline]
    fn is_unchanged(&self, place: Place) -> bool {
        // Pairs with `directory.begin`: who has read a word of what comes next sees that in the state.
        fence(Acquire, "directory.reread");
        self.is_current(place)
    }

    /// Whether that offer stands. One load.
    #[inline]
    pub fn is_current(&self, place: Place) -> bool {
        self.entries.at(place.index).state.load(Relaxed) == place.state
    }

    /// How many changes there have been. Whoever sees one counted sees the change.
    #[inline]
    pub fn changes(&self) -> u64 {
        // Pairs with `directory.count`.
        self.head.changes.load(Acquire.at("directory.changed"))
    }

    /// How many entries are in use: exact while nobody changes anything.
    pub fn taken(&self) -> u64 {
        let words = (0..self.taken.len()).map(|word| self.taken.at(word).load(Relaxed));
        words.map(|word| u64::from(word.count_ones())).sum()
    }

    /// The links of an entry, or those at the beginning of a bucket.
    #[inline]
    fn tower(&self, bucket: u64, of: Option<u64>) -> &Tower {
        of.map_or_else(|| self.buckets.at(bucket), |index| &self.entries.at(index).next)
    }

    #[cold]
    fn damaged(&self, word: &'static str, bucket: u64, of: Option<u64>, number: u32) -> Damaged {
        let entry = of.unwrap_or(bucket & (self.buckets.len() - 1));
        let word = if of.is_none() { "bucket" } else { word };
        Damaged { word, entry, found: u64::from(number) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
