//! What goes wrong in pools: no memory left, and memory given back that was not out.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use thiserror::Error;

/// Why a pool gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PoolError {
    /// The pool is at its limit and everything in it is in use.
    #[error(
        "pool `{pool}` is exhausted: it has no room for {size} bytes within its limit of {limit} \
         {unit}; give something back, or raise the limit"
    )]
    Exhausted {
        /// The pool's name.
        pool: &'static str,
        /// Bytes that were asked for.
        size: usize,
        /// The limit.
        limit: usize,
        /// What the limit counts: "objects" or "bytes".
        unit: &'static str,
    },
    /// No block of the pool is that large, or aligned like that.
    #[error(
        "pool `{pool}` has no blocks of {size} bytes aligned to {align}: its largest have {largest} \
         bytes, and it has no fallback"
    )]
    TooLarge {
        /// The pool's name.
        pool: &'static str,
        /// Bytes that were asked for.
        size: usize,
        /// Their alignment.
        align: usize,
        /// Bytes of its largest blocks.
        largest: usize,
    },
    /// The system has no more memory for the pool to grow.
    #[error("pool `{pool}` could not get {size} bytes from the system")]
    NoMemory {
        /// The pool's name.
        pool: &'static str,
        /// Bytes that the system was asked for.
        size: usize,
    },
}

/// Why a block was not taken back. It is left alone: leaked, rather than given to two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// It is not out: it was given back before.
    #[error("the block was given back before")]
    DoubleFree,
    /// It is no block of this pool.
    #[error("the block is of another pool, or of none")]
    ForeignFree,
}

/// How many [`Fault`]s there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Blocks given back twice.
    pub double_frees: u64,
    /// Blocks given back to a pool that they are not of.
    pub foreign_frees: u64,
}

static DOUBLE: AtomicU64 = AtomicU64::new(0);
static FOREIGN: AtomicU64 = AtomicU64::new(0);

/// The faults of all pools of this process so far.
///
/// Only calls of `deallocate` can be at fault, which is unsafe and returns nothing; so faults are
/// counted here. A program whose count is not 0 has an error in its unsafe code.
///
/// ```
/// use strait_pools::pool::{Faults, faults};
///
/// assert_eq!(faults(), Faults::default());
/// ```
#[must_use]
pub fn faults() -> Faults {
    Faults { double_frees: DOUBLE.load(Relaxed), foreign_frees: FOREIGN.load(Relaxed) }
}

impl Fault {
    /// Counts it.
    #[cold]
    pub(super) fn note(self) {
        match self {
            Self::DoubleFree => DOUBLE.fetch_add(1, Relaxed),
            Self::ForeignFree => FOREIGN.fetch_add(1, Relaxed),
        };
    }
}
