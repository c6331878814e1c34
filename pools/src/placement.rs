//! Where the words of a shared structure live.
//!
//! An algorithm written over a [`Placement`] runs unchanged on mapped memory ([`Mapped`], where a
//! segment's layout decides the addresses) and on the heap ([`Heap`], where loom's atomics can live:
//! they are larger than the real ones and cannot be cast out of raw bytes). So the models check the
//! source that ships.

use crate::region::{Region, Shared};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

/// A family of homes for shared words.
pub trait Placement: 'static {
    /// A single `T`, for example the words one side of a ring writes.
    type One<T: Shared + Send + Debug + 'static>: Deref<Target = T> + Clone + Send + Sync + Debug;
    /// An array of `T` at a fixed stride, for example the states of a ring's cells.
    type Many<T: Shared + Send + Debug + 'static>: Many<T> + Clone + Send + Sync + Debug;
}

/// An array of shared words.
pub trait Many<T> {
    /// Element `index & (len - 1)`; the length is a power of two, so any index is in range.
    fn at(&self, index: u64) -> &T;
    /// Asks the processor to fetch element `index`, or as much of it as two cache lines hold: a
    /// hint, without effect on what is read.
    #[inline(always)]
    fn prefetch(&self, _index: u64) {}
    /// As [`prefetch`](Many::prefetch), to write it.
    #[inline(always)]
    fn prefetch_to_write(&self, _index: u64) {}
    /// How many elements ahead a reader in sequence should fetch: those of sixteen cache lines, or
    /// two where elements are large.
    fn reach(&self) -> u64 {
        2
    }
    /// Number of elements, a power of two.
    fn len(&self) -> u64;
    /// Never true: there is no array of length 0.
    fn is_empty(&self) -> bool {
        false
    }
}

/// Mapped memory. The references are plain addresses: whoever keeps one keeps the mapping alive.
#[derive(Debug)]
pub struct Mapped;

/// The heap, shared by reference count. Used by models and by channels inside one process.
#[derive(Debug)]
pub struct Heap;

impl Placement for Mapped {
    type One<T: Shared + Send + Debug + 'static> = MappedOne<T>;
    type Many<T: Shared + Send + Debug + 'static> = MappedMany<T>;
}

impl Placement for Heap {
    type One<T: Shared + Send + Debug + 'static> = Arc<T>;
    type Many<T: Shared + Send + Debug + 'static> = Arc<[T]>;
}

/// One `T` in mapped memory.
#[derive(Debug)]
pub struct MappedOne<T>(NonNull<T>);

impl<T: Shared> MappedOne<T> {
    /// The `T` at `offset` of `region`, or `None` if it does not fit or is misaligned.
    ///
    /// # Safety
    ///
    /// The region's memory outlives the value and all its clones.
    pub unsafe fn new(region: &Region, offset: usize) -> Option<Self> {
        region.get(offset).map(Self)
    }
}

impl<T> Clone for MappedOne<T> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl<T: Shared> Deref for MappedOne<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: `new` checked bounds and alignment; its caller keeps the mapping alive; `Shared`
        // types accept every bit pattern and concurrent writes.
        unsafe { self.0.as_ref() }
    }
}

// SAFETY: it is a reference to a `Sync` value.
unsafe impl<T: Shared> Send for MappedOne<T> {}
// SAFETY: as above.
unsafe impl<T: Shared> Sync for MappedOne<T> {}

/// An array of `T` in mapped memory, one every `stride` bytes.
#[derive(Debug)]
pub struct MappedMany<T> {
    base: NonNull<u8>,
    stride: usize,
    mask: u64,
    of: PhantomData<fn() -> T>,
}

