//! What a thread has to send to the owners of the blocks that it frees.
//!
//! ```text
//!   parcel ──► [p][p][p]…      being filled, for `home`
//!   spares ──► empty parcels
//! ```
//!
//! One parcel is open at a time: a thread that frees blocks of two owners in turn sends many small
//! parcels, which is slower, and right.

use super::class::SizeClass;
use super::home::Home;
use super::parcel::{Parcel, ROOM};
use crate::pool::block::Block;
use crate::pool::lane::{Node, for_each};
use std::cell::Cell;
use std::ptr::{self, NonNull};

/// Blocks of other owners that this thread has freed. See the module.
#[derive(Debug)]
pub(super) struct Outbox {
    /// To whom the open parcel goes; null if none is open.
    home: Cell<*const Home>,
    parcel: Cell<*mut Parcel>,
    len: Cell<usize>,
    spares: Cell<*mut Parcel>,
    /// Entries after which a parcel is sent.
    patience: Cell<usize>,
}

impl Outbox {
    pub(super) const fn new() -> Self {
        Self {
            home: Cell::new(ptr::null()),
            parcel: Cell::new(ptr::null_mut()),
            len: Cell::new(0),
            spares: Cell::new(ptr::null_mut()),
            patience: Cell::new(ROOM),
        }
    }

    /// Puts in a block, which is its home's to take back. False if nothing was in the outbox before.
    #[inline(always)]
    pub(super) fn put(&self, block: Block<Home>, class: SizeClass) -> bool {
        let in_use = ptr::eq(self.home.get(), block.home()) || self.open(block);
        let index = self.len.get();
        // SAFETY: a parcel is open, and this thread's.
        unsafe { &*self.parcel.get() }.write(index, block.payload(), class);
        self.len.set(index + 1);
        if index + 1 == self.patience.get() {
            self.flush();
        }
        in_use
    }

    /// Opens a parcel to the block's home. False if this is the thread's first.
    #[cold]
    #[inline(never)]
    fn open(&self, block: Block<Home>) -> bool {
        let first = self.parcel.get().is_null() && self.spares.get().is_null();
        self.flush();
        let home = block.home();
        self.home.set(home);
        let parcel = self.spare(home).unwrap_or_else(Parcel::new);
        self.parcel.set(parcel.as_ptr());
        !first
    }

    /// An empty parcel of this thread's, or of those that the owner has emptied.
    fn spare(&self, home: *const Home) -> Option<NonNull<Parcel>> {
        if self.spares.get().is_null() {
            self.spares.set(Home::empties(NonNull::new(home.cast_mut())?));
        }
        let parcel = NonNull::new(self.spares.get())?;
        // SAFETY: spare parcels are this thread's.
        self.spares.set(unsafe { parcel.as_ref() }.next());
        Some(parcel)
    }

    /// Sends the open parcel, if there is one.
    pub(super) fn flush(&self) {
        let home = NonNull::new(self.home.replace(ptr::null()).cast_mut());
        let parcel = NonNull::new(self.parcel.replace(ptr::null_mut()));
        let len = self.len.replace(0);
        let (Some(home), Some(parcel)) = (home, parcel) else { return };
        // SAFETY: the open parcel is this thread's.
        unsafe { parcel.as_ref() }.close(len);
        let Some(parcel) = Home::send(home, parcel) else { return };
        if self.is_closed() {
            // SAFETY: a parcel that was not taken is this thread's.
            unsafe { Parcel::free(parcel) };
        } else {
            // SAFETY: as above.
            unsafe { parcel.as_ref() }.set_next(self.spares.get());
            self.spares.set(parcel.as_ptr());
        }
    }

    /// Sends the open parcel and frees the others. From now on each block is sent at once.
    pub(super) fn close(&self) {
        self.patience.set(1);
        self.flush();
        for_each(self.spares.replace(ptr::null_mut()), |parcel| {
            // SAFETY: spare parcels are this thread's.
            unsafe { Parcel::free(parcel) };
        });
    }

    /// Whether [`close`](Outbox::close) was called.
    fn is_closed(&self) -> bool {
        self.patience.get() == 1
    }
}
