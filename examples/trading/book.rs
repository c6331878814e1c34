//! Order books at speed: one hash table of orders, one sorted array of price levels a side.
//!
//! Nearly all traffic is near the best price. So a side keeps its best level last: to insert or
//! remove one moves only those that are better.
//!
//! Orders and books are objects of pools, and a side's levels lie in the thread's heap. All of it is
//! made beforehand: as long as a day fits the room, none of its messages has to wait for the allocator.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use allocator_api2::vec::Vec as PoolVec;
use strait_pools::pool::fixed::CHUNK;
use strait_pools::pool::{FixedPool, PoolError, Pooled, ThreadHeap};

use crate::event::{Event, stock_name};
use crate::summary::{BookSummary, Level, SideSummary, Totals};

/// Orders that may be live at a time before anything is allocated: more than a synthetic day has.
pub(crate) const ORDERS: usize = 100 * CHUNK;

/// The table has more places: removed orders leave marks, which are cleared without a new table only
/// while orders take less than half of it.
const TABLE: usize = 1 << 17;

/// Books there may be before anything is allocated: what a pool makes at once.
pub(crate) const BOOKS: usize = CHUNK;

/// Prices a side may have before anything is allocated: a block of the thread's heap, of 1 KiB.
pub(crate) const LEVELS: usize = 1024 / size_of::<RankedLevel>();

/// All books of the day.
#[derive(Debug)]
pub(crate) struct Books {
    orders: HashMap<u64, Pooled<Order>, BuildHasherDefault<ReferenceHasher>>,
    /// By stock locate.
    books: Vec<Option<Pooled<Book>>>,
    /// Where orders come from, and go when they are gone.
    order_pool: FixedPool<Order>,
    book_pool: FixedPool<Book>,
    /// What was made beforehand.
    room: Room,
    counts: [u64; 256],
    unknown_orders: u64,
}

/// All that grows when a day is larger than the room made for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Room {
    orders: usize,
    books: usize,
    heap_bytes: usize,
    heap_fallbacks: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Order {
    price: u32,
    shares: u32,
    stock: u16,
    side: u8,
}

#[derive(Debug, Default)]
struct Book {
    name: u64,
    bids: Side,
    asks: Side,
}

impl Books {
    /// No books yet, and room for them. They stay on the thread that makes them.
    pub(crate) fn new() -> Result<Self, PoolError> {
        let order_pool = FixedPool::options("orders").make(Order::default)?;
        // A pool grows when all its objects are out, and keeps what it has.
        let all = (0..ORDERS).map(|_| order_pool.take()).collect::<Result<Vec<_>, _>>()?;
        drop(all);
        let mut books = Vec::new();
        books.resize_with(usize::from(u16::MAX) + 1, || None);
        let mut made = Self {
            orders: HashMap::with_capacity_and_hasher(TABLE, BuildHasherDefault::default()),
            books,
            order_pool,
            book_pool: FixedPool::options("books").make(Book::default)?,
            room: Room::default(),
            counts: [0; 256],
            unknown_orders: 0,
        };
        made.room = made.room_now();
        Ok(made)
    }

    fn room_now(&self) -> Room {
        let heap = ThreadHeap::statistics();
        Room {
            orders: self.order_pool.len(),
            books: self.book_pool.len(),
            heap_bytes: heap.bytes,
            heap_fallbacks: heap.fallbacks,
        }
    }

    /// Whether the day was larger than the room made for it, so that something was allocated.
    pub(crate) fn outgrew_room(&self) -> bool {
        self.room_now() != self.room
    }

