//! Parcels: blocks on their way home, many at once.
//!
//! ```text
//!   next ──► the parcel put into the lane before it
//!   len
//!   slots   [ address | class ] [ address | class ] …     up to 62
//! ```
//!
//! A thread that frees another one's blocks writes their addresses into a parcel, and puts that into the
//! owner's lane when it is full. So one compare-and-swap serves many blocks; a block's own memory does
//! not travel to be freed; and the owner finds addresses side by side, which a processor fetches ahead,
//! where a list that winds through the blocks would make it wait for one after the other. A block that
//! is given back twice makes two entries, of which the owner refuses the second: no list is harmed.

use super::class::SizeClass;
use crate::pool::lane::Node;
use crate::sync::UnsafeCell;
use std::ptr::{self, NonNull};

/// Entries of a parcel.
#[cfg(not(loom))]
pub(super) const ROOM: usize = 62;
/// A model of more would never end.
#[cfg(loom)]
pub(super) const ROOM: usize = 2;

/// The bits of an entry that are the class: blocks are aligned to 64.
const CLASS: usize = 3;

/// Addresses of blocks, on their way to one owner.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Parcel {
    next: UnsafeCell<*mut Parcel>,
    content: UnsafeCell<Content>,
}

#[derive(Debug)]
struct Content {
    len: usize,
    slots: [*mut u8; ROOM],
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Parcel>() == 512);

impl Node for Parcel {
    fn set_next(&self, next: *mut Self) {
        // SAFETY: `push` is called by who has the parcel, and nobody else reads the link before.
        self.next.with_mut(|link| unsafe { *link = next });
    }

    fn next(&self) -> *mut Self {
        // SAFETY: called by who took the parcel, which happens after the link was written.
        self.next.with(|link| unsafe { *link })
    }
}

impl Parcel {
    /// An empty parcel, of the heap; [`free`](Parcel::free) frees it.
    pub(super) fn new() -> NonNull<Self> {
        let content = Content { len: 0, slots: [ptr::null_mut(); ROOM] };
        let parcel =
            Self { next: UnsafeCell::new(ptr::null_mut()), content: UnsafeCell::new(content) };
        NonNull::from(Box::leak(Box::new(parcel)))
    }

    /// Frees a parcel.
    ///
    /// # Safety
    ///
    /// It is of [`new`](Parcel::new), and the caller's.
    pub(super) unsafe fn free(parcel: NonNull<Self>) {
        // SAFETY: a leaked box, which the caller has to itself.
        drop(unsafe { Box::from_raw(parcel.as_ptr()) });
    }

    /// Writes an entry. For who has the parcel; `index < ROOM`.
    #[inline(always)]
    pub(super) fn write(&self, index: usize, payload: NonNull<u8>, class: SizeClass) {
        let entry = payload.as_ptr().map_addr(|address| address | class as usize);
        self.content.with_mut(|content| {
            // SAFETY: who has a parcel has it alone.
            let content = unsafe { &mut *content };
            if let Some(slot) = content.slots.get_mut(index) {
                *slot = entry;
            }
        });
    }

    /// Says how many entries there are. For who has the parcel.
    pub(super) fn close(&self, len: usize) {
        // SAFETY: who has a parcel has it alone.
        self.content.with_mut(|content| unsafe { (*content).len = len });
    }

    /// How many entries there are. For who has the parcel.
    pub(super) fn len(&self) -> usize {
        // SAFETY: who has a parcel has it alone.
        self.content.with(|content| unsafe { (*content).len })
    }

    /// Calls `each` with every entry. For who has the parcel.
    pub(super) fn entries(&self, mut each: impl FnMut(NonNull<u8>, SizeClass)) {
        self.content.with(|content| {
            // SAFETY: who has a parcel has it alone.
            let content = unsafe { &*content };
            for &entry in content.slots.iter().take(content.len) {
                let class = SizeClass::ALL.get(entry.addr() & CLASS);
                let payload = NonNull::new(entry.map_addr(|address| address & !CLASS));
                if let (Some(payload), Some(&class)) = (payload, class) {
                    each(payload, class);
                }
            }
        });
    }
}
