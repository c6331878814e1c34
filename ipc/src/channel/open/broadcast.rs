//! Broadcast channels.

use super::{Channel, Content, Place, channel_of, kind, side_of};
use crate::channel::broadcast::bytes::Ways;
use crate::channel::broadcast::{
    BroadcastBytesReceiver, BroadcastBytesSender, BroadcastReceiver, BroadcastSender, Join, Slow,
    map_ring,
};
use crate::channel::bytes::Bytes;
use crate::channel::error::OpenError;
use crate::channel::link::Link;
use crate::channel::trust::{Checked, Trust};
use crate::endpoint::{Endpoint, PeerView, Role};
use crate::message::Message;
use crate::ring::broadcast::{Observer, Producer, Reader};
use crate::segment::{NameError, Segment};
use std::sync::Arc;

/// A broadcast channel about to be opened, by `sender()`, `receiver(..)` or `observer(..)`.
///
/// See [`Channel`] for what they have in common with all others.
pub type Broadcast<T, V = Checked> = Channel<kind::Broadcast, T, V>;

impl<T, V: Trust> Broadcast<T, V> {
    /// Receivers with an endpoint at once, at most (default: 16). Observers need none.
    pub fn readers(mut self, most: u32) -> Self {
        self.kind.readers = Some(most);
        self
    }

    fn open_sender(&self, content: &Content<'_>) -> Result<BroadcastBytesSender, OpenError> {
        let segment = self.find(content)?;
        let info = channel_of(&segment)?;
        let slot = side_of(info, Role::Producer)?;
        let endpoint = Endpoint::attach(&segment, slot, Role::Producer)?;
        // SAFETY: the link keeps the segment mapped, and lives beside the ring's sides.
        let (words, cells) = unsafe { map_ring(info) };
        let receivers = info.sides(Role::Consumer).map(|slot| PeerView::new(&segment, slot));
        let receivers = receivers.collect::<Result<_, _>>()?;
        let (channel, parking) = (info.label().to_owned(), info.geometry().parking());
        let patience = self.patience(parking);
        // It goes on whoever is gone: it watches itself.
        let link =
            Link::new(Arc::clone(&segment), Arc::new(endpoint), slot, channel, patience, parking)?;
        match Producer::take_over(words, parking) {
            Ok(producer) => {
                Ok(BroadcastBytesSender::new(producer, cells, self.on_full, receivers, link))
            }
            Err(source) => Err(OpenError::Corrupt { channel: link.abandon(), source }),
        }
    }

    fn open_receiver(
        &self,
        join: Join,
        slow: Slow,
        content: &Content<'_>,
    ) -> Result<BroadcastBytesReceiver, OpenError> {
        let segment = self.find(content)?;
        let info = channel_of(&segment)?;
        let (place, endpoint) = Endpoint::attach_any(&segment, info, Role::Consumer)?;
        // SAFETY: the link keeps the segment mapped, and lives beside the ring's sides.
        let (words, cells) = unsafe { map_ring(info) };
        let (channel, parking) = (info.label().to_owned(), info.geometry().parking());
        let (sender, patience) = (side_of(info, Role::Producer)?, self.patience(parking));
        let link = Link::new(
            Arc::clone(&segment),
            Arc::new(endpoint),
            sender,
            channel,
            patience,
            parking,
        )?;
        match Reader::join(words, place.into(), join, slow == Slow::Gate, parking) {
            Ok(reader) => Ok(BroadcastBytesReceiver::new(Ways::Tracked(reader), cells, link)),
            Err(source) => Err(OpenError::Corrupt { channel: link.abandon(), source }),
        }
    }

    fn open_observer(
        &self,
        join: Join,
        content: &Content<'_>,
    ) -> Result<BroadcastBytesReceiver, OpenError> {
        let segment = self.look_at(content)?;
        let info = channel_of(&segment)?;
        // SAFETY: the link keeps the segment mapped; observers store nothing.
        let (words, cells) = unsafe { map_ring(info) };
        let (sender, patience) = (side_of(info, Role::Producer)?, self.patience(true));
        let channel = info.label().to_owned();
        let link = Link::looking_on(Arc::clone(&segment), sender, channel, patience)?;
        let ways = Ways::Observing(Observer::new(words, join));
        Ok(BroadcastBytesReceiver::new(ways, cells, link))
    }
}

impl<K: kind::Kind, T, V: Trust> Channel<K, T, V> {
    /// The segment of the channel, to look at: if it has a name, it cannot be written through this.
    pub(super) fn look_at(&self, content: &Content<'_>) -> Result<Arc<Segment>, OpenError> {
        let Place::Named(directory, name) = &self.place else { return self.find(content) };
        let name = name.as_ref().map_err(NameError::clone)?;
        let segment = Arc::new(Segment::observe(directory, name, self.owner, self.map)?);
        self.agree(channel_of(&segment)?, content)?;
        Ok(segment)
    }
}

impl<T: Message, V: Trust> Broadcast<T, V> {
    /// Opens the sending side, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]: the role is taken by a live process, the channel was made for another
    /// type or geometry, the segment is not one, or the system refused.
    pub fn sender(self) -> Result<BroadcastSender<T>, OpenError> {
        Ok(BroadcastSender::new(self.open_sender(&Self::typed())?))
    }

    /// Opens a receiver with an endpoint, making the channel if it does not exist. It begins where
    /// `join` says; `slow` says what becomes of it when it cannot keep up.
    ///
    /// One that is to be [waited for](Slow::Gate) begins with the oldest message that is certain not to
    /// be written over while it comes, which may be up to half a ring later than the oldest there is.
    ///
    /// # Errors
    ///
    /// As for [`sender`](Broadcast::sender), or all places are taken.
    pub fn receiver(self, join: Join, slow: Slow) -> Result<BroadcastReceiver<T, V>, OpenError> {
        Ok(BroadcastReceiver::new(self.open_receiver(join, slow, &Self::typed())?))
    }

    /// Observes a channel that exists: takes no endpoint and writes nothing, and is never waited for or
    /// woken. A channel with a name is mapped such that it cannot be written.
    ///
    /// # Errors
    ///
    /// As for [`sender`](Broadcast::sender), or there is no such channel.
    pub fn observer(self, join: Join) -> Result<BroadcastReceiver<T, V>, OpenError> {
        Ok(BroadcastReceiver::new(self.open_observer(join, &Self::typed())?))
    }

    /// Makes a segment without a name that holds this one channel, to hand to another process by
    /// its [`descriptor`](Segment::descriptor). All sides open it with [`Broadcast::given`](Channel::given).
    ///
    /// # Errors
    ///
    /// The geometry is refused, or there is no memory.
    pub fn segment(self) -> Result<Segment, OpenError> {
        self.make_segment(&Self::typed())
    }
}

impl<V: Trust> Broadcast<Bytes, V> {
    /// Opens the sending side, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn sender(self) -> Result<BroadcastBytesSender, OpenError> {
        self.open_sender(&self.bytes())
    }

    /// Opens a receiver with an endpoint, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn receiver(self, join: Join, slow: Slow) -> Result<BroadcastBytesReceiver, OpenError> {
        self.open_receiver(join, slow, &self.bytes())
    }

    /// Observes a channel that exists.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn observer(self, join: Join) -> Result<BroadcastBytesReceiver, OpenError> {
        self.open_observer(join, &self.bytes())
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
}
