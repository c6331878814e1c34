//! A heap's memory, and what it shares with the threads that have its blocks.
//!
//! ```text
//!  Home ◄───────────────────────────────── each block's header
//!  owner's:      │ small, medium, large: slabs   bytes   counters  │
//!                ├─────────────────────────────────────────────────┤
//!  everyone's:   │ returns: lane of full parcels                   │
//!                │ empties: lane of parcels to be filled           │
//!                │ closing: blocks that are out after the owner    │
//! ```
//!
//! # Orderings
//!
//! Those of [`lane`](crate::pool::lane) and [`closing`](crate::pool::closing); the slabs have none. A
//! header is written before its block is given out, so it is seen by whoever got the block.
//!
//! # When a thread dies here
//!
//! *The owner* closes the lane and takes back what is in it. Blocks that are out stay valid; who gives
//! up the last one frees the heap. *Another thread* sends off its unfinished parcels. A thread that is
//! ended without running its destructors keeps what it had, for the life of the process.

use super::class::SizeClass;
use super::options::{Fallback, HeapOptions, HeapStatistics};
use super::parcel::Parcel;
use crate::pool::block::{Block, State, lead};
use crate::pool::closing::Closing;
use crate::pool::error::{Fault, PoolError};
use crate::pool::lane::{Lane, Node, for_each};
use crate::pool::slab::Slab;
use std::alloc::{Layout, alloc, dealloc};
use std::cell::Cell;
use std::ptr::{self, NonNull};

/// A heap. See the module.
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct Home {
    slabs: [Slab<Home>; 3],
    options: HeapOptions,
    /// Whether other threads may have its blocks.
    of_thread: bool,
    /// Bytes of all chunks.
    bytes: Cell<usize>,
    fallbacks: Cell<u64>,
    refusals: Cell<u64>,
    shared: Shared,
}

/// What other threads write, on a line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shared {
    returns: Lane<Parcel>,
    empties: Lane<Parcel>,
    closing: Closing,
}

/// The home of blocks that the system lent: an address at which there is no heap.
fn nowhere() -> *const Home {
    ptr::without_provenance(align_of::<Home>())
}

/// What a header of a heap's block notes: that it is one.
///
/// A pointer of anyone else's is told by the lack of it; so a wrong `home` is not followed.
fn seal(block: Block<Home>) -> u64 {
    const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
    let (address, home) = (block.payload().addr().get() as u64, block.home().addr() as u64);
    (address ^ home.rotate_left(32)).wrapping_mul(MIX)
}

/// Where a block that is given back belongs.
pub(super) enum Belongs {
    /// To a thread's heap.
    Thread,
    /// To a heap of its own.
    Heap,
    /// To the system.
    Nowhere,
}

/// Whose block this is, if it is one.
pub(super) fn belongs(block: Block<Home>) -> Result<Belongs, Fault> {
    if block.note() != seal(block) {
        return Err(Fault::ForeignFree);
    }
    if block.home() == nowhere() {
        return Ok(Belongs::Nowhere);
    }
    let home = NonNull::new(block.home().cast_mut()).ok_or(Fault::ForeignFree)?;
    // SAFETY: the seal says that a heap made the block, which exists as long as its blocks do.
    let of_thread = unsafe { (*home.as_ptr()).of_thread };
    Ok(if of_thread { Belongs::Thread } else { Belongs::Heap })
}

impl Home {
    /// A heap without memory; freed by [`free`] or [`close`].
    pub(super) fn open(options: HeapOptions, of_thread: bool) -> NonNull<Self> {
        let slab = |class: SizeClass| Slab::new(class.layout(), class.per_chunk());
        let home = Self {
            slabs: SizeClass::ALL.map(slab),
            options,
            of_thread,
            bytes: Cell::new(0),
            fallbacks: Cell::new(0),
            refusals: Cell::new(0),
            shared: Shared::default(),
        };
        NonNull::from(Box::leak(Box::new(home)))
    }

    #[inline(always)]
    fn slab(&self, class: SizeClass) -> &Slab<Home> {
        let [small, medium, large] = &self.slabs;
        match class {
            SizeClass::Small => small,
            SizeClass::Medium => medium,
            SizeClass::Large => large,
        }
    }

    /// A block of the class. For the owner.
    #[inline(always)]
    pub(super) fn take(&self, class: SizeClass) -> Result<NonNull<u8>, PoolError> {
        match self.slab(class).take() {
            Some(block) => Ok(block.payload()),
            None => self.find(class),
        }
    }

