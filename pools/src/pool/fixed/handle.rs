//! The handle of an object: its life outside the pool, and its way back.

use super::{Home, free};
use crate::pool::block::{Block, State};
use crate::sync::Ordering::Relaxed;
use crate::sync::is_this_thread;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// A bit of a block's note: its `reset` panicked.
pub(super) const SPOILED: u64 = 1 << 32;
/// A bit of a block's note: there is no object in it.
pub(super) const EMPTY: u64 = 1 << 33;

/// An object of a [`FixedPool`](super::FixedPool), for as long as the handle lives.
pub struct Pooled<T: 'static> {
    block: Block<Home<T>>,
    /// It has a `T`, and drops it if the pool is gone.
    of: PhantomData<T>,
}

// SAFETY: a handle is the only way to its object; what it does to the pool on another thread goes
// through the return lane. The last handle may free a pool's memory, but no objects other than its own.
unsafe impl<T: Send> Send for Pooled<T> {}
// SAFETY: a shared handle gives a shared reference to its object and nothing else.
unsafe impl<T: Sync> Sync for Pooled<T> {}

impl<T: 'static> Pooled<T> {
    #[inline(always)]
    pub(super) fn new(block: Block<Home<T>>) -> Self {
        Self { block, of: PhantomData }
    }

    pub(super) fn block(&self) -> Block<Home<T>> {
        self.block
    }

    #[inline(always)]
    fn home(&self) -> &Home<T> {
        // SAFETY: a home is freed by the last to leave, and this handle has not.
        unsafe { &*self.block.home() }
    }

    /// Apart from `drop`, so that the most common way is short.
    #[inline(never)]
    fn go_home_otherwise(&mut self) {
        // Should the reset panic, the block goes home spoiled.
        let mut way_home = Return { block: self.block, spoiled: true };
        if let Some(reset) = self.home().reset {
            reset(self);
        }
        way_home.spoiled = false;
    }
}

impl<T: 'static> Deref for Pooled<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: a block that is out has an object, and the handle is the only way to it.
        unsafe { self.block.payload().cast::<T>().as_ref() }
    }
}

impl<T: 'static> DerefMut for Pooled<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and the handle is exclusively borrowed.
        unsafe { self.block.payload().cast::<T>().as_mut() }
    }
}

impl<T: 'static> Drop for Pooled<T> {
    #[inline(always)]
    fn drop(&mut self) {
        let home = self.home();
        if !is_this_thread(home.direct.load(Relaxed)) {
            self.go_home_otherwise();
        } else if let Err(fault) = home.slab.give(self.block) {
            fault.note();
        }
    }
}

/// Takes a block home, whatever happens.
struct Return<T: 'static> {
    block: Block<Home<T>>,
    spoiled: bool,
}

impl<T: 'static> Drop for Return<T> {
    fn drop(&mut self) {
        go_home(self.block, self.spoiled);
    }
}

/// Gives a block back that no handle is for any more.
fn go_home<T: 'static>(block: Block<Home<T>>, spoiled: bool) {
    if spoiled {
        block.set_note(block.note() | SPOILED);
    }
    // SAFETY: a home is freed by the last to leave, and this block has not come home yet.
    let home = unsafe { &*block.home() };
    if !is_this_thread(home.owner.load(Relaxed)) {
        return_by_lane(block);
    } else if spoiled {
        block.set_state(State::Retired);
    } else if let Err(fault) = home.slab.give(block) {
        fault.note();
    }
}

#[cold]
#[inline(never)]
fn return_by_lane<T: 'static>(block: Block<Home<T>>) {
    // SAFETY: a home is freed by the last to leave, and this block has not come home yet.
    let home = unsafe { &*block.home() };
    let header = block.header();
    // SAFETY: the block is the caller's, and its chunk lives as long as its home.
    if unsafe { home.shared.returns.push(header, header) }.is_ok() {
        return;
    }
    // The pool is gone. Its object goes with the last handle, and a panic there must not keep the
    // memory.
    let _leave = Leave { home: NonNull::from(home) };
    // SAFETY: the object is the caller's, who has no handle to it any more.
    unsafe { block.payload().cast::<T>().drop_in_place() };
}

/// Gives up one block of a pool that is gone.
struct Leave<T> {
    home: NonNull<Home<T>>,
}

impl<T> Drop for Leave<T> {
    fn drop(&mut self) {
        // SAFETY: freed by the last to leave, and this block has not been given up yet.
        if unsafe { self.home.as_ref() }.shared.closing.settle(1) {
            // SAFETY: everybody has left.
            unsafe { free(self.home) };
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Pooled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
