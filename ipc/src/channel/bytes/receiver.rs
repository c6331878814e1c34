//! The receiving side of a byte channel.

use crate::channel::error::{BadMessage, DescriptorError, RecvError};
use crate::channel::kept::{Kept, OwnedBytes};
use crate::channel::link::{Cell, Cells, Link, Place};
use crate::endpoint::PeerView;
use crate::message::Invalid;
use crate::ring::blocks::{Blocks, Owner};
use crate::ring::geometry::Store;
use crate::ring::spsc::{Consumer, Corrupt, Poll};
use crate::wait_set::source::Attachment;
use std::mem::ManuallyDrop;
use std::os::fd::BorrowedFd;
use std::time::Duration;
use strait_pools::environment::{Liveness, Peer};
use strait_pools::placement::Mapped;

/// The receiving side of a byte channel.
#[derive(Debug)]
pub struct BytesReceiver {
    consumer: Consumer<Mapped>,
    cells: Cells,
    link: Link,
    /// Whether there is more to release than the cell.
    elsewhere: bool,
    /// Bytes of the arena that were read since progress was reported for their sake.
    unreported: u64,
    blocks: Option<(Blocks<Mapped>, Owner)>,
    /// The block of the message in hand.
    in_hand: Option<u64>,
}

/// Where a message that is ready lies.
#[derive(Clone, Copy, Debug)]
pub(in crate::channel) struct Body {
    pub(in crate::channel) start: *const u8,
    pub(in crate::channel) len: usize,
    /// Bytes there are, from its start on.
    pub(in crate::channel) room: usize,
}

impl BytesReceiver {
    pub(in crate::channel) fn new(
        mut consumer: Consumer<Mapped>,
        cells: Cells,
        blocks: Option<(Blocks<Mapped>, Owner)>,
        link: Link,
    ) -> Self {
        if let Some((blocks, me)) = &blocks {
            // Of what a predecessor had become the owner of, the message in its hand is read again.
            let again = match consumer.poll(1) {
                Poll::Ready(position) => cells.at(&consumer.words().states, position).place().ok(),
                Poll::Empty | Poll::Corrupt(_) => None,
            };
            let is_again =
                |block| matches!(again, Some(Place::Block { index, .. }) if index == block);
            if blocks.sweep(*me, is_again) > 0 {
                consumer.wake();
            }
        }
        Self { consumer, cells, link, elsewhere: false, unreported: 0, blocks, in_hand: None }
    }

    /// The longest message, in bytes.
    pub fn max_len(&self) -> usize {
        self.cells.max_len()
    }

    /// The position of the next message: the number of messages before it.
    pub fn position(&self) -> u64 {
        self.consumer.position()
    }

    /// Messages that senders dropped because the ring was full.
    pub fn dropped(&self) -> u64 {
        // A forked child does not have the memory.
        if self.link.forked() { 0 } else { self.consumer.dropped() }
    }

    /// Number of senders that have owned the channel, and the position at which the present began:
    /// messages before it come from an earlier one.
    pub fn sender_incarnation(&self) -> (u64, u64) {
        if self.link.forked() { (0, 0) } else { self.consumer.producer_incarnation() }
    }

    /// Which sender sent the message at `position`, which is ready; see
    /// [`Received::sender_incarnation`].
    pub(in crate::channel) fn incarnation_of(&self, position: u64) -> Option<u64> {
        if self.link.forked() {
            return None;
        }
        let (latest, _) = self.consumer.producer_incarnation();
        let by_latest = || self.consumer.by_latest(position);
        self.cell(position).0.incarnation(latest).or_else(by_latest)
    }

    /// Whether a receiver that died may have read the message at `position` before.
    pub(in crate::channel) fn redelivered(&self, position: u64) -> bool {
        !self.link.forked() && self.consumer.redelivered(position)
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        &self.link.channel
    }

    /// Who sends, or did last, and how that process is doing.
    pub fn peer(&self) -> &PeerView {
        self.link.peer()
    }