    /// Takes one market event into account.
    #[inline]
    pub(crate) fn apply(&mut self, event: &Event) -> Result<(), PoolError> {
        self.counts[usize::from(event.kind)] += 1;
        match event.kind {
            b'A' | b'F' => {
                self.book(event.stock)?.name = event.other;
                self.add(
                    event.order,
                    Order {
                        price: event.price,
                        shares: event.shares,
                        stock: event.stock,
                        side: event.side,
                    },
                )?;
            }
            b'E' | b'C' | b'X' => self.reduce(event.order, event.shares)?,
            b'D' => {
                self.remove(event.order)?;
            }
            b'U' => {
                if let Some(old) = self.remove(event.order)? {
                    let new = Order { price: event.price, shares: event.shares, ..old };
                    self.add(event.other, new)?;
                }
            }
            b'R' => self.book(event.stock)?.name = event.other,
            // Trades and crosses are of hidden or already reported orders; the rest is status.
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, reference: u64, order: Order) -> Result<(), PoolError> {
        let mut pooled = self.order_pool.take()?;
        *pooled = order;
        if let Some(old) = self.orders.insert(reference, pooled) {
            // A reference in use is given anew only by a faulty feed: the newer order stands.
            self.take(*old, old.shares)?;
        }
        let (side, rank) = self.side(order)?;
        side.add(rank, order.shares);
        Ok(())
    }

    fn reduce(&mut self, reference: u64, shares: u32) -> Result<(), PoolError> {
        let Some(order) = self.orders.get_mut(&reference) else {
            self.unknown_orders += 1;
            return Ok(());
        };
        let taken = shares.min(order.shares);
        order.shares -= taken;
        let order = **order;
        if order.shares == 0 {
            self.orders.remove(&reference);
        }
        self.take(order, taken)
    }

    fn remove(&mut self, reference: u64) -> Result<Option<Order>, PoolError> {
        let Some(pooled) = self.orders.remove(&reference) else {
            self.unknown_orders += 1;
            return Ok(None);
        };
        let order = *pooled;
        self.take(order, order.shares)?;
        Ok(Some(order))
    }

    fn take(&mut self, order: Order, shares: u32) -> Result<(), PoolError> {
        let (side, rank) = self.side(order)?;
        side.take(rank, shares);
        Ok(())
    }

    /// The side the order is on, and the rank of its price there.
    fn side(&mut self, order: Order) -> Result<(&mut Side, u32), PoolError> {
        let book = self.book(order.stock)?;
        Ok(if order.side == b'B' {
            (&mut book.bids, order.price)
        } else {
            (&mut book.asks, !order.price)
        })
    }

    fn book(&mut self, stock: u16) -> Result<&mut Book, PoolError> {
        let place = &mut self.books[usize::from(stock)];
        Ok(match place {
            Some(book) => book,
            None => place.insert(self.book_pool.take()?),
        })
    }

    /// The best bid of a stock, or the best ask where nobody bids.
    pub(crate) fn best(&self, stock: u16) -> Option<u32> {
        let book = self.books[usize::from(stock)].as_ref()?;
        let bid = book.bids.levels.last().map(|level| level.rank);
        bid.or_else(|| book.asks.levels.last().map(|level| !level.rank))
    }

    /// The day as a whole.
    pub(crate) fn totals(&self) -> Totals {
        let books = self.books.iter().flatten().count();
        Totals::new(&self.counts, self.unknown_orders, books as u64)
    }

    /// Every book, by stock.
    pub(crate) fn summaries(&self) -> impl Iterator<Item = BookSummary> {
        (0..=u16::MAX).zip(&self.books).filter_map(|(stock, book)| {
            let book = book.as_ref()?;
            Some(BookSummary {
                stock,
                symbol: stock_name(book.name),
                bids: book.bids.summary(|rank| rank),
                asks: book.asks.summary(|rank| !rank),
            })
        })
    }
}

/// The price levels of one side, by rank: the greater the better. A bid's rank is its price, an
/// ask's is the complement of it.
#[derive(Debug)]
struct Side {
    levels: PoolVec<RankedLevel, ThreadHeap>,
}

#[derive(Clone, Copy, Debug)]
struct RankedLevel {
    rank: u32,
    shares: u64,
}

impl Default for Side {
    fn default() -> Self {
        Self { levels: PoolVec::with_capacity_in(LEVELS, ThreadHeap) }
    }
}

impl Side {
    fn add(&mut self, rank: u32, shares: u32) {
        if shares == 0 {
            return;
        }
        let shares = u64::from(shares);
        match self.not_better_than(rank) {
            Some(at) if self.levels[at].rank == rank => self.levels[at].shares += shares,
            Some(at) => self.levels.insert(at + 1, RankedLevel { rank, shares }),
            None => self.levels.insert(0, RankedLevel { rank, shares }),
        }
    }

