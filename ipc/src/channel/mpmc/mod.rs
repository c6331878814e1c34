//! Channels with several senders and several receivers: each message goes to one receiver.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | where the ring's words and bodies are |
//! | `others` | who else is there, and whether they live |
//! | [`bytes`] | to send and receive messages without a Rust type |
//! | [`receiver`] | to receive: messages are read in this receiver's hand |
//! | `search` | where a receiver's messages come from, what the dead left included |
//! | [`sender`] | to send: messages are built before a place is claimed |
//!
//! The ring is [`ring::mpmc`](crate::ring::mpmc), which says what happens when a process dies in it.
//! No user's code runs while a position is claimed: senders build archives in memory of their own and copy
//! them, and receivers copy them out of their cells before they look at them.

pub mod bytes;
pub(super) mod others;
pub mod receiver;
mod search;
pub mod sender;

pub use bytes::{MpmcBytesReceiver, MpmcBytesSender, MpmcReceived};
pub use receiver::{MpmcReceiver, MpmcSample};
pub use sender::MpmcSender;

use crate::ring::geometry::Discipline;
use crate::ring::layout::CellHead;
use crate::ring::mpmc::layout::{IndexLines, SenderLine, consumer_lines, hand_stride};
use crate::ring::mpmc::{Source, Words};
use crate::segment::ChannelInfo;
use strait_pools::placement::{Many, Mapped, MappedMany, MappedOne};
use strait_pools::sync::Ordering::Relaxed;

/// Where bodies are: those in cells, and those in receivers' hands.
#[derive(Clone, Debug)]
pub(super) struct Bodies {
    cells: MappedMany<CellHead>,
    hands: MappedMany<CellHead>,
    /// Bytes a body holds.
    room: usize,
}

/// A head with its body: a cell, or a hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    head: &'a CellHead,
    body: *mut u8,
}

/// The words and the bodies of a channel of this discipline.
///
/// # Safety
///
/// The segment stays mapped for as long as either is used.
///
/// # Panics
///
/// If the channel is of another discipline. The segment's regions were cut to the geometry's sizes.
pub(super) unsafe fn map(info: &ChannelInfo) -> (Words<Mapped>, Bodies) {
    const CUT: &str = "regions are cut to the geometry when the segment is opened";
    let geometry = info.geometry();
    let Discipline::Mpmc { senders, receivers } = geometry.discipline() else {
        panic!("a channel of another discipline");
    };
    let (stride, capacity) = (geometry.cell().stride(), geometry.capacity());
    let (producers, consumers) = (info.producer_region(), info.consumer_region());
    let from = |region: &strait_pools::region::Region, start: usize| {
        region.window(start, region.len() - start).expect(CUT)
    };
    // Lines of both kinds have one size.
    let (first, line) = (size_of::<IndexLines>(), size_of::<SenderLine>());
    let cells = from(&producers, geometry.cells_offset());
    let hands = from(&consumers, consumer_lines(receivers));
    let (sender_lines, receiver_lines) = (from(&producers, first), from(&consumers, first));
    let (senders, receivers) = (senders.next_power_of_two(), receivers.next_power_of_two());
    // SAFETY: the caller keeps the segment mapped.
    let tail = unsafe { MappedOne::new(&producers, 0) }.expect(CUT);
    // SAFETY: as above.
    let head = unsafe { MappedOne::new(&consumers, 0) }.expect(CUT);
    // SAFETY: as above.
    let senders = unsafe { MappedMany::new(&sender_lines, line, senders.into()) }.expect(CUT);
    // SAFETY: as above.
    let lines = unsafe { MappedMany::new(&receiver_lines, line, receivers.into()) }.expect(CUT);
    // SAFETY: as above.
    let states = unsafe { MappedMany::new(&cells, stride, capacity) }.expect(CUT);
    // SAFETY: as above.
    let cells = unsafe { MappedMany::new(&cells, stride, capacity) }.expect(CUT);
    // SAFETY: as above.
    let hands = unsafe { MappedMany::new(&hands, hand_stride(stride), receivers.into()) };
    let hands = hands.expect(CUT);
    let bodies = Bodies { cells, hands, room: geometry.cell().body_bytes() };
    (Words { tail, head, senders, receivers: lines, states }, bodies)
}

impl Bodies {
    /// Bytes a body holds.
    #[inline(always)]
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// The cell of a position.
    #[inline(always)]
    pub(super) fn cell(&self, position: u64) -> Place<'_> {
        Self::place(&self.cells, position)
    }

    /// The hand of a receiver.
    #[inline(always)]
    pub(super) fn hand(&self, receiver: u64) -> Place<'_> {
        Self::place(&self.hands, receiver)
    }

    /// Where a message is to be copied from.
    #[inline(always)]
    pub(super) fn source(&self, source: Source) -> Place<'_> {
        match source {
            Source::Cell(position) => self.cell(position),
            Source::Hand(receiver) => self.hand(receiver),
        }
    }

    #[inline(always)]
    fn place(places: &MappedMany<CellHead>, index: u64) -> Place<'_> {
        let start = places.address(index).as_ptr();
        // SAFETY: the stride holds the head and the body, so the body is inside the place.
        let body = unsafe { start.add(size_of::<CellHead>()) };
        Place { head: places.at(index), body }
    }
}

impl Place<'_> {
    /// The word that tells the length.
    #[inline(always)]
    pub(super) fn meta(&self) -> u64 {
        self.head.meta.load(Relaxed)
    }

    /// Notes the word that tells the length. Published by what follows.
    #[inline(always)]
    pub(super) fn describe(&self, meta: u64) {
        self.head.meta.store(meta, Relaxed);
    }

    /// The address of the body, 16-aligned.
    #[inline(always)]
    pub(super) fn body(&self) -> *mut u8 {
        self.body
    }
}
