//! Once warm, no pool calls the system's allocator.

use super::layout;
use allocator_api2::alloc::Allocator;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::mpsc;
use std::thread;
use strait_pools::pool::{Arena, FifoArena, FixedPool, Heap, HeapOptions, ThreadHeap};

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting calls of this thread.
struct Counting;

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller keeps the contract, which is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller keeps the contract, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn calls(action: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    action();
    CALLS.get() - before
}

/// Calls of the second and later of many rounds.
fn calls_once_warm(mut round: impl FnMut()) -> u64 {
    round();
    calls(|| (0..100).for_each(|_| round()))
}

fn blocks(allocator: impl Allocator) {
    let mut held = [None; 48];
    for size in [64, 1_024, 65_536] {
        for place in &mut held {
            *place = Some(allocator.allocate(layout(size, 16)).unwrap());
        }
        for block in held.iter_mut().filter_map(Option::take) {
            // SAFETY: allocated above, with this layout.
            unsafe { allocator.deallocate(block.cast(), layout(size, 16)) };
        }
    }
}

#[test]
fn on_one_thread() {
    let heap = Heap::new(HeapOptions::new("steady"));
    assert_eq!(calls_once_warm(|| blocks(&heap)), 0, "heap");
    assert_eq!(calls_once_warm(|| blocks(ThreadHeap)), 0, "thread's heap");
    let ring = FifoArena::new("steady", 8 << 20).unwrap();
    assert_eq!(calls_once_warm(|| blocks(&ring)), 0, "ring");
    let mut arena = Arena::chunked("steady", 1 << 20);
    let work = || {
        blocks(&arena);
        arena.reset();
    };
    assert_eq!(calls_once_warm(work), 0, "arena");
    let pool = FixedPool::options("steady").reset(Vec::clear).make(|| vec![0; 10]).unwrap();
    let work = || drop([(); 100].map(|()| pool.take().unwrap()));
    assert_eq!(calls_once_warm(work), 0, "objects");
}

/// A block by its address.
struct Address(NonNull<u8>);

// SAFETY: the block is the holder's.
unsafe impl Send for Address {}

/// One takes, another gives back; neither calls the system once as many parcels exist as are needed.
#[test]
fn from_thread_to_thread() {
    let (send, receive) = mpsc::sync_channel::<Address>(200);
    let other = thread::spawn(move || {
        let mut last = 0;
        for (number, Address(block)) in receive.into_iter().enumerate() {
            let given = calls(|| {
                // SAFETY: allocated with this layout.
                unsafe { ThreadHeap.deallocate(block, layout(64, 16)) };
            });
            if given != 0 {
                last = number;
            }
        }
        last
    });
    let owner = thread::spawn(move || {
        let mut last = 0;
        for number in 0..100_000 {
            let mut block = None;
            if calls(|| block = ThreadHeap.allocate(layout(64, 16)).ok()) != 0 {
                last = number;
            }
            send.send(Address(block.unwrap().cast())).unwrap();
        }
        last
    });
    assert!(owner.join().unwrap() < 10_000, "the owner");
    assert!(other.join().unwrap() < 10_000, "the other");
}
