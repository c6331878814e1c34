//! What may be chosen before a channel is opened.

use super::{AskedCell, Channel, Kind, OnFull};
use crate::channel::trust::Trust;
use crate::channel::wait::Wait;
use crate::ring::geometry::{PAGE, Store};
use std::time::Duration;
use strait_pools::environment::WaitSlice;

impl<K: Kind, T, V: Trust> Channel<K, T, V> {
    /// Number of messages the ring holds, a power of two (default 1024).
    pub fn capacity(mut self, messages: u64) -> Self {
        self.capacity = Some(messages);
        self
    }

    /// Longest message in bytes; cells take 16 more, rounded up (see [`wide_for`](crate::ring::geometry::CellFormat::wide_for)). The default
    /// fits plain types exactly, and gives messages of varying length 240 bytes.
    pub fn max_len(mut self, bytes: usize) -> Self {
        self.cell = Some(AskedCell::MaxLen(bytes));
        self
    }

    /// Room for messages that are longer than a cell, in bytes, rounded up to whole pages (default: none).
    /// The longest message is as long as all of it; several that are not read yet share it.
    ///
    /// Such messages are built in place as well, and read in place.
    pub fn arena(mut self, bytes: u64) -> Self {
        // What cannot be rounded up is refused as it is.
        let bytes = bytes.checked_next_multiple_of(PAGE as u64).unwrap_or(bytes);
        self.store = Store::Arena { bytes };
        self
    }

    /// Blocks for messages that their reader may [keep](crate::channel::Sample::keep): so many, a power of two, of
    /// so many bytes, rounded up to whole cache lines. Every message then lies in one, and is as long
    /// as that at most. There are as many messages at a time as blocks: built, unread, or kept.
    pub fn blocks(mut self, count: u64, bytes: u64) -> Self {
        let bytes = bytes.checked_next_multiple_of(64).unwrap_or(bytes);
        self.store = Store::Blocks { count, bytes };
        self
    }

    /// Cells of 16 bytes, four to a cache line, for streams of plain messages of at most 8 bytes.
    pub fn dense(mut self) -> Self {
        self.cell = Some(AskedCell::Dense);
        self
    }

    /// What this side does when the ring is full, if it sends (default: [`OnFull::Block`]).
    pub fn on_full(mut self, policy: OnFull) -> Self {
        self.on_full = policy;
        self
    }

    /// How this side waits. By default as fits the channel: [`Wait::Adaptive`] if it was made for sides
    /// that may sleep, [`Wait::BusySpin`] if not.
    ///
    /// Whether sides may sleep is settled when the channel is made. So ask for [`Wait::Park`] or
    /// [`Wait::Adaptive`] on both sides, or for [`parking`](Channel::parking) on the other one.
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = Some(wait);
        self
    }

    /// Asks for a channel whose sides may sleep, whatever this one does. A message or a batch then costs
    /// its sender a fence and a load; a channel made without it pays nothing, and nobody can sleep on
    /// it or get a descriptor for it.
    pub fn parking(mut self) -> Self {
        self.parking = true;
        self
    }

    /// Pause instructions between two polls of [`Wait::BusySpin`] and [`Wait::Adaptive`] (default: 0).
    /// They are kind to a sibling hardware thread, and cost a lone message up to one of them: 10 to
    /// 50 ns on present machines.
    pub fn pauses(mut self, instructions: u32) -> Self {
        self.pauses = instructions;
        self
    }

    /// How long [`Wait::Park`] (default: not at all) and [`Wait::Adaptive`] (default: 50 µs) poll before
    /// they sleep.
    pub fn spin(mut self, time: Duration) -> Self {
        self.spin = Some(time);
        self
    }

    /// How long a wait lasts before it asks the kernel whether the peer's process still exists
    /// (default 10 ms).
    pub fn slice(mut self, slice: Duration) -> Self {
        self.slice = WaitSlice(slice);
        self
    }

    /// Whether to touch every page at opening, so that none faults later (default: yes).
    pub fn prefault(mut self, yes: bool) -> Self {
        self.map.prefault = yes;
        self
    }

    /// Lets other users observe the channel, if this makes it (default: only its owner sees it). They see
    /// every message, and can write nothing.
    pub fn readable_by_others(mut self) -> Self {
        self.map.readable_by_others = true;
        self
    }

    /// Observes the channel of that user, who made it [readable by others](Channel::readable_by_others).
    /// Sides are taken of one's own channels only.
    ///
    /// Nothing that this user does can break the observer's memory, but for one thing: a file that is
    /// truncated under an observer ends its process with SIGBUS.
    pub fn of_user(mut self, user: u32) -> Self {
        self.owner = Some(user);
        self
    }

    /// Whether to lock the pages in memory (default: no).
    pub fn mlock(mut self, yes: bool) -> Self {
        self.map.mlock = yes;
        self
    }
}
