//! The words of a ring in memory. Layout version 4; every offset is asserted below.
//!
//! ```text
//! producer region (the producer writes, the consumer reads)
//!   0    published    hint: at most capacity/2 behind the next position
//!   8    dropped      messages refused under DropNewest
//!   16   incarnation  how many producers have owned the ring
//!   24   began        position at which this incarnation began
//!   128  WaitLine     where the producer sleeps while the ring is full
//!   256  cell 0, cell 1, …
//!   …    the arena, or the owner words and the blocks, from the next page on
//!
//! consumer region (the consumer writes, the producer reads)
//!   0    consumed     every position below is free again; polled by the producer when full
//!   128  cursor       next position to read; never polled by the producer
//!   136  incarnation  how many consumers have owned the ring
//!   144  redelivered  position + 1 of the message that a dead consumer may have had in hand
//!   256  WaitLine     where the consumer sleeps while the ring is empty
//!
//! WaitLine (both sides write it; in rings whose sides never sleep nobody does)
//!   0    sleeper      AWAKE, ASLEEP or ARMED; a futex, 4 B
//!   4    woken_from   the core that the side was woken from last, counted from 1; 0: never; 4 B
//!   8    bell         what leads the waker to the sleeper's descriptor; 0: nothing does
//!
//! wide cell (64 B or more, a multiple of 16)    dense cell (16 B)
//!   0    state   position + 1 once published      0   state
//!   8    len     bytes of the message, 4 B        8   body, 8 B
//!   12   kind    0: in the body; 1: in the arena; 2: in a block; 2 B
//!   14   sender  incarnation modulo 2^16, 2 B
//!        in channels of calls the high 11 bits of `len` are a tag: the method, or how it went
//!   16   body, 16-aligned            kinds 1 and 2: where, 8 B; bytes, 8 B
//! ```
//!
//! One writer per 128-byte line, but for the wait lines: adjacent-line prefetchers move lines in pairs.
//! Zeroed memory is a new ring: no position is published, nothing is consumed.

use strait_pools::region::Shared;
use strait_pools::sync::{AtomicU32, AtomicU64, Futex};

/// The producer's words at the start of its region.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct ProducerLines {
    /// A lower bound of the next position, at most half a ring behind it.
    pub published: AtomicU64,
    /// Messages dropped because the ring was full.
    pub dropped: AtomicU64,
    /// Number of producers that have owned the ring; the present one included.
    pub incarnation: AtomicU64,
    /// Position at which the present incarnation began.
    pub began: AtomicU64,
    #[cfg(not(loom))]
    line0: [AtomicU64; 12],
    /// Where the producer sleeps while the ring is full.
    pub wait: WaitLine,
}

/// The consumer's words at the start of its region.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct ConsumerLines {
    /// Every position below this one is free again.
    pub consumed: AtomicU64,
    #[cfg(not(loom))]
    line0: [AtomicU64; 15],
    /// The next position to read. Stored at each release, so that a restart repeats one message.
    pub cursor: AtomicU64,
    /// Number of consumers that have owned the ring; the present one included.
    pub incarnation: AtomicU64,
    /// `position + 1` of the message that a consumer which died may have had in hand; 0 before the
    /// first death. Positions never come back, so it need not be cleared.
    pub redelivered: AtomicU64,
    #[cfg(not(loom))]
    line1: [AtomicU64; 13],
    /// Where the consumer sleeps while the ring is empty.
    pub wait: WaitLine,
}

/// [`WaitLine::sleeper`]: the side is awake, or has been woken.
pub const AWAKE: u32 = 0;
/// [`WaitLine::sleeper`]: the side sleeps on that word, or is about to.
pub const ASLEEP: u32 = 1;
/// [`WaitLine::sleeper`]: the side waits for its descriptor, or is about to.
pub const ARMED: u32 = 2;

/// Where one side of a ring sleeps; [`parking`](super::parking) says how.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct WaitLine {
    /// [`AWAKE`], [`ASLEEP`] or [`ARMED`]. Anything else wakes as `ASLEEP` does.
    pub sleeper: Futex,
    /// The core from which the side was woken last, counted from 1; 0 if it never was. A hint: whoever
    /// shares a core with the other side polls in vain.
    pub woken_from: AtomicU32,
    /// The random number in the address of the side's descriptor; 0 if it has none.
    pub bell: AtomicU64,
}

/// The head of a wide cell; the body follows.
#[derive(Debug, Default)]
#[repr(C, align(16))]
pub struct CellHead {
    /// `position + 1` once the message is published; anything else means "not yet".
    pub state: AtomicU64,
    /// Length of the message in the body, and what it is (see [`Meta`]).
    pub meta: AtomicU64,
}

/// A dense cell: state and an 8-byte body.
#[derive(Debug, Default)]
#[repr(C, align(16))]
pub struct DenseCell {
    /// As in [`CellHead::state`].
    pub state: AtomicU64,
    /// The body; written through its address.
    pub body: AtomicU64,
}

/// What a wide cell's body holds, and who wrote it: one word, so that it is written and read at once.
///
/// The low 32 bits are the length in bytes. The next 16 are the kind: 0 is the message itself, 1 and
/// 2 are [`PlaceWords`] that tell where it is; all others are reserved. The high 16 are the low bits
/// of the producer's incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta(pub u64);

const KIND: u64 = 0xffff << 32;

/// Where the tag of a message is, above its length: no cell holds 2 MiB.
const TAG: u32 = 21;
/// How many tags there are.
pub const TAGS: u16 = 1 << (32 - TAG);
const _: () = assert!((super::geometry::MAX_CELL_BYTES as u64) < 1 << TAG);

