//! The blocks of a ring: where messages lie that their reader may keep.
//!
//! ```text
//! blocks, part of the producer's region          cell of such a message
//! ┌─────────┬─────────┬─────┐ ┌───────┬───────┐  ┌───────┬─────────────┬───────────────┐
//! │ owner 0 │ owner 1 │  …  │ │ block │ block │  │ state │ len 16, kind│ index │ bytes │
//! └─────────┴─────────┴─────┘ └───────┴───────┘  └───────┴─────────────┴───────────────┘
//!   owner: 0 free, else an endpoint and its epoch
//! ```
//!
//! The owner word is the truth about a block: taking one is a compare-and-swap from free to oneself. There
//! is no list of free blocks that a death could tear: a producer goes around the words, where the next
//! one is nearly always free, and keeps what it took and did not use. A message that is published *is*
//! in its cell: a block that an unread cell names belongs to that cell, whatever its word says.
//!
//! # Orderings
//!
//! | store | pairs with | makes visible |
//! |---|---|---|
//! | owner = free, Release (`blocks.free`, `blocks.sweep`) | owner, Acquire (`blocks.take`) | that the reads of the block are over |
//! | `cursor`, Release (`spsc.cursor`) | `cursor`, Acquire (`spsc.unread`) | that the consumer is the owner of what it has taken from cells |
//!
//! # When a process dies here
//!
//! *The producer*, with blocks that it had taken and not published: its successor frees every block that
//! is owned by an earlier epoch of its side, and that no unread cell names ([`Blocks::sweep`]). It reads
//! the cursor first: what the consumer took out of a cell before that is seen to be the consumer's.
//! *The consumer*, with messages in hand or kept: it becomes the owner of a block *before* its cursor moves,
//! so a block is either named by an unread cell, and delivered again, or the dead one's, and its
//! successor frees it.
//! *Whoever sweeps*: each step is a swap from the exact word of the dead one; the next does the rest.

use strait_pools::marks::{Mark, pass};
use strait_pools::placement::{Many, Placement};
use strait_pools::sync::Ordering::{Acquire, Relaxed, Release};
use strait_pools::sync::{AtomicU64, Site};

/// A side of a channel in one of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(u64);

const SLOT_BITS: u32 = 16;
const FREE: u64 = 0;

impl Owner {
    /// The side at endpoint `slot`, in its life number `epoch`.
    pub fn new(slot: u32, epoch: u64) -> Self {
        // A segment has 2048 endpoints at most.
        Self(epoch << SLOT_BITS | u64::from(slot + 1) & 0xffff)
    }

    fn slot(self) -> u64 {
        self.0 & 0xffff
    }
}

/// The owner words of all blocks.
#[derive(Debug)]
pub struct Blocks<P: Placement> {
    owners: P::Many<AtomicU64>,
}

impl<P: Placement> Clone for Blocks<P> {
    fn clone(&self) -> Self {
        Self { owners: self.owners.clone() }
    }
}

impl<P: Placement> Blocks<P> {
    /// The blocks with these owner words.
    pub fn new(owners: P::Many<AtomicU64>) -> Self {
        Self { owners }
    }

    /// Number of blocks, a power of two.
    pub fn count(&self) -> u64 {
        self.owners.len()
    }

    /// Becomes the owner of a block that an unread cell names. Before the cursor moves.
    pub fn claim(&self, index: u64, me: Owner) {
        // Shown by `spsc.cursor`, which follows.
        self.owners.at(index).store(me.0, Relaxed);
        pass(Mark::BlockClaimed);
    }

    /// Gives a block of one's own back. `false` if it is not one's own: nothing happens.
    pub fn free(&self, index: u64, me: Owner) -> bool {
        pass(Mark::BlockRead);
        // Pairs with `blocks.take`: our reads are over.
        let (freed, not) = (Release.at("blocks.free"), Relaxed);
        self.owners.at(index).compare_exchange(me.0, FREE, freed, not).is_ok()
    }

    /// Frees what earlier lives of this side left behind, but for what `is_unread` knows to be named by
    /// a cell that is not read. Returns how many.
    ///
    /// Whoever calls this holds the side. What is unread was found out before.
    pub fn sweep(&self, me: Owner, is_unread: impl Fn(u64) -> bool) -> u64 {
        let mut swept = 0;
        for index in 0..self.count() {
            let owner = self.owners.at(index).load(Relaxed);
            let left = Owner(owner).slot() == me.slot() && owner != me.0;
            if left && !is_unread(index) {
                pass(Mark::BlockSwept);
                // Pairs with `blocks.take`: the dead one's reads are over.
                let (freed, not) = (Release.at("blocks.sweep"), Relaxed);
                let freed = self.owners.at(index).compare_exchange(owner, FREE, freed, not);
                swept += u64::from(freed.is_ok());
            }
        }
        swept
    }
}

/// A producer's way to blocks.
#[derive(Debug)]
pub struct Stock<P: Placement> {
    blocks: Blocks<P>,
    me: Owner,
    /// Taken, and in no message.
    spare: Vec<u64>,
    /// In messages that are built and not published.
    built: Vec<u64>,
    /// Where to look next.
    next: u64,
}

impl<P: Placement> Stock<P> {
    /// Blocks for messages of the side `me`.
    pub fn new(blocks: Blocks<P>, me: Owner) -> Self {
        // Neither list can hold more than there are: they never grow.
        let most = usize::try_from(blocks.count()).unwrap_or(0);
        let (spare, built) = (Vec::with_capacity(most), Vec::with_capacity(most));
        Self { blocks, me, spare, built, next: 0 }
    }

    /// A block for the next message; the same again until it is [used](Stock::used). `None` if all are
    /// in use.
    pub fn find(&mut self) -> Option<u64> {
        if let Some(&index) = self.spare.last() {
            return Some(index);
        }
        for _ in 0..self.blocks.count() {
            let index = self.next & (self.blocks.count() - 1);
            self.next = self.next.wrapping_add(1);
            let word = self.blocks.owners.at(index);
            // Pairs with `blocks.free`: nobody reads it any more.
            let (taken, not) = (Acquire.at("blocks.take"), Relaxed);
            if word.load(Relaxed) == FREE
                && word.compare_exchange(FREE, self.me.0, taken, not).is_ok()
            {
                pass(Mark::BlockTaken);
                self.spare.push(index);
                return Some(index);
            }
        }
        None
    }

    /// The block found last is in a message that is built.
    pub fn used(&mut self) {
        self.built.extend(self.spare.pop());
    }

    /// What was built is published: its blocks belong to cells.
    pub fn publish(&mut self) {
        self.built.clear();
    }

    /// What was built is given up.
    pub fn abort(&mut self) {
        self.spare.append(&mut self.built);
    }

    /// Gives everything back that is in no message; done before closing.
    pub fn close(&mut self) {
        self.abort();
        for index in self.spare.drain(..) {
            self.blocks.free(index, self.me);
        }
    }
}
