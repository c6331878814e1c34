//! The matching engine as it is called, wherever it is: a service, and what it takes and returns.

use strait::rkyv::{self, Archive, Deserialize, Serialize};
use strait::{Message, service};

/// An order.
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
    pub(crate) reserved: [u8; 5],
}

impl Order {
    /// Whether one of the two wants to buy for what the other sells for.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        match (self.side, other.side) {
            (b'B', b'S') => self.price >= other.price,
            (b'S', b'B') => self.price <= other.price,
            _ => false,
        }
    }
}

/// What became of an order that was accepted.
#[derive(Clone, Copy, Debug, Message, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Ack {
    /// It waits for one that it meets.
    Rests = 1,
    /// It met the one that rested in its stock: both are done.
    Met = 2,
}

/// Why an order was not accepted.
#[derive(Clone, Copy, Debug, Message, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Refusal {
    /// Another one rests in its stock, which it does not meet.
    Occupied = 1,
}

/// What came of all orders.
#[derive(Archive, Serialize, Deserialize, Message, Clone, Debug, Default, PartialEq, Eq)]
#[rkyv(crate = rkyv)]
pub(crate) struct Tally {
    /// Orders accepted.
    pub(crate) accepted: u64,
    /// Orders refused.
    pub(crate) refused: u64,
    /// Accepted orders that met one which rested.
    pub(crate) met: u64,
    /// Orders that were taken back while they rested.
    pub(crate) cancelled: u64,
    /// Orders that rest, by number.
    pub(crate) resting: Vec<u64>,
}

/// The matching engine.
#[service(name = "trading.Matcher", version = 1)]
pub(crate) trait Matcher {
    /// Takes an order, which meets the one that rests in its stock, or rests itself.
    #[method(1)]
    fn submit(&self, order: &Order) -> Result<Ack, Refusal>;

    /// Takes an order back if it rests.
    #[method(2, oneway)]
    fn cancel(&self, sequence: u64);

    /// What came of all orders so far.
    #[method(3)]
    fn tally(&self) -> Tally;
}
