//! The single-producer single-consumer ring.
//!
//! ```text
//! producer region                                  consumer region
//! ┌───────────┬────────────────────────────────┐   ┌──────────┬────────┐
//! │ published │ state body │ state body │ …    │   │ consumed │ cursor │
//! └───────────┴────────────────────────────────┘   └──────────┴────────┘
//!   hint        cell of position p: p & (capacity − 1)
//! ```
//!
//! A message is published by storing `position + 1` in its cell's state, beside the body: flag and
//! payload travel in one cache line, and the consumer takes one line transfer per message. Only the
//! producer writes cells; the consumer's progress goes back on a line of its own that the producer
//! reads only when its private limit is used up. The state as "published" flag is Firedancer's mcache
//! and FastForward; the private limit is the cached index of rigtorp's SPSCQueue.
//!
//! # Orderings
//!
//! | store | pairs with | makes visible |
//! |---|---|---|
//! | `state`, Release (`spsc.publish`) | `state`, Acquire (`spsc.poll`) | the body, its length and kind |
//! | `state`, Release (`spsc.publish_batch`) | `state`, Acquire (`spsc.poll`) | the bodies of the batch |
//! | `consumed`, Release (`spsc.tell`) | `consumed`, Acquire (`spsc.refresh`) | that the consumer's reads of freed bodies are over |
//! | `consumed`, Release (`spsc.tell`) | `consumed`, Acquire (`spsc.takeover`) | the same, to a producer that takes over |
//! | `cursor`, Release (`spsc.cursor`) | `cursor`, Acquire (`spsc.unread`) | which [`blocks`](super::blocks) the consumer has taken over |
//! | `incarnation`, Release (`spsc.began`) | `incarnation`, Acquire (`spsc.wrote`) | where that producer began |
//!
//! Otherwise `published`, `cursor` and the consumer's incarnation are read only by a successor of the process
//! that wrote them, after the kernel has handed over the endpoint's lock (which orders everything
//! before it), and by observers who may see stale values: relaxed throughout.
//!
//! A ring whose sides may sleep has two fences more, each behind a store of this table that the other
//! side may be waiting for: see [`parking`](super::parking).
//!
//! # Lone messages, streams, and the bad regime between them
//!
//! A lone message finds the consumer polling its very cell. In a stream the consumer had better be
//! some way behind: at the producer's heels, both wait for the same line at every message, and the
//! rate is that of a ping-pong; far behind, lines arrive ahead of time, many in flight at once.
//! Nothing moves a ring from the one to the other by itself, so the consumer does: when it has not
//! run dry for a while it looks, once every `reach` messages, at the cell twice that far ahead. If
//! that is published it fetches ahead; if not it pauses, for two pause instructions at most. A
//! message that comes alone, or after the ring was empty, is never delayed by this. The producer, for
//! its part, fetches cells ahead to write them, where it knows them to be free.
//!
//! # When a process dies here
//!
//! *The producer*, before its state store: the message was never published and its cell still reads
//! "not yet". Inside a batch, states are stored back to front, so the first cell is missing and the
//! batch is invisible; the successor walks to that first cell and erases the published-looking cells
//! behind it before it writes anything. After the state store: the message counts.
//! *The consumer*, before its cursor store: the message in hand is delivered again to its successor,
//! which finds it noted as such (`redelivered`). After it: the successor starts behind it. Nothing else
//! is lost or repeated.
//! *A successor*, while taking over: the next one does it again. Every step leaves either what was
//! there or what the whole would have left there.
//! The survivor needs nothing of the dead side to go on with what is in the ring.

use super::lanes::Seat;
use super::layout::{ConsumerLines, ProducerLines};
use super::parking::Ringer;
use strait_pools::marks::{Mark, pass};
use strait_pools::placement::{Many, Placement};
use strait_pools::sync::Ordering::{Acquire, Relaxed, Release};
use strait_pools::sync::{AtomicU64, Site, spin_loop};
use thiserror::Error;

