//! Broadcast channels: one sender, and all messages to all receivers.
//!
//! | module | what lives there |
//! |---|---|
//! | [`sender`] | the sending side, of bytes and of messages |
//! | [`bytes`] | the receiving side of bytes, however it reads |
//! | [`receiver`] | the receiving side of messages |
//!
//! A receiver either has an endpoint, of which there are as many as the channel was made for, or
//! observes: then it only looks, from memory that it cannot write, and nobody knows of it. What a slow
//! receiver means to the sender, it chooses itself ([`Slow`]).

pub mod bytes;
pub mod receiver;
pub mod sender;

pub use bytes::{BroadcastBytesReceiver, BroadcastReceived};
pub use receiver::{BroadcastReceiver, BroadcastSample};
pub use sender::{BroadcastBytesSender, BroadcastSender};

pub use crate::ring::broadcast::Join;

use super::copied::OpenCell;
use crate::ring::broadcast::Words;
use crate::segment::ChannelInfo;
use strait_pools::placement::{Mapped, MappedMany, MappedOne};

/// What becomes of a receiver that cannot keep up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Slow {
    /// The sender waits for it: nothing is lost while it lives. Messages are read in place.
    #[default]
    Gate,
    /// It is overrun: it is told how many messages it lost, and goes on. Messages are read from copies.
    Demote,
}

/// Where the cells are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cells {
    /// Bytes a body holds.
    room: usize,
}

impl Cells {
    /// Bytes a body holds.
    #[inline(always)]
    pub(super) fn room(self) -> usize {
        self.room
    }

    /// The cell of the message at `position`.
    #[inline(always)]
    pub(super) fn at(self, words: &Words<Mapped>, position: u64) -> OpenCell {
        // SAFETY: the states were mapped at the distance of cells of that room, and whoever has the words
        // keeps them mapped.
        unsafe { OpenCell::new(words.states.address(position), self.room) }
    }
}

/// The ring's words and cells in a channel's regions.
///
/// # Safety
///
/// The segment stays mapped for as long as either is used; if it is mapped for reading alone, nothing is
/// stored.
///
/// # Panics
///
/// Never: the segment's regions were cut to the geometry's sizes.
pub(super) unsafe fn map_ring(info: &ChannelInfo) -> (Words<Mapped>, Cells) {
    const CUT: &str = "regions are cut to the geometry when the segment is opened";
    let (producer, consumer) = (info.producer_region(), info.consumer_region());
    let (geometry, (_, places)) = (info.geometry(), info.geometry().discipline().sides());
    let offset = geometry.cells_offset();
    let cells = producer.window(offset, producer.len() - offset).expect(CUT);
    let stride = geometry.stride();
    let places = u64::from(places.next_power_of_two());
    // SAFETY: the caller keeps the segment mapped.
    let head = unsafe { MappedOne::new(&producer, 0) }.expect(CUT);
    // SAFETY: as above.
    let readers = unsafe { MappedMany::new(&consumer, PLACE_BYTES, places) }.expect(CUT);
    // SAFETY: as above.
    let states = unsafe { MappedMany::new(&cells, stride, geometry.capacity()) }.expect(CUT);
    (Words { head, readers, states }, Cells { room: geometry.cell().body_bytes() })
}

const PLACE_BYTES: usize = size_of::<crate::ring::broadcast::layout::ReaderLines>();

/// Whether nothing was ever sent, or a receiver with an endpoint has read everything.
pub(super) fn everything_read(words: &Words<Mapped>) -> bool {
    let next = words.next();
    next == 0 || (0..words.places()).any(|place| words.cursor(place) >= next)
}