    fn take(&mut self, rank: u32, shares: u32) {
        let Some(at) = self.not_better_than(rank).filter(|&at| self.levels[at].rank == rank) else {
            return;
        };
        let level = &mut self.levels[at];
        level.shares = level.shares.saturating_sub(u64::from(shares));
        if level.shares == 0 {
            self.levels.remove(at);
        }
    }

    fn not_better_than(&self, rank: u32) -> Option<usize> {
        self.levels.partition_point(|level| level.rank <= rank).checked_sub(1)
    }

    fn summary(&self, price: impl Fn(u32) -> u32) -> SideSummary {
        SideSummary::of(
            self.levels
                .iter()
                .rev()
                .map(|level| Level { price: price(level.rank), shares: level.shares }),
        )
    }
}

/// Order references are handed out in sequence: one multiplication spreads them well enough, and
/// nobody chooses them to make the table slow.
#[derive(Debug, Default)]
struct ReferenceHasher(u64);

impl Hasher for ReferenceHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, reference: u64) {
        let product = (self.0 ^ reference).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ product >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u8, order: u64, side: u8, price: u32, shares: u32) -> Event {
        Event { kind, order, side, price, shares, stock: 3, ..Event::default() }
    }

    fn level(price: u32, shares: u64) -> Level {
        Level { price, shares }
    }

    fn only_book(books: &Books) -> BookSummary {
        let mut summaries: Vec<_> = books.summaries().collect();
        assert_eq!(summaries.len(), 1);
        summaries.remove(0)
    }

    #[test]
    fn orders_are_added_executed_cancelled_replaced_and_deleted() {
        let mut books = Books::new().unwrap();
        for (order, side, price, shares) in [
            (1, b'B', 100, 10),
            (2, b'B', 101, 20),
            (3, b'B', 100, 5),
            (4, b'S', 105, 7),
            (5, b'S', 103, 8),
            (6, b'S', 104, 9),
        ] {
            books.apply(&event(b'A', order, side, price, shares)).unwrap();
        }
        let book = only_book(&books);
        assert_eq!(book.bids.best, [level(101, 20), level(100, 15)]);
        assert_eq!(book.asks.best, [level(103, 8), level(104, 9), level(105, 7)]);

        books.apply(&event(b'E', 2, 0, 0, 20)).unwrap(); // the best bid is gone
        books.apply(&event(b'C', 5, 0, 1, 3)).unwrap(); // at another price, yet out of its own level
        books.apply(&event(b'X', 1, 0, 0, 4)).unwrap();
        books.apply(&event(b'D', 6, 0, 0, 0)).unwrap();
        books.apply(&Event { other: 7, ..event(b'U', 4, 0, 106, 70) }).unwrap();
        let book = only_book(&books);
        assert_eq!(book.bids.best, [level(100, 11)]);
        assert_eq!(book.asks.best, [level(103, 5), level(106, 70)]);

        books.apply(&event(b'D', 7, 0, 0, 0)).unwrap();
        assert_eq!(only_book(&books).asks.best, [level(103, 5)]);
        assert_eq!(books.totals().unknown_orders, 0);
    }

    #[test]
    fn what_concerns_unknown_orders_is_counted_and_changes_nothing() {
        let mut books = Books::new().unwrap();
        for kind in [b'E', b'C', b'X', b'D', b'U'] {
            books.apply(&event(kind, 9, 0, 10, 10)).unwrap();
        }
        assert_eq!(books.totals().unknown_orders, 5);
        assert_eq!(books.summaries().count(), 0);
    }
}
