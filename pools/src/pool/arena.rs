//! Bytes one behind the other, given up all at once.
//!
//! ```text
//!   chunk 0                         chunk 1
//!   ┌──────┬───┬────────┬───────┐   ┌──────┬──────┬─────────────────┐
//!   │ used │gap│ used   │ rest  │   │ used │ used │ free            │
//!   └──────┴───┴────────┴───────┘   └──────┴──────┴─────────────────┘
//!                                                 ▲ at
//! ```
//!
//! A gap aligns what comes behind it; the rest of a chunk was too small for what came next.
//!
//! # Orderings
//!
//! None: an arena is one thread's at a time.
//!
//! # When a thread dies here
//!
//! Its arenas are dropped with whatever owns them. Nothing that was allocated outlives them: it borrows.

use super::error::PoolError;
use allocator_api2::alloc::{AllocError, Allocator};
use std::alloc::{Layout, alloc, dealloc};
use std::cell::{Cell, RefCell};
use std::ptr::{self, NonNull};

/// The alignment of chunks: a cache line.
const CHUNK_ALIGN: usize = 64;

/// A piece of the system's memory.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    start: NonNull<u8>,
    len: usize,
}

/// Allocates by moving a cursor, and frees everything at once.
///
/// As an allocator it is used by reference: what is allocated borrows the arena, so that
/// [`reset`](Arena::reset), which needs the arena to itself, cannot come too early:
///
/// ```
/// use allocator_api2::vec::Vec;
/// use strait_pools::pool::Arena;
///
/// # fn main() -> Result<(), strait_pools::pool::PoolError> {
/// let mut arena = Arena::chunked("per message", 4_096);
/// for round in 0..1_000_u64 {
///     let mut lines = Vec::new_in(&arena);
///     lines.extend_from_slice(&[round; 16]);
///     let total = arena.alloc(lines.iter().sum::<u64>())?;
///     assert_eq!(*total, 16 * round);
///     drop(lines);
///     arena.reset();
/// }
/// assert_eq!(arena.capacity(), 4_096, "one chunk served them all");
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail
/// # use strait_pools::pool::Arena;
/// let mut arena = Arena::chunked("per message", 4_096);
/// let number = arena.alloc(7).unwrap();
/// arena.reset();
/// assert_eq!(*number, 7); // would be read after it was given up
/// ```
#[derive(Debug)]
pub struct Arena {
    name: &'static str,
    chunk_len: usize,
    /// Bytes in chunks at most.
    limit: usize,
    chunks: RefCell<Vec<Chunk>>,
    /// Which of them is being used.
    current: Cell<usize>,
    /// The current chunk, at hand.
    start: Cell<NonNull<u8>>,
    len: Cell<usize>,
    /// The first free byte of it.
    at: Cell<usize>,
}

// SAFETY: an arena has its memory to itself; what it handed out borrows it, and so does not let it move.
unsafe impl Send for Arena {}

impl Arena {
    /// An arena of `bytes`, allocated now, that does not grow.
    ///
    /// # Errors
    ///
    /// [`PoolError::NoMemory`].
    pub fn fixed(name: &'static str, bytes: usize) -> Result<Self, PoolError> {
        let arena = Self::new(name, bytes, bytes);
        arena.add(bytes, bytes)?;
        Ok(arena)
    }

    /// An arena that grows by chunks of `bytes`, or of more for what is larger.
    #[must_use]
    pub fn chunked(name: &'static str, bytes: usize) -> Self {
        Self::new(name, bytes, usize::MAX)
    }

    fn new(name: &'static str, chunk_len: usize, limit: usize) -> Self {
        Self {
            name,
            chunk_len,
            limit,
            chunks: RefCell::default(),
            current: Cell::new(0),
            start: Cell::new(NonNull::dangling()),
            len: Cell::new(0),
            at: Cell::new(0),
        }
    }

