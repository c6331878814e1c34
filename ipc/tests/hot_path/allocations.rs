//! No operation touches the heap, on either side, for any kind of message.

use crate::messages::{Numbered, Order, Tick, unnamed};
use crate::operations::{CAPACITY, operations};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;
use strait_ipc::channel::{RecvError, SendError, Spsc, Wait};

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting what this thread asks of it and gives back.
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

fn counting<R>(action: impl FnOnce() -> R) -> (R, u64) {
    let before = CALLS.get();
    let result = action();
    (result, CALLS.get() - before)
}

fn no_operation_allocates<T: Numbered>() {
    for operation in operations::<T>() {
        let calls = operation.measure(|run| counting(run));
        assert_eq!(calls, 0, "{} of a {} message", operation.name, T::NAME);
    }
}

fn no_lap_allocates<T: Numbered>() {
    let (mut sender, mut receiver) = unnamed::<T>(CAPACITY).pair().unwrap();
    let mut message = T::first();
    let (right, calls) = counting(|| {
        (0..10 * CAPACITY).all(|number| {
            message.become_number(number);
            sender.send(&message).is_ok()
                && receiver.recv().is_ok_and(|received| T::is_number(&received, number))
        })
    });
    assert!(right, "ten laps of {} messages", T::NAME);
    assert_eq!(calls, 0, "ten laps of {} messages", T::NAME);
}

fn no_wait_allocates<T: Numbered>() {
    let brief = Duration::from_millis(1);
    let (mut sender, mut receiver) = unnamed::<T>(1).slice(brief / 4).pair().unwrap();
    let message = T::first();
    let (right, calls) = counting(|| {
        matches!(receiver.recv_timeout(brief), Err(RecvError::Timeout))
            && sender.send(&message).is_ok()
            && matches!(sender.send_timeout(&message, brief), Err(SendError::Timeout))
    });
    assert!(right, "waiting for {} messages", T::NAME);
    assert_eq!(calls, 0, "waiting for {} messages", T::NAME);
}

fn nothing_allocates<T: Numbered>() {
    no_operation_allocates::<T>();
    no_lap_allocates::<T>();
    no_wait_allocates::<T>();
}

#[test]
fn plain_messages_leave_the_heap_alone() {
    nothing_allocates::<Tick>();
}

#[test]
fn dense_messages_leave_the_heap_alone() {
    nothing_allocates::<u64>();
}

#[test]
fn rich_messages_leave_the_heap_alone() {
    nothing_allocates::<Order>();
}

#[test]
fn the_counter_counts() {
    let (_, calls) = counting(|| drop(std::hint::black_box(Box::new(1))));
    assert_eq!(calls, 2, "one to allocate, one to free");
}

/// Neither in the arena nor in a block, where messages are kept and given back.
#[test]
fn messages_that_stand_in_no_cell_are_sent_received_and_kept_without_allocations() {
    let message = vec![vec!["x".repeat(100); 10]; 10];
    let arena = Spsc::<Vec<Vec<String>>>::unnamed("arena").capacity(4).arena(64 << 10);
    let blocks = Spsc::<Vec<Vec<String>>>::unnamed("blocks").capacity(4).blocks(4, 32 << 10);
    for channel in [arena, blocks.wait(Wait::Park)] {
        let (mut sender, mut receiver) = channel.pair().unwrap();
        let mut once = || {
            sender.send(&message).unwrap();
            let sample = receiver.recv().unwrap();
            assert_eq!(sample[9][9].len(), 100);
            let Ok(kept) = sample.keep() else { return };
            sender.send(&message).unwrap();
            assert_eq!(receiver.recv().unwrap().len(), 10);
            assert_eq!(kept[9][9].len(), 100);
        };
        // The first one finds out how much scratch the serializer needs.
        once();
        let ((), calls) = counting(|| (0..100).for_each(|_| once()));
        assert_eq!(calls, 0);
    }
}
