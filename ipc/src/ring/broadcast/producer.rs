//! The producing side.

use super::layout::{Gate, ReaderLines};
use super::{Look, MAX_POSITION, Words, busy, ready};
use crate::ring::spsc::Corrupt;
use strait_pools::marks::{Mark, pass};
use strait_pools::placement::{Many, Placement};
use strait_pools::sync::Ordering::{Acquire, Relaxed, Release, SeqCst};
use strait_pools::sync::{AtomicU64, Site, fence};

/// The reader that holds the producer up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slowest {
    /// Its place.
    pub place: u64,
    /// Which reader at that place.
    gate: Gate,
}

/// The producing side. Not shared: there is one, and it is `&mut` to use.
#[derive(Debug)]
pub struct Producer<P: Placement> {
    words: Words<P>,
    /// The position of the next message.
    position: u64,
    /// The first position that may not be written before the readers were looked at.
    limit: u64,
    /// There is more to do than to publish when `position` gets here: where the next hint is due if
    /// readers never sleep, else at once.
    attention: u64,
    /// The hint is stored again when `position` gets here.
    next_hint: u64,
    /// What may have been written over so far: everything below.
    floor: u64,
    /// Who held the producer up when it looked last.
    slowest: Option<Slowest>,
    capacity: u64,
    /// Whether readers sleep.
    parking: bool,
    /// How many producers have owned the ring, this one included.
    incarnation: u64,
}

