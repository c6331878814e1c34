//! The words of latest values in memory; every offset is asserted below.
//!
//! ```text
//! producer region (the writer writes, readers read)
//!   0    incarnation  how many writers there have been
//!   128  CrowdLine    where readers sleep until something changes
//!   256  key 0, key 1, …
//!
//! key: one line and its slots
//!   0    version      how many values the key has had; the latest is in slot version & (SLOTS − 1)
//!   64   slot 0, slot 1, …: wide cells whose state is not used
//! ```
//!
//! Zeroed memory has no values.

use crate::ring::crowd::CrowdLine;
use strait_pools::region::Shared;
use strait_pools::sync::AtomicU64;

/// How many values of a key there is room for: the latest, the next, and those that slow readers may still
/// be copying. A power of two.
#[cfg(not(loom))]
pub const SLOTS: u64 = 4;
/// Models do with the fewest there can be.
#[cfg(loom)]
pub const SLOTS: u64 = 2;

/// The writer's words at the start of its region.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct HeadLines {
    /// Number of writers that have owned the values; the present one included.
    pub incarnation: AtomicU64,
    #[cfg(not(loom))]
    line0: [AtomicU64; 15],
    /// Where readers sleep until something changes.
    pub crowd: CrowdLine,
}

// SAFETY: repr(C), atomics only, zero is valid, nothing to drop.
unsafe impl Shared for HeadLines {}

/// Bytes in front of a key's slots: a line for its version.
pub const KEY_HEAD: usize = 64;

/// Distance from one key to the next, in bytes, if a slot has so many.
pub const fn key_stride(slot: usize) -> usize {
    // A handful of slots.
    #[allow(clippy::cast_possible_truncation)]
    let slots = SLOTS as usize;
    (KEY_HEAD + slots * slot).next_multiple_of(KEY_HEAD)
}

// Loom's atomics are larger: only the real ones have a layout to keep.
#[cfg(not(loom))]
const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<HeadLines>() == 256);
    assert!(offset_of!(HeadLines, incarnation) == 0);
    assert!(offset_of!(HeadLines, crowd) == 128);
};
