//! What a chunk of blocks looks like in memory.
//!
//! ```text
//! chunk                                                         states, apart
//! ┌─────┬────────┬──────────┬─────┬────────┬──────────┬───      ┌───┬───┬───
//! │ gap │ header │ payload  │ gap │ header │ payload  │ …       │ F │ L │ …   one byte per block
//! └─────┴────────┴──────────┴─────┴────────┴──────────┴───      └───┴───┴───
//!                ▲ aligned as asked for
//! ```
//!
//! A block's header stands right before its payload and says whose block it is. It is written when the
//! block is made and (but for `next`, in pools of objects) never again, so that threads which free
//! blocks of another one read it without taking its line away. Whether a block is out is written at
//! each step, and by the owner alone; so these states lie elsewhere, 64 to a line.

use super::lane::Node;
use crate::sync::UnsafeCell;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

/// Whether a block is out. Read and written by its owner's thread only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum State {
    /// With its pool.
    Free,
    /// With a user.
    Live,
    /// With nobody: a ticket stands for it.
    Detached,
    /// Never to be used again.
    Retired,
}

/// What stands before a payload.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Header<H> {
    /// Whose block it is.
    home: *const H,
    /// Its state, in its chunk's array.
    state: *const Cell<State>,
    /// Its link in a return lane; used by pools of objects.
    next: UnsafeCell<*mut Header<H>>,
    /// For the pool's use: a seal, or a generation.
    note: Cell<u64>,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Header<u8>>() == 32);

impl<H> Node for Header<H> {
    fn set_next(&self, next: *mut Self) {
        // SAFETY: `push` is called by who has the block, and nobody else reads the link before.
        self.next.with_mut(|link| unsafe { *link = next });
    }

    fn next(&self) -> *mut Self {
        // SAFETY: called by who took the list, which happens after the link was written.
        self.next.with(|link| unsafe { *link })
    }
}

/// The place of a payload, and of the header before it.
///
/// Whoever has one knows that its chunk exists.
pub(super) struct Block<H> {
    payload: NonNull<u8>,
    of: PhantomData<*const H>,
}

impl<H> Clone for Block<H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H> Copy for Block<H> {}

impl<H> PartialEq for Block<H> {
    fn eq(&self, other: &Self) -> bool {
        self.payload == other.payload
    }
}

impl<H> fmt::Debug for Block<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.payload.fmt(f)
    }
}

impl<H> Block<H> {
    /// No block: a value for fields that hold none.
    pub(super) const fn none() -> Self {
        Self { payload: NonNull::dangling(), of: PhantomData }
    }

    /// The block whose payload is at `payload`.
    ///
    /// # Safety
    ///
    /// The pointer reaches the header before it too, and a header is there as long as this is used.
    #[inline(always)]
    pub(super) unsafe fn at(payload: NonNull<u8>) -> Self {
        Self { payload, of: PhantomData }
    }

    /// The block of which a user gives the payload back.
    ///
    /// The user's pointer may have come through a reference to the payload alone; so its address is
    /// joined again with the permission that its chunk exposed.
    ///
    /// # Safety
    ///
    /// The 32 bytes before it can be read. They tell whether it is a block at all.
    #[inline(always)]
    pub(super) unsafe fn given_back(payload: NonNull<u8>) -> Self {
        let pointer = ptr::with_exposed_provenance_mut(payload.addr().get());
        // SAFETY: its address is that of `payload`, which is not null.
        let payload = unsafe { NonNull::new_unchecked(pointer) };
        Self { payload, of: PhantomData }
    }

    /// The block that this header belongs to.
    ///
    /// # Safety
    ///
    /// The pointer was given out by [`header`](Block::header) of a block that still exists.
    pub(super) unsafe fn of_header(header: NonNull<Header<H>>) -> Self {
        // SAFETY: a header lies right before its payload, in the same chunk.
        let payload = unsafe { header.add(1) }.cast();
        Self { payload, of: PhantomData }
    }

    /// Its payload.
    #[inline(always)]
    pub(super) fn payload(self) -> NonNull<u8> {
        self.payload
    }

    /// Where its header is.
    #[inline(always)]
    pub(super) fn header(self) -> NonNull<Header<H>> {
        // SAFETY: a payload has its header before it, in the same chunk.
        unsafe { self.payload.cast::<Header<H>>().sub(1) }
    }

    /// Whose block it is.
    #[inline(always)]
    pub(super) fn home(self) -> *const H {
        // SAFETY: a block has a header, written when it was made.
        unsafe { (*self.header().as_ptr()).home }
    }

    /// What its pool noted.
    #[inline(always)]
    pub(super) fn note(self) -> u64 {
        // SAFETY: a block has a header, written when it was made.
        unsafe { (*self.header().as_ptr()).note.get() }
    }

    /// Notes something. For whoever has the block to itself.
    pub(super) fn set_note(self, note: u64) {
        // SAFETY: a block has a header, written when it was made.
        unsafe { (*self.header().as_ptr()).note.set(note) };
    }

    /// Where its state is. For its owner only.
    #[inline(always)]
    pub(super) fn state_cell(self) -> *const Cell<State> {
        // SAFETY: a block has a header, written when it was made.
        unsafe { (*self.header().as_ptr()).state }
    }

    /// Its state. For its owner only.
    #[inline(always)]
    pub(super) fn state(self) -> State {
        // SAFETY: its chunk's array of states exists as long as its chunk, and is its owner's.
        unsafe { (*self.state_cell()).get() }
    }

    /// Changes its state. For its owner only.
    #[inline(always)]
    pub(super) fn set_state(self, to: State) {
        // SAFETY: its chunk's array of states exists as long as its chunk, and is its owner's.
        unsafe { (*self.state_cell()).set(to) };
    }

    /// Makes the block: writes its header.
    ///
    /// # Safety
    ///
    /// The memory before the payload is the caller's, and `state` stays where it is as long as the
    /// block exists.
    pub(super) unsafe fn make(self, home: *const H, state: *const Cell<State>) {
        let next = UnsafeCell::new(ptr::null_mut());
        // SAFETY: the caller's memory, aligned by the payload's alignment.
        unsafe { self.header().write(Header { home, state, next, note: Cell::new(0) }) };
    }
}

/// Bytes between the start of a block and its payload: room for the header, in whole units of the
/// payload's alignment.
pub(super) const fn lead(align: usize) -> usize {
    size_of::<Header<u8>>().next_multiple_of(align)
}

/// The alignment of a payload that asks for `align`: at least the header's.
pub(super) const fn payload_align(align: usize) -> usize {
    if align > 16 { align } else { 16 }
}
