//! One of the receiving sides.

use super::layout::{Hand, MAX_BATCH, ReceiverLine, State};
use super::{Corrupt, Words};
use strait_pools::marks::{Mark, pass};
use strait_pools::placement::{Many, Placement};
use strait_pools::sync::Ordering::{Acquire, Relaxed, Release};
use strait_pools::sync::{Site, step};

/// A receiving side. There is one at each endpoint, and it is `&mut` to use.
#[derive(Debug)]
pub struct Receiver<P: Placement> {
    pub(super) words: Words<P>,
    pub(super) state: State,
    /// Which of the receiving sides.
    pub(super) me: u64,
    /// Whether each message is noted in this side's hand before its cell is freed.
    pub(super) hands: bool,
    /// Whether the hand holds a message, according to its word.
    holding: bool,
    /// Whether the record on this side's line is a predecessor's.
    pub(super) inherits: bool,
    claimed: Claimed,
    /// Whether sides may sleep.
    parking: bool,
    /// Whether there was nothing since this side last claimed something. It then may have been woken for
    /// more than it takes. Never set if nobody sleeps.
    waited: bool,
}

/// Positions that are claimed and not taken.
#[derive(Clone, Copy, Debug, Default)]
struct Claimed {
    first: u64,
    count: u64,
    /// Which of them hold no message: bit 0 is the first.
    skips: u64,
}

/// Where the body of a message is to be copied from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The cell of this position.
    Cell(u64),
    /// The hand of this receiver, which died. One's own, if that was a predecessor's and this side does not
    /// use it.
    Hand(u64),
}

/// A message that was taken: its body was copied, and its cell is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its position.
    pub position: u64,
    /// Whether another receiver, which died, may have had it before.
    pub redelivered: bool,
}

impl<P: Placement> Receiver<P> {
    /// The receiving side number `me`, of which the caller is the only one.
    ///
    /// With `hands`, messages are delivered at least once: each is noted in the segment while it is in
    /// hand. Without, whatever this side has taken when it dies is lost, and repeated by nobody. With
    /// `parking`, it is of a ring whose sides may sleep.
    pub fn new(words: Words<P>, me: u64, hands: bool, parking: bool) -> Self {
        let state = State::of(words.states.len());
        let (holding, inherits, waited) = (false, false, parking);
        let claimed = Claimed::default();
        let mut receiver =
            Self { words, state, me, hands, holding, inherits, claimed, parking, waited };
        let line = receiver.line();
        // Pairs with `mpmc.clear`: an heir has read what was in this hand.
        let hand = line.hand.load(Acquire.at("mpmc.inherit"));
        receiver.inherits = hand != 0 || line.intent.is_some();
        // What a predecessor freed it perhaps told nobody.
        receiver.rouse();
        receiver
    }

    #[inline(always)]
    pub(super) fn line(&self) -> &ReceiverLine {
        self.words.receivers.at(self.me)
    }

    /// Takes the next message if there is one, after releasing what is in hand. Claims up to `most`
    /// messages, and not more than [`MAX_BATCH`], if none is claimed.
    ///
    /// `copy` copies the body into this side's hand, or where the caller wants it if this side uses no
    /// hand. It does not panic. It is not called for what is in this hand already.
    ///
    /// `None` also while [there is something to finish](Receiver::inherits) that a predecessor left.
    #[inline(always)]
    pub fn receive(
        &mut self,
        most: u64,
        mut copy: impl FnMut(Source),
    ) -> Result<Option<Taken>, Corrupt> {
        self.release();
        loop {
            let Some((position, skip)) = self.claimed.next() else {
                if self.inherits || most == 0 || !self.claim(most)? {
                    return Ok(None);
                }
                continue;
            };
            if skip {
                self.free(position);
                continue;
            }
            copy(Source::Cell(position));
            pass(Mark::TakingCopied);
            self.note(Hand { position, redelivered: false });
            self.free(position);
            return Ok(Some(Taken { position, redelivered: false }));
        }
    }

    /// Whether this side has to finish what a predecessor left, before it receives anything else: by
    /// [`repair`](Receiver::repair).
    #[inline(always)]
    pub fn inherits(&self) -> bool {
        self.inherits
    }

    /// Whether messages are claimed that [`receive`](Receiver::receive) has not taken yet. Nobody else
    /// can.
    #[inline(always)]
    pub fn has_claims(&self) -> bool {
        self.claimed.count > 0
    }

