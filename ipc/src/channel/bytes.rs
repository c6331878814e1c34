//! The byte endpoint: messages of any meaning, written and read at their address.
//!
//! Typed channels, transport adapters and other languages stand on this. A sender *claims* a cell,
//! writes its body and *commits* (or aborts: nothing was published, and the cell is claimed again by
//! the next message). A receiver *polls*, looks at the body in place and releases it.
//!
//! Bodies are raw addresses, not slices: the memory belongs to every process that maps it, and a
//! slice would promise the compiler otherwise.

use super::error::{BadMessage, DescriptorError, RecvError, SendError};
use super::link::{Cell, Cells, Link};
use super::open::OnFull;
use super::wait::Stopped;
use crate::endpoint::PeerView;
use crate::message::{Invalid, WriteError};
use crate::ring::spsc::{Consumer, Corrupt, Poll, Producer};
use crate::wait_set::source::Attachment;
use std::os::fd::BorrowedFd;
use std::time::Duration;
use strait_pools::environment::{Liveness, Peer};
use strait_pools::marks::{Mark, pass};
use strait_pools::placement::Mapped;

/// Marks a channel whose messages have no Rust type: `domain.spsc::<Bytes>("raw")`.
#[derive(Clone, Copy, Debug)]
pub enum Bytes {}

/// The sending side of a byte channel.
#[derive(Debug)]
pub struct BytesSender {
    producer: Producer<Mapped>,
    cells: Cells,
    on_full: OnFull,
    link: Link,
}

impl BytesSender {
    pub(super) fn new(
        producer: Producer<Mapped>,
        cells: Cells,
        on_full: OnFull,
        link: Link,
    ) -> Self {
        Self { producer, cells, on_full, link }
    }

    /// The longest message, in bytes.
    pub fn max_len(&self) -> usize {
        self.cells.room()
    }

    /// The position that the next message will have: the number of messages published before it.
    pub fn position(&self) -> u64 {
        self.producer.position()
    }

    /// Messages dropped on this channel because the ring was full ([`OnFull::DropNewest`]).
    pub fn dropped(&self) -> u64 {
        // A forked child does not have the memory.
        if self.link.forked() { 0 } else { self.producer.dropped() }
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        &self.link.channel
    }

    /// How many senders have owned the channel, this one included.
    #[inline(always)]
    pub fn incarnation(&self) -> u64 {
        self.producer.incarnation()
    }

    /// Who receives, or did last, and how that process is doing.
    pub fn peer(&self) -> &PeerView {
        self.link.peer()
    }

