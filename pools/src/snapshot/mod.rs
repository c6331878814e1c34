//! Values that are read without waiting while they are replaced.
//!
//! ```text
//!  process    ┌───────┐  ┌──────────┬──────────┬──────────┬──────┬──────┐
//!             │ epoch │  │ reader 0 │ reader 1 │ …        │ more ├──────▶ as many again
//!             └───────┘  └──────────┴──────────┴──────────┴──────┘
//!                          0: nobody's    all bits: its thread is not reading
//!                          else: the epoch in which that began to read
//!  snapshot   ┌─────────┐
//!             │ current ├──▶ value
//!             └─────────┘
//!  retired      fresh:   values that were replaced
//!               waiting: values that were replaced, each with the epoch that ended with it
//! ```
//!
//! A reader enters a place with the number of the epoch, reads what is current, as many snapshots as
//! it likes, and leaves. Who replaces a value keeps the old one. To drop what it kept, it ends the
//! epoch and looks at all places: whoever entered in a later epoch sees what is current now, so what
//! was kept goes once everybody else has left. Nobody waits for anybody; a reader that falls asleep
//! inside delays what was replaced meanwhile, and nothing else.
//!
//! A place belongs to a thread, from its first reading until it ends, and is no other's meanwhile: so
//! to enter it takes no swap. A reading inside of another one takes a place of its own, and gives it
//! back.
//!
//! # Orderings
//!
//! | store | pairs with | makes visible |
//! |---|---|---|
//! | `current`, Release (`snapshot.replace`) | `current`, Acquire (`snapshot.read`) | the value |
//! | `current`, before the fence `snapshot.collect` | `current`, behind the fence `snapshot.enter` | that it was replaced, to whoever is not seen in a place, or in a later epoch |
//! | place, before the fence `snapshot.enter` | place, behind the fence `snapshot.collect` | that somebody may read what was replaced |
//! | place, Release (`snapshot.leave`) | place, Acquire (`snapshot.left`) | that its reader no longer reads |
//! | place, Release (`snapshot.again`) | place, Acquire (`snapshot.left`) | the same, of the reading before this one |
//! | `more`, Release (`snapshot.grow`) | `more`, Acquire (`snapshot.follow`) | places behind the first ones |
//!
//! Who replaces a value drops it behind the fence `snapshot.collect`, which makes it visible to them as
//! well. The epoch itself is relaxed. It is stored behind the collector's fence and loaded before the
//! reader's: whoever sees the new epoch has the later fence, and sees every replacement before it. The
//! swaps that take a place and give it back are relaxed as well: they extend the release of whoever
//! left it before.
//!
//! # When a thread dies here
//!
//! A reading is left as a stack unwinds, and a place given back as its thread ends. A reading that is
//! forgotten keeps everything that is replaced from then on in memory, and does no other harm.
//! Processes share nothing here.

mod readers;
mod retired;

pub use readers::{Reading, enter};
pub use retired::{Retired, Unreachable};

use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicPtr, Site};
use std::fmt;
use std::marker::PhantomData;
use std::ptr::null_mut;
use std::sync::Arc;

/// A value, or none, that is read without waiting, and replaced as a whole.
///
/// ```
/// use std::sync::Arc;
/// use strait_pools::snapshot::{Retired, Snapshot, enter};
///
/// let route = Snapshot::new(Arc::new("north"));
/// let mut retired = Retired::new();
///
/// let reading = enter();
/// let seen = route.read(&reading);
/// route.replace(Some(Arc::new("south")), &mut retired);
/// drop(retired.collect()); // not what is being read
/// assert_eq!(seen, Some(&"north"));
/// assert_eq!(route.read(&reading), Some(&"south"));
///
/// drop(reading);
/// assert_eq!(retired.len(), 1);
/// drop(retired.collect());
/// assert_eq!(retired.len(), 0);
/// ```
pub struct Snapshot<T> {
    /// From an `Arc`, or null.
    current: AtomicPtr<T>,
    owns: PhantomData<Arc<T>>,
}

// SAFETY: a snapshot owns an `Arc`, and is sent and shared as one is.
unsafe impl<T: Send + Sync> Send for Snapshot<T> {}
// SAFETY: as above; sharing gives out `&T` and clones of the `Arc`.
unsafe impl<T: Send + Sync> Sync for Snapshot<T> {}

impl<T> Snapshot<T> {
    /// A snapshot of that value.
    pub fn new(value: Arc<T>) -> Self {
        Self { current: AtomicPtr::new(into_raw(Some(value))), owns: PhantomData }
    }

    /// A snapshot of nothing.
    pub fn empty() -> Self {
        Self { current: AtomicPtr::new(null_mut()), owns: PhantomData }
    }

    /// The value that is current now. It stays as long as it is read, even if it is replaced.
    #[inline]
    pub fn read<'a>(&'a self, _reading: &'a Reading) -> Option<&'a T> {
        let current = self.current.load(Acquire.at("snapshot.read"));
        // SAFETY: null, or a value that was current after this reading began. Nobody drops that before
        // the reading ends: `replace` leaves it to a `Retired`, and dropping the snapshot takes all
        // borrows of it to be over.
        unsafe { current.as_ref() }
    }

    /// As [`read`](Self::read), to keep.
    pub fn share(&self, reading: &Reading) -> Option<Arc<T>> {
        let current = std::ptr::from_ref(self.read(reading)?);
        // SAFETY: it came from an `Arc`, of which at least one is there, as for `read`.
        unsafe { Arc::increment_strong_count(current) };
        // SAFETY: the count just added is this one's.
        Some(unsafe { Arc::from_raw(current) })
    }

    /// Makes another value current. The old one is kept in `retired` until nobody can read it.
    pub fn replace(&self, value: Option<Arc<T>>, retired: &mut Retired)
    where
        T: Send + Sync + 'static,
    {
        let old = self.current.swap(into_raw(value), Release.at("snapshot.replace"));
        if !old.is_null() {
            // SAFETY: it came from an `Arc`, and the swap gave that to this thread alone.
            retired.keep(unsafe { Arc::from_raw(old) });
        }
    }
}

fn into_raw<T>(value: Option<Arc<T>>) -> *mut T {
    value.map_or(null_mut(), |value| Arc::into_raw(value).cast_mut())
}

impl<T> Default for Snapshot<T> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<T> Drop for Snapshot<T> {
    fn drop(&mut self) {
        let current = self.current.load(Relaxed);
        if !current.is_null() {
            // SAFETY: it came from an `Arc`; no borrow of this snapshot is left, so nobody reads it.
            drop(unsafe { Arc::from_raw(current) });
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Snapshot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read(&enter()).fmt(f)
    }
}
