//! A ring for several on both sides.

use super::{Flow, Parts, Side, sum, word};
use crate::endpoint::Role;
use crate::ring::mpmc::layout::{IndexLines, ReceiverLine, SenderLine};
use crate::ring::spsc::Corrupt;
use crate::segment::codec::Channel;
use std::fs::File;
use std::io;
use std::mem::offset_of;

/// Its flow. What is in the hands of receivers is not read yet; a place at which a sender died counts until
/// it is passed.
pub(super) fn read(
    file: &File,
    channel: &Channel,
    (senders, receivers): (u32, u32),
    sides: &[Side],
) -> io::Result<Flow> {
    let (producer, consumer) = (channel.producer_offset, channel.consumer_offset);
    // Lines of both kinds have one size.
    let (first, line) = (size_of::<IndexLines>() as u64, size_of::<SenderLine>() as u64);
    // In this order: of a ring in motion, the head is then not ahead of the tail.
    let head = word(file, consumer)?;
    let tail = word(file, producer)?;
    let each = |count: u32, start: u64, offset: usize| {
        (0..u64::from(count))
            .map(|side| word(file, start + first + line * side + offset as u64))
            .collect::<io::Result<Vec<_>>>()
    };
    let dropped = sum(each(senders, producer, offset_of!(SenderLine, dropped))?);
    let hands = each(receivers, consumer, offset_of!(ReceiverLine, hand))?;
    let in_hand = hands.iter().filter(|&&hand| hand != 0).count() as u64;
    let waiting = tail.wrapping_sub(head);
    let unread = if waiting <= channel.geometry.capacity() {
        Ok(waiting + in_hand)
    } else {
        Err(Corrupt { word: "tail", found: tail, position: head })
    };
    // Each life of a side is an epoch of its endpoint.
    let lives = |role| {
        let of = sides.iter().filter(|side| side.role == role);
        sum(of.map(|side| side.holder.epoch))
    };
    Ok(Flow {
        sent: tail,
        unread,
        consumed: head.saturating_sub(in_hand),
        dropped,
        producers: lives(Role::Producer),
        consumers: lives(Role::Consumer),
        parts: Parts::InHand(in_hand),
    })
}