    /// Claims the next cell for a message of `len` bytes, waiting while the ring is full if the
    /// channel's policy is [`OnFull::Block`].
    ///
    /// # Errors
    ///
    /// As for [`Sender::send`](super::Sender::send); a full ring under any other policy is
    /// [`SendError::Full`].
    pub fn claim(&mut self, len: usize) -> Result<Claim<'_>, SendError> {
        self.fits(len)?;
        self.reserve()?;
        Ok(self.claimed(len))
    }

    /// Claims the next cell for a message of `len` bytes if there is one; never waits.
    pub fn try_claim(&mut self, len: usize) -> Result<Claim<'_>, SendError> {
        self.fits(len)?;
        self.room_now()?;
        Ok(self.claimed(len))
    }

    fn claimed(&mut self, len: usize) -> Claim<'_> {
        pass(Mark::ProducerClaimed);
        Claim { sender: self, len }
    }

    fn fits(&self, len: usize) -> Result<(), SendError> {
        let room = self.cells.room();
        if len > room {
            return Err(WriteError::TooLarge { needed: len, room }.into());
        }
        Ok(())
    }

    /// Makes sure of one free cell, waiting for it if the policy is to block.
    pub(super) fn reserve(&mut self) -> Result<(), SendError> {
        match self.on_full {
            OnFull::Block => self.wait_for_room(None),
            OnFull::Fail | OnFull::DropNewest => self.room_now(),
        }
    }

    /// Whether a message may be written now, by the channel's policy: `false` drops it.
    #[inline]
    pub(super) fn make_room(&mut self) -> Result<bool, SendError> {
        if self.free(1)? == 1 { Ok(true) } else { self.when_full() }
    }

    #[cold]
    fn when_full(&mut self) -> Result<bool, SendError> {
        match self.on_full {
            OnFull::Block => self.wait_for_room(None).map(|()| true),
            OnFull::Fail => Err(SendError::Full),
            OnFull::DropNewest => {
                self.producer.count_drop();
                Ok(false)
            }
        }
    }

    /// Whether there is room for one message, now.
    #[inline]
    pub(super) fn room_now(&mut self) -> Result<(), SendError> {
        if self.free(1)? == 1 { Ok(()) } else { self.no_room() }
    }

    /// A sender that waits for its descriptor is told by that from now on.
    #[cold]
    fn no_room(&mut self) -> Result<(), SendError> {
        let Self { producer, link, .. } = self;
        let lines = producer.words().producer.clone();
        if !link.has_bell() {
            return Err(SendError::Full);
        }
        let armed = link.arm(&lines.wait, || (producer.free(1) != Ok(0)).then_some(())).is_none();
        let end = if armed { link.end() } else { None };
        // What was freed before the end counts.
        match producer.free(1) {
            Ok(0) => Err(end.map_or(SendError::Full, SendError::from)),
            Ok(_) => Ok(()),
            Err(corrupt) => Err(self.corrupt(corrupt)),
        }
    }

    /// A descriptor for `epoll` and its like: readable when a full ring has room, or its receiver is
    /// gone, or once a slice, to look whether it is. It may be readable for no reason.
    ///
    /// Before waiting for it, send with [`try_claim`](BytesSender::try_claim) (or
    /// [`try_send`](super::Sender::try_send)) until that says [`SendError::Full`]: that call makes the
    /// descriptor unreadable until there is room again.
    ///
    /// # Errors
    ///
    /// [`DescriptorError`]: the channel was made for sides that never sleep, or the system refuses.
    pub fn descriptor(&mut self) -> Result<BorrowedFd<'_>, DescriptorError> {
        let lines = self.producer.words().producer.clone();
        self.link.descriptor(&lines.wait)
    }

    pub(crate) fn attach(&mut self) -> Result<Attachment<'_>, DescriptorError> {
        let lines = self.producer.words().producer.clone();
        self.link.attachment(&lines.wait)
    }

    /// Free cells, up to `wanted`.
    #[inline]
    pub(super) fn free(&mut self, wanted: u64) -> Result<u64, SendError> {
        if self.link.forked() {
            return Err(SendError::Forked);
        }
        match self.producer.free(wanted) {
            Ok(free) => Ok(free),
            Err(corrupt) => Err(self.corrupt(corrupt)),
        }
    }

    /// Waits until there is room for one message.
    pub(super) fn wait_for_room(&mut self, timeout: Option<Duration>) -> Result<(), SendError> {
        if self.link.forked() {
            return Err(SendError::Forked);
        }
        let Self { producer, link, .. } = self;
        let lines = producer.words().producer.clone();
        let room = || Ok((producer.free(1)? == 1).then_some(()));
        link.poll_until(timeout, &lines.wait, room).map_err(|stopped| match stopped {
            Stopped::Failed(corrupt) => self.corrupt(corrupt),
            Stopped::Timeout => SendError::Timeout,
            Stopped::Gone(end) => end.into(),
        })
    }

    /// The cell of the message `ahead` messages from now, and the room in it.
    #[inline(always)]
    pub(super) fn cell(&self, ahead: u64) -> (Cell, usize) {
        let position = self.producer.position().wrapping_add(ahead);
        (self.cells.at(self.producer.words(), position), self.cells.room())
    }

    /// Publishes the message that was written and described.
    #[inline(always)]
    pub(super) fn publish(&mut self) {
        self.producer.publish();
    }

    /// Publishes `count` messages that were written and described.
    #[inline]
    pub(super) fn publish_batch(&mut self, count: u64) {
        self.producer.publish_batch(count);
    }

    #[cold]
    #[inline(never)]
    fn corrupt(&self, corrupt: Corrupt) -> SendError {
        SendError::Corrupt(self.link.damaged(corrupt))
    }
}

impl Drop for BytesSender {
    fn drop(&mut self) {
        if !self.link.forked() {
            self.producer.hint();
            self.link.close(&self.producer.words().producer.wait);
            self.producer.wake();
        }
    }
}

/// A claimed cell. Dropped without [`commit`](Claim::commit), it is as if it had never been.
#[derive(Debug)]
pub struct Claim<'a> {
    sender: &'a mut BytesSender,
    len: usize,
}

