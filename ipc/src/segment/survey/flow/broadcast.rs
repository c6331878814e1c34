//! A ring whose readers have cursors of their own.

use super::cells::Cells;
use super::{Flow, Parts, Side, read_array, sum};
use crate::endpoint::Role;
use crate::ring::broadcast::layout::{Gate, HeadLines, ReaderLines};
use crate::ring::broadcast::{MAX_POSITION, ready};
use crate::ring::spsc::Corrupt;
use crate::segment::codec::{Channel, Reader};
use std::fs::File;
use std::io;
use std::mem::offset_of;
use std::os::unix::fs::FileExt;

/// A reader that the sender knows of, or the last one at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderFlow {
    /// Who: which of the channel's sides in the consumers' role.
    pub receiver: usize,
    /// Whether it has its place, as far as the ring says: a dead one has, until the sender looks after it.
    pub present: bool,
    /// Whether the sender waits for it.
    pub waited_for: bool,
    /// It is done with everything below this position, as far as it has told: it does so every eighth of the
    /// ring.
    pub cursor: u64,
    /// Messages between that and the newest.
    pub behind: u64,
    /// How many messages a reader at this place was behind at most, when the sender looked.
    pub most_behind: u64,
    /// How often the sender had to wait for readers at this place.
    pub waits: u64,
    /// Messages that readers at this place were told they had lost.
    pub lost: u64,
}

/// Its flow.
pub(super) fn read(
    file: &File,
    channel: &Channel,
    places: u32,
    sides: &[Side],
) -> io::Result<Flow> {
    let capacity = channel.geometry.capacity();
    // In this order: of a ring in motion, no cursor is then ahead of the newest message.
    let mut lines = vec![0; places as usize * size_of::<ReaderLines>()];
    file.read_exact_at(&mut lines, channel.consumer_offset)?;
    let head: [u8; size_of::<HeadLines>()] = read_array(file, Some(channel.producer_offset))?;
    let head = Reader(&head);
    let next = next(file, channel, head.u64(offset_of!(HeadLines, published)))?;
    let sent = next.unwrap_or(0);

    let lines = || lines.chunks_exact(size_of::<ReaderLines>()).map(Reader);
    let number = |line: Reader<'_>| line.u64(offset_of!(ReaderLines, incarnation));
    let known = lines().enumerate().filter(|&(_, line)| number(line) > 0);
    let readers: Vec<_> =
        known.map(|(receiver, line)| ReaderFlow::decode(receiver, line, sent)).collect();

    let ahead = readers.iter().map(|reader| reader.cursor).find(|&cursor| cursor > sent);
    let furthest = readers.iter().map(|reader| reader.cursor.min(sent)).max().unwrap_or(0);
    let unread = slowest(&readers, sides).map_or(sent - furthest, |reader| reader.behind);
    let unread = match ahead {
        Some(found) => Err(Corrupt { word: "a reader's cursor", found, position: sent }),
        None => Ok(unread.min(capacity)),
    };
    Ok(Flow {
        sent,
        unread: next.and(unread),
        consumed: furthest,
        dropped: head.u64(offset_of!(HeadLines, dropped)),
        producers: head.u64(offset_of!(HeadLines, incarnation)),
        consumers: sum(lines().map(number)),
        parts: Parts::Readers(readers),
    })
}

/// The one that is furthest behind, of those that the sender waits for and whose processes exist.
pub(in super::super) fn slowest<'a>(
    readers: &'a [ReaderFlow],
    sides: &[Side],
) -> Option<&'a ReaderFlow> {
    let receivers: Vec<&Side> = sides.iter().filter(|side| side.role == Role::Consumer).collect();
    let lives = |reader: &&ReaderFlow| {
        receivers.get(reader.receiver).is_some_and(|side| side.condition.lives())
    };
    let gating = readers.iter().filter(|reader| reader.waited_for).filter(lives);
    gating.max_by_key(|reader| reader.behind)
}

/// The position of the next message.
fn next(file: &File, channel: &Channel, hint: u64) -> io::Result<Result<u64, Corrupt>> {
    let end = hint.saturating_add(channel.geometry.capacity());
    if end > MAX_POSITION {
        return Ok(Err(Corrupt { word: "published", found: hint, position: 0 }));
    }
    let cells = Cells::new(file, channel, channel.producer_offset);
    // What is written over was published. One after the other, whoever dies.
    let published = |position, state| state >= ready(position);
    cells.first_missing(hint, end, true, published).map(Ok)
}

impl ReaderFlow {
    fn decode(receiver: usize, line: Reader<'_>, next: u64) -> Self {
        let gate = Gate(line.u64(offset_of!(ReaderLines, gate)));
        let cursor = line.u64(offset_of!(ReaderLines, cursor));
        Self {
            receiver,
            present: gate != Gate::NOBODY,
            waited_for: gate.waited_for(),
            cursor,
            behind: next.saturating_sub(cursor),
            most_behind: line.u64(offset_of!(ReaderLines, most_behind)),
            waits: line.u64(offset_of!(ReaderLines, waits)),
            lost: line.u64(offset_of!(ReaderLines, lost)),
        }
    }
}
