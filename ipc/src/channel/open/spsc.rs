//! Single-producer single-consumer channels.

use super::{Channel, Content, Place, channel_of, kind};
use crate::channel::bytes::{Bytes, BytesReceiver, BytesSender, Supply};
use crate::channel::error::OpenError;
use crate::channel::link::{Cells, Link, map_blocks, map_ring};
use crate::channel::receiver::Receiver;
use crate::channel::ringing::ringer;
use crate::channel::sender::Sender;
use crate::channel::standby::Standby;
use crate::channel::trust::{Checked, Trust};
use crate::endpoint::{Endpoint, Predecessor, Role};
use crate::message::Message;
use crate::ring::blocks::{Blocks, Owner};
use crate::ring::parking::Ringer;
use crate::ring::spsc::{Consumer, Producer, Words};
use crate::segment::{ChannelInfo, Segment};
use std::sync::Arc;
use strait_pools::placement::Mapped;

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

    /// What a side needs besides its half of the ring.
    fn tie(
        &self,
        segment: Arc<Segment>,
        endpoint: Endpoint,
        role: Role,
        content: &Content<'_>,
    ) -> Result<Opened, OpenError> {
        let info = channel_of(&segment)?;
        let peer = side_of(info, role.other())?;
        // SAFETY: the link keeps the segment mapped, and lives beside the ring's sides.
        let (words, cells) = unsafe { map_ring(info, content.least) };
        let me = Owner::new(side_of(info, role)?, endpoint.epoch());
        // SAFETY: as above; what is kept keeps the segment mapped as well.
        let blocks = unsafe { map_blocks(info) }.map(|blocks| (blocks, me));
        let channel = info.label().to_owned();
        let parking = info.geometry().parking();
        let patience = self.patience(parking);
        let link = Link::new(segment, endpoint, peer, channel, patience, parking)?;
        let ringer = parking.then(ringer);
        Ok(Opened { words, cells, blocks, link, ringer })
    }

    fn open_sender(&self, content: &Content<'_>) -> Result<BytesSender, OpenError> {
        let role = Role::Producer;
        let (segment, endpoint) = self.attach(role, content)?;
        let opened = self.tie(segment, endpoint, role, content)?;
        let Opened { words, cells, blocks, link, ringer } = opened;
        let taken = Producer::take_over(words, ringer).and_then(|mut producer| {
            let supply = Supply::adopt(&mut producer, &cells, blocks)?;
            Ok((producer, supply))
        });
        match taken {
            Ok((producer, supply)) => {
                Ok(BytesSender::new(producer, cells, supply, self.on_full, link))
            }
            Err(source) => Err(OpenError::Corrupt { channel: link.abandon(), source }),
        }
    }

    fn open_receiver(&self, content: &Content<'_>) -> Result<BytesReceiver, OpenError> {
        let (segment, endpoint) = self.attach(Role::Consumer, content)?;
        self.receive(segment, endpoint, content)
    }

    /// Takes the receiving half of the ring over. The endpoint is held.
    pub(in crate::channel) fn receive(
        &self,
        segment: Arc<Segment>,
        endpoint: Endpoint,
        content: &Content<'_>,
    ) -> Result<BytesReceiver, OpenError> {
        let died = matches!(endpoint.predecessor(), Predecessor::Died { .. });
        let role = Role::Consumer;
        let opened = self.tie(segment, endpoint, role, content)?;
        let Opened { words, cells, blocks, link, ringer } = opened;
        match Consumer::take_over(words, died, ringer) {
            Ok(consumer) => Ok(BytesReceiver::new(consumer, cells, blocks, link)),
            Err(source) => Err(OpenError::Corrupt { channel: link.abandon(), source }),
        }
    }
}

/// The endpoint of the only side in this role.
pub(in crate::channel) fn side_of(info: &ChannelInfo, role: Role) -> Result<u32, OpenError> {
    let none = || OpenError::NoSide { channel: info.label().to_owned(), role };
    info.sides(role).next().ok_or_else(none)
}

/// An attached channel before its side is taken over.
struct Opened {
    words: Words<Mapped>,
    cells: Cells,
    /// With the name by which this side owns some of them.
    blocks: Option<(Blocks<Mapped>, Owner)>,
    link: Link,
    /// On channels whose sides may sleep.
    ringer: Option<Ringer>,
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
