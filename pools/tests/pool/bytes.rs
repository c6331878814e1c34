//! The arena and the ring.

use super::layout;
use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use hashbrown::{DefaultHashBuilder, HashMap};
use std::collections::VecDeque;
use strait_pools::pool::{Arena, FifoArena, PoolError};

#[test]
fn a_fixed_arena_ends_where_it_says() {
    let mut arena = Arena::fixed("request", 100).unwrap();
    for _ in 0..3 {
        arena.alloc([1_u8; 90]).unwrap();
        assert_eq!(*arena.alloc(7_u64).unwrap_or(&mut 0), 0, "ten bytes, of which two align");
        arena.alloc([2_u8; 10]).unwrap();
        let expected = PoolError::Exhausted { pool: "request", size: 1, limit: 100, unit: "bytes" };
        assert_eq!(arena.alloc(1_u8).unwrap_err(), expected);
        arena.alloc(()).unwrap();
        arena.reset();
    }
    assert_eq!(arena.capacity(), 100);
}

#[test]
fn a_chunked_arena_grows_and_keeps_its_chunks() {
    let mut arena = Arena::chunked("message", 1_000);
    for _ in 0..3 {
        let small: std::vec::Vec<_> = (0..100_u64).map(|n| arena.alloc([n; 4]).unwrap()).collect();
        let large = arena.alloc_slice(&[9_u8; 5_000]).unwrap();
        assert!(small.iter().zip(0..).all(|(numbers, n)| **numbers == [n; 4]));
        assert!(large.iter().all(|&byte| byte == 9));
        arena.reset();
    }
    assert_eq!(arena.capacity(), 4 * 1_000 + 5_000);
}

#[test]
fn an_arena_aligns_as_asked() {
    for arena in [Arena::fixed("aligned", 1 << 20).unwrap(), Arena::chunked("aligned", 10)] {
        for align in (0..14).map(|power| 1 << power) {
            arena.alloc(1_u8).unwrap();
            let memory = arena.take(layout(3, align)).unwrap();
            assert!(memory.addr().get().is_multiple_of(align));
        }
    }
}

#[test]
fn no_size_overflows() {
    let arena = Arena::chunked("huge", 100);
    arena.alloc(1_u8).unwrap();
    let huge = layout(isize::MAX.unsigned_abs() - 4_095, 4_096);
    assert!(matches!(arena.take(huge), Err(PoolError::NoMemory { .. })));
    let ring = FifoArena::new("huge", 100).unwrap();
    assert!(matches!(ring.take(huge), Err(PoolError::Exhausted { limit: 128, .. })));
    assert!(matches!(FifoArena::new("huge", usize::MAX), Err(PoolError::NoMemory { .. })));
    assert!(Arena::fixed("huge", usize::MAX).is_err());
}

#[test]
fn what_grows_last_grows_in_place() {
    let arena = Arena::fixed("growing", 4_000).unwrap();
    let mut numbers = Vec::with_capacity_in(1, &arena);
    let start = numbers.as_ptr();
    numbers.extend(0..900_u32);
    assert_eq!(numbers.as_ptr(), start);
    numbers.shrink_to_fit();
    assert_eq!((numbers.as_ptr(), numbers.len()), (start, 900));
    // 3,600 of 4,000 bytes: no room for a copy beside it.
    arena.alloc([0_u8; 400]).unwrap();
    assert!(numbers.try_reserve(1).is_err());
    assert!(numbers.iter().copied().eq(0..900));
}

#[test]
fn tables_live_in_an_arena() {
    let arena = Arena::chunked("table", 4_096);
    let mut table = HashMap::with_hasher_in(DefaultHashBuilder::default(), &arena);
    table.extend((0..1_000_u32).map(|n| (n, n * n)));
    assert!((0..1_000).all(|n| table[&n] == n * n));
}

#[test]
fn a_ring_goes_round() {
    let ring = FifoArena::new("round", 1_000).unwrap();
    assert_eq!(ring.capacity(), 1_024);
    let mut held = VecDeque::new();
    for number in (0..200_u8).cycle().take(10_000) {
        let len = usize::from(number % 90) + 1;
        let mut bytes = Vec::with_capacity_in(len, &ring);
        bytes.resize(len, number);
        held.push_back((number, bytes));
        if held.len() > 5 {
            let (number, bytes) = held.pop_front().unwrap();
            assert!(bytes.iter().all(|&byte| byte == number));
        }
    }
    held.clear();
    assert_eq!(ring.used(), 0);
}

#[test]
fn what_is_freed_early_waits_for_what_came_before() {
    let ring = FifoArena::new("order", 256).unwrap();
    let [first, second, third] = [1_u8, 2, 3].map(|n| Box::new_in([n; 48], &ring));
    assert_eq!(ring.used(), 3 * 64);
    drop(second);
    assert_eq!(ring.used(), 3 * 64);
    assert!(Box::try_new_in([4_u8; 100], &ring).is_err());
    drop(first);
    assert_eq!(ring.used(), 64);
    assert_eq!(*third, [3; 48]);
    drop(third);
    assert_eq!(ring.used(), 0);
    assert!(Box::try_new_in([4_u8; 240], &ring).is_ok(), "all of it, less a record");
    let expected = PoolError::Exhausted { pool: "order", size: 241, limit: 256, unit: "bytes" };
    assert_eq!(ring.take(layout(241, 1)), Err(expected));
}

#[test]
fn a_ring_aligns_as_asked() {
    let ring = FifoArena::new("aligned", 1 << 16).unwrap();
    for align in (0..13).map(|power| 1 << power) {
        let small = ring.take(layout(1, 1)).unwrap();
        let memory = ring.take(layout(3, align)).unwrap();
        assert!(memory.addr().get().is_multiple_of(align));
        // SAFETY: just allocated, with this layout.
        unsafe { (&ring).deallocate(small, layout(1, 1)) };
        // SAFETY: as above.
        unsafe { (&ring).deallocate(memory, layout(3, align)) };
    }
    assert_eq!(ring.used(), 0);
}
