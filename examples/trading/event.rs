//! The message that travels: one ITCH message as a typed event of 48 bytes.

use strait::Message;

use crate::answers::Record;
use crate::itch::bytes_at;

/// Kinds that are no ITCH letter: the feed's own announcements.
pub(crate) mod control {
    /// A stretch of messages begins: [`schedule`](super::Event::schedule).
    pub(crate) const SCHEDULE: u8 = 0;
    /// The stretch is over: [`pause`](super::Event::pause).
    pub(crate) const PAUSE: u8 = 1;
    /// The day is over: [`end`](super::Event::end).
    pub(crate) const END: u8 = 2;
}

/// One market event. What a kind does not have is zero.
#[derive(Clone, Copy, Debug, Default, Message, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Event {
    /// Number of the message in the day, from zero.
    pub(crate) sequence: u64,
    /// Nanoseconds since midnight.
    pub(crate) timestamp_ns: u64,
    /// Reference of the order concerned.
    pub(crate) order: u64,
    /// The new order's reference (`U`), the match number (`E`, `C`, `P`, `Q`, `B`), or the stock's
    /// name as eight ASCII bytes (all other kinds that carry one).
    pub(crate) other: u64,
    /// Price in ten-thousandths of a dollar.
    pub(crate) price: u32,
    /// Number of shares.
    pub(crate) shares: u32,
    /// Stock locate: the day's number of the stock.
    pub(crate) stock: u16,
    /// The ITCH letter, or one of [`control`].
    pub(crate) kind: u8,
    /// `B` or `S`; for `S` the event code, for `H` the trading state, for `C` whether it prints.
    pub(crate) side: u8,
    /// Over all the fields above.
    pub(crate) checksum: u32,
}

#[cfg(test)]
impl Event {
    /// One of the shortest messages, for tests.
    pub(crate) fn market(sequence: u64) -> Self {
        let mut message = [0; 19];
        message[0] = b'D';
        Self::from_itch(sequence, &message)
    }
}

impl Event {
    /// Decodes one whole ITCH message, as [`itch::next`](crate::itch::next) yields it.
    #[inline]
    pub(crate) fn from_itch(sequence: u64, message: &[u8]) -> Self {
        let u16_at = |at| u16::from_be_bytes(bytes_at(message, at));
        let u32_at = |at| u32::from_be_bytes(bytes_at(message, at));
        let u64_at = |at| u64::from_be_bytes(bytes_at(message, at));
        let u8_at = |at| u8::from_be_bytes(bytes_at(message, at));

        let mut event = Self {
            sequence,
            kind: u8_at(0),
            stock: u16_at(1),
            timestamp_ns: u64::from(u16_at(5)) << 32 | u64::from(u32_at(7)),
            ..Self::default()
        };
        match event.kind {
            b'A' | b'F' => {
                event.order = u64_at(11);
                event.side = u8_at(19);
                event.shares = u32_at(20);
                event.other = u64_at(24);
                event.price = u32_at(32);
            }
            b'E' => {
                event.order = u64_at(11);
                event.shares = u32_at(19);
                event.other = u64_at(23);
            }
            b'C' => {
                event.order = u64_at(11);
                event.shares = u32_at(19);
                event.other = u64_at(23);
                event.side = u8_at(31);
                event.price = u32_at(32);
            }
            b'X' => {
                event.order = u64_at(11);
                event.shares = u32_at(19);
            }
            b'D' => event.order = u64_at(11),
            b'U' => {
                event.order = u64_at(11);
                event.other = u64_at(19);
                event.shares = u32_at(27);
                event.price = u32_at(31);
            }
            b'P' => {
                event.order = u64_at(11);
                event.side = u8_at(19);
                event.shares = u32_at(20);
                event.price = u32_at(32);
                event.other = u64_at(36);
            }
            b'Q' => {
                // The shares of a cross have eight bytes; those of an event have four.
                event.shares = u32::try_from(u64_at(11)).unwrap_or(u32::MAX);
                event.price = u32_at(27);
                event.other = u64_at(31);
                event.side = u8_at(39);
            }
            b'B' => event.other = u64_at(11),
            b'S' => event.side = u8_at(11),
            b'H' => {
                event.other = u64_at(11);
                event.side = u8_at(19);
            }
            b'R' | b'Y' | b'K' | b'J' | b'h' | b'N' | b'O' => event.other = u64_at(11),
            b'L' => event.other = u64_at(15),
            b'I' => event.other = u64_at(28),
            // `V` and `W` concern the market, not a stock.
            _ => {}
        }
        event.sealed()
    }

    /// Announces that message `first` is due at `start_ns` of the monotonic clock and the later
    /// ones at `rate` a second, or, with rate 0, all as soon as they can be.
    pub(crate) fn schedule(first: u64, start_ns: u64, rate: u64) -> Self {
        Self {
            sequence: first,
            timestamp_ns: start_ns,
            order: rate,
            kind: control::SCHEDULE,
            ..Self::default()
        }
        .sealed()
    }

    /// Announces that nothing comes for a while after `messages` messages: the feed reads on.
    pub(crate) fn pause(messages: u64) -> Self {
        Self { sequence: messages, kind: control::PAUSE, ..Self::default() }.sealed()
    }

