//! What comes back to the feed: orders of the book builder, and notes of the parts that listen.

use strait::Message;
use strait::rkyv::{self, Archive, Deserialize, Serialize};

use crate::book::Books;
use crate::event::Event;

/// The book builder orders once in so many market messages, at most.
pub(crate) const ORDER_EVERY: u64 = 1024;

/// Shares of an order.
const LOT: u32 = 100;

/// An order to the exchange, for which the feed stands.
#[derive(Clone, Copy, Debug, Message, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Order {
    /// Number of the order in the day, from zero.
    pub(crate) sequence: u64,
    /// Number of the market message that prompted it.
    pub(crate) cause: u64,
    /// Ten-thousandths of a dollar.
    pub(crate) price: u32,
    /// Number of shares.
    pub(crate) shares: u32,
    /// Stock locate.
    pub(crate) stock: u16,
    /// `B` or `S`.
    pub(crate) side: u8,
    reserved: [u8; 5],
}

/// Who orders, by a rule that depends on the messages alone: each [`ORDER_EVERY`]th prompts an order that
/// joins the best bid of its stock, or the best ask where nobody bids.
#[derive(Debug, Default)]
pub(crate) struct Trader {
    ordered: u64,
}

impl Trader {
    /// The order that a message prompts which the books have just taken into account.
    #[inline]
    pub(crate) fn consider(&mut self, event: &Event, books: &Books) -> Option<Order> {
        if event.sequence % ORDER_EVERY != ORDER_EVERY - 1 {
            return None;
        }
        let (side, price) = books.best(event.stock)?;
        let sequence = self.ordered;
        self.ordered += 1;
        Some(Order {
            sequence,
            cause: event.sequence,
            price,
            shares: LOT,
            stock: event.stock,
            side,
            reserved: [0; 5],
        })
    }

    /// Orders so far.
    pub(crate) fn ordered(&self) -> u64 {
        self.ordered
    }
}

/// Where the exchange takes orders.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    received: u64,
    disorderly: u64,
    /// The order that has to come next.
    next: u64,
    /// The first message that may have prompted it.
    earliest: u64,
}

impl Desk {
    /// Takes an order, of a day of which `sent` messages are sent.
    pub(crate) fn take(&mut self, order: &Order, sent: u64) {
        let prompted = (self.earliest..sent).contains(&order.cause);
        self.disorderly += u64::from(order.sequence != self.next || !prompted);
        self.received += 1;
        self.next = order.sequence + 1;
        self.earliest = order.cause + 1;
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

    fn event(sequence: u64, side: u8, price: u32) -> Event {
        let (kind, order, shares) = (b'A', sequence, 10);
        Event { sequence, kind, order, side, price, shares, stock: 3, ..Event::default() }
    }

    #[test]
    fn orders_join_the_best_price_of_the_stock_once_in_so_many_messages() {
        let (mut books, mut trader) = (Books::new().unwrap(), Trader::default());
        let last = ORDER_EVERY - 1;
        assert_eq!(trader.consider(&event(last, b'B', 1), &books), None, "there is no book");
        let mut orders = Vec::new();
        for (sequence, side, price) in
            [(last, b'S', 105), (1500, b'B', 99), (1600, b'B', 100), (2047, b'B', 98)]
        {
            let event = event(sequence, side, price);
            books.apply(&event).unwrap();
            orders.extend(trader.consider(&event, &books));
        }
        let told = |order: &Order| (order.sequence, order.cause, order.side, order.price);
        let told: Vec<_> = orders.iter().map(told).collect();
        assert_eq!(told, [(0, 1023, b'S', 105), (1, 2047, b'B', 100)]);
        assert_eq!(trader.ordered(), 2);
    }

    #[test]
    fn orders_that_are_lost_repeated_or_prompted_by_nothing_are_told() {
        let order = |sequence, cause| Order {
            sequence,
            cause,
            price: 1,
            shares: LOT,
            stock: 3,
            side: b'B',
            reserved: [0; 5],
        };
        let disorderly = |orders: &[(u64, u64)]| {
            let mut desk = Desk::default();
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
