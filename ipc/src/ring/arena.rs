//! The arena of a ring: where messages lie that are too long for a cell.
//!
//! ```text
//! arena, part of the producer's region          cell of such a message
//! ┌───────┬──────────┬──────┬─────────────┐     ┌───────┬─────────────┬───────────────┐
//! │ chunk │  chunk   │      │    chunk    │     │ state │ len 16, kind│ start │ bytes │
//! └───────┴──────────┴──────┴─────────────┘     └───────┴─────────────┴───────────────┘
//!     newest      head ▲      ▲ tail: oldest unread
//! ```
//!
//! Positions in the arena count bytes from its beginning of time and never wrap; position `p` is byte
//! `p % bytes`. A chunk is contiguous: one that would reach over the end begins at the start again, and
//! what it left out is freed with it. Chunks are taken at the head in the order of messages, and freed at
//! the tail as the consumer reports progress: there is no reference count, and nothing is stored for an
//! allocation but in memory of the producer's own. (Firedancer's dcache does the same for readers that
//! are never waited for.)
//!
//! # Orderings
//!
//! None of its own. A chunk is written before the state of its cell is stored with Release, and reused
//! after `consumed`, which was stored with Release behind the reading of it, was loaded with Acquire: as
//! the cell itself ([`spsc`](super::spsc)).
//!
//! # When a process dies here
//!
//! *The producer*: what it had written for messages that it did not publish is free. Its successor finds
//! the chunks in use from the cells that are published and not consumed ([`Arena::adopt`]).
//! *The consumer*: its successor reads on in the cells, each of which says where its chunk is.

use super::spsc::{Corrupt, ahead};

/// Bytes to which chunks are aligned: a cache line.
#[cfg(not(loom))]
pub const CHUNK_ALIGN: u64 = 64;
/// Models count bytes singly.
#[cfg(loom)]
pub const CHUNK_ALIGN: u64 = 1;

/// Bytes of an arena in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Position of the first byte.
    pub start: u64,
    /// Number of bytes.
    pub bytes: u64,
}

impl Chunk {
    /// Where it begins in an arena of so many bytes; `None` if it does not lie in one, aligned.
    pub fn offset(self, arena: u64) -> Option<u64> {
        let offset = self.start.checked_rem(arena)?;
        let fits = offset.is_multiple_of(CHUNK_ALIGN) && self.bytes <= arena - offset;
        fits.then_some(offset)
    }

    fn end(self) -> u64 {
        self.start.wrapping_add(self.bytes)
    }
}

/// What the producer knows of its arena.
#[derive(Debug)]
pub struct Arena {
    bytes: u64,
    /// Where the next published message's chunk may begin.
    head: u64,
    /// Where the next chunk may begin, behind those of messages that are built and not published.
    pending: u64,
    /// Everything below is free again.
    tail: u64,
    /// Every message below this position is known to be consumed.
    consumed: u64,
    /// Where `pending` stood once each message was built, by its position modulo the ring's capacity.
    ends: Box<[u64]>,
}

impl Arena {
    /// An arena of so many bytes for a ring of so many cells (a power of two), whose first `consumed`
    /// messages are done with. Unread ones are [adopted](Arena::adopt).
    pub fn new(bytes: u64, capacity: u64, consumed: u64) -> Self {
        // The ring's states fit memory, and are as large.
        let ends = (0..capacity).map(|_| 0).collect();
        Self { bytes, head: 0, pending: 0, tail: 0, consumed, ends }
    }