    /// Takes back one of its own blocks. For the owner.
    #[inline(always)]
    pub(super) fn give(&self, block: Block<Home>, class: SizeClass) {
        if let Err(fault) = self.slab(class).give(block) {
            fault.note();
        }
    }

    /// Looks for a block beyond those that came back on this thread.
    #[cold]
    #[inline(never)]
    fn find(&self, class: SizeClass) -> Result<NonNull<u8>, PoolError> {
        let slab = self.slab(class);
        if let Some(block) = slab.make(self) {
            return Ok(Self::sealed(block));
        }
        self.collect();
        if let Some(block) = slab.take() {
            return Ok(block.payload());
        }
        let grown = self.bytes.get().saturating_add(slab.growth());
        if grown <= self.options.limit && slab.grow() {
            self.bytes.set(grown);
            if let Some(block) = slab.make(self) {
                return Ok(Self::sealed(block));
            }
        }
        self.lend(class).ok_or_else(|| self.refused(class.size(), grown > self.options.limit))
    }

    fn sealed(block: Block<Home>) -> NonNull<u8> {
        block.set_note(seal(block));
        block.payload()
    }

    fn refused(&self, size: usize, at_limit: bool) -> PoolError {
        self.refusals.set(self.refusals.get() + 1);
        let HeapOptions { name: pool, limit, .. } = self.options;
        if at_limit {
            PoolError::Exhausted { pool, size, limit, unit: "bytes" }
        } else {
            PoolError::NoMemory { pool, size }
        }
    }

    /// A block of the system's, if that is declared.
    fn lend(&self, class: SizeClass) -> Option<NonNull<u8>> {
        if self.options.fallback == Fallback::Refuse {
            return None;
        }
        let block = lend(class)?;
        self.fallbacks.set(self.fallbacks.get() + 1);
        Some(block)
    }

    /// Memory for what no class is for.
    ///
    /// # Safety
    ///
    /// The layout is not empty.
    #[cold]
    pub(super) unsafe fn take_beyond(&self, layout: Layout) -> Result<NonNull<u8>, PoolError> {
        let (size, align) = (layout.size(), layout.align());
        let HeapOptions { name: pool, fallback, .. } = self.options;
        if fallback == Fallback::Refuse {
            self.refusals.set(self.refusals.get() + 1);
            let largest = SizeClass::Large.size();
            return Err(PoolError::TooLarge { pool, size, align, largest });
        }
        // SAFETY: the caller's promise.
        let memory = unsafe { beyond(layout) }.ok_or_else(|| self.refused(size, false))?;
        self.fallbacks.set(self.fallbacks.get() + 1);
        Ok(memory)
    }

    /// Takes back what other threads have sent. For the owner.
    pub(super) fn collect(&self) {
        let (mut first, mut last) = (None::<NonNull<Parcel>>, None);
        for_each(self.shared.returns.take(), |parcel| {
            self.unpack(parcel);
            // The emptied parcels make a chain of their own, for those who have the next to send.
            // SAFETY: a parcel of a taken list, which is the taker's.
            unsafe { parcel.as_ref() }.set_next(first.map_or(ptr::null_mut(), NonNull::as_ptr));
            first = Some(parcel);
            last = last.or(first);
        });
        if let (Some(first), Some(last)) = (first, last) {
            // SAFETY: a chain of parcels that are this thread's.
            let kept = unsafe { self.shared.empties.push(first, last) };
            debug_assert!(kept.is_ok(), "this lane is never closed");
        }
    }

    fn unpack(&self, parcel: NonNull<Parcel>) {
        // SAFETY: a parcel of a taken list, which is the taker's.
        unsafe { parcel.as_ref() }.entries(|payload, class| {
            // SAFETY: entries are of blocks with a header of this heap, as `belongs` found.
            self.give(unsafe { Block::at(payload) }, class);
        });
    }

