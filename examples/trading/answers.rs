//! What comes back to the feed: a copy of each order, and notes of the parts that listen.

use strait::Message;
use strait::rkyv::{self, Archive, Deserialize, Serialize};

use crate::event::Event;
use crate::matcher::Order;

/// Room for the orders that come while one stretch of the day is sent: one that the shortest messages fill has
/// fewer.
const ORDERS_A_STRETCH: usize = 1 << 16;

/// Where the feed takes a copy of each order.
#[derive(Debug)]
pub(crate) struct Desk {
    /// Those that nobody has [looked at](Self::taken) yet.
    taken: Vec<Order>,
    received: u64,
    disorderly: u64,
    /// The order that has to come next.
    next: u64,
    /// The first message that may have prompted it.
    earliest: u64,
}

impl Desk {
    /// None so far, and room for them.
    pub(crate) fn new() -> Self {
        let taken = Vec::with_capacity(ORDERS_A_STRETCH);
        Self { taken, received: 0, disorderly: 0, next: 0, earliest: 0 }
    }

    /// The orders taken since this was asked for the last time.
    pub(crate) fn taken(&mut self) -> impl Iterator<Item = Order> {
        self.taken.drain(..)
    }

    /// Takes an order, of a day of which `sent` messages are sent.
    pub(crate) fn take(&mut self, order: &Order, sent: u64) {
        let prompted = (self.earliest..sent).contains(&order.cause);
        self.disorderly += u64::from(order.sequence != self.next || !prompted);
        self.received += 1;
        self.next = order.sequence + 1;
        self.earliest = order.cause + 1;
        self.taken.push(*order);
    }

    /// What it has to say at the end of the day, beside what was `sent` and what is `recorded` of it.
    pub(crate) fn close(self, sent: Record, recorded: Option<Record>) -> Heard {
        let Self { received: orders, disorderly, .. } = self;
        Heard { orders, disorderly, sent, recorded }
    }
}

/// Market messages, counted and digested: equal only if they are the same in the same order.
#[derive(Archive, Serialize, Deserialize, Message, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[rkyv(crate = rkyv)]
pub(crate) struct Record {
    /// How many.
    pub(crate) messages: u64,
    /// Over their checksums, which cover all that is in them.
    pub(crate) digest: u64,
}

impl Record {
    /// Takes the next message into account.
    #[inline]
    pub(crate) fn add(&mut self, event: &Event) {
        self.messages += 1;
        let mixed = (self.digest ^ u64::from(event.checksum)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.digest = mixed ^ mixed >> 32;
    }
}

/// What a part that listens tells the feed.
#[derive(Archive, Serialize, Deserialize, Message, Clone, Copy, Debug, PartialEq, Eq)]
#[rkyv(crate = rkyv)]
pub(crate) enum Note {
    /// The book builder listens, in this process.
    BookReady(u32),
    /// The recorder listens, in this process.
    RecordReady(u32),
    /// The day is over, and this is what was recorded of it.
    Recorded(Record),
}

/// What the feed heard from the others during the day.
#[derive(Archive, Serialize, Deserialize, Message, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[rkyv(crate = rkyv)]
pub(crate) struct Heard {
    /// Orders received.
    pub(crate) orders: u64,
    /// Those of them that were out of order, or prompted by a message that cannot have.
    pub(crate) disorderly: u64,
    /// What the feed sent itself.
    pub(crate) sent: Record,
    /// What the recorder has of it; none if it did not live to tell.
    pub(crate) recorded: Option<Record>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_that_are_lost_repeated_or_prompted_by_nothing_are_told() {
        let order = |sequence, cause| Order {
            sequence,
            cause,
            price: 1,
            shares: 100,
            stock: 3,
            side: b'B',
            reserved: [0; 5],
        };
        let disorderly = |orders: &[(u64, u64)]| {
            let mut desk = Desk::new();
            orders.iter().for_each(|&(sequence, cause)| desk.take(&order(sequence, cause), 5000));
            let heard = desk.close(Record::default(), None);
            assert_eq!(heard.orders, orders.len() as u64);
            heard.disorderly
        };
        assert_eq!(disorderly(&[(0, 1023), (1, 2047), (2, 4095)]), 0);
        assert_eq!(disorderly(&[(0, 1023), (2, 4095)]), 1, "one is lost");
        assert_eq!(disorderly(&[(0, 1023), (0, 1023), (1, 2047)]), 1, "one is repeated");
        assert_eq!(disorderly(&[(0, 1023), (1, 5000)]), 1, "prompted by what was not sent");
    }

    #[test]
    fn a_record_tells_messages_that_changed_places() {
        let message = |sequence, kind| {
            let mut bytes = [0; 19];
            bytes[0] = kind;
            Event::from_itch(sequence, &bytes)
        };
        let record = |events: [Event; 2]| {
            let mut record = Record::default();
            events.iter().for_each(|event| record.add(event));
            record
        };
        let (first, second) = (message(0, b'D'), message(1, b'X'));
        assert_eq!(record([first, second]).messages, 2);
        assert_ne!(record([first, second]), record([second, first]));
        assert_ne!(record([first, second]), record([first, message(1, b'D')]));
    }
}
