//! Pools of objects that stay made.
//!
//! ```text
//!  FixedPool ──► Home ◄──────────────────── each block's header
//!  owner's:      │ slab: spare, free, chunks of ≤ 1,024 objects │
//!                │ make, reset, limit                           │
//!  everyone's:   │ owner: number of its thread, or that it left│
//!                │ returns: lane of blocks                      │
//!                │ closing: what is out after the owner left    │
//! ```
//!
//! A handle that is dropped on its pool's thread goes back to the slab: a few plain loads and stores. On
//! another thread it goes into the return lane at once, one compare-and-swap, so that a pool knows of
//! everything that came back; its owner collects the lane when it has nothing else left to give.
//!
//! # Orderings
//!
//! Those of [`lane`](super::lane) and [`closing`](super::closing). `owner` and `direct` are relaxed: a thread asks
//! only whether it reads *its own* number there, which it could only have stored itself.
//!
//! # When a thread dies here
//!
//! *The owner* drops its pool: objects that are in are dropped; those that are out stay valid, and
//! are dropped with their handles; the last one frees the memory. An owner that forgets its pool
//! leaks it. *Another thread* drops the handles it has, wherever it stops.

mod handle;
mod options;
mod ticket;

pub use handle::Pooled;
pub use options::FixedPoolOptions;
pub use ticket::{Ticket, TicketError};

use super::block::{Block, Header, State};
use super::closing::Closing;
use super::error::PoolError;
use super::lane::{Lane, for_each};
use super::slab::Slab;
use crate::sync::Ordering::Relaxed;
use crate::sync::{AtomicU64, thread_number};
use std::cell::RefCell;
use std::fmt;
use std::ptr::NonNull;

/// Objects of a chunk.
pub const CHUNK: usize = 1_024;

/// No thread's number, and not that of a thread without one.
const NOBODY: u64 = u64::MAX;

/// What a pool and its handles share.
struct Home<T> {
    slab: Slab<Home<T>>,
    name: &'static str,
    /// Most objects.
    limit: usize,
    /// Tells this pool's tickets from others'.
    number: u64,
    /// Dropped with the pool, on its thread.
    make: RefCell<Option<Box<dyn FnMut() -> T>>>,
    reset: Option<fn(&mut T)>,
    /// The number of the owner's thread, [`NOBODY`] at its end.
    owner: AtomicU64,
    /// The same, if nothing has to be done with an object before it goes back to the slab; else
    /// [`NOBODY`].
    direct: AtomicU64,
    shared: Shared<T>,
}

/// What other threads write, on a line of its own.
#[repr(align(128))]
struct Shared<T> {
    returns: Lane<Header<Home<T>>>,
    closing: Closing,
}

/// Objects of one type that are made once, and used again and again.
///
/// [`take`](FixedPool::take) gives a [`Pooled`] handle that derefs to the object. The handle's drop
/// calls the pool's `reset` on it and returns it, on whatever thread. Objects are dropped with the
/// pool, not before.
///
/// A pool is its thread's; handles may go to others, and may outlive it.
///
/// ```
/// use strait_pools::pool::FixedPool;
///
/// # fn main() -> Result<(), strait_pools::pool::PoolError> {
/// // At most 64 buffers, each of 1 KiB once and for all.
/// let buffers = FixedPool::options("buffers")
///     .bounded(64)
///     .reset(Vec::clear)
///     .make(|| Vec::<u8>::with_capacity(1_024))?;
///
/// let mut buffer = buffers.take()?;
/// buffer.extend_from_slice(b"to another thread");
/// std::thread::spawn(move || assert_eq!(buffer.len(), 17)).join().unwrap();
///
/// assert!(buffers.take()?.is_empty(), "reset when it came back");
/// # Ok(())
/// # }
/// ```
pub struct FixedPool<T: 'static> {
    /// Freed by whoever is last: see `closing`. A pointer, so that the pool stays on its thread.
    home: NonNull<Home<T>>,
}