    /// Moves `value` into the arena. It is not dropped: its memory is given up, no more.
    ///
    /// # Errors
    ///
    /// [`PoolError::Exhausted`] in an arena that does not grow, else [`PoolError::NoMemory`].
    #[inline]
    #[allow(clippy::mut_from_ref, reason = "each call refers to memory of its own")]
    pub fn alloc<T>(&self, value: T) -> Result<&mut T, PoolError> {
        let place = self.take(Layout::new::<T>())?.cast::<T>();
        // SAFETY: memory for a `T`, aligned and nobody else's.
        unsafe { place.write(value) };
        // SAFETY: a `T` was written there; only this reference leads to it, and it borrows the arena.
        Ok(unsafe { &mut *place.as_ptr() })
    }

    /// Copies `values` into the arena.
    ///
    /// # Errors
    ///
    /// As [`alloc`](Arena::alloc).
    #[inline]
    #[allow(clippy::mut_from_ref, reason = "each call refers to memory of its own")]
    pub fn alloc_slice<T: Copy>(&self, values: &[T]) -> Result<&mut [T], PoolError> {
        let place = self.take(Layout::for_value(values))?.cast::<T>();
        // SAFETY: memory for as many values, aligned and nobody else's.
        unsafe { place.copy_from_nonoverlapping(NonNull::from(values).cast(), values.len()) };
        let slice = NonNull::slice_from_raw_parts(place, values.len());
        // SAFETY: the values were written; only this reference leads to them, and it borrows the arena.
        Ok(unsafe { &mut *slice.as_ptr() })
    }

    /// Memory for `layout`, valid until the next [`reset`](Arena::reset).
    ///
    /// # Errors
    ///
    /// As [`alloc`](Arena::alloc).
    #[inline]
    pub fn take(&self, layout: Layout) -> Result<NonNull<u8>, PoolError> {
        match self.bump(layout) {
            Some(memory) => Ok(memory),
            None => self.take_from_next(layout),
        }
    }

    /// Moves the cursor, if the current chunk has the room.
    #[inline(always)]
    fn bump(&self, layout: Layout) -> Option<NonNull<u8>> {
        let (start, at) = (self.start.get(), self.at.get());
        let mask = layout.align() - 1;
        let gap = (start.addr().get() + at).wrapping_neg() & mask;
        let from = at.checked_add(gap)?;
        let to = from.checked_add(layout.size())?;
        if to > self.len.get() {
            return None;
        }
        self.at.set(to);
        // SAFETY: `from <= to <= len`, within the chunk.
        Some(unsafe { start.add(from) })
    }

    /// Goes on to the next chunk with enough room, or a new one.
    #[cold]
    #[inline(never)]
    fn take_from_next(&self, layout: Layout) -> Result<NonNull<u8>, PoolError> {
        if layout.size() == 0 {
            let aligned = NonNull::new(ptr::without_provenance_mut(layout.align()));
            return Ok(aligned.unwrap_or(NonNull::dangling()));
        }
        let known = self.chunks.borrow().len();
        // What is left of the current chunk stays unused until the reset.
        for next in self.current.get() + 1..known {
            self.enter(next);
            if let Some(memory) = self.bump(layout) {
                return Ok(memory);
            }
        }
        // Chunks are aligned to a line: what asks for more may need a gap.
        let gap = layout.align().saturating_sub(CHUNK_ALIGN);
        self.add(layout.size().saturating_add(gap).max(self.chunk_len), layout.size())?;
        self.bump(layout).ok_or_else(|| self.exhausted(layout.size()))
    }

    fn exhausted(&self, size: usize) -> PoolError {
        PoolError::Exhausted { pool: self.name, size, limit: self.limit, unit: "bytes" }
    }

