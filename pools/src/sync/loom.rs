//! The model-checking backend.

pub use loom::hint::spin_loop;
pub use loom::sync::atomic::{AtomicU32, AtomicU64};
pub use loom::thread::yield_now;

/// A memory fence at a named site of the ordering ledger; weakened, it is not there.
pub fn fence(ordering: super::Ordering, site: &'static str) {
    if super::site::weakened(site).is_none() {
        loom::sync::atomic::fence(ordering);
    }
}