/// The words that the two sides share, wherever they live.
#[derive(Debug)]
pub struct Words<P: Placement> {
    /// Written by the producer.
    pub producer: P::One<ProducerLines>,
    /// Written by the consumer.
    pub consumer: P::One<ConsumerLines>,
    /// The states of the cells, written by the producer.
    pub states: P::Many<AtomicU64>,
}

impl<P: Placement> Clone for Words<P> {
    fn clone(&self) -> Self {
        Self {
            producer: self.producer.clone(),
            consumer: self.consumer.clone(),
            states: self.states.clone(),
        }
    }
}

impl<P: Placement> Words<P> {
    /// Whether a message is published that was not read. For observers; stale while sides are active.
    pub fn pending(&self) -> bool {
        let cursor = self.consumer.cursor.load(Relaxed);
        self.states.at(cursor).load(Relaxed) == cursor.wrapping_add(1)
    }
}

/// The shared words contradict each other: the peer, or somebody else, wrote what no ring writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the ring's words contradict each other: {word} is {found}, which position {position} rules out"
)]
pub struct Corrupt {
    /// Which word is wrong.
    pub word: &'static str,
    /// What it holds.
    pub found: u64,
    /// The position of the side that noticed.
    pub position: u64,
}

/// How far `position` is ahead of `of`; negative if behind. Wrapping, decided here once.
#[inline(always)]
pub(crate) fn ahead(position: u64, of: u64) -> i64 {
    position.wrapping_sub(of).cast_signed()
}

/// How many messages ahead either side fetches: no more than a quarter of the ring.
fn reach<P: Placement>(words: &Words<P>) -> u64 {
    words.states.reach().min(words.states.len() / 4)
}

/// How many messages the hint may lag behind.
fn hint_every(capacity: u64) -> u64 {
    (capacity / 2).max(1)
}

/// The producing side. Not shared: there is one, and it is `&mut` to use.
#[derive(Debug)]
pub struct Producer<P: Placement> {
    words: Words<P>,
    /// The position of the next message.
    position: u64,
    /// The first position not known to be free; at most `capacity` ahead of `position`.
    limit: u64,
    /// The hint is stored again when `position` gets here.
    next_hint: u64,
    /// There is more to do than to publish when `position` gets here: where the next hint is due, or at
    /// once if the consumer may sleep or has to be told which ring to look at.
    attention: u64,
    /// How to wake the consumer, if it may sleep.
    ringer: Option<Ringer>,
    /// Where it is, if it has more rings than this one.
    seat: Option<Seat<P>>,
    capacity: u64,
    /// How many messages ahead to fetch, to write, if that far is known to be free.
    reach: u64,
    /// How many producers have owned the ring, this one included.
    incarnation: u64,
}

