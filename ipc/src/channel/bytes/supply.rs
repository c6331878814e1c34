//! Where a sender puts messages that do not stand in their cells.

use crate::channel::link::{Cells, Place};
use crate::ring::arena::Arena;
use crate::ring::blocks::{Blocks, Owner, Stock};
use crate::ring::geometry::Store;
use crate::ring::spsc::{Corrupt, Producer};
use strait_pools::placement::{Many, Mapped};

/// A sender's own view of the channel's [`Store`].
#[derive(Debug)]
pub(in crate::channel) enum Supply {
    None,
    Arena(Arena),
    Blocks(Stock<Mapped>),
}

impl Supply {
    /// As a predecessor left it: with what unread messages hold, and without what else it had taken.
    pub(in crate::channel) fn adopt(
        producer: &mut Producer<Mapped>,
        cells: &Cells,
        blocks: Option<(Blocks<Mapped>, Owner)>,
    ) -> Result<Self, Corrupt> {
        let place = |producer: &Producer<Mapped>, position| {
            cells.at(&producer.words().states, position).place().ok()
        };
        if let Some((blocks, me)) = blocks {
            let unread = positions(producer.unread()?, producer.position());
            let named: Vec<_> = unread.map(|position| place(producer, position)).collect();
            let names = |block| {
                let of = |place: &Option<Place>| matches!(place, Some(Place::Block { index, .. }) if *index == block);
                named.iter().any(of)
            };
            blocks.sweep(me, names);
            return Ok(Self::Blocks(Stock::new(blocks, me)));
        }
        let Store::Arena { bytes } = cells.store() else { return Ok(Self::None) };
        let consumed = producer.consumed()?;
        let mut arena = Arena::new(bytes, producer.words().states.len(), consumed);
        for position in positions(consumed, producer.position()) {
            let chunk = match place(producer, position) {
                Some(Place::Chunk(chunk)) => Some(chunk),
                Some(Place::Block { .. }) | None => None,
            };
            arena.adopt(position, chunk)?;
        }
        Ok(Self::Arena(arena))
    }

    /// A place for `len` bytes behind what is built and not published, if there is one now.
    pub(in crate::channel) fn find(
        &mut self,
        producer: &mut Producer<Mapped>,
        len: usize,
    ) -> Result<Option<Place>, Corrupt> {
        let bytes = len as u64;
        match self {
            Self::None => Ok(None),
            Self::Blocks(stock) => Ok(stock.find().map(|index| Place::Block { index, bytes })),
            Self::Arena(arena) => {
                let mut found = arena.find(bytes);
                if found.is_none() {
                    arena.free_below(producer.consumed()?);
                    found = arena.find(bytes);
                }
                Ok(found.map(Place::Chunk))
            }
        }
    }

    /// The place found last is used by a message that is being built.
    pub(in crate::channel) fn take(&mut self, place: Place) {
        match (self, place) {
            (Self::Arena(arena), Place::Chunk(chunk)) => arena.take(chunk),
            (Self::Blocks(stock), _) => stock.used(),
            _ => {}
        }
    }

    /// The message at `position` is built.
    #[inline(always)]
    pub(in crate::channel) fn built(&mut self, position: u64) {
        if let Self::Arena(arena) = self {
            arena.built(position);
        }
    }

    /// All messages that were built are published.
    #[inline(always)]
    pub(in crate::channel) fn publish(&mut self) {
        if !matches!(self, Self::None) {
            self.published();
        }
    }

    #[cold]
    #[inline(never)]
    fn published(&mut self) {
        match self {
            Self::None => {}
            Self::Arena(arena) => arena.publish(),
            Self::Blocks(stock) => stock.publish(),
        }
    }

    /// What was built and not published is given up.
    #[inline(always)]
    pub(in crate::channel) fn abort(&mut self) {
        if !matches!(self, Self::None) {
            self.aborted();
        }
    }

    #[cold]
    #[inline(never)]
    fn aborted(&mut self) {
        match self {
            Self::None => {}
            Self::Arena(arena) => arena.abort(),
            Self::Blocks(stock) => stock.abort(),
        }
    }

    /// Gives everything back that is in no message; done before closing.
    pub(in crate::channel) fn close(&mut self) {
        if let Self::Blocks(stock) = self {
            stock.close();
        }
    }
}

/// The positions from `start` to before `end`, which may wrap.
fn positions(start: u64, end: u64) -> impl Iterator<Item = u64> {
    (0..end.wrapping_sub(start)).map(move |ahead| start.wrapping_add(ahead))
}
