//! Pools of objects.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use strait_pools::pool::{FixedPool, PoolError, Pooled, TicketError};

#[test]
fn a_bounded_pool_says_that_it_is_exhausted() {
    let pool = FixedPool::options("orders").bounded(2).make(|| [0_u64; 3]).unwrap();
    let held = [pool.take().unwrap(), pool.take().unwrap()];
    let error = pool.take().unwrap_err();
    let expected = PoolError::Exhausted { pool: "orders", size: 24, limit: 2, unit: "objects" };
    assert_eq!(error, expected);
    assert_eq!(
        error.to_string(),
        "pool `orders` is exhausted: it has no room for 24 bytes within its limit of 2 objects; \
         give something back, or raise the limit"
    );
    drop(held);
    assert!(pool.take().is_ok());
}

#[test]
fn it_grows_by_chunks_of_1024() {
    let pool = FixedPool::options("growing").make(|| 7_u8).unwrap();
    assert_eq!(pool.len(), 1_024);
    let held: Vec<_> = (0..1_024).map(|_| pool.take().unwrap()).collect();
    assert_eq!(pool.len(), 1_024);
    let one_more = pool.take().unwrap();
    assert_eq!(pool.len(), 2_048);
    drop((held, one_more));
    assert_eq!(pool.available(), 2_048);
}

#[test]
fn a_bound_that_is_no_whole_number_of_chunks_is_kept() {
    let pool = FixedPool::options("bounded").bounded(1_500).make(|| 0).unwrap();
    let held: Vec<_> = std::iter::from_fn(|| pool.take().ok()).collect();
    assert_eq!((held.len(), pool.len()), (1_500, 1_500));
}

#[test]
fn objects_are_reset_when_they_come_back_and_stay_made() {
    let made = Rc::new(Cell::new(0));
    let count = Rc::clone(&made);
    let make = move || {
        count.set(count.get() + 1);
        Vec::with_capacity(100)
    };
    let pool = FixedPool::options("buffers").bounded(3).reset(Vec::clear).make(make).unwrap();
    for _ in 0..10 {
        let mut buffer = pool.take().unwrap();
        assert!(buffer.is_empty() && buffer.capacity() >= 100);
        buffer.extend_from_slice(&[1_u8, 2, 3]);
    }
    assert_eq!(made.get(), 3);
}

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counted(objects: usize) -> (FixedPool<Counted>, impl Fn() -> usize) {
    let drops = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&drops);
    let pool = FixedPool::options("counted").bounded(objects);
    let pool = pool.make(move || Counted(Arc::clone(&counter))).unwrap();
    (pool, move || drops.load(Ordering::Relaxed))
}

#[test]
fn objects_are_dropped_once_with_their_pool() {
    let (pool, drops) = counted(5);
    drop([pool.take().unwrap(), pool.take().unwrap()]);
    assert_eq!(drops(), 0, "they stay made");
    drop(pool);
    assert_eq!(drops(), 5);
}

#[test]
fn handles_outlive_their_pool() {
    let (pool, drops) = counted(5);
    let (here, there) = (pool.take().unwrap(), pool.take().unwrap());
    drop(pool);
    assert_eq!(drops(), 3);
    thread::spawn(move || drop(there)).join().unwrap();
    assert_eq!(drops(), 4);
    drop(here);
    assert_eq!(drops(), 5);
}

#[test]
fn objects_come_back_from_other_threads() {
    let pool = FixedPool::options("there").bounded(10).reset(|n| *n = 0).make(|| 0_u64).unwrap();
    let (send, receive) = mpsc::channel::<Pooled<u64>>();
    let other = thread::spawn(move || receive.into_iter().map(|object| *object).sum::<u64>());
    let mut sent = 0;
    while sent < 1_000 {
        // Exhausted for as long as the other thread has them all.
        let Ok(mut object) = pool.take() else {
            thread::yield_now();
            continue;
        };
        assert_eq!(*object, 0, "reset over there");
        *object = 1;
        send.send(object).unwrap();
        sent += 1;
    }
    drop(send);
    assert_eq!(other.join().unwrap(), 1_000);
    assert_eq!((pool.len(), pool.available()), (10, 10));
}

