//! Blocks given back twice, or to others. The calls break the contract of `deallocate`; what is shown is
//! that they are counted, and that nothing is given to two.

use super::layout;
use allocator_api2::alloc::Allocator;
use std::alloc::GlobalAlloc;
use std::alloc::System;
use std::collections::HashSet;
use std::ptr::NonNull;
use std::sync::Mutex;
use std::thread;
use strait_pools::pool::{FifoArena, Heap, HeapOptions, ThreadHeap, faults};

/// The counts are the process's.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Double and foreign frees that `action` was found to make.
fn found(action: impl FnOnce()) -> (u64, u64) {
    let _guard = ONE_AT_A_TIME.lock();
    let before = faults();
    action();
    let after = faults();
    (after.double_frees - before.double_frees, after.foreign_frees - before.foreign_frees)
}

const SMALL: (usize, usize) = (40, 8);

fn take(allocator: impl Allocator) -> NonNull<u8> {
    allocator.allocate(layout(SMALL.0, SMALL.1)).unwrap().cast()
}

fn give(allocator: impl Allocator, block: NonNull<u8>) {
    // SAFETY: not sound by contract where a fault is made; but the memory is there, which is all that
    // the allocators of pools rely on.
    unsafe { allocator.deallocate(block, layout(SMALL.0, SMALL.1)) };
}

/// So many blocks, all of them different.
fn distinct(allocator: impl Allocator + Copy, count: usize) {
    let blocks: HashSet<_> = (0..count).map(|_| take(allocator)).collect();
    assert_eq!(blocks.len(), count, "a block was given to two");
}

#[test]
fn a_double_free_gives_a_block_to_one_only() {
    let heap = Heap::new(HeapOptions::new("twice"));
    let [first, second] = [take(&heap), take(&heap)];
    let twice = || [first, second, first, second].into_iter().for_each(|block| give(&heap, block));
    assert_eq!(found(twice), (2, 0));
    distinct(&heap, 3_000);
}

#[test]
fn a_double_free_on_another_thread_is_found_by_the_owner() {
    let owner = || {
        let block = take(ThreadHeap).as_ptr().expose_provenance();
        let twice = move || {
            let block = NonNull::new(std::ptr::with_exposed_provenance_mut(block)).unwrap();
            give(ThreadHeap, block);
            give(ThreadHeap, block);
        };
        thread::spawn(twice).join().unwrap();
        distinct(ThreadHeap, 3_000);
    };
    assert_eq!(found(|| thread::spawn(owner).join().unwrap()), (1, 0));
}

#[test]
fn a_double_free_on_two_threads_is_found_by_the_owner() {
    let owner = || {
        let block = take(ThreadHeap);
        let address = block.as_ptr().expose_provenance();
        give(ThreadHeap, block);
        let again = move || {
            let block = NonNull::new(std::ptr::with_exposed_provenance_mut(address)).unwrap();
            give(ThreadHeap, block);
        };
        thread::spawn(again).join().unwrap();
        // Not given out again meanwhile: the owner finds it when it looks, here at its end.
    };
    assert_eq!(found(|| thread::spawn(owner).join().unwrap()), (1, 0));
}

#[test]
fn a_block_of_another_heap_is_refused() {
    let (one, other) = (Heap::new(HeapOptions::new("one")), Heap::new(HeapOptions::new("other")));
    let block = take(&one);
    assert_eq!(found(|| give(&other, block)), (0, 1));
    assert_eq!(found(|| give(ThreadHeap, block)), (0, 1));
    give(&one, block);
    let of_thread = take(ThreadHeap);
    assert_eq!(found(|| give(&one, of_thread)), (0, 1));
    give(ThreadHeap, of_thread);
}

#[test]
fn memory_of_another_allocator_is_refused() {
    let heap = Heap::new(HeapOptions::new("own"));
    // SAFETY: the size is not 0.
    let memory = unsafe { System.alloc_zeroed(layout(4_096, 64)) };
    // SAFETY: within it.
    let middle = NonNull::new(unsafe { memory.add(2_048) }).unwrap();
    let _ = memory.expose_provenance();
    assert_eq!(found(|| give(&heap, middle)), (0, 1));
    assert_eq!(found(|| give(ThreadHeap, middle)), (0, 1));
    // SAFETY: allocated above, with this layout.
    unsafe { System.dealloc(memory, layout(4_096, 64)) };
}

#[test]
fn a_ring_knows_what_is_out() {
    let (ring, other) = (FifoArena::new("ring", 1_024), FifoArena::new("other", 1_024));
    let (ring, other) = (ring.unwrap(), other.unwrap());
    let [first, second, third] = [(); 3].map(|()| take(&ring));
    assert_eq!(found(|| give(&other, first)), (0, 1));
    give(&ring, second);
    assert_eq!(found(|| give(&ring, second)), (1, 0), "while it waits");
    give(&ring, first);
    assert_eq!(found(|| give(&ring, first)), (1, 0), "after its memory is free");
    // SAFETY: within the payload.
    let inside = unsafe { third.add(16) };
    // SAFETY: as above; what would be its record is this.
    unsafe { third.cast::<[u64; 2]>().write([0; 2]) };
    assert_eq!(found(|| give(&ring, inside)), (0, 1));
    give(&ring, third);
    assert_eq!(ring.used(), 0);
}
