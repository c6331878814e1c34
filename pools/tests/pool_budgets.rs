//! What a block costs in atomic accesses, to the last load.
//!
//! Needs the counting atomics: `cargo xtask budgets`.
#![cfg(strait_counting)]

use allocator_api2::alloc::Allocator;
use std::alloc::Layout;
use std::thread;
use strait_pools::pool::{Arena, FifoArena, FixedPool, Heap, HeapOptions, ThreadHeap};
use strait_pools::sync::{Counts, count};

const NOTHING: Counts = Counts { loads: 0, stores: 0, rmws: 0, fences: 0, system_calls: 0 };

const SIZES: [usize; 3] = [64, 1_024, 65_536];

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).unwrap()
}

/// What a pair costs once the allocator is warm.
fn pair(allocator: impl Allocator, size: usize) -> Counts {
    let pair = || {
        let block = allocator.allocate(layout(size)).unwrap().cast();
        // SAFETY: just allocated, with this layout.
        unsafe { allocator.deallocate(block, layout(size)) };
    };
    pair();
    count(pair).1
}

/// One load: whether the owner's number is this thread's.
#[test]
fn an_object_on_its_own_thread_costs_a_load() {
    let pool = FixedPool::options("budget").bounded(100).make(|| 0_u64).unwrap();
    let (_, counts) = count(|| drop(pool.take().unwrap()));
    assert_eq!(counts, Counts { loads: 1, ..NOTHING });
    let (held, counts) = count(|| (0..100).map(|_| pool.take().unwrap()).collect::<Vec<_>>());
    assert_eq!(counts, NOTHING);
    let (_, counts) = count(|| drop(held));
    assert_eq!(counts, Counts { loads: 100, ..NOTHING });
}

/// Three loads, of the owner with and without a reset and of the lane, and one compare-and-swap.
#[test]
fn an_object_on_another_thread_costs_a_swap() {
    let pool = FixedPool::options("budget").bounded(1).make(|| 0_u64).unwrap();
    let object = pool.take().unwrap();
    let (_, counts) = thread::spawn(move || count(move || drop(object))).join().unwrap();
    assert_eq!(counts, Counts { loads: 3, rmws: 1, ..NOTHING });
    // Collected by one load and one swap.
    let (_, counts) = count(|| pool.take().unwrap());
    assert_eq!(counts.rmws, 1);
}

#[test]
fn blocks_on_their_own_thread_cost_nothing() {
    let heap = Heap::new(HeapOptions::new("budget"));
    for size in SIZES {
        assert_eq!(pair(&heap, size), NOTHING);
        assert_eq!(pair(ThreadHeap, size), NOTHING);
    }
}

#[test]
fn arenas_cost_nothing() {
    let (arena, ring) = (Arena::chunked("budget", 100_000), FifoArena::new("budget", 100_000));
    assert_eq!(pair(&arena, 1_000), NOTHING);
    assert_eq!(pair(&ring.unwrap(), 1_000), NOTHING);
}

/// A parcel of 62 blocks costs one compare-and-swap, and a load before it.
#[test]
fn blocks_on_another_thread_share_a_swap() {
    let blocks: Vec<_> = (0..62 * 4)
        .map(|_| ThreadHeap.allocate(layout(64)).unwrap().cast::<u8>().as_ptr().expose_provenance())
        .collect();
    let give = move || {
        for block in blocks {
            let block = std::ptr::with_exposed_provenance_mut(block);
            let block = std::ptr::NonNull::new(block).unwrap();
            // SAFETY: allocated above, with this layout.
            unsafe { ThreadHeap.deallocate(block, layout(64)) };
        }
    };
    let (_, counts) = thread::spawn(|| count(give)).join().unwrap();
    // Each parcel also looks whether there is an empty one.
    assert_eq!(counts, Counts { loads: 8, rmws: 4, ..NOTHING });
}
