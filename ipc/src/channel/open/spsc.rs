//! Single-producer single-consumer channels.

use super::ring::side_of;
use super::{Channel, Content, Place, channel_of, kind};
use crate::channel::bytes::{Bytes, BytesReceiver, BytesSender};
use crate::channel::error::OpenError;
use crate::channel::receiver::Receiver;
use crate::channel::sender::Sender;
use crate::channel::standby::Standby;
use crate::channel::trust::{Checked, Trust};
use crate::endpoint::{Endpoint, Role};
use crate::message::Message;
use crate::segment::Segment;
use std::sync::Arc;

/// A single-producer single-consumer channel about to be opened, by `sender()` or `receiver()`.
///
/// See [`Channel`] for what they have in common with all others.
pub type Spsc<T, V = Checked> = Channel<kind::Spsc, T, V>;

impl<T, V: Trust> Spsc<T, V> {
    /// Takes a side of the channel at once.
    fn attach(
        &self,
        role: Role,
        content: &Content<'_>,
    ) -> Result<(Arc<Segment>, Endpoint), OpenError> {
        let segment = self.find(content)?;
        let endpoint = Endpoint::attach(&segment, side_of(channel_of(&segment)?, role)?, role)?;
        Ok((segment, endpoint))
    }

    fn open_sender(&self, content: &Content<'_>) -> Result<BytesSender, OpenError> {
        let (segment, endpoint) = self.attach(Role::Producer, content)?;
        self.send_by(segment, endpoint, 0, content)
    }

    fn open_receiver(&self, content: &Content<'_>) -> Result<BytesReceiver, OpenError> {
        let (segment, endpoint) = self.attach(Role::Consumer, content)?;
        self.receive_by(segment, &Arc::new(endpoint), 0, content)
    }
}

impl<T: Message, V: Trust> Spsc<T, V> {
    /// Opens the sending side, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]: the role is taken by a live process, the channel was made for another
    /// type or geometry, the segment is not one, or the system refused.
    pub fn sender(self) -> Result<Sender<T>, OpenError> {
        Ok(Sender::new(self.open_sender(&Self::typed())?))
    }

    /// Opens the receiving side, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// As for [`sender`](Spsc::sender).
    pub fn receiver(self) -> Result<Receiver<T, V>, OpenError> {
        Ok(Receiver::new(self.open_receiver(&Self::typed())?))
    }

    /// Opens the channel to become its receiver when the present one closes or dies.
    ///
    /// # Errors
    ///
    /// As for [`sender`](Spsc::sender), except that nobody has the role yet.
    pub fn standby(self) -> Result<Standby<T, V>, OpenError> {
        Ok(Standby::new(self.find(&Self::typed())?, self))
    }

    /// Makes a segment without a name that holds this one channel, to hand to another process by
    /// its [`descriptor`](Segment::descriptor). Both sides open it with [`Spsc::given`].
    ///
    /// # Errors
    ///
    /// The geometry is refused, or there is no memory.
    pub fn segment(self) -> Result<Segment, OpenError> {
        self.make_segment(&Self::typed())
    }

    /// Both sides at once, in a segment without a name: for two threads of this process.
    ///
    /// # Errors
    ///
    /// As for [`segment`](Spsc::segment).
    pub fn pair(self) -> Result<(Sender<T>, Receiver<T, V>), OpenError> {
        let content = Self::typed();
        let both = Self { place: Place::Given(Arc::new(self.make_segment(&content)?)), ..self };
        let sender = Sender::new(both.open_sender(&content)?);
        Ok((sender, Receiver::new(both.open_receiver(&content)?)))
    }
}

impl<V: Trust> Spsc<Bytes, V> {
    /// Opens the sending side, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn sender(self) -> Result<BytesSender, OpenError> {
        self.open_sender(&self.bytes())
    }

    /// Opens the receiving side, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn receiver(self) -> Result<BytesReceiver, OpenError> {
        self.open_receiver(&self.bytes())
    }

    /// Opens the channel to become its receiver when the present one closes or dies.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn standby(self) -> Result<Standby<Bytes, V>, OpenError> {
        Ok(Standby::new(self.find(&self.bytes())?, self))
    }

    /// Makes a segment without a name that holds this one channel, to hand to another process by
    /// its [`descriptor`](Segment::descriptor).
    ///
    /// # Errors
    ///
    /// The geometry is refused, or there is no memory.
    pub fn segment(self) -> Result<Segment, OpenError> {
        self.make_segment(&self.bytes())
    }

    /// Both sides at once, in a segment without a name: for two threads of this process.
    ///
    /// # Errors
    ///
    /// As for [`segment`](Spsc::segment).
    pub fn pair(self) -> Result<(BytesSender, BytesReceiver), OpenError> {
        let segment = Place::Given(Arc::new(self.make_segment(&self.bytes())?));
        let both = Self { place: segment, ..self };
        let sender = both.open_sender(&both.bytes())?;
        Ok((sender, both.open_receiver(&both.bytes())?))
    }
}
