//! What is known of a book at the end of the day: the form in which the books built from events
//! and the reference built from the file are compared and shown.

use std::fmt;

/// How many of the best prices of a side are kept one by one.
const BEST_LEVELS: usize = 5;

/// All that is offered, or asked for, at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Ten-thousandths of a dollar.
    pub price: u32,
    /// Shares of all orders at that price.
    pub shares: u64,
}

/// One side of a book.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SideSummary {
    /// The best prices, best first.
    pub best: Vec<Level>,
    /// Number of prices.
    pub levels: u32,
    /// Shares at all prices.
    pub shares: u64,
    /// Over every level, so that the comparison covers those beyond `best`, too.
    pub digest: u64,
}

impl SideSummary {
    /// Sums up the levels, which come best first.
    pub fn of(levels: impl Iterator<Item = Level>) -> Self {
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookSummary {
    /// The day's number of the stock.
    pub stock: u16,
    /// Its name; empty if no message told it.
    pub symbol: String,
    /// Who wants to buy, highest price first.
    pub bids: SideSummary,
    /// Who wants to sell, lowest price first.
    pub asks: SideSummary,
}

/// What the whole day amounts to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many messages of each type, in the order of the letters.
    pub by_type: Vec<(u8, u64)>,
    /// Messages about an order that was never added.
    pub unknown_orders: u64,
    /// Stocks that have had an order or a directory entry.
    pub books: u64,
}

impl Totals {
    /// From a count per letter.
    pub fn new(counts: &[u64; 256], unknown_orders: u64, books: u64) -> Self {
        let by_type = (0..=255).zip(counts.iter().copied()).filter(|&(_, n)| n > 0).collect();
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

/// An ITCH price as people write it.
pub fn dollars(price: u32) -> String {
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
