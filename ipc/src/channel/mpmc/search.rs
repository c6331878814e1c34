//! Where one of several receivers has its messages from, and where it copies them to.

use super::Bodies;
use super::others::Tie;
use crate::channel::copied::Buffer;
use crate::ring::layout::Meta;
use crate::ring::mpmc::{Corrupt, Receiver, Repair, Source, Taken};
use std::time::Duration;
use strait_pools::environment::{Clock, Monotonic};
use strait_pools::placement::Mapped;

/// How often a receiver that finds nothing looks whether the dead left something.
const REPAIR_EVERY: Duration = Duration::from_millis(10);

/// Where messages come from.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) ring: Receiver<Mapped>,
    pub(super) hand: Hand,
    /// When the dead were last asked after.
    looked: Duration,
}

/// Where messages are copied to.
#[derive(Debug)]
pub(super) struct Hand {
    bodies: Bodies,
    /// This receiver's number, if its hand is in the segment.
    me: Option<u64>,
    /// Else it is here.
    private: Buffer,
}

impl Hand {
    fn new(bodies: Bodies, me: Option<u64>) -> Self {
        let private = Buffer::new(if me.is_some() { 0 } else { bodies.room() });
        Self { bodies, me, private }
    }

    /// Copies a message here. Its length is likely to be `usual`: a copy of a length that is known when it is
    /// compiled is no call.
    #[inline(always)]
    fn copy(&mut self, source: Source, usual: usize) {
        let from = self.bodies.source(source);
        let meta = from.meta();
        let to = match self.me {
            Some(me) => {
                let hand = self.bodies.hand(me);
                hand.describe(meta);
                hand.body()
            }
            None => {
                self.private.describe(Meta(meta));
                self.private.as_mut_ptr()
            }
        };
        // What is no message in the cell is found out when it is looked at.
        let len = Meta(meta).inline_len().unwrap_or(0) as usize;
        let len = len.min(self.bodies.room());
        if len == usual {
            // SAFETY: both have room for so many bytes, and apart: a cell, or another's hand, and this
            // hand, which nobody writes while they are this receiver's.
            unsafe { to.copy_from_nonoverlapping(from.body(), usual) };
        } else {
            // SAFETY: as above.
            unsafe { to.copy_from_nonoverlapping(from.body(), len) };
        }
    }

    /// Bytes there are.
    #[inline(always)]
    pub(super) fn room(&self) -> usize {
        self.bodies.room()
    }

    /// The body of the message in hand, and what was noted of it.
    #[inline(always)]
    pub(super) fn message(&self) -> (*const u8, Meta) {
        match self.me {
            Some(me) => {
                let hand = self.bodies.hand(me);
                (hand.body().cast_const(), Meta(hand.meta()))
            }
            None => (self.private.as_ptr(), self.private.meta()),
        }
    }
}

impl Search {
    /// `me` is the receiver's number, if its hand is in the segment.
    pub(super) fn new(ring: Receiver<Mapped>, bodies: Bodies, me: Option<u64>) -> Self {
        // The first time that there is nothing, the dead are asked after.
        Self { ring, hand: Hand::new(bodies, me), looked: Duration::ZERO }
    }

    /// The next message if it is there, which is likely to have the `usual` length. Claims up to `most`.
    #[inline(always)]
    pub(super) fn take(&mut self, most: u64, usual: usize) -> Result<Option<Taken>, Corrupt> {
        let Self { ring, hand, .. } = self;
        ring.receive(most, |source| hand.copy(source, usual))
    }

    /// The next message if it is there, or if the dead left one, which is looked for now and then.
    #[inline]
    pub(super) fn look(&mut self, tie: &Tie) -> Result<Option<Taken>, Corrupt> {
        match self.take(1, 0)? {
            Some(taken) => Ok(Some(taken)),
            None => self.look_around(tie),
        }
    }

    #[cold]
    #[inline(never)]
    fn look_around(&mut self, tie: &Tie) -> Result<Option<Taken>, Corrupt> {
        let now = Monotonic.now();
        if !self.ring.inherits() && now.saturating_sub(self.looked) < REPAIR_EVERY {
            return Ok(None);
        }
        self.looked = now;
        self.repair(tie).map(|(taken, _)| taken)
    }

    /// Repairs until there is a message, or nothing to repair; and whether that is for certain.
    #[cold]
    #[inline(never)]
    pub(super) fn repair(&mut self, tie: &Tie) -> Result<(Option<Taken>, bool), Corrupt> {
        loop {
            let Self { ring, hand, .. } = self;
            let repair = ring.repair(tie, |source| hand.copy(source, 0))?;
            if let Repair::Message(taken) = repair {
                return Ok((Some(taken), true));
            }
            match (self.take(1, 0)?, repair) {
                (None, Repair::Progress) => {}
                (None, repair) => return Ok((None, repair == Repair::Nothing)),
                (taken, _) => return Ok((taken, true)),
            }
        }
    }
}
