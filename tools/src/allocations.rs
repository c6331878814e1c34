//! Counting a thread's allocations, in a program that installs this allocator, as `strait` does.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, which counts while [`count`] runs.
#[derive(Debug)]
pub struct CountingAllocator;

/// How many threads count: a load that costs nothing, so that measurements are not disturbed.
static COUNTING: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static MADE: Cell<u64> = const { Cell::new(0) };
}

fn note() {
    if COUNTING.load(Ordering::Relaxed) > 0 {
        MADE.set(MADE.get() + 1);
    }
}

// SAFETY: everything is done by the system's allocator.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's obligations are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's obligations are the system allocator's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller's obligations are the system allocator's.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligations are the system allocator's.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Runs `work`; returns how many allocations this thread made, unless the program's allocator is another
/// one. Threads count by themselves, each once at a time.
pub fn count<T>(work: impl FnOnce() -> T) -> (Option<u64>, T) {
    COUNTING.fetch_add(1, Ordering::Relaxed);
    MADE.set(0);
    drop(std::hint::black_box(Box::new(0_u8)));
    let counts = MADE.get() == 1;
    MADE.set(0);
    let outcome = work();
    COUNTING.fetch_sub(1, Ordering::Relaxed);
    (counts.then(|| MADE.get()), outcome)
}
