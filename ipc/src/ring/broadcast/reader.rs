//! Reading from a place of one's own.

use super::layout::{Gate, ReaderLines};
use super::observer::{Join, Observer, Read};
use super::{Look, MAX_POSITION, Words};
use crate::ring::spsc::Corrupt;
use strait_pools::marks::{Mark, pass};
use strait_pools::placement::{Many, Placement};
use strait_pools::sync::Ordering::{Relaxed, Release, SeqCst};
use strait_pools::sync::{Site, fence};

/// A reader that the producer sees, and that it may have to wait for. There is one at a place, and it is
/// `&mut` to use.
#[derive(Debug)]
pub struct Reader<P: Placement> {
    /// Where it reads, and how if the producer does not wait for it.
    observer: Observer<P>,
    place: u64,
    /// What stands in the gate of its place while it reads.
    gate: Gate,
    /// Messages that it asked for when it joined and that are gone, so far unreported.
    missed: u64,
    /// What `cursor` holds.
    told: u64,
    /// The cursor is stored at least every so many messages.
    every: u64,
    /// Whether the producer sleeps while it waits.
    parking: bool,
}

impl<P: Placement> Reader<P> {
    /// Begins to read at `place`, which nobody else has; the last one there may have died. If it is to be
    /// `waited_for`, none of what it begins with is lost.
    pub fn join(
        words: Words<P>,
        place: u64,
        join: Join,
        waited_for: bool,
        parking: bool,
    ) -> Result<Self, Corrupt> {
        let mut observer = Observer::new(words, join);
        let words = observer.words().clone();
        let line = words.readers.at(place);
        let asked = observer.position();
        let incarnation = line.incarnation.load(Relaxed).wrapping_add(1);
        line.incarnation.store(incarnation, Relaxed);
        pass(Mark::ReaderCounted);
        // Not where it asked to begin, if that is long gone: the producer need not stop for that.
        let mut position = asked.max(words.next().saturating_sub(words.states.len()));
        line.cursor.store(position, Relaxed);
        pass(Mark::ReaderPlaced);
        let gate = Gate::of(incarnation, waited_for);
        // Pairs with `broadcast.gate`: who finds us slow and asks after us learns that we have come, not that
        // the one before us is dead. A swap, as the producer may take that one's gate.
        line.gate.swap(gate.0, Release.at("broadcast.join"));
        pass(Mark::ReaderJoined);
        if waited_for {
            // Pairs with `broadcast.look`: a producer that has not seen us has left its floor for us.
            fence(SeqCst, "broadcast.joined");
            let floor = words.head.floor.load(Relaxed);
            if floor > MAX_POSITION {
                return Err(Corrupt { word: "floor", found: floor, position });
            }
            position = position.max(floor);
            line.cursor.store(position, Relaxed);
            pass(Mark::ReaderBegun);
        }
        observer.go_on_at(position);
        let every = (words.states.len() / 8).max(1);
        let missed = if matches!(join, Join::At(_)) { position - asked } else { 0 };
        Ok(Self { observer, place, gate, missed, told: position, every, parking })
    }

    /// The position of the next message.
    #[inline]
    pub fn position(&self) -> u64 {
        self.observer.position()
    }

    /// Whether the producer waits for it.
    #[inline]
    pub fn waited_for(&self) -> bool {
        self.gate.waited_for()
    }

    /// Looks at the next cell. A message that is there, at the position it returns, stays there until it is
    /// [released](Self::release): for who is [waited for](Self::waited_for) only.
    ///
    /// On finding none, tells the producer of all progress: nobody waits for what is read.
    #[inline(always)]
    pub fn poll(&mut self) -> Read<u64> {
        debug_assert!(self.waited_for());
        let position = self.position();
        match self.words().look(position) {
            Look::Ready if self.missed == 0 => Read::Message(position),
            found => self.found_no_message(found),
        }
    }

    #[cold]
    #[inline(never)]
    fn found_no_message(&mut self, found: Look) -> Read<u64> {
        let position = self.position();
        if self.missed != 0 {
            return Read::Overrun(self.count_missed());
        }
        match found {
            Look::Ready => Read::Message(position),
            Look::NotYet => {
                if self.told != position {
                    self.tell();
                }
                Read::Empty
            }
            Look::Gone(found) => Read::Corrupt(Corrupt { word: "state", found, position }),
        }
    }

    /// Releases the message at [`position`](Self::position): it may be written over.
    #[inline(always)]
    pub fn release(&mut self) {
        pass(Mark::ReaderInHand);
        let position = self.position() + 1;
        self.observer.go_on_at(position);
        if position - self.told >= self.every {
            self.tell();
        }
    }

    /// Reads the next message as [`Observer::read`] does, waited for or not.
    #[inline(always)]
    pub fn read<R>(&mut self, copy: impl FnOnce(u64) -> R) -> Read<R> {
        if self.missed != 0 {
            return Read::Overrun(self.count_missed());
        }
        let read = self.observer.read(copy);
        let behind = self.position() - self.told;
        let empty = matches!(read, Read::Empty);
        if behind >= self.every || empty && behind != 0 {
            self.tell();
            // Whoever is overrun has come far at once.
            if let Read::Overrun(lost) = read {
                self.count_lost(lost);
            }
        }
        read
    }

    /// The messages that were gone when it joined, to be told.
    #[cold]
    fn count_missed(&mut self) -> u64 {
        let missed = std::mem::take(&mut self.missed);
        self.count_lost(missed);
        missed
    }

    /// One writer: a plain addition.
    #[cold]
    fn count_lost(&self, lost: u64) {
        let counter = &self.line().lost;
        counter.store(counter.load(Relaxed).wrapping_add(lost), Relaxed);
    }

    /// Tells the producer of all progress; done before waiting.
    #[cold]
    #[inline(never)]
    pub fn tell(&mut self) {
        self.told = self.position();
        // Pairs with `broadcast.progress`: our reads below it are over.
        self.line().cursor.store(self.told, Release.at("broadcast.tell"));
        pass(Mark::ReaderTold);
        if self.waited_for() {
            self.wake();
        }
    }

    /// Leaves its place; done before closing. Nobody waits for it any more.
    pub fn leave(&mut self) {
        // Pairs with `broadcast.gate`: our reads are over.
        self.line().gate.swap(Gate::NOBODY.0, Release.at("broadcast.leave"));
        pass(Mark::ReaderLeft);
        self.wake();
    }

    /// Wakes the producer if it sleeps.
    fn wake(&self) {
        if self.parking {
            // Nobody waits for a descriptor here.
            self.words().head.wait.wake(&mut |_| ());
        }
    }

    fn line(&self) -> &ReaderLines {
        self.words().readers.at(self.place)
    }

    /// The words shared with the producer.
    #[inline(always)]
    pub fn words(&self) -> &Words<P> {
        self.observer.words()
    }
}
