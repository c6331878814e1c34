//! A synthetic trading day: valid ITCH 5.0 of any length, the same bytes for the same seed.
//!
//! The mix is that of a real day: nearly all messages add and delete orders, few of which are
//! ever executed. Each stock has a fixed middle price; bids stay below it and asks above it, so
//! that a book never crosses, and most orders are near the best price.

use crate::itch::{PREFIX, length_of};

/// Number of stocks in a day.
pub(crate) const STOCKS: u16 = 64;

/// Beyond this many live orders, deletions take the place of additions.
const LIVE_ORDERS: usize = 100_000;

const SECOND_NS: u64 = 1_000_000_000;
const OPENING_NS: u64 = 34_200 * SECOND_NS;
const TRADING_NS: u64 = 23_400 * SECOND_NS;

/// Messages before the trading: three system events, a directory entry and a status per stock.
const PREAMBLE: u64 = 3 + 2 * STOCKS as u64;
/// Messages after it: three system events.
const CLOSE: u64 = 3;

/// The fewest messages a day can have.
pub(crate) const SHORTEST: u64 = PREAMBLE + CLOSE;

/// A day, generated piece by piece.
#[derive(Debug)]
pub(crate) struct Day {
    messages: u64,
    written: u64,
    random: Random,
    time_ns: u64,
    step_ns: u64,
    next_order: u64,
    next_match: u64,
    live: Vec<Live>,
}

#[derive(Clone, Copy, Debug)]
struct Live {
    order: u64,
    shares: u32,
    price: u32,
    stock: u16,
    is_bid: bool,
}

impl Day {
    /// A day of `messages` messages, at least [`SHORTEST`].
    pub(crate) fn new(messages: u64, seed: u64) -> Self {
        let messages = messages.max(SHORTEST);
        Self {
            messages,
            written: 0,
            random: Random(seed ^ 0x6a09_e667_f3bc_c909),
            time_ns: 0,
            step_ns: TRADING_NS / (messages + 1),
            next_order: 1,
            next_match: 1,
            live: Vec::with_capacity(LIVE_ORDERS),
        }
    }

    /// Number of messages in the whole day.
    pub(crate) fn messages(&self) -> u64 {
        self.messages
    }

    /// Appends the next messages to `buffer`, as far as it stays within `limit` bytes. Returns
    /// whether there was any left to append.
    pub(crate) fn write_some(&mut self, buffer: &mut Vec<u8>, limit: usize) -> bool {
        let longest = PREFIX + 50;
        let before = self.written;
        while self.written < self.messages && buffer.len() + longest <= limit {
            self.write_next(buffer);
            self.written += 1;
        }
        self.written > before
    }

    fn write_next(&mut self, out: &mut Vec<u8>) {
        let (number, left) = (self.written, self.messages - self.written);
        let stocks = u64::from(STOCKS);
        match number {
            0 => self.system_event(out, 4 * 3600, b'O'),
            1 => self.system_event(out, 7 * 3600, b'S'),
            _ if number < 2 + stocks => self.directory(out, number - 2),
            _ if number < 2 + 2 * stocks => self.trading_status(out, number - 2 - stocks),
            _ if number < PREAMBLE => self.system_event(out, 34_200, b'Q'),
            _ if left == 3 => self.system_event(out, 57_600, b'M'),
            _ if left == 2 => self.system_event(out, 72_000, b'E'),
            _ if left == 1 => self.system_event(out, 72_300, b'C'),
            _ => self.trading(out),
        }
    }

    fn system_event(&mut self, out: &mut Vec<u8>, second: u64, code: u8) {
        self.time_ns = second * SECOND_NS;
        self.message(b'S', 0).put(&[code]).write(out);
    }

    fn directory(&mut self, out: &mut Vec<u8>, index: u64) {
        let stock = stock_number(index);
        self.message(b'R', stock)
            .put(&stock_name(stock))
            .put(b"QN")
            .put(&100u32.to_be_bytes())
            .put(b"NCZ PNN1N")
            .put(&0u32.to_be_bytes())
            .put(b"N")
            .write(out);
    }

    fn trading_status(&mut self, out: &mut Vec<u8>, index: u64) {
        let stock = stock_number(index);
        self.message(b'H', stock).put(&stock_name(stock)).put(b"T     ").write(out);
    }

