//! The object pool against a reference, and at its edges.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof, proptest};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::thread;
use strait_pools::objects::{ObjectPool, Pooled};

/// Counts what it makes, from 0.
fn numbered(limit: u16) -> (ObjectPool<u32>, Arc<AtomicU32>) {
    let made = Arc::new(AtomicU32::new(0));
    let make = {
        let made = Arc::clone(&made);
        move || made.fetch_add(1, Relaxed)
    };
    (ObjectPool::new("numbers", limit, make, |_| ()), made)
}

#[derive(Clone, Debug)]
enum Step {
    Take,
    /// Returns one of those that are out.
    Return(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(prop_oneof![3 => Just(Step::Take), 2 => (0..64_usize).prop_map(Step::Return)], 0..200)
}

proptest! {
    /// The reference: a stack of those that came back, under which are those not made yet.
    #[test]
    fn the_last_returned_is_the_next_lent(limit in 0..12_u16, steps in steps()) {
        let (pool, made) = numbered(limit);
        let mut returned: Vec<u32> = Vec::new();
        let mut out: Vec<Pooled<'_, u32>> = Vec::new();
        let mut unmade = 0..u32::from(limit);
        for step in steps {
            match step {
                Step::Take => match returned.pop().or_else(|| unmade.next()) {
                    Some(expected) => {
                        let object = pool.try_get().unwrap();
                        assert_eq!(*object, expected);
                        out.push(object);
                    }
                    None => assert!(pool.try_get().is_err()),
                },
                Step::Return(_) if out.is_empty() => {}
                Step::Return(which) => {
                    let object = out.swap_remove(which % out.len());
                    returned.push(*object);
                }
            }
            assert_eq!(made.load(Relaxed), unmade.start);
        }
    }
}

#[test]
fn an_exhausted_pool_says_which_and_how_large() {
    let (pool, _) = numbered(2);
    let _out = [pool.try_get().unwrap(), pool.try_get().unwrap()];
    let error = pool.try_get().unwrap_err();
    assert_eq!(error.to_string(), "pool `numbers` is exhausted: all of its 2 objects are in use");
}

#[test]
fn an_object_is_reset_before_the_next_has_it() {
    let pool = ObjectPool::new("buffers", 1, || vec![7], |buffer: &mut Vec<u8>| buffer.clear());
    assert_eq!(*pool.get(), [7], "a new object is as it was made");
    pool.get().extend([1, 2, 3]);
    assert!(pool.get().is_empty());
}

#[test]
fn a_largest_pool_lends_each_object_once() {
    let (pool, _) = numbered(u16::MAX);
    let mut out: Vec<_> = (0..u16::MAX).map(|_| pool.try_get().unwrap()).collect();
    assert!(pool.try_get().is_err());
    out.sort_by_key(|object| **object);
    assert!(out.iter().zip(0..).all(|(object, number)| **object == number));
}

#[test]
fn a_panic_in_making_costs_nothing() {
    let broken = Arc::new(AtomicBool::new(true));
    let make = {
        let broken = Arc::clone(&broken);
        move || assert!(!broken.load(Relaxed), "cannot connect")
    };
    let pool = ObjectPool::new("connections", 1, make, |()| ());
    assert!(catch_unwind(AssertUnwindSafe(|| pool.try_get())).is_err());
    broken.store(false, Relaxed);
    assert!(pool.try_get().is_ok(), "the number went back");
}

#[test]
fn an_object_whose_reset_panics_is_made_anew() {
    let reset = |number: &mut u32| assert_ne!(*number, 13, "cannot be reset");
    let made = AtomicU32::new(0);
    let pool = ObjectPool::new("numbers", 1, move || made.fetch_add(1, Relaxed), reset);
    let mut object = pool.get();
    assert_eq!(*object, 0);
    *object = 13;
    assert!(catch_unwind(AssertUnwindSafe(|| drop(object))).is_err());
    assert_eq!(*pool.get(), 1);
}

#[test]
fn an_object_returns_from_a_thread_that_panics() {
    let (pool, made) = numbered(1);
    let pool = Arc::new(pool);
    let object = pool.get_owned();
    let ended = thread::spawn(move || {
        let _object = object;
        panic!("with an object in hand");
    })
    .join();
    assert!(ended.is_err());
    assert_eq!((*pool.get(), made.load(Relaxed)), (0, 1));
}

#[test]
fn objects_live_until_the_last_loan_is_over() {
    let object = Arc::new(());
    let pool = {
        let object = Arc::clone(&object);
        Arc::new(ObjectPool::new("shared", 2, move || Arc::clone(&object), |_| ()))
    };
    let (first, second) = (pool.get_owned(), pool.try_get_owned().unwrap());
    assert!(pool.try_get_owned().is_err());
    drop(second);
    drop(pool);
    // This one, the factory's, and the two made.
    assert_eq!(Arc::strong_count(&object), 4);
    drop(first);
    assert_eq!(Arc::strong_count(&object), 1);
}

/// Four threads, three objects, each of which says if two threads have it at once.
#[test]
fn threads_share_fewer_objects_than_they_are() {
    const ROUNDS: u32 = 20_000;
    let made = Arc::new(AtomicU32::new(0));
    let make = {
        let made = Arc::clone(&made);
        move || {
            made.fetch_add(1, Relaxed);
            AtomicBool::new(false)
        }
    };
    let pool = Arc::new(ObjectPool::new("guarded", 3, make, |_| ()));
    let (sender, receiver) = mpsc::channel();
    for _ in 0..4 {
        let (pool, sender) = (Arc::clone(&pool), sender.clone());
        thread::spawn(move || {
            let clashes = (0..ROUNDS).filter_map(|round| {
                let object = if round % 2 == 0 { pool.get() } else { pool.try_get().ok()? };
                let clash = object.swap(true, Relaxed);
                object.store(false, Relaxed);
                clash.then_some(())
            });
            sender.send(clashes.count()).unwrap();
        });
    }
    drop(sender);
    assert_eq!(receiver.iter().sum::<usize>(), 0, "an object was lent twice at once");
    assert!(made.load(Relaxed) <= 3);
}
