//! A bounds-checked window onto mapped bytes.
//!
//! A [`Region`] knows an address and a length and hands out references only to types that any
//! process may write at any time ([`Shared`]). It never forms `&[u8]` or `&mut`.

use crate::sync::{AtomicU32, AtomicU64, Futex};
use std::ptr::NonNull;

/// Types that may live in memory which other processes write while this one reads.
///
/// # Safety
///
/// Every bit pattern is valid, every field is an atomic (or an array or `repr(C)` struct of them),
/// there is nothing to drop, and the layout is `repr(C)`.
pub unsafe trait Shared: Sync {}

// SAFETY: an atomic integer accepts every bit pattern and is made to be shared.
unsafe impl Shared for AtomicU32 {}
// SAFETY: as above.
unsafe impl Shared for AtomicU64 {}
// SAFETY: an atomic integer.
unsafe impl Shared for Futex {}
// SAFETY: an array of shared values is shared, and arrays are laid out without gaps.
unsafe impl<T: Shared, const N: usize> Shared for [T; N] {}

/// A window of `len` bytes at a fixed address of this process.
///
/// Whoever makes a region vouches for the memory (see [`Region::new`]); from then on bounds and
/// alignment are checked, and out-of-range requests give `None`.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a region is an address and a length; what it hands out is `Sync` by `Shared`.
unsafe impl Send for Region {}
// SAFETY: as above; a region has no state of its own.
unsafe impl Sync for Region {}

impl Region {
    /// A window of `len` bytes at `base`.
    ///
    /// # Safety
    ///
    /// The bytes are mapped readable and writable, initialised, and stay so for as long as the
    /// region or anything obtained from it is used; nobody holds a Rust reference to them other
    /// than to [`Shared`] types.
    pub unsafe fn new(base: NonNull<u8>, len: usize) -> Self {
        Self { base, len }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the window is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The window `[offset, offset + len)` of this one, or `None` if it does not fit.
    pub fn window(&self, offset: usize, len: usize) -> Option<Region> {
        let end = offset.checked_add(len)?;
        if end > self.len {
            return None;
        }
        // SAFETY: `offset <= end <= self.len`, so the address stays inside the mapped window.
        let base = unsafe { self.base.add(offset) };
        Some(Region { base, len })
    }

    /// A pointer to the `T` at `offset`, or `None` if it does not fit or is misaligned.
    pub fn get<T: Shared>(&self, offset: usize) -> Option<NonNull<T>> {
        let window = self.window(offset, size_of::<T>())?;
        let pointer = window.base.cast::<T>();
        pointer.is_aligned().then_some(pointer)
    }

    /// The address of the first byte.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }
}
