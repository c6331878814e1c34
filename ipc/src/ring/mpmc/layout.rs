//! The words of an MPMC ring in memory; every offset is asserted below.
//!
//! ```text
//! producer region                              consumer region
//!   0    tail      next position to claim        0    head      next position to claim
//!   128  CrowdLine where senders sleep           128  CrowdLine where receivers sleep
//!   256  SenderLine of sender 0                  256  ReceiverLine of receiver 0
//!   384  SenderLine of sender 1                  384  ReceiverLine of receiver 1
//!   …    as many as a power of two               …    as many as a power of two
//!   …    cell 0, cell 1, …                       …    the hand of receiver 0, of receiver 1, …
//!   …    the store, from the next page on
//!
//! SenderLine                                   ReceiverLine
//!   0    intent    positions it claims           0    intent    positions it claims
//!   8    dropped   messages refused              8    hand      which message is in its hand
//!
//! intent   0: none;  else  (position + 1) · 64 + count − 1: `count` positions from `position` on
//! hand     0: empty; else  position + 1, and bit 63 if the message was in another's hand before
//! state    2 · lap: free;  2 · lap + 1: ready;  with bit 63: nothing there, to be skipped
//! ```
//!
//! A cell is an SPSC ring's wide cell with another meaning of its state ([`State`]); a hand is laid out
//! as a cell is. The lap of a position is how often the ring went around before it. Positions have 58 bits:
//! at 100 million messages a second they last for ninety years. Zeroed memory is a new ring.

use crate::ring::crowd::CrowdLine;
use strait_pools::region::Shared;
use strait_pools::sync::Ordering::{Acquire, Relaxed, Release};
use strait_pools::sync::{AtomicU64, Site};

/// Bytes in front of the cells, for so many senders.
pub const fn producer_lines(senders: u32) -> usize {
    size_of::<IndexLines>() + senders.next_power_of_two() as usize * size_of::<SenderLine>()
}

/// Bytes in front of the hands, for so many receivers.
pub const fn consumer_lines(receivers: u32) -> usize {
    size_of::<IndexLines>() + receivers.next_power_of_two() as usize * size_of::<ReceiverLine>()
}

/// Distance from one hand to the next, for cells of so many bytes: whole lines.
pub const fn hand_stride(cell: usize) -> usize {
    cell.next_multiple_of(size_of::<ReceiverLine>())
}

/// Bytes of the region that consumers write, for so many receivers and cells of so many bytes.
pub const fn consumer_bytes(receivers: u32, cell: usize) -> usize {
    consumer_lines(receivers) + receivers.next_power_of_two() as usize * hand_stride(cell)
}

/// Most positions that are claimed at once.
pub const MAX_BATCH: u64 = 64;

/// What all sides of one kind share: the tail or the head, for which they compete, and where they sleep.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct IndexLines {
    /// The next position to claim. Never goes back.
    pub position: AtomicU64,
    #[cfg(not(loom))]
    line0: [AtomicU64; 15],
    /// Where they sleep while there is nothing to claim: a line that is written only then.
    pub crowd: CrowdLine,
}

/// What a sender has on record. Written by that sender.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct SenderLine {
    /// What it claims.
    pub intent: Intent,
    /// Messages that were dropped at this endpoint because the ring was full.
    pub dropped: AtomicU64,
}

/// What a receiver has on record. Written by that receiver, and by its heir once it is dead.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct ReceiverLine {
    /// What it claims.
    pub intent: Intent,
    /// The message in its hand, as [`Hand`] says.
    pub hand: AtomicU64,
}

/// The positions that a side is about to claim, or has claimed.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Intent(AtomicU64);

const COUNT_BITS: u32 = MAX_BATCH.trailing_zeros();
const POSITION_MASK: u64 = u64::MAX >> COUNT_BITS;

impl Intent {
    /// Puts `count` positions (1 to [`MAX_BATCH`]) from `first` on record. Before they are claimed.
    #[inline(always)]
    pub fn declare(&self, first: u64, count: u64) {
        debug_assert!((1..=MAX_BATCH).contains(&count));
        let word = first.wrapping_add(1) << COUNT_BITS | (count - 1);
        // Pairs with `mpmc.read_intent`: who sees this sees what became of the claims before.
        self.0.store(word, Release.at("mpmc.declare"));
    }

    /// Puts nothing on record: no position is this side's.
    pub fn withdraw(&self) {
        // Pairs with `mpmc.read_intent`, as `mpmc.declare` does.
        self.0.store(0, Release.at("mpmc.withdraw"));
    }

    /// The first position on record, and how many there are; at most [`MAX_BATCH`], whatever is there.
    pub fn read(&self) -> (u64, u64) {
        // Pairs with `mpmc.declare` and `mpmc.withdraw`.
        let word = self.0.load(Acquire.at("mpmc.read_intent"));
        match word >> COUNT_BITS {
            0 => (0, 0),
            after => (after - 1, (word & (MAX_BATCH - 1)) + 1),
        }
    }

