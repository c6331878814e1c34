//! The typed receiver.

use super::bytes::{Body, BytesReceiver};
use super::error::{DescriptorError, RecvError};
use super::kept::Owned;
use super::link::{Cell, Link};
use super::trust::{Checked, Trust};
use crate::endpoint::PeerView;
use crate::message::{Invalid, Message};
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::time::Duration;

/// Receives messages of type `T` in place. There is one per channel: it is not `Clone`, and `&mut`
/// to use.
///
/// `V` says whether archives are validated before they are handed out; it follows the domain.
#[derive(Debug)]
pub struct Receiver<T: Message, V: Trust = Checked> {
    bytes: BytesReceiver,
    of: PhantomData<fn() -> (T, V)>,
}

impl<T: Message, V: Trust> Receiver<T, V> {
    pub(super) fn new(bytes: BytesReceiver) -> Self {
        Self { bytes, of: PhantomData }
    }

    /// The next message, waiting for it.
    ///
    /// # Errors
    ///
    /// [`RecvError::Closed`] and [`RecvError::PeerDied`] once everything is read and the sender is
    /// gone (a later call waits for its successor if one has attached by then);
    /// [`RecvError::Invalid`] for a message that is no archive of `T`: it is passed over;
    /// [`RecvError::Corrupt`] if the ring's words are damaged; [`RecvError::Forked`] in a child.
    #[inline(always)]
    pub fn recv(&mut self) -> Result<Sample<'_, T, V>, RecvError> {
        let position = self.bytes.ready(None)?;
        self.sample(position)
    }

    /// The next message if it is there; never waits, never enters the kernel.
    ///
    /// # Errors
    ///
    /// [`RecvError::Empty`] if it is not; otherwise as for [`recv`](Receiver::recv), except that a
    /// sender that died looks merely silent until somebody notices: finding out takes a system call,
    /// which `recv` and [`peer`](Receiver::peer) make, once for all.
    #[inline(always)]
    pub fn try_recv(&mut self) -> Result<Sample<'_, T, V>, RecvError> {
        let position = self.bytes.ready_now()?;
        self.sample(position)
    }

    /// The next message, waiting up to `timeout` for it.
    ///
    /// # Errors
    ///
    /// [`RecvError::Timeout`] if it did not come; otherwise as for [`recv`](Receiver::recv).
    #[inline(always)]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Sample<'_, T, V>, RecvError> {
        let position = self.bytes.ready(Some(timeout))?;
        self.sample(position)
    }

    /// The channel under the types.
    pub(crate) fn bytes(&mut self) -> &mut BytesReceiver {
        &mut self.bytes
    }

    pub(super) fn link(&self) -> &Link {
        self.bytes.link()
    }

    /// A descriptor for `epoll` and its like: readable when a message has come, or the sender is gone,
    /// or once a [slice](super::Spsc::slice), to look whether it is. It may be readable for no reason.
    ///
    /// Before waiting for it, receive with [`try_recv`](Receiver::try_recv) (or
    /// [`drain`](Receiver::drain)) until there is nothing left: the call that says so makes the
    /// descriptor unreadable until a message comes. It is meant to be added to an `epoll` or the like
    /// once, and closed with the receiver.
    ///
    /// Where the sender has another network namespace, a message is found at the end of the slice only.
    ///
    /// # Errors
    ///
    /// [`DescriptorError`]: the channel was made for sides that never sleep, or the system refuses.
    pub fn descriptor(&mut self) -> Result<BorrowedFd<'_>, DescriptorError> {
        self.bytes.descriptor()
    }

    /// Hands the messages that are there to `handle`, at most `limit`; returns how many. Never waits.
    ///
    /// Each message is released when `handle` returns.
    ///
    /// # Errors
    ///
    /// As for [`try_recv`](Receiver::try_recv), if there was nothing to handle; an invalid message
    /// is reported at once, after those before it were handled.
    #[inline]
    pub fn drain(
        &mut self,
        limit: usize,
        mut handle: impl FnMut(&T::Archived),
    ) -> Result<usize, RecvError> {
        let mut handled = 0;
        while handled < limit {
            match self.bytes.ready_now() {
                Ok(position) => handle(&*self.sample(position)?),
                Err(_) if handled > 0 => break,
                Err(error) => return Err(error),
            }
            handled += 1;
        }
        Ok(handled)
    }

    #[inline(always)]
    pub(super) fn sample(&mut self, position: u64) -> Result<Sample<'_, T, V>, RecvError> {
        let (cell, room) = self.bytes.cell(position);
        let archived = match cell.len(room) {
            // SAFETY: the message at `position` is published, so its sender leaves it alone until it is
            // released, which the sample's borrow of the receiver puts off; `len` was loaded once.
            Ok(len) => unsafe { V::access::<T>(cell.body(), len, room) },
            // SAFETY: as above.
            Err(unknown) => unsafe { self.elsewhere(cell, unknown) },
        };
        match archived {
            Ok(archived) => Ok(Sample { archived, receiver: self }),
            Err(reason) => Err(self.bytes.pass_over(position, reason)),
        }
    }

    /// The message that does not stand in this cell; or that the cell's kind is `unknown`.
    ///
    /// # Safety
    ///
    /// The message is published, and not released during `'a`.
    #[cold]
    #[inline(never)]
    unsafe fn elsewhere<'a>(
        &mut self,
        cell: Cell,
        unknown: Invalid,
    ) -> Result<&'a T::Archived, Invalid> {
        let Body { start, len, room } = self.bytes.find_elsewhere(cell, unknown)?;
        // SAFETY: the caller vouches for the message; its length was loaded once.
        unsafe { V::access::<T>(start, len, room) }
    }

    /// The position of the next message: the number of messages before it.
    pub fn position(&self) -> u64 {
        self.bytes.position()
    }

    /// Messages that senders dropped because the ring was full.
    pub fn dropped(&self) -> u64 {
        self.bytes.dropped()
    }

    /// Number of senders that have owned the channel, and the position at which the present began.
    pub fn sender_incarnation(&self) -> (u64, u64) {
        self.bytes.sender_incarnation()
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        self.bytes.channel()
    }

    /// Who sends, or did last, and how that process is doing.
    pub fn peer(&self) -> &PeerView {
        self.bytes.peer()
    }
}

