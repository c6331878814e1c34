//! The side that calls.

use super::error::{CallError, Delivered};
use super::pending::{Answer, Found, Pending};
use super::{MAX_RESERVED, ONE_WAY, PAD, Status};
use crate::channel::bytes::{BytesSender, Spot};
use crate::channel::error::SendError;
use crate::channel::link::{Cell, Cells};
use crate::channel::wait::{Patience, Stopped};
use crate::endpoint::PeerView;
use crate::message::encode::Encode;
use crate::message::{Body, Scratch, WriteError};
use crate::ring::answers::places::Places;
use crate::ring::answers::{Outcome, Words};
use crate::ring::layout::ConsumerLines;
use crate::ring::spsc::{Corrupt, ahead};
use crate::system::fork::Guard;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use strait_pools::environment::{Monotonic, Peer};
use strait_pools::placement::{Many, Mapped, MappedOne};
use strait_pools::sync::Ordering::Relaxed;

/// How long a request waits for room in the ring if no timeout is given.
const PATIENCE: Duration = Duration::from_secs(10);

/// A side that calls. Threads may share it, and clones are the same side: each call waits for its own answer.
///
/// Every method says in its error whether the service has seen the call. Requests of one thread are handled in
/// the order in which they were made.
#[derive(Clone, Debug)]
pub struct Client {
    connection: Arc<Connection>,
}

/// What a client is made of.
#[derive(Debug)]
pub(super) struct Connection {
    guard: Guard,
    words: Words<Mapped>,
    pub(super) cells: Cells,
    /// How far the server got.
    progress: MappedOne<ConsumerLines>,
    patience: Patience,
    /// Which cells of answers are in use.
    places: Places,
    pub(super) service: Box<str>,
    schema: Box<str>,
    // Dropped before the lane, which removes the segment if nobody else has it.
    server: PeerView,
    lane: Mutex<Lane>,
}

/// The sending half, in the hands of one thread at a time. (A process that dies takes this lock along.)
#[derive(Debug)]
struct Lane {
    sender: BytesSender,
    scratch: Scratch,
}

/// What a request is to be.
#[derive(Clone, Copy)]
struct Asked {
    tag: u16,
    /// Requests of the same batch before it.
    ahead: u64,
    room: Room,
}

/// How long a request waits for room.
#[derive(Clone, Copy)]
enum Room {
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

/// The answer that `read` looks at, given back when that is done, or panics.
struct Held<'a> {
    connection: &'a Connection,
    position: u64,
    large: bool,
}

impl Drop for Held<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.connection.release(self.position, self.large);
    }
}

impl Client {
    pub(super) fn new(
        sender: BytesSender,
        words: Words<Mapped>,
        cells: Cells,
        server: PeerView,
        patience: Patience,
        schema: Box<str>,
        guard: Guard,
    ) -> Self {
        let places = Places::new(words.states.len());
        let service = sender.channel().into();
        let progress = sender.progress();
        let scratch = Scratch::for_body(sender.max_len());
        let lane = Mutex::new(Lane { sender, scratch });
        let connection = Connection {
            guard,
            words,
            cells,
            progress,
            patience,
            places,
            service,
            schema,
            server,
            lane,
        };
        Self { connection: Arc::new(connection) }
    }

    /// Calls and waits for the answer, up to `timeout` if there is one; then the call is given up.
    ///
    /// # Errors
    ///
    /// [`CallError`], which says whether the service has seen the call.
    #[inline]
    pub fn call(
        &self,
        method: u16,
        arguments: &impl Encode,
        timeout: Option<Duration>,
    ) -> Result<Answer, CallError> {
        let position = self.request(method, arguments, timeout)?;
        let found = self.connection.finish(position, timeout)?;
        Ok(Answer::new(Arc::clone(&self.connection), position, found))
    }