    /// The next message if it is there; never waits, never enters the kernel.
    ///
    /// # Errors
    ///
    /// As for [`Receiver::try_recv`](crate::channel::Receiver::try_recv).
    #[inline]
    pub fn poll(&mut self) -> Result<Received<'_>, RecvError> {
        let position = self.ready_now()?;
        self.received(position)
    }

    /// The next message, waiting for it.
    ///
    /// # Errors
    ///
    /// As for [`Receiver::recv`](crate::channel::Receiver::recv).
    #[inline]
    pub fn recv(&mut self) -> Result<Received<'_>, RecvError> {
        let position = self.ready(None)?;
        self.received(position)
    }

    /// Position of the next message if it is published.
    #[inline]
    pub(in crate::channel) fn ready_now(&mut self) -> Result<u64, RecvError> {
        if self.link.forked() {
            return Err(RecvError::Forked);
        }
        match self.consumer.poll(1) {
            Poll::Ready(position) => Ok(position),
            Poll::Empty => self.when_empty(),
            Poll::Corrupt(corrupt) => Err(self.corrupt(corrupt)),
        }
    }

    /// A descriptor for `epoll` and its like: readable when a message has come, or the sender is gone,
    /// or once a [slice](crate::channel::Spsc::slice), to look whether it is. It may be readable for no reason.
    ///
    /// Before waiting for it, receive with [`poll`](BytesReceiver::poll) (or
    /// [`try_recv`](crate::channel::Receiver::try_recv)) until that says [`RecvError::Empty`]: that call, which
    /// then enters the kernel, makes the descriptor unreadable until a message comes.
    ///
    /// Where the sender has another network namespace, a message is found at the end of the slice only.
    ///
    /// # Errors
    ///
    /// [`DescriptorError`]: the channel was made for sides that never sleep, or the system refuses.
    pub fn descriptor(&mut self) -> Result<BorrowedFd<'_>, DescriptorError> {
        let lines = self.consumer.words().consumer.clone();
        self.link.descriptor(&lines.wait)
    }

    pub(crate) fn attach(&mut self) -> Result<Attachment<'_>, DescriptorError> {
        let lines = self.consumer.words().consumer.clone();
        self.link.attachment(&lines.wait)
    }

    /// An empty ring may mean that the sender is gone: one load tells, if anybody has noticed. A
    /// receiver that waits for its descriptor is told by that from now on.
    fn when_empty(&mut self) -> Result<u64, RecvError> {
        let Self { consumer, link, .. } = self;
        let lines = consumer.words().consumer.clone();
        let look = || (consumer.poll(1) != Poll::Empty).then_some(());
        let found = link.has_bell() && link.arm(&lines.wait, look).is_some();
        if !found && !matches!(link.glance(), Peer::Closed | Peer::Died) {
            return Err(RecvError::Empty);
        }
        // A successor may have come since.
        let end = self.link.end();
        // What was published before the end counts.
        match self.consumer.poll(1) {
            Poll::Ready(position) => Ok(position),
            Poll::Empty => Err(end.map_or(RecvError::Empty, RecvError::from)),
            Poll::Corrupt(corrupt) => Err(self.corrupt(corrupt)),
        }
    }

    /// Position of the next message, waiting until it is published.
    #[inline(always)]
    pub(in crate::channel) fn ready(
        &mut self,
        timeout: Option<Duration>,
    ) -> Result<u64, RecvError> {
        if self.link.forked() {
            return Err(RecvError::Forked);
        }
        match self.consumer.poll(self.link.patience.eager_polls()) {
            Poll::Ready(position) => Ok(position),
            Poll::Empty | Poll::Corrupt(_) => self.wait(timeout),
        }
    }

    #[cold]
    fn wait(&mut self, timeout: Option<Duration>) -> Result<u64, RecvError> {
        let Self { consumer, link, .. } = self;
        let lines = consumer.words().consumer.clone();
        let poll = || match consumer.poll(1) {
            Poll::Ready(position) => Ok(Some(position)),
            Poll::Empty => Ok(None),
            Poll::Corrupt(corrupt) => Err(corrupt),
        };
        link.poll_until(timeout, &lines.wait, poll)
            .map_err(|stopped| stopped.told(RecvError::Timeout, |corrupt| self.corrupt(corrupt)))
    }

    #[inline]
    pub(in crate::channel) fn received(
        &mut self,
        position: u64,
    ) -> Result<Received<'_>, RecvError> {
        let body = self.body(position).and_then(|Body { start, len, room }| {
            let message = "message";
            if len <= room { Ok((start, len)) } else { Err(Invalid::Length { message, len, room }) }
        });
        match body {
            Ok((body, len)) => Ok(Received { receiver: self, position, body, len }),
            Err(reason) => Err(self.pass_over(position, reason)),
        }
    }

    /// The message at `position`, which is ready and to be released; its tag, and the low bits of its sender's
    /// incarnation.
    #[inline(always)]
    pub(in crate::channel) fn tagged(
        &mut self,
        position: u64,
    ) -> Result<(u16, u16, Body), RecvError> {
        let (cell, room) = self.cell(position);
        let (meta, tag) = cell.tagged();
        let body = match meta.inline_len() {
            Some(len) => Ok(Body { start: cell.body(), len: len as usize, room }),
            None => self.find_elsewhere(cell, Invalid::Kind { kind: meta.kind() }),
        };
        let message = "message";
        match body {
            Ok(body) if body.len <= body.room => Ok((tag, meta.incarnation_bits(), body)),
            Ok(Body { len, room, .. }) => {
                Err(self.pass_over(position, Invalid::Length { message, len, room }))
            }
            Err(reason) => Err(self.pass_over(position, reason)),
        }
    }

    /// Where the message at `position` lies, which is ready. Its length is as it was found.
    #[inline(always)]
    fn body(&mut self, position: u64) -> Result<Body, Invalid> {
        let (cell, room) = self.cell(position);
        match cell.len(room) {
            Ok(len) => Ok(Body { start: cell.body(), len, room }),
            Err(unknown @ Invalid::Kind { .. }) => self.find_elsewhere(cell, unknown),
            Err(invalid) => Err(invalid),
        }
    }

    /// Where a message lies that does not stand in its cell; or that its kind is `unknown`.
    pub(in crate::channel) fn find_elsewhere(
        &mut self,
        cell: Cell,
        unknown: Invalid,
    ) -> Result<Body, Invalid> {
        let store = self.cells.store();
        if store == Store::None {
            return Err(unknown);
        }
        let place = cell.place()?;
        let (at, bytes) = place.words();
        let start = self.cells.address(place).ok_or(Invalid::Nowhere { at, bytes, store })?;
        self.elsewhere = true;
        match place {
            Place::Chunk(chunk) => {
                self.unreported = self.unreported.saturating_add(chunk.bytes);
            }
            Place::Block { index, .. } => self.in_hand = Some(index),
        }
        // It lies in memory that is mapped.
        #[allow(clippy::cast_possible_truncation)]
        let len = bytes as usize;
        Ok(Body { start, len, room: len })
    }

    /// The cell of the message at `position`, which is ready, and the room in it.
    #[inline(always)]
    pub(in crate::channel) fn cell(&self, position: u64) -> (Cell, usize) {
        (self.cells.at(&self.consumer.words().states, position), self.cells.room())
    }

    /// Gives the cell of the message that was ready back to the sender. In a forked child, which
    /// may have inherited the message, nothing.
    #[inline(always)]
    pub(in crate::channel) fn release(&mut self) {
        if self.link.forked() {
            return;
        }
        if self.elsewhere {
            return self.release_elsewhere();
        }
        self.consumer.release();
    }

    #[cold]
    #[inline(never)]
    fn release_elsewhere(&mut self) {
        self.elsewhere = false;
        if let Some(kept) = self.keep() {
            drop(kept);
            return;
        }
        self.consumer.release();
        // A sender that waits for room in the arena is told of each eighth of it.
        if self.unreported >= self.cells.store().longest() / 8 {
            self.consumer.tell();
            self.unreported = 0;
        }
    }

    /// Releases the message that is in hand, but for its block; `None` if it is in none, and in a forked
    /// child, which does not have it.
    pub(in crate::channel) fn keep(&mut self) -> Option<Kept> {
        if self.link.forked() {
            return None;
        }
        let (blocks, me) = self.blocks.clone()?;
        let index = self.in_hand.take()?;
        self.elsewhere = false;
        let hold = self.link.hold()?;
        // In this order: see `blocks`.
        blocks.claim(index, me);
        self.consumer.release();
        let words = self.consumer.words().clone();
        Some(Kept::new(blocks, index, me, words, self.link.parking(), hold))
    }

    /// Releases a message that is none.
    #[cold]
    #[inline(never)]
    pub(in crate::channel) fn pass_over(&mut self, position: u64, reason: Invalid) -> RecvError {
        self.release();
        let channel = self.link.channel.clone();
        RecvError::Invalid(Box::new(BadMessage { channel, position, reason }))
    }

    /// Looks at the next cell.
    #[inline(always)]
    pub(in crate::channel) fn poll_once(&mut self) -> Poll {
        self.consumer.poll(1)
    }

    pub(in crate::channel) fn link(&self) -> &Link {
        &self.link
    }

    pub(in crate::channel) fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }

    #[cold]
    #[inline(never)]
    pub(in crate::channel) fn corrupt(&self, corrupt: Corrupt) -> RecvError {
        RecvError::Corrupt(self.link.damaged(corrupt))
    }
}

