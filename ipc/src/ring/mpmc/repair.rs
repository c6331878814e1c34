//! To finish what the dead have left.
//!
//! Receivers do this, before they report that there is nothing, or sleep.
//!
//! *Holes.* A receiver at the head finds a position claimed and not published. If no living sender has it on
//! record, it is marked as to be skipped, by a compare-and-swap from the exact state in which its
//! owner left it. Two that do this at once do the same.
//!
//! *What receivers held.* One living receiver at a time, under a lock that dies with its holder
//! ([`Parties::alone`]), looks at the lines of those that do not live:
//!
//! | it finds | it takes the message over |
//! |---|---|
//! | a message in a hand | copies it into its own hand, notes it there as redelivered, frees its cell if that was not done, empties the hand |
//! | a position on record, claimed, ready, and on no living receiver's record | copies it into its own hand, notes it there as redelivered, frees the cell |
//!
//! Hands come first: then a message is in a cell *and* in a dead one's hand only until it is taken over,
//! and not taken over twice. If the heir dies on the way, the message is in its hand, or where it was, or
//! in both places. The record of a dead one is left alone until somebody attaches to its side and has
//! finished what stands there.

use super::layout::{Hand, State};
use super::{Corrupt, Receiver, Source, Taken, between};
use strait_pools::marks::{Mark, pass};
use strait_pools::placement::{Many, Placement};
use strait_pools::sync::Ordering::{Acquire, Relaxed, Release};
use strait_pools::sync::Site;

/// What a ring asks about its sides.
pub trait Parties {
    /// Whether sender `index` can still act. May enter the kernel. If not, everything it did is visible
    /// afterwards.
    fn sender_lives(&self, index: u64) -> bool;
    /// Whether receiver `index` can still act. May enter the kernel. If not, everything it did is visible
    /// afterwards.
    fn receiver_lives(&self, index: u64) -> bool;
    /// Runs `work` while nobody else runs any for this ring; `None` if somebody does.
    ///
    /// The exclusion ends with the process that works, and what it did is visible to the next.
    fn alone<R>(&self, work: impl FnOnce() -> R) -> Option<R>;
}

/// What came of a look for something to repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// A message was taken over. It is in hand.
    Message(Taken),
    /// There is more to find now: look at the ring again.
    Progress,
    /// There was nothing to do.
    Nothing,
    /// Another receiver is repairing, or about to do what has to be done first.
    Busy,
}

impl<P: Placement> Receiver<P> {
    /// Looks for what dead sides left and repairs it, if nothing is claimed. `copy` is as in
    /// [`receive`](Receiver::receive).
    pub fn repair(
        &mut self,
        parties: &impl Parties,
        mut copy: impl FnMut(Source),
    ) -> Result<Repair, Corrupt> {
        self.release();
        if self.has_claims() || self.skip_holes(parties)? {
            return Ok(Repair::Progress);
        }
        let is_left = |at| at != self.me && self.has_record(at) && !parties.receiver_lives(at);
        if !self.inherits && !(0..self.words.receivers.len()).any(is_left) {
            return Ok(Repair::Nothing);
        }
        let outcome = parties.alone(|| {
            let repair = self.take_over(parties, &mut copy);
            if repair == Repair::Nothing && self.inherits {
                self.line().intent.withdraw();
                self.inherits = false;
                pass(Mark::HeirReady);
                return Repair::Progress;
            }
            repair
        });
        Ok(outcome.unwrap_or(Repair::Busy))
    }

    /// Marks holes at the head as to be skipped; whether there was one.
    fn skip_holes(&mut self, parties: &impl Parties) -> Result<bool, Corrupt> {
        let words = &self.words;
        // Pairs with `mpmc.claim_tail`: the intents of those who have claimed.
        let tail = words.tail.position.load(Acquire.at("mpmc.tail"));
        let head = words.head.position.load(Relaxed);
        let mut skipped = false;
        let pending = between(head, tail, words.states.len());
        for position in (0..pending).map(|offset| head.wrapping_add(offset)) {
            let free = self.state.free(position);
            if words.states.at(position).load(Relaxed) != free {
                break;
            }
            let is_owner =
                |at: u64| words.senders.at(at).intent.covers(position) && parties.sender_lives(at);
            if (0..words.senders.len()).any(is_owner) {
                break;
            }
            // Pairs with `mpmc.poll`, and so with whoever writes the cell next: the dead one's writes
            // are over.
            let (marked, not) = (Release.at("mpmc.skip"), Relaxed);
            let skip = self.state.skip(position);
            // If it fails, somebody else has done so, or the owner published before it did what it
            // has on record now.
            let _ = words.states.at(position).compare_exchange(free, skip, marked, not);
            pass(Mark::HoleSkipped);
            skipped = true;
        }
        Ok(skipped)
    }