    /// As [`call`](Self::call), for an answer that is looked at once: `read` gets its status and its bytes. If it
    /// wants to keep them, it returns `None`, and the answer itself is returned.
    ///
    /// # Errors
    ///
    /// As for [`call`](Self::call).
    #[inline(always)]
    pub fn call_with<R>(
        &self,
        method: u16,
        arguments: &impl Encode,
        timeout: Option<Duration>,
        read: impl FnOnce(Status, Body<'_>) -> Option<R>,
    ) -> Result<Result<R, Answer>, CallError> {
        let position = self.request(method, arguments, timeout)?;
        let found = self.connection.finish(position, timeout)?;
        let held = Held { connection: &self.connection, position, large: found.large() };
        // SAFETY: the answer is held until it was read.
        match read(found.status(), unsafe { found.body() }) {
            Some(result) => Ok(Ok(result)),
            None => {
                std::mem::forget(held);
                Ok(Err(Answer::new(Arc::clone(&self.connection), position, found)))
            }
        }
    }

    /// Calls, and does not wait for the answer.
    ///
    /// # Errors
    ///
    /// As for [`call`](Self::call); all of them before the service has seen anything.
    #[inline]
    pub fn start(&self, method: u16, arguments: &impl Encode) -> Result<Pending, CallError> {
        let position = self.request(method, arguments, None)?;
        Ok(Pending::new(Arc::clone(&self.connection), position))
    }

    /// Calls a method that does not answer.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    #[inline]
    pub fn notify(&self, method: u16, arguments: &impl Encode) -> Result<(), CallError> {
        let asked = Asked { tag: method | ONE_WAY, ahead: 0, room: Room::Within(None) };
        let mut lane = self.connection.lane()?;
        self.connection.ask(&mut lane, asked, arguments)?;
        lane.sender.publish();
        Ok(())
    }

    /// Calls that are made together: published at once when the batch is committed; dropped before that,
    /// none of them was made. Other threads that share this client wait for the batch.
    ///
    /// # Errors
    ///
    /// [`CallError::Forked`].
    pub fn batch(&self) -> Result<Batch<'_>, CallError> {
        let mut lane = self.connection.lane()?;
        lane.sender.start();
        Ok(Batch { connection: &self.connection, lane, count: 0, calls: Vec::new() })
    }

    #[inline(always)]
    fn request(
        &self,
        method: u16,
        arguments: &impl Encode,
        timeout: Option<Duration>,
    ) -> Result<u64, CallError> {
        let asked = Asked { tag: method, ahead: 0, room: Room::Within(timeout) };
        let mut lane = self.connection.lane()?;
        let position = self.connection.ask(&mut lane, asked, arguments)?;
        self.connection.places.occupy(position);
        lane.sender.publish();
        Ok(position)
    }

    /// The same client, whose errors call the service by this name. Without effect once it was cloned.
    #[must_use]
    pub fn called(mut self, name: &str) -> Self {
        if let Some(connection) = Arc::get_mut(&mut self.connection) {
            connection.service = name.into();
        }
        self
    }

    /// What errors call the service: the channel's name, unless it was given [another](Self::called).
    pub fn service(&self) -> &str {
        &self.connection.service
    }

    /// What the server says of what it answers.
    pub fn schema(&self) -> &str {
        &self.connection.schema
    }

    /// Who serves, and how that process is doing.
    pub fn server(&self) -> &PeerView {
        &self.connection.server
    }

    /// How many calls may be in flight.
    pub fn capacity(&self) -> usize {
        self.connection.places.count()
    }
}

