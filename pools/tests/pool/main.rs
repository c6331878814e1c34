//! Memory pools, from outside.
//!
//! | module | what it shows |
//! |---|---|
//! | `fixed` | pools of objects: limits, growth, reset, drops, threads |
//! | `heap` | size classes: edges, limits, fallbacks, threads that end |
//! | `bytes` | the arena and the ring |
//! | `faults` | blocks given back twice, or to others |
//! | `model` | random calls beside a record of what is out |
//! | `steady` | no call of the system's allocator once warm |
#![cfg(not(any(loom, strait_counting)))]

mod bytes;
mod faults;
mod fixed;
mod heap;
mod model;
mod steady;

use std::alloc::Layout;

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}
