//! One of the sending sides.

use super::layout::{MAX_BATCH, SenderLine, State};
use super::{Corrupt, Words};
use strait_pools::marks::{Mark, pass};
use strait_pools::placement::{Many, Placement};
use strait_pools::sync::Ordering::{Acquire, Relaxed, Release};
use strait_pools::sync::{Site, step};

/// A sending side. There is one at each endpoint, and it is `&mut` to use.
#[derive(Debug)]
pub struct Sender<P: Placement> {
    words: Words<P>,
    state: State,
    /// Which of the sending sides.
    me: u64,
    /// Whether sides may sleep.
    parking: bool,
    /// Whether there was no room since this side last claimed some. It then may have been woken for more
    /// than it takes. Never set if nobody sleeps.
    waited: bool,
}

impl<P: Placement> Sender<P> {
    /// The sending side number `me`, of which the caller is the only one; with `parking`, of a ring whose
    /// sides may sleep. What a predecessor left unpublished becomes nobody's.
    pub fn new(words: Words<P>, me: u64, parking: bool) -> Self {
        let state = State::of(words.states.len());
        let sender = Self { words, state, me, parking, waited: parking };
        sender.line().intent.withdraw();
        // What a predecessor published it perhaps told nobody.
        sender.rouse();
        sender
    }

    #[inline(always)]
    fn line(&self) -> &SenderLine {
        self.words.senders.at(self.me)
    }

    /// Publishes up to `most` messages in a row, as many as there are free cells, and not more than
    /// [`MAX_BATCH`]; returns how many. 0: the ring is full.
    ///
    /// `write` writes the body of the message at a position into its cell, for each in order. It runs
    /// while the position is claimed: it only copies, and does not panic.
    #[inline(always)]
    pub fn send(&mut self, most: u64, mut write: impl FnMut(u64)) -> Result<u64, Corrupt> {
        let (first, count) = if most > 0 { self.claim(most)? } else { return Ok(0) };
        let mut position = first;
        for _ in 0..count {
            write(position);
            position = position.wrapping_add(1);
        }
        pass(Mark::TicketWritten);
        // Back to front: receivers, which wait for the first, stay off the lines being written.
        for _ in 0..count {
            position = position.wrapping_sub(1);
            let ready = self.state.ready(position);
            // Pairs with `mpmc.poll`: makes the body visible.
            self.words.states.at(position).store(ready, Release.at("mpmc.publish"));
            pass(Mark::TicketPublished);
        }
        if self.parking {
            self.words.head.crowd.wake_one();
        }
        Ok(count)
    }

    /// Claims up to `most` positions: the first, and how many.
    #[inline(always)]
    fn claim(&mut self, most: u64) -> Result<(u64, u64), Corrupt> {
        let tail = &self.words.tail.position;
        let mut first = tail.load(Relaxed);
        let mut on_record = false;
        loop {
            let (found, count) = match self.find(first, most) {
                Ok(found @ (_, 1..)) => found,
                full => {
                    if on_record {
                        self.line().intent.withdraw();
                    }
                    self.waited = self.parking;
                    return full;
                }
            };
            self.line().intent.declare(found, count);
            on_record = true;
            pass(Mark::TicketIntended);
            // Pairs with `mpmc.tail`: who sees the tail moved sees the intent.
            let (moved, not) = (Release.at("mpmc.claim_tail"), Relaxed);
            match tail.compare_exchange(found, found.wrapping_add(count), moved, not) {
                Ok(_) => {
                    pass(Mark::TicketClaimed);
                    if self.waited {
                        self.waited = false;
                        self.share();
                    }
                    return Ok((found, count));
                }
                Err(now) => first = now,
            }
        }
    }

    /// The tail, which was at `first`, and how many cells are free there, up to `most`.
    #[inline(always)]
    fn find(&self, mut first: u64, most: u64) -> Result<(u64, u64), Corrupt> {
        loop {
            let count = self.free_from(first, most);
            if count > 0 {
                return Ok((first, count));
            }
            match self.words.look_again(&self.words.tail, first, self.state.free(first))? {
                Some(now) => first = now,
                None => return Ok((first, 0)),
            }
        }
    }

    /// Wakes another sender if there is room for it: this one may have been woken for both.
    #[cold]
    #[inline(never)]
    fn share(&self) {
        let tail = &self.words.tail;
        let has_room = |(_, count)| count > 0;
        if tail.crowd.is_occupied()
            && self.find(tail.position.load(Relaxed), 1).is_ok_and(has_room)
            && step("mpmc.next_sender")
        {
            tail.crowd.wake_sleeper();
        }
    }

    /// Wakes all receivers that sleep; done by itself only after closing.
    pub fn rouse(&self) {
        if self.parking {
            self.words.head.crowd.rouse();
        }
    }

    /// Number of cells that are free from `first` on, up to `most`.
    #[inline(always)]
    fn free_from(&self, first: u64, most: u64) -> u64 {
        let most = most.min(MAX_BATCH).min(self.words.states.len());
        let free = |&position: &u64| {
            // Pairs with `mpmc.free`: nobody reads the body any more.
            let state = self.words.states.at(position).load(Acquire.at("mpmc.room"));
            State::ahead(state, self.state.free(position)) == 0
        };
        let positions = (0..most).map(|offset| first.wrapping_add(offset));
        positions.take_while(free).count() as u64
    }

    /// Counts a message that was dropped because the ring was full.
    pub fn count_drop(&mut self) {
        let dropped = &self.line().dropped;
        dropped.store(dropped.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// The words this side shares with others.
    pub fn words(&self) -> &Words<P> {
        &self.words
    }

    /// Takes this side off the record; done when it is left.
    pub fn close(&mut self) {
        self.line().intent.withdraw();
    }
}
