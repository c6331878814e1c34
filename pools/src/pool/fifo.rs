//! A ring of bytes, freed in the order in which they were allocated.
//!
//! ```text
//!            tail                                   head
//!             ▼                                      ▼
//!  ┌──────────┬────────┬─────────┬────────┬──────────┬───────────────┐
//!  │ free     │ record │ payload │ record │ payload  │ free          │
//!  └──────────┴────────┴─────────┴────────┴──────────┴───────────────┘
//!               16 B     length, live or freed; then the payload, in units of 16 B
//! ```
//!
//! What is allocated first is usually freed first: messages in flight, requests in turn. Then freeing is
//! the move of a mark, and memory never falls to pieces. What is freed earlier than something before it
//! waits for that. A record without use, freed from the start, fills the end of the ring where a payload
//! does not fit, and aligns what comes behind it.
//!
//! # Orderings
//!
//! None: a ring is one thread's at a time.
//!
//! # When a thread dies here
//!
//! Its rings are dropped with whatever owns them. Nothing that was allocated outlives them: it borrows.

use super::error::{Fault, PoolError};
use allocator_api2::alloc::{AllocError, Allocator};
use std::alloc::{Layout, alloc, dealloc};
use std::cell::Cell;
use std::ptr::{self, NonNull};

/// Bytes of a record, and the unit of everything.
const UNIT: usize = 16;
/// The alignment of the ring: a cache line.
const RING_ALIGN: usize = 64;

/// What stands before a payload.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Record {
    /// Bytes of record and payload.
    len: usize,
    /// That it is a record, at this place, and whether it is live.
    mark: u64,
}

const _: () = assert!(size_of::<Record>() == UNIT);

/// The mark of a record at this address.
fn mark(at: NonNull<Record>, live: bool) -> u64 {
    const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
    (at.addr().get() as u64).wrapping_mul(MIX) ^ u64::from(live)
}

/// Allocates from a ring of bytes. As an allocator it is used by reference, on one thread at a time.
///
/// ```
/// use allocator_api2::boxed::Box;
/// use std::collections::VecDeque;
/// use strait_pools::pool::FifoArena;
///
/// # fn main() -> Result<(), std::boxed::Box<dyn std::error::Error>> {
/// let requests = FifoArena::new("requests", 1_024)?;
/// let mut in_flight = VecDeque::new();
/// for number in 0..10_000_u64 {
///     in_flight.push_back(Box::try_new_in([number; 8], &requests).map_err(|_| "full")?);
///     if in_flight.len() > 5 {
///         in_flight.pop_front();
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FifoArena {
    name: &'static str,
    start: NonNull<u8>,
    /// A power of two.
    capacity: usize,
    /// Where the next record begins, and where the oldest one does that is not freed. They count on past
    /// the end of the ring.
    head: Cell<usize>,
    tail: Cell<usize>,
}

// SAFETY: a ring has its memory to itself; what it handed out borrows it, and so does not let it move.
unsafe impl Send for FifoArena {}

impl FifoArena {
    /// A ring of `bytes`, rounded up to a power of two, and to 64 at least. Each allocation takes 16 more
    /// than it asks for, and is rounded up to 16.
    ///
    /// # Errors
    ///
    /// [`PoolError::NoMemory`].
    pub fn new(name: &'static str, bytes: usize) -> Result<Self, PoolError> {
        let failed = PoolError::NoMemory { pool: name, size: bytes };
        let capacity = bytes.max(RING_ALIGN).checked_next_power_of_two().ok_or(failed)?;
        let layout = Layout::from_size_align(capacity, RING_ALIGN).map_err(|_| failed)?;
        // SAFETY: the capacity is not 0.
        let start = NonNull::new(unsafe { alloc(layout) }).ok_or(failed)?;
        Ok(Self { name, start, capacity, head: Cell::new(0), tail: Cell::new(0) })
    }

    /// Bytes of the ring.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes of it that are not free, records included.
    #[must_use]
    pub fn used(&self) -> usize {
        self.head.get() - self.tail.get()
    }

    fn record(&self, position: usize) -> NonNull<Record> {
        // SAFETY: masked to the ring, whose capacity is a power of two.
        unsafe { self.start.add(position & (self.capacity - 1)) }.cast()
    }

    fn write(&self, position: usize, len: usize, live: bool) {
        let at = self.record(position);
        // SAFETY: positions are multiples of a record's size, so it is aligned and within the ring; only
        // this ring writes there, from `tail` to `head` and a record beyond.
        unsafe { at.write(Record { len, mark: mark(at, live) }) };
    }

