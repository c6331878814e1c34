//! Channels with several senders and several receivers.

use super::{Channel, Content, channel_of, kind};
use crate::channel::bytes::Bytes;
use crate::channel::error::OpenError;
use crate::channel::mpmc::others::Tie;
use crate::channel::mpmc::{MpmcBytesReceiver, MpmcBytesSender, MpmcReceiver, MpmcSender, map};
use crate::channel::trust::{Checked, Trust};
use crate::endpoint::{Endpoint, Role};
use crate::message::Message;
use crate::ring::mpmc::{Receiver, Sender};
use crate::segment::Segment;
use std::sync::Arc;

/// A channel with several senders and several receivers about to be opened, by `sender()` or `receiver()`.
///
/// Each message goes to one receiver, whichever comes first. Messages of one sender are received in the
/// order in which they were sent. See [`Channel`] for what it has in common with all others. Its messages
/// stand in its cells.
///
/// ```
/// use strait_ipc::channel::Mpmc;
///
/// let work = Mpmc::<u64>::unnamed("work").senders(4).receivers(4);
/// let (mut sender, mut receiver) = work.pair()?;
/// sender.send(&7)?;
/// assert_eq!(*receiver.recv()?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Mpmc<T, V = Checked> = Channel<kind::Mpmc, T, V>;

impl<T, V: Trust> Mpmc<T, V> {
    /// Senders at a time, at most (default 16).
    pub fn senders(mut self, most: u32) -> Self {
        self.kind.senders = Some(most);
        self
    }

    /// Receivers at a time, at most (default 16).
    pub fn receivers(mut self, most: u32) -> Self {
        self.kind.receivers = Some(most);
        self
    }

    /// What this receiver has taken when it dies is lost, and not repeated; by default it is delivered again,
    /// to another. Spares it a copy in the segment, and two stores.
    pub fn at_most_once(mut self) -> Self {
        self.kind.at_most_once = true;
        self
    }

    /// Takes a side in this role: its number, whether it may sleep, and its tie to the channel.
    fn attach(&self, role: Role, content: &Content<'_>) -> Result<(u64, bool, Tie), OpenError> {
        let segment = self.find(content)?;
        let info = channel_of(&segment)?;
        let (me, endpoint) = Endpoint::attach_any(&segment, info, role)?;
        let parking = info.geometry().parking();
        let patience = self.patience(parking);
        let tie = Tie::new(Arc::clone(&segment), info, endpoint, role, patience)?;
        Ok((me.into(), parking, tie))
    }

    fn open_sender(&self, content: &Content<'_>) -> Result<MpmcBytesSender, OpenError> {
        let (me, parking, tie) = self.attach(Role::Producer, content)?;
        // SAFETY: the tie keeps the segment mapped, and lives beside the ring's side.
        let (words, bodies) = unsafe { map(channel_of(tie.segment())?) };
        Ok(MpmcBytesSender::new(Sender::new(words, me, parking), bodies, self.on_full, tie))
    }

    fn open_receiver(&self, content: &Content<'_>) -> Result<MpmcBytesReceiver, OpenError> {
        let (me, parking, tie) = self.attach(Role::Consumer, content)?;
        // SAFETY: the tie keeps the segment mapped, and lives beside the ring's side.
        let (words, bodies) = unsafe { map(channel_of(tie.segment())?) };
        let hands = !self.kind.at_most_once;
        let receiver = Receiver::new(words, me, hands, parking);
        Ok(MpmcBytesReceiver::new(receiver, bodies, hands.then_some(me), tie))
    }
}

impl<T: Message, V: Trust> Mpmc<T, V> {
    /// Becomes one of the senders, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]: all sides are taken by live processes, the channel was made for another
    /// type or geometry, the segment is not one, or the system refused.
    pub fn sender(self) -> Result<MpmcSender<T>, OpenError> {
        Ok(MpmcSender::new(self.open_sender(&Self::typed())?))
    }

    /// Becomes one of the receivers, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// As for [`sender`](Mpmc::sender).
    pub fn receiver(self) -> Result<MpmcReceiver<T, V>, OpenError> {
        Ok(MpmcReceiver::new(self.open_receiver(&Self::typed())?))
    }

    /// Makes a segment without a name that holds this one channel, to hand to other processes by
    /// its [`descriptor`](Segment::descriptor). All sides open it with [`Mpmc::given`].
    ///
    /// # Errors
    ///
    /// The geometry is refused, or there is no memory.
    pub fn segment(self) -> Result<Segment, OpenError> {
        self.make_segment(&Self::typed())
    }

    /// One side of each kind, in a segment without a name: for threads of this process.
    ///
    /// # Errors
    ///
    /// As for [`segment`](Mpmc::segment).
    pub fn pair(self) -> Result<(MpmcSender<T>, MpmcReceiver<T, V>), OpenError> {
        let content = Self::typed();
        let segment = Arc::new(self.make_segment(&content)?);
        let both = self.in_segment(segment);
        let sender = MpmcSender::new(both.open_sender(&content)?);
        Ok((sender, MpmcReceiver::new(both.open_receiver(&content)?)))
    }
}

impl<V: Trust> Mpmc<Bytes, V> {
    /// Becomes one of the senders, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn sender(self) -> Result<MpmcBytesSender, OpenError> {
        self.open_sender(&self.bytes())
    }

    /// Becomes one of the receivers, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn receiver(self) -> Result<MpmcBytesReceiver, OpenError> {
        self.open_receiver(&self.bytes())
    }

    /// Makes a segment without a name that holds this one channel, to hand to other processes by
    /// its [`descriptor`](Segment::descriptor).
    ///
    /// # Errors
    ///
    /// The geometry is refused, or there is no memory.
    pub fn segment(self) -> Result<Segment, OpenError> {
        self.make_segment(&self.bytes())
    }
}
