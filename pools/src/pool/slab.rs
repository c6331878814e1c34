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
use std::ptr::{self, NonNull};

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
    /// Room for all blocks there are, so that giving back asks nothing and never allocates.
    free: UnsafeCell<Vec<Block<H>>>,
    /// The end of what is in that room: where the next one goes.
    top: Cell<*mut Block<H>>,
    /// Its beginning, at hand.
    bottom: Cell<*mut Block<H>>,
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
            top: Cell::new(ptr::null_mut()),
            bottom: Cell::new(ptr::null_mut()),
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
        let top = self.top.get();
        if top == self.bottom.get() {
            return None;
        }
        // SAFETY: above the bottom, so behind a block that was pushed.
        let top = unsafe { top.sub(1) };
        self.top.set(top);
        // SAFETY: as above; nobody else reads or writes there.
        let block = unsafe { top.read() };
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
        // Of the spare all is at hand; its header is not looked at.
        if self.spare.get() == block {
            let state = self.spare_state();
            if state.get() != State::Live {
                return Err(Fault::DoubleFree);
            }
            state.set(State::Free);
            return Ok(());
        }
        if block.state() != State::Live {
            return Err(Fault::DoubleFree);
        }
        self.put_other(block);
        Ok(())
    }

    /// Puts a block that is out, or new, among the free ones.
    pub(super) fn put(&self, block: Block<H>) {
        if self.spare.get() == block {
            block.set_state(State::Free);
        } else {
            self.put_other(block);
        }
    }

    /// Puts a block that is not the spare among the free ones.
    #[inline(always)]
    fn put_other(&self, block: Block<H>) {
        block.set_state(State::Free);
        if self.spare_is_in() {
            let top = self.top.get();
            // SAFETY: there is room for all blocks, and each is in it once: its state said that it was
            // out, or it is new.
            unsafe { top.write(block) };
            // SAFETY: at most one behind the room.
            self.top.set(unsafe { top.add(1) });
        } else {
            self.spare.set(block);
            self.spare_state.set(block.state_cell());
        }
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
        if layout.size() == 0 || !self.make_room(blocks) || chunks.try_reserve(1).is_err() {
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

    /// Makes room for so many free blocks. False if the system has no memory.
    fn make_room(&self, blocks: usize) -> bool {
        // SAFETY: no other reference to it exists: this is the owner's thread, and here alone is one made.
        let free = unsafe { &mut *self.free.get() };
        let (bottom, top) = (self.bottom.get().addr(), self.top.get().addr());
        let len = (top - bottom) / size_of::<Block<H>>();
        // SAFETY: so many were pushed.
        unsafe { free.set_len(len) };
        if free.try_reserve_exact(blocks - len).is_err() {
            return false;
        }
        let bottom = free.as_mut_ptr();
        self.bottom.set(bottom);
        // SAFETY: within what was reserved, or at its end.
        self.top.set(unsafe { bottom.add(len) });
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
