//! The same books by other means: straight from the bytes of the file, in ordered maps, with no
//! thought of speed. What the book builder ends with must be equal to this; and what the engine made of its
//! orders, to what is made of them here.

use std::collections::BTreeMap;

use crate::broker::LIFETIME;
use crate::matcher::{self, Tally};
use crate::summary::{BookSummary, Level, SideSummary, Totals};

/// Stock, whether it is a bid, price, shares left.
type Order = (u16, bool, u32, u32);

/// The reference.
#[derive(Debug)]
pub(crate) struct Reference {
    /// By reference.
    live: BTreeMap<u64, Order>,
    /// Shares by stock, side and price.
    levels: BTreeMap<(u16, bool, u32), u64>,
    names: BTreeMap<u16, String>,
    counts: [u64; 256],
    unknown_orders: u64,
    /// What the book builder ordered, in order.
    pub(crate) orders: Vec<matcher::Order>,
}

impl Reference {
    /// Nothing read yet.
    pub(crate) fn new() -> Self {
        Self {
            live: BTreeMap::new(),
            levels: BTreeMap::new(),
            names: BTreeMap::new(),
            counts: [0; 256],
            unknown_orders: 0,
            orders: Vec::new(),
        }
    }

    /// Reads one whole ITCH message.
    pub(crate) fn read(&mut self, message: &[u8]) {
        let kind = number(message, 0, 1);
        self.counts[usize::from(narrow::<u8>(kind))] += 1;
        let stock = narrow(number(message, 1, 2));
        let order = number(message, 11, 8);
        match narrow(kind) {
            b'A' | b'F' => {
                self.names.insert(stock, name(&message[24..32]));
                let is_bid = message[19] == b'B';
                let shares = narrow(number(message, 20, 4));
                let price = narrow(number(message, 32, 4));
                self.enter(order, (stock, is_bid, price, shares));
            }
            b'E' | b'C' | b'X' => self.shrink(order, narrow(number(message, 19, 4))),
            b'D' => {
                self.leave(order);
            }
            b'U' => {
                if let Some((stock, is_bid, ..)) = self.leave(order) {
                    let shares = narrow(number(message, 27, 4));
                    let price = narrow(number(message, 31, 4));
                    self.enter(number(message, 19, 8), (stock, is_bid, price, shares));
                }
            }
            b'R' => {
                self.names.insert(stock, name(&message[11..19]));
            }
            _ => {}
        }
    }

    fn enter(&mut self, reference: u64, order: Order) {
        if self.live.contains_key(&reference) {
            self.leave(reference);
        }
        let (stock, is_bid, price, shares) = order;
        *self.levels.entry((stock, is_bid, price)).or_default() += u64::from(shares);
        self.live.insert(reference, order);
    }

    fn shrink(&mut self, reference: u64, by: u32) {
        let Some(&(stock, is_bid, price, shares)) = self.live.get(&reference) else {
            self.unknown_orders += 1;
            return;
        };
        self.leave(reference);
        if shares > by {
            self.enter(reference, (stock, is_bid, price, shares - by));
        }
    }

    fn leave(&mut self, reference: u64) -> Option<Order> {
        let order = self.live.remove(&reference);
        match order {
            Some((stock, is_bid, price, shares)) => {
                *self.levels.entry((stock, is_bid, price)).or_default() -= u64::from(shares);
            }
            None => self.unknown_orders += 1,
        }
        order
    }

    /// The day as a whole.
    pub(crate) fn totals(&self) -> Totals {
        Totals::new(&self.counts, self.unknown_orders, self.names.len() as u64)
    }

    /// Every book, by stock.
    pub(crate) fn summaries(&self) -> impl Iterator<Item = BookSummary> {
        self.names.iter().map(|(&stock, symbol)| BookSummary {
            stock,
            symbol: symbol.clone(),
            bids: SideSummary::of(self.levels(stock, true).rev()),
            asks: SideSummary::of(self.levels(stock, false)),
        })
    }

    /// What an engine should have made of the orders, each of which is taken back when it is old.
    pub(crate) fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        let mut resting = BTreeMap::<u16, &matcher::Order>::new();
        for order in &self.orders {
            let before = resting.len();
            resting.retain(|_, rests| rests.sequence + LIFETIME > order.sequence);
            tally.cancelled += (before - resting.len()) as u64;
            match resting.get(&order.stock) {
                None => {
                    resting.insert(order.stock, order);
                }
                Some(other) if order.meets(other) => {
                    resting.remove(&order.stock);
                    tally.met += 1;
                }
                Some(_) => tally.refused += 1,
            }
        }
        tally.accepted = self.orders.len() as u64 - tally.refused;
        tally.resting = resting.values().map(|order| order.sequence).collect();
        tally.resting.sort_unstable();
        tally
    }

    fn levels(&self, stock: u16, is_bid: bool) -> impl DoubleEndedIterator<Item = Level> {
        self.levels
            .range((stock, is_bid, 0)..=(stock, is_bid, u32::MAX))
            .map(|(&(.., price), &shares)| Level { price, shares })
            .filter(|level| level.shares > 0)
    }
}

/// The big-endian number in `width` bytes at `at`; zero beyond the end of a short message.
fn number(message: &[u8], at: usize, width: usize) -> u64 {
    let bytes = message.get(at..at + width).unwrap_or_default();
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// A number read from no more bytes than `T` has.
fn narrow<T: TryFrom<u64> + Default>(number: u64) -> T {
    T::try_from(number).unwrap_or_default()
}

fn name(padded: &[u8]) -> String {
    String::from_utf8_lossy(padded).trim_end().to_owned()
}
