//! What an actor tells the supervisor: records of fixed size, each written to its pipe by one
//! `write`.
//!
//! The pipe is no part of Strait. A record that was written completely outlives a SIGKILL, and one
//! that was not is shorter than [`BYTES`], or does not check.

use crate::random::mix;

/// Bytes of a record: few enough for a pipe to take them whole or not at all.
pub const BYTES: usize = 48;

/// A side of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Sends.
    Sender,
    /// Receives.
    Receiver,
}

impl Side {
    /// The side across the ring.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Sender => Self::Receiver,
            Self::Receiver => Self::Sender,
        }
    }

    /// What reports call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Receiver => "receiver",
        }
    }
}

/// One thing that happened to an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The process runs; its id in its own pid namespace.
    Born {
        /// Process id.
        pid: u32,
    },
    /// A host in the supervisor's pid namespace has started the actor in another.
    Hosting {
        /// Its process id as the supervisor sees it.
        pid: u32,
    },
    /// It may not make a pid namespace; no actor was started.
    NoNamespace,
    /// It begins to open a side.
    Opening {
        /// Which.
        side: Side,
    },
    /// The side is held by another; it may try again.
    Held {
        /// Which.
        side: Side,
    },
    /// It has the channel open and waits for the receiver's end.
    StandingBy,
    /// It holds a side.
    Opened {
        /// Which.
        side: Side,
        /// The low half of the segment's random instance id.
        instance: u64,
        /// The position of its next message.
        position: u64,
        /// A sender's incarnation; 0 for receivers.
        incarnation: u64,
    },
    /// It is about to publish messages; their ids follow one another, as their positions do.
    Sending {
        /// Of the first.
        id: u64,
        /// Of the first.
        position: u64,
        /// How many.
        count: u32,
    },
    /// They are published.
    Sent {
        /// The position of the next message.
        next: u64,
    },
    /// They are not: no room, or nobody to make room.
    NotSent,
    /// It has a message in hand.
    Took {
        /// The message's id.
        id: u64,
        /// Its position.
        position: u64,
        /// Whether it was marked as possibly read before.
        redelivered: bool,
        /// Which sender is said to have sent it.
        incarnation: Option<u64>,
        /// Whether every word of it followed from its id.
        whole: bool,
    },
    /// It has released that message.
    Released {
        /// The message's position.
        position: u64,
    },
    /// It keeps a message that it has released.
    Kept {
        /// The message's position.
        position: u64,
    },
    /// It is about to give a kept message back.
    GivesBack {
        /// The message's id, as it was when it came.
        id: u64,
        /// Its position.
        position: u64,
        /// Whether every word of it still followed from both.
        whole: bool,
    },
    /// It has tried how much of the room for large messages is free, when nobody has any.
    Audited {
        /// Blocks that are; of an arena, 1 if all of it is.
        free: u64,
        /// So many there are.
        of: u64,
    },
    /// An error named the other side's holder as gone.
    Gone {
        /// Whose side.
        side: Side,
        /// Without closing.
        died: bool,
        /// Its process id, in its own pid namespace.
        pid: u32,
    },
    /// It begins to close its side.
    Closing,
    /// It has closed.
    Closed,
    /// What it holds of the segment, and how many descriptors in all.
    Resources {
        /// Open descriptors.
        descriptors: u32,
        /// Mappings that name the segment.
        mappings: u32,
    },
    /// It has done what the supervisor's page asked for, such as arming a mark.
    Obeyed,
    /// It has a child that lives on.
    Child {
        /// The child's process id.
        pid: u32,
    },
    /// A memory segment is ready at this descriptor of the actor's.
    Made {
        /// The descriptor.
        descriptor: u32,
    },
    /// What had to be refused was refused.
    Refused,
}

/// An event, and when it happened by `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Nanoseconds.
    pub time: u64,
    /// What.
    pub event: Event,
}

/// An event as numbers: which, two small ones, three large ones.
type Numbers = (u8, u8, u32, [u64; 3]);

const RECEIVER: u8 = 1;
const FLAG: u8 = 2;
const KNOWN: u8 = 4;
const WHOLE: u8 = 8;

fn bits(side: Side) -> u8 {
    if side == Side::Receiver { RECEIVER } else { 0 }
}

fn flag(yes: bool, bit: u8) -> u8 {
    if yes { bit } else { 0 }
}

impl Event {
    fn numbers(self) -> Numbers {
        match self {
            Self::Born { pid } => (1, 0, pid, [0; 3]),
            Self::Hosting { pid } => (2, 0, pid, [0; 3]),
            Self::NoNamespace => (3, 0, 0, [0; 3]),
            Self::Opening { side } => (4, bits(side), 0, [0; 3]),
            Self::Held { side } => (5, bits(side), 0, [0; 3]),
            Self::StandingBy => (6, 0, 0, [0; 3]),
            Self::Opened { side, instance, position, incarnation } => {
                (7, bits(side), 0, [instance, position, incarnation])
            }
            Self::Sending { id, position, count } => (8, 0, count, [id, position, 0]),
            Self::Sent { next } => (9, 0, 0, [next, 0, 0]),
            Self::NotSent => (10, 0, 0, [0; 3]),
            Self::Took { id, position, redelivered, incarnation, whole } => {
                let known = flag(incarnation.is_some(), KNOWN);
                let bits = flag(redelivered, FLAG) | known | flag(whole, WHOLE);
                (11, bits, 0, [id, position, incarnation.unwrap_or(0)])
            }
            Self::Released { position } => (12, 0, 0, [position, 0, 0]),
            Self::Gone { side, died, pid } => (13, bits(side) | flag(died, FLAG), pid, [0; 3]),
            Self::Closing => (14, 0, 0, [0; 3]),
            Self::Closed => (15, 0, 0, [0; 3]),
            Self::Resources { descriptors, mappings } => {
                (16, 0, descriptors, [mappings.into(), 0, 0])
            }
            Self::Obeyed => (17, 0, 0, [0; 3]),
            Self::Child { pid } => (18, 0, pid, [0; 3]),
            Self::Made { descriptor } => (19, 0, descriptor, [0; 3]),
            Self::Refused => (20, 0, 0, [0; 3]),
            Self::Kept { position } => (21, 0, 0, [position, 0, 0]),
            Self::GivesBack { id, position, whole } => {
                (22, flag(whole, WHOLE), 0, [id, position, 0])
            }
            Self::Audited { free, of } => (23, 0, 0, [free, of, 0]),
        }
    }

