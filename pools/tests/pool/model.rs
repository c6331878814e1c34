//! Random calls beside a record of what is out: no two blocks overlap, each is aligned and keeps what was
//! written to it, and what was given back is used again.

use super::layout;
use allocator_api2::alloc::Allocator;
use proptest::collection::vec;
use proptest::prelude::*;
use std::alloc::Layout;
use std::collections::BTreeMap;
use std::ptr::NonNull;
use strait_pools::pool::{Arena, Fallback, FifoArena, FixedPool, Heap, HeapOptions, Pooled};

/// A call.
#[derive(Clone, Debug)]
enum Call {
    Take {
        size: usize,
        align: usize,
    },
    /// Gives back one of those that are out, counted from the oldest.
    Give(usize),
}

fn calls(largest: usize) -> impl Strategy<Value = Vec<Call>> {
    // Sizes about the edges of classes, and any.
    let size = prop_oneof![
        prop_oneof![Just(63), Just(64), Just(65), Just(1_023), Just(1_024), Just(1_025)],
        0..=largest,
        0..200_usize,
    ];
    let take = (size, 0..9_u32)
        .prop_map(move |(size, power)| Call::Take { size: size.min(largest), align: 1 << power });
    vec(prop_oneof![take, (0..1_000_usize).prop_map(Call::Give)], 1..200)
}

/// What is out.
#[derive(Default)]
struct Out {
    blocks: Vec<(NonNull<[u8]>, Layout, u8)>,
    ends: BTreeMap<usize, usize>,
    number: u8,
}

impl Out {
    fn taken(&mut self, block: NonNull<[u8]>, layout: Layout) {
        let start = block.addr().get();
        assert!(start.is_multiple_of(layout.align()), "{block:?} for {layout:?}");
        assert!(block.len() >= layout.size());
        if layout.size() != 0 {
            let end = start + block.len();
            let before = self.ends.range(..end).next_back();
            assert!(before.is_none_or(|(_, &other)| other <= start), "two blocks overlap");
            self.ends.insert(start, end);
        }
        self.number = self.number.wrapping_add(1);
        // SAFETY: as long as the block says.
        unsafe { block.cast::<u8>().write_bytes(self.number, block.len()) };
        self.blocks.push((block, layout, self.number));
    }

    fn give(&mut self, which: usize, allocator: impl Allocator) {
        if self.blocks.is_empty() {
            return;
        }
        let (block, layout, number) = self.blocks.remove(which % self.blocks.len());
        // SAFETY: written when it was taken, as long as the block says.
        let bytes = unsafe { block.as_ref() };
        assert!(bytes.iter().all(|&byte| byte == number), "a block was written to by another");
        if layout.size() != 0 {
            self.ends.remove(&block.addr().get());
        }
        // SAFETY: allocated with this layout, and given back once.
        unsafe { allocator.deallocate(block.cast(), layout) };
    }
}

/// Makes the calls and gives back everything; how often the allocator refused.
fn run(allocator: impl Allocator + Copy, calls: &[Call]) -> usize {
    let (mut out, mut refused) = (Out::default(), 0);
    for call in calls {
        match *call {
            Call::Take { size, align } => match allocator.allocate(layout(size, align)) {
                Ok(block) => out.taken(block, layout(size, align)),
                Err(_) => refused += 1,
            },
            Call::Give(which) => out.give(which, allocator),
        }
    }
    while !out.blocks.is_empty() {
        out.give(0, allocator);
    }
    refused
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_heap_keeps_blocks_apart(calls in calls(100_000)) {
        let heap = Heap::new(HeapOptions::new("model"));
        prop_assert_eq!(run(&heap, &calls), 0);
        let grown = heap.statistics().bytes;
        run(&heap, &calls);
        prop_assert_eq!(heap.statistics().bytes, grown, "the same again needs no more");
    }

    #[test]
    fn a_heap_without_memory_lends_it(calls in calls(100_000)) {
        let heap = Heap::new(HeapOptions::new("model").limit(300 << 10));
        prop_assert_eq!(run(&heap, &calls), 0);
        prop_assert!(heap.statistics().bytes <= 300 << 10);
    }

    #[test]
    fn a_heap_that_refuses_keeps_blocks_apart(calls in calls(2_000)) {
        let options = HeapOptions::new("model").limit(300 << 10).fallback(Fallback::Refuse);
        let heap = Heap::new(options);
        let refused = run(&heap, &calls);
        prop_assert_eq!(heap.statistics().refusals, refused as u64);
    }

    #[test]
    fn an_arena_keeps_bytes_apart(calls in calls(5_000)) {
        let mut arena = Arena::chunked("model", 4_096);
        prop_assert_eq!(run(&arena, &calls), 0);
        let grown = arena.capacity();
        arena.reset();
        run(&arena, &calls);
        prop_assert_eq!(arena.capacity(), grown, "the same again needs no more");
    }

    #[test]
    fn a_ring_keeps_bytes_apart(calls in calls(1_000)) {
        let ring = FifoArena::new("model", 8_192).unwrap();
        run(&ring, &calls);
        prop_assert_eq!(ring.used(), 0, "all of it is free again");
        let whole = ring.take(layout(8_192 - 16, 16));
        prop_assert!(whole.is_ok());
    }

    /// As many are out as the model says, and each keeps its number.
    #[test]
    fn objects_are_counted(calls in vec(0..100_usize, 1..300), limit in 1..20_usize) {
        let pool = FixedPool::options("model").bounded(limit).make(|| 0_usize).unwrap();
        let mut out: Vec<(usize, Pooled<usize>)> = Vec::new();
        for (number, call) in calls.into_iter().enumerate() {
            match call {
                0..55 => match pool.take() {
                    Ok(mut object) => {
                        *object = number;
                        out.push((number, object));
                    }
                    Err(_) => prop_assert_eq!(out.len(), limit),
                },
                _ if out.is_empty() => {}
                55..85 => drop(out.swap_remove(call % out.len())),
                85..95 => {
                    let (number, object) = out.swap_remove(call % out.len());
                    let there = move || drop(object);
                    std::thread::spawn(there).join().unwrap();
                    prop_assert!(number < 300);
                }
                _ => {
                    let (number, object) = out.swap_remove(call % out.len());
                    let ticket = pool.detach(object).unwrap();
                    out.push((number, pool.attach(ticket).unwrap()));
                }
            }
            prop_assert!(out.iter().all(|(number, object)| *number == **object));
        }
        prop_assert_eq!(pool.available(), limit - out.len());
    }
}
