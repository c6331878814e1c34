//! One of several senders.

use super::bytes::{Built, MpmcBytesSender, fitting};
use crate::channel::error::SendError;
use crate::endpoint::PeerView;
use crate::message::{Message, Scratch, WriteError, write};
use crate::ring::mpmc::layout::MAX_BATCH;
use std::marker::PhantomData;
use std::time::Duration;

/// Sends messages of type `T` on a channel that others may send on as well.
///
/// A message is built in memory of this process and then copied to its place: so no user's code runs
/// while a place is claimed, which would keep all others waiting. Dropping it closes this side: receivers
/// read what is left, and learn that the channel is at its end when all senders are gone.
#[derive(Debug)]
pub struct MpmcSender<T: Message> {
    bytes: MpmcBytesSender,
    staged: Staged,
    scratch: Scratch,
    of: PhantomData<fn(T)>,
}

/// Archives that are built and not sent: up to a batch of them.
#[derive(Debug)]
struct Staged {
    /// Grows with the batches; aligned as archives are.
    bytes: Vec<u128>,
    /// Room for one of them, in units of 16 bytes.
    each: usize,
    lens: Vec<u32>,
}

impl Staged {
    fn new(room: usize) -> Self {
        Self { bytes: Vec::new(), each: room.div_ceil(16), lens: Vec::new() }
    }

    /// The address of archive number `index`, which has room for as much as a cell.
    fn body(&mut self, index: usize) -> *mut u8 {
        let end = (index + 1) * self.each;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[end - self.each..].as_mut_ptr().cast()
    }
}

impl<T: Message> MpmcSender<T> {
    pub(in crate::channel) fn new(bytes: MpmcBytesSender) -> Self {
        let room = bytes.max_len();
        let scratch = Scratch::for_body(if T::PLAIN { 0 } else { room });
        Self { bytes, staged: Staged::new(room), scratch, of: PhantomData }
    }

    /// Sends a message.
    ///
    /// When the ring is full, the channel's [`OnFull`](crate::channel::OnFull) policy decides: wait (the default), fail, or drop
    /// this message and count it. A full ring that all receivers have left is an error after a wait.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] under `OnFull::Fail`; [`SendError::Closed`] and [`SendError::PeerDied`]
    /// while waiting when the last receiver is gone; [`SendError::Message`] if the archive does not fit a
    /// cell; [`SendError::Corrupt`] if the ring's words are damaged; [`SendError::Forked`] in a child.
    #[inline(always)]
    pub fn send(&mut self, message: &T) -> Result<(), SendError> {
        let built = self.stage(message)?;
        self.bytes.publish_by_policy(built)
    }

    /// Sends a message if there is room; never waits, drops nothing.
    ///
    /// A ring is also found full while a receiver is just taking the oldest message.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] if there is none; otherwise as for [`send`](MpmcSender::send).
    #[inline(always)]
    pub fn try_send(&mut self, message: &T) -> Result<(), SendError> {
        let built = self.stage(message)?;
        self.bytes.publish_now(built)
    }

    /// Sends a message, waiting up to `timeout` for room.
    ///
    /// # Errors
    ///
    /// [`SendError::Timeout`] if there was none; otherwise as for [`send`](MpmcSender::send).
    pub fn send_timeout(&mut self, message: &T, timeout: Duration) -> Result<(), SendError> {
        let built = self.stage(message)?;
        self.bytes.publish_within(built, timeout)
    }

    /// Sends all messages in order, in batches of up to 64 and as large as there is room, waiting between
    /// them. Those of a batch are neighbours: no other sender's come between them.
    ///
    /// # Errors
    ///
    /// The position in `messages` of the first that was not sent, and why.
    pub fn send_all(&mut self, messages: &[T]) -> Result<(), (usize, SendError)> {
        let mut sent = 0;
        while sent < messages.len() {
            sent += self.send_some(&messages[sent..]).map_err(|error| (sent, error))?;
        }
        Ok(())
    }

    /// Sends some of the messages, at least one, waiting for room.
    fn send_some(&mut self, messages: &[T]) -> Result<usize, SendError> {
        // A batch is small.
        #[allow(clippy::cast_possible_truncation)]
        let most = messages.len().min(MAX_BATCH as usize);
        self.bytes.check()?;
        let Self { bytes, staged, scratch, .. } = self;
        let room = bytes.max_len();
        if T::PLAIN {
            // They are their own archives.
            let (start, len) = (messages.as_ptr(), fitting(size_of::<T>(), room)?);
            let body = |index: u64| {
                // Less than a batch.
                #[allow(clippy::cast_possible_truncation)]
                let index = index as usize;
                // SAFETY: fewer are sent than `most`, which is no more than there are.
                (unsafe { start.add(index) }.cast(), len)
            };
            return bytes.publish_some(most as u64, body);
        }
        staged.lens.clear();
        for (index, message) in messages[..most].iter().enumerate() {
            match build(message, staged.body(index), room, scratch) {
                Ok(len) => staged.lens.push(len),
                // Those before it are sent first.
                Err(_) if index > 0 => break,
                Err(error) => return Err(error.into()),
            }
        }
        let (start, each, lens) = (staged.body(0).cast_const(), 16 * staged.each, &staged.lens);
        let body = |index: u64| {
            // Less than a batch.
            #[allow(clippy::cast_possible_truncation)]
            let index = index as usize;
            // SAFETY: so many archives were staged, one behind the other.
            (unsafe { start.add(index * each) }, lens[index])
        };
        bytes.publish_some(lens.len() as u64, body)
    }

    /// Where the archive of a message stands, and its length, which fits a cell. A plain message is its own
    /// archive.
    #[inline(always)]
    fn stage(&mut self, message: &T) -> Result<Built, WriteError> {
        let room = self.bytes.max_len();
        if T::PLAIN {
            return Ok((std::ptr::from_ref(message).cast(), fitting(size_of::<T>(), room)?));
        }
        let body = self.staged.body(0);
        Ok((body.cast_const(), build(message, body, room, &mut self.scratch)?))
    }

    /// Messages that senders dropped because the ring was full.
    pub fn dropped(&self) -> u64 {
        self.bytes.dropped()
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        self.bytes.channel()
    }

    /// Who receives, or did last, at each of the receiving sides.
    pub fn peers(&self) -> &[PeerView] {
        self.bytes.peers()
    }

    /// The longest archive, in bytes.
    pub fn max_len(&self) -> usize {
        self.bytes.max_len()
    }

    /// The channel under the types.
    pub fn bytes(&self) -> &MpmcBytesSender {
        &self.bytes
    }
}

/// Builds an archive in `room` bytes at `body`, which are this sender's; its length.
fn build<T: Message>(
    message: &T,
    body: *mut u8,
    room: usize,
    scratch: &mut Scratch,
) -> Result<u32, WriteError> {
    // SAFETY: the caller's bytes are aligned to 16, as many as a cell holds, and nobody else's.
    let len = unsafe { write(message, body, room, scratch)? };
    // A cell is no larger.
    #[allow(clippy::cast_possible_truncation)]
    Ok(len as u32)
}
