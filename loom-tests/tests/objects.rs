//! Models of the object pool, on the source that ships. The objects are cells that loom watches: it
//! complains if two threads have one at once, or if one does not see what the other left in it.

#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use strait_pools::objects::{ObjectPool, Pooled};

/// A number in a watched cell: how often the object was in use.
#[derive(Debug)]
struct Object {
    uses: UnsafeCell<u32>,
    dropped: Arc<AtomicU32>,
}

impl Object {
    fn work(&mut self) {
        // SAFETY: loom checks that nobody else accesses it meanwhile.
        self.uses.with_mut(|uses| unsafe { *uses += 1 });
    }

    fn uses(&self) -> u32 {
        // SAFETY: loom checks that nobody else writes it meanwhile.
        self.uses.with(|uses| unsafe { *uses })
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Relaxed);
    }
}

/// A pool whose objects are not reset, with the numbers of those made and dropped.
struct Watched {
    pool: Arc<ObjectPool<Object>>,
    made: Arc<AtomicU32>,
    dropped: Arc<AtomicU32>,
}

impl Watched {
    fn new(limit: u16) -> Self {
        let (made, dropped) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let make = {
            let (made, dropped) = (Arc::clone(&made), Arc::clone(&dropped));
            move || {
                made.fetch_add(1, Relaxed);
                Object { uses: UnsafeCell::new(0), dropped: Arc::clone(&dropped) }
            }
        };
        let pool = Arc::new(ObjectPool::new("model", limit, make, |_| ()));
        Self { pool, made, dropped }
    }
}

fn use_one(pool: &ObjectPool<Object>) -> Option<Pooled<'_, Object>> {
    let mut object = pool.try_get().ok()?;
    object.work();
    Some(object)
}

/// One object, two threads: never both at once, and the second sees what the first did.
#[test]
fn an_object_is_in_one_pair_of_hands() {
    loom::model(|| {
        let watched = Watched::new(1);
        let pool = Arc::clone(&watched.pool);
        let other = thread::spawn(move || u32::from(use_one(&pool).is_some()));
        let mine = u32::from(use_one(&watched.pool).is_some());
        let theirs = other.join().unwrap();
        let last = watched.pool.try_get().expect("both have returned it");
        assert_eq!(last.uses(), mine + theirs);
        assert!(mine + theirs > 0, "the object was free, and nobody got it");
    });
}

/// An object returns while another thread is about to take the one below: what it then takes is the
/// returned one, as its last user left it.
#[test]
fn an_object_returned_meanwhile_is_whole() {
    loom::model(|| {
        let watched = Watched::new(2);
        let mut first = watched.pool.try_get().unwrap();
        let pool = Arc::clone(&watched.pool);
        let other = thread::spawn(move || drop(use_one(&pool).expect("one is free")));
        first.work();
        drop(first);
        other.join().unwrap();
    });
}

/// The number on top is the one a slow taker saw, but what lies below is not: the takes in between
/// must make its swap fail, or it would put on the stack what somebody holds.
#[test]
fn a_number_that_was_away_is_not_taken_for_the_same() {
    loom::model(|| {
        let watched = Watched::new(2);
        let pool = Arc::clone(&watched.pool);
        let other = thread::spawn(move || {
            let first = use_one(&pool);
            let second = use_one(&pool);
            drop((first, second));
        });
        let first = use_one(&watched.pool);
        let mut second = use_one(&watched.pool);
        drop(first);
        if let Some(second) = &mut second {
            second.work();
        }
        other.join().unwrap();
        drop(second);
        let all = [watched.pool.try_get(), watched.pool.try_get()];
        assert!(all.iter().all(Result::is_ok), "an object was lost");
        assert!(watched.pool.try_get().is_err(), "an object was lent twice");
    });
}

/// More threads than objects: whoever waits gets one, and no more are made than the limit says.
#[test]
fn whoever_waits_is_served() {
    loom::model(|| {
        let watched = Watched::new(1);
        let pool = Arc::clone(&watched.pool);
        let other = thread::spawn(move || pool.get().work());
        watched.pool.get().work();
        other.join().unwrap();
        assert_eq!(watched.made.load(Relaxed), 1);
        assert_eq!(watched.pool.try_get().unwrap().uses(), 2);
    });
}

/// The pool goes while an object is out: the object lives on, and is dropped once, with the last.
#[test]
fn objects_outlive_their_pool() {
    loom::model(|| {
        let Watched { pool, dropped, .. } = Watched::new(2);
        let mut object = pool.try_get_owned().unwrap();
        let other = thread::spawn({
            let dropped = Arc::clone(&dropped);
            move || {
                object.work();
                assert_eq!(dropped.load(Relaxed), 0);
                drop(object);
            }
        });
        drop(pool);
        other.join().unwrap();
        assert_eq!(dropped.load(Relaxed), 1);
    });
}
