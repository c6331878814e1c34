//! What is no atomic, and yet differs under loom: shared cells, and who this thread is.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Memory that its user keeps from being written while another thread uses it.
///
/// As std's, with loom's way of access, by which a model sees who reads and who writes.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    /// A cell that holds `value`.
    pub const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// Calls `reader` with a pointer to the value; it only reads.
    #[inline(always)]
    pub fn with<R>(&self, reader: impl FnOnce(*const T) -> R) -> R {
        reader(self.0.get())
    }

    /// Calls `writer` with a pointer to the value.
    #[inline(always)]
    pub fn with_mut<R>(&self, writer: impl FnOnce(*mut T) -> R) -> R {
        writer(self.0.get())
    }
}

thread_local! {
    static NUMBER: Cell<u64> = const { Cell::new(0) };
}

/// The number of this thread: never 0, and never another thread's in the life of the process.
#[inline(always)]
pub fn thread_number() -> u64 {
    match NUMBER.get() {
        0 => first_number(),
        number => number,
    }
}

/// Whether this thread has that [`thread_number`].
#[inline(always)]
pub fn is_this_thread(number: u64) -> bool {
    // A thread that never asked for its number has 0 here, which is nobody's.
    NUMBER.get() == number
}

#[cold]
fn first_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    // The number alone matters; nothing is published with it.
    let number = NEXT.fetch_add(1, Relaxed);
    NUMBER.set(number);
    number
}
