//! The typed sender.

use super::bytes::{BytesSender, Room, Spot};
use super::error::{DescriptorError, SendError};
use crate::endpoint::PeerView;
use crate::message::{Message, Scratch, WriteError, write};
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::time::Duration;
use strait_pools::marks::{Mark, pass};

/// Sends messages of type `T`. There is one per channel: it is not `Clone`, and `&mut` to use.
///
/// Dropping it closes the channel for this side: the receiver reads what is left and then learns
/// that the sender has closed.
#[derive(Debug)]
pub struct Sender<T: Message> {
    bytes: BytesSender,
    scratch: Scratch,
    of: PhantomData<fn(T)>,
}

impl<T: Message> Sender<T> {
    pub(super) fn new(bytes: BytesSender) -> Self {
        // Messages in the arena may need more; it grows.
        let scratch = Scratch::for_body(if T::PLAIN { 0 } else { bytes.cell(0).1 });
        Self { bytes, scratch, of: PhantomData }
    }

    /// Sends a message: builds its archive in the ring and publishes it.
    ///
    /// When the ring is full, the channel's [`OnFull`](super::OnFull) policy decides: wait (the
    /// default), fail, or drop this message and count it.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] under `OnFull::Fail`; [`SendError::Closed`] and [`SendError::PeerDied`]
    /// while waiting for a receiver that is gone (a ring with room accepts messages all the same,
    /// for the next receiver); [`SendError::Message`] if the archive does not fit a cell;
    /// [`SendError::Corrupt`] if the ring's words are damaged; [`SendError::Forked`] in a child.
    #[inline(always)]
    pub fn send(&mut self, message: &T) -> Result<(), SendError> {
        if self.bytes.make_room()? {
            self.put(message, Room::Policy)?;
        }
        Ok(())
    }

    /// Sends a message if there is room; never waits, drops nothing.
    #[inline(always)]
    pub fn try_send(&mut self, message: &T) -> Result<(), SendError> {
        self.bytes.room_now(0)?;
        self.put(message, Room::Now)
    }

    /// Sends a message, waiting up to `timeout` for room.
    pub fn send_timeout(&mut self, message: &T, timeout: Duration) -> Result<(), SendError> {
        self.bytes.wait_for_room(0, Some(timeout))?;
        self.put(message, Room::Wait(Some(timeout)))
    }

    /// Sends all messages in order, in batches as large as there is room, waiting between them.
    ///
    /// # Errors
    ///
    /// The position in `messages` of the first that was not sent, and why.
    pub fn send_all(&mut self, messages: &[T]) -> Result<(), (usize, SendError)> {
        let mut sent = 0;
        while let Some(next) = messages.get(sent) {
            self.bytes.wait_for_room(0, None).map_err(|error| (sent, error))?;
            let mut batch = self.batch();
            for message in &messages[sent..] {
                match batch.push(message) {
                    Ok(()) => {}
                    Err(SendError::Full) => break,
                    Err(error) => return Err((sent + batch.publish(), error)),
                }
            }
            let count = batch.publish();
            if count == 0 {
                // There was a cell, but no room in the arena.
                self.put(next, Room::Wait(None)).map_err(|error| (sent, error))?;
                sent += 1;
            }
            sent += count;
        }
        Ok(())
    }

