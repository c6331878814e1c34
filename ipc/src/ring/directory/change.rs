//! Changing a directory: one process at a time, which begins with what a dead one left unfinished.
//!
//! | step | of an offer | of a withdrawal | who finds it half done |
//! |---|---|---|---|
//! | 1 | note the entry in `unfinished` | the same | clears the note |
//! | 2 | mark it taken, write it | | marks it free |
//! | 3 | make it live | | withdraws it: the whole right column |
//! | 4 | link it by name, then in its list from level 0 up | unlink it from the top down, then by name | unlinks it wherever it is linked |
//! | 5 | | make it no longer live, mark it free | marks it free |
//! | 6 | count the change, wake watchers | the same | counts once more |
//! | 7 | clear the note | the same | |
//!
//! So there is one repair, and it is a withdrawal. An entry that is not live is linked nowhere: whoever
//! finds one has only its mark to take away. Each step may be done twice.
//!
//! The stores of steps 1, 5 and 7 are ordered, so that the one who dies has done them in that order, even
//! if nobody but its heir ever compares them; all else between writers is ordered by the kernel's lock.

use super::layout::{EntryHead, LEVELS};
use super::{Damaged, Key, Place, Words};
use crate::ring::crowd::CrowdLine;
use std::cmp::Reverse;
use strait_pools::marks::{Mark, pass};
use strait_pools::placement::{Many, Placement};
use strait_pools::sync::Ordering::{Relaxed, Release};
use strait_pools::sync::{Site, fence};
use thiserror::Error;

/// What is to be offered, but for its bytes.
#[derive(Clone, Copy, Debug)]
pub struct NewEntry {
    /// Hash of the interface's name.
    pub interface: u64,
    /// Hash of interface and name; 0 if it has no name.
    pub name: u64,
    /// The higher, the earlier it is found.
    pub ranking: i64,
    /// Which of the members offers it, and which holder of that endpoint.
    pub owner: (u64, u64),
}

/// Why nothing was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// All entries are in use.
    #[error("all entries are in use")]
    Full,
    /// A word makes no sense.
    #[error(transparent)]
    Damaged(#[from] Damaged),
}

/// A writer's turn. Whoever has one is alone, and sees what those did who had it before.
#[derive(Debug)]
pub struct Change<'a, P: Placement> {
    words: &'a Words<P>,
}

impl<P: Placement> Words<P> {
    /// Begins a turn: finishes what a dead writer has left.
    ///
    /// Whoever calls this is alone with the words until it drops the result, and nobody else is until it is
    /// dead.
    pub fn change(&self) -> Result<Change<'_, P>, Damaged> {
        let change = Change { words: self };
        let number = self.head.unfinished.load(Relaxed);
        if number != 0 {
            let found = Damaged { word: "unfinished", entry: 0, found: number };
            let index = Some(number - 1).filter(|&index| index < self.entries.len());
            // The dead one may have noted that it wakes the watchers, and not called the kernel.
            change.finish(index.ok_or(found)?, CrowdLine::rouse)?;
        }
        Ok(change)
    }
}

