//! A ring of one sender and one receiver: alone, as a lane, or of calls.

use super::cells::Cells;
use super::{Flow, Parts, Side, distance, read_array, sum};
use crate::ring::layout::{ConsumerLines, ProducerLines};
use crate::ring::spsc::{Corrupt, ahead};
use crate::segment::codec::{Channel, Reader};
use std::fs::File;
use std::io;
use std::mem::offset_of;

/// What has gone through the ring of one sender of several, and what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneFlow {
    /// Whose it is: which of the channel's sides in the producers' role.
    pub sender: usize,
    /// Messages that were sent.
    pub sent: u64,
    /// Messages that were sent and not read, or why that cannot be known.
    pub unread: Result<u64, Corrupt>,
    /// Messages dropped because the ring was full.
    pub dropped: u64,
}

/// Looks at a ring in motion. The last one counts.
const ATTEMPTS: u32 = 2;

/// The flow of a channel that is one ring.
pub(super) fn pair(file: &File, channel: &Channel, sides: &[Side]) -> io::Result<Flow> {
    Ring::new(file, channel, sides, 0).read()
}

/// The flow of a channel with a ring for each sender.
pub(super) fn lanes(file: &File, channel: &Channel, sides: &[Side]) -> io::Result<Flow> {
    // What nobody ever had is empty.
    let taken = |&sender: &usize| sides.get(sender).is_none_or(|side| side.holder.epoch > 0);
    let rings = (0..channel.geometry.rings()).zip(0..).filter(|(_, sender)| taken(sender));
    let flows = rings
        .map(|(index, sender)| Ok((sender, Ring::new(file, channel, sides, index).read()?)))
        .collect::<io::Result<Vec<(usize, Flow)>>>()?;
    let total = |of: fn(&Flow) -> u64| sum(flows.iter().map(|(_, flow)| of(flow)));
    let unread = flows.iter().map(|(_, flow)| flow.unread);
    let lane = |(sender, flow): &(usize, Flow)| {
        let Flow { sent, unread, dropped, .. } = *flow;
        LaneFlow { sender: *sender, sent, unread, dropped }
    };
    Ok(Flow {
        sent: total(|flow| flow.sent),
        unread: unread.collect::<Result<Vec<_>, _>>().map(sum),
        consumed: total(|flow| flow.consumed),
        dropped: total(|flow| flow.dropped),
        producers: total(|flow| flow.producers),
        // The one consumer counts itself in each.
        consumers: flows.iter().map(|(_, flow)| flow.consumers).max().unwrap_or(0),
        parts: Parts::Lanes(flows.iter().map(lane).collect()),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Words {
    hint: u64,
    dropped: u64,
    producers: u64,
    consumed: u64,
    cursor: u64,
    consumers: u64,
}

struct Ring<'a> {
    file: &'a File,
    channel: &'a Channel,
    cells: Cells<'a>,
    producer: u64,
    consumer: u64,
    /// Whether its producer lives: only the dead leave cells behind the first one missing.
    in_order: bool,
}

impl<'a> Ring<'a> {
    fn new(file: &'a File, channel: &'a Channel, sides: &[Side], index: u32) -> Self {
        let geometry = channel.geometry;
        let producer = channel.producer_offset + u64::from(index) * geometry.ring_bytes() as u64;
        let consumer = channel.consumer_offset + geometry.consumer_offset(index) as u64;
        let side = usize::try_from(index).ok().and_then(|index| sides.get(index));
        let in_order = side.is_some_and(|side| side.condition.lives());
        let cells = Cells::new(file, channel, producer);
        Self { file, channel, cells, producer, consumer, in_order }
    }

    fn read(&self) -> io::Result<Flow> {
        let capacity = self.channel.geometry.capacity();
        let mut words = self.words()?;
        let mut attempts = 0;
        let (end, unread) = loop {
            let end = self.end(&words)?;
            let after = self.words()?;
            attempts += 1;
            // Between two looks at words that stay: exact, and if they contradict each other, then
            // not because they stem from different moments.
            if after == words {
                break (end.unwrap_or(words.cursor), end.map(|end| distance(end, words.cursor)));
            }
            if attempts == ATTEMPTS {
                // At least so far had it come, while the receiver was at work.
                let end = end.unwrap_or(words.hint);
                let halfway = words.cursor.wrapping_add(distance(after.cursor, words.cursor) / 2);
                words = after;
                break (end, Ok(distance(end, halfway).min(capacity)));
            }
            words = after;
        };
        let Words { cursor, dropped, producers, consumers, .. } = words;
        let parts = Parts::Pair;
        Ok(Flow { sent: end, unread, consumed: cursor, dropped, producers, consumers, parts })
    }

    fn words(&self) -> io::Result<Words> {
        // The producer's first: of a ring in motion, the hint is not ahead of what there is room for.
        let producer: [u8; size_of::<ProducerLines>()] =
            read_array(self.file, Some(self.producer))?;
        let consumer: [u8; size_of::<ConsumerLines>()] =
            read_array(self.file, Some(self.consumer))?;
        let (producer, consumer) = (Reader(&producer), Reader(&consumer));
        Ok(Words {
            hint: producer.u64(offset_of!(ProducerLines, published)),
            dropped: producer.u64(offset_of!(ProducerLines, dropped)),
            producers: producer.u64(offset_of!(ProducerLines, incarnation)),
            consumed: consumer.u64(offset_of!(ConsumerLines, consumed)),
            cursor: consumer.u64(offset_of!(ConsumerLines, cursor)),
            consumers: consumer.u64(offset_of!(ConsumerLines, incarnation)),
        })
    }

    /// The first position that is not published: the one that a producer taking over would begin at,
    /// found as it would find it.
    fn end(&self, words: &Words) -> io::Result<Result<u64, Corrupt>> {
        let &Words { hint, consumed, cursor, .. } = words;
        let capacity = self.channel.geometry.capacity();
        let corrupt = |word, found, position| Ok(Err(Corrupt { word, found, position }));
        if cursor.wrapping_sub(consumed) > capacity {
            return corrupt("cursor", cursor, consumed);
        }
        let end = consumed.wrapping_add(capacity);
        if ahead(hint, end) > 0 {
            return corrupt("published", hint, consumed);
        }
        // What a consumer would refuse.
        let state = self.cells.state(cursor)?;
        if state != 0 && ahead(state, cursor.wrapping_add(1)) > 0 {
            return corrupt("state", state, cursor);
        }
        let next = if ahead(hint, cursor) > 0 { hint } else { cursor };
        let published =
            |position: u64, state| state != 0 && ahead(state, position.wrapping_add(1)) >= 0;
        self.cells.first_missing(next, end, self.in_order, published).map(Ok)
    }
}
