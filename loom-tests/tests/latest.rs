//! Models of latest values, on the source that ships. The writer, which reads its own words back, is the main
//! thread, and so are its successors: see `endpoint`.

#![cfg(loom)]

use loom::thread;
use std::sync::Arc;
use strait_ipc::ring::latest::layout::SLOTS;
use strait_ipc::ring::latest::{Slot, Value, Words, Writer};
use strait_loom_tests::deaths::marks_of;
use strait_loom_tests::explore;
use strait_pools::marks::Mark::{self, LatestWriting};
use strait_pools::marks::model::die_at;
use strait_pools::marks::pass;
use strait_pools::placement::Heap;
use strait_pools::sync::{AtomicU64, Ordering::Relaxed};

const KEY: u64 = 0;

/// One key, whose values are two words that belong together.
#[derive(Clone, Debug)]
struct Shared {
    words: Words<Heap>,
    slots: Arc<[[AtomicU64; 2]]>,
    parking: bool,
}

impl Shared {
    fn new(parking: bool) -> Self {
        let words = Words { head: Arc::default(), versions: [AtomicU64::new(0)].into() };
        Self { words, slots: (0..SLOTS).map(|_| Default::default()).collect(), parking }
    }

    fn slot(&self, slot: Slot) -> &[AtomicU64; 2] {
        assert_eq!(slot.key, KEY);
        &self.slots[usize::try_from(slot.index).unwrap()]
    }

    /// Sets the key to its next values, until it has had `end`.
    fn set_until(&self, end: u64) {
        let mut writer = Writer::<Heap>::take_over(self.words.clone(), self.parking);
        while self.words.version(KEY) < end {
            let value = self.words.version(KEY) + 1;
            writer.set(KEY, |slot| {
                let [first, second] = self.slot(slot);
                first.store(value, Relaxed);
                pass(LatestWriting);
                second.store(10 * value, Relaxed);
            });
        }
    }

    /// Reads the value, which belongs to its version; `None` if there is none, or never a whole one.
    fn read(&self) -> Option<u64> {
        let read = self.words.read(KEY, |slot| {
            let [first, second] = self.slot(slot);
            let second = second.load(Relaxed);
            (first.load(Relaxed), second)
        });
        let Value::Latest((first, second), version) = read else { return None };
        assert_eq!((first, second), (version, 10 * version), "a torn value, or another's");
        Some(version)
    }

    /// Waits until the key has had that many values: asleep, if readers sleep.
    fn wait_for(&self, version: u64) {
        while self.words.version(KEY) < version {
            if self.parking {
                let look = || (self.words.version(KEY) >= version).then_some(());
                self.words.head.crowd.sleep_unless(None, look);
            } else {
                thread::yield_now();
            }
        }
    }
}

/// What is read is whole and never older than what was read before.
#[test]
fn values_are_whole() {
    explore(3, || {
        let shared = Shared::new(false);
        let reader = thread::spawn({
            let shared = shared.clone();
            move || {
                let (first, second) = (shared.read(), shared.read());
                assert!(first.is_none() || second.is_none() || first <= second, "back in time");
            }
        });
        shared.set_until(3);
        assert_eq!(shared.read(), Some(3));
        reader.join().unwrap();
    });
}

/// Two that read disturb nobody.
#[test]
fn two_read() {
    explore(2, || {
        let shared = Shared::new(false);
        let readers = [0, 1].map(|_| {
            let shared = shared.clone();
            thread::spawn(move || shared.read())
        });
        shared.set_until(2);
        for reader in readers {
            assert!(reader.join().unwrap().is_none_or(|value| value <= 2));
        }
    });
}

/// Whoever waits for a change sees it, asleep or not.
#[test]
fn a_change_is_waited_for() {
    for parking in [false, true] {
        explore(3, move || {
            let shared = Shared::new(parking);
            let reader = thread::spawn({
                let shared = shared.clone();
                move || {
                    shared.wait_for(1);
                    assert_eq!(shared.read(), Some(1));
                }
            });
            shared.set_until(1);
            reader.join().unwrap();
        });
    }
}

/// A writer dies, wherever: the key has its last whole value all the time, and its successor sets the next.
#[test]
fn writers_die() {
    for &mark in marks_of("latest::writers_die") {
        // While the first value is written, and while others are.
        for passes in 0..4 {
            explore(2, move || {
                let shared = Shared::new(false);
                let reader = thread::spawn({
                    let shared = shared.clone();
                    move || shared.read()
                });
                let died = die_at(mark, passes, || shared.set_until(3)).is_none();
                assert!(died || passes >= passed(mark), "the writer never passed {mark:?}");
                let left = shared.words.version(KEY);
                assert_eq!(shared.read(), (left > 0).then_some(left), "no value after a death");
                shared.set_until(4);
                assert_eq!(shared.read(), Some(4));
                reader.join().unwrap();
            });
        }
    }
}

/// How often a writer passes `mark` at least while it sets three values.
fn passed(mark: Mark) -> u32 {
    match mark {
        Mark::LatestTaken => 1,
        LatestWriting => 6,
        _ => 3,
    }
}