    /// Memory for `layout`.
    ///
    /// # Errors
    ///
    /// [`PoolError::Exhausted`], if it does not fit behind what is in use.
    #[inline]
    pub fn take(&self, layout: Layout) -> Result<NonNull<u8>, PoolError> {
        if layout.size() == 0 {
            let aligned = NonNull::new(ptr::without_provenance_mut(layout.align()));
            return Ok(aligned.unwrap_or(NonNull::dangling()));
        }
        self.claim(layout).ok_or(PoolError::Exhausted {
            pool: self.name,
            size: layout.size(),
            limit: self.capacity,
            unit: "bytes",
        })
    }

    #[inline]
    fn claim(&self, layout: Layout) -> Option<NonNull<u8>> {
        if self.used() == 0 {
            // Nothing is in the way: begin where the whole ring lies ahead.
            self.head.set(0);
            self.tail.set(0);
        }
        let align = layout.align().max(UNIT);
        let len = layout.size().checked_next_multiple_of(UNIT)?.checked_add(UNIT)?;
        let head = self.head.get();
        let offset = head & (self.capacity - 1);
        // The record stands right before the payload; what must be skipped is in whole units.
        let skipped_at =
            |offset: usize| (self.start.addr().get() + offset + UNIT).wrapping_neg() & (align - 1);
        let mut skipped = skipped_at(offset);
        if offset.checked_add(skipped)?.checked_add(len)? > self.capacity {
            skipped = (self.capacity - offset).checked_add(skipped_at(0))?;
        }
        let taken = skipped.checked_add(len)?;
        if taken > self.capacity - self.used() {
            return None;
        }
        self.skip(head, skipped, offset);
        self.write(head + skipped, len, true);
        self.head.set(head + taken);
        // SAFETY: the record is followed by its payload: together they do not pass the ring's end.
        Some(unsafe { self.record(head + skipped).add(1) }.cast())
    }

    /// Fills what is skipped with records that are free: one up to the ring's end, one behind it.
    fn skip(&self, head: usize, skipped: usize, offset: usize) {
        let first = skipped.min(self.capacity - offset);
        if first != 0 {
            self.write(head, first, false);
        }
        if skipped != first {
            self.write(head + first, skipped - first, false);
        }
    }

    /// Gives memory back.
    #[inline]
    fn give(&self, memory: NonNull<u8>) -> Result<(), Fault> {
        let offset = memory.addr().get().wrapping_sub(self.start.addr().get()).wrapping_sub(UNIT);
        if offset >= self.capacity || !offset.is_multiple_of(UNIT) {
            return Err(Fault::ForeignFree);
        }
        let tail = self.tail.get();
        let behind = offset.wrapping_sub(tail) & (self.capacity - 1);
        if behind >= self.used() {
            return Err(Fault::DoubleFree);
        }
        let position = tail + behind;
        let at = self.record(position);
        // SAFETY: between tail and head, so it was written; any bytes are a record.
        let record = unsafe { at.read() };
        if record.mark != mark(at, true) {
            return Err(if record.mark == mark(at, false) {
                Fault::DoubleFree
            } else {
                Fault::ForeignFree
            });
        }
        self.write(position, record.len, false);
        self.advance();
        Ok(())
    }

    /// Moves the tail past what is freed.
    #[inline]
    fn advance(&self) {
        let (head, mut tail) = (self.head.get(), self.tail.get());
        while tail != head {
            let at = self.record(tail);
            // SAFETY: the tail is where a record begins, unless it is the head.
            let record = unsafe { at.read() };
            if record.mark != mark(at, false) {
                break;
            }
            tail += record.len;
        }
        self.tail.set(tail);
    }
}

impl Drop for FifoArena {
    fn drop(&mut self) {
        if let Ok(layout) = Layout::from_size_align(self.capacity, RING_ALIGN) {
            // SAFETY: allocated with this layout in `new`; what is in it borrowed the ring.
            unsafe { dealloc(self.start.as_ptr(), layout) };
        }
    }
}

// SAFETY: memory stays where it is until it is given back, and no two allocations overlap; an allocator
// and all its copies are the same ring, which they borrow.
unsafe impl Allocator for &FifoArena {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let memory = self.take(layout).map_err(|_| AllocError)?;
        Ok(NonNull::slice_from_raw_parts(memory, layout.size()))
    }

    #[inline]
    unsafe fn deallocate(&self, memory: NonNull<u8>, layout: Layout) {
        if layout.size() == 0 {
            return;
        }
        if let Err(fault) = self.give(memory) {
            fault.note();
        }
    }
}
