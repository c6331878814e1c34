//! Channels of lanes: many senders with a ring each, one receiver.

use super::kind::Kind;
use super::ring::side_of;
use super::{Channel, Content, channel_of, kind};
use crate::channel::bytes::{Bytes, BytesReceiver, BytesSender};
use crate::channel::error::OpenError;
use crate::channel::lanes::{BytesLanesReceiver, LanesReceiver, Turns};
use crate::channel::link::map_board;
use crate::channel::receiver::Receiver;
use crate::channel::sender::Sender;
use crate::channel::trust::{Checked, Trust};
use crate::endpoint::{Endpoint, Predecessor, Role};
use crate::message::Message;
use crate::segment::Segment;
use std::sync::Arc;

/// A channel of several senders, each with a lane of its own, and one receiver: about to be opened, by
/// `sender()` or `receiver()`.
///
/// A sender is one as of a [`Spsc`](super::Spsc) channel, and its messages arrive in order, each once,
/// for the price of one; between the lanes there is no order. Senders come and go: one takes the first lane
/// that nobody has, and goes on in it where the last one stopped. See [`Channel`] for what lanes have
/// in common with all others; capacity, arena and blocks are those of each lane.
pub type Lanes<T, V = Checked> = Channel<kind::Lanes, T, V>;

impl<K: Kind, T, V: Trust> Channel<K, T, V> {
    /// Takes the receiving half of each lane over; and in which turn they are looked at, and who had them
    /// before.
    pub(in crate::channel) fn open_lanes(
        &self,
        segment: &Arc<Segment>,
        content: &Content<'_>,
    ) -> Result<(Vec<BytesReceiver>, Turns, Predecessor), OpenError> {
        let info = channel_of(segment)?;
        let role = Role::Consumer;
        let slot = side_of(info, role)?;
        // SAFETY: the lanes keep the segment mapped, and are dropped after the turns.
        let board = unsafe { map_board(info) };
        let board = board.ok_or_else(|| OpenError::NoSide { channel: self.label(), role })?;
        let geometry = info.geometry();
        let turns = Turns::new(board, geometry.rings(), self.patience(geometry.parking()));
        let endpoint = Arc::new(Endpoint::attach(segment, slot, role)?);
        let lane = |lane| self.receive_by(Arc::clone(segment), &endpoint, lane, content);
        let lanes = (0..geometry.rings()).map(lane).collect::<Result<_, _>>()?;
        Ok((lanes, turns, endpoint.predecessor()))
    }
}

impl<T, V: Trust> Lanes<T, V> {
    /// How many senders there may be at once: 1 to 256 (default 16).
    pub fn senders(mut self, senders: u32) -> Self {
        self.kind.senders = Some(senders);
        self
    }

    fn open_sender(&self, content: &Content<'_>) -> Result<BytesSender, OpenError> {
        let segment = self.find(content)?;
        let info = channel_of(&segment)?;
        let (lane, endpoint) = Endpoint::attach_any(&segment, info, Role::Producer)?;
        self.send_by(segment, endpoint, lane, content)
    }

    /// The receiving half of each lane, and in which turn they are looked at.
    fn open_receivers(
        &self,
        content: &Content<'_>,
    ) -> Result<(Vec<BytesReceiver>, Turns), OpenError> {
        let (lanes, turns, _) = self.open_lanes(&self.find(content)?, content)?;
        Ok((lanes, turns))
    }
}

impl<T: Message, V: Trust> Lanes<T, V> {
    /// Opens a sending side, making the channel if it does not exist: the first lane that nobody has.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]: all lanes are taken by live processes, the channel was made for another
    /// type or geometry, the segment is not one, or the system refused.
    pub fn sender(self) -> Result<Sender<T>, OpenError> {
        Ok(Sender::new(self.open_sender(&Self::typed())?))
    }

    /// Opens the receiving side, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// As for [`sender`](Lanes::sender).
    pub fn receiver(self) -> Result<LanesReceiver<T, V>, OpenError> {
        let (lanes, turns) = self.open_receivers(&Self::typed())?;
        Ok(LanesReceiver::new(lanes.into_iter().map(Receiver::new).collect(), turns))
    }

    /// Makes a segment without a name that holds this one channel, to hand to other processes by
    /// its [`descriptor`](Segment::descriptor). All sides open it with [`Lanes::given`].
    ///
    /// # Errors
    ///
    /// The geometry is refused, or there is no memory.
    pub fn segment(self) -> Result<Segment, OpenError> {
        self.make_segment(&Self::typed())
    }
}

impl<V: Trust> Lanes<Bytes, V> {
    /// Opens a sending side, making the channel if it does not exist: the first lane that nobody has.
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
    pub fn receiver(self) -> Result<BytesLanesReceiver, OpenError> {
        let (lanes, turns) = self.open_receivers(&self.bytes())?;
        Ok(BytesLanesReceiver::new(lanes, turns))
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
