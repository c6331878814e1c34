//! Services in order of rank, read while they change.
//!
//! ```text
//!  leaves   ┌─────────┬─────────┬───
//!           │ first ● │ first ● │ …        one value, replaced when a leaf is added or goes
//!           └───────┼─┴───────┼─┴───
//!  leaf             ▼         ▼
//!              ┌────────┐ ┌────────┐
//!              │ entry  │ │ entry  │       one value each, replaced when one of its entries
//!              │ entry  │ │ entry  │       comes or goes: at most LEAF of them are copied
//!              └────────┘ └────────┘
//! ```
//!
//! Entries are small and plain, so copying a leaf costs no counting. Among `n` services a change copies
//! one leaf, and `n / LEAF` references once in `LEAF / 2` changes, or less if services come in order.

use super::rank::{Entry, Rank};
use std::sync::Arc;
use strait_pools::snapshot::{Reading, Retired, Snapshot};

/// Most entries of a leaf.
const LEAF: usize = if cfg!(any(loom, test)) { 4 } else { 128 };

/// A set of services in order of rank. Changes are made by one thread at a time.
#[derive(Debug, Default)]
pub(super) struct Ranked {
    /// None of them is empty, and neither is their list.
    leaves: Snapshot<Vec<Leaf>>,
}

#[derive(Clone, Debug)]
struct Leaf {
    /// No entry here comes before it, and none in the leaf before comes after it. (The first leaf has
    /// all that come before.)
    first: Rank,
    entries: Arc<Snapshot<Vec<Entry>>>,
}

impl Leaf {
    fn new(entries: Vec<Entry>) -> Option<Self> {
        let first = entries.first()?.rank;
        Some(Self { first, entries: Arc::new(Snapshot::new(Arc::new(entries))) })
    }

    fn read<'a>(&'a self, reading: &'a Reading) -> &'a [Entry] {
        self.entries.read(reading).map_or(&[], Vec::as_slice)
    }
}

impl Ranked {
    /// The entries, the best first.
    pub(super) fn iter<'a>(&'a self, reading: &'a Reading) -> impl Iterator<Item = Entry> + 'a {
        let leaves = self.leaves.read(reading).map_or(&[][..], Vec::as_slice);
        leaves.iter().flat_map(|leaf| leaf.read(reading)).copied()
    }

    /// About how many entries there are.
    pub(super) fn estimate(&self, reading: &Reading) -> usize {
        match self.leaves.read(reading).map(Vec::as_slice) {
            None => 0,
            Some([leaf]) => leaf.read(reading).len(),
            Some(leaves) => leaves.len() * LEAF,
        }
    }

    /// Adds an entry.
    pub(super) fn insert(&self, entry: Entry, retired: &mut Retired, reading: &Reading) {
        let Some(leaves) = self.leaves.read(reading) else {
            let leaves = Leaf::new(vec![entry]).map(|leaf| Arc::new(vec![leaf]));
            return self.leaves.replace(leaves, retired);
        };
        let number = leaf_of(leaves, entry.rank);
        let leaf = &leaves[number];
        let entries = leaf.read(reading);
        let at = below(entries, entry.rank);
        if entries.len() < LEAF {
            let new = [&entries[..at], &[entry], &entries[at..]].concat();
            return leaf.entries.replace(Some(Arc::new(new)), retired);
        }
        // One that comes last begins a leaf, so that those before it stay full.
        let last = number + 1 == leaves.len() && at == entries.len();
        let middle = if last { at } else { entries.len() / 2 };
        let (mut left, mut right) = (entries[..middle].to_vec(), entries[middle..].to_vec());
        if last || at > middle {
            right.insert(at - middle, entry);
        } else {
            left.insert(at, entry);
        }
        let mut leaves = leaves.clone();
        let halves = [left, right].into_iter().filter_map(Leaf::new);
        // The first half takes over the old lower bound.
        let first = leaves[number].first;
        leaves.splice(number..=number, halves);
        leaves[number].first = leaves[number].first.min(first);
        self.leaves.replace(Some(Arc::new(leaves)), retired);
    }

    /// Removes the entry of that rank; whether any is left.
    pub(super) fn remove(&self, rank: Rank, retired: &mut Retired, reading: &Reading) -> bool {
        let Some(leaves) = self.leaves.read(reading) else { return false };
        let number = leaf_of(leaves, rank);
        let mut entries = leaves[number].read(reading).to_vec();
        entries.retain(|entry| entry.rank != rank);
        if !entries.is_empty() {
            leaves[number].entries.replace(Some(Arc::new(entries)), retired);
            return true;
        }
        let mut leaves = leaves.clone();
        leaves.remove(number);
        let left = !leaves.is_empty();
        self.leaves.replace(left.then(|| Arc::new(leaves)), retired);
        left
    }

    /// Moves a service to another rank in one step: no reader misses it, or finds it twice.
    pub(super) fn reposition(
        &self,
        from: Rank,
        to: Entry,
        retired: &mut Retired,
        reading: &Reading,
    ) {
        let Some(old) = self.leaves.read(reading) else { return };
        let mut leaves = old.clone();
        let source = leaf_of(old, from);
        let mut entries = old[source].read(reading).to_vec();
        entries.retain(|entry| entry.rank != from);
        if entries.is_empty() {
            leaves.remove(source);
        } else {
            leaves[source].entries = Arc::new(Snapshot::new(Arc::new(entries)));
        }
        if leaves.is_empty() {
            leaves.extend(Leaf::new(vec![to]));
        } else {
            let target = leaf_of(&leaves, to.rank);
            let mut entries = leaves[target].read(reading).to_vec();
            entries.insert(below(&entries, to.rank), to);
            leaves[target].entries = Arc::new(Snapshot::new(Arc::new(entries)));
        }
        self.leaves.replace(Some(Arc::new(leaves)), retired);
    }
}

/// The leaf in which that rank is, or would be.
fn leaf_of(leaves: &[Leaf], rank: Rank) -> usize {
    leaves.partition_point(|leaf| leaf.first <= rank).saturating_sub(1)
}

/// How many entries come before that rank.
fn below(entries: &[Entry], rank: Rank) -> usize {
    entries.partition_point(|entry| entry.rank < rank)
}