    /// Announces that the day is over, and what was sent of it.
    pub(crate) fn end(sent: Record) -> Self {
        let Record { messages: sequence, digest: order } = sent;
        Self { sequence, order, kind: control::END, ..Self::default() }.sealed()
    }

    /// What was sent of the day that this announces the [end](Event::end) of.
    pub(crate) fn ended(&self) -> Record {
        Record { messages: self.sequence, digest: self.order }
    }

    /// Whether this is the first schedule of a day.
    #[inline]
    pub(crate) fn begins_day(&self) -> bool {
        self.kind == control::SCHEDULE && self.sequence == 0 && self.is_intact()
    }

    /// Whether the event arrived as it was sent.
    #[inline]
    pub(crate) fn is_intact(&self) -> bool {
        self.checksum == self.expected_checksum()
    }

    /// The event as it lies in memory.
    #[inline]
    pub(crate) fn to_bytes(self) -> [u8; size_of::<Self>()] {
        let mut bytes = [0; size_of::<Self>()];
        bytes[0..8].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.timestamp_ns.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.order.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.other.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.price.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.shares.to_le_bytes());
        bytes[40..42].copy_from_slice(&self.stock.to_le_bytes());
        bytes[42..44].copy_from_slice(&[self.kind, self.side]);
        bytes[44..48].copy_from_slice(&self.checksum.to_le_bytes());
        bytes
    }

    #[inline]
    fn sealed(mut self) -> Self {
        self.checksum = self.expected_checksum();
        self
    }

    /// Each word has an odd factor of its own: a word taken from another event changes the sum by
    /// a non-zero multiple, and exchanged words show. The first summand keeps zeroed memory from
    /// passing for an event.
    #[inline]
    fn expected_checksum(&self) -> u32 {
        let tail = u64::from(self.stock) << 16 | u64::from(self.kind) << 8 | u64::from(self.side);
        let mixed = 0x2545_f491_4f6c_dd1du64
            .wrapping_add(self.sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_add(self.timestamp_ns.wrapping_mul(0xbf58_476d_1ce4_e5b9))
            .wrapping_add(self.order.wrapping_mul(0x94d0_49bb_1331_11eb))
            .wrapping_add(self.other.wrapping_mul(0xd6e8_feb8_6659_fd93))
            .wrapping_add(
                (u64::from(self.price) << 32 | u64::from(self.shares))
                    .wrapping_mul(0xa076_1d64_78bd_642f),
            )
            .wrapping_add(tail.wrapping_mul(0xe703_7ed1_a0b4_28db));
        let folded = (mixed ^ mixed >> 29).wrapping_mul(0x8ebc_6af0_9c88_c6e3);
        #[allow(clippy::cast_possible_truncation)] // the upper half, on purpose
        let upper = (folded >> 32) as u32;
        upper
    }
}

/// A stock's name out of the eight padded bytes that ITCH has for it.
pub(crate) fn stock_name(bytes: u64) -> String {
    String::from_utf8_lossy(&bytes.to_be_bytes()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_add_order_is_decoded_field_by_field() {
        let mut message = vec![b'A', 0, 7, 0, 0];
        message.extend([0, 1, 0, 0, 0, 2]); // timestamp
        message.extend(99u64.to_be_bytes());
        message.push(b'S');
        message.extend(300u32.to_be_bytes());
        message.extend(*b"ALC     ");
        message.extend(1_234_500u32.to_be_bytes());
        let event = Event::from_itch(5, &message);
        let expected = Event {
            sequence: 5,
            timestamp_ns: (1 << 32) + 2,
            order: 99,
            other: u64::from_be_bytes(*b"ALC     "),
            price: 1_234_500,
            shares: 300,
            stock: 7,
            kind: b'A',
            side: b'S',
            checksum: event.checksum,
        };
        assert_eq!(event, expected);
        assert!(event.is_intact());
        assert_eq!(stock_name(event.other), "ALC");
    }

    #[test]
    fn a_word_of_another_event_breaks_the_checksum() {
        let words = |sequence: u64| {
            let event = Event {
                sequence,
                timestamp_ns: sequence * 1_000,
                order: sequence + 70,
                other: sequence / 3 + 8,
                price: 100,
                shares: 10 + u32::try_from(sequence % 50).unwrap(),
                stock: u16::try_from(sequence % 64).unwrap(),
                kind: b'A',
                side: b'B',
                checksum: 0,
            };
            event.sealed()
        };
        for sequence in 0..10_000 {
            let (new, old) = (words(sequence + 4096), words(sequence));
            assert!(new.is_intact());
            let torn = [
                Event { sequence: old.sequence, ..new },
                Event { timestamp_ns: old.timestamp_ns, ..new },
                Event { order: old.order, ..new },
                Event { other: old.other, ..new },
                Event { shares: new.shares ^ 1, ..new },
                Event { stock: new.stock ^ 1, ..new },
                Event { checksum: old.checksum, ..new },
            ];
            for event in torn {
                assert!(!event.is_intact(), "{event:?} passes for {new:?}");
            }
        }
    }

    #[test]
    fn zeroed_memory_is_not_an_event() {
        assert!(!Event::default().is_intact());
    }
}