    /// Whether anything is on a receiver's line.
    fn has_record(&self, at: u64) -> bool {
        let line = self.words.receivers.at(at);
        line.hand.load(Relaxed) != 0 || line.intent.is_some()
    }

    /// Takes one message over from a receiver that does not live, be it this side's predecessor.
    fn take_over(&mut self, parties: &impl Parties, copy: &mut impl FnMut(Source)) -> Repair {
        let mut dead = Vec::new();
        for at in 0..self.words.receivers.len() {
            let left = || if at == self.me { self.inherits } else { !parties.receiver_lives(at) };
            // In this order: what is on the line of one that does not live then stays there, because its
            // successor has to finish it first, and for that to be alone.
            if self.has_record(at) && left() {
                dead.push(at);
            }
        }
        match self.take_from_hand(&dead, copy) {
            Some(taken) => Repair::Message(taken),
            None => self.take_from_cell(parties, &dead, copy),
        }
    }

    /// Takes a message over from the hand of one of the dead.
    fn take_from_hand(&mut self, dead: &[u64], copy: &mut impl FnMut(Source)) -> Option<Taken> {
        let hand = |at: u64| Hand::of(self.words.receivers.at(at).hand.load(Relaxed));
        let (of, position) = dead.iter().find_map(|&at| Some((at, hand(at)?.position)))?;
        // One's own predecessor's is in place.
        if of != self.me || !self.hands {
            copy(Source::Hand(of));
        }
        pass(Mark::HeirCopied);
        self.note(Hand { position, redelivered: true });
        // Whoever had it in hand had claimed it, and may have died before it freed the cell.
        if self.words.states.at(position).load(Relaxed) == self.state.ready(position) {
            self.free(position);
        }
        for &at in dead.iter().filter(|&&at| at != self.me || !self.hands) {
            let line = self.words.receivers.at(at);
            if Hand::of(line.hand.load(Relaxed)).is_some_and(|hand| hand.position == position) {
                // Pairs with `mpmc.inherit`: our reads of that hand are over.
                line.hand.store(0, Release.at("mpmc.clear"));
                pass(Mark::HeirCleared);
            }
        }
        Some(Taken { position, redelivered: true })
    }

    /// Takes a message over from a cell that one of the dead had claimed.
    fn take_from_cell(
        &mut self,
        parties: &impl Parties,
        dead: &[u64],
        copy: &mut impl FnMut(Source),
    ) -> Repair {
        let mut nothing = Repair::Nothing;
        for &at in dead {
            let (first, count) = self.words.receivers.at(at).intent.read();
            for position in (0..count).map(|offset| first.wrapping_add(offset)) {
                match self.fate(parties, dead, position) {
                    Fate::Settled => {}
                    // What is on this side's line stays there until that is known.
                    Fate::Unknown if at == self.me => nothing = Repair::Busy,
                    Fate::Unknown => {}
                    Fate::Lost { skip: true } => self.free(position),
                    Fate::Lost { skip: false } => {
                        copy(Source::Cell(position));
                        pass(Mark::HeirCopied);
                        self.note(Hand { position, redelivered: true });
                        self.free(position);
                        return Repair::Message(Taken { position, redelivered: true });
                    }
                }
            }
        }
        nothing
    }

    /// What became of a position that is on the record of one of the dead.
    fn fate(&self, parties: &impl Parties, dead: &[u64], position: u64) -> Fate {
        let words = &self.words;
        // Pairs with `mpmc.claim_head`: the intents of those who have claimed.
        let head = words.head.position.load(Acquire.at("mpmc.head"));
        let behind = head.wrapping_sub(position);
        if behind == 0 || behind > words.states.len() {
            return Fate::Settled;
        }
        // What stands on this side's line is a predecessor's, or was lost: it has no claims.
        let is_owner = |at: u64| {
            at != self.me
                && !dead.contains(&at)
                && words.receivers.at(at).intent.covers(position)
                && parties.receiver_lives(at)
        };
        let owned = (0..words.receivers.len()).any(is_owner);
        // Only now: an owner that has something else on record freed the cell before. Who claimed the
        // position had seen the body; its death shows it.
        let state = words.states.at(position).load(Relaxed);
        if State::ahead(state, self.state.ready(position)) != 0 {
            Fate::Settled
        } else if owned {
            Fate::Unknown
        } else {
            Fate::Lost { skip: State::is_skip(state) }
        }
    }
}

/// What became of a position on the record of a receiver that does not live.
enum Fate {
    /// It was not claimed, or its cell was freed.
    Settled,
    /// It is also on the record of one that lives, whose it may be.
    Unknown,
    /// It was claimed, and nobody will free its cell.
    Lost {
        /// There is no message.
        skip: bool,
    },
}