impl<P: Placement> Producer<P> {
    /// Takes the ring over, from a new segment or from a predecessor that closed or died.
    ///
    /// Whoever calls this holds the producer's role: no other producer exists. With a `ringer`, the
    /// consumer may sleep, and is woken: a predecessor may have died between publishing and waking.
    pub fn take_over(words: Words<P>, ringer: Option<Ringer>) -> Result<Self, Corrupt> {
        let capacity = words.states.len();
        let consumed = words.consumer.consumed.load(Acquire.at("spsc.takeover"));
        let end = consumed.wrapping_add(capacity);

        // The hint lags behind, never ahead; everything below `consumed` was published too.
        let hint = words.producer.published.load(Relaxed);
        let mut position = if ahead(hint, consumed) > 0 { hint } else { consumed };
        if ahead(position, end) > 0 {
            return Err(Corrupt { word: "published", found: hint, position: consumed });
        }
        // A state at or beyond this lap means the position was published; beyond it only where a
        // batch died.
        let published = |position: u64| {
            let state = words.states.at(position).load(Relaxed);
            state != 0 && ahead(state, position.wrapping_add(1)) >= 0
        };
        while position != end && published(position) {
            position = position.wrapping_add(1);
        }
        pass(Mark::TakeoverFound);

        // What a dead batch left behind would look published once we get there.
        let mut at = position;
        while at != end {
            if published(at) {
                words.states.at(at).store(0, Relaxed);
                pass(Mark::TakeoverErased);
            }
            at = at.wrapping_add(1);
        }

        let incarnation = words.producer.incarnation.load(Relaxed).wrapping_add(1);
        words.producer.published.store(position, Relaxed);
        words.producer.began.store(position, Relaxed);
        pass(Mark::TakeoverBegan);
        // Pairs with `spsc.wrote`: who sees this incarnation sees where it began.
        words.producer.incarnation.store(incarnation, Release.at("spsc.began"));
        pass(Mark::TakeoverDone);
        let next_hint = position.wrapping_add(hint_every(capacity));
        let attention = if ringer.is_none() { next_hint } else { position };
        let reach = reach(&words);
        let mut producer = Self {
            words,
            position,
            limit: end,
            next_hint,
            attention,
            ringer,
            seat: None,
            capacity,
            reach,
            incarnation,
        };
        if let Some(ringer) = &mut producer.ringer {
            producer.words.consumer.wait.rouse(ringer.way());
        }
        Ok(producer)
    }

    /// The same, of a ring that is one of several [`lanes`](super::lanes). What a predecessor published
    /// and did not mark is marked.
    #[must_use]
    pub fn seated(mut self, seat: Seat<P>) -> Self {
        seat.mark();
        if let Some(ringer) = &mut self.ringer {
            seat.bed().rouse(ringer.way());
        }
        if seat.marks() {
            self.attention = self.position;
        }
        self.seat = Some(seat);
        self
    }

    /// How many producers have owned the ring, this one included.
    #[inline(always)]
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The position that the next message will have.
    #[inline]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Number of free positions from [`position`](Self::position) on, up to `wanted`.
    ///
    /// Reads shared memory only when the private limit does not cover `wanted`.
    #[inline]
    pub fn free(&mut self, wanted: u64) -> Result<u64, Corrupt> {
        let known = self.limit.wrapping_sub(self.position);
        if known < wanted {
            return self.refresh(wanted);
        }
        let later = wanted + self.reach;
        if later < known {
            self.words.states.prefetch_to_write(self.position.wrapping_add(later));
        }
        Ok(wanted)
    }

    /// Every message below this position is consumed, and with it what it held elsewhere. Reads shared
    /// memory.
    pub fn consumed(&mut self) -> Result<u64, Corrupt> {
        self.refresh(0)?;
        Ok(self.limit.wrapping_sub(self.capacity))
    }

    /// The first position that the consumer has not released, and everything it did before that.
    pub fn unread(&self) -> Result<u64, Corrupt> {
        // Pairs with `spsc.cursor`.
        let cursor = self.words.consumer.cursor.load(Acquire.at("spsc.unread"));
        if self.position.wrapping_sub(cursor) > self.capacity {
            return Err(Corrupt { word: "cursor", found: cursor, position: self.position });
        }
        Ok(cursor)
    }

    #[cold]
    #[inline(never)]
    fn refresh(&mut self, wanted: u64) -> Result<u64, Corrupt> {
        // Pairs with `spsc.tell`: the consumer is done reading the bodies we are about to reuse.
        let consumed = self.words.consumer.consumed.load(Acquire.at("spsc.refresh"));
        let unread = self.position.wrapping_sub(consumed);
        let limit = consumed.wrapping_add(self.capacity);
        // Progress taken back would take back cells that a batch already counts on.
        if unread > self.capacity || ahead(limit, self.limit) < 0 {
            return Err(Corrupt { word: "consumed", found: consumed, position: self.position });
        }
        self.limit = limit;
        Ok(wanted.min(self.capacity - unread))
    }

