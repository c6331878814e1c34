//! One of several senders, of messages without a Rust type.

use crate::channel::error::{Damaged, SendError};
use crate::channel::mpmc::Bodies;
use crate::channel::mpmc::others::Tie;
use crate::channel::open::OnFull;
use crate::endpoint::PeerView;
use crate::message::WriteError;
use crate::ring::layout::Meta;
use crate::ring::mpmc::{Corrupt, Sender};
use std::time::Duration;
use strait_pools::environment::Monotonic;
use strait_pools::placement::Mapped;

/// Sends messages of bytes on a channel that others may send on as well.
#[derive(Debug)]
pub struct MpmcBytesSender {
    ring: Sender<Mapped>,
    bodies: Bodies,
    on_full: OnFull,
    tie: Tie,
}

/// Where a message stands in this process, and its length, which fits a cell.
pub(in crate::channel::mpmc) type Built = (*const u8, u32);

/// Publishes up to `count` messages, as many as there is room for. `body` knows them: addresses in this
/// process, and lengths that fit a cell.
#[inline(always)]
fn publish(
    ring: &mut Sender<Mapped>,
    bodies: &Bodies,
    count: u64,
    body: impl Fn(u64) -> Built,
) -> Result<u64, Corrupt> {
    let mut index = 0;
    ring.send(count, |position| {
        let (from, len) = body(index);
        index += 1;
        let cell = bodies.cell(position);
        cell.describe(Meta::inline(len, 0).0);
        // SAFETY: the position is claimed, so the cell's body is this sender's alone; `len` bytes fit
        // it, and stand at `from` in memory that no other thread writes.
        unsafe { cell.body().copy_from_nonoverlapping(from, len as usize) };
    })
}

impl MpmcBytesSender {
    pub(in crate::channel) fn new(
        ring: Sender<Mapped>,
        bodies: Bodies,
        on_full: OnFull,
        tie: Tie,
    ) -> Self {
        Self { ring, bodies, on_full, tie }
    }

