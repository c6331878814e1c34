//! What is known of a book at the end of the day: the form in which the books built from events
//! and the reference built from the file are compared and shown.

use std::fmt;

use strait::Message;
use strait::rkyv::{self, Archive, Deserialize, Serialize};

use crate::answers::Heard;
use crate::matcher::Tally;

/// How many of the best prices of a side are kept one by one.
const BEST_LEVELS: usize = 5;

/// All that is offered, or asked for, at one price.
#[derive(Archive, Serialize, Deserialize, Message, Clone, Copy, Debug, PartialEq, Eq)]
#[rkyv(crate = rkyv)]
pub(crate) struct Level {
    /// Ten-thousandths of a dollar.
    pub(crate) price: u32,
    /// Shares of all orders at that price.
    pub(crate) shares: u64,
}

/// One side of a book.
#[derive(Archive, Serialize, Deserialize, Message, Clone, Debug, Default, PartialEq, Eq)]
#[rkyv(crate = rkyv)]
pub(crate) struct SideSummary {
    /// The best prices, best first.
    pub(crate) best: Vec<Level>,
    /// Number of prices.
    pub(crate) levels: u32,
    /// Shares at all prices.
    pub(crate) shares: u64,
    /// Over every level, so that the comparison covers those beyond `best`, too.
    pub(crate) digest: u64,
}

impl SideSummary {
    /// Sums up the levels, which come best first.
    pub(crate) fn of(levels: impl Iterator<Item = Level>) -> Self {
        let mut side = Self::default();
        for level in levels {
            if side.best.len() < BEST_LEVELS {
                side.best.push(level);
            }
            side.levels += 1;
            side.shares += level.shares;
            for word in [u64::from(level.price), level.shares] {
                side.digest = (side.digest ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                side.digest ^= side.digest >> 32;
            }
        }
        side
    }
}

/// The book of one stock.
#[derive(Archive, Serialize, Deserialize, Message, Clone, Debug, PartialEq, Eq)]
#[rkyv(crate = rkyv)]
pub(crate) struct BookSummary {
    /// The day's number of the stock.
    pub(crate) stock: u16,
    /// Its name; empty if no message told it.
    pub(crate) symbol: String,
    /// Who wants to buy, highest price first.
    pub(crate) bids: SideSummary,
    /// Who wants to sell, lowest price first.
    pub(crate) asks: SideSummary,
}

/// How often a type occurred.
#[derive(Archive, Serialize, Deserialize, Message, Clone, Copy, Debug, PartialEq, Eq)]
#[rkyv(crate = rkyv)]
pub(crate) struct TypeCount {
    /// The ITCH letter.
    pub(crate) kind: u8,
    /// Messages of that type.
    pub(crate) messages: u64,
}

/// What the whole day amounts to.
#[derive(Archive, Serialize, Deserialize, Message, Clone, Debug, Default, PartialEq, Eq)]
#[rkyv(crate = rkyv)]
pub(crate) struct Totals {
    /// How many messages of each type, in the order of the letters.
    pub(crate) by_type: Vec<TypeCount>,
    /// Messages about an order that was never added.
    pub(crate) unknown_orders: u64,
    /// Stocks that have had an order or a directory entry.
    pub(crate) books: u64,
}

impl Totals {
    /// From a count per letter.
    pub(crate) fn new(counts: &[u64; 256], unknown_orders: u64, books: u64) -> Self {
        let by_type = (0..=255)
            .zip(counts)
            .map(|(kind, &messages)| TypeCount { kind, messages })
            .filter(|count| count.messages > 0)
            .collect();
        Self { by_type, unknown_orders, books }
    }
}

impl fmt::Display for SideSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.best.first() {
            Some(best) => write!(f, "{} @ {}", best.shares, dollars(best.price))?,
            None => f.write_str("none")?,
        }
        write!(f, " ({} levels, {} shares, digest {:016x})", self.levels, self.shares, self.digest)
    }
}

impl fmt::Display for BookSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` (stock {}): bid {}, ask {}", self.symbol, self.stock, self.bids, self.asks)
    }
}

/// What the feed expects the book builder to end with, told piece by piece: first the totals, then what
/// it heard itself, what the engine should have made of that, and every book.
#[derive(Archive, Serialize, Deserialize, Message, Clone, Debug, PartialEq, Eq)]
#[rkyv(crate = rkyv)]
pub(crate) enum Expected {
    /// The day as a whole.
    Day(Totals),
    /// The orders that it received, and what was recorded.
    Heard(Heard),
    /// What the engine should tell.
    Tally(Tally),
    /// One book.
    Book(BookSummary),
}

/// An ITCH price as people write it.
pub(crate) fn dollars(price: u32) -> String {
    format!("{}.{:04}", price / 10_000, price % 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_beyond_the_best_levels_shows() {
        let levels = |last| {
            let mut levels: Vec<_> = (1..=9).map(|price| Level { price, shares: 100 }).collect();
            levels.push(last);
            SideSummary::of(levels.into_iter())
        };
        let side = levels(Level { price: 10, shares: 100 });
        assert_eq!((side.best.len(), side.levels, side.shares), (5, 10, 1_000));
        assert_ne!(side, levels(Level { price: 11, shares: 100 }));
    }
}