    /// The longest chunk, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn slot(&mut self, position: u64) -> &mut u64 {
        let mask = self.ends.len() as u64 - 1;
        // Less than the length of a slice.
        #[allow(clippy::cast_possible_truncation)]
        &mut self.ends[(position & mask) as usize]
    }

    /// Takes note of the message at `position`, which a predecessor published and nobody has consumed,
    /// and of its chunk. Called in the order of positions.
    pub fn adopt(&mut self, position: u64, chunk: Option<Chunk>) -> Result<(), Corrupt> {
        if let Some(chunk) = chunk {
            let first = self.pending == self.tail;
            let tail = if first { chunk.start } else { self.tail };
            let after = if first { chunk.start } else { self.pending };
            let lies = chunk.offset(self.bytes).is_some() && ahead(chunk.start, after) >= 0;
            if !lies || chunk.end().wrapping_sub(tail) > self.bytes {
                return Err(Corrupt { word: "a chunk's start", found: chunk.start, position });
            }
            (self.tail, self.pending) = (tail, chunk.end());
        }
        self.built(position);
        self.publish();
        Ok(())
    }

    /// What was built and not published is given up.
    pub fn abort(&mut self) {
        self.pending = self.head;
    }

    /// A place for `bytes` bytes behind what was built, if there is one.
    pub fn find(&mut self, bytes: u64) -> Option<Chunk> {
        if self.pending == self.tail {
            // Nothing is in use: no reason to begin in the middle.
            let start = self.pending.checked_next_multiple_of(self.bytes)?;
            (self.head, self.pending, self.tail) = (start, start, start);
        }
        let mut start = self.pending.checked_next_multiple_of(CHUNK_ALIGN)?;
        if start % self.bytes + bytes > self.bytes {
            start = start.checked_next_multiple_of(self.bytes)?;
        }
        let chunk = Chunk { start, bytes };
        (chunk.end().wrapping_sub(self.tail) <= self.bytes).then_some(chunk)
    }

    /// The chunk that was found is used, by a message that is being built.
    pub fn take(&mut self, chunk: Chunk) {
        self.pending = chunk.end();
    }

    /// The message at `position` is built, with the chunk taken last if it took one. Its cell was free.
    #[cold]
    #[inline(never)]
    pub fn built(&mut self, position: u64) {
        // So the message that had it before is consumed. What is noted of that one goes now, and does not
        // come back if this one is given up.
        let capacity = self.ends.len() as u64;
        self.free_below(position.wrapping_add(1).wrapping_sub(capacity));
        *self.slot(position) = self.pending;
    }

    /// All messages that were built are published.
    pub fn publish(&mut self) {
        self.head = self.pending;
    }

    /// Every message below `consumed` is done with, so their chunks are free.
    pub fn free_below(&mut self, consumed: u64) {
        if ahead(consumed, self.consumed) > 0 {
            self.consumed = consumed;
            let end = *self.slot(consumed.wrapping_sub(1));
            // Not back behind a beginning that was moved while nothing was in use.
            if ahead(end, self.tail) > 0 {
                self.tail = end;
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    const BYTES: u64 = 1024;
    const CAPACITY: u64 = 8;

    #[test]
    fn the_whole_arena_is_one_messages_if_nothing_is_in_use() {
        let mut arena = Arena::new(BYTES, CAPACITY, 0);
        for position in 0..5 {
            let small = arena.find(100).unwrap();
            arena.take(small);
            arena.built(2 * position);
            arena.publish();
            assert_eq!(arena.find(BYTES), None);
            arena.free_below(2 * position + 1);
            let whole = arena.find(BYTES).unwrap();
            assert_eq!(whole.offset(BYTES), Some(0));
            assert_eq!(arena.find(BYTES + 1), None);
            arena.take(whole);
            arena.built(2 * position + 1);
            arena.publish();
            arena.free_below(2 * position + 2);
        }
    }

    #[test]
    fn a_batch_that_is_given_up_frees_nothing_of_its_own() {
        let mut arena = Arena::new(BYTES, CAPACITY, 0);
        let lap = |arena: &mut Arena, first: u64, with_chunk: u64| {
            for position in first..first + CAPACITY {
                if position == with_chunk {
                    let chunk = arena.find(300).unwrap();
                    arena.take(chunk);
                }
                arena.built(position);
            }
        };
        lap(&mut arena, 0, 0);
        arena.publish();
        // All of them are consumed, which nobody asked for yet; then a batch as long as the ring.
        lap(&mut arena, CAPACITY, 2 * CAPACITY - 1);
        arena.abort();
        arena.free_below(CAPACITY);
        assert!(arena.find(BYTES).is_some(), "nothing is in use");
    }

    #[test]
    fn chunks_that_cannot_be_are_no_chunks() {
        for (start, bytes) in
            [(1, 10), (64, BYTES), (0, BYTES + 1), (u64::MAX, 1), (960, u64::MAX), (0, u64::MAX)]
        {
            assert_eq!(Chunk { start, bytes }.offset(BYTES), None, "{start} {bytes}");
        }
        assert_eq!(Chunk { start: 0, bytes: 0 }.offset(0), None, "there is no arena");
        assert_eq!(Chunk { start: 3 * BYTES + 960, bytes: 64 }.offset(BYTES), Some(960));
    }

    #[test]
    fn unread_chunks_that_overlap_are_refused() {
        let mut arena = Arena::new(BYTES, CAPACITY, 0);
        arena.adopt(0, Some(Chunk { start: 256, bytes: 100 })).unwrap();
        assert!(arena.adopt(1, Some(Chunk { start: 320, bytes: 64 })).is_err());
        assert!(arena.adopt(1, Some(Chunk { start: 256 + BYTES, bytes: 64 })).is_err());
        arena.adopt(1, Some(Chunk { start: BYTES, bytes: 256 })).unwrap();
        assert_eq!(arena.find(1), None, "all of it is in use");
    }

    #[derive(Clone, Debug)]
    enum Op {
        Send(u64),
        Inline,
        Abort(u64),
        Consume,
        Restart,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => (0..=BYTES).prop_map(Op::Send),
            2 => (0..200u64).prop_map(Op::Send),
            1 => Just(Op::Inline),
            1 => (0..200u64).prop_map(Op::Abort),
            4 => Just(Op::Consume),
            1 => Just(Op::Restart),
        ]
    }

    proptest! {
        /// Against a list of what is unread: chunks lie in the arena, and never over each other; what
        /// fits an empty arena is placed; nothing leaks.
        #[test]
        fn chunks_never_overlap_and_are_all_freed(ops in prop::collection::vec(op(), 1..200)) {
            let mut arena = Arena::new(BYTES, CAPACITY, 0);
            let mut unread: VecDeque<(u64, Option<Chunk>)> = VecDeque::new();
            let (mut position, mut consumed) = (0, 0);
            for op in ops {
                match op {
                    Op::Send(_) | Op::Inline if position - consumed == CAPACITY => {}
                    Op::Send(bytes) => match arena.find(bytes) {
                        None => prop_assert!(!unread.is_empty(), "{bytes} fit an empty arena"),
                        Some(chunk) => {
                            let offset = chunk.offset(BYTES);
                            prop_assert!(offset.is_some(), "{chunk:?} lies in the arena");
                            for other in unread.iter().filter_map(|message| message.1) {
                                let (a, b) = (offset.unwrap(), other.offset(BYTES).unwrap());
                                prop_assert!(
                                    a + bytes <= b || b + other.bytes <= a || bytes == 0 || other.bytes == 0,
                                    "{chunk:?} over {other:?}"
                                );
                            }
                            arena.take(chunk);
                            arena.built(position);
                            arena.publish();
                            unread.push_back((position, Some(chunk)));
                            position += 1;
                        }
                    },
                    Op::Inline => {
                        arena.built(position);
                        arena.publish();
                        unread.push_back((position, None));
                        position += 1;
                    }
                    Op::Abort(bytes) => {
                        if let Some(chunk) = arena.find(bytes) {
                            arena.take(chunk);
                            arena.abort();
                        }
                    }
                    Op::Consume => {
                        if unread.pop_front().is_some() {
                            consumed += 1;
                            arena.free_below(consumed);
                        }
                    }
                    Op::Restart => {
                        arena = Arena::new(BYTES, CAPACITY, consumed);
                        for &(position, chunk) in &unread {
                            prop_assert_eq!(arena.adopt(position, chunk), Ok(()));
                        }
                    }
                }
            }
            arena.free_below(position);
            prop_assert!(arena.find(BYTES).is_some(), "something was never freed");
        }
    }
}
