//! Models of the memory pools, on the source that ships: the return lane by itself, pools of objects, and
//! heaps whose blocks are freed by others. Each ends with everything freed, which loom checks for cells.

#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::thread;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use strait_loom_tests::explore;
use strait_pools::pool::closing::Closing;
use strait_pools::pool::heap::model::{Other, Owner};
use strait_pools::pool::lane::{Lane, Node};
use strait_pools::pool::{Fallback, FixedPool, HeapOptions, SizeClass};

/// A node that says who put it.
struct Letter {
    next: UnsafeCell<*mut Letter>,
    text: UnsafeCell<u32>,
}

impl Node for Letter {
    fn set_next(&self, next: *mut Self) {
        // SAFETY: loom checks that nobody else accesses the link meanwhile.
        self.next.with_mut(|link| unsafe { *link = next });
    }

    fn next(&self) -> *mut Self {
        // SAFETY: loom checks that nobody writes the link meanwhile.
        self.next.with(|link| unsafe { *link })
    }
}

fn letter(text: u32) -> NonNull<Letter> {
    let next = UnsafeCell::new(ptr::null_mut());
    NonNull::from(Box::leak(Box::new(Letter { next, text: UnsafeCell::new(text) })))
}

fn put(lane: &Lane<Letter>, text: u32) -> bool {
    let letter = letter(text);
    // SAFETY: a chain of one, which stays where it is.
    let put = unsafe { lane.push(letter, letter) }.is_ok();
    if !put {
        // SAFETY: the lane left it with us.
        drop(unsafe { Box::from_raw(letter.as_ptr()) });
    }
    put
}

/// The texts of a list, which is freed.
fn read(mut list: *mut Letter) -> Vec<u32> {
    let mut texts = Vec::new();
    while !list.is_null() {
        // SAFETY: of a taken list, which is ours.
        let letter = unsafe { Box::from_raw(list) };
        list = letter.next();
        // SAFETY: loom checks that nobody writes it meanwhile.
        texts.push(letter.text.with(|text| unsafe { *text }));
    }
    texts
}

#[test]
fn what_two_put_is_taken_once() {
    loom::model(|| {
        let lane = Arc::new(Lane::default());
        let others = [1, 2].map(|text| {
            let lane = Arc::clone(&lane);
            thread::spawn(move || assert!(put(&lane, text)))
        });
        let mut texts = Vec::new();
        while texts.len() < 2 {
            texts.extend(read(lane.take()));
            thread::yield_now();
        }
        for other in others {
            other.join().unwrap();
        }
        assert!(lane.take().is_null());
        texts.sort_unstable();
        assert_eq!(texts, [1, 2]);
    });
}

#[test]
fn a_closed_lane_takes_nothing() {
    loom::model(|| {
        let lane = Arc::new(Lane::default());
        let other = {
            let lane = Arc::clone(&lane);
            thread::spawn(move || [1, 2].map(|text| put(&lane, text)))
        };
        let texts = read(lane.close());
        let put = other.join().unwrap();
        // In front of each other; and after a refusal there is none that was accepted.
        let expected: &[u32] = match put {
            [true, true] => &[2, 1],
            [true, false] => &[1],
            [false, false] => &[],
            [false, true] => panic!("a lane that opened again"),
        };
        assert_eq!(texts, expected);
    });
}

/// Memory of which loom watches who uses it, until all have left.
struct Used {
    closing: Closing,
    cells: [UnsafeCell<u32>; 3],
}

// SAFETY: loom checks who accesses the cells.
unsafe impl Sync for Used {}

impl Used {
    fn write(&self, index: usize) {
        // SAFETY: loom checks that nobody else accesses it meanwhile.
        self.cells[index].with_mut(|used| unsafe { *used += 1 });
    }

    /// Uses all of it, if the caller is the last.
    fn free(&self, last: bool) -> bool {
        if last {
            (0..3).for_each(|index| self.write(index));
        }
        last
    }
}

/// Two give up what they have used, the owner owes it: the last of the three finds that the others' use
/// is over.
#[test]
fn the_last_to_leave_frees_what_all_have_used() {
    loom::model(|| {
        let shared =
            Arc::new(Used { closing: Closing::default(), cells: [0; 3].map(UnsafeCell::new) });
        let others = [1, 2].map(|index| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.write(index);
                shared.free(shared.closing.settle(1))
            })
        });
        shared.write(0);
        let last = shared.free(shared.closing.owe(2));
        let lasts = others.map(|other| other.join().unwrap());
        assert_eq!(lasts.iter().filter(|&&last| last).count() + usize::from(last), 1);
    });
}

/// An object that loom watches, and whose end is counted.
struct Object {
    value: UnsafeCell<u32>,
    dropped: Arc<std::sync::atomic::AtomicU32>,
}

impl Object {
    fn write(&self, value: u32) {
        // SAFETY: loom checks that nobody else accesses it meanwhile.
        self.value.with_mut(|cell| unsafe { *cell = value });
    }

