//! The heap that each thread has.

use super::class::SizeClass;
use super::home::{self, Belongs, Home};
use super::options::{HeapOptions, HeapStatistics};
use super::outbox::Outbox;
use super::{empty, take_from};
use crate::pool::block::Block;
use crate::pool::error::{Fault, PoolError};
use allocator_api2::alloc::{AllocError, Allocator};
use std::alloc::Layout;
use std::cell::Cell;
use std::ptr::{self, NonNull};
use thiserror::Error;

thread_local! {
    /// This thread's heap; null before its first use and after the thread's end.
    static HOME: Cell<*const Home> = const { Cell::new(ptr::null()) };
    static OUTBOX: Outbox = const { Outbox::new() };
    /// Ends the two above with the thread. They have no destructor themselves: so reaching them asks
    /// no question first.
    static END: End = const { End };
}

/// Closes a thread's heap when the thread ends.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        OUTBOX.with(Outbox::close);
        if let Some(home) = NonNull::new(HOME.replace(ptr::null()).cast_mut()) {
            // SAFETY: this thread's own, and forgotten.
            unsafe { Home::close(home) };
        }
    }
}

/// An allocator whose blocks come from a heap of the thread that asks, and may be freed on any.
///
/// A block that is freed on its own thread is reused at once: no locked instruction, no fence. Freed on
/// another, it returns to its owner in a parcel of up to 62, which is sent when it is full, when the
/// thread frees another owner's block, on [`flush`](ThreadHeap::flush), and when the thread ends. When
/// the *owner* ends, its blocks remain valid; the last one to be given up frees the heap.
///
/// ```
/// use allocator_api2::boxed::Box;
/// use hashbrown::{DefaultHashBuilder, HashMap};
/// use strait_pools::pool::ThreadHeap;
///
/// let mut symbols = HashMap::with_hasher_in(DefaultHashBuilder::default(), ThreadHeap);
/// symbols.insert(7_u32, Box::new_in(*b"ACME    ", ThreadHeap));
///
/// // Built here, dropped there.
/// std::thread::spawn(move || assert_eq!(&*symbols[&7], b"ACME    ")).join().unwrap();
/// ```
///
/// rkyv writes an archive through it with a writer of a few lines:
///
/// ```
/// use allocator_api2::vec::Vec;
/// use rkyv::api::serialize_using;
/// use rkyv::rancor::Failure;
/// use rkyv::ser::allocator::SubAllocator;
/// use rkyv::ser::{Positional, Serializer, Writer};
/// use rkyv::{Archive, Serialize};
/// use strait_pools::pool::ThreadHeap;
///
/// #[derive(Archive, Serialize)]
/// struct Order {
///     symbol: String,
///     fills: std::vec::Vec<u32>,
/// }
///
/// struct Archived(Vec<u8, ThreadHeap>);
///
/// impl Positional for Archived {
///     fn pos(&self) -> usize {
///         self.0.len()
///     }
/// }
///
/// impl Writer<Failure> for Archived {
///     fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
///         self.0.try_reserve(bytes.len()).map_err(|_| Failure)?;
///         self.0.extend_from_slice(bytes);
///         Ok(())
///     }
/// }
///
/// # fn main() -> Result<(), Failure> {
/// // The serializer's notes, and the archive: both in the thread's heap, both aligned to 64.
/// let mut notes = Vec::<u8, _>::with_capacity_in(1_024, ThreadHeap);
/// let archived = Archived(Vec::with_capacity_in(1_024, ThreadHeap));
///
/// let order = Order { symbol: "a symbol of some length".into(), fills: vec![100, 250] };
/// let scratch = SubAllocator::new(notes.spare_capacity_mut());
/// let mut serializer = Serializer::new(archived, scratch, ());
/// serialize_using::<_, Failure>(&order, &mut serializer)?;
/// let bytes = serializer.into_writer().0;
///
/// // SAFETY: an archive just written, aligned as its first byte was.
/// let read = unsafe { rkyv::access_unchecked::<ArchivedOrder>(&bytes) };
/// assert_eq!(&*read.symbol, "a symbol of some length");
/// assert_eq!(read.fills[1], 250);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadHeap;

/// This thread's heap was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this thread's heap is in use already: configure it before the first allocation")]
pub struct InUse;

