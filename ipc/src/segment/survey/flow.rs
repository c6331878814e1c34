//! What has gone through a ring, and what is in it, read from its file.

use super::{Side, read_array};
use crate::endpoint::Role;
use crate::ring::geometry::Discipline;
use crate::ring::layout::{ConsumerLines, ProducerLines};
use crate::ring::mpmc::layout::{IndexLines, ReceiverLine, SenderLine};
use crate::ring::spsc::{Corrupt, ahead};
use crate::segment::codec::{Channel, Reader};
use std::fs::File;
use std::io;
use std::mem::offset_of;
use std::os::unix::fs::FileExt;

/// What has gone through a ring, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Messages that were sent and not read; or which word makes no sense, and so keeps that from
    /// being known.
    pub unread: Result<u64, Corrupt>,
    /// Messages that were read, since the segment was made.
    pub consumed: u64,
    /// Messages dropped because the ring was full.
    pub dropped: u64,
    /// How many producers there have been, present ones included.
    pub producers: u64,
    /// How many consumers there have been, present ones included.
    pub consumers: u64,
}

/// Looks at a ring in motion. The last one counts.
const ATTEMPTS: u32 = 4;

/// Bytes of cells that are read at once.
const CHUNK: u64 = 64 << 10;

impl Flow {
    /// Looks at a channel of a validated segment.
    pub(super) fn read(file: &File, channel: &Channel, sides: &[Side]) -> io::Result<Option<Self>> {
        match channel.geometry.discipline() {
            Discipline::Spsc | Discipline::Lanes { .. } | Discipline::Calls { .. } => {
                let rings = (0..channel.geometry.rings())
                    .map(|index| Self::read_ring(&Ring { file, channel, index }))
                    .collect::<io::Result<Vec<_>>>()?;
                Ok(rings.into_iter().reduce(Self::and))
            }
            Discipline::Mpmc { senders, receivers } => {
                let flow = Self::read_mpmc(file, channel, senders, receivers)?;
                // Each life of a side is an epoch of its endpoint.
                let lives = |role| {
                    let of = sides.iter().filter(|side| side.role == role);
                    of.map(|side| side.holder.epoch).sum()
                };
                let (producers, consumers) = (lives(Role::Producer), lives(Role::Consumer));
                Ok(Some(Self { producers, consumers, ..flow }))
            }
            // What is unread depends on the reader.
            Discipline::Broadcast { .. } | Discipline::Latest | Discipline::Directory { .. } => {
                Ok(None)
            }
        }
    }

    /// Of a ring for several on both sides. What is in the hands of receivers is not read yet; a place at
    /// which a sender died counts until it is passed.
    fn read_mpmc(file: &File, channel: &Channel, senders: u32, receivers: u32) -> io::Result<Self> {
        let word = |offset| Ok(u64::from_le_bytes(read_array(file, Some(offset))?));
        let (producer, consumer) = (channel.producer_offset, channel.consumer_offset);
        // Lines of both kinds have one size.
        let (first, line) = (size_of::<IndexLines>() as u64, size_of::<SenderLine>() as u64);
        // In this order: of a ring in motion, the head is then not ahead of the tail.
        let head = word(consumer)?;
        let tail = word(producer)?;
        let sum = |count: u32, start: u64, offset: usize, of: fn(u64) -> u64| {
            (0..u64::from(count))
                .map(|side| word(start + first + line * side + offset as u64).map(of))
                .sum::<io::Result<u64>>()
        };
        let dropped = sum(senders, producer, offset_of!(SenderLine, dropped), |number| number)?;
        let in_hand =
            sum(receivers, consumer, offset_of!(ReceiverLine, hand), |hand| u64::from(hand != 0))?;
        let waiting = tail.wrapping_sub(head);
        let unread = if waiting <= channel.geometry.capacity() {
            Ok(waiting + in_hand)
        } else {
            Err(Corrupt { word: "tail", found: tail, position: head })
        };
        let consumed = head.saturating_sub(in_hand);
        Ok(Self { unread, consumed, dropped, producers: 0, consumers: 0 })
    }