impl<T: Shared> MappedMany<T> {
    /// `len` elements from the start of `region`, one every `stride` bytes.
    ///
    /// `None` unless `len` is a power of two, `stride` holds a `T` and keeps it aligned, and the
    /// last element ends inside the region.
    ///
    /// # Safety
    ///
    /// The region's memory outlives the value and all its clones.
    pub unsafe fn new(region: &Region, stride: usize, len: u64) -> Option<Self> {
        if !len.is_power_of_two()
            || stride < size_of::<T>()
            || !stride.is_multiple_of(align_of::<T>())
        {
            return None;
        }
        let bytes = usize::try_from(len).ok()?.checked_mul(stride)?;
        let window = region.window(0, bytes)?;
        let aligned = window.base().cast::<T>().is_aligned();
        aligned.then_some(Self { base: window.base(), stride, mask: len - 1, of: PhantomData })
    }

    /// The address of element `index & (len - 1)`.
    #[inline(always)]
    pub fn address(&self, index: u64) -> NonNull<u8> {
        // The mask is below the array's length, which `new` found to fit a `usize`.
        #[allow(clippy::cast_possible_truncation)]
        let slot = (index & self.mask) as usize;
        // SAFETY: `slot < len`, and `new` checked that `len * stride` bytes are mapped.
        unsafe { self.base.add(slot * self.stride) }
    }
}

impl<T> Clone for MappedMany<T> {
    fn clone(&self) -> Self {
        Self { base: self.base, stride: self.stride, mask: self.mask, of: PhantomData }
    }
}

impl<T: Shared> Many<T> for MappedMany<T> {
    #[inline(always)]
    fn at(&self, index: u64) -> &T {
        // SAFETY: the address is in range and aligned by `new`; the mapping is kept alive by
        // `new`'s caller; `Shared` types accept every bit pattern and concurrent writes.
        unsafe { self.address(index).cast::<T>().as_ref() }
    }

    #[inline(always)]
    fn prefetch(&self, index: u64) {
        let line = self.address(index).as_ptr();
        fetch(line);
        if self.stride > LINE {
            fetch(line.wrapping_add(LINE));
        }
    }

    #[inline(always)]
    fn prefetch_to_write(&self, index: u64) {
        let line = self.address(index).as_ptr();
        fetch_to_write(line);
        if self.stride > LINE {
            fetch_to_write(line.wrapping_add(LINE));
        }
    }

    fn reach(&self) -> u64 {
        (16 * LINE / self.stride).max(2) as u64
    }

    fn len(&self) -> u64 {
        self.mask + 1
    }
}

/// Bytes of a cache line.
const LINE: usize = 64;

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn fetch(line: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a prefetch reads nothing and faults at no address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) };
}

/// `_mm_prefetch` has no hint for this that a generic build would honour. Processors that lack the
/// instruction take it for a no-operation.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn fetch_to_write(line: *const u8) {
    use std::arch::asm;
    // SAFETY: a prefetch writes nothing and faults at no address.
    unsafe { asm!("prefetchw [{}]", in(reg) line, options(nostack, preserves_flags)) };
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn fetch_to_write(line: *const u8) {
    use std::arch::asm;
    // SAFETY: a prefetch writes nothing and faults at no address.
    unsafe { asm!("prfm pstl1keep, [{}]", in(reg) line, options(nostack, preserves_flags)) };
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn fetch(line: *const u8) {
    use std::arch::asm;
    // SAFETY: a prefetch reads nothing and faults at no address.
    unsafe { asm!("prfm pldl1keep, [{}]", in(reg) line, options(nostack, preserves_flags)) };
}

// SAFETY: it is a reference to `Sync` values.
unsafe impl<T: Shared> Send for MappedMany<T> {}
// SAFETY: as above.
unsafe impl<T: Shared> Sync for MappedMany<T> {}

impl<T: Send + Sync> Many<T> for Arc<[T]> {
    fn at(&self, index: u64) -> &T {
        let mask = (**self).len() as u64 - 1;
        // The mask is below the slice's length, a `usize`.
        #[allow(clippy::cast_possible_truncation)]
        &self[(index & mask) as usize]
    }

    fn len(&self) -> u64 {
        (**self).len() as u64
    }
}