impl ThreadHeap {
    /// Gives this thread's heap a name, a limit, and what to do beyond. Without, it is called
    /// `thread`, has no limit, and falls back to the system.
    ///
    /// ```
    /// use allocator_api2::vec::Vec;
    /// use strait_pools::pool::{Fallback, HeapOptions, ThreadHeap};
    ///
    /// std::thread::spawn(|| {
    ///     let options = HeapOptions::new("feed").limit(1 << 20).fallback(Fallback::Refuse);
    ///     ThreadHeap::configure(options).unwrap();
    ///     let mut bytes = Vec::<u8, _>::new_in(ThreadHeap);
    ///     assert!(bytes.try_reserve(70_000).is_err(), "more than a large block");
    ///     assert_eq!(ThreadHeap::statistics().refusals, 1);
    /// })
    /// .join()
    /// .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`InUse`], if the thread has allocated before, or is ending.
    pub fn configure(options: HeapOptions) -> Result<(), InUse> {
        if !HOME.get().is_null() {
            return Err(InUse);
        }
        open(options).map(|_| ()).ok_or(InUse)
    }

    /// Allocates, and says what is wrong if it cannot; otherwise as
    /// [`allocate`](Allocator::allocate).
    ///
    /// # Errors
    ///
    /// As [`Heap::take`](super::Heap::take).
    #[inline]
    pub fn take(self, layout: Layout) -> Result<NonNull<[u8]>, PoolError> {
        // SAFETY: this thread's own heap, which it leaves at its end.
        match unsafe { HOME.get().as_ref() } {
            Some(home) => take_from(home, layout),
            None => first_take(layout),
        }
    }

    /// What this thread's heap did so far.
    #[must_use]
    pub fn statistics() -> HeapStatistics {
        // SAFETY: this thread's own heap, which it leaves at its end.
        unsafe { HOME.get().as_ref() }.map(Home::statistics).unwrap_or_default()
    }

    /// Sends off the blocks of other threads that this one has freed.
    ///
    /// Worth calling before a thread rests for long: up to 61 blocks wait with it otherwise.
    pub fn flush() {
        OUTBOX.with(Outbox::flush);
    }
}

// SAFETY: a block stays where it is until it is given back, whatever becomes of the thread that it came
// from, and is given to one user at a time; all values are the same allocator.
unsafe impl Allocator for ThreadHeap {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.take(layout).map_err(|_| AllocError)
    }

    #[inline]
    unsafe fn deallocate(&self, memory: NonNull<u8>, layout: Layout) {
        if layout.size() == 0 {
            return;
        }
        let Some(class) = SizeClass::of(layout) else {
            // SAFETY: what no class is for comes from the system.
            return unsafe { home::end_beyond(memory, layout) };
        };
        // SAFETY: the caller gives back a block, which has a header.
        let block = unsafe { Block::given_back(memory) };
        // SAFETY: this thread's own heap, which it leaves at its end.
        match unsafe { HOME.get().as_ref() } {
            Some(home) if ptr::eq(home, block.home()) => home.give(block, class),
            // SAFETY: the caller's promise.
            _ => unsafe { give_elsewhere(block, class) },
        }
    }
}

/// Sends a block to its owner.
///
/// # Safety
///
/// If it is a loan of the system's, it is of this class, and not given back yet.
#[inline(never)]
unsafe fn give_elsewhere(block: Block<Home>, class: SizeClass) {
    match home::belongs(block) {
        Ok(Belongs::Thread) => {
            if !OUTBOX.with(|outbox| outbox.put(block, class)) {
                // Its parcels are to be sent when the thread ends, if it does not already.
                let _ = END.try_with(|_| ());
            }
        }
        // SAFETY: the seal says so, and the caller that it is out.
        Ok(Belongs::Nowhere) => unsafe { home::end_loan(block, class) },
        Ok(Belongs::Heap) => Fault::ForeignFree.note(),
        Err(fault) => fault.note(),
    }
}

/// Opens this thread's heap, unless it is ending.
#[cold]
fn open(options: HeapOptions) -> Option<NonNull<Home>> {
    END.try_with(|_| ()).ok()?;
    let home = Home::open(options, true);
    HOME.set(home.as_ptr());
    Some(home)
}

/// The first allocation of a thread, or one after its heap was closed.
#[cold]
#[inline(never)]
fn first_take(layout: Layout) -> Result<NonNull<[u8]>, PoolError> {
    const DEFAULT: HeapOptions = HeapOptions::new("thread");
    if let Some(home) = open(DEFAULT) {
        // SAFETY: just opened, this thread's own.
        return take_from(unsafe { home.as_ref() }, layout);
    }
    // Some destructor of a thread that is ending: from the system.
    if layout.size() == 0 {
        return Ok(empty(layout));
    }
    let (memory, size) = match SizeClass::of(layout) {
        Some(class) => (home::lend(class), class.size()),
        // SAFETY: the size is not 0.
        None => (unsafe { home::beyond(layout) }, layout.size()),
    };
    let memory = memory.ok_or(PoolError::NoMemory { pool: "thread", size })?;
    Ok(NonNull::slice_from_raw_parts(memory, size))
}