impl Connection {
    /// The sending half.
    #[inline(always)]
    fn lane(&self) -> Result<MutexGuard<'_, Lane>, CallError> {
        if self.guard.forked() {
            return Err(CallError::Forked);
        }
        // Whoever panicked in an argument's own code has published nothing.
        Ok(self.lane.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Builds a request; returns its position. It is not published.
    #[inline(always)]
    fn ask(
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
            Err(WriteError::Unsupported) => {
                Err(self.unsent(SendError::Message(WriteError::Unsupported)))
            }
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
        let overloaded = |what| CallError::Overloaded {
            service: self.service.clone(),
            what,
            delivered: Delivered::No,
        };
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
            match lane.sender.wait_for_room(0, Some(patience)) {
                Ok(()) => {}
                Err(SendError::Timeout) => {
                    return Err(overloaded(
                        "its ring has been full for as long as the call would wait",
                    ));
                }
                Err(error) => return Err(self.unsent(error)),
            }
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
        let full = |what| CallError::Overloaded {
            service: self.service.clone(),
            what,
            delivered: Delivered::No,
        };
        if let Some(patience) = asked.room.patience() {
            match sender.wait_for_room(needed, Some(patience)) {
                Ok(()) => {}
                Err(SendError::Timeout) => {
                    return Err(full("there has been no room for large arguments"));
                }
                Err(error) => return Err(self.unsent(error)),
            }
        }
        let spot = sender.spot(asked.ahead, needed).map_err(|error| self.unsent(error))?;
        let spot = spot.ok_or_else(|| full("there is no room for large arguments"))?;
        // SAFETY: the spot was found to have `needed` bytes that are free, hence ours alone, aligned to a
        // cache line.
        let written = unsafe { arguments.encode(spot.body(), needed, scratch) };
        let len = written.map_err(|error| self.unsent(error.into()))?;
        sender.describe_tagged(asked.ahead, spot, len, asked.tag);
        Ok(sender.position().wrapping_add(asked.ahead))
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
            SendError::Full | SendError::Timeout => {
                CallError::Overloaded { service, what: "its ring is full", delivered }
            }
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
            Ok(Outcome::GivenUp) => Some(Err(self.abandoned())),
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
            Err(Stopped::Timeout) => Err(self.timed_out()),
        }
    }

    /// The error that tells so.
    #[cold]
    pub(super) fn timed_out(&self) -> CallError {
        CallError::Timeout { service: self.service.clone(), delivered: Delivered::Maybe }
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

    /// The batch of a call was dropped.
    #[cold]
    fn abandoned(&self) -> CallError {
        CallError::Abandoned { service: self.service.clone() }
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

    /// How the server is doing, asked of memory alone, or of the kernel.
    pub(super) fn server(&self) -> &PeerView {
        &self.server
    }

    pub(super) fn guard(&self) -> Guard {
        self.guard
    }
}

/// Calls that are made together, in order. Dropped before [`commit`](Batch::commit), none of them was made,
/// and whoever waits for one of its answers is told so.
#[derive(Debug)]
pub struct Batch<'a> {
    connection: &'a Arc<Connection>,
    lane: MutexGuard<'a, Lane>,
    count: u64,
    calls: Vec<u64>,
}

impl Batch<'_> {
    /// Adds a call; never waits.
    ///
    /// # Errors
    ///
    /// [`CallError::Overloaded`]: the ring has no room for more; commit, and begin another batch.
    pub fn start(&mut self, method: u16, arguments: &impl Encode) -> Result<Pending, CallError> {
        let position = self.add(method, arguments)?;
        self.connection.places.occupy(position);
        self.calls.push(position);
        Ok(Pending::new(Arc::clone(self.connection), position))
    }

    /// Adds a call of a method that does not answer; never waits.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    pub fn notify(&mut self, method: u16, arguments: &impl Encode) -> Result<(), CallError> {
        self.add(method | ONE_WAY, arguments).map(drop)
    }

    fn add(&mut self, tag: u16, arguments: &impl Encode) -> Result<u64, CallError> {
        let asked = Asked { tag, ahead: self.count, room: Room::Now };
        let position = self.connection.ask(&mut self.lane, asked, arguments)?;
        self.count += 1;
        Ok(position)
    }

    /// Publishes all of them at once: the service sees all or none, whenever this process dies.
    pub fn commit(mut self) {
        self.publish();
    }

    fn publish(&mut self) {
        self.lane.sender.publish_batch(self.count);
        self.count = 0;
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if self.count == 0 || self.connection.guard.forked() {
            return;
        }
        // The positions must not go to other calls: not to a successor's either, if this process dies here.
        for ahead in 0..self.count {
            let (cell, _) = self.lane.sender.cell(ahead);
            cell.describe_tagged(0, self.lane.sender.incarnation(), PAD);
        }
        self.publish();
        for &position in &self.calls {
            // Somebody may wait for the answer. If the words are damaged, he is told that.
            let _ = self.connection.words.give_up(position);
        }
    }
}
