//! One of several receivers.

use super::bytes::MpmcBytesReceiver;
use crate::channel::copied::length;
use crate::channel::error::RecvError;
use crate::channel::trust::{Checked, Trust};
use crate::endpoint::PeerView;
use crate::message::Message;
use crate::ring::mpmc::Taken;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

/// Receives messages of type `T` from a channel that others may receive from as well. Each message goes to
/// one of them.
///
/// `V` says whether archives are validated before they are handed out; it follows the domain.
#[derive(Debug)]
pub struct MpmcReceiver<T: Message, V: Trust = Checked> {
    bytes: MpmcBytesReceiver,
    of: PhantomData<fn() -> (T, V)>,
}

impl<T: Message, V: Trust> MpmcReceiver<T, V> {
    /// The length that messages have if all have one.
    const USUAL: usize = if T::PLAIN { size_of::<T>() } else { 0 };

    pub(in crate::channel) fn new(bytes: MpmcBytesReceiver) -> Self {
        Self { bytes, of: PhantomData }
    }

    /// The next message, waiting for it.
    ///
    /// # Errors
    ///
    /// [`RecvError::Closed`] and [`RecvError::PeerDied`] once everything is read and all senders are
    /// gone (the error names the last of them); [`RecvError::Invalid`] for a message that is no archive
    /// of `T`: it is passed over; [`RecvError::Corrupt`] if the ring's words are damaged;
    /// [`RecvError::Forked`] in a child.
    #[inline(always)]
    pub fn recv(&mut self) -> Result<MpmcSample<'_, T, V>, RecvError> {
        let taken = self.bytes.wait(None, Self::USUAL)?;
        self.sample(taken)
    }

    /// The next message if it is there; never waits. Enters the kernel once in 10 ms at most, to look for
    /// what the dead left.
    ///
    /// # Errors
    ///
    /// [`RecvError::Empty`] if it is not, or not yet: also while a sender is just publishing; otherwise as
    /// for [`recv`](MpmcReceiver::recv).
    #[inline(always)]
    pub fn try_recv(&mut self) -> Result<MpmcSample<'_, T, V>, RecvError> {
        let taken = self.bytes.now(1, Self::USUAL)?;
        self.sample(taken)
    }

    /// The next message, waiting up to `timeout` for it.
    ///
    /// # Errors
    ///
    /// [`RecvError::Timeout`] if it did not come; otherwise as for [`recv`](MpmcReceiver::recv).
    #[inline(always)]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<MpmcSample<'_, T, V>, RecvError> {
        let taken = self.bytes.wait(Some(timeout), Self::USUAL)?;
        self.sample(taken)
    }

    /// Hands the messages that are there to `handle`, at most `limit`; returns how many. Never waits.
    ///
    /// Up to 64 messages are claimed at once, for this receiver alone.
    ///
    /// # Errors
    ///
    /// As for [`try_recv`](MpmcReceiver::try_recv), if there was nothing to handle; an invalid message
    /// is reported at once, after those before it were handled.
    #[inline]
    pub fn drain(
        &mut self,
        limit: usize,
        mut handle: impl FnMut(&MpmcSample<'_, T, V>),
    ) -> Result<usize, RecvError> {
        let mut handled = 0;
        while handled < limit {
            let most = (limit - handled) as u64;
            let next = if handled == 0 {
                self.bytes.now(most, Self::USUAL).map(Some)
            } else {
                let found = self.bytes.search.take(most, Self::USUAL);
                found.map_err(|corrupt| self.bytes.corrupt(corrupt))
            };
            match next? {
                Some(taken) => handle(&self.sample(taken)?),
                None => break,
            }
            handled += 1;
        }
        Ok(handled)
    }

    #[inline(always)]
    fn sample(&mut self, taken: Taken) -> Result<MpmcSample<'_, T, V>, RecvError> {
        let hand = &self.bytes.search.hand;
        let ((body, meta), room) = (hand.message(), hand.room());
        let archived = length(meta, room).and_then(|len| {
            // SAFETY: the message is in this receiver's hand, which has `room` initialised bytes, and which
            // nobody writes until it takes another; the sample's borrow puts that off. `len` was loaded
            // once.
            unsafe { V::access::<T>(body, len, room) }
        });
        match archived {
            Ok(archived) => Ok(MpmcSample { archived, taken, receiver: self }),
            Err(reason) => Err(self.bytes.pass_over(taken.position, reason)),
        }
    }

    /// Messages that senders dropped because the ring was full.
    pub fn dropped(&self) -> u64 {
        self.bytes.dropped()
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        self.bytes.channel()
    }

    /// Who sends, or did last, at each of the sending sides.
    pub fn peers(&self) -> &[PeerView] {
        self.bytes.peers()
    }

    /// The channel under the types.
    pub fn bytes(&self) -> &MpmcBytesReceiver {
        &self.bytes
    }
}

/// A message in its receiver's hand: derefs to its archive. When it is dropped, it is done with: if the
/// receiver dies after that, it is not delivered again.
pub struct MpmcSample<'a, T: Message, V: Trust = Checked> {
    archived: &'a T::Archived,
    taken: Taken,
    receiver: &'a mut MpmcReceiver<T, V>,
}

impl<T: Message, V: Trust> Deref for MpmcSample<'_, T, V> {
    type Target = T::Archived;
    #[inline(always)]
    fn deref(&self) -> &T::Archived {
        self.archived
    }
}

impl<T: Message, V: Trust> MpmcSample<'_, T, V> {
    /// The message's position: the number of places claimed before its own, by whichever senders. Those that
    /// senders claimed and died are counted.
    pub fn position(&self) -> u64 {
        self.taken.position
    }

    /// Whether a receiver that died may have read this message: it is delivered again, and later than
    /// messages that were sent after it.
    pub fn redelivered(&self) -> bool {
        self.taken.redelivered
    }
}

impl<T: Message<Archived: fmt::Debug>, V: Trust> fmt::Debug for MpmcSample<'_, T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.archived.fmt(f)
    }
}

impl<T: Message, V: Trust> Drop for MpmcSample<'_, T, V> {
    #[inline(always)]
    fn drop(&mut self) {
        self.receiver.bytes.release();
    }
}
