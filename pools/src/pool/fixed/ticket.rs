//! Objects that are on their way through where no handle can go.

use super::{FixedPool, Home, Pooled};
use crate::pool::block::{Block, State};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use thiserror::Error;

/// Stands for an object while it is with nobody: plain data, for a message, a queue or another language.
///
/// From [`FixedPool::detach`]. It is good for one [`FixedPool::attach`]; any copy of it is then stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Which pool.
    pool: u64,
    /// Which of its blocks.
    index: u32,
    /// How many tickets for the block were redeemed before.
    generation: u32,
}

/// Why a ticket gives no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TicketError {
    /// It is of another pool.
    #[error("the ticket is of another pool, not of `{pool}`")]
    Foreign {
        /// The pool that was asked.
        pool: &'static str,
    },
    /// It was redeemed already.
    #[error("pool `{pool}` has redeemed this ticket, or a copy of it, already")]
    Stale {
        /// The pool that was asked.
        pool: &'static str,
    },
}

/// A number that no other pool has.
pub(super) fn pool_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // The number alone matters; nothing is published with it.
    NEXT.fetch_add(1, Relaxed)
}

/// The part of a block's note that counts redeemed tickets.
fn generation<T>(block: Block<Home<T>>) -> u32 {
    let [a, b, c, d, ..] = block.note().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

impl<T: 'static> FixedPool<T> {
    /// Exchanges a handle for a ticket. The object is not reset, and nobody else gets it.
    ///
    /// An object whose ticket is never redeemed is dropped with the pool.
    ///
    /// ```
    /// use strait_pools::pool::{FixedPool, TicketError};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = FixedPool::options("orders").bounded(8).make(|| 0_u64)?;
    /// let mut order = pool.take()?;
    /// *order = 42;
    /// let ticket = pool.detach(order).map_err(|_| "not of this pool")?;
    ///
    /// assert_eq!(*pool.attach(ticket)?, 42);
    /// let again = pool.attach(ticket).unwrap_err();
    /// assert_eq!(again, TicketError::Stale { pool: "orders" });
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The handle, if it is of another pool.
    pub fn detach(&self, handle: Pooled<T>) -> Result<Ticket, Pooled<T>> {
        let block = handle.block();
        if !std::ptr::eq(block.home(), self.home()) {
            return Err(handle);
        }
        let slab = &self.home().slab;
        let Some(Ok(index)) = slab.index_of(block).map(u32::try_from) else { return Err(handle) };
        std::mem::forget(handle);
        block.set_state(State::Detached);
        Ok(Ticket { pool: self.home().number, index, generation: generation(block) })
    }

    /// Exchanges a ticket for the handle.
    ///
    /// # Errors
    ///
    /// [`TicketError`], if the ticket is another pool's, or was redeemed before.
    pub fn attach(&self, ticket: Ticket) -> Result<Pooled<T>, TicketError> {
        let home = self.home();
        if ticket.pool != home.number {
            return Err(TicketError::Foreign { pool: home.name });
        }
        let stale = TicketError::Stale { pool: home.name };
        let block = home.slab.get(ticket.index as usize).ok_or(stale)?;
        if block.state() != State::Detached || generation(block) != ticket.generation {
            return Err(stale);
        }
        block.set_note(u64::from(ticket.generation.wrapping_add(1)));
        block.set_state(State::Live);
        Ok(Pooled::new(block))
    }
}
