//! The sending side of a byte channel.

use super::supply::Supply;
use crate::channel::error::{DescriptorError, SendError};
use crate::channel::link::{Cell, Cells, Link, Place};
use crate::channel::open::OnFull;
use crate::endpoint::PeerView;
use crate::message::WriteError;
use crate::ring::layout::ConsumerLines;
use crate::ring::spsc::{Corrupt, Producer};
use crate::wait_set::source::Attachment;
use std::os::fd::BorrowedFd;
use std::time::Duration;
use strait_pools::marks::{Mark, pass};
use strait_pools::placement::{Mapped, MappedOne};

/// The sending side of a byte channel.
#[derive(Debug)]
pub struct BytesSender {
    producer: Producer<Mapped>,
    cells: Cells,
    supply: Supply,
    on_full: OnFull,
    link: Link,
}

/// How long to wait for room.
#[derive(Clone, Copy, Debug)]
pub(in crate::channel) enum Room {
    /// Not at all.
    Now,
    /// Until there is some, or for so long.
    Wait(Option<Duration>),
    /// As the channel's policy says.
    Policy,
}

/// Where the next message is to be written.
#[derive(Clone, Copy, Debug)]
pub(in crate::channel) struct Spot {
    cell: Cell,
    body: *mut u8,
    elsewhere: Option<Place>,
}

impl Spot {
    /// In this cell.
    #[inline(always)]
    pub(in crate::channel) fn in_cell(cell: Cell) -> Self {
        Self { cell, body: cell.body(), elsewhere: None }
    }

    /// The address of the body.
    pub(in crate::channel) fn body(&self) -> *mut u8 {
        self.body
    }
}

/// Whether there is a free cell, and a place elsewhere if it takes one for `len` bytes.
#[inline(always)]
fn has_room(
    producer: &mut Producer<Mapped>,
    supply: &mut Supply,
    cells: &Cells,
    len: usize,
) -> Result<bool, Corrupt> {
    if producer.free(1)? == 0 {
        return Ok(false);
    }
    Ok(len <= cells.room() || supply.find(producer, len)?.is_some())
}

impl BytesSender {
    pub(in crate::channel) fn new(
        producer: Producer<Mapped>,
        cells: Cells,
        supply: Supply,
        on_full: OnFull,
        link: Link,
    ) -> Self {
        Self { producer, cells, supply, on_full, link }
    }

    /// The longest message, in bytes.
    pub fn max_len(&self) -> usize {
        self.cells.max_len()
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

    /// Claims a place for a message of `len` bytes, waiting while there is none if the channel's policy
    /// is [`OnFull::Block`].
    ///
    /// # Errors
    ///
    /// As for [`Sender::send`](crate::channel::Sender::send); a full ring under any other policy is
    /// [`SendError::Full`].
    pub fn claim(&mut self, len: usize) -> Result<Claim<'_>, SendError> {
        self.claim_within(len, Room::Policy)
    }

