//! From a term (a key that is equal to a value) to the services of which it holds.
//!
//! A trie over the bits of the term. A branch with few terms is a list, replaced when one of them
//! comes or goes; one with more branches again. A term of one service takes one entry of that list; a
//! term of several has their ranks in an order of its own.

use super::filter::Term;
use super::rank::{Entry, Rank};
use super::ranked::Ranked;
use std::sync::Arc;
use strait_pools::snapshot::{Reading, Retired, Snapshot};

/// Bits of a term per level, and branches of a level.
const BITS: u32 = if cfg!(loom) { 1 } else { 6 };
const FAN: usize = 1 << BITS;

/// Most terms of a list, unless they differ in no bit.
const LIST: usize = 8;

/// The services of each term. Changes are made by one thread at a time.
#[derive(Debug)]
pub(super) struct Index {
    branches: Branches,
}

type Branches = Box<[Snapshot<Branch>]>;

#[derive(Debug)]
enum Branch {
    List(Vec<(Term, Posting)>),
    Fork(Branches),
}

/// The services of one term.
#[derive(Clone, Debug)]
pub(super) enum Posting {
    One(Entry),
    Many(Arc<Ranked>),
}

impl Posting {
    pub(super) fn estimate(&self, reading: &Reading) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(ranked) => ranked.estimate(reading),
        }
    }

    /// The first service, in order of rank, of which `test` makes something.
    pub(super) fn find<R>(
        &self,
        reading: &Reading,
        mut test: impl FnMut(Entry) -> Option<R>,
    ) -> Option<R> {
        match self {
            Self::One(entry) => test(*entry),
            Self::Many(ranked) => ranked.iter(reading).find_map(test),
        }
    }
}

fn branches() -> Branches {
    (0..FAN).map(|_| Snapshot::empty()).collect()
}

/// Which branch of a level a term is in. The level's bits are no more than `FAN` has.
#[allow(clippy::cast_possible_truncation)]
fn branch_of(term: Term, level: u32) -> usize {
    (term.checked_shr(level * BITS).unwrap_or(0) as usize) & (FAN - 1)
}

fn position(list: &[(Term, Posting)], term: Term) -> Option<usize> {
    list.iter().position(|(other, _)| *other == term)
}

impl Index {
    pub(super) fn new() -> Self {
        Self { branches: branches() }
    }

    /// The services of a term.
    #[inline]
    pub(super) fn get<'a>(&'a self, term: Term, reading: &'a Reading) -> Option<&'a Posting> {
        let (_, _, list) = self.list(term, reading);
        position(list, term).map(|at| &list[at].1)
    }

    /// The list where a term is or would be, in which snapshot, at which level.
    #[inline]
    fn list<'a>(
        &'a self,
        term: Term,
        reading: &'a Reading,
    ) -> (&'a Snapshot<Branch>, u32, &'a [(Term, Posting)]) {
        let (mut branches, mut level) = (&self.branches, 0);
        loop {
            let branch = &branches[branch_of(term, level)];
            match branch.read(reading) {
                None => return (branch, level, &[]),
                Some(Branch::List(list)) => return (branch, level, list),
                Some(Branch::Fork(more)) => branches = more,
            }
            level += 1;
        }
    }

    /// Adds a service to a term.
    pub(super) fn insert(
        &self,
        term: Term,
        entry: Entry,
        retired: &mut Retired,
        reading: &Reading,
    ) {
        let (branch, level, list) = self.list(term, reading);
        let mut new;
        match position(list, term).map(|at| (at, &list[at].1)) {
            Some((_, Posting::Many(ranked))) => return ranked.insert(entry, retired, reading),
            Some((at, Posting::One(first))) => {
                let ranked = Ranked::default();
                ranked.insert(*first, retired, reading);
                ranked.insert(entry, retired, reading);
                new = list.to_vec();
                new[at].1 = Posting::Many(Arc::new(ranked));
            }
            None if list.len() < LIST || (level + 1) * BITS >= Term::BITS => {
                new = Vec::with_capacity(list.len() + 1);
                new.extend_from_slice(list);
                new.push((term, Posting::One(entry)));
            }
            None => {
                branch.replace(Some(Arc::new(fork(list, level + 1))), retired);
                return self.insert(term, entry, retired, reading);
            }
        }
        branch.replace(Some(Arc::new(Branch::List(new))), retired);
    }

    /// Removes a service from a term.
    pub(super) fn remove(&self, term: Term, rank: Rank, retired: &mut Retired, reading: &Reading) {
        let (branch, _, list) = self.list(term, reading);
        let Some(at) = position(list, term) else { return };
        if let Posting::Many(ranked) = &list[at].1
            && ranked.remove(rank, retired, reading)
        {
            return;
        }
        let mut new = list.to_vec();
        new.swap_remove(at);
        let new = (!new.is_empty()).then(|| Arc::new(Branch::List(new)));
        branch.replace(new, retired);
    }

    /// Moves a service of a term to another rank, in one step.
    pub(super) fn reposition(
        &self,
        term: Term,
        from: Rank,
        to: Entry,
        retired: &mut Retired,
        reading: &Reading,
    ) {
        let (branch, _, list) = self.list(term, reading);
        match position(list, term).map(|at| (at, &list[at].1)) {
            Some((_, Posting::Many(ranked))) => ranked.reposition(from, to, retired, reading),
            Some((at, Posting::One(_))) => {
                let mut new = list.to_vec();
                new[at].1 = Posting::One(to);
                branch.replace(Some(Arc::new(Branch::List(new))), retired);
            }
            None => {}
        }
    }
}

/// The terms of a list by the next of their bits.
fn fork(list: &[(Term, Posting)], level: u32) -> Branch {
    let mut lists = vec![Vec::new(); FAN];
    for (term, posting) in list {
        lists[branch_of(*term, level)].push((*term, posting.clone()));
    }
    let branch = |list: Vec<_>| match list.is_empty() {
        true => Snapshot::empty(),
        false => Snapshot::new(Arc::new(Branch::List(list))),
    };
    Branch::Fork(lists.into_iter().map(branch).collect())
}