impl<P: Placement> Producer<P> {
    /// Takes the ring over, from a new segment or from a predecessor that closed or died.
    ///
    /// Whoever calls this holds the producer's role: no other producer exists. If readers sleep
    /// (`parking`), they are woken: a predecessor may have died between publishing and waking.
    pub fn take_over(words: Words<P>, parking: bool) -> Result<Self, Corrupt> {
        let capacity = words.states.len();
        let hint = words.head.published.load(Relaxed);
        // The hint lags behind, never ahead, and by less than a ring: no cell from there on is of
        // a later lap.
        let mut position = hint;
        while position < MAX_POSITION && position - hint < capacity {
            match words.look(position) {
                Look::Ready => position += 1,
                Look::NotYet => break,
                Look::Gone(_) => position = MAX_POSITION,
            }
        }
        if position >= MAX_POSITION || words.look(position) != Look::NotYet {
            return Err(Corrupt { word: "published", found: hint, position });
        }
        pass(Mark::BroadcastFound);
        let incarnation = words.head.incarnation.load(Relaxed).wrapping_add(1);
        words.head.published.store(position, Relaxed);
        pass(Mark::BroadcastHinted);
        words.head.incarnation.store(incarnation, Relaxed);
        pass(Mark::BroadcastTaken);
        if parking {
            words.head.crowd.rouse();
        }
        let next_hint = position + hint_every(capacity);
        Ok(Self {
            words,
            position,
            // The readers are looked at before anything is written.
            limit: position,
            attention: if parking { position } else { next_hint },
            next_hint,
            floor: position.saturating_sub(capacity),
            slowest: None,
            capacity,
            parking,
            incarnation,
        })
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

    /// Whether the next message has room. If not, [`slowest`](Self::slowest) tells who is in the way.
    ///
    /// Looks at the readers only when the private limit is used up: every half a ring if none is slow.
    #[inline(always)]
    pub fn has_room(&mut self) -> Result<bool, Corrupt> {
        if self.position == self.limit { self.look_for_room() } else { Ok(true) }
    }

    #[cold]
    #[inline(never)]
    fn look_for_room(&mut self) -> Result<bool, Corrupt> {
        // Whoever waits looks at the one line that it waits for.
        if let Some(Slowest { place, gate }) = self.slowest {
            let line = self.words.readers.at(place);
            if line.gate.load(Relaxed) == gate.0 && line.cursor.load(Relaxed) <= self.floor {
                return Ok(false);
            }
        }
        let next = self.position + (self.capacity / 2).max(1);
        self.raise_floor(next.saturating_sub(self.capacity))?;
        Ok(self.position != self.limit)
    }

    /// Makes it known that messages below `wanted` may be written over, as far as no reader that is
    /// waited for needs them.
    fn raise_floor(&mut self, wanted: u64) -> Result<(), Corrupt> {
        let words = &self.words;
        words.head.floor.store(wanted, Relaxed);
        pass(Mark::BroadcastRaised);
        // Pairs with `broadcast.joined`: whom we do not see now begins at that floor or later.
        fence(SeqCst, "broadcast.look");
        let mut floor = wanted;
        self.slowest = None;
        for place in 0..words.readers.len() {
            let line = words.readers.at(place);
            // Pairs with `broadcast.join`, before we ask after it, and with `broadcast.leave`: if nobody
            // is there, the last one's reads are over.
            let gate = Gate(line.gate.load(Acquire.at("broadcast.gate")));
            if gate == Gate::NOBODY {
                continue;
            }
            // Pairs with `broadcast.tell`: its reads below are over.
            let cursor = line.cursor.load(Acquire.at("broadcast.progress"));
            if cursor > self.position {
                let word = "a reader's cursor";
                return Err(Corrupt { word, found: cursor, position: self.position });
            }
            note_behind(line, self.position - cursor);
            if gate.waited_for() && cursor < floor {
                // One that has just joined may not know yet how late it begins.
                floor = cursor.max(self.floor);
                self.slowest = Some(Slowest { place, gate });
            }
        }
        pass(Mark::BroadcastLooked);
        if floor != wanted {
            words.head.floor.store(floor, Relaxed);
        }
        self.floor = floor;
        self.limit = self.position.max(floor + self.capacity);
        Ok(())
    }

    /// The reader that was the slowest when the producer looked last, if it held it up.
    pub fn slowest(&self) -> Option<Slowest> {
        self.slowest
    }

    /// Counts that the producer begins to wait for the slowest reader.
    pub fn count_wait(&mut self) {
        if let Some(Slowest { place, .. }) = self.slowest {
            increment(&self.words.readers.at(place).waits);
        }
    }

    /// Takes its gate away from a reader that is dead, unless another has come to its place.
    ///
    /// Whoever calls this knows that the reader is dead since [`slowest`](Self::slowest) named it.
    pub fn evict(&mut self, dead: Slowest) {
        let gate = &self.words.readers.at(dead.place).gate;
        pass(Mark::BroadcastEvicting);
        // Nothing is ordered by it: the kernel has told that the dead one reads no more.
        let _ = gate.compare_exchange(dead.gate.0, Gate::NOBODY.0, Relaxed, Relaxed);
    }

    /// Publishes the message that `write` writes into the cell of the position it is given, word by word
    /// and relaxed.
    ///
    /// There must be room ([`has_room`](Self::has_room)).
    #[inline(always)]
    pub fn publish(&mut self, write: impl FnOnce(u64)) {
        debug_assert!(self.position < self.limit);
        let position = self.position;
        let state = self.words.states.at(position);
        state.store(busy(position), Relaxed);
        pass(Mark::BroadcastMarked);
        // Pairs with `broadcast.reread`: who reads a word of what follows sees that the cell is busy.
        fence(Release, "broadcast.mark");
        write(position);
        pass(Mark::BroadcastWritten);
        // Pairs with `broadcast.poll`: makes the body visible.
        state.store(ready(position), Release.at("broadcast.publish"));
        pass(Mark::BroadcastPublished);
        self.position = position + 1;
        if self.position >= self.attention {
            self.attend();
        }
    }

    /// What is due beside publishing: in a ring whose readers never sleep, rarely anything.
    #[cold]
    #[inline(never)]
    fn attend(&mut self) {
        if self.position >= self.next_hint {
            self.hint();
        }
        self.wake();
    }

    /// Stores the exact position for observers and successors; done before closing.
    pub fn hint(&mut self) {
        self.words.head.published.store(self.position, Relaxed);
        self.next_hint = self.position + hint_every(self.capacity);
        if !self.parking {
            self.attention = self.next_hint;
        }
    }

    /// Wakes readers that sleep; done by itself only after closing.
    pub fn wake(&self) {
        if self.parking {
            self.words.head.crowd.wake();
        }
    }

    /// Counts a message that was dropped because a reader held the producer up.
    pub fn count_drop(&mut self) {
        increment(&self.words.head.dropped);
    }

    /// The words shared with the readers.
    #[inline(always)]
    pub fn words(&self) -> &Words<P> {
        &self.words
    }
}

/// How many messages the hint may lag behind.
fn hint_every(capacity: u64) -> u64 {
    (capacity / 4).max(1)
}

/// One writer: a plain increment.
fn increment(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
}

fn note_behind(line: &ReaderLines, behind: u64) {
    if behind > line.most_behind.load(Relaxed) {
        line.most_behind.store(behind, Relaxed);
    }
}