fn fails_at_13(number: &mut u32) {
    assert_ne!(*number, 13, "unlucky");
}

#[test]
fn an_object_whose_reset_panics_is_retired() {
    for elsewhere in [false, true] {
        let pool = FixedPool::options("unlucky").bounded(2).reset(fails_at_13).make(|| 0).unwrap();
        let mut object = pool.take().unwrap();
        *object = 13;
        if elsewhere {
            assert!(thread::spawn(move || drop(object)).join().is_err());
        } else {
            assert!(catch_unwind(AssertUnwindSafe(|| drop(object))).is_err());
        }
        assert_eq!((pool.available(), pool.len()), (1, 2));
        let other = pool.take().unwrap();
        assert_eq!(*other, 0);
        assert!(pool.take().is_err(), "the other one is not given out again");
    }
}

#[test]
fn retired_objects_are_dropped_with_the_pool() {
    struct Unlucky(Counted);
    let drops = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&drops);
    let pool = FixedPool::options("unlucky").bounded(2).reset(|_: &mut Unlucky| panic!("unlucky"));
    let pool = pool.make(move || Unlucky(Counted(Arc::clone(&counter)))).unwrap();
    let object = pool.take().unwrap();
    assert_eq!(object.0.0.load(Ordering::Relaxed), 0);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(object))).is_err());
    let object = pool.take().unwrap();
    assert!(thread::spawn(move || drop(object)).join().is_err());
    drop(pool);
    assert_eq!(drops.load(Ordering::Relaxed), 2);
}

#[test]
fn a_panic_while_objects_are_made_leaves_those_made_before() {
    let drops = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&drops);
    let mut left = 1_024 + 5;
    let make = move || {
        assert_ne!(left, 0, "no more");
        left -= 1;
        Counted(Arc::clone(&counter))
    };
    let pool = FixedPool::options("failing").make(make).unwrap();
    let held: Vec<_> = (0..1_024).map(|_| pool.take().unwrap()).collect();
    assert!(catch_unwind(AssertUnwindSafe(|| pool.take().map(drop))).is_err());
    assert_eq!(pool.available(), 5);
    drop(held);
    drop(pool);
    assert_eq!(drops.load(Ordering::Relaxed), 1_024 + 5);
}

#[test]
fn objects_without_size_and_of_much_alignment() {
    #[repr(align(4096))]
    struct Page([u8; 5_000]);
    struct Nothing;
    let nothing = FixedPool::options("nothing").bounded(3).make(|| Nothing).unwrap();
    assert_eq!(std::iter::from_fn(|| nothing.take().ok()).collect::<Vec<_>>().len(), 3);
    let pages = FixedPool::options("pages").bounded(3).make(|| Page([1; 5_000])).unwrap();
    let held: Vec<_> = std::iter::from_fn(|| pages.take().ok()).collect();
    let starts: Vec<_> = held.iter().map(|page| page.0.as_ptr().addr()).collect();
    assert!(starts.iter().all(|start| start.is_multiple_of(4_096)));
    assert!(held.iter().all(|page| page.0 == [1; 5_000]));
}

#[test]
fn a_ticket_is_good_once_and_for_its_pool() {
    let (pool, drops) = counted(2);
    let (other, _) = counted(2);
    let ticket = pool.detach(pool.take().unwrap()).ok().unwrap();
    assert_eq!(pool.available(), 1);
    assert_eq!(other.attach(ticket).err(), Some(TicketError::Foreign { pool: "counted" }));
    let object = pool.attach(ticket).unwrap();
    let stale = Some(TicketError::Stale { pool: "counted" });
    assert_eq!(pool.attach(ticket).err(), stale, "while it is out");
    let again = pool.detach(object).ok().unwrap();
    assert_eq!(pool.attach(ticket).err(), stale, "while another ticket stands for it");
    drop(pool.attach(again).unwrap());
    assert_eq!(pool.attach(again).err(), stale, "after it came back");
    assert!(other.detach(pool.take().unwrap()).is_err());
    let never_redeemed = pool.detach(pool.take().unwrap()).ok().unwrap();
    drop(pool);
    assert_eq!(drops(), 2);
    assert_eq!(other.attach(never_redeemed).err(), Some(TicketError::Foreign { pool: "counted" }));
}
