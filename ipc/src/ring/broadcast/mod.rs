//! The broadcast ring: one producer, and readers with cursors of their own.
//!
//! ```text
//! producer region                                       consumer region
//! ┌───────────┬───────┬────────────────────────────┐    ┌──────┬────────┬──────┬────────┬──
//! │ published │ floor │ state body │ state body │… │    │ gate │ cursor │ gate │ cursor │ …
//! └───────────┴───────┴────────────────────────────┘    └──────┴────────┴──────┴────────┴──
//!   hint        where    cell of position p:              reader 0        reader 1
//!               to join  p & (capacity − 1)
//! ```
//!
//! Every reader sees every message, unless it is too slow and chose not to be waited for. There are two ways
//! to read, on one ring and at one time:
//!
//! - An [`Observer`] writes nothing, not even that it is there; it may look at memory that it cannot
//!   write. The producer never waits for it. It copies a message word by word and looks whether the cell
//!   was written over meanwhile, as behind a sequence lock; then it has lost messages, is told how many, and
//!   goes on half a ring behind the newest.
//! - A [`Reader`] has a place in the consumer region, with a cursor that the producer looks at. One that is
//!   *waited for* loses nothing and reads in place; one that is not reads as an observer does, but
//!   is seen, and may sleep until it is woken.
//!
//! The state of a cell says which message it holds, and whether that is complete: `2·position + 1` while
//! it is written, `2·position + 2` once it is published. A cell whose producer died in the middle says
//! which message was to come: who waits for that one waits on, who wants the one before knows it is gone.
//! That words carry their number is LMAX's and Firedancer's; the reading of what may change is Boehm's
//! ("Can seqlocks get along with programming language memory models?").
//!
//! # Orderings
//!
//! | store | pairs with | makes visible |
//! |---|---|---|
//! | `state` ready, Release (`broadcast.publish`) | `state`, Acquire (`broadcast.poll`) | the body |
//! | `state` busy, `fence(Release)` (`broadcast.mark`), words of the body | words of the body, `fence(Acquire)` (`broadcast.reread`), `state` | to who read one new word: that the cell is being written over |
//! | `cursor`, Release (`broadcast.tell`) | `cursor`, Acquire (`broadcast.progress`) | that the reader's reads below it are over |
//! | `gate` = 0, Release (`broadcast.leave`) | `gate`, Acquire (`broadcast.gate`) | that all its reads are over |
//! | `gate`, Release (`broadcast.join`) | `gate`, Acquire (`broadcast.gate`) | that this reader has come, to who asks after it |
//! | `floor`, `fence(SeqCst)` (`broadcast.look`), look at gates and cursors | `cursor`, `gate`, `fence(SeqCst)` (`broadcast.joined`), look at `floor` | one of the two sees the other |
//!
//! # How one joins whom the producer waits for
//!
//! The producer does not look at its readers for each message, but has a *floor*: what lies below it may be
//! written over, so it may write up to `floor + capacity` without looking. When that is used up it stores
//! the floor that it would like, then looks who is there, and goes back to the slowest of
//! those. Whoever joins stores its cursor and its gate, and looks at the floor then: either the producer
//! has seen it, or it sees the producer's floor and begins there. Nobody waits for the other, and a producer
//! that does nothing for an hour holds nobody up.
//!
//! # When a process dies here
//!
//! *The producer*, before the second store of a state: the message was never published, and the one that
//! lay there is gone; its successor finds the cell by walking from the hint, and writes it. After it: the
//! message counts. *While it looks at readers*: the floor may be higher than it need be, never lower.
//! *A reader that is waited for*: the producer waits, asks after it, and takes its gate away
//! ([`Producer::evict`]); a successor at the same place has another number, so what was meant for the dead
//! one does not hit it. *An observer*: nobody knows.
//! *A successor*, while taking over: the next one does it again.

pub mod layout;
mod observer;
mod producer;
mod reader;

pub use observer::{Join, Observer, Read};
pub use producer::{Producer, Slowest};
pub use reader::Reader;

use layout::{HeadLines, ReaderLines};
use strait_pools::placement::{Many, Placement};
use strait_pools::sync::Ordering::{Acquire, Relaxed};
use strait_pools::sync::{AtomicU64, Site};

/// The words that producer and readers share, wherever they live.
#[derive(Debug)]
pub struct Words<P: Placement> {
    /// Written by the producer.
    pub head: P::One<HeadLines>,
    /// The places of tracked readers. Written by them, but for their gates, which the producer takes from
    /// the dead.
    pub readers: P::Many<ReaderLines>,
    /// The states of the cells, written by the producer.
    pub states: P::Many<AtomicU64>,
}

impl<P: Placement> Clone for Words<P> {
    fn clone(&self) -> Self {
        Self { head: self.head.clone(), readers: self.readers.clone(), states: self.states.clone() }
    }
}

/// The state of a cell in which the message at `position` is being written.
fn busy(position: u64) -> u64 {
    2 * position + 1
}

/// The state of a cell that holds the message at `position`.
pub(crate) fn ready(position: u64) -> u64 {
    2 * position + 2
}

/// Whose state that is, of a cell that was ever written.
fn position_of(state: u64) -> u64 {
    (state - 1) / 2
}

/// What a cell says of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Its message is published.
    Ready,
    /// It is not, so far.
    NotYet,
    /// It is gone: this is the position of what stands there or is being written.
    Gone(u64),
}

impl<P: Placement> Words<P> {
    /// What the cell of `position` says of it. If its message is ready, its body can be seen.
    #[inline(always)]
    fn look(&self, position: u64) -> Look {
        // Pairs with `broadcast.publish`.
        let state = self.states.at(position).load(Acquire.at("broadcast.poll"));
        if state == ready(position) {
            Look::Ready
        } else if state < ready(position) {
            Look::NotYet
        } else {
            Look::Gone(position_of(state).min(MAX_POSITION))
        }
    }

    /// The position of the next message, for who joins: exact if nobody sends, else of a moment ago.
    ///
    /// Everything below it was published, and what it held may have been written over since.
    pub fn next(&self) -> u64 {
        let mut position = self.head.published.load(Relaxed).min(MAX_POSITION);
        for _ in 0..=self.states.len() {
            match self.look(position) {
                Look::Ready => position += 1,
                Look::Gone(later) => position = later,
                Look::NotYet => break,
            }
        }
        position
    }

    /// Whether the message at `position` is published and was not written over. For observers.
    pub fn holds(&self, position: u64) -> bool {
        self.look(position) == Look::Ready
    }

    /// How many places there are for tracked readers.
    pub fn places(&self) -> u64 {
        self.readers.len()
    }

    /// What the last reader at `place` said that it is done with. For observers.
    pub fn cursor(&self, place: u64) -> u64 {
        self.readers.at(place).cursor.load(Relaxed)
    }
}

/// Positions begin at 0 and end here: a state has to tell two things about each. At a thousand million
/// messages a second that is more than a hundred years. What shared memory says is held to it.
pub const MAX_POSITION: u64 = 1 << 62;
