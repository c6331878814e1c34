//! Taking over half of a single-producer single-consumer ring: a channel's only one, or one of its lanes.

use super::kind::Kind;
use super::{Channel, Content, channel_of};
use crate::channel::bytes::{BytesReceiver, BytesSender, Supply};
use crate::channel::error::OpenError;
use crate::channel::link::{Cells, Link, map_blocks, map_board, map_ring};
use crate::channel::ringing::ringer;
use crate::channel::trust::Trust;
use crate::endpoint::{Endpoint, Predecessor, Role};
use crate::ring::blocks::{Blocks, Owner};
use crate::ring::lanes::Seat;
use crate::ring::parking::Ringer;
use crate::ring::spsc::{Consumer, Producer, Words};
use crate::segment::{ChannelInfo, Segment};
use std::sync::Arc;
use strait_pools::placement::Mapped;

impl<K: Kind, T, V: Trust> Channel<K, T, V> {
    /// What a side needs besides its half of ring number `ring`.
    fn tie(
        &self,
        segment: Arc<Segment>,
        endpoint: Arc<Endpoint>,
        (role, ring): (Role, u32),
        content: &Content<'_>,
    ) -> Result<Opened, OpenError> {
        let info = channel_of(&segment)?;
        let slot = |role| match role {
            Role::Producer => Ok(side_of(info, role)? + ring),
            Role::Consumer => side_of(info, role),
        };
        // SAFETY: the link keeps the segment mapped, and lives beside the ring's sides.
        let (words, cells) = unsafe { map_ring(info, ring, content.least) };
        let me = Owner::new(slot(role)?, endpoint.epoch());
        // SAFETY: as above; what is kept keeps the segment mapped as well.
        let blocks = unsafe { map_blocks(info, ring) }.map(|blocks| (blocks, me));
        // SAFETY: as above.
        let board = unsafe { map_board(info) };
        let seat = board.map(|board| Seat::new(board, ring, info.geometry().rings()));
        let (channel, peer) = (info.label().to_owned(), slot(role.other())?);
        let parking = info.geometry().parking();
        let patience = self.patience(parking);
        let link = Link::new(segment, endpoint, peer, channel, patience, parking)?;
        let ringer = parking.then(ringer);
        Ok(Opened { words, cells, blocks, link, ringer, seat })
    }

    /// Takes the sending half of ring number `ring` over. The endpoint is held.
    pub(in crate::channel) fn send_by(
        &self,
        segment: Arc<Segment>,
        endpoint: Endpoint,
        ring: u32,
        content: &Content<'_>,
    ) -> Result<BytesSender, OpenError> {
        let opened = self.tie(segment, Arc::new(endpoint), (Role::Producer, ring), content)?;
        let Opened { words, cells, blocks, link, ringer, seat } = opened;
        let taken = Producer::take_over(words, ringer).and_then(|mut producer| {
            let supply = Supply::adopt(&mut producer, &cells, blocks)?;
            Ok((producer, supply))
        });
        match taken {
            Ok((producer, supply)) => {
                let producer = match seat {
                    Some(seat) => producer.seated(seat),
                    None => producer,
                };
                Ok(BytesSender::new(producer, cells, supply, self.on_full, link))
            }
            Err(source) => Err(OpenError::Corrupt { channel: link.abandon(), source }),
        }
    }

    /// Takes the receiving half of ring number `ring` over. The endpoint is held.
    pub(in crate::channel) fn receive_by(
        &self,
        segment: Arc<Segment>,
        endpoint: &Arc<Endpoint>,
        ring: u32,
        content: &Content<'_>,
    ) -> Result<BytesReceiver, OpenError> {
        let died = matches!(endpoint.predecessor(), Predecessor::Died { .. });
        let opened = self.tie(segment, Arc::clone(endpoint), (Role::Consumer, ring), content)?;
        let Opened { words, cells, blocks, link, ringer, .. } = opened;
        match Consumer::take_over(words, died, ringer) {
            Ok(consumer) => Ok(BytesReceiver::new(consumer, cells, blocks, link)),
            Err(source) => Err(OpenError::Corrupt { channel: link.abandon(), source }),
        }
    }
}

/// The endpoint of the first side in this role.
pub(in crate::channel) fn side_of(info: &ChannelInfo, role: Role) -> Result<u32, OpenError> {
    let none = || OpenError::NoSide { channel: info.label().to_owned(), role };
    info.sides(role).next().ok_or_else(none)
}

/// An attached ring before its side is taken over.
struct Opened {
    words: Words<Mapped>,
    cells: Cells,
    /// With the name by which this side owns some of them.
    blocks: Option<(Blocks<Mapped>, Owner)>,
    link: Link,
    /// On channels whose sides may sleep.
    ringer: Option<Ringer>,
    /// Of a lane.
    seat: Option<Seat<Mapped>>,
}
