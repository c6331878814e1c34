//! Models of a directory, on the source that ships. Its writers' turn is the kernel's lock, for which a swap
//! stands here. Those that die are the main thread: see `endpoint`.

#![cfg(loom)]

use loom::sync::atomic::AtomicBool;
use loom::thread;
use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32 as Count, Ordering::Relaxed as Plain};
use strait_ipc::ring::directory::layout::{EntryHead, Tower};
use strait_ipc::ring::directory::{Change, Found, NewEntry, Place, Words};
use strait_loom_tests::deaths::marks_of;
use strait_loom_tests::explore;
use strait_pools::marks::Mark;
use strait_pools::marks::model::die_at;
use strait_pools::placement::Heap;
use strait_pools::sync::Ordering::{AcqRel, Relaxed};
use strait_pools::sync::{AtomicU32, AtomicU64};

const INTERFACE: u64 = 0;

/// A directory whose entries have one word each, which says which offer it is.
#[derive(Clone, Debug)]
struct Shared {
    words: Words<Heap>,
    bodies: Arc<[AtomicU64]>,
    turn: Arc<AtomicBool>,
}

impl Shared {
    fn new(entries: usize) -> Self {
        let words = Words {
            head: Arc::default(),
            taken: [AtomicU64::default()].into(),
            // One for each interface is too many for a model.
            buckets: (0..2).map(|_| Tower::default()).collect(),
            names: [AtomicU32::default()].into(),
            entries: (0..entries).map(|_| EntryHead::default()).collect(),
        };
        let bodies = (0..entries).map(|_| AtomicU64::default()).collect();
        Self { words, bodies, turn: Arc::default() }
    }

    fn body(&self, index: u64) -> &AtomicU64 {
        &self.bodies[usize::try_from(index).unwrap()]
    }