    /// Reserves the next cell before the message exists: with the loan in hand, publishing cannot
    /// fail for want of room. Waits while the ring is full under `OnFull::Block`.
    ///
    /// # Errors
    ///
    /// As for [`send`](Sender::send); a full ring under any other policy is [`SendError::Full`].
    #[inline]
    pub fn loan(&mut self) -> Result<Loan<'_, T>, SendError> {
        self.loan_len(0)
    }

    /// As [`loan`](Sender::loan), for an archive of up to `len` bytes: in the cell, or, if that is too
    /// small, in the channel's [arena](super::Spsc::arena).
    ///
    /// # Errors
    ///
    /// As for [`loan`](Sender::loan); [`SendError::Message`] if the channel has no room for so many
    /// bytes, ever.
    #[inline]
    pub fn loan_len(&mut self, len: usize) -> Result<Loan<'_, T>, SendError> {
        let spot = self.bytes.reserve(len, Room::Policy)?;
        let room = len.max(self.bytes.cell(0).1);
        Ok(Loan { sender: self, spot, room })
    }

    /// Starts a batch: messages that become visible together.
    pub fn batch(&mut self) -> Batch<'_, T> {
        self.bytes.start();
        Batch { sender: self, count: 0 }
    }

    /// Builds the archive in its cell, `ahead` messages from now.
    #[inline(always)]
    fn build(&mut self, ahead: u64, message: &T) -> Result<(), WriteError> {
        pass(Mark::ProducerClaimed);
        let (cell, room) = self.bytes.cell(ahead);
        // SAFETY: the body is `room` bytes of a cell that is free, hence ours alone; it is aligned
        // for archives (wide cells) or for the plain word that dense cells were opened for.
        let len = unsafe { write(message, cell.body(), room, &mut self.scratch)? };
        cell.describe(len, self.bytes.incarnation());
        self.bytes.built(ahead);
        Ok(())
    }

    /// Builds the archive in a spot of `room` bytes, `ahead` messages from now.
    fn build_in(
        &mut self,
        spot: Spot,
        room: usize,
        ahead: u64,
        message: &T,
    ) -> Result<(), WriteError> {
        // SAFETY: the spot was found to have `room` bytes that are free, hence ours alone, and is
        // aligned for archives, or for the plain word that dense cells were opened for.
        let len = unsafe { write(message, spot.body(), room, &mut self.scratch)? };
        self.bytes.describe(ahead, spot, len);
        Ok(())
    }

    /// Builds a message in the cell that is free and publishes it; one that is too long for it as soon
    /// as there is `room` in the arena.
    #[inline(always)]
    fn put(&mut self, message: &T, room: Room) -> Result<(), SendError> {
        if let Err(error) = self.build(0, message) {
            return self.put_large(message, error, room);
        }
        self.bytes.publish();
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn put_large(&mut self, message: &T, error: WriteError, room: Room) -> Result<(), SendError> {
        let WriteError::TooLarge { needed, .. } = error else { return Err(error.into()) };
        let spot = match self.bytes.reserve(needed, room) {
            Err(SendError::Full) if matches!(room, Room::Policy) => return self.bytes.refuse(),
            spot => spot?,
        };
        self.build_in(spot, needed, 0, message)?;
        self.bytes.publish();
        Ok(())
    }

    /// The channel under the types.
    pub(crate) fn bytes(&mut self) -> &mut BytesSender {
        &mut self.bytes
    }

    /// A descriptor for `epoll` and its like; see [`BytesSender::descriptor`].
    ///
    /// # Errors
    ///
    /// [`DescriptorError`]: the channel was made for sides that never sleep, or the system refuses.
    pub fn descriptor(&mut self) -> Result<BorrowedFd<'_>, DescriptorError> {
        self.bytes.descriptor()
    }

    /// The position that the next message will have: the number of messages published before it, by
    /// this sender and all before it. A restarted sender that numbers its messages by position goes on
    /// exactly where the last one stopped, whatever that was doing when it died.
    pub fn position(&self) -> u64 {
        self.bytes.position()
    }

    /// Messages dropped on this channel because the ring was full.
    pub fn dropped(&self) -> u64 {
        self.bytes.dropped()
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        self.bytes.channel()
    }

    /// How many senders have owned the channel, this one included.
    pub fn incarnation(&self) -> u64 {
        self.bytes.incarnation()
    }

    /// Who receives, or did last, and how that process is doing.
    pub fn peer(&self) -> &PeerView {
        self.bytes.peer()
    }

    /// The longest archive, in bytes.
    pub fn max_len(&self) -> usize {
        self.bytes.max_len()
    }
}

/// A reserved place. Dropped without [`publish`](Loan::publish), it is as if it had never been.
#[derive(Debug)]
pub struct Loan<'a, T: Message> {
    sender: &'a mut Sender<T>,
    spot: Spot,
    room: usize,
}

impl<T: Message> Loan<'_, T> {
    /// Builds the archive in the reserved place and publishes it.
    ///
    /// # Errors
    ///
    /// The archive does not fit the place; nothing is published.
    #[inline]
    pub fn publish(self, message: &T) -> Result<(), WriteError> {
        pass(Mark::ProducerClaimed);
        self.sender.build_in(self.spot, self.room, 0, message)?;
        self.sender.bytes.publish();
        Ok(())
    }

    /// The address of the body, to build a plain message in place; its length in bytes.
    ///
    /// Write an archived `T` there, then [`publish_in_place`](Loan::publish_in_place).
    pub fn as_mut_ptr(&mut self) -> (*mut T::Archived, usize) {
        (self.spot.body().cast(), self.room)
    }

    /// Publishes what was built at [`as_mut_ptr`](Loan::as_mut_ptr).
    ///
    /// # Safety
    ///
    /// A valid archived `T` without out-of-line parts stands at that address.
    pub unsafe fn publish_in_place(self) {
        let bytes = &mut self.sender.bytes;
        bytes.describe(0, self.spot, size_of::<T::Archived>());
        bytes.publish();
    }
}

/// Messages that become visible together, in order. Dropped without
/// [`publish`](Batch::publish), none of them was sent.
#[derive(Debug)]
pub struct Batch<'a, T: Message> {
    sender: &'a mut Sender<T>,
    count: u64,
}

impl<T: Message> Batch<'_, T> {
    /// Builds one more message behind those of the batch; never waits.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] if the ring has no room for it: publish, and start another batch.
    #[inline]
    pub fn push(&mut self, message: &T) -> Result<(), SendError> {
        if self.sender.bytes.free(self.count + 1)? <= self.count {
            return Err(SendError::Full);
        }
        if let Err(error) = self.sender.build(self.count, message) {
            self.push_large(message, error)?;
        }
        self.count += 1;
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn push_large(&mut self, message: &T, error: WriteError) -> Result<(), SendError> {
        let WriteError::TooLarge { needed, .. } = error else { return Err(error.into()) };
        let bytes = &mut self.sender.bytes;
        bytes.fits(needed)?;
        let spot = bytes.spot(self.count, needed)?.ok_or(SendError::Full)?;
        Ok(self.sender.build_in(spot, needed, self.count, message)?)
    }

    /// Number of messages in the batch.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether the batch holds no message.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Publishes the batch; returns the number of its messages.
    #[inline]
    pub fn publish(self) -> usize {
        self.sender.bytes.publish_batch(self.count);
        // A batch fits the ring, and the ring fits memory.
        #[allow(clippy::cast_possible_truncation)]
        let count = self.count as usize;
        count
    }
}
