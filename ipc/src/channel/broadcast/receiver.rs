//! The receiving side of a broadcast channel of messages.

use super::bytes::{Body, BroadcastBytesReceiver};
use crate::channel::copied::length;
use crate::channel::error::RecvError;
use crate::channel::trust::{Checked, Trust};
use crate::message::Message;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

/// Receives all messages of type `T`, but for those that it was too slow for. It is not `Clone`, and `&mut`
/// to use: each receiver has a place of its own in the stream.
///
/// `V` says whether archives are validated before they are handed out; it follows the domain.
#[derive(Debug)]
pub struct BroadcastReceiver<T: Message, V: Trust = Checked> {
    bytes: BroadcastBytesReceiver,
    of: PhantomData<fn() -> (T, V)>,
}

impl<T: Message, V: Trust> BroadcastReceiver<T, V> {
    pub(in crate::channel) fn new(bytes: BroadcastBytesReceiver) -> Self {
        Self { bytes, of: PhantomData }
    }

    /// The next message, waiting for it.
    ///
    /// # Errors
    ///
    /// [`RecvError::Overrun`] if messages were lost, once for all that were: the next call goes on behind
    /// them (a receiver that is waited for loses none, but it may have asked to begin with
    /// some that are gone); [`RecvError::Closed`] and [`RecvError::PeerDied`] once everything is read and the
    /// sender is gone (a later call waits for its successor if one has attached by then);
    /// [`RecvError::Invalid`] for a message that is no archive of `T`: it is passed over;
    /// [`RecvError::Corrupt`] if the ring's words are damaged; [`RecvError::Forked`] in a child.
    #[inline(always)]
    pub fn recv(&mut self) -> Result<BroadcastSample<'_, T, V>, RecvError> {
        let body = self.bytes.ready(None)?;
        self.sample(body)
    }

    /// The next message if it is there; never waits, never enters the kernel.
    ///
    /// # Errors
    ///
    /// [`RecvError::Empty`] if it is not; otherwise as for [`recv`](Self::recv), except that a sender that
    /// died looks merely silent until somebody notices.
    #[inline(always)]
    pub fn try_recv(&mut self) -> Result<BroadcastSample<'_, T, V>, RecvError> {
        let body = self.bytes.ready_now()?;
        self.sample(body)
    }

    /// The next message, waiting up to `timeout` for it.
    ///
    /// # Errors
    ///
    /// [`RecvError::Timeout`] if it did not come; otherwise as for [`recv`](Self::recv).
    #[inline(always)]
    pub fn recv_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<BroadcastSample<'_, T, V>, RecvError> {
        let body = self.bytes.ready(Some(timeout))?;
        self.sample(body)
    }

    /// The channel under the types.
    pub fn bytes(&self) -> &BroadcastBytesReceiver {
        &self.bytes
    }

    #[inline(always)]
    fn sample(&mut self, body: Body) -> Result<BroadcastSample<'_, T, V>, RecvError> {
        let Body { position, start, meta, room } = body;
        let archived = length(meta, room).and_then(|len| {
            // SAFETY: the body is 16-aligned and has `room` initialised bytes. It is a private copy, or
            // stands in a cell that its sender leaves alone until it is released, which the sample's
            // borrow of the receiver puts off; its length was loaded once.
            unsafe { V::access::<T>(start, len, room) }
        });
        match archived {
            Ok(archived) => Ok(BroadcastSample { archived, position, receiver: self }),
            Err(reason) => Err(self.bytes.pass_over(position, reason)),
        }
    }
}

/// A message: it derefs to its archived value, in place if the sender waits for this receiver, else in a
/// private copy. Dropping it releases it.
pub struct BroadcastSample<'a, T: Message, V: Trust = Checked> {
    archived: &'a T::Archived,
    position: u64,
    receiver: &'a mut BroadcastReceiver<T, V>,
}

impl<T: Message, V: Trust> BroadcastSample<'_, T, V> {
    /// The message's sequence number: how many were published before it.
    pub fn position(&self) -> u64 {
        self.position
    }
}

impl<T: Message, V: Trust> Deref for BroadcastSample<'_, T, V> {
    type Target = T::Archived;
    #[inline(always)]
    fn deref(&self) -> &T::Archived {
        self.archived
    }
}

impl<T: Message<Archived: fmt::Debug>, V: Trust> fmt::Debug for BroadcastSample<'_, T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.archived.fmt(f)
    }
}

impl<T: Message, V: Trust> Drop for BroadcastSample<'_, T, V> {
    #[inline(always)]
    fn drop(&mut self) {
        self.receiver.bytes.release();
    }
}
