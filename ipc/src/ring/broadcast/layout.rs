//! The words of a broadcast ring in memory; every offset is asserted below.
//!
//! ```text
//! producer region (the producer writes, readers read)
//!   0    published    hint: at most capacity/4 behind the next position
//!   8    floor        whoever joins begins here or later
//!   16   incarnation  how many producers have owned the ring
//!   24   dropped      messages refused under DropNewest
//!   128  WaitLine     where the producer sleeps while a reader holds it up
//!   256  CrowdLine    where readers sleep while there is nothing to read
//!   384  cell 0, cell 1, …
//!
//! consumer region: for each reader that is known by name, 256 bytes
//!   0    gate         0: nobody; else which reader, and whether it is waited for
//!   8    cursor       it reads nothing below this position any more
//!   16   incarnation  how many readers have had this place
//!   24   lost         messages that readers here were told they had lost
//!   128  waits        how often the producer had to wait for it   (the producer writes these)
//!   136  most_behind  how many messages it was behind at most
//!
//! cell: as in `layout`, but state = 2·position + 1 while it is written, 2·position + 2 once published
//! ```
//!
//! One writer per 128-byte line, but for the lines to sleep on. Zeroed memory is a new ring.

use crate::ring::crowd::CrowdLine;
use crate::ring::layout::WaitLine;
use strait_pools::region::Shared;
use strait_pools::sync::AtomicU64;

/// The producer's words at the start of its region.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct HeadLines {
    /// A lower bound of the next position, at most a quarter of the ring behind it.
    pub published: AtomicU64,
    /// Whoever joins from now on, to be waited for, begins here or later.
    pub floor: AtomicU64,
    /// Number of producers that have owned the ring; the present one included.
    pub incarnation: AtomicU64,
    /// Messages dropped because a reader held the producer up.
    pub dropped: AtomicU64,
    #[cfg(not(loom))]
    line0: [AtomicU64; 12],
    /// Where the producer sleeps while a reader holds it up.
    pub wait: WaitLine,
    /// Where readers sleep while there is nothing to read.
    pub crowd: CrowdLine,
}

/// The words of one tracked reader.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct ReaderLines {
    /// Which reader has this place, and whether the producer waits for it: see [`Gate`].
    pub gate: AtomicU64,
    /// The reader is done with everything below this position.
    pub cursor: AtomicU64,
    /// Number of readers that have had this place; the present one included.
    pub incarnation: AtomicU64,
    /// Messages that readers at this place were told they had lost. Older programs leave it as it is.
    pub lost: AtomicU64,
    #[cfg(not(loom))]
    line0: [AtomicU64; 12],
    /// How often the producer had to wait for the readers at this place.
    pub waits: AtomicU64,
    /// How many messages a reader at this place was behind at most, when the producer looked.
    pub most_behind: AtomicU64,
    #[cfg(not(loom))]
    line1: [AtomicU64; 14],
}

/// What [`ReaderLines::gate`] holds: 0 for nobody, else the reader's number at that place, and a bit that
/// tells whether the producer waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate(pub u64);

impl Gate {
    /// Nobody is there.
    pub const NOBODY: Self = Self(0);

    /// The reader with this number, which begins at 1.
    pub const fn of(incarnation: u64, waited_for: bool) -> Self {
        Self(incarnation << 1 | waited_for as u64)
    }

    /// Whether the producer waits for that reader.
    pub const fn waited_for(self) -> bool {
        self.0 & 1 == 1
    }
}

// SAFETY: repr(C), atomics only, zero is valid, nothing to drop.
unsafe impl Shared for HeadLines {}
// SAFETY: as above.
unsafe impl Shared for ReaderLines {}

// Loom's atomics are larger: only the real ones have a layout to keep.
#[cfg(not(loom))]
const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<HeadLines>() == 384);
    assert!(offset_of!(HeadLines, published) == 0);
    assert!(offset_of!(HeadLines, floor) == 8);
    assert!(offset_of!(HeadLines, incarnation) == 16);
    assert!(offset_of!(HeadLines, dropped) == 24);
    assert!(offset_of!(HeadLines, wait) == 128);
    assert!(offset_of!(HeadLines, crowd) == 256);
    assert!(size_of::<ReaderLines>() == 256);
    assert!(offset_of!(ReaderLines, gate) == 0);
    assert!(offset_of!(ReaderLines, cursor) == 8);
    assert!(offset_of!(ReaderLines, incarnation) == 16);
    assert!(offset_of!(ReaderLines, lost) == 24);
    assert!(offset_of!(ReaderLines, waits) == 128);
    assert!(offset_of!(ReaderLines, most_behind) == 136);
};
