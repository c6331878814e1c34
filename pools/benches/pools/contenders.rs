//! Who takes and gives back blocks.

use allocator_api2::alloc::Allocator;
use std::alloc::{GlobalAlloc, Layout};
use std::marker::PhantomData;
use std::ptr::NonNull;
use strait_pools::pool::{FixedPool, Pooled, ThreadHeap};

/// A source of blocks of one size, and where they go.
pub(crate) trait Contender {
    /// A block that is out. May be sent to another thread.
    type Held: Send + 'static;

    /// Made on the thread that takes.
    fn new() -> Self;
    fn take(&self) -> Self::Held;
    /// The first byte.
    fn start(held: &mut Self::Held) -> *mut u64;
    /// On any thread.
    fn give(held: Self::Held);
}

const fn layout(size: usize) -> Layout {
    match Layout::from_size_align(size, 16) {
        Ok(layout) => layout,
        Err(_) => panic!("no layout"),
    }
}

/// A block by its address.
pub(crate) struct Address(NonNull<u8>);

// SAFETY: what is at the address is the holder's.
unsafe impl Send for Address {}

/// An allocator of the whole process, called directly.
pub(crate) struct Direct<A, const SIZE: usize>(PhantomData<A>);

/// Says which allocator a name stands for.
pub(crate) trait Named {
    type Allocator: GlobalAlloc;
    const ALLOCATOR: Self::Allocator;
}

macro_rules! direct {
    ($($name:ident: $type:ty = $value:expr;)*) => {$(
        struct $name;
        impl contenders::Named for $name {
            type Allocator = $type;
            const ALLOCATOR: $type = $value;
        }
    )*};
}
pub(crate) use direct;

impl<A: Named, const SIZE: usize> Contender for Direct<A, SIZE> {
    type Held = Address;

    fn new() -> Self {
        Self(PhantomData)
    }

    #[inline(always)]
    fn take(&self) -> Address {
        // SAFETY: the size is not 0.
        let memory = unsafe { A::ALLOCATOR.alloc(layout(SIZE)) };
        Address(NonNull::new(memory).expect("there is memory"))
    }

    #[inline(always)]
    fn start(held: &mut Address) -> *mut u64 {
        held.0.as_ptr().cast()
    }

    #[inline(always)]
    fn give(held: Address) {
        // SAFETY: from `take`, with the same layout.
        unsafe { A::ALLOCATOR.dealloc(held.0.as_ptr(), layout(SIZE)) };
    }
}

/// The thread's heap.
pub(crate) struct Thread<const SIZE: usize>;

impl<const SIZE: usize> Contender for Thread<SIZE> {
    type Held = Address;

    fn new() -> Self {
        Self
    }

    #[inline(always)]
    fn take(&self) -> Address {
        Address(ThreadHeap.allocate(layout(SIZE)).expect("there is memory").cast())
    }

    #[inline(always)]
    fn start(held: &mut Address) -> *mut u64 {
        held.0.as_ptr().cast()
    }

    #[inline(always)]
    fn give(held: Address) {
        // SAFETY: from `take`, with the same layout.
        unsafe { ThreadHeap.deallocate(held.0, layout(SIZE)) };
    }
}

/// A pool of objects.
pub(crate) struct Objects<const SIZE: usize>(FixedPool<Object<SIZE>>);

#[repr(C, align(16))]
pub(crate) struct Object<const SIZE: usize>([u8; SIZE]);

impl<const SIZE: usize> Contender for Objects<SIZE> {
    type Held = Pooled<Object<SIZE>>;

    fn new() -> Self {
        // As many as may be on their way from core to core.
        let objects = 64 * (super::workloads::depth(SIZE) + 2);
        let pool = FixedPool::options("bench").bounded(objects).make(|| Object([0; SIZE]));
        Self(pool.expect("there is memory"))
    }

    #[inline(always)]
    fn take(&self) -> Self::Held {
        self.0.take().expect("enough objects")
    }

    #[inline(always)]
    fn start(held: &mut Self::Held) -> *mut u64 {
        held.0.as_mut_ptr().cast()
    }

    #[inline(always)]
    fn give(held: Self::Held) {
        drop(held);
    }
}

/// Blocks in turn, without any allocation: what the workload costs by itself.
pub(crate) struct Alone {
    blocks: Box<[Object<64>; BLOCKS]>,
    next: std::cell::Cell<usize>,
}

const BLOCKS: usize = 2_048;

impl Contender for Alone {
    type Held = Address;

    fn new() -> Self {
        let blocks = Box::new([const { Object([0; 64]) }; BLOCKS]);
        Self { blocks, next: std::cell::Cell::new(0) }
    }

    #[inline(always)]
    fn take(&self) -> Address {
        let index = self.next.get();
        self.next.set((index + 1) & (BLOCKS - 1));
        Address(NonNull::from(&self.blocks[index & (BLOCKS - 1)]).cast())
    }

    #[inline(always)]
    fn start(held: &mut Address) -> *mut u64 {
        held.0.as_ptr().cast()
    }

    #[inline(always)]
    fn give(_: Address) {}
}
