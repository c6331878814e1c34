//! Sending and receiving leave the heap alone.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use strait_ipc::message::{
    Arguments, Buffer, Message, Scratch, access_checked, access_unchecked, measure, write,
};

#[path = "message/types.rs"]
#[allow(dead_code, reason = "shared with the other tests of messages")]
mod types;

use types::{Fill, Node, Order, Tick};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting calls of this thread.
struct Counting;

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract, which is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[repr(C, align(16))]
struct Body([u8; 4096]);

fn allocations(action: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    action();
    ALLOCATIONS.get() - before
}

fn travels_without_allocations<T: Message>(value: &T) {
    let mut body = Body([0; 4096]);
    // As large as the message, no larger: what fits in the body must fit in its scratch.
    let room = measure(value, &mut Scratch::for_body(4096)).unwrap();
    let mut scratch = Scratch::for_body(room);
    let count = allocations(|| {
        for _ in 0..100 {
            let start = body.0.as_mut_ptr();
            // SAFETY: the array is aligned, exclusively borrowed, and longer than the room.
            let len = unsafe { write(value, start, room, &mut scratch) }.unwrap();
            // SAFETY: the array is aligned, initialised, and not written meanwhile.
            let checked = unsafe { access_checked::<T>(start, len, room) };
            assert!(checked.is_ok());
            // SAFETY: as above, and the body was just written.
            assert!(unsafe { access_unchecked::<T>(start, len, room) }.is_some());
        }
        // SAFETY: the array is aligned, exclusively borrowed, and longer than the room.
        let refused = unsafe { write(value, body.0.as_mut_ptr(), room - 1, &mut scratch) };
        assert!(refused.is_err());
    });
    assert_eq!(count, 0);
}

#[test]
fn messages_travel_without_allocations() {
    assert_ne!(allocations(|| drop(Box::new(1))), 0, "the counter counts");
    travels_without_allocations(&Tick::SAMPLE);
    travels_without_allocations(&Fill::SAMPLE);
    travels_without_allocations(&Order::sample());
    travels_without_allocations(&Node::chain(20));
    let strings: Vec<String> = (0..100).map(|number| format!("{number:08}")).collect();
    travels_without_allocations(&vec![strings.clone(), strings]);
}

#[test]
fn arguments_travel_without_allocations() {
    let mut buffer = Buffer::default();
    let order = Order::sample();
    // Once, so that there is memory.
    buffer.append(&Arguments((&7_u64, "text", &order))).unwrap();
    let count = allocations(|| {
        for number in 0..100_u64 {
            buffer.clear();
            buffer.append(&Arguments((&number, "text", &order))).unwrap();
            let [first, text, archived] = buffer.body().split().unwrap();
            assert_eq!(first.plain::<u64>(), Ok(&number));
            assert_eq!(text.text(), Ok("text"));
            assert!(archived.message::<Order>().is_ok());
        }
    });
    assert_eq!(count, 0);
}
