//! The words of a directory in memory; every offset is asserted below.
//!
//! ```text
//! producer region (whoever has the writers' turn writes, all read)
//!   0    unfinished   number of the entry that is being changed; 0: none
//!   8    last_id      how many offers there have been
//!   16   room         which word of `taken` to look at first for an entry that is free
//!   128  changes      how many changes there have been
//!   256  CrowdLine    where watchers sleep until something changes
//!   384  taken        a bit for each entry: whether it is in use
//!   …    buckets      Tower 0, Tower 1, …: where the list of each bucket begins    as many as entries
//!   …    names        by interface and name: number of the first entry             as many as entries
//!   …    entry 0, entry 1, …
//!
//! entry: a head, and what is offered
//!   0    state        number of changes to it: odd while it is offered             ┐ the line
//!   8    interface    hash of the interface's name                                 │ that searches
//!   16   ranking                                                                   │ look at
//!   24   id           which offer it is                                            │
//!   32   next         Tower: the entry behind it, on each level of its list        ┘
//!   64   owner        which of the members offers it; 72 epoch of that member
//!   80   name         hash of interface and name, 0: none; 88 same_name: the next entry of such a hash
//!   96   lens         bytes of interface, name, address and properties, 4 B each
//!   128  their bytes, one after the other
//!
//! Tower: 8 levels of 4 bytes. Level 0 is the whole list; a quarter of the entries of a level are in the one above.
//! ```
//!
//! Entries are numbered from 1 where 0 means that there is none. Zeroed memory offers nothing.

use crate::ring::crowd::CrowdLine;
use strait_pools::region::Shared;
use strait_pools::sync::{AtomicU32, AtomicU64};

/// Most entries of a directory.
pub const MAX_ENTRIES: u64 = 1 << 17;

/// Bytes of an entry are a multiple of this: a search looks at one line of each entry it meets.
pub const LINE: usize = 64;

/// Levels of a list: with a quarter of the entries in each next one, enough for [`MAX_ENTRIES`].
#[cfg(not(loom))]
pub const LEVELS: usize = 8;
/// Models do with a few entries.
#[cfg(loom)]
pub const LEVELS: usize = 2;

/// The words at the start of the region.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct HeadLines {
    /// Number of the entry that is being changed; 0 if none is.
    pub unfinished: AtomicU64,
    /// How many offers there have been.
    pub last_id: AtomicU64,
    /// Which word of the bits to look at first: a hint.
    pub room: AtomicU64,
    #[cfg(not(loom))]
    line0: [AtomicU64; 13],
    /// How many changes there have been.
    pub changes: AtomicU64,
    #[cfg(not(loom))]
    line1: [AtomicU64; 15],
    /// Where watchers sleep.
    pub crowd: CrowdLine,
}

/// The next entry on each level.
#[derive(Debug, Default)]
#[repr(C, align(32))]
pub struct Tower(pub [AtomicU32; LEVELS]);

/// What stands before an entry's bytes.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct EntryHead {
    /// How often it was offered and withdrawn: odd while it is offered.
    pub state: AtomicU64,
    /// Hash of the interface's name.
    pub interface: AtomicU64,
    /// The offer's ranking, as bits.
    pub ranking: AtomicU64,
    /// Which offer it is.
    pub id: AtomicU64,
    /// What is behind it in its bucket's list.
    pub next: Tower,
    /// Which of the members offers it.
    pub owner: AtomicU64,
    /// Which holder of that member's endpoint.
    pub epoch: AtomicU64,
    /// Hash of interface and name; 0 if it has no name.
    pub name: AtomicU64,
    /// Number of the next entry whose name has a hash that ends alike.
    pub same_name: AtomicU32,
    reserved0: AtomicU32,
    /// Bytes of interface and name, of address and properties: two lengths in a word, low half first.
    pub lens: [AtomicU64; 2],
    reserved1: [AtomicU64; 2],
}

// SAFETY: repr(C), atomics only, zero is valid, nothing to drop.
unsafe impl Shared for HeadLines {}
// SAFETY: as above.
unsafe impl Shared for Tower {}
// SAFETY: as above.
unsafe impl Shared for EntryHead {}

/// Where the bits begin, 64 entries to a word.
pub const TAKEN: usize = size_of::<HeadLines>();

/// Words of the bits of so many entries, a power of two.
pub const fn taken_words(entries: u64) -> u64 {
    if entries < 64 { 1 } else { entries / 64 }
}

/// Where the towers of the buckets begin.
pub const fn buckets_offset(entries: u64) -> usize {
    (TAKEN + bytes(taken_words(entries), size_of::<AtomicU64>())).next_multiple_of(LINE)
}

/// Where the beginnings of the lists by name are.
pub const fn names_offset(entries: u64) -> usize {
    buckets_offset(entries) + bytes(entries, size_of::<Tower>())
}

/// Where the entries begin.
pub const fn entries_offset(entries: u64) -> usize {
    (names_offset(entries) + bytes(entries, size_of::<AtomicU32>())).next_multiple_of(LINE)
}

/// Of at most [`MAX_ENTRIES`]: far from overflow.
#[allow(clippy::cast_possible_truncation)]
const fn bytes(count: u64, each: usize) -> usize {
    count as usize * each
}

// Loom's atomics are larger: only the real ones have a layout to keep.
#[cfg(not(loom))]
const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<HeadLines>() == 384);
    assert!(offset_of!(HeadLines, unfinished) == 0);
    assert!(offset_of!(HeadLines, last_id) == 8);
    assert!(offset_of!(HeadLines, room) == 16);
    assert!(offset_of!(HeadLines, changes) == 128);
    assert!(offset_of!(HeadLines, crowd) == 256);
    assert!(size_of::<Tower>() == 32);
    assert!(size_of::<EntryHead>() == 128);
    assert!(offset_of!(EntryHead, state) == 0);
    assert!(offset_of!(EntryHead, interface) == 8);
    assert!(offset_of!(EntryHead, ranking) == 16);
    assert!(offset_of!(EntryHead, id) == 24);
    assert!(offset_of!(EntryHead, next) == 32);
    assert!(offset_of!(EntryHead, owner) == 64);
    assert!(offset_of!(EntryHead, epoch) == 72);
    assert!(offset_of!(EntryHead, name) == 80);
    assert!(offset_of!(EntryHead, same_name) == 88);
    assert!(offset_of!(EntryHead, lens) == 96);
};