    fn trading(&mut self, out: &mut Vec<u8>) {
        self.time_ns += self.random.below(2 * self.step_ns + 1);
        self.time_ns = self.time_ns.min(OPENING_NS + TRADING_NS);
        // Out of a thousand.
        match self.random.below(1000) {
            _ if self.live.len() < usize::from(STOCKS) => self.add(out, false),
            0..440 if self.live.len() >= LIVE_ORDERS => self.delete(out),
            0..440 => self.add(out, false),
            440..448 => self.add(out, true),
            448..846 => self.delete(out),
            846..931 => self.replace(out),
            931..966 => self.execute(out, false),
            966..969 => self.execute(out, true),
            969..985 => self.cancel(out),
            _ => self.trade(out),
        }
    }

    fn add(&mut self, out: &mut Vec<u8>, attributed: bool) {
        let live = self.new_order();
        let kind = if attributed { b'F' } else { b'A' };
        let mut message = self
            .message(kind, live.stock)
            .put(&live.order.to_be_bytes())
            .put(&[if live.is_bid { b'B' } else { b'S' }])
            .put(&live.shares.to_be_bytes())
            .put(&stock_name(live.stock))
            .put(&live.price.to_be_bytes());
        if attributed {
            message = message.put(b"STRT");
        }
        message.write(out);
        self.live.push(live);
    }

    fn delete(&mut self, out: &mut Vec<u8>) {
        let at = self.pick_live();
        let live = self.live.swap_remove(at);
        self.message(b'D', live.stock).put(&live.order.to_be_bytes()).write(out);
    }

    fn replace(&mut self, out: &mut Vec<u8>) {
        let at = self.pick_live();
        let old = self.live[at];
        let mut new = self.new_order();
        new.stock = old.stock;
        new.is_bid = old.is_bid;
        new.price = self.price(old.stock, old.is_bid);
        self.live[at] = new;
        self.message(b'U', old.stock)
            .put(&old.order.to_be_bytes())
            .put(&new.order.to_be_bytes())
            .put(&new.shares.to_be_bytes())
            .put(&new.price.to_be_bytes())
            .write(out);
    }

    fn execute(&mut self, out: &mut Vec<u8>, at_a_price: bool) {
        let at = self.pick_live();
        let live = self.live[at];
        let shares = self.take_shares(at, true);
        let kind = if at_a_price { b'C' } else { b'E' };
        let mut message = self
            .message(kind, live.stock)
            .put(&live.order.to_be_bytes())
            .put(&shares.to_be_bytes())
            .put(&self.next_match.to_be_bytes());
        if at_a_price {
            message = message.put(b"Y").put(&middle(live.stock).to_be_bytes());
        }
        message.write(out);
        self.next_match += 1;
    }

    fn cancel(&mut self, out: &mut Vec<u8>) {
        let at = self.pick_live();
        let live = self.live[at];
        let shares = self.take_shares(at, false);
        self.message(b'X', live.stock)
            .put(&live.order.to_be_bytes())
            .put(&shares.to_be_bytes())
            .write(out);
    }

    /// A trade of an order nobody saw: it touches no book.
    fn trade(&mut self, out: &mut Vec<u8>) {
        let stock = stock_number(self.random.below(u64::from(STOCKS)));
        let shares = 100 * self.random.up_to(9);
        self.message(b'P', stock)
            .put(&0u64.to_be_bytes())
            .put(b"B")
            .put(&shares.to_be_bytes())
            .put(&stock_name(stock))
            .put(&middle(stock).to_be_bytes())
            .put(&self.next_match.to_be_bytes())
            .write(out);
        self.next_match += 1;
    }

    /// A live order, mostly one of the youngest: few orders live long.
    fn pick_live(&mut self) -> usize {
        let len = self.live.len();
        let among = if self.random.below(16) == 0 { len } else { len.min(1024) };
        len - 1 - self.random.index(among)
    }

    fn new_order(&mut self) -> Live {
        let stock = stock_number(self.random.below(u64::from(STOCKS)));
        let is_bid = self.random.below(2) == 0;
        let order = self.next_order;
        self.next_order += 1 + self.random.below(4);
        let shares = 100 * self.random.up_to(10);
        Live { order, shares, price: self.price(stock, is_bid), stock, is_bid }
    }

    /// The smaller of two draws, so that orders crowd near the middle.
    fn price(&mut self, stock: u16, is_bid: bool) -> u32 {
        let ticks = self.random.up_to(64).min(self.random.up_to(64));
        let middle = middle(stock);
        if is_bid { middle - 100 * ticks } else { middle + 100 * ticks }
    }

    /// Takes a part of a live order, or all of it, where an execution may.
    fn take_shares(&mut self, at: usize, may_take_all: bool) -> u32 {
        let live = &mut self.live[at];
        if may_take_all && self.random.below(2) == 0 {
            return self.live.swap_remove(at).shares;
        }
        // Odd lots on purpose; an order of one share can only be taken whole.
        let part = (live.shares / 3).max(1);
        live.shares -= part;
        if live.shares == 0 {
            self.live.swap_remove(at);
        }
        part
    }