    /// Sends a message, by the channel's policy if the ring is full.
    ///
    /// # Errors
    ///
    /// As for [`MpmcSender::send`](crate::channel::MpmcSender::send).
    #[inline]
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        let message = self.built(bytes)?;
        self.publish_by_policy(message)
    }

    /// Sends a message if there is room; never waits, drops nothing.
    ///
    /// # Errors
    ///
    /// As for [`MpmcSender::try_send`](crate::channel::MpmcSender::try_send).
    #[inline]
    pub fn try_send(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        let message = self.built(bytes)?;
        self.publish_now(message)
    }

    /// Sends a message, waiting up to `timeout` for room.
    ///
    /// # Errors
    ///
    /// As for [`MpmcSender::send_timeout`](crate::channel::MpmcSender::send_timeout).
    pub fn send_timeout(&mut self, bytes: &[u8], timeout: Duration) -> Result<(), SendError> {
        let message = self.built(bytes)?;
        self.publish_within(message, timeout)
    }

    fn built(&self, bytes: &[u8]) -> Result<Built, WriteError> {
        Ok((bytes.as_ptr(), fitting(bytes.len(), self.bodies.room())?))
    }

    /// Messages that senders dropped because the ring was full.
    pub fn dropped(&self) -> u64 {
        // A forked child does not have the memory.
        if self.tie.guard.forked() { 0 } else { self.ring.words().dropped() }
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        &self.tie.channel
    }

    /// Who receives, or did last, at each of the receiving sides.
    pub fn peers(&self) -> &[PeerView] {
        self.tie.others().views()
    }

    /// The longest message, in bytes.
    pub fn max_len(&self) -> usize {
        self.bodies.room()
    }

    pub(in crate::channel::mpmc) fn check(&self) -> Result<(), SendError> {
        if self.tie.guard.forked() { Err(SendError::Forked) } else { Ok(()) }
    }

    #[inline(always)]
    pub(in crate::channel::mpmc) fn publish_now(
        &mut self,
        message: Built,
    ) -> Result<(), SendError> {
        self.check()?;
        match publish(&mut self.ring, &self.bodies, 1, |_| message) {
            Ok(1..) => Ok(()),
            Ok(0) => Err(SendError::Full),
            Err(corrupt) => Err(self.corrupt(corrupt)),
        }
    }

    #[inline(always)]
    pub(in crate::channel::mpmc) fn publish_by_policy(
        &mut self,
        message: Built,
    ) -> Result<(), SendError> {
        match self.publish_now(message) {
            Err(SendError::Full) if self.when_full()? => {
                self.publish_in_time(None, 1, |_| message).map(drop)
            }
            Err(SendError::Full) => Ok(()),
            result => result,
        }
    }

    pub(in crate::channel::mpmc) fn publish_within(
        &mut self,
        message: Built,
        timeout: Duration,
    ) -> Result<(), SendError> {
        match self.publish_now(message) {
            Err(SendError::Full) => self.publish_in_time(Some(timeout), 1, |_| message).map(drop),
            result => result,
        }
    }

    /// A message found the ring full: what the policy says about that. `Ok(false)` drops it.
    #[cold]
    #[inline(never)]
    fn when_full(&mut self) -> Result<bool, SendError> {
        match self.on_full {
            OnFull::Block => Ok(true),
            OnFull::Fail => Err(SendError::Full),
            OnFull::DropNewest => {
                self.ring.count_drop();
                Ok(false)
            }
        }
    }

    /// Publishes messages of a batch as [`publish`] does, at least one, waiting for room.
    #[inline(always)]
    pub(in crate::channel::mpmc) fn publish_some(
        &mut self,
        count: u64,
        body: impl Fn(u64) -> Built,
    ) -> Result<usize, SendError> {
        let sent = match publish(&mut self.ring, &self.bodies, count, &body) {
            Ok(0) => self.publish_in_time(None, count, body)?,
            Ok(sent) => sent,
            Err(corrupt) => return Err(self.corrupt(corrupt)),
        };
        // A batch is small.
        #[allow(clippy::cast_possible_truncation)]
        Ok(sent as usize)
    }

    /// Publishes messages as [`publish`] does, at least one, waiting for room.
    #[cold]
    #[inline(never)]
    fn publish_in_time(
        &mut self,
        timeout: Option<Duration>,
        count: u64,
        body: impl Fn(u64) -> Built,
    ) -> Result<u64, SendError> {
        let mut patience = self.tie.patience;
        let Self { ring, bodies, tie, .. } = self;
        let tail = ring.words().tail.clone();
        let poll = || {
            let sent = publish(ring, bodies, count, &body)?;
            Ok((sent > 0).then_some(sent))
        };
        let ended = || tie.ended();
        let result =
            patience.poll_until(timeout, &tail.crowd, tie.others(), &Monotonic, ended, poll);
        tie.patience = patience;
        result.map_err(|stopped| stopped.told(SendError::Timeout, |corrupt| self.corrupt(corrupt)))
    }

    #[cold]
    #[inline(never)]
    fn corrupt(&self, corrupt: Corrupt) -> SendError {
        let channel = self.tie.channel.clone();
        SendError::Corrupt(Box::new(Damaged { channel, corrupt }))
    }
}

/// The length of a message of `needed` bytes, if it fits `room`.
#[inline(always)]
pub(in crate::channel::mpmc) fn fitting(needed: usize, room: usize) -> Result<u32, WriteError> {
    if needed > room {
        return Err(WriteError::TooLarge { needed, room });
    }
    // A cell is no larger.
    #[allow(clippy::cast_possible_truncation)]
    Ok(needed as u32)
}

impl Drop for MpmcBytesSender {
    fn drop(&mut self) {
        let Self { ring, tie, .. } = self;
        if !tie.guard.forked() {
            ring.close();
            tie.close();
            ring.rouse();
        }
    }
}
