//! One of the sending sides.

use super::layout::{MAX_BATCH, SenderLine, State};
use super::{Corrupt, Words};
use strait_pools::marks::{Mark, pass};
use strait_pools::placement::{Many, Placement};
use strait_pools::sync::Ordering::{Acquire, Relaxed, Release};
use strait_pools::sync::Site;

/// A sending side. There is one at each endpoint, and it is `&mut` to use.
#[derive(Debug)]
pub struct Sender<P: Placement> {
    words: Words<P>,
    state: State,
    /// Which of the sending sides.
    me: u64,
}

impl<P: Placement> Sender<P> {
    /// The sending side number `me`, of which the caller is the only one. What a predecessor left
    /// unpublished becomes nobody's.
    pub fn new(words: Words<P>, me: u64) -> Self {
        let state = State::of(words.states.len());
        let sender = Self { words, state, me };
        sender.line().intent.withdraw();
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
        Ok(count)
    }

    /// Claims up to `most` positions: the first, and how many.
    #[inline(always)]
    fn claim(&mut self, most: u64) -> Result<(u64, u64), Corrupt> {
        let tail = &self.words.tail.position;
        let mut first = tail.load(Relaxed);
        let mut on_record = false;
        loop {
            let count = self.free_from(first, most);
            if count == 0 {
                match self.words.look_again(&self.words.tail, first, self.state.free(first)) {
                    Ok(Some(now)) => first = now,
                    full => {
                        if on_record {
                            self.line().intent.withdraw();
                        }
                        return full.map(|_| (first, 0));
                    }
                }
            } else {
                self.line().intent.declare(first, count);
                on_record = true;
                pass(Mark::TicketIntended);
                // Pairs with `mpmc.tail`: who sees the tail moved sees the intent.
                let (moved, not) = (Release.at("mpmc.claim_tail"), Relaxed);
                match tail.compare_exchange(first, first.wrapping_add(count), moved, not) {
                    Ok(_) => {
                        pass(Mark::TicketClaimed);
                        return Ok((first, count));
                    }
                    Err(now) => first = now,
                }
            }
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