    fn message(&self, kind: u8, stock: u16) -> Message {
        let time = self.time_ns.to_be_bytes();
        Message { bytes: [0; PREFIX + 50], len: PREFIX }
            .put(&[kind])
            .put(&stock.to_be_bytes())
            .put(&[0, 0])
            .put(&time[2..])
    }
}

/// A message under construction, prefix included.
struct Message {
    bytes: [u8; PREFIX + 50],
    len: usize,
}

impl Message {
    #[inline]
    fn put(mut self, field: &[u8]) -> Self {
        self.bytes[self.len..self.len + field.len()].copy_from_slice(field);
        self.len += field.len();
        self
    }

    #[inline]
    fn write(mut self, out: &mut Vec<u8>) {
        let length = self.len - PREFIX;
        debug_assert_eq!(length_of(self.bytes[PREFIX]), Some(length));
        self.bytes[..PREFIX].copy_from_slice(&u16::try_from(length).unwrap_or(0).to_be_bytes());
        out.extend_from_slice(&self.bytes[..self.len]);
    }
}

/// Stocks are numbered from one.
fn stock_number(index: u64) -> u16 {
    u16::try_from(index % u64::from(STOCKS)).unwrap_or(0) + 1
}

fn stock_name(stock: u16) -> [u8; 8] {
    let letter = |place: u16| b'A' + u8::try_from(place % 26).unwrap_or(0);
    [b'S', letter(stock / 26), letter(stock), b'T', b' ', b' ', b' ', b' ']
}

fn middle(stock: u16) -> u32 {
    100_000 + 25_000 * u32::from(stock)
}

/// SplitMix64: small, fast, good enough to draw orders.
#[derive(Debug)]
struct Random(u64);

impl Random {
    #[inline]
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// In `0..limit`; `limit` is small, so that the upper half of the draw serves.
    #[inline]
    fn below(&mut self, limit: u64) -> u64 {
        ((self.next() >> 32).wrapping_mul(limit)) >> 32
    }

    /// In `1..=most`.
    #[inline]
    fn up_to(&mut self, most: u32) -> u32 {
        1 + u32::try_from(self.below(u64::from(most))).unwrap_or(0)
    }

    #[inline]
    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Books;
    use crate::event::Event;
    use crate::itch;
    use crate::reference::Reference;

    fn whole_day(messages: u64, seed: u64, piece: usize) -> Vec<u8> {
        let (mut day, mut bytes, mut piece_bytes) = (Day::new(messages, seed), vec![], vec![]);
        while day.write_some(&mut piece_bytes, piece) {
            bytes.append(&mut piece_bytes);
        }
        bytes
    }

    #[test]
    fn a_day_is_valid_itch_and_the_books_equal_the_reference() {
        let bytes = whole_day(300_000, 1, usize::MAX);
        let (mut messages, mut last_time) = (0, 0);
        let (mut books, mut reference) = (Books::new().unwrap(), Reference::new());
        for message in itch::messages(&bytes) {
            let event = Event::from_itch(messages, message);
            assert!(event.timestamp_ns >= last_time, "message {messages} goes back in time");
            books.apply(&event).unwrap();
            reference.read(message);
            last_time = event.timestamp_ns;
            messages += 1;
        }
        assert_eq!(messages, 300_000);

        let totals = reference.totals();
        assert_eq!(books.totals(), totals);
        assert_eq!((totals.unknown_orders, totals.books), (0, u64::from(STOCKS)));
        let letters: Vec<u8> = totals.by_type.iter().map(|count| count.kind).collect();
        assert_eq!(letters, b"ACDEFHPRSUX");

        let books: Vec<_> = books.summaries().collect();
        assert_eq!(books, reference.summaries().collect::<Vec<_>>());
        for book in &books {
            assert!(book.bids.best[0].price < book.asks.best[0].price, "{book}");
            assert!(book.bids.levels > 20 && book.asks.levels > 20, "{book}");
        }
    }

    #[test]
    fn the_day_depends_on_the_seed_and_not_on_the_pieces() {
        let day = whole_day(20_000, 7, usize::MAX);
        assert_eq!(day, whole_day(20_000, 7, 1_000));
        assert_ne!(day, whole_day(20_000, 8, usize::MAX));
    }

    #[test]
    fn the_shortest_day_still_opens_and_closes() {
        let day = whole_day(0, 1, usize::MAX);
        let tail = &day[day.len() - 14..];
        assert_eq!((tail[2], tail[13]), (b'S', b'C'));
    }
}