impl<T: 'static> FixedPool<T> {
    /// What a pool with this name is to be; [`make`](FixedPoolOptions::make) makes it.
    pub fn options(name: &'static str) -> FixedPoolOptions<T> {
        FixedPoolOptions::new(name)
    }

    fn new(options: &FixedPoolOptions<T>, make: Box<dyn FnMut() -> T>) -> Result<Self, PoolError> {
        let slab = Slab::new(std::alloc::Layout::new::<T>(), options.limit.min(CHUNK));
        let owner = thread_number();
        let direct = if options.reset.is_none() { owner } else { NOBODY };
        let home = Box::new(Home {
            slab,
            name: options.name,
            limit: options.limit,
            number: ticket::pool_number(),
            make: RefCell::new(Some(make)),
            reset: options.reset,
            owner: AtomicU64::new(owner),
            direct: AtomicU64::new(direct),
            shared: Shared { returns: Lane::default(), closing: Closing::default() },
        });
        let pool = Self { home: NonNull::from(Box::leak(home)) };
        pool.grow()?;
        Ok(pool)
    }

    #[inline(always)]
    fn home(&self) -> &Home<T> {
        // SAFETY: freed by the last to leave, which is not before this pool has.
        unsafe { self.home.as_ref() }
    }

    /// Takes an object.
    ///
    /// # Errors
    ///
    /// [`PoolError::Exhausted`] if all are in use and there may be no more, and
    /// [`PoolError::NoMemory`] if the system has none.
    ///
    /// # Panics
    ///
    /// If a growing pool makes objects and that panics (those made before are there), or takes one of
    /// this pool meanwhile.
    #[inline(always)]
    pub fn take(&self) -> Result<Pooled<T>, PoolError> {
        match self.home().slab.take() {
            Some(block) => Ok(Pooled::new(block)),
            None => self.find(),
        }
    }

    /// Looks for an object elsewhere.
    #[cold]
    #[inline(never)]
    fn find(&self) -> Result<Pooled<T>, PoolError> {
        self.collect();
        if let Some(block) = self.home().slab.take() {
            return Ok(Pooled::new(block));
        }
        self.grow()?;
        self.home().slab.take().map(Pooled::new).ok_or_else(|| self.home().exhausted())
    }

    /// Puts what came back through the lane among the free objects.
    fn collect(&self) {
        let slab = &self.home().slab;
        for_each(self.home().shared.returns.take(), |header| {
            // SAFETY: a block that came back, of this pool, whose chunks exist.
            let block = unsafe { Block::of_header(header) };
            if block.note() & handle::SPOILED == 0 {
                slab.put(block);
            } else {
                block.set_state(State::Retired);
            }
        });
    }

    /// Makes the objects of one more chunk, or of what is left of the last one.
    #[cold]
    fn grow(&self) -> Result<(), PoolError> {
        let home = self.home();
        if home.slab.len() == home.limit {
            return Err(home.exhausted());
        }
        let mut make = home.make.borrow_mut();
        let Some(make) = &mut *make else { return Err(home.exhausted()) };
        let mut missing = home.slab.make(home);
        if missing.is_none() {
            if !home.slab.grow() {
                return Err(PoolError::NoMemory { pool: home.name, size: home.slab.growth() });
            }
            missing = home.slab.make(home);
        }
        while let Some(block) = missing {
            // Should this panic, the block has no object, and is never looked at again.
            block.set_state(State::Retired);
            block.set_note(handle::EMPTY);
            let object = make();
            // SAFETY: the payload is as large as a `T`, aligned for it, and not in use.
            unsafe { block.payload().cast::<T>().write(object) };
            block.set_note(0);
            home.slab.put(block);
            missing = if home.slab.len() < home.limit { home.slab.make(home) } else { None };
        }
        Ok(())
    }

    /// How many objects there are, in use or not.
    ///
    /// Those whose `reset` panicked are among them; they are never given out again.
    #[must_use]
    pub fn len(&self) -> usize {
        self.home().slab.len()
    }

    /// Whether there is no object at all: never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many objects are not in use, as far as other threads have given them back.
    #[must_use]
    pub fn available(&self) -> usize {
        self.collect();
        self.home().slab.count(State::Free)
    }
}

impl<T> Home<T> {
    fn exhausted(&self) -> PoolError {
        let (size, limit) = (size_of::<T>(), self.limit);
        PoolError::Exhausted { pool: self.name, size, limit, unit: "objects" }
    }
}

impl<T: 'static> Drop for FixedPool<T> {
    fn drop(&mut self) {
        let home = self.home();
        // From here on handles of this thread return through the lane too, and find it closed.
        home.owner.store(NOBODY, Relaxed);
        home.direct.store(NOBODY, Relaxed);
        let mut out: u64 = home.slab.count(State::Live) as u64;
        let mut inside = Vec::new();
        for_each(home.shared.returns.close(), |header| {
            out -= 1;
            // SAFETY: a block that came back, of this pool, whose chunks exist.
            inside.push(unsafe { Block::of_header(header) });
        });
        let kept = home.slab.blocks().filter(|block| block.state() != State::Live);
        inside.extend(kept.filter(|block| block.note() & handle::EMPTY == 0));
        let end = End { home: self.home, out };
        drop(home.make.take());
        for block in inside {
            // SAFETY: an object that nobody uses, dropped once: its block is in one list only.
            unsafe { block.payload().cast::<T>().drop_in_place() };
        }
        drop(end);
    }
}

/// Says how many objects are out, even where the drop of one that is in panics.
struct End<T> {
    home: NonNull<Home<T>>,
    out: u64,
}

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        // SAFETY: the home is freed by the last to leave, and the pool has not left.
        if unsafe { self.home.as_ref() }.shared.closing.owe(self.out) {
            // SAFETY: everybody has left.
            unsafe { free(self.home) };
        }
    }
}

/// Frees a pool's memory, its objects being dropped already.
///
/// # Safety
///
/// Nobody uses the pool any more.
unsafe fn free<T>(home: NonNull<Home<T>>) {
    // SAFETY: of a box, leaked in `new`, and freed by the last user only.
    drop(unsafe { Box::from_raw(home.as_ptr()) });
}

impl<T: 'static> fmt::Debug for FixedPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pool = f.debug_struct("FixedPool");
        pool.field("name", &self.home().name).field("len", &self.len()).finish_non_exhaustive()
    }
}