    /// Claims up to `most` messages; `false` if there is none.
    #[inline(always)]
    fn claim(&mut self, most: u64) -> Result<bool, Corrupt> {
        let head = &self.words.head.position;
        let mut first = head.load(Relaxed);
        let mut on_record = false;
        loop {
            let claimed = match self.find(first, most) {
                Ok(claimed @ Claimed { count: 1.., .. }) => claimed,
                empty => {
                    if on_record {
                        self.line().intent.withdraw();
                    }
                    self.waited = self.parking;
                    return empty.map(|_| false);
                }
            };
            let Claimed { first: found, count, .. } = claimed;
            self.line().intent.declare(found, count);
            on_record = true;
            pass(Mark::TakingIntended);
            // Pairs with `mpmc.head`: who sees the head moved sees the intent.
            let (moved, not) = (Release.at("mpmc.claim_head"), Relaxed);
            match head.compare_exchange(found, found.wrapping_add(count), moved, not) {
                Ok(_) => {
                    pass(Mark::TakingClaimed);
                    self.claimed = claimed;
                    if self.waited {
                        self.waited = false;
                        self.share();
                    }
                    return Ok(true);
                }
                Err(now) => first = now,
            }
        }
    }

    /// What is ready at the head, which was at `first`: up to `most` messages.
    #[inline(always)]
    fn find(&self, mut first: u64, most: u64) -> Result<Claimed, Corrupt> {
        loop {
            let claimed = self.ready_from(first, most);
            if claimed.count > 0 {
                return Ok(claimed);
            }
            match self.words.look_again(&self.words.head, first, self.state.ready(first))? {
                Some(now) => first = now,
                None => return Ok(claimed),
            }
        }
    }

    /// Wakes another receiver if there is a message for it: this one may have been woken for both.
    #[cold]
    #[inline(never)]
    fn share(&self) {
        let head = &self.words.head;
        let is_ready = |next: Claimed| next.count > 0;
        if head.crowd.is_occupied()
            && self.find(head.position.load(Relaxed), 1).is_ok_and(is_ready)
            && step("mpmc.next_receiver")
        {
            head.crowd.wake_sleeper();
        }
    }

    /// Wakes all senders that sleep; done by itself only after closing.
    pub fn rouse(&self) {
        if self.parking {
            self.words.tail.crowd.rouse();
        }
    }

    /// The cells that are ready from `first` on, up to `most` of them.
    #[inline(always)]
    fn ready_from(&self, first: u64, most: u64) -> Claimed {
        let most = most.min(MAX_BATCH).min(self.words.states.len());
        let mut claimed = Claimed { first, count: 0, skips: 0 };
        while claimed.count < most {
            let position = first.wrapping_add(claimed.count);
            // Pairs with `mpmc.publish` and `mpmc.skip`: the body is visible once the state is.
            let state = self.words.states.at(position).load(Acquire.at("mpmc.poll"));
            if State::ahead(state, self.state.ready(position)) != 0 {
                break;
            }
            claimed.skips |= u64::from(State::is_skip(state)) << claimed.count;
            claimed.count += 1;
        }
        claimed
    }

    /// Notes a message whose body is in the hand.
    #[inline(always)]
    pub(super) fn note(&mut self, hand: Hand) {
        if self.hands {
            // Whoever finds this dead finds the body whole.
            self.line().hand.store(hand.word(), Release.at("mpmc.note"));
            self.holding = true;
            pass(Mark::TakingNoted);
        }
    }

    /// Frees the cell of a position that is this side's.
    #[inline(always)]
    pub(super) fn free(&mut self, position: u64) {
        let taken = self.state.taken(position);
        // Pairs with `mpmc.room`: the reads of the body are over.
        self.words.states.at(position).store(taken, Release.at("mpmc.free"));
        pass(Mark::TakingFreed);
        // Once for a batch: then there is room for all that may have been waited for.
        if self.parking && self.claimed.count == 0 {
            self.words.tail.crowd.wake_one();
        }
    }

    /// Releases the message in hand: if this side dies, it is not delivered again.
    #[inline(always)]
    pub fn release(&mut self) {
        if self.holding {
            // Whoever finds this dead knows that the message was read to the end.
            self.line().hand.store(0, Release.at("mpmc.release"));
            self.holding = false;
            pass(Mark::TakingDone);
        }
    }

    /// Takes this side off the record; done when it is left. What it has claimed and not taken stays on
    /// record, for others to take.
    pub fn close(&mut self) {
        self.release();
        if self.claimed.count == 0 && !self.inherits {
            self.line().intent.withdraw();
        }
    }

    /// The words this side shares with others.
    pub fn words(&self) -> &Words<P> {
        &self.words
    }
}

impl Claimed {
    /// The next position, and whether it is to be skipped.
    #[inline(always)]
    fn next(&mut self) -> Option<(u64, bool)> {
        let position = self.first;
        let skip = self.skips & 1 != 0;
        self.count = self.count.checked_sub(1)?;
        self.first = position.wrapping_add(1);
        self.skips >>= 1;
        Some((position, skip))
    }
}
