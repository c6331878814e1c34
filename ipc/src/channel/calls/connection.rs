//! What the threads of a client share: a lane to ask by, and the answers beside it.

use super::answer::Found;
use super::error::{CallError, Delivered};
use super::{MAX_RESERVED, ONE_WAY, PAD};
use crate::channel::bytes::{BytesSender, Spot};
use crate::channel::error::SendError;
use crate::channel::link::{Cell, Cells};
use crate::channel::wait::{Patience, Stopped};
use crate::endpoint::PeerView;
use crate::message::encode::Encode;
use crate::message::{Scratch, WriteError};
use crate::ring::answers::places::Places;
use crate::ring::answers::{Outcome, Words};
use crate::ring::layout::ConsumerLines;
use crate::ring::spsc::{Corrupt, ahead};
use crate::system::fork::Guard;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use strait_pools::environment::{Monotonic, Peer};
use strait_pools::placement::{Mapped, MappedOne};
use strait_pools::sync::Ordering::Relaxed;

/// How long a request waits for room in the ring if no timeout is given.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a client is made of.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) guard: Guard,
    pub(super) words: Words<Mapped>,
    pub(super) cells: Cells,
    /// How far the server got.
    pub(super) progress: MappedOne<ConsumerLines>,
    pub(super) patience: Patience,
    /// Which cells of answers are in use.
    pub(super) places: Places,
    pub(super) service: Box<str>,
    pub(super) schema: Box<str>,
    // Dropped before the lane, which removes the segment if nobody else has it.
    pub(super) server: PeerView,
    pub(super) lane: Mutex<Lane>,
}

/// The sending half, in the hands of one thread at a time. (A process that dies takes this lock along.)
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) sender: BytesSender,
    pub(super) scratch: Scratch,
}

/// What a request is to be.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) tag: u16,
    /// Requests of the same batch before it.
    pub(super) ahead: u64,
    pub(super) room: Room,
}

/// How long a request waits for room.
#[derive(Clone, Copy)]
pub(super) enum Room {
    /// Not at all.
    Now,
    /// As long as the call would wait; or as long as is usual.
    Within(Option<Duration>),
}

impl Room {
    fn patience(self) -> Option<Duration> {
        match self {
            Self::Now => None,
            Self::Within(timeout) => Some(timeout.unwrap_or(PATIENCE)),
        }
    }
}

