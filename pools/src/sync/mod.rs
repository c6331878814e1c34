//! Atomics and fences through one door, so that one source serves three purposes.
//!
//! | build | backend | what for |
//! |---|---|---|
//! | default | `std::sync::atomic` | production: every item here is a re-export |
//! | `--cfg loom` | loom's atomics | models that try every interleaving |
//! | `--cfg strait_counting` | std's, each access counted per thread | operation budgets |
//!
//! Algorithms name every ordering with [`Site::at`], as in
//! `state.store(next, Release.at("spsc.publish"))`. In production that is the ordering itself. In a
//! model the environment variable `STRAIT_WEAKEN=spsc.publish` weakens that one site, which is how
//! `cargo xtask loom --mutations` proves that each ordering is needed. `Relaxed` cannot be weakened
//! and needs no site.
//!
//! A [`Futex`] is a word on which threads of any process sleep until it changes: the kernel's in
//! production, a stand-in under loom. What a protocol needs besides orderings, [`step`] names: in a
//! model the same variable leaves that one step out.
//!
//! A [`Mutex`] is std's, or loom's: for who changes what others read without it. So is a [`Condvar`].
//!
//! Memory that passes from thread to thread by way of such an access is an [`UnsafeCell`] here, so
//! that a model notices when it was reached by another way.

#[cfg(not(loom))]
mod cell;
mod futex;
mod site;

#[cfg(all(not(loom), not(strait_counting)))]
mod imp {
    pub use super::cell::{UnsafeCell, is_this_thread, thread_number};
    pub use std::hint::spin_loop;
    pub use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64};
    pub use std::sync::{Condvar, Mutex, MutexGuard};
    pub use std::thread::yield_now;

    /// A memory fence at a named site of the ordering ledger.
    #[inline(always)]
    pub fn fence(ordering: super::Ordering, _site: &'static str) {
        std::sync::atomic::fence(ordering);
    }

    /// A system call is about to be made; counted in budget tests.
    #[inline(always)]
    pub(super) fn note_system_call() {}
}

#[cfg(loom)]
#[path = "loom.rs"]
mod imp;

#[cfg(all(strait_counting, not(loom)))]
#[path = "counting.rs"]
mod imp;

pub use futex::Futex;
pub use imp::*;
pub use site::{Site, step};
pub use std::sync::atomic::Ordering;
