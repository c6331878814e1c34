//! Models of snapshots, on the source that ships. The values are cells that loom watches: it complains
//! if one is read before it is made, or dropped while it is read.

#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use strait_loom_tests::explore;
use strait_pools::snapshot::{Retired, Snapshot, enter};

/// A number that can be read until it is dropped, once.
#[derive(Debug)]
struct Watched {
    number: UnsafeCell<u32>,
    dropped: Arc<AtomicU32>,
}

// SAFETY: its cell is watched: loom complains of any access that races with another.
unsafe impl Sync for Watched {}

impl Watched {
    fn new(number: u32, dropped: &Arc<AtomicU32>) -> Self {
        Self { number: UnsafeCell::new(number), dropped: Arc::clone(dropped) }
    }

    fn number(&self) -> u32 {
        // SAFETY: loom checks that nobody writes it meanwhile.
        self.number.with(|number| unsafe { *number })
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // SAFETY: loom checks that nobody accesses it meanwhile.
        self.number.with_mut(|number| unsafe { *number = u32::MAX });
        self.dropped.fetch_add(1, Relaxed);
    }
}

type Shared = Arc<Snapshot<Watched>>;

fn shared() -> (Shared, Arc<AtomicU32>) {
    let dropped = Arc::new(AtomicU32::new(0));
    (Arc::new(Snapshot::new(Arc::new(Watched::new(0, &dropped)))), dropped)
}

/// Reads twice; what is seen never goes back.
fn read(snapshot: &Shared) -> u32 {
    let reading = enter();
    let first = snapshot.read(&reading).unwrap();
    let second = snapshot.read(&reading).unwrap();
    assert!(first.number() <= second.number());
    second.number()
}

/// What is left when all threads have ended: nobody reads, so everything goes, once.
fn finish(mut retired: Retired, snapshot: Shared, dropped: &AtomicU32, made: u32) {
    drop(retired.collect());
    assert!(retired.is_empty(), "{retired:?} though nobody reads");
    assert_eq!(dropped.load(Relaxed), made - 1);
    drop(snapshot);
    assert_eq!(dropped.load(Relaxed), made);
}

/// One reads while another replaces and drops, twice.
#[test]
fn what_is_read_is_not_dropped() {
    loom::model(|| {
        let (snapshot, dropped) = shared();
        let reader = thread::spawn({
            let snapshot = Arc::clone(&snapshot);
            move || read(&snapshot)
        });
        let mut retired = Retired::new();
        for number in 1..=2 {
            snapshot.replace(Some(Arc::new(Watched::new(number, &dropped))), &mut retired);
            drop(retired.collect());
        }
        assert!(reader.join().unwrap() <= 2);
        finish(retired, snapshot, &dropped, 3);
    });
}

/// Two read at once, in places of which the second is added when it is needed, and end.
#[test]
fn readers_find_places() {
    explore(2, || {
        let (snapshot, dropped) = shared();
        let readers = [(); 2].map(|()| {
            let snapshot = Arc::clone(&snapshot);
            thread::spawn(move || read(&snapshot))
        });
        let mut retired = Retired::new();
        snapshot.replace(Some(Arc::new(Watched::new(1, &dropped))), &mut retired);
        drop(retired.collect());
        for reader in readers {
            assert!(reader.join().unwrap() <= 1);
        }
        finish(retired, snapshot, &dropped, 2);
    });
}

/// A place is left and taken again by the same thread, in what may be a later epoch: who looks at it
/// then knows that the first reading is over.
#[test]
fn a_place_is_used_again() {
    loom::model(|| {
        let (snapshot, dropped) = shared();
        let reader = thread::spawn({
            let snapshot = Arc::clone(&snapshot);
            move || {
                let first = read(&snapshot);
                assert!(first <= read(&snapshot));
            }
        });
        let mut retired = Retired::new();
        snapshot.replace(Some(Arc::new(Watched::new(1, &dropped))), &mut retired);
        drop(retired.collect());
        reader.join().unwrap();
        finish(retired, snapshot, &dropped, 2);
    });
}

/// Two replace the same value: each old one goes to one of them, and whoever gets it may drop it.
#[test]
fn each_value_is_retired_once() {
    loom::model(|| {
        let (snapshot, dropped) = shared();
        let other = thread::spawn({
            let (snapshot, dropped) = (Arc::clone(&snapshot), Arc::clone(&dropped));
            move || {
                let mut retired = Retired::new();
                snapshot.replace(Some(Arc::new(Watched::new(1, &dropped))), &mut retired);
                drop(retired.collect());
            }
        });
        let mut retired = Retired::new();
        snapshot.replace(Some(Arc::new(Watched::new(1, &dropped))), &mut retired);
        drop(retired.collect());
        other.join().unwrap();
        finish(retired, snapshot, &dropped, 3);
    });
}

/// One thread reads twice at once, and leaves what it entered first while it still reads the other.
#[test]
fn readings_overlap() {
    loom::model(|| {
        let (snapshot, dropped) = shared();
        let reader = thread::spawn({
            let snapshot = Arc::clone(&snapshot);
            move || {
                let first = enter();
                let seen = snapshot.read(&first).unwrap().number();
                let second = enter();
                drop(first);
                assert!(seen <= snapshot.read(&second).unwrap().number());
            }
        });
        let mut retired = Retired::new();
        snapshot.replace(Some(Arc::new(Watched::new(1, &dropped))), &mut retired);
        drop(retired.collect());
        reader.join().unwrap();
        finish(retired, snapshot, &dropped, 2);
    });
}