impl Connection {
    /// The sending half.
    #[inline(always)]
    pub(super) fn lane(&self) -> Result<MutexGuard<'_, Lane>, CallError> {
        if self.guard.forked() {
            return Err(CallError::Forked);
        }
        // Whoever panicked in an argument's own code has published nothing.
        Ok(self.lane.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Builds a request; returns its position. It is not published.
    #[inline(always)]
    pub(super) fn ask(
        &self,
        lane: &mut Lane,
        asked: Asked,
        arguments: &impl Encode,
    ) -> Result<u64, CallError> {
        debug_assert!(asked.tag & !ONE_WAY <= MAX_RESERVED);
        let Lane { sender, scratch } = lane;
        let ahead = asked.ahead;
        if ahead == 0 {
            sender.start();
        }
        let position = sender.position().wrapping_add(ahead);
        let free = sender.free(ahead + 1).map_err(|error| self.unsent(error))?;
        if free <= ahead || !self.places.is_vacant(position) {
            return self.ask_patiently(lane, asked, arguments);
        }
        let (cell, room) = sender.cell(ahead);
        // SAFETY: the body is `room` bytes of a cell that is free, hence ours alone, 16-aligned.
        match unsafe { arguments.encode(cell.body(), room, scratch) } {
            Ok(len) => {
                sender.describe_tagged(ahead, Spot::in_cell(cell), len, asked.tag);
                Ok(position)
            }
            Err(WriteError::TooLarge { needed, .. }) => {
                self.ask_at_length(lane, asked, arguments, needed)
            }
            Err(error) => Err(self.unsent(error.into())),
        }
    }

    /// The same, where there is no room yet, or the next cell's answer is still held.
    #[cold]
    #[inline(never)]
    fn ask_patiently(
        &self,
        lane: &mut Lane,
        asked: Asked,
        arguments: &impl Encode,
    ) -> Result<u64, CallError> {
        let overloaded = |what| self.overloaded(what, Delivered::No);
        let capacity = self.places.count() as u64;
        let mut at = lane.sender.position().wrapping_add(asked.ahead);
        if !(0..capacity).any(|more| self.places.is_vacant(at.wrapping_add(more))) {
            return Err(overloaded("as many calls are in flight as the service allows a client"));
        }
        let Some(patience) = asked.room.patience() else {
            return Err(overloaded("the batch is as long as the ring"));
        };
        // Cells that are held are passed over.
        loop {
            let full = "its ring has been full for as long as the call would wait";
            self.wait_for_room(&mut lane.sender, 0, patience, full)?;
            if self.places.is_vacant(at) {
                return self.ask(lane, asked, arguments);
            }
            let (cell, _) = lane.sender.cell(0);
            lane.sender.describe_tagged(0, Spot::in_cell(cell), 0, PAD);
            lane.sender.publish();
            at = at.wrapping_add(1);
        }
    }

    /// The same, of arguments that take `needed` bytes, which is more than the cell has.
    #[cold]
    #[inline(never)]
    fn ask_at_length(
        &self,
        lane: &mut Lane,
        asked: Asked,
        arguments: &impl Encode,
        needed: usize,
    ) -> Result<u64, CallError> {
        let Lane { sender, scratch } = lane;
        sender.fits(needed).map_err(|error| self.unsent(error.into()))?;
        if let Some(patience) = asked.room.patience() {
            let full = "there has been no room for large arguments";
            self.wait_for_room(sender, needed, patience, full)?;
        }
        let spot = sender.spot(asked.ahead, needed).map_err(|error| self.unsent(error))?;
        let full = || self.overloaded("there is no room for large arguments", Delivered::No);
        let spot = spot.ok_or_else(full)?;
        // SAFETY: the spot was found to have `needed` bytes that are free, hence ours alone, aligned to a
        // cache line.
        let written = unsafe { arguments.encode(spot.body(), needed, scratch) };
        let len = written.map_err(|error| self.unsent(error.into()))?;
        sender.describe_tagged(asked.ahead, spot, len, asked.tag);
        Ok(sender.position().wrapping_add(asked.ahead))
    }

    /// Waits until there is room for a request of `len` bytes; after `patience` the service is overloaded, as
    /// `full` says.
    fn wait_for_room(
        &self,
        sender: &mut BytesSender,
        len: usize,
        patience: Duration,
        full: &'static str,
    ) -> Result<(), CallError> {
        sender.wait_for_room(len, Some(patience)).map_err(|error| match error {
            SendError::Timeout => self.overloaded(full, Delivered::No),
            error => self.unsent(error),
        })
    }

    /// There is no more of something.
    #[cold]
    pub(super) fn overloaded(&self, what: &'static str, delivered: Delivered) -> CallError {
        CallError::Overloaded { service: self.service.clone(), what, delivered }
    }

    /// Why nothing was sent.
    #[cold]
    fn unsent(&self, error: SendError) -> CallError {
        let (service, delivered) = (self.service.clone(), Delivered::No);
        match error {
            SendError::PeerDied(gone) => {
                CallError::PeerDied { service, pid: gone.holder.pid, delivered }
            }
            SendError::Closed(_) => CallError::Unregistered { service, delivered },
            SendError::Forked => CallError::Forked,
            SendError::Message(WriteError::TooLarge { needed, room }) => CallError::TooLarge {
                service,
                what: "arguments",
                needed: needed as u64,
                room: room as u64,
                delivered,
            },
            SendError::Full | SendError::Timeout => self.overloaded("its ring is full", delivered),
            other => CallError::Corrupt { service, reason: other.to_string().into(), delivered },
        }
    }

    /// What became of the call at `position`; an answer is taken, once.
    #[inline(always)]
    pub(super) fn look(&self, position: u64) -> Result<Outcome, Corrupt> {
        self.words.look(position)
    }

    /// Waits for the answer to the call at `position`, or gives it up.
    #[inline(always)]
    pub(super) fn finish(
        &self,
        position: u64,
        timeout: Option<Duration>,
    ) -> Result<Found, CallError> {
        if self.guard.forked() {
            return Err(CallError::Forked);
        }
        for _ in 0..self.patience.eager_polls() {
            if self.look(position) == Ok(Outcome::Answered) {
                return self.find(position);
            }
        }
        self.finish_patiently(position, timeout)
    }

    #[cold]
    #[inline(never)]
    fn finish_patiently(
        &self,
        position: u64,
        timeout: Option<Duration>,
    ) -> Result<Found, CallError> {
        match self.wait(position, timeout) {
            Ok(()) => self.find(position),
            Err(error) => self.too_late(position, error),
        }
    }

    /// The wait for an answer is over with this error, unless one has come by now.
    #[cold]
    pub(super) fn too_late(&self, position: u64, error: CallError) -> Result<Found, CallError> {
        if self.give_up(position) { self.find(position) } else { Err(error) }
    }

    /// What a look found, if the wait for the answer is over with it.
    #[inline(always)]
    pub(super) fn over(&self, found: Result<Outcome, Corrupt>) -> Option<Result<(), CallError>> {
        match found {
            Ok(Outcome::Answered) => Some(Ok(())),
            Ok(Outcome::Open(_)) => None,
            // The batch of the call was dropped.
            Ok(Outcome::GivenUp) => {
                Some(Err(CallError::Abandoned { service: self.service.clone() }))
            }
            Err(corrupt) => Some(Err(self.damaged(corrupt))),
        }
    }

    fn wait(&self, position: u64, timeout: Option<Duration>) -> Result<(), CallError> {
        let poll = || self.over(self.look(position)).transpose();
        let mut patience = self.patience;
        let crowd = self.words.crowd.clone();
        let gone = || self.end(position);
        match patience.poll_until(timeout, &*crowd, &self.server, &Monotonic, gone, poll) {
            Ok(()) => Ok(()),
            Err(Stopped::Failed(error) | Stopped::Gone(error)) => Err(error),
            Err(Stopped::Timeout) => {
                let (service, delivered) = (self.service.clone(), Delivered::Maybe);
                Err(CallError::Timeout { service, delivered })
            }
        }
    }

    /// Why the call at `position` will not be answered, if the server is gone.
    #[cold]
    pub(super) fn end(&self, position: u64) -> Option<CallError> {
        let (standing, holder) = self.server.entry();
        if !matches!(standing, Peer::Closed | Peer::Died) {
            return None;
        }
        // The server stores it before it looks at the next request, and its death orders its stores before
        // this.
        let cursor = self.progress.cursor.load(Relaxed);
        let in_hand = standing == Peer::Died && position == cursor;
        let taken = in_hand || ahead(position, cursor) < 0;
        let delivered = if taken { Delivered::Maybe } else { Delivered::No };
        let service = self.service.clone();
        Some(match standing {
            Peer::Died => CallError::PeerDied { service, pid: holder.pid, delivered },
            _ => CallError::Unregistered { service, delivered },
        })
    }

    #[cold]
    pub(super) fn damaged(&self, corrupt: Corrupt) -> CallError {
        CallError::Corrupt {
            service: self.service.clone(),
            reason: corrupt.to_string().into(),
            delivered: Delivered::Maybe,
        }
    }

    /// Gives the call at `position` up. `true` if it was answered before that, and there is an answer to be
    /// taken.
    pub(super) fn give_up(&self, position: u64) -> bool {
        if self.guard.forked() {
            return false;
        }
        if self.words.give_up(position) == Ok(Outcome::Answered) {
            return true;
        }
        self.places.vacate(position);
        false
    }

    /// The answer to the call at `position` was read.
    #[inline(always)]
    pub(super) fn release(&self, position: u64, large: bool) {
        if self.guard.forked() {
            return;
        }
        if large {
            self.words.release(position);
        }
        self.places.vacate(position);
    }

    /// The cell of the answer to the call at `position`.
    #[inline(always)]
    pub(super) fn cell(&self, position: u64) -> Cell {
        self.cells.at(&self.words.states, position)
    }
}
