//! Blocks of one size, from their owner's side: taken and given back without a word to anyone.
//!
//! ```text
//!   spare ──► [block]          one that was given back, if its state says that it is in
//!   free  ──► [p][p][p]…       a stack of others
//!   fresh ──► │▒▒▒▒▒▒▒▒▒▒│     the part of the last chunk that was never used
//! ```
//!
//! # Why there is a spare
//!
//! Taking one block and giving it back, over and over, is the most common use of a pool. A stack makes
//! each step read what the last one wrote, and a processor takes several cycles to pass a value through
//! memory. Here such steps read only *whether* the spare is in, which decides a branch and is predicted;
//! where it is does not change and is not written again. So nothing waits.
//!
//! # Orderings
//!
//! None: all of it is one thread's.
//!
//! # When a thread dies here
//!
//! It is its owner; see [`heap`](super::heap) and [`fixed`](super::fixed) for what becomes of blocks.

use super::block::{Block, State, lead, payload_align};
use super::error::Fault;
use std::alloc::{Layout, alloc, dealloc};
use std::cell::{Cell, RefCell, UnsafeCell};
use std::ptr::NonNull;

/// The state of a spare that there is not.
struct NotIn(Cell<State>);

// SAFETY: it is only read: a spare that is not in is not taken.
unsafe impl Sync for NotIn {}

static NOT_IN: NotIn = NotIn(Cell::new(State::Retired));

/// Memory for some blocks.
#[derive(Debug)]
struct Chunk {
    memory: NonNull<u8>,
    layout: Layout,
    states: Box<[Cell<State>]>,
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout in `Slab::grow`, and freed nowhere else.
        unsafe { dealloc(self.memory.as_ptr(), self.layout) };
    }
}

/// Blocks of one size. Not shared: only its owner's thread calls it.
#[derive(Debug)]
pub(super) struct Slab<H> {
    /// No block until one was given back.
    spare: Cell<Block<H>>,
    /// The spare's own state, at hand.
    spare_state: Cell<*const Cell<State>>,
    /// As much capacity as there are blocks, so that giving back never allocates.
    free: UnsafeCell<Vec<Block<H>>>,
    /// How many blocks of the last chunk were made.
    made: Cell<usize>,
    /// All of [`per_chunk`](Slab::per_chunk) blocks.
    chunks: RefCell<Vec<Chunk>>,
    /// Blocks of a chunk.
    per_chunk: usize,
    /// Bytes before a payload, and from one payload to the next.
    lead: usize,
    stride: usize,
    align: usize,
}

impl<H> Slab<H> {
    /// No blocks yet, of payloads with this layout, `per_chunk` at a time.
    pub(super) fn new(payload: Layout, per_chunk: usize) -> Self {
        let align = payload_align(payload.align());
        let lead = lead(align);
        // Of a layout, so far below the limits of `usize`; what is too large fails in `grow`.
        let stride = lead.saturating_add(payload.size().next_multiple_of(align));
        Self {
            spare: Cell::new(Block::none()),
            spare_state: Cell::new(&raw const NOT_IN.0),
            free: UnsafeCell::new(Vec::new()),
            made: Cell::new(0),
            chunks: RefCell::default(),
            per_chunk,
            lead,
            stride,
            align,
        }
    }

    /// A block that was in use before, if there is one.
    #[inline(always)]
    pub(super) fn take(&self) -> Option<Block<H>> {
        if self.spare_is_in() {
            let spare = self.spare.get();
            self.spare_state().set(State::Live);
            return Some(spare);
        }
        // SAFETY: no other reference to the stack exists: this is the owner's thread, and no method
        // calls another one while it holds one.
        let block = unsafe { (*self.free.get()).pop() }?;
        block.set_state(State::Live);
        Some(block)
    }

    #[inline(always)]
    fn spare_state(&self) -> &Cell<State> {
        // SAFETY: of a block of this slab, or the constant that stands for none.
        unsafe { &*self.spare_state.get() }
    }

    #[inline(always)]
    fn spare_is_in(&self) -> bool {
        self.spare_state().get() == State::Free
    }