impl Drop for BytesReceiver {
    fn drop(&mut self) {
        if !self.link.forked() {
            self.consumer.tell();
            self.link.close(&self.consumer.words().consumer.wait);
            self.consumer.wake();
        }
    }
}

/// A message in place. Dropping it gives the cell back to the sender.
///
/// A forked child inherits the value but not the memory: there, it may only be dropped.
#[derive(Debug)]
pub struct Received<'a> {
    receiver: &'a mut BytesReceiver,
    position: u64,
    body: *const u8,
    len: usize,
}

impl Received<'_> {
    /// The message's position: the number of messages before it.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Whether the receiver before this one died and may have read this message: it is delivered
    /// again. At most one message is, the first that a successor finds.
    pub fn redelivered(&self) -> bool {
        self.receiver.redelivered(self.position)
    }

    /// Which sender sent it: how many had owned the channel, that one included.
    ///
    /// `None` if that is not known: dense cells tell the latest sender's messages from all others'
    /// only, wide cells tell the last 65,536 senders apart.
    pub fn sender_incarnation(&self) -> Option<u64> {
        self.receiver.incarnation_of(self.position)
    }

    /// Length in bytes; never more than [`max_len`](BytesReceiver::max_len).
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the message has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The address of the body, valid until the message is dropped.
    pub fn as_ptr(&self) -> *const u8 {
        self.body
    }

    /// Keeps the message beyond the next one; see [`Sample::keep`](crate::channel::Sample::keep).
    ///
    /// # Errors
    ///
    /// The message itself, if the channel was made without [`blocks`](crate::channel::Spsc::blocks).
    pub fn keep(self) -> Result<OwnedBytes, Self> {
        let message = ManuallyDrop::new(self);
        // SAFETY: moved out of a value that is neither used nor dropped from here on.
        let receiver = unsafe { std::ptr::read(&raw const message.receiver) };
        let (position, body, len) = (message.position, message.body, message.len);
        match receiver.keep() {
            Some(block) => Ok(OwnedBytes::new(body, len, block)),
            None => Err(Self { receiver, position, body, len }),
        }
    }

    /// Copies the message to the heap.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(self.len);
        // SAFETY: `len` bytes of the body are mapped, and the vector has room for them.
        unsafe { self.body.copy_to_nonoverlapping(copy.as_mut_ptr(), self.len) };
        // SAFETY: the bytes were just written.
        unsafe { copy.set_len(self.len) };
        copy
    }
}

impl Drop for Received<'_> {
    fn drop(&mut self) {
        self.receiver.release();
    }
}