    fn from_numbers((which, bits, number, [a, b, c]): Numbers) -> Option<Self> {
        let side = if bits & RECEIVER == 0 { Side::Sender } else { Side::Receiver };
        Some(match which {
            1 => Self::Born { pid: number },
            2 => Self::Hosting { pid: number },
            3 => Self::NoNamespace,
            4 => Self::Opening { side },
            5 => Self::Held { side },
            6 => Self::StandingBy,
            7 => Self::Opened { side, instance: a, position: b, incarnation: c },
            8 => Self::Sending { id: a, position: b, count: number },
            9 => Self::Sent { next: a },
            10 => Self::NotSent,
            11 => Self::Took {
                id: a,
                position: b,
                redelivered: bits & FLAG != 0,
                incarnation: (bits & KNOWN != 0).then_some(c),
                whole: bits & WHOLE != 0,
            },
            12 => Self::Released { position: a },
            13 => Self::Gone { side, died: bits & FLAG != 0, pid: number },
            14 => Self::Closing,
            15 => Self::Closed,
            16 => Self::Resources { descriptors: number, mappings: u32::try_from(a).ok()? },
            17 => Self::Obeyed,
            18 => Self::Child { pid: number },
            19 => Self::Made { descriptor: number },
            20 => Self::Refused,
            21 => Self::Kept { position: a },
            22 => Self::GivesBack { id: a, position: b, whole: bits & WHOLE != 0 },
            23 => Self::Audited { free: a, of: b },
            _ => return None,
        })
    }
}

impl Record {
    /// The bytes that go through the pipe.
    #[must_use]
    pub fn encode(&self) -> [u8; BYTES] {
        let (which, bits, number, [a, b, c]) = self.event.numbers();
        let head = u64::from(which) | u64::from(bits) << 8 | u64::from(number) << 32;
        let words = [head, self.time, a, b, c];
        let mut bytes = [0; BYTES];
        let (places, _) = bytes.as_chunks_mut::<8>();
        for (place, word) in places.iter_mut().zip(words.iter().chain([&check(&words)])) {
            *place = word.to_le_bytes();
        }
        bytes
    }

    /// The record in these bytes, if they are one.
    #[must_use]
    pub fn decode(bytes: &[u8; BYTES]) -> Option<Self> {
        let (places, _) = bytes.as_chunks::<8>();
        let words: Vec<u64> = places.iter().map(|place| u64::from_le_bytes(*place)).collect();
        let &[head, time, a, b, c, sum] = words.as_slice() else { return None };
        if sum != check(&[head, time, a, b, c]) {
            return None;
        }
        let [which, bits, ..] = head.to_le_bytes();
        let number = u32::try_from(head >> 32).ok()?;
        Some(Self { time, event: Event::from_numbers((which, bits, number, [a, b, c]))? })
    }
}

fn check(words: &[u64; 5]) -> u64 {
    words.iter().fold(0, |sum, &word| mix(sum ^ word).wrapping_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_lead_back_and_damaged_ones_do_not_pass() {
        let (side, pid, position) = (Side::Receiver, 77, u64::MAX - 3);
        let events = [
            Event::Born { pid },
            Event::Hosting { pid },
            Event::NoNamespace,
            Event::Opening { side },
            Event::Held { side: Side::Sender },
            Event::StandingBy,
            Event::Opened { side, instance: 1 << 63, position, incarnation: 9 },
            Event::Sending { id: 1 << 40 | 5, position, count: 8 },
            Event::Sent { next: position },
            Event::NotSent,
            Event::Took { id: 3, position, redelivered: true, incarnation: None, whole: false },
            Event::Took { id: 3, position, redelivered: false, incarnation: Some(0), whole: true },
            Event::Released { position },
            Event::Gone { side, died: true, pid },
            Event::Gone { side: Side::Sender, died: false, pid },
            Event::Closing,
            Event::Closed,
            Event::Resources { descriptors: 6, mappings: 2 },
            Event::Obeyed,
            Event::Child { pid },
            Event::Made { descriptor: 5 },
            Event::Refused,
            Event::Kept { position },
            Event::GivesBack { id: 3, position, whole: true },
            Event::GivesBack { id: 3, position, whole: false },
            Event::Audited { free: 3, of: 4 },
        ];
        for event in events {
            let record = Record { time: 123_456_789, event };
            let mut bytes = record.encode();
            assert_eq!(Record::decode(&bytes), Some(record));
            bytes[20] ^= 1;
            assert_eq!(Record::decode(&bytes), None, "{event:?}");
        }
        assert_eq!(Record::decode(&[0; BYTES]), None);
    }
}
