//! The model-checking backend.

use std::cell::Cell;

pub use loom::cell::UnsafeCell;
pub use loom::hint::spin_loop;
pub use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64};
pub use loom::sync::{Condvar, Mutex, MutexGuard};
pub use loom::thread::yield_now;

/// A memory fence at a named site of the ordering ledger; weakened, it is not there.
pub fn fence(ordering: super::Ordering, site: &'static str) {
    if super::site::weakened(site).is_none() {
        loom::sync::atomic::fence(ordering);
    }
}

loom::thread_local! {
    static NUMBER: Cell<u64> = Cell::new(0);
}

/// The number of this thread: never 0, and never another thread's in the life of the process.
pub fn thread_number() -> u64 {
    // Of std: which numbers there are is no part of a model.
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(NEXT.fetch_add(1, Relaxed));
        }
        number.get()
    })
}

/// Whether this thread has that [`thread_number`].
pub fn is_this_thread(number: u64) -> bool {
    thread_number() == number
}