    /// Takes a block back.
    #[inline(always)]
    pub(super) fn give(&self, block: Block<H>) -> Result<(), Fault> {
        if block.state() != State::Live {
            return Err(Fault::DoubleFree);
        }
        self.put(block);
        Ok(())
    }

    /// Puts a block that is out, or new, among the free ones.
    #[inline(always)]
    pub(super) fn put(&self, block: Block<H>) {
        if self.spare.get() == block {
            block.set_state(State::Free);
            return;
        }
        if self.spare_is_in() {
            // SAFETY: as in `take`.
            unsafe { (*self.free.get()).push(block) };
        } else {
            self.spare.set(block);
            self.spare_state.set(block.state_cell());
        }
        block.set_state(State::Free);
    }

    /// A block that was never in use: live, and of the home given.
    pub(super) fn make(&self, home: *const H) -> Option<Block<H>> {
        let index = self.made.get();
        let chunks = self.chunks.borrow();
        let chunk = chunks.last()?;
        let state: *const Cell<State> = chunk.states.get(index)?;
        let block = self.block_in(chunk, index);
        // SAFETY: within the chunk, whose states stay where they are, and nobody's until now.
        unsafe { block.make(home, state) };
        block.set_state(State::Live);
        self.made.set(index + 1);
        Some(block)
    }

    /// Bytes that [`grow`](Slab::grow) asks the system for; `usize::MAX` if there are no such many.
    pub(super) fn growth(&self) -> usize {
        self.stride.saturating_mul(self.per_chunk)
    }

    /// Adds a chunk; those before it are used up. False if the system has no memory.
    #[cold]
    pub(super) fn grow(&self) -> bool {
        let Ok(layout) = Layout::from_size_align(self.growth(), self.align) else { return false };
        let mut chunks = self.chunks.borrow_mut();
        let blocks = (chunks.len() + 1) * self.per_chunk;
        // SAFETY: as in `take`.
        let free = unsafe { &mut *self.free.get() };
        let reserved = free.try_reserve_exact(blocks - free.len());
        if layout.size() == 0 || reserved.is_err() || chunks.try_reserve(1).is_err() {
            return false;
        }
        // SAFETY: the size is not 0.
        let Some(memory) = NonNull::new(unsafe { alloc(layout) }) else { return false };
        // Users' pointers come back with less than the chunk's permission: see `Block::given_back`.
        let _ = memory.as_ptr().expose_provenance();
        let states = (0..self.per_chunk).map(|_| Cell::new(State::Free)).collect();
        chunks.push(Chunk { memory, layout, states });
        self.made.set(0);
        true
    }

    fn block_in(&self, chunk: &Chunk, index: usize) -> Block<H> {
        // SAFETY: `index` is below `per_chunk`, and the chunk has as many strides.
        let payload = unsafe { chunk.memory.add(index * self.stride + self.lead) };
        // SAFETY: the lead before a payload is its header's.
        unsafe { Block::at(payload) }
    }

    /// How many blocks were made.
    pub(super) fn len(&self) -> usize {
        self.chunks.borrow().len().saturating_sub(1) * self.per_chunk + self.made.get()
    }

    /// The block made as the `index`-th.
    pub(super) fn get(&self, index: usize) -> Option<Block<H>> {
        if index >= self.len() {
            return None;
        }
        let chunks = self.chunks.borrow();
        Some(self.block_in(chunks.get(index / self.per_chunk)?, index % self.per_chunk))
    }

    /// Which block this is, counted as they were made.
    pub(super) fn index_of(&self, block: Block<H>) -> Option<usize> {
        self.chunks.borrow().iter().enumerate().find_map(|(number, chunk)| {
            let first = chunk.memory.addr().get() + self.lead;
            let offset = block.payload().addr().get().checked_sub(first)?;
            let index = offset / self.stride;
            (index < self.per_chunk).then_some(number * self.per_chunk + index)
        })
    }

    /// All blocks that were made.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Block<H>> + use<'_, H> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// How many blocks are in this state.
    pub(super) fn count(&self, state: State) -> usize {
        self.blocks().filter(|block| block.state() == state).count()
    }
}