/// The kind of a cell whose message lies in the arena.
pub const KIND_CHUNK: u16 = 1;
/// The kind of a cell whose message lies in a block.
pub const KIND_BLOCK: u16 = 2;

/// The body of a cell whose message lies elsewhere.
#[derive(Debug, Default)]
#[repr(C)]
pub struct PlaceWords {
    /// [`Chunk::start`](super::arena::Chunk::start), or the number of the block.
    pub at: AtomicU64,
    /// Length of the message, in bytes.
    pub bytes: AtomicU64,
}

impl Meta {
    /// A message of `len` bytes in the body, by this incarnation of the producer.
    #[inline(always)]
    pub const fn inline(len: u32, incarnation: u64) -> Self {
        Self(len as u64 | incarnation << 48)
    }

    /// A message that lies elsewhere, by this incarnation of the producer.
    #[inline(always)]
    pub const fn elsewhere(kind: u16, incarnation: u64) -> Self {
        let len = size_of::<PlaceWords>() as u64;
        Self(len | (kind as u64) << 32 | incarnation << 48)
    }

    /// The length in bytes, if the message is in the body.
    #[inline(always)]
    pub const fn inline_len(self) -> Option<u32> {
        // The low half is the length.
        #[allow(clippy::cast_possible_truncation)]
        if self.0 & KIND == 0 { Some(self.0 as u32) } else { None }
    }

    /// The same message with a tag below [`TAGS`] beside it.
    #[inline(always)]
    pub const fn tagged(self, tag: u16) -> Self {
        Self(self.0 | (tag as u64) << TAG)
    }

    /// The message without its tag, and that.
    #[inline(always)]
    pub const fn untagged(self) -> (Self, u16) {
        const TAG_BITS: u64 = (TAGS as u64 - 1) << TAG;
        // Those are its bits.
        #[allow(clippy::cast_possible_truncation)]
        let tag = ((self.0 & TAG_BITS) >> TAG) as u16;
        (Self(self.0 & !TAG_BITS), tag)
    }

    /// The kind.
    pub const fn kind(self) -> u16 {
        // Those are its bits.
        #[allow(clippy::cast_possible_truncation)]
        let kind = (self.0 >> 32) as u16;
        kind
    }

    /// The low bits of the producer's incarnation.
    #[inline(always)]
    pub const fn incarnation_bits(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// The producer's incarnation, when `latest` is one of the 65,536 from it on.
    pub const fn incarnation(self, latest: u64) -> u64 {
        latest.wrapping_sub(latest.wrapping_sub(self.0 >> 48) & 0xffff)
    }
}

// SAFETY: repr(C), atomics only, zero is valid, nothing to drop.
unsafe impl Shared for ProducerLines {}
// SAFETY: as above.
unsafe impl Shared for ConsumerLines {}
// SAFETY: as above.
unsafe impl Shared for WaitLine {}
// SAFETY: as above.
unsafe impl Shared for PlaceWords {}
// SAFETY: as above.
unsafe impl Shared for CellHead {}
// SAFETY: as above.
unsafe impl Shared for DenseCell {}

// Loom's atomics are larger, and cost a model time each: only the real ones have a layout to keep.
#[cfg(not(loom))]
const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<ProducerLines>() == 256);
    assert!(offset_of!(ProducerLines, published) == 0);
    assert!(offset_of!(ProducerLines, dropped) == 8);
    assert!(offset_of!(ProducerLines, incarnation) == 16);
    assert!(offset_of!(ProducerLines, began) == 24);
    assert!(offset_of!(ProducerLines, wait) == 128);
    assert!(size_of::<ConsumerLines>() == 384);
    assert!(offset_of!(ConsumerLines, consumed) == 0);
    assert!(offset_of!(ConsumerLines, cursor) == 128);
    assert!(offset_of!(ConsumerLines, incarnation) == 136);
    assert!(offset_of!(ConsumerLines, redelivered) == 144);
    assert!(offset_of!(ConsumerLines, wait) == 256);
    assert!(size_of::<WaitLine>() == 128);
    assert!(offset_of!(WaitLine, sleeper) == 0);
    assert!(offset_of!(WaitLine, woken_from) == 4);
    assert!(offset_of!(WaitLine, bell) == 8);
    assert!(size_of::<CellHead>() == 16);
    assert!(offset_of!(CellHead, meta) == 8);
    assert!(size_of::<PlaceWords>() == 16);
    assert!(offset_of!(PlaceWords, bytes) == 8);
    assert!(size_of::<DenseCell>() == 16);
    assert!(offset_of!(DenseCell, body) == 8);
};

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{KIND_CHUNK, Meta, TAGS};

    #[test]
    fn length_kind_and_incarnation_keep_to_their_bits() {
        for (len, incarnation) in [(0, 0), (48, 1), (u32::MAX, 65_535), (7, 65_536), (7, 1 << 40)] {
            let meta = Meta::inline(len, incarnation);
            assert_eq!((meta.inline_len(), meta.kind()), (Some(len), 0));
            for later in [0, 1, 65_535] {
                assert_eq!(meta.incarnation(incarnation + later), incarnation);
            }
        }
        for tag in [0, 1, TAGS - 1] {
            let len = super::super::geometry::MAX_CELL_BYTES;
            for meta in [Meta::inline(len, 7), Meta::elsewhere(KIND_CHUNK, 7)] {
                assert_eq!(meta.tagged(tag).untagged(), (meta, tag));
                assert_eq!(meta.tagged(tag).kind(), meta.kind());
            }
        }
        let other = Meta::elsewhere(KIND_CHUNK, 65_537);
        assert_eq!((other.inline_len(), other.kind()), (None, KIND_CHUNK));
        assert_eq!(other.incarnation(65_600), 65_537);
    }
}