    /// Puts a parcel of blocks into the lane. It comes back if the owner has left: then the blocks are
    /// given up, and the heap may be gone.
    pub(super) fn send(home: NonNull<Self>, parcel: NonNull<Parcel>) -> Option<NonNull<Parcel>> {
        // SAFETY: a heap exists as long as its blocks do, and some are in the parcel.
        let shared = unsafe { &(*home.as_ptr()).shared };
        // SAFETY: the parcel is the caller's, and a chain of one.
        if unsafe { shared.returns.push(parcel, parcel) }.is_ok() {
            return None;
        }
        // SAFETY: the lane left the parcel with its owner.
        let blocks = unsafe { parcel.as_ref() }.len() as u64;
        if shared.closing.settle(blocks) {
            // SAFETY: the last to leave frees the heap.
            unsafe { Self::free(home) };
        }
        Some(parcel)
    }

    /// All parcels that wait to be filled, as a list; null if there are none.
    pub(super) fn empties(home: NonNull<Self>) -> *mut Parcel {
        // SAFETY: a heap exists as long as its blocks do, and the caller has one.
        unsafe { &(*home.as_ptr()).shared }.empties.take()
    }

    /// The owner leaves. The heap is freed once all its blocks are given up.
    ///
    /// # Safety
    ///
    /// The caller is the owner, and never uses the heap again.
    pub(super) unsafe fn close(home: NonNull<Self>) {
        // SAFETY: the owner is here, and has not left yet.
        let this = unsafe { home.as_ref() };
        for_each(this.shared.returns.close(), |parcel| {
            this.unpack(parcel);
            // SAFETY: a parcel of a taken list, emptied.
            unsafe { Parcel::free(parcel) };
        });
        let out: usize = this.slabs.iter().map(|slab| slab.count(State::Live)).sum();
        if this.shared.closing.owe(out as u64) {
            // SAFETY: the last to leave frees the heap.
            unsafe { Self::free(home) };
        }
    }

    /// Frees the heap.
    ///
    /// # Safety
    ///
    /// Nobody uses it any more, nor any of its blocks.
    pub(super) unsafe fn free(home: NonNull<Self>) {
        // SAFETY: of `open`, and nobody else's any more.
        let home = unsafe { Box::from_raw(home.as_ptr()) };
        for_each(home.shared.empties.take(), |parcel| {
            // SAFETY: a parcel of a taken list.
            unsafe { Parcel::free(parcel) };
        });
    }

    pub(super) fn name(&self) -> &'static str {
        self.options.name
    }

    pub(super) fn statistics(&self) -> HeapStatistics {
        HeapStatistics {
            bytes: self.bytes.get(),
            fallbacks: self.fallbacks.get(),
            refusals: self.refusals.get(),
        }
    }
}

/// A block of the system's that looks like one of a heap's.
pub(super) fn lend(class: SizeClass) -> Option<NonNull<u8>> {
    // SAFETY: the layout of a class with its lead is not empty.
    let start = NonNull::new(unsafe { alloc(lent_layout(class)) })?;
    let _ = start.as_ptr().expose_provenance();
    // SAFETY: within the memory just allocated.
    let payload = unsafe { start.add(lead(class.layout().align())) };
    // SAFETY: the lead before it is its header's.
    let block = unsafe { Block::at(payload) };
    // SAFETY: as above; nobody looks at the state of a block without a heap.
    unsafe { block.make(nowhere(), ptr::null()) };
    block.set_note(seal(block));
    Some(payload)
}

/// Gives a block back to the system.
///
/// # Safety
///
/// It is of [`lend`] with this class, and not given back yet.
pub(super) unsafe fn end_loan(block: Block<Home>, class: SizeClass) {
    // SAFETY: the lead is in the same allocation.
    let start = unsafe { block.payload().sub(lead(class.layout().align())) };
    // SAFETY: allocated in `lend` with this layout.
    unsafe { dealloc(start.as_ptr(), lent_layout(class)) };
}

fn lent_layout(class: SizeClass) -> Layout {
    let (block, align) = (class.layout(), class.layout().align());
    Layout::from_size_align(lead(align) + block.size(), align).unwrap_or(block)
}

/// Memory of the system's for a layout that no class is for.
///
/// # Safety
///
/// The layout is not empty.
pub(super) unsafe fn beyond(layout: Layout) -> Option<NonNull<u8>> {
    // SAFETY: what is not empty, says the caller.
    NonNull::new(unsafe { alloc(layout) })
}

/// Gives such memory back.
///
/// # Safety
///
/// It is of [`beyond`] with this layout, and not given back yet.
pub(super) unsafe fn end_beyond(memory: NonNull<u8>, layout: Layout) {
    // SAFETY: of `beyond`, which allocated it with this layout.
    unsafe { dealloc(memory.as_ptr(), layout) };
}
