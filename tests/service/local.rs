//! A service of this process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use crate::conformance::conformance;
use crate::matcher::{Exchange, MatcherClient, order};

#[test]
fn a_service_of_this_process_conforms() {
    conformance(&MatcherClient::local(Exchange::default()));
}

#[test]
fn plain_calls_leave_the_heap_alone() {
    let client = MatcherClient::local(Exchange::default());
    assert_ne!(allocations(|| drop(client.upper("text"))), 0, "the counter counts");
    client.submit(&order(1)).unwrap();
    let count = allocations(|| {
        for _ in 0..100 {
            assert!(client.submit(&order(1)).is_err());
            assert_eq!(client.count(), Ok(1));
            client.cancel(2).unwrap();
            assert!(client.start().count().unwrap().wait().is_ok());
        }
    });
    assert_eq!(count, 0);
}

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn allocations(action: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    action();
    ALLOCATIONS.get() - before
}

/// The system's allocator, counting calls of this thread.
struct Counting;

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract, which is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;