    /// Adds a chunk of `len` for the sake of `wanted` bytes, and enters it.
    fn add(&self, len: usize, wanted: usize) -> Result<(), PoolError> {
        let mut chunks = self.chunks.borrow_mut();
        let used: usize = chunks.iter().map(|chunk| chunk.len).sum();
        if len > self.limit - used {
            return Err(self.exhausted(wanted));
        }
        let failed = PoolError::NoMemory { pool: self.name, size: len };
        chunks.try_reserve(1).map_err(|_| failed)?;
        let layout = chunk_layout(len).ok_or(failed)?;
        // SAFETY: the layout of a chunk is not empty.
        let start = NonNull::new(unsafe { alloc(layout) }).ok_or(failed)?;
        chunks.push(Chunk { start, len });
        let last = chunks.len() - 1;
        drop(chunks);
        self.enter(last);
        Ok(())
    }

    fn enter(&self, index: usize) {
        if let Some(chunk) = self.chunks.borrow().get(index) {
            self.current.set(index);
            self.start.set(chunk.start);
            self.len.set(chunk.len);
            self.at.set(0);
        }
    }

    /// Gives up everything that was allocated. The chunks are kept, and used again.
    #[inline]
    pub fn reset(&mut self) {
        self.enter(0);
    }

    /// Bytes of all chunks.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.chunks.borrow().iter().map(|chunk| chunk.len).sum()
    }

    /// Whether `memory` of `size` bytes is what was allocated last.
    fn is_last(&self, memory: NonNull<u8>, size: usize) -> bool {
        let from = self.at.get().checked_sub(size);
        from.is_some_and(|from| self.start.get().addr().get() + from == memory.addr().get())
    }
}

/// The layout of a chunk of `len` bytes, or of one if there are none.
fn chunk_layout(len: usize) -> Option<Layout> {
    Layout::from_size_align(len.max(1), CHUNK_ALIGN).ok()
}

impl Drop for Arena {
    fn drop(&mut self) {
        for chunk in self.chunks.get_mut() {
            if let Some(layout) = chunk_layout(chunk.len) {
                // SAFETY: allocated with this layout in `add`; what is in it borrowed the arena.
                unsafe { dealloc(chunk.start.as_ptr(), layout) };
            }
        }
    }
}

// SAFETY: memory stays where it is until `reset` or drop, which need the arena to themselves, while an
// allocator and all its copies borrow it; no two allocations overlap but by way of `deallocate`.
unsafe impl Allocator for &Arena {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let memory = self.take(layout).map_err(|_| AllocError)?;
        Ok(NonNull::slice_from_raw_parts(memory, layout.size()))
    }

    /// Frees what was allocated last; anything else waits for the reset.
    #[inline]
    unsafe fn deallocate(&self, memory: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 && self.is_last(memory, layout.size()) {
            self.at.set(self.at.get() - layout.size());
        }
    }

    /// In place, if it was allocated last and there is room.
    #[inline]
    unsafe fn grow(
        &self,
        memory: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        let fits = memory.addr().get().is_multiple_of(new.align());
        if fits && old.size() != 0 && self.is_last(memory, old.size()) {
            let grown = self.at.get().checked_add(new.size() - old.size());
            if let Some(end) = grown.filter(|&end| end <= self.len.get()) {
                self.at.set(end);
                return Ok(NonNull::slice_from_raw_parts(memory, new.size()));
            }
        }
        let larger = self.allocate(new)?;
        // SAFETY: the old memory has so many bytes, and the new one more; they do not overlap.
        unsafe { larger.cast::<u8>().copy_from_nonoverlapping(memory, old.size()) };
        Ok(larger)
    }

    /// In place: what is cut off waits for the reset.
    #[inline]
    unsafe fn shrink(
        &self,
        memory: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        if memory.addr().get().is_multiple_of(new.align()) {
            if self.is_last(memory, old.size()) {
                self.at.set(self.at.get() - (old.size() - new.size()));
            }
            return Ok(NonNull::slice_from_raw_parts(memory, new.size()));
        }
        let aligned = self.allocate(new)?;
        // SAFETY: the old memory has more bytes than the new one; they do not overlap.
        unsafe { aligned.cast::<u8>().copy_from_nonoverlapping(memory, new.size()) };
        Ok(aligned)
    }
}