    /// Of two rings with one consumer.
    fn and(self, other: Self) -> Self {
        let unread = self.unread.and_then(|unread| Ok(unread + other.unread?));
        Self {
            unread,
            consumed: self.consumed + other.consumed,
            dropped: self.dropped + other.dropped,
            producers: self.producers + other.producers,
            consumers: self.consumers.max(other.consumers),
        }
    }

    fn read_ring(ring: &Ring<'_>) -> io::Result<Self> {
        let mut words = ring.words()?;
        let mut attempts = 0;
        let unread = loop {
            let unread = ring.unread(&words)?;
            let after = ring.words()?;
            // Between two looks at words that stay: exact, and if they contradict each other, then
            // not because they stem from different moments.
            if after == words {
                break unread;
            }
            attempts += 1;
            if attempts == ATTEMPTS {
                break Ok(unread.unwrap_or_else(|_| words.about_unread(ring.channel)));
            }
            words = after;
        };
        let Words { cursor, dropped, producers, consumers, .. } = words;
        Ok(Self { unread, consumed: cursor, dropped, producers, consumers })
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Words {
    hint: u64,
    dropped: u64,
    producers: u64,
    consumed: u64,
    cursor: u64,
    consumers: u64,
}

impl Words {
    /// At least so many messages were unread a moment ago.
    fn about_unread(&self, channel: &Channel) -> u64 {
        distance(self.hint, self.cursor).min(channel.geometry.capacity())
    }
}

/// How far `position` is ahead of `of`, 0 if behind.
fn distance(position: u64, of: u64) -> u64 {
    u64::try_from(ahead(position, of)).unwrap_or(0)
}

struct Ring<'a> {
    file: &'a File,
    channel: &'a Channel,
    /// Which of its rings.
    index: u32,
}

impl Ring<'_> {
    fn producer_offset(&self) -> u64 {
        let before = u64::from(self.index) * self.channel.geometry.ring_bytes() as u64;
        self.channel.producer_offset + before
    }

    fn words(&self) -> io::Result<Words> {
        // The producer's first: of a ring in motion, the hint is not ahead of what there is room for.
        let producer: [u8; size_of::<ProducerLines>()] =
            read_array(self.file, Some(self.producer_offset()))?;
        let consumer = self.channel.geometry.consumer_offset(self.index);
        let consumer: [u8; size_of::<ConsumerLines>()] =
            read_array(self.file, Some(self.channel.consumer_offset + consumer as u64))?;
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

    /// Messages between the cursor and the first position that is not published: the one that a
    /// producer taking over would begin at, found as it would find it.
    fn unread(&self, words: &Words) -> io::Result<Result<u64, Corrupt>> {
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
        let (mut next, mut states) = (cursor, Vec::new());
        self.states(cursor, 1, &mut states)?;
        if states.iter().any(|&state| state != 0 && ahead(state, cursor.wrapping_add(1)) > 0) {
            return corrupt("state", states[0], cursor);
        }
        if ahead(hint, cursor) > 0 {
            next = hint;
        }
        // A dead batch may have left cells behind the first one missing: they were not published.
        while ahead(end, next) > 0 {
            self.states(next, distance(end, next), &mut states)?;
            for &state in &states {
                if state == 0 || ahead(state, next.wrapping_add(1)) < 0 {
                    return Ok(Ok(distance(next, cursor)));
                }
                next = next.wrapping_add(1);
            }
        }
        Ok(Ok(distance(next, cursor)))
    }

    /// The states of the cells from `position` on: at least one, at most `wanted`, as many as lie in
    /// one piece that is worth reading at once.
    fn states(&self, position: u64, wanted: u64, states: &mut Vec<u64>) -> io::Result<()> {
        let (capacity, stride) =
            (self.channel.geometry.capacity(), self.channel.geometry.cell().stride());
        let index = position & (capacity - 1);
        let count = wanted.min(capacity - index).min((CHUNK / stride as u64).max(1));
        let first =
            self.producer_offset() + size_of::<ProducerLines>() as u64 + index * stride as u64;
        // At most CHUNK, or one state.
        let cells = usize::try_from(count - 1).unwrap_or(0);
        let mut bytes = vec![0; cells * stride + size_of::<u64>()];
        self.file.read_exact_at(&mut bytes, first)?;
        states.clear();
        states.extend((0..=cells).map(|cell| Reader(&bytes).u64(cell * stride)));
        Ok(())
    }
}