    /// Whether `position` is on record.
    pub fn covers(&self, position: u64) -> bool {
        let (first, count) = self.read();
        position.wrapping_sub(first) & POSITION_MASK < count
    }

    /// Whether anything is on record. For whoever is about to read it.
    pub fn is_some(&self) -> bool {
        self.0.load(Relaxed) != 0
    }
}

/// What [`ReceiverLine::hand`] says of a message in a hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hand {
    /// Its position.
    pub position: u64,
    /// Whether it was in another receiver's hand before, or may have been.
    pub redelivered: bool,
}

const FLAG: u64 = 1 << 63;

impl Hand {
    /// The word that says so.
    #[inline(always)]
    pub const fn word(self) -> u64 {
        (self.position.wrapping_add(1) & !FLAG) | (self.redelivered as u64) << 63
    }

    /// What the word says; `None` if the hand is empty.
    pub const fn of(word: u64) -> Option<Self> {
        match word & !FLAG {
            0 => None,
            after => Some(Self { position: after - 1, redelivered: word & FLAG != 0 }),
        }
    }
}

/// The states that a cell has in its laps.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// The ring has two to the power of this many cells.
    shift: u32,
}

impl State {
    /// The states of a ring of so many cells, a power of two.
    pub const fn of(capacity: u64) -> Self {
        Self { shift: capacity.trailing_zeros() }
    }

    /// Free for the message at `position`.
    #[inline(always)]
    pub const fn free(self, position: u64) -> u64 {
        position >> self.shift << 1
    }

    /// The message at `position` is there.
    #[inline(always)]
    pub const fn ready(self, position: u64) -> u64 {
        self.free(position) + 1
    }

    /// There will be no message at `position`.
    #[inline(always)]
    pub const fn skip(self, position: u64) -> u64 {
        self.ready(position) | FLAG
    }

    /// The message at `position` was taken: free in the next lap.
    #[inline(always)]
    pub const fn taken(self, position: u64) -> u64 {
        self.ready(position) + 1
    }

    /// How many steps `state` is ahead of `expected`, of which there are two in a lap. A cell to be
    /// skipped is as far as one that is ready.
    #[inline(always)]
    pub const fn ahead(state: u64, expected: u64) -> i64 {
        (state & !FLAG).wrapping_sub(expected).cast_signed()
    }

    /// Whether that is a cell to be skipped.
    #[inline(always)]
    pub const fn is_skip(state: u64) -> bool {
        state & FLAG != 0
    }
}

// SAFETY: repr(C), atomics only, zero is valid, nothing to drop.
unsafe impl Shared for IndexLines {}
// SAFETY: as above; `Intent` is an atomic.
unsafe impl Shared for SenderLine {}
// SAFETY: as above.
unsafe impl Shared for ReceiverLine {}

// Loom's atomics are larger: only the real ones have a layout to keep.
#[cfg(not(loom))]
const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<IndexLines>() == 256);
    assert!(offset_of!(IndexLines, position) == 0);
    assert!(offset_of!(IndexLines, crowd) == 128);
    assert!(size_of::<SenderLine>() == 128);
    assert!(offset_of!(SenderLine, intent) == 0);
    assert!(offset_of!(SenderLine, dropped) == 8);
    assert!(size_of::<ReceiverLine>() == 128);
    assert!(offset_of!(ReceiverLine, intent) == 0);
    assert!(offset_of!(ReceiverLine, hand) == 8);
};

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_intent_covers_what_was_declared_and_nothing_else() {
        let intent = Intent::default();
        assert!(!intent.is_some() && !intent.covers(0) && !intent.covers(u64::MAX));
        for (first, count) in [(0, 1), (0, 64), (7, 3), ((1 << 57) - 5, 64)] {
            intent.declare(first, count);
            assert_eq!(intent.read(), (first, count));
            assert!((first..first + count).all(|position| intent.covers(position)));
            assert!(!intent.covers(first.wrapping_sub(1)) && !intent.covers(first + count));
        }
        intent.withdraw();
        assert_eq!(intent.read(), (0, 0));
        assert!(!intent.is_some() && !intent.covers(7));
    }

    #[test]
    fn a_hand_leads_back() {
        assert_eq!(Hand::of(0), None);
        for position in [0, 1, 1 << 40] {
            for redelivered in [false, true] {
                let hand = Hand { position, redelivered };
                assert_eq!(Hand::of(hand.word()), Some(hand));
            }
        }
    }

    #[test]
    fn states_go_from_lap_to_lap() {
        for capacity in [1, 2, 64] {
            let state = State::of(capacity);
            assert_eq!(state.free(0), 0, "zeroed memory is free");
            for position in [0, 1, capacity, 5 * capacity + 3] {
                assert_eq!(state.taken(position), state.free(position + capacity));
                let at = |found| State::ahead(found, state.free(position));
                assert_eq!(at(state.free(position)), 0);
                assert_eq!(at(state.ready(position)), 1);
                assert_eq!(at(state.skip(position)), 1);
                assert_eq!(at(state.taken(position)), 2);
                assert!(State::is_skip(state.skip(position)));
                assert!(!State::is_skip(state.ready(position)));
            }
        }
    }
}