/// A message in place: derefs to its archive. Dropping it gives the cell back to the sender.
///
/// For plain types the archive is the type itself. A forked child inherits the value but not the
/// memory: there, it may only be dropped.
pub struct Sample<'a, T: Message, V: Trust = Checked> {
    archived: &'a T::Archived,
    receiver: &'a mut Receiver<T, V>,
}

impl<T: Message, V: Trust> Deref for Sample<'_, T, V> {
    type Target = T::Archived;
    #[inline(always)]
    fn deref(&self) -> &T::Archived {
        self.archived
    }
}

impl<T: Message, V: Trust> Sample<'_, T, V> {
    /// The message's position: the number of messages before it.
    pub fn position(&self) -> u64 {
        self.receiver.position()
    }

    /// Who has the side that it came from, or had it last: its sender, or a successor of that.
    pub fn peer(&self) -> &PeerView {
        self.receiver.peer()
    }

    /// Whether the receiver before this one died and may have read this message: it is delivered
    /// again. At most one message is, the first that a successor finds.
    pub fn redelivered(&self) -> bool {
        self.receiver.bytes.redelivered(self.receiver.position())
    }

    /// Keeps the message beyond the next one: it goes on being read in place, by whatever thread, after
    /// its receiver is gone, and its block goes back to the sender when it is dropped. A sender whose
    /// blocks are all kept finds the channel full.
    ///
    /// # Errors
    ///
    /// The sample itself, if the channel was made without [`blocks`](super::Spsc::blocks).
    pub fn keep(self) -> Result<Owned<T, V>, Self> {
        let sample = ManuallyDrop::new(self);
        // SAFETY: moved out of a value that is neither used nor dropped from here on.
        let receiver = unsafe { std::ptr::read(&raw const sample.receiver) };
        match receiver.bytes.keep() {
            Some(block) => Ok(Owned::new(NonNull::from(sample.archived), block)),
            None => Err(Self { archived: sample.archived, receiver }),
        }
    }

    /// Which sender sent it: how many had owned the channel, that one included.
    ///
    /// `None` if that is not known: dense cells tell the latest sender's messages from all others'
    /// only, wide cells tell the last 65,536 senders apart.
    pub fn sender_incarnation(&self) -> Option<u64> {
        self.receiver.bytes.incarnation_of(self.receiver.position())
    }
}

impl<T: Message<Archived: fmt::Debug>, V: Trust> fmt::Debug for Sample<'_, T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.archived.fmt(f)
    }
}

impl<T: Message, V: Trust> Drop for Sample<'_, T, V> {
    #[inline(always)]
    fn drop(&mut self) {
        self.receiver.bytes.release();
    }
}