impl<P: Placement> Change<'_, P> {
    /// Makes an offer, whose bytes `write` writes, word by word and relaxed, into the entry that it is given.
    pub fn insert(
        &mut self,
        new: &NewEntry,
        write: impl FnOnce(u64, &EntryHead),
    ) -> Result<(Place, u64), Refused> {
        let words = self.words;
        let index = self.free_entry().ok_or(Refused::Full)?;
        let id = words.head.last_id.load(Relaxed).wrapping_add(1);
        let key = Key { interface: new.interface, ranking: Reverse(new.ranking), id };
        // Looked up before anything is changed: a list that is damaged stays as it is.
        let before = self.before(&key)?;

        self.begin(index);
        let entry = words.entries.at(index);
        self.mark(index, true);
        words.head.last_id.store(id, Relaxed);
        entry.interface.store(new.interface, Relaxed);
        entry.ranking.store(new.ranking.cast_unsigned(), Relaxed);
        entry.id.store(id, Relaxed);
        entry.owner.store(new.owner.0, Relaxed);
        entry.epoch.store(new.owner.1, Relaxed);
        entry.name.store(new.name, Relaxed);
        let height = height(id);
        for (level, (next, &of)) in entry.next.0.iter().zip(&before).enumerate() {
            let behind = words.tower(key.interface, of).0[level].load(Relaxed);
            next.store(if level < height { behind } else { 0 }, Relaxed);
        }
        write(index, entry);
        pass(Mark::DirectoryWritten);
        let state = entry.state.load(Relaxed).wrapping_add(1);
        // Pairs with `directory.read`: the entry.
        entry.state.store(state, Release.at("directory.live"));
        pass(Mark::DirectoryLive);
        if new.name != 0 {
            let first = words.names.at(new.name);
            entry.same_name.store(first.load(Relaxed), Relaxed);
            // Not before that: an heir follows it.
            first.store(number_of(index), Release.at("directory.name"));
            pass(Mark::DirectoryLinked);
        }
        for (level, &of) in before.iter().enumerate().take(height) {
            let link = &words.tower(key.interface, of).0[level];
            // Pairs with `directory.follow`: it is live.
            link.store(number_of(index), Release.at("directory.link"));
            pass(Mark::DirectoryLinked);
        }
        self.conclude(CrowdLine::wake);
        Ok((Place { index, state }, id))
    }

    /// Withdraws an offer; `false` if it does not stand any more.
    pub fn remove(&mut self, place: Place) -> Result<bool, Damaged> {
        if place.state & 1 == 0 || !self.words.is_current(place) {
            return Ok(false);
        }
        self.begin(place.index);
        self.finish(place.index, CrowdLine::wake)?;
        Ok(true)
    }

    /// The offers of the name with this hash, and others whose hash ends alike.
    pub fn named(&self, name: u64) -> Result<Vec<u64>, Damaged> {
        let words = self.words;
        let mut named = Vec::new();
        let mut number = words.names.at(name).load(Relaxed);
        while let Some(index) = u64::from(number).checked_sub(1) {
            if index >= words.entries.len() || named.len() as u64 == words.entries.len() {
                let (word, entry) = ("same_name", named.last().copied().unwrap_or(0));
                return Err(Damaged { word, entry, found: u64::from(number) });
            }
            named.push(index);
            number = words.entries.at(index).same_name.load(Relaxed);
        }
        Ok(named)
    }

    /// The entries in use, from `index` on.
    pub fn next_taken(&self, index: u64) -> Option<u64> {
        let is_taken =
            |index: &u64| self.words.taken.at(index / 64).load(Relaxed) >> (index % 64) & 1 == 1;
        (index..self.words.entries.len()).find(is_taken)
    }

    /// Notes which entry is about to be changed.
    fn begin(&self, index: u64) {
        self.words.head.unfinished.store(index + 1, Relaxed);
        // Pairs with `directory.reread`: who reads a word of what follows sees the state before it. And an
        // heir that finds anything of it done finds the note.
        fence(Release, "directory.begin");
        pass(Mark::DirectoryBegun);
    }

    /// Withdraws whatever there is of an offer, wakes watchers, and notes that it is done.
    fn finish(&self, index: u64, wake: fn(&CrowdLine)) -> Result<(), Damaged> {
        let entry = self.words.entries.at(index);
        let state = entry.state.load(Relaxed);
        if state & 1 == 1 {
            self.unlink(index)?;
            // After the links: an heir takes an entry that is not live for unlinked.
            entry.state.store(state.wrapping_add(1), Release.at("directory.gone"));
            pass(Mark::DirectoryGone);
        }
        self.mark(index, false);
        self.conclude(wake);
        Ok(())
    }

    /// Counts the change, wakes watchers, and notes that nothing is unfinished.
    fn conclude(&self, wake: fn(&CrowdLine)) {
        let head = &self.words.head;
        let changes = head.changes.load(Relaxed).wrapping_add(1);
        // Pairs with `directory.changed`: who sees it counted sees the change.
        head.changes.store(changes, Release.at("directory.count"));
        pass(Mark::DirectoryCounted);
        wake(&head.crowd);
        pass(Mark::DirectoryWoken);
        // After all else: an heir that finds no note finishes nothing, and rouses nobody.
        head.unfinished.store(0, Release.at("directory.end"));
    }

    /// Takes an entry out of its lists, wherever it is in them.
    fn unlink(&self, index: u64) -> Result<(), Damaged> {
        let words = self.words;
        let entry = words.entries.at(index);
        let key = Key {
            interface: entry.interface.load(Relaxed),
            ranking: Reverse(entry.ranking.load(Relaxed).cast_signed()),
            id: entry.id.load(Relaxed),
        };
        let before = self.before(&key)?;
        for level in (0..LEVELS).rev() {
            let link = &words.tower(key.interface, before[level]).0[level];
            if link.load(Relaxed) == number_of(index) {
                let behind = entry.next.0[level].load(Relaxed);
                // Pairs with `directory.follow`: what is behind it is live, which it has been since before.
                link.store(behind, Release.at("directory.unlink"));
                pass(Mark::DirectoryUnlinked);
            }
        }
        let name = entry.name.load(Relaxed);
        if name != 0 {
            let named = self.named(name)?;
            if let Some(at) = named.iter().position(|&one| one == index) {
                let first = words.names.at(name);
                let link =
                    at.checked_sub(1).map_or(first, |at| &words.entries.at(named[at]).same_name);
                link.store(entry.same_name.load(Relaxed), Relaxed);
                pass(Mark::DirectoryUnlinked);
            }
        }
        Ok(())
    }

    /// The entries behind which one with this key stands, or is to stand, on each level; `None` for the
    /// beginning of its bucket.
    fn before(&self, key: &Key) -> Result<[Option<u64>; LEVELS], Damaged> {
        let words = self.words;
        let mut before = [None; LEVELS];
        let (mut at, mut last) = (None, None);
        for level in (0..LEVELS).rev() {
            loop {
                let number = words.tower(key.interface, at).0[level].load(Relaxed);
                let Some(index) = u64::from(number).checked_sub(1) else { break };
                let damaged = || words.damaged("next", key.interface, at, number);
                let next = (index < words.entries.len()).then(|| words.look(index)).flatten();
                let next = next.filter(|next| words.may_follow(key.interface, last, next.key));
                let next = next.ok_or_else(damaged)?;
                if next.key >= *key {
                    break;
                }
                (at, last) = (Some(index), Some(next.key));
            }
            before[level] = at;
        }
        Ok(before)
    }

    /// An entry that is not in use.
    fn free_entry(&self) -> Option<u64> {
        let words = self.words;
        let (first, count) = (words.head.room.load(Relaxed), words.taken.len());
        (0..count).find_map(|word| {
            let word = first.wrapping_add(word) & (count - 1);
            let mut taken = words.taken.at(word).load(Relaxed);
            while taken != u64::MAX {
                let index = 64 * word + u64::from(taken.trailing_ones());
                if index >= words.entries.len() {
                    break;
                }
                // Of a word that lost a bit, the states know better.
                if words.entries.at(index).state.load(Relaxed) & 1 == 0 {
                    return Some(index);
                }
                taken |= taken + 1;
            }
            None
        })
    }

    /// Marks an entry as taken, or as free.
    fn mark(&self, index: u64, taken: bool) {
        let word = self.words.taken.at(index / 64);
        let (bits, bit) = (word.load(Relaxed), 1 << (index % 64));
        word.store(if taken { bits | bit } else { bits & !bit }, Relaxed);
        self.words.head.room.store(index / 64, Relaxed);
    }
}

/// The number by which links name an entry.
fn number_of(index: u64) -> u32 {
    // Below MAX_ENTRIES.
    #[allow(clippy::cast_possible_truncation)]
    let number = index as u32 + 1;
    number
}

/// On how many levels an offer stands: a quarter of those of each level are in the next.
fn height(id: u64) -> usize {
    if cfg!(loom) {
        // Every other one on both.
        return 1 + (id % 2) as usize;
    }
    // The upper bits of a product depend on all of the number.
    let mixed = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    (1 + mixed.trailing_zeros() as usize / 2).min(LEVELS)
}