    /// A turn of one that lives to its end.
    fn alone<R>(&self, work: impl FnOnce(&mut Change<'_, Heap>) -> R) -> R {
        while self.turn.swap(true, AcqRel) {
            thread::yield_now();
        }
        let result = work(&mut self.words.change().unwrap());
        self.turn.swap(false, AcqRel);
        result
    }

    /// One that dies at `mark`; whether it did.
    fn die_at(&self, mark: Mark, passes: u32, work: impl FnOnce(&mut Change<'_, Heap>)) -> bool {
        assert!(!self.turn.swap(true, AcqRel));
        let died = die_at(mark, passes, || work(&mut self.words.change().unwrap())).is_none();
        self.turn.swap(false, AcqRel);
        died
    }

    fn offer(&self, change: &mut Change<'_, Heap>, interface: u64, ranking: i64) -> Place {
        let new = NewEntry { interface, name: 1, ranking, owner: (0, 1) };
        let write = |index, entry: &EntryHead| {
            self.body(index).store(10 * entry.id.load(Relaxed), Relaxed);
        };
        change.insert(&new, write).unwrap().0
    }

    /// The rankings of what is offered, in order; each is looked at whole.
    fn find(&self, interface: u64) -> Vec<i64> {
        let first = self.words.first(interface).unwrap();
        let found = std::iter::successors(first, |found| self.words.after(found).unwrap());
        found.inspect(|found| self.check(found)).map(|found| found.key.ranking.0).collect()
    }

    fn check(&self, Found { place, key }: &Found) {
        let body = self.words.read(*place, |_| self.body(place.index).load(Relaxed));
        assert!(body.is_none_or(|body| body == 10 * key.id), "{body:?} is not what {key:?} offers");
        let Reverse(ranking) = key.ranking;
        assert!(ranking.abs() < 10, "a torn key");
    }
}

/// What is found is whole, although the only entry is used again.
#[test]
fn offers_are_whole() {
    explore(1, || {
        let shared = Shared::new(1);
        let reader = thread::spawn({
            let shared = shared.clone();
            move || shared.words.first(INTERFACE).unwrap().inspect(|found| shared.check(found))
        });
        let first = shared.alone(|change| shared.offer(change, INTERFACE, 1));
        shared.alone(|change| {
            assert_eq!(change.remove(first), Ok(true));
            shared.offer(change, INTERFACE, 2);
        });
        let found = reader.join().unwrap();
        assert!(found.is_none_or(|found| [1, 2].contains(&found.key.ranking.0)), "{found:?}");
        assert_eq!(shared.find(INTERFACE), [2]);
    });
}

/// What is offered all the time is found all the time, whatever becomes of the entries beside it.
#[test]
fn what_stands_is_found() {
    // Where the entry that is withdrawn stands again: nowhere near, behind the others, and before them.
    for (interface, ranking) in [(1, 0), (INTERFACE, -5), (INTERFACE, 5)] {
        explore(2, move || {
            let shared = Shared::new(4);
            let beside = shared.alone(|change| {
                shared.offer(change, INTERFACE, 3);
                let beside = shared.offer(change, INTERFACE, 2);
                shared.offer(change, INTERFACE, 1);
                beside
            });
            let reader = thread::spawn({
                let shared = shared.clone();
                move || shared.find(INTERFACE)
            });
            shared.alone(|change| assert_eq!(change.remove(beside), Ok(true)));
            shared.alone(|change| shared.offer(change, interface, ranking));
            let found = reader.join().unwrap();
            assert!(found.is_sorted_by(|one, next| one > next), "out of order: {found:?}");
            let standing: Vec<_> =
                found.iter().filter(|&&ranking| [1, 3].contains(&ranking)).collect();
            assert_eq!(standing, [&3, &1], "lost: {found:?}");
        });
    }
}

/// What comes forward because another is withdrawn is live.
#[test]
fn what_comes_forward_is_live() {
    explore(3, || {
        let shared = Shared::new(2);
        let reader = thread::spawn({
            let shared = shared.clone();
            move || shared.words.first(INTERFACE).unwrap()
        });
        let before = shared.alone(|change| {
            let before = shared.offer(change, INTERFACE, 2);
            shared.offer(change, INTERFACE, 1);
            before
        });
        shared.alone(|change| assert_eq!(change.remove(before), Ok(true)));
        reader.join().unwrap();
    });
}

/// Two that offer at once take turns.
#[test]
fn two_write() {
    explore(2, || {
        let shared = Shared::new(2);
        let other = thread::spawn({
            let shared = shared.clone();
            move || shared.alone(|change| shared.offer(change, INTERFACE, 1))
        });
        let place = shared.alone(|change| shared.offer(change, INTERFACE, 2));
        shared.alone(|change| assert_eq!(change.remove(place), Ok(true)));
        other.join().unwrap();
        assert_eq!(shared.find(INTERFACE), [1]);
        assert_eq!((shared.words.changes(), shared.words.taken()), (3, 1));
    });
}

/// Who waits for a change is woken by it, and finds what was offered.
fn wait_for_change(shared: &Shared) -> Vec<i64> {
    while shared.words.changes() == 0 {
        let look = || (shared.words.changes() != 0).then_some(());
        shared.words.head.crowd.sleep_unless(None, look);
    }
    shared.find(INTERFACE)
}

#[test]
fn watchers_are_woken() {
    explore(3, || {
        let shared = Shared::new(1);
        let watcher = thread::spawn({
            let shared = shared.clone();
            move || wait_for_change(&shared)
        });
        shared.alone(|change| shared.offer(change, INTERFACE, 1));
        assert_eq!(watcher.join().unwrap(), [1]);
    });
}

/// A writer dies, wherever: who comes next finishes what it left, and nothing that stands is lost meanwhile.
#[test]
fn writers_die() {
    for &mark in marks_of("directory::writers_die") {
        for passes in 0.. {
            let deaths = Arc::new(Count::new(0));
            let counted = Arc::clone(&deaths);
            explore(1, move || {
                let shared = Shared::new(4);
                let withdrawn = shared.alone(|change| {
                    shared.offer(change, INTERFACE, 1);
                    shared.offer(change, INTERFACE, 3)
                });
                let reader = thread::spawn({
                    let shared = shared.clone();
                    move || shared.find(INTERFACE)
                });
                let died = shared.die_at(mark, passes, |change| {
                    assert_eq!(change.remove(withdrawn), Ok(true));
                    shared.offer(change, INTERFACE, 2);
                });
                if died {
                    counted.fetch_add(1, Plain);
                }
                // What the dead one left is found or not; what stands is.
                let left = shared.find(INTERFACE);
                assert!(left.contains(&1) && left.is_sorted_by(|one, next| one > next), "{left:?}");
                let found = reader.join().unwrap();
                assert!(found.contains(&1), "{found:?}");
                shared.alone(|change| shared.offer(change, INTERFACE, 0));
                let found = shared.find(INTERFACE);
                assert!(found.ends_with(&[1, 0]), "{found:?}");
                assert_eq!(shared.words.taken(), found.len() as u64, "an entry is lost");
            });
            if deaths.load(Plain) == 0 {
                assert_ne!(passes, 0, "nobody ever died at {mark:?}");
                break;
            }
        }
    }
}

/// A writer dies as it wakes a watcher, or just before: its heir does.
#[test]
fn a_watcher_of_the_dead_is_woken() {
    for mark in [Mark::DirectoryCounted, Mark::CrowdWoken] {
        explore(2, move || {
            let shared = Shared::new(1);
            let watcher = thread::spawn({
                let shared = shared.clone();
                move || wait_for_change(&shared)
            });
            shared.die_at(mark, 0, |change| {
                shared.offer(change, INTERFACE, 1);
            });
            shared.alone(|_| {});
            let found = watcher.join().unwrap();
            assert!([&[][..], &[1]].contains(&&found[..]), "{found:?}");
        });
    }
}