impl Claim<'_> {
    /// Length of the message, in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the message has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The address of the body: [`len`](Claim::len) bytes, 16-aligned (8-aligned in dense cells).
    ///
    /// What it holds before it is written is some earlier message of the same ring.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.sender.cell(0).0.body()
    }

    /// Copies `bytes` into the body at `offset`.
    ///
    /// # Errors
    ///
    /// [`WriteError::TooLarge`] if they do not fit the claimed length.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), WriteError> {
        let needed = offset.saturating_add(bytes.len());
        if needed > self.len {
            return Err(WriteError::TooLarge { needed, room: self.len });
        }
        // SAFETY: `offset <= len`, which `claim` found to fit the body.
        let target = unsafe { self.as_mut_ptr().add(offset) };
        // SAFETY: the target has room for the bytes, and a caller's slice cannot overlap memory
        // that no Rust reference covers.
        unsafe { target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    /// Publishes the message.
    pub fn commit(self) {
        self.sender.cell(0).0.describe(self.len, self.sender.incarnation());
        self.sender.publish();
    }

    /// Gives the cell back unpublished; the same as dropping the claim.
    pub fn abort(self) {}
}

/// The receiving side of a byte channel.
#[derive(Debug)]
pub struct BytesReceiver {
    consumer: Consumer<Mapped>,
    cells: Cells,
    link: Link,
}

impl BytesReceiver {
    pub(super) fn new(consumer: Consumer<Mapped>, cells: Cells, link: Link) -> Self {
        Self { consumer, cells, link }
    }

    /// The longest message, in bytes.
    pub fn max_len(&self) -> usize {
        self.cells.room()
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
    pub(super) fn incarnation_of(&self, position: u64) -> Option<u64> {
        if self.link.forked() {
            return None;
        }
        let (latest, _) = self.consumer.producer_incarnation();
        let by_latest = || self.consumer.by_latest(position);
        self.cell(position).0.incarnation(latest).or_else(by_latest)
    }

    /// Whether a receiver that died may have read the message at `position` before.
    pub(super) fn redelivered(&self, position: u64) -> bool {
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
    /// As for [`Receiver::try_recv`](super::Receiver::try_recv).
    #[inline]
    pub fn poll(&mut self) -> Result<Received<'_>, RecvError> {
        let position = self.ready_now()?;
        self.received(position)
    }

    /// The next message, waiting for it.
    ///
    /// # Errors
    ///
    /// As for [`Receiver::recv`](super::Receiver::recv).
    #[inline]
    pub fn recv(&mut self) -> Result<Received<'_>, RecvError> {
        let position = self.ready(None)?;
        self.received(position)
    }

    /// Position of the next message if it is published.
    #[inline]
    pub(super) fn ready_now(&mut self) -> Result<u64, RecvError> {
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
    /// or once a [slice](super::Spsc::slice), to look whether it is. It may be readable for no reason.
    ///
    /// Before waiting for it, receive with [`poll`](BytesReceiver::poll) (or
    /// [`try_recv`](super::Receiver::try_recv)) until that says [`RecvError::Empty`]: that call, which
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
    #[inline]
    pub(super) fn ready(&mut self, timeout: Option<Duration>) -> Result<u64, RecvError> {
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
        link.poll_until(timeout, &lines.wait, poll).map_err(|stopped| match stopped {
            Stopped::Failed(corrupt) => self.corrupt(corrupt),
            Stopped::Timeout => RecvError::Timeout,
            Stopped::Gone(end) => end.into(),
        })
    }

    #[inline]
    fn received(&mut self, position: u64) -> Result<Received<'_>, RecvError> {
        let (cell, room) = self.cell(position);
        let len = cell.len(room).and_then(|len| {
            let message = "message";
            if len <= room { Ok(len) } else { Err(Invalid::Length { message, len, room }) }
        });
        match len {
            Ok(len) => Ok(Received { receiver: self, position, body: cell.body(), len }),
            Err(reason) => Err(self.pass_over(position, reason)),
        }
    }

    /// The cell of the message at `position`, which is ready, and the room in it.
    #[inline(always)]
    pub(super) fn cell(&self, position: u64) -> (Cell, usize) {
        (self.cells.at(self.consumer.words(), position), self.cells.room())
    }

    /// Gives the cell of the message that was ready back to the sender. In a forked child, which
    /// may have inherited the message, nothing.
    #[inline(always)]
    pub(super) fn release(&mut self) {
        if !self.link.forked() {
            self.consumer.release();
        }
    }

    /// Releases a message that is none.
    #[cold]
    #[inline(never)]
    pub(super) fn pass_over(&mut self, position: u64, reason: Invalid) -> RecvError {
        self.release();
        let channel = self.link.channel.clone();
        RecvError::Invalid(Box::new(BadMessage { channel, position, reason }))
    }

    #[cold]
    #[inline(never)]
    fn corrupt(&self, corrupt: Corrupt) -> RecvError {
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