    fn read(&self) -> u32 {
        // SAFETY: loom checks that nobody writes it meanwhile.
        self.value.with(|cell| unsafe { *cell })
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        self.read();
        self.dropped.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

/// A pool of so many objects, and the count of those that were dropped.
fn objects(count: usize) -> (FixedPool<Object>, Arc<std::sync::atomic::AtomicU32>) {
    let dropped = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counter = Arc::clone(&dropped);
    let make = move || Object { value: UnsafeCell::new(0), dropped: Arc::clone(&counter) };
    let pool = FixedPool::options("model").bounded(count).make(make).unwrap();
    (pool, dropped)
}

fn dropped(count: &std::sync::atomic::AtomicU32) -> u32 {
    count.load(std::sync::atomic::Ordering::Relaxed)
}

/// The only object is used there, given back, and used here.
#[test]
fn an_object_returns_with_what_was_written() {
    loom::model(|| {
        let (pool, count) = objects(1);
        let object = pool.take().unwrap();
        let other = thread::spawn(move || {
            object.write(7);
            drop(object);
        });
        let back = loop {
            match pool.take() {
                Ok(object) => break object,
                Err(_) => thread::yield_now(),
            }
        };
        assert_eq!(back.read(), 7);
        back.write(8);
        drop(back);
        other.join().unwrap();
        drop(pool);
        assert_eq!(dropped(&count), 1);
    });
}

/// Two handles elsewhere, and an owner that takes and gives on.
#[test]
fn objects_return_while_the_owner_takes() {
    loom::model(|| {
        let (pool, count) = objects(2);
        let others = [1, 2].map(|value| {
            let object = pool.take().unwrap();
            thread::spawn(move || object.write(value))
        });
        // Nothing else makes loom let the others go first.
        thread::yield_now();
        if let Ok(object) = pool.take() {
            object.write(3);
        }
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(pool.available(), 2);
        drop(pool);
        assert_eq!(dropped(&count), 2);
    });
}

/// The owner leaves while handles are dropped elsewhere: each object is dropped once, and whoever is
/// last frees the memory after all others have used it.
#[test]
fn objects_outlive_their_pool() {
    loom::model(|| {
        let (pool, count) = objects(3);
        let others = [1, 2].map(|value| {
            let object = pool.take().unwrap();
            thread::spawn(move || object.write(value))
        });
        pool.take().unwrap().write(3);
        drop(pool);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(dropped(&count), 3);
    });
}

const SMALL: SizeClass = SizeClass::Small;

/// A block, of which loom watches the first word.
struct Watched(NonNull<UnsafeCell<u32>>);

// SAFETY: the block is the holder's.
unsafe impl Send for Watched {}

impl Watched {
    fn take(owner: &Owner) -> Self {
        let block = owner.take(SMALL).unwrap().cast::<UnsafeCell<u32>>();
        // SAFETY: 64 bytes, aligned to as many.
        unsafe { block.write(UnsafeCell::new(0)) };
        Self(block)
    }

    fn write(&self, value: u32) {
        // SAFETY: a cell as long as the block is out.
        let cell = unsafe { self.0.as_ref() };
        // SAFETY: loom checks that nobody else accesses it meanwhile.
        cell.with_mut(|word| unsafe { *word = value });
    }

    fn give_to(self, other: &Other) {
        // SAFETY: a block of an owner, of this class, and ours.
        unsafe { other.give(self.0.cast(), SMALL) };
    }
}

fn heap() -> Owner {
    Owner::new(HeapOptions::new("model").fallback(Fallback::Refuse))
}

/// Three blocks of a heap are freed elsewhere, in two parcels, while their owner takes more.
#[test]
fn blocks_return_while_the_owner_takes() {
    explore(2, || {
        let owner = heap();
        let blocks = [(); 3].map(|()| Watched::take(&owner));
        let free = thread::spawn(move || {
            let other = Other::default();
            for block in blocks {
                block.write(1);
                block.give_to(&other);
            }
        });
        let here = Watched::take(&owner);
        // Nothing else makes loom let the other go first.
        thread::yield_now();
        owner.collect();
        let there = Watched::take(&owner);
        here.write(2);
        there.write(2);
        free.join().unwrap();
        // SAFETY: ours, of this heap.
        unsafe { owner.give(here.0.cast(), SMALL) };
        // SAFETY: as above.
        unsafe { owner.give(there.0.cast(), SMALL) };
    });
}

/// Parcels go round: the owner empties one, which another thread fills again.
#[test]
fn emptied_parcels_are_filled_again() {
    explore(2, || {
        let owner = heap();
        let [first, second] = [(); 2].map(|()| Watched::take(&owner));
        let other = Other::default();
        first.give_to(&other);
        other.flush();
        let free = thread::spawn(move || {
            second.write(1);
            second.give_to(&other);
        });
        owner.collect();
        free.join().unwrap();
        owner.collect();
    });
}

/// The owner's thread ends while others free its blocks.
#[test]
fn blocks_outlive_their_heap() {
    explore(2, || {
        let owner = heap();
        let others = [1, 2].map(|value| {
            let block = Watched::take(&owner);
            thread::spawn(move || {
                block.write(value);
                block.give_to(&Other::default());
            })
        });
        drop(owner);
        for other in others {
            other.join().unwrap();
        }
    });
}
