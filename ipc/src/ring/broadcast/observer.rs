//! Reading without being waited for.

use super::{Look, Words};
use crate::ring::spsc::Corrupt;
use strait_pools::placement::{Many, Placement};
use strait_pools::sync::Ordering::{Acquire, Relaxed};
use strait_pools::sync::fence;

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// With the next message.
    Newest,
    /// With the oldest that is there.
    Oldest,
    /// With the message of this sequence number, or with the next if there is none so far. What is gone
    /// of it is reported as lost.
    At(u64),
}

impl Join {
    /// Where that is at the moment.
    pub(super) fn place<P: Placement>(self, words: &Words<P>) -> u64 {
        let next = words.next();
        match self {
            Self::Newest => next,
            Self::At(position) => position.min(next),
            Self::Oldest => {
                let oldest = next.saturating_sub(words.states.len());
                // The first may be in the middle of being written over.
                if words.holds(oldest) { oldest } else { next.min(oldest + 1) }
            }
        }
    }
}

/// What [`Observer::read`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read<R> {
    /// A copy of the next message.
    Message(R),
    /// It is not published.
    Empty,
    /// So many messages are gone, unread. The next read goes on behind them.
    Overrun(u64),
    /// The cell holds a state that no producer stores.
    Corrupt(Corrupt),
}

/// A reader that writes nothing to shared memory, and for which nobody waits.
#[derive(Debug)]
pub struct Observer<P: Placement> {
    words: Words<P>,
    position: u64,
}

impl<P: Placement> Observer<P> {
    /// Begins to read.
    pub fn new(words: Words<P>, join: Join) -> Self {
        let position = join.place(&words);
        Self { words, position }
    }

    /// The position of the next message.
    #[inline]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// From now on the next message is that at `position`.
    #[inline(always)]
    pub(super) fn go_on_at(&mut self, position: u64) {
        self.position = position;
    }

    /// Reads the next message, of which `copy` makes a private copy, word by word and relaxed, from the
    /// cell of the position it is given.
    ///
    /// What `copy` returns is dropped if the cell was written over meanwhile: it must take any bytes.
    #[inline(always)]
    pub fn read<R>(&mut self, copy: impl FnOnce(u64) -> R) -> Read<R> {
        let position = self.position;
        match self.words.look(position) {
            Look::Ready => {}
            Look::NotYet => return Read::Empty,
            Look::Gone(by) => return self.overrun(by),
        }
        let copied = copy(position);
        // Pairs with `broadcast.mark`: if a word of the copy is of a later message, the state is as well.
        fence(Acquire, "broadcast.reread");
        let state = self.words.states.at(position).load(Relaxed);
        if state != super::ready(position) {
            return self.overrun(super::position_of(state.max(1)));
        }
        self.position = position + 1;
        Read::Message(copied)
    }

    /// The next message was written over by that at position `by`. Goes on half a ring behind the newest: far
    /// enough from the producer to catch up, or to lose no more for a while.
    #[cold]
    #[inline(never)]
    fn overrun<R>(&mut self, by: u64) -> Read<R> {
        let capacity = self.words.states.len();
        if by <= self.position || !(by - self.position).is_multiple_of(capacity) {
            let position = self.position;
            return Read::Corrupt(Corrupt { word: "state", found: by, position });
        }
        // All below `by` were published, and the hint may know of more.
        let newest = by.max(self.words.head.published.load(Relaxed)).min(super::MAX_POSITION);
        let on = newest - capacity / 2;
        let lost = on - self.position;
        self.position = on;
        Read::Overrun(lost)
    }

    /// The words shared with the producer.
    #[inline(always)]
    pub fn words(&self) -> &Words<P> {
        &self.words
    }
}
