//! Who is last turns off the lights.
//!
//! ```text
//!   owner                        others, each with blocks in hand
//!   ─────                        ───────────────────────────────
//!   closes the lane              find it closed
//!   counts what is out: n        give each block up: − 1
//!   owes: + n
//!                  whoever brings the count to 0 frees the memory
//! ```
//!
//! While an owner lives nobody counts anything: what is out is needed only at its end. The count
//! starts at 0 and wraps below it, if others give up blocks before the owner has said how many there
//! were. It can be 0 again only once the owner has, and all have come back.
//!
//! # Orderings
//!
//! | store | pairs with | makes visible |
//! |---|---|---|
//! | `count`, AcqRel (`closing.settle`) | `count`, AcqRel (`closing.settle`, `closing.owe`) | that the use of a block is over, to whoever frees it |
//! | `count`, AcqRel (`closing.owe`) | `count`, AcqRel (`closing.settle`) | that the owner's use of all blocks is over |
//!
//! # When a thread dies here
//!
//! A thread that ends without giving up its blocks leaves the memory to the end of the process: it is
//! never freed under anyone.

use crate::sync::Ordering::AcqRel;
use crate::sync::{AtomicU64, Site};

/// Blocks that are out after their owner has left.
#[derive(Debug, Default)]
pub struct Closing {
    count: AtomicU64,
}

impl Closing {
    /// The owner's last word: `blocks` are out. True if all of them were given up meanwhile, and the
    /// caller frees the memory.
    #[must_use]
    pub fn owe(&self, blocks: u64) -> bool {
        let before = self.count.fetch_add(blocks, AcqRel.at("closing.owe"));
        before.wrapping_add(blocks) == 0
    }

    /// Gives up `blocks`, at least one, that found the lane closed. True if they were the last, and
    /// the caller frees the memory.
    #[must_use]
    pub fn settle(&self, blocks: u64) -> bool {
        let before = self.count.fetch_add(blocks.wrapping_neg(), AcqRel.at("closing.settle"));
        before == blocks
    }
}