    /// Publishes the message whose body stands in the cell of [`position`](Self::position).
    ///
    /// The position must be free ([`free`](Self::free) said at least 1).
    #[inline]
    pub fn publish(&mut self) {
        debug_assert!(self.position != self.limit);
        let next = self.position.wrapping_add(1);
        pass(Mark::ProducerWritten);
        // Pairs with `spsc.poll`: makes the body visible.
        self.words.states.at(self.position).store(next, Release.at("spsc.publish"));
        pass(Mark::ProducerPublished);
        self.advance(next);
    }

    /// Publishes `count` messages whose bodies stand from [`position`](Self::position) on.
    ///
    /// Back to front: the consumer, which waits for the first, stays off the lines being written,
    /// and sees all or nothing.
    #[inline]
    pub fn publish_batch(&mut self, count: u64) {
        debug_assert!(self.limit.wrapping_sub(self.position) >= count);
        let next = self.position.wrapping_add(count);
        pass(Mark::ProducerWritten);
        let mut at = next;
        while at != self.position {
            let state = at;
            at = at.wrapping_sub(1);
            // Pairs with `spsc.poll`: makes this body visible.
            self.words.states.at(at).store(state, Release.at("spsc.publish_batch"));
            pass(Mark::ProducerInBatch);
        }
        self.advance(next);
    }

    #[inline(always)]
    fn advance(&mut self, next: u64) {
        self.position = next;
        if ahead(next, self.attention) >= 0 {
            self.attend();
        }
    }

    /// What is due beside publishing: in a ring whose sides never sleep, rarely anything. Kept apart, so
    /// that such a ring's hot path holds no fence, not even one that it jumps over.
    #[cold]
    #[inline(never)]
    fn attend(&mut self) {
        if ahead(self.position, self.next_hint) >= 0 {
            self.hint();
        }
        // Before whoever sleeps is woken, to look for it.
        if let Some(seat) = &self.seat {
            seat.mark();
        }
        self.wake();
    }

    /// Stores the exact position for observers and successors; done before closing.
    pub fn hint(&mut self) {
        self.words.producer.published.store(self.position, Relaxed);
        self.next_hint = self.position.wrapping_add(hint_every(self.capacity));
        if self.ringer.is_none() && !self.seat.as_ref().is_some_and(Seat::marks) {
            self.attention = self.next_hint;
        }
    }

    /// Wakes the consumer if it sleeps; done by itself only after closing.
    #[inline]
    pub fn wake(&mut self) {
        if let Some(ringer) = &mut self.ringer {
            let own = &self.words.consumer.wait;
            self.seat.as_ref().map_or(own, Seat::bed).wake(ringer.way());
        }
    }

    /// Counts a message that was dropped because the ring was full.
    pub fn count_drop(&mut self) {
        // One writer: a plain increment.
        let dropped = self.words.producer.dropped.load(Relaxed);
        self.words.producer.dropped.store(dropped.wrapping_add(1), Relaxed);
    }

    /// Messages dropped on this ring since it was made, by all its producers.
    pub fn dropped(&self) -> u64 {
        self.words.producer.dropped.load(Relaxed)
    }

    /// The words this side shares with its peer.
    #[inline(always)]
    pub fn words(&self) -> &Words<P> {
        &self.words
    }
}

/// Pauses that a consumer makes at most when it finds itself at the producer's heels.
const FALL_BACK: u32 = 2;

/// What [`Consumer::poll`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// The message at this position is published.
    Ready(u64),
    /// Nothing is published beyond what was read.
    Empty,
    /// The cell holds a state that no producer stores while this position is unread.
    Corrupt(Corrupt),
}

