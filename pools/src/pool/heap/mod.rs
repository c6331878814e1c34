//! Blocks of three sizes, and what is larger from the system.
//!
//! | asked for | block | served by |
//! |---|---|---|
//! | up to 64 B | 64 B, a cache line | slab |
//! | up to 1 KiB | 1 KiB | slab |
//! | up to 64 KiB | 64 KiB | slab |
//! | more, or aligned to more than 64 | as asked for | the system, or nobody: [`Fallback`] |
//!
//! Every block is aligned to a cache line and has its header on the line before; that costs 64 bytes per
//! block. So no two blocks share a line, and freeing a block on another core leaves its payload alone.
//!
//! | module | what lives there |
//! |---|---|
//! | `class` | the sizes |
//! | `home` | a heap's memory, and what others share of it |
//! | `parcel`, `outbox` | how a thread sends many blocks home at once |
//! | `thread` | the heap that each thread has |
//! | `options` | names, limits, fallbacks, counters |
//!
//! Memory map, orderings and what happens when a thread dies: `home`.

mod class;
mod home;
#[cfg(loom)]
pub mod model;
mod options;
mod outbox;
mod parcel;
mod thread;

pub use class::{BLOCK_ALIGN, SizeClass};
pub use options::{Fallback, HeapOptions, HeapStatistics};
pub use thread::{InUse, ThreadHeap};

use super::block::Block;
use super::error::{Fault, PoolError};
use allocator_api2::alloc::{AllocError, Allocator};
use home::{Belongs, Home};
use std::alloc::Layout;
use std::fmt;
use std::ptr::{self, NonNull};

/// Blocks of three sizes in memory of one's own, with a name and a limit.
///
/// An allocator by reference, on one thread: what is allocated borrows the heap. For what goes to other
/// threads there is [`ThreadHeap`].
///
/// ```
/// use allocator_api2::vec::Vec;
/// use hashbrown::HashMap;
/// use hashbrown::DefaultHashBuilder;
/// use strait_pools::pool::{Fallback, Heap, HeapOptions};
///
/// let heap = Heap::new(HeapOptions::new("book").limit(4 << 20).fallback(Fallback::Refuse));
///
/// let mut levels = HashMap::with_hasher_in(DefaultHashBuilder::default(), &heap);
/// levels.insert(101_25_u64, 300_u32);
/// let mut fills = Vec::new_in(&heap);
/// fills.extend_from_slice(&[100, 200]);
/// assert_eq!(levels[&101_25], fills.iter().sum());
///
/// let too_much = heap.take(std::alloc::Layout::new::<[u8; 100_000]>()).unwrap_err();
/// assert!(too_much.to_string().contains("pool `book` has no blocks of 100000 bytes"));
/// ```
pub struct Heap {
    home: NonNull<Home>,
}

// SAFETY: a heap's memory is reached through it alone: by `&self`, which another thread cannot have
// (it is not `Sync`), and by blocks, which borrow it.
unsafe impl Send for Heap {}

impl Heap {
    /// A heap without memory; it grows at the first use.
    #[must_use]
    pub fn new(options: HeapOptions) -> Self {
        Self { home: Home::open(options, false) }
    }

    #[inline(always)]
    fn home(&self) -> &Home {
        // SAFETY: freed on drop, and not before.
        unsafe { self.home.as_ref() }
    }

    /// Allocates, and says what is wrong if it cannot; otherwise as
    /// [`allocate`](Allocator::allocate).
    ///
    /// # Errors
    ///
    /// [`PoolError::Exhausted`] at the limit and [`PoolError::TooLarge`] beyond the largest blocks, both
    /// without a fallback only; [`PoolError::NoMemory`].
    #[inline]
    pub fn take(&self, layout: Layout) -> Result<NonNull<[u8]>, PoolError> {
        take_from(self.home(), layout)
    }

    /// What it did so far.
    #[must_use]
    pub fn statistics(&self) -> HeapStatistics {
        self.home().statistics()
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: whatever was allocated borrowed the heap, and other threads never had it.
        unsafe { Home::free(self.home) };
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut heap = f.debug_struct("Heap");
        heap.field("name", &self.home().name()).field("statistics", &self.statistics()).finish()
    }
}

// SAFETY: a block stays where it is until it is given back, and is given to one user at a time; copies
// of `&Heap` are the same heap, which they borrow.
unsafe impl Allocator for &Heap {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.take(layout).map_err(|_| AllocError)
    }

    #[inline]
    unsafe fn deallocate(&self, memory: NonNull<u8>, layout: Layout) {
        if layout.size() == 0 {
            return;
        }
        let Some(class) = SizeClass::of(layout) else {
            // SAFETY: what no class is for comes from the system.
            return unsafe { home::end_beyond(memory, layout) };
        };
        // SAFETY: the caller gives back a block, which has a header.
        let block = unsafe { Block::given_back(memory) };
        if ptr::eq(block.home(), self.home()) {
            self.home().give(block, class);
        } else {
            // SAFETY: as above.
            unsafe { give_elsewhere(block, class) };
        }
    }
}

/// Takes back what is not of this heap: a loan of the system's, or a fault.
///
/// # Safety
///
/// If it is a loan, it is of this class, and not given back yet.
#[cold]
#[inline(never)]
unsafe fn give_elsewhere(block: Block<Home>, class: SizeClass) {
    match home::belongs(block) {
        // SAFETY: the seal says so, and the caller that it is out.
        Ok(Belongs::Nowhere) => unsafe { home::end_loan(block, class) },
        Ok(Belongs::Thread | Belongs::Heap) => Fault::ForeignFree.note(),
        Err(fault) => fault.note(),
    }
}

/// Memory for `layout`: as much as its block has.
#[inline(always)]
fn take_from(home: &Home, layout: Layout) -> Result<NonNull<[u8]>, PoolError> {
    if layout.size() == 0 {
        return Ok(empty(layout));
    }
    match SizeClass::of(layout) {
        Some(class) => Ok(NonNull::slice_from_raw_parts(home.take(class)?, class.size())),
        None => {
            // SAFETY: the size is not 0.
            let memory = unsafe { home.take_beyond(layout) }?;
            Ok(NonNull::slice_from_raw_parts(memory, layout.size()))
        }
    }
}

/// No memory, aligned.
fn empty(layout: Layout) -> NonNull<[u8]> {
    let start = NonNull::new(ptr::without_provenance_mut(layout.align()));
    NonNull::slice_from_raw_parts(start.unwrap_or(NonNull::dangling()), 0)
}
