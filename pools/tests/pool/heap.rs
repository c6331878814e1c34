//! Size classes and heaps.

use super::layout;
use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use std::cell::RefCell;
use std::sync::mpsc;
use std::thread;
use strait_pools::pool::{Fallback, Heap, HeapOptions, InUse, PoolError, SizeClass, ThreadHeap};

#[test]
fn the_edges_of_classes() {
    for (size, class) in [
        (1, Some(SizeClass::Small)),
        (64, Some(SizeClass::Small)),
        (65, Some(SizeClass::Medium)),
        (1_024, Some(SizeClass::Medium)),
        (1_025, Some(SizeClass::Large)),
        (65_536, Some(SizeClass::Large)),
        (65_537, None),
    ] {
        assert_eq!(SizeClass::of(layout(size, 1)), class, "{size} bytes");
        assert_eq!(SizeClass::of(layout(size, 64)), class, "{size} bytes, aligned to a line");
        assert_eq!(SizeClass::of(layout(size, 128)), None, "{size} bytes, aligned to more");
        let heap = Heap::new(HeapOptions::new("edges"));
        let block = heap.take(layout(size, 1)).unwrap();
        assert_eq!(block.len(), class.map_or(size, SizeClass::size));
        // SAFETY: just allocated, with this layout.
        unsafe { (&heap).deallocate(block.cast(), layout(size, 1)) };
        assert_eq!(heap.statistics().fallbacks, u64::from(class.is_none()));
    }
}

#[test]
fn blocks_are_lines_and_hold_what_they_say() {
    let heap = Heap::new(HeapOptions::new("lines"));
    for size in [1, 64, 65, 1_024, 1_025, 65_536] {
        let blocks: std::vec::Vec<_> =
            (0..40).map(|_| heap.take(layout(size, 64)).unwrap()).collect();
        for (number, block) in (0_u8..).zip(&blocks) {
            assert!(block.addr().get().is_multiple_of(64));
            // SAFETY: as long as the block says.
            unsafe { block.cast::<u8>().write_bytes(number, block.len()) };
        }
        for (number, block) in (0_u8..).zip(&blocks) {
            // SAFETY: written above, as long as the block says.
            assert!(unsafe { block.as_ref() }.iter().all(|&byte| byte == number));
            // SAFETY: allocated with this layout.
            unsafe { (&heap).deallocate(block.cast(), layout(size, 64)) };
        }
    }
}

#[test]
fn a_heap_at_its_limit_refuses_by_name() {
    let options = HeapOptions::new("small").limit(200 << 10).fallback(Fallback::Refuse);
    let heap = Heap::new(options);
    let held: std::vec::Vec<_> =
        std::iter::from_fn(|| Box::try_new_in([0_u8; 64], &heap).ok()).collect();
    assert_eq!(held.len(), 1_024, "one chunk of 128 KiB");
    let limit = 200 << 10;
    let expected = PoolError::Exhausted { pool: "small", size: 64, limit, unit: "bytes" };
    assert_eq!(heap.take(layout(3, 1)), Err(expected));
    let expected = PoolError::TooLarge { pool: "small", size: 70_000, align: 1, largest: 65_536 };
    assert_eq!(heap.take(layout(70_000, 1)), Err(expected));
    assert_eq!((heap.statistics().refusals, heap.statistics().fallbacks), (3, 0));
    drop(held);
    assert!(heap.take(layout(64, 1)).is_ok());
}

#[test]
fn a_heap_at_its_limit_falls_back_and_counts_it() {
    let heap = Heap::new(HeapOptions::new("tight").limit(0));
    let mut numbers = Vec::new_in(&heap);
    numbers.extend(0..10_000_u64);
    assert!(numbers.iter().copied().eq(0..10_000));
    drop(numbers);
    let statistics = heap.statistics();
    assert!(statistics.fallbacks > 0, "{statistics:?}");
    assert_eq!((statistics.bytes, statistics.refusals), (0, 0));
}

#[test]
fn nothing_takes_nothing() {
    let heap = Heap::new(HeapOptions::new("nothing").fallback(Fallback::Refuse));
    for align in [1, 64, 4_096] {
        let nothing = heap.take(layout(0, align)).unwrap();
        assert_eq!((nothing.len(), nothing.addr().get() % align), (0, 0));
        // SAFETY: just allocated, with this layout.
        unsafe { (&heap).deallocate(nothing.cast(), layout(0, align)) };
    }
    assert_eq!(heap.statistics().bytes, 0);
}

#[test]
fn a_heap_moves_to_another_thread() {
    let heap = Heap::new(HeapOptions::new("moves"));
    drop(Box::new_in(1, &heap));
    thread::spawn(move || assert_eq!(*Box::new_in(2, &heap), 2)).join().unwrap();
}

#[test]
fn a_thread_s_heap_is_configured_before_its_use() {
    let configured = || {
        let options = HeapOptions::new("configured").limit(0).fallback(Fallback::Refuse);
        ThreadHeap::configure(options)?;
        let error = ThreadHeap.take(layout(8, 8)).unwrap_err();
        assert!(error.to_string().starts_with("pool `configured` is exhausted"), "{error}");
        ThreadHeap::configure(options)
    };
    assert_eq!(thread::spawn(configured).join().unwrap(), Err(InUse));
}

#[test]
fn blocks_return_from_another_thread_and_are_used_again() {
    let (send, receive) = mpsc::sync_channel::<Box<[u64; 8], ThreadHeap>>(10);
    let other = thread::spawn(move || receive.into_iter().map(|block| block[7]).sum::<u64>());
    let owner = thread::spawn(move || {
        for _ in 0..100_000 {
            send.send(Box::new_in([1; 8], ThreadHeap)).unwrap();
        }
        ThreadHeap::statistics()
    });
    let statistics = owner.join().unwrap();
    assert_eq!(other.join().unwrap(), 100_000);
    // Ten in the channel, up to 62 in a parcel: far fewer than a chunk.
    assert_eq!((statistics.bytes, statistics.fallbacks), (128 << 10, 0));
}

#[test]
fn blocks_outlive_their_thread() {
    let build = || {
        let mut texts = Vec::new_in(ThreadHeap);
        for size in [10, 100, 10_000, 100_000] {
            let mut text = Vec::new_in(ThreadHeap);
            text.resize(size, 7_u8);
            texts.push(text);
        }
        texts
    };
    for _ in 0..100 {
        let mut texts = thread::spawn(build).join().unwrap();
        assert!(texts.iter().flatten().all(|&byte| byte == 7));
        texts.iter_mut().for_each(|text| text.push(8));
        // Half of them end on a third thread.
        let rest = texts.split_off(2);
        thread::spawn(move || drop(rest)).join().unwrap();
    }
}

#[test]
fn a_thread_that_is_ending_still_allocates_and_frees() {
    struct Late(Option<Box<u64, ThreadHeap>>);
    impl Drop for Late {
        fn drop(&mut self) {
            let held = self.0.take();
            let late = Box::new_in(3, ThreadHeap);
            assert_eq!(*late + held.map_or(0, |held| *held), 5);
        }
    }
    thread_local! {
        // Made before the heap, so dropped after it.
        static LATE: RefCell<Late> = const { RefCell::new(Late(None)) };
    }
    let work = || LATE.with(|late| late.borrow_mut().0 = Some(Box::new_in(2, ThreadHeap)));
    thread::spawn(work).join().unwrap();
}
