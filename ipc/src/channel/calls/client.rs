//! The side that calls.

use super::answer::Answer;
use super::connection::{Asked, Connection, Lane, Room};
use super::error::CallError;
use super::pending::Pending;
use super::{ONE_WAY, PAD, Status};
use crate::channel::bytes::BytesSender;
use crate::channel::link::Cells;
use crate::channel::wait::Patience;
use crate::endpoint::PeerView;
use crate::message::encode::Encode;
use crate::message::{Body, Scratch};
use crate::ring::answers::Words;
use crate::ring::answers::places::Places;
use crate::system::fork::Guard;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use strait_pools::placement::{Many, Mapped};

/// A side that calls. Threads may share it, and clones are the same side: each call waits for its own answer.
///
/// Every method says in its error whether the service has seen the call. Requests of one thread are handled in
/// the order in which they were made.
#[derive(Clone, Debug)]
pub struct Client {
    connection: Arc<Connection>,
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
        match read(found.status, unsafe { found.body() }) {
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
        Ok(Batch { connection: &self.connection, lane: self.connection.lane()?, count: 0 })
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

/// Calls that are made together, in order. Dropped before [`commit`](Batch::commit), none of them was made,
/// and whoever waits for one of its answers is told so.
#[derive(Debug)]
pub struct Batch<'a> {
    connection: &'a Arc<Connection>,
    lane: MutexGuard<'a, Lane>,
    count: u64,
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
        let (first, count) = (self.lane.sender.position(), self.count);
        // The positions must not go to other calls: not to a successor's either, if this process dies here.
        for ahead in 0..count {
            let (cell, _) = self.lane.sender.cell(ahead);
            cell.describe_tagged(0, self.lane.sender.incarnation(), PAD);
        }
        self.publish();
        for ahead in 0..count {
            // Somebody may wait for the answer. If the words are damaged, he is told that.
            let _ = self.connection.words.give_up(first.wrapping_add(ahead));
        }
    }
}
