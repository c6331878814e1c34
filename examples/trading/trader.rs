//! Who decides on orders.

use crate::book::Books;
use crate::event::Event;
use crate::matcher::Order;

/// The book builder orders once in so many market messages, at most.
pub(crate) const ORDER_EVERY: u64 = 1024;

/// Shares of an order.
const LOT: u32 = 100;

/// Who orders, by a rule that depends on the messages alone: each [`ORDER_EVERY`]th prompts an order, to buy
/// and to sell in turn, at the best bid of its stock, or at the best ask where nobody bids.
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
        let price = books.best(event.stock)?;
        let sequence = self.ordered;
        let side = if sequence.is_multiple_of(2) { b'B' } else { b'S' };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sequence: u64, side: u8, price: u32) -> Event {
        let (kind, order, shares) = (b'A', sequence, 10);
        Event { sequence, kind, order, side, price, shares, stock: 3, ..Event::default() }
    }

    #[test]
    fn orders_buy_and_sell_at_the_best_price_of_the_stock_once_in_so_many_messages() {
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
        assert_eq!(told, [(0, 1023, b'B', 105), (1, 2047, b'S', 100)]);
        assert_eq!(trader.ordered(), 2);
    }
}