/// The consuming side. Not shared: there is one, and it is `&mut` to use.
#[derive(Debug)]
pub struct Consumer<P: Placement> {
    words: Words<P>,
    /// The position of the next message to read.
    position: u64,
    /// What `consumed` holds.
    told: u64,
    /// The producer is told of progress at least every so many messages.
    every: u64,
    /// There may be more to do than to release when `position` gets here: to tell the producer, or to
    /// look ahead. Too early at worst, never too late.
    attention: u64,
    /// How many messages ahead to fetch, if that far is published.
    reach: u64,
    /// Positions below this one are published, as far as [`look_ahead`](Self::look_ahead) saw.
    horizon: u64,
    /// The position at which to look ahead.
    look_at: u64,
    /// Messages in a row, without running dry, that make a stream.
    stream: u64,
    /// How to wake the producer, if it may sleep.
    ringer: Option<Ringer>,
}

impl<P: Placement> Consumer<P> {
    /// Takes the ring over, from a new segment or from a predecessor that closed or `died`.
    ///
    /// Whoever calls this holds the consumer's role: no other consumer exists. With a `ringer`, the
    /// producer may sleep, and is woken: a predecessor may have died between telling and waking.
    pub fn take_over(words: Words<P>, died: bool, ringer: Option<Ringer>) -> Result<Self, Corrupt> {
        let capacity = words.states.len();
        let told = words.consumer.consumed.load(Relaxed);
        let position = words.consumer.cursor.load(Relaxed);
        if position.wrapping_sub(told) > capacity {
            return Err(Corrupt { word: "cursor", found: position, position: told });
        }
        // What is published here the dead one may have read; what is not, it cannot have.
        let next = position.wrapping_add(1);
        if died && words.states.at(position).load(Relaxed) == next {
            words.consumer.redelivered.store(next, Relaxed);
        }
        pass(Mark::SuccessionNoted);
        let incarnation = words.consumer.incarnation.load(Relaxed);
        words.consumer.incarnation.store(incarnation.wrapping_add(1), Relaxed);
        pass(Mark::SuccessionDone);
        let every = (capacity / 8).max(1);
        let reach = reach(&words);
        // A ring too small to be far behind in is never looked ahead in.
        let stream = if reach == 0 { i64::MAX.cast_unsigned() } else { 2 * reach };
        let look_at = position.wrapping_add(stream);
        let horizon = position;
        let mut consumer = Self {
            words,
            position,
            told,
            every,
            attention: position,
            reach,
            horizon,
            look_at,
            stream,
            ringer,
        };
        if let Some(ringer) = &mut consumer.ringer {
            consumer.words.producer.wait.rouse(ringer.way());
        }
        Ok(consumer)
    }

    /// The position of the next message.
    #[inline]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Looks at the next cell, up to `polls` times.
    ///
    /// On finding it empty, tells the producer of all progress: nobody waits for cells that are free.
    #[inline(always)]
    pub fn poll(&mut self, polls: u32) -> Poll {
        let Self { words, position, told, look_at, stream, ringer, .. } = self;
        let position = *position;
        let cell = words.states.at(position);
        for _ in 0..polls {
            // Pairs with `spsc.publish`: the body is visible once the state is.
            let state = cell.load(Acquire.at("spsc.poll"));
            if state == position.wrapping_add(1) {
                return Poll::Ready(position);
            }
            if state != 0 && ahead(state, position) > 0 {
                return Poll::Corrupt(Corrupt { word: "state", found: state, position });
            }
            *look_at = position.wrapping_add(*stream);
            if *told != position {
                tell(words, position, told, ringer);
            }
        }
        Poll::Empty
    }

    /// Releases the message at [`position`](Self::position): its cell may be reused.
    ///
    /// The message must have been [`Ready`](Poll::Ready).
    #[inline]
    pub fn release(&mut self) {
        pass(Mark::ConsumerInHand);
        self.position = self.position.wrapping_add(1);
        // Pairs with `spsc.unread`: what was noted of this message, is.
        self.words.consumer.cursor.store(self.position, Release.at("spsc.cursor"));
        pass(Mark::ConsumerMoved);
        if ahead(self.position, self.attention) >= 0 {
            self.attend();
        }
        let later = self.position.wrapping_add(self.reach);
        if ahead(later, self.horizon) < 0 {
            self.words.states.prefetch(later);
        }
    }

