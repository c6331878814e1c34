//! The counting backend: std's atomics, with every access counted on the thread that makes it.

use super::Ordering;
use std::cell::Cell;
use std::sync::atomic as std_atomic;

pub use super::cell::{UnsafeCell, is_this_thread, thread_number};
pub use std::hint::spin_loop;
pub use std::sync::{Condvar, Mutex, MutexGuard};
pub use std::thread::yield_now;

/// Atomic operations made by one thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Plain atomic loads.
    pub loads: u64,
    /// Plain atomic stores.
    pub stores: u64,
    /// Read-modify-write operations: swap, fetch-and-op, compare-and-exchange.
    pub rmws: u64,
    /// Fences.
    pub fences: u64,
    /// Calls of the kernel, to sleep or to wake.
    pub system_calls: u64,
}

thread_local! {
    static COUNTS: Cell<Counts> = const {
        Cell::new(Counts { loads: 0, stores: 0, rmws: 0, fences: 0, system_calls: 0 })
    };
}

/// Runs `work` and returns its result with the operations it made on this thread.
pub fn count<R>(work: impl FnOnce() -> R) -> (R, Counts) {
    let outer = COUNTS.take();
    let result = work();
    let inner = COUNTS.replace(outer);
    (result, inner)
}

fn note(change: impl FnOnce(&mut Counts)) {
    let mut counts = COUNTS.get();
    change(&mut counts);
    COUNTS.set(counts);
}

/// A system call is about to be made.
pub(super) fn note_system_call() {
    note(|c| c.system_calls += 1);
}

/// A memory fence at a named site of the ordering ledger.
pub fn fence(ordering: Ordering, _site: &'static str) {
    note(|c| c.fences += 1);
    std_atomic::fence(ordering);
}

/// The accesses that every atomic has, each counted.
macro_rules! counted {
    ($name:ident, $value:ty, [$($parameter:ident)?]) => {
        #[allow(missing_docs)]
        impl$(<$parameter>)? $name$(<$parameter>)? {
            pub const fn new(value: $value) -> Self {
                Self(std_atomic::$name::new(value))
            }
            pub fn load(&self, order: Ordering) -> $value {
                note(|c| c.loads += 1);
                self.0.load(order)
            }
            pub fn store(&self, value: $value, order: Ordering) {
                note(|c| c.stores += 1);
                self.0.store(value, order);
            }
            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                note(|c| c.rmws += 1);
                self.0.swap(value, order)
            }
            pub fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                note(|c| c.rmws += 1);
                self.0.compare_exchange(current, new, success, failure)
            }
            pub fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                note(|c| c.rmws += 1);
                self.0.compare_exchange_weak(current, new, success, failure)
            }
        }
    };
}

macro_rules! counted_integers {
    ($(#[$doc:meta] $name:ident: $value:ty;)*) => {$(
        #[$doc]
        #[derive(Debug, Default)]
        #[repr(transparent)]
        pub struct $name(std_atomic::$name);

        counted!($name, $value, []);

        #[allow(missing_docs)]
        impl $name {
            pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                note(|c| c.rmws += 1);
                self.0.fetch_add(value, order)
            }
            pub fn fetch_or(&self, value: $value, order: Ordering) -> $value {
                note(|c| c.rmws += 1);
                self.0.fetch_or(value, order)
            }
        }
    )*};
}

counted_integers! {
    /// A counted 32-bit atomic, laid out as std's.
    AtomicU32: u32;
    /// A counted 64-bit atomic, laid out as std's.
    AtomicU64: u64;
}

/// A counted atomic pointer, laid out as std's.
#[derive(Debug)]
#[repr(transparent)]
pub struct AtomicPtr<T>(std_atomic::AtomicPtr<T>);

counted!(AtomicPtr, *mut T, [T]);
