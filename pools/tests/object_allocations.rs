//! Taking an object from a pool and returning it leaves the heap alone.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use strait_pools::objects::ObjectPool;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting what this thread asks of it and gives back.
struct Counting;

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller keeps the contract, which is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller keeps the contract, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn counting(action: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    action();
    CALLS.get() - before
}

#[test]
fn objects_come_and_go_without_the_heap() {
    let pool = ObjectPool::new("buffers", 100, || Vec::<u8>::with_capacity(64), Vec::clear);
    let out: Vec<_> = (0..100).map(|_| pool.get()).collect();
    drop(out);
    let calls = counting(|| {
        for byte in 0..=255 {
            let (mut one, mut other) = (pool.get(), pool.get());
            one.push(byte);
            other.push(byte);
            drop(black_box(one));
        }
    });
    assert_eq!(calls, 0);
}

#[test]
fn the_counter_counts() {
    assert_eq!(counting(|| drop(black_box(Box::new(1)))), 2, "one to allocate, one to free");
}