    /// What is due now and then beside releasing. Kept apart, so that what is done for each message
    /// stays small enough to be compiled where it is used.
    #[cold]
    #[inline(never)]
    fn attend(&mut self) {
        if ahead(self.position, self.look_at) >= 0 {
            self.look_ahead();
        }
        if self.position.wrapping_sub(self.told) >= self.every {
            self.tell();
        }
        let tell_at = self.told.wrapping_add(self.every);
        self.attention = if ahead(tell_at, self.look_at) < 0 { tell_at } else { self.look_at };
    }

    /// Finds out, once every `reach` messages of a stream, whether the producer is far ahead.
    ///
    /// If so, what comes next is fetched while the present is read. If not, the consumer is at the
    /// producer's heels, where each message costs both a wait for the line to change hands: it
    /// falls back for a moment, and the producer gets ahead.
    fn look_ahead(&mut self) {
        self.look_at = self.position.wrapping_add(self.reach);
        let far = self.position.wrapping_add(2 * self.reach);
        let cell = self.words.states.at(far);
        for _ in 0..FALL_BACK {
            // A hint about what to fetch: no body is read on the strength of it.
            if cell.load(Relaxed) == far.wrapping_add(1) {
                self.horizon = far;
                return;
            }
            spin_loop();
        }
    }

    /// Tells the producer of all progress; done before closing.
    pub fn tell(&mut self) {
        tell(&self.words, self.position, &mut self.told, &mut self.ringer);
    }

    /// Wakes the producer if it sleeps; done by itself only after closing.
    pub fn wake(&mut self) {
        if let Some(ringer) = &mut self.ringer {
            self.words.producer.wait.wake(ringer.way());
        }
    }

    /// The words this side shares with its peer.
    #[inline(always)]
    pub fn words(&self) -> &Words<P> {
        &self.words
    }

    /// Whether a consumer that died may have read the message at `position` before.
    pub fn redelivered(&self, position: u64) -> bool {
        self.words.consumer.redelivered.load(Relaxed) == position.wrapping_add(1)
    }

    /// Number of producers that have owned the ring, and the position at which the present began.
    pub fn producer_incarnation(&self) -> (u64, u64) {
        let lines = &self.words.producer;
        // Pairs with `spsc.began`: that incarnation's beginning, or a later one's.
        let incarnation = lines.incarnation.load(Acquire.at("spsc.wrote"));
        (incarnation, lines.began.load(Relaxed))
    }

    /// Which producer published the message at `position`, which is ready: how many had owned the
    /// ring, that one included. `None` if it was not the latest, or a takeover is under way.
    pub fn by_latest(&self, position: u64) -> Option<u64> {
        // What is published at or behind a producer's beginning is its own or its successors', and
        // whoever published this counted itself before. So there is no successor, if that is so.
        let (latest, began) = self.producer_incarnation();
        (ahead(position, began) >= 0).then_some(latest)
    }

    /// Messages dropped by the producers because the ring was full.
    pub fn dropped(&self) -> u64 {
        self.words.producer.dropped.load(Relaxed)
    }
}

/// Tells the producer that every position below `position` is free again. Kept apart, as
/// [`Consumer::attend`] is.
#[inline(never)]
fn tell<P: Placement>(
    words: &Words<P>,
    position: u64,
    told: &mut u64,
    ringer: &mut Option<Ringer>,
) {
    // Pairs with `spsc.refresh`: our reads of the freed bodies are over.
    words.consumer.consumed.store(position, Release.at("spsc.tell"));
    *told = position;
    pass(Mark::ConsumerTold);
    if let Some(ringer) = ringer {
        wake_producer(words, ringer);
    }
}

/// Wakes the producer if it sleeps. Kept apart, as [`Producer::attend`] is.
#[cold]
#[inline(never)]
fn wake_producer<P: Placement>(words: &Words<P>, ringer: &mut Ringer) {
    words.producer.wait.wake(ringer.way());
}