    /// Claims a place for a message of `len` bytes if there is one; never waits.
    pub fn try_claim(&mut self, len: usize) -> Result<Claim<'_>, SendError> {
        self.claim_within(len, Room::Now)
    }

    fn claim_within(&mut self, len: usize, room: Room) -> Result<Claim<'_>, SendError> {
        let spot = self.reserve(len, room)?;
        pass(Mark::ProducerClaimed);
        Ok(Claim { sender: self, len, spot })
    }

    /// A place for the next message, of `len` bytes.
    #[inline(always)]
    pub(in crate::channel) fn reserve(
        &mut self,
        len: usize,
        room: Room,
    ) -> Result<Spot, SendError> {
        self.start();
        // Mostly it is the next cell.
        let (cell, most) = self.cell(0);
        if len <= most && self.free(1)? == 1 {
            return Ok(Spot::in_cell(cell));
        }
        self.find_room(len, room)
    }

    #[cold]
    #[inline(never)]
    fn find_room(&mut self, len: usize, room: Room) -> Result<Spot, SendError> {
        self.fits(len)?;
        match room {
            Room::Policy if self.on_full == OnFull::Block => self.wait_for_room(len, None)?,
            Room::Policy | Room::Now => self.room_now(len)?,
            Room::Wait(timeout) => self.wait_for_room(len, timeout)?,
        }
        self.spot(0, len)?.ok_or(SendError::Full)
    }

    /// Whether the channel ever has room for a message of `len` bytes.
    pub(in crate::channel) fn fits(&self, len: usize) -> Result<(), WriteError> {
        let room = self.cells.max_len();
        if len <= room { Ok(()) } else { Err(WriteError::TooLarge { needed: len, room }) }
    }

    /// What was built and not published is given up.
    #[inline(always)]
    pub(in crate::channel) fn start(&mut self) {
        self.supply.abort();
    }

    /// Where a message of `len` bytes would stand `ahead` messages from now, whose cell is free; `None`
    /// if there is no room for it elsewhere.
    pub(in crate::channel) fn spot(
        &mut self,
        ahead: u64,
        len: usize,
    ) -> Result<Option<Spot>, SendError> {
        let (cell, room) = self.cell(ahead);
        if len <= room {
            return Ok(Some(Spot::in_cell(cell)));
        }
        let Self { producer, cells, supply, .. } = self;
        match supply.find(producer, len) {
            Ok(place) => Ok(place.and_then(|place| {
                let body = cells.address(place)?;
                Some(Spot { cell, body, elsewhere: Some(place) })
            })),
            Err(corrupt) => Err(self.corrupt(corrupt)),
        }
    }

    /// Notes that the message `ahead` messages from now is written: `len` bytes in its spot.
    #[inline(always)]
    pub(in crate::channel) fn describe(&mut self, ahead: u64, spot: Spot, len: usize) {
        self.describe_tagged(ahead, spot, len, 0);
    }

    /// The same, of a message with a tag.
    #[inline(always)]
    pub(in crate::channel) fn describe_tagged(
        &mut self,
        ahead: u64,
        spot: Spot,
        len: usize,
        tag: u16,
    ) {
        let incarnation = self.producer.incarnation();
        match spot.elsewhere {
            Some(place) => {
                self.supply.take(place);
                spot.cell.describe_tagged_at(place, len, incarnation, tag);
            }
            None => spot.cell.describe_tagged(len, incarnation, tag),
        }
        self.built(ahead);
    }

    /// How far the receiver got, and what it writes of that.
    pub(in crate::channel) fn progress(&self) -> MappedOne<ConsumerLines> {
        self.producer.words().consumer.clone()
    }

    /// The message `ahead` messages from now is written and described.
    #[inline(always)]
    pub(in crate::channel) fn built(&mut self, ahead: u64) {
        self.supply.built(self.producer.position().wrapping_add(ahead));
    }

    /// Whether a message may be written now, by the channel's policy: `false` drops it.
    #[inline]
    pub(in crate::channel) fn make_room(&mut self) -> Result<bool, SendError> {
        if self.free(1)? == 1 { Ok(true) } else { self.when_full() }
    }

    #[cold]
    fn when_full(&mut self) -> Result<bool, SendError> {
        match self.on_full {
            OnFull::Block => self.wait_for_room(0, None).map(|()| true),
            OnFull::Fail => Err(SendError::Full),
            OnFull::DropNewest => {
                self.producer.count_drop();
                Ok(false)
            }
        }
    }

    /// A message found no room elsewhere: what the policy says about that.
    pub(in crate::channel) fn refuse(&mut self) -> Result<(), SendError> {
        if self.on_full == OnFull::DropNewest {
            self.producer.count_drop();
            return Ok(());
        }
        Err(SendError::Full)
    }

    /// Whether there is room for one message of `len` bytes, now.
    #[inline]
    pub(in crate::channel) fn room_now(&mut self, len: usize) -> Result<(), SendError> {
        if self.link.forked() {
            return Err(SendError::Forked);
        }
        let Self { producer, supply, cells, .. } = self;
        match has_room(producer, supply, cells, len) {
            Ok(true) => Ok(()),
            Ok(false) => self.no_room(len),
            Err(corrupt) => Err(self.corrupt(corrupt)),
        }
    }

    /// A sender that waits for its descriptor is told by that from now on.
    #[cold]
    fn no_room(&mut self, len: usize) -> Result<(), SendError> {
        let Self { producer, link, supply, cells, .. } = self;
        if !link.has_bell() {
            return Err(SendError::Full);
        }
        let lines = producer.words().producer.clone();
        let mut room = || has_room(producer, supply, cells, len);
        let armed = link.arm(&lines.wait, || (room() != Ok(false)).then_some(())).is_none();
        let end = if armed { link.end() } else { None };
        // What was freed before the end counts.
        match room() {
            Ok(true) => Ok(()),
            Ok(false) => Err(end.map_or(SendError::Full, SendError::from)),
            Err(corrupt) => Err(self.corrupt(corrupt)),
        }
    }

    /// Free cells, up to `wanted`.
    #[inline]
    pub(in crate::channel) fn free(&mut self, wanted: u64) -> Result<u64, SendError> {
        if self.link.forked() {
            return Err(SendError::Forked);
        }
        match self.producer.free(wanted) {
            Ok(free) => Ok(free),
            Err(corrupt) => Err(self.corrupt(corrupt)),
        }
    }

    /// Waits until there is room for one message of `len` bytes.
    pub(in crate::channel) fn wait_for_room(
        &mut self,
        len: usize,
        timeout: Option<Duration>,
    ) -> Result<(), SendError> {
        if self.link.forked() {
            return Err(SendError::Forked);
        }
        let Self { producer, link, supply, cells, .. } = self;
        // Mostly there is room, and nothing to wait for.
        if has_room(producer, supply, cells, len) == Ok(true) {
            return Ok(());
        }
        let lines = producer.words().producer.clone();
        let room = || Ok(has_room(producer, supply, cells, len)?.then_some(()));
        link.poll_until(timeout, &lines.wait, room)
            .map_err(|stopped| stopped.told(SendError::Timeout, |corrupt| self.corrupt(corrupt)))
    }

    /// A descriptor for `epoll` and its like: readable when a full ring has room, or its receiver is
    /// gone, or once a slice, to look whether it is. It may be readable for no reason.
    ///
    /// Before waiting for it, send with [`try_claim`](BytesSender::try_claim) (or
    /// [`try_send`](crate::channel::Sender::try_send)) until that says [`SendError::Full`]: that call makes the
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

    /// The cell of the message `ahead` messages from now, and the room in it.
    #[inline(always)]
    pub(in crate::channel) fn cell(&self, ahead: u64) -> (Cell, usize) {
        let position = self.producer.position().wrapping_add(ahead);
        (self.cells.at(&self.producer.words().states, position), self.cells.room())
    }

    /// Publishes the message that was written and described.
    #[inline(always)]
    pub(in crate::channel) fn publish(&mut self) {
        self.producer.publish();
        self.supply.publish();
    }

    /// Publishes `count` messages that were written and described.
    #[inline]
    pub(in crate::channel) fn publish_batch(&mut self, count: u64) {
        self.producer.publish_batch(count);
        self.supply.publish();
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
            self.supply.close();
            self.link.close(&self.producer.words().producer.wait);
            self.producer.wake();
        }
    }
}

/// A claimed place. Dropped without [`commit`](Claim::commit), it is as if it had never been.
#[derive(Debug)]
pub struct Claim<'a> {
    sender: &'a mut BytesSender,
    len: usize,
    spot: Spot,
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
        self.spot.body()
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
        self.sender.describe(0, self.spot, self.len);
        self.sender.publish();
    }

    /// Gives the place back unpublished; the same as dropping the claim.
    pub fn abort(self) {}
}
