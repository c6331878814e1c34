//! A heap whose threads are told apart by hand, for models.
//!
//! [`ThreadHeap`](super::ThreadHeap) is what programs use; it finds its parts in thread-local memory.
//! Here they are values, so that a model decides when a thread ends and what it does before.

use super::class::SizeClass;
use super::home::Home;
use super::options::HeapOptions;
use super::outbox::Outbox;
use crate::pool::block::Block;
use crate::pool::error::PoolError;
use std::ptr::NonNull;

/// A thread's heap. Dropped, it is closed, as when the thread ends.
#[derive(Debug)]
pub struct Owner {
    home: NonNull<Home>,
}

impl Owner {
    /// A heap without memory.
    #[must_use]
    pub fn new(options: HeapOptions) -> Self {
        Self { home: Home::open(options, true) }
    }

    /// A block of the class.
    ///
    /// # Errors
    ///
    /// [`PoolError`], at its limit.
    pub fn take(&self, class: SizeClass) -> Result<NonNull<u8>, PoolError> {
        // SAFETY: closed on drop, and not before.
        unsafe { self.home.as_ref() }.take(class)
    }

    /// Takes back what others have sent, which `take` does when it has nothing else.
    pub fn collect(&self) {
        // SAFETY: closed on drop, and not before.
        unsafe { self.home.as_ref() }.collect();
    }

    /// Takes a block back on its own thread.
    ///
    /// # Safety
    ///
    /// It is of this heap, of this class, and the caller's.
    pub unsafe fn give(&self, payload: NonNull<u8>, class: SizeClass) {
        // SAFETY: a block of this heap has a header.
        let block = unsafe { Block::at(payload) };
        // SAFETY: closed on drop, and not before.
        unsafe { self.home.as_ref() }.give(block, class);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // SAFETY: the owner, who has no other way to it.
        unsafe { Home::close(self.home) };
    }
}

/// A thread that frees another one's blocks. Dropped, it sends what it has, as when the thread ends.
#[derive(Debug)]
pub struct Other {
    outbox: Outbox,
}

impl Default for Other {
    fn default() -> Self {
        Self { outbox: Outbox::new() }
    }
}

impl Other {
    /// Frees a block.
    ///
    /// # Safety
    ///
    /// It is of an [`Owner`], of this class, and the caller's.
    pub unsafe fn give(&self, payload: NonNull<u8>, class: SizeClass) {
        // SAFETY: a block of a heap has a header.
        self.outbox.put(unsafe { Block::at(payload) }, class);
    }

    /// Sends what it has.
    pub fn flush(&self) {
        self.outbox.flush();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.outbox.close();
    }
}

// SAFETY: an outbox is its thread's alone, and may change threads as a whole.
unsafe impl Send for Other {}
