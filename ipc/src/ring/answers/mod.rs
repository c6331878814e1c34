//! Answers: beside each cell of a client's ring a cell in which the server answers the request in that.
//!
//! ```text
//! ┌───────────┬──────────┬──────────┬───┬───────────────┐
//! │ CrowdLine │ answer 0 │ answer 1 │ … │ large answers │
//! └───────────┴──────────┴──────────┴───┴───────────────┘
//!               to the request at position p: p & (capacity − 1)
//! ```
//!
//! A call is a message in the client's [lane](super::lanes), and its position there is the number of the
//! call: it never comes again, so no answer is taken for that of another call. The client waits for its cell alone, so
//! its threads need not look at each other's answers, and may hold them for as long as they like: a
//! request is not sent to a position whose cell is still held.
//!
//! The server builds the answer in the cell, and then one swap decides: from what the state was when the
//! server took the request to "answered". It fails if the client has given up meanwhile, which
//! is a swap from the same value; then the answer is nobody's, and the cell is free. Whoever loses
//! that race knows, and who wins has the cell. (The state word is the ring's position, so that nothing
//! has to be set up for a call, and a lone call moves one line to the server and one line back.)
//!
//! An answer that is too long for its cell lies in the room for large answers. That room is the server's own
//! affair: only the server allocates and frees, and clients say which answers they are done with.
//!
//! # Orderings
//!
//! | store | pairs with | makes visible |
//! |---|---|---|
//! | `state`, Release (`answers.publish`) | `state`, Acquire (`answers.look`) | the answer |
//! | `released`, Release (`answers.release`) | `released`, Acquire (`answers.reclaim`) | that the client's reads of a large answer are over |
//! | request, Release (`spsc.publish`) | request, Acquire (`spsc.poll`) | that the client's reads of the answer that was in its cell are over |
//!
//! Giving up is relaxed on both sides: nothing is read on the strength of it. Sleeping: see
//! [`crowd`](super::crowd).
//!
//! # When a process dies here
//!
//! *A client*: its requests that were published are handled and answered into its cells. Its successor in the
//! lane goes on at the next position, and asks nothing of what was before.
//! *The server*: what is answered is answered; all else never will be, because calls are not resumed: a new
//! server makes a new segment. How far the dead one got is in its `cursor`: beyond that, no request was
//! looked at.

pub mod layout;
pub mod places;

use super::crowd::CrowdLine;
use super::spsc::{Corrupt, ahead};
use layout::{answered, given_up};
use strait_pools::marks::{Mark, pass};
use strait_pools::placement::{Many, Placement};
use strait_pools::sync::Ordering::{Acquire, Relaxed, Release};
use strait_pools::sync::{AtomicU64, Site};

/// The words that a client and the server share beside the client's ring.
#[derive(Debug)]
pub struct Words<P: Placement> {
    /// Where the client's threads sleep.
    pub crowd: P::One<CrowdLine>,
    /// The state of each cell.
    pub states: P::Many<AtomicU64>,
    /// Which large answers the client is done with.
    pub released: P::Many<AtomicU64>,
}

impl<P: Placement> Clone for Words<P> {
    fn clone(&self) -> Self {
        Self {
            crowd: self.crowd.clone(),
            states: self.states.clone(),
            released: self.released.clone(),
        }
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet. What the state is.
    Open(u64),
    /// It is answered.
    Answered,
    /// Nobody waits for it.
    GivenUp,
}

impl<P: Placement> Words<P> {
    /// What `state` says of the request at `position`.
    #[inline(always)]
    fn outcome(position: u64, state: u64) -> Result<Outcome, Corrupt> {
        match ahead(state, given_up(position)) {
            ..0 => Ok(Outcome::Open(state)),
            0 => Ok(Outcome::GivenUp),
            1 => Ok(Outcome::Answered),
            _ => Err(Corrupt { word: "answer", found: state, position }),
        }
    }

    /// The server's look at the cell of a request that it has taken.
    ///
    /// # Errors
    ///
    /// The state is of a request that cannot have been made yet.
    #[inline(always)]
    pub fn asked(&self, position: u64) -> Result<Outcome, Corrupt> {
        Self::outcome(position, self.states.at(position).load(Relaxed))
    }

    /// Publishes the answer that the server has built, whose cell was `open` when the request was taken;
    /// `false` if nobody waits for it any more.
    #[inline(always)]
    pub fn answer(&self, position: u64, open: u64, parking: bool) -> bool {
        pass(Mark::AnswerWritten);
        let state = self.states.at(position);
        // Pairs with `answers.look`: makes the answer visible.
        let publish = Release.at("answers.publish");
        let in_time = state.compare_exchange(open, answered(position), publish, Relaxed).is_ok();
        pass(Mark::AnswerPublished);
        if in_time && parking {
            self.crowd.wake();
        }
        in_time
    }

    /// The client's look for its answer.
    ///
    /// # Errors
    ///
    /// As for [`asked`](Self::asked).
    #[inline(always)]
    pub fn look(&self, position: u64) -> Result<Outcome, Corrupt> {
        // Pairs with `answers.publish`.
        Self::outcome(position, self.states.at(position).load(Acquire.at("answers.look")))
    }

    /// Gives the request at `position` up, unless it is answered.
    ///
    /// # Errors
    ///
    /// As for [`asked`](Self::asked).
    pub fn give_up(&self, position: u64) -> Result<Outcome, Corrupt> {
        loop {
            let found = self.look(position)?;
            let Outcome::Open(open) = found else { return Ok(found) };
            let state = self.states.at(position);
            if state.compare_exchange(open, given_up(position), Relaxed, Relaxed).is_ok() {
                pass(Mark::CallGivenUp);
                return Ok(Outcome::GivenUp);
            }
        }
    }

    /// The client is done with the large answer to the request at `position`.
    pub fn release(&self, position: u64) {
        // Pairs with `answers.reclaim`: the reads are over.
        self.released.at(position).store(position.wrapping_add(1), Release.at("answers.release"));
    }

    /// Whether it is: the server may use its room again.
    pub fn is_released(&self, position: u64) -> bool {
        // Pairs with `answers.release`.
        let released = self.released.at(position).load(Acquire.at("answers.reclaim"));
        released == position.wrapping_add(1)
    }
}
