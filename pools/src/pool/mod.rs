//! Memory pools of one process: blocks that are reused rather than allocated.
//!
//! | pool | gives | gives back |
//! |---|---|---|
//! | [`FixedPool`] | objects that stay made, one type per pool | on drop of the handle, on any thread |
//! | [`ThreadHeap`] | blocks of three sizes, from a heap that each thread has | on any thread; others return to their owner in parcels |
//! | [`Heap`] | the same, from a heap of one's own, with a name and a limit | on its thread |
//! | [`Arena`] | bytes of any size, one behind the other | all at once |
//! | [`FifoArena`] | bytes of any size from a ring | in the order in which they were allocated |
//!
//! All but the first are [`Allocator`](allocator_api2::alloc::Allocator)s of `allocator-api2`: for its
//! `Vec` and `Box`, and for `hashbrown`'s tables. In the steady state none of them calls the system.
//!
//! | module | what lives there |
//! |---|---|
//! | [`lane`] | how blocks freed elsewhere return: many put, the owner takes all |
//! | [`closing`] | who frees the memory of an owner that left before its blocks came back |
//! | `block`, `slab` | a chunk's layout; blocks of one size, from their owner's side |
//! | [`fixed`] | pools of objects |
//! | [`heap`] | size classes, parcels, heaps and the thread's own |
//! | [`arena`], [`fifo`] | bytes without blocks |
//! | [`error`] | what goes wrong |
//!
//! # What is caught
//!
//! A block has an owner on record and a state. Handles cannot be given back twice; of the raw calls of
//! an allocator, those that give back a block which is not out, or not of this allocator, are counted
//! in [`faults`] and otherwise do nothing: the block is leaked, rather than given to two. What cannot
//! be caught by the raw calls, which have nothing but an address: a block that is given out *again*
//! before its owner comes to look at its second return; and memory that the system has again. Objects of
//! a [`FixedPool`] travel as addresses nowhere: a [`Ticket`] names block and generation, and is refused
//! the second time.

mod block;
mod slab;

pub mod arena;
pub mod closing;
pub mod error;
pub mod fifo;
pub mod fixed;
pub mod heap;
pub mod lane;

pub use arena::Arena;
pub use error::{Fault, Faults, PoolError, faults};
pub use fifo::FifoArena;
pub use fixed::{FixedPool, FixedPoolOptions, Pooled, Ticket, TicketError};
pub use heap::{Fallback, Heap, HeapOptions, HeapStatistics, InUse, SizeClass, ThreadHeap};
