//! A pool of service objects: connections, parsers, sessions, whatever is dear to make and can be
//! used again.
//!
//! ```text
//!          ┌─────────────────────────────┬───────────────────┐
//!  pool    │ top {taken: 48, number: 16} │ name, make, reset │
//!          ├──────────┬──────────┬───────┴──┬────────────────┤
//!          │ below 0  │ below 1  │ below 2  │ …              │
//!          ├──────────┼──────────┼──────────┼────────────────┤
//!          │ object 0 │ object 1 │ not made │ …              │
//!          └──────────┴─────▲────┴──────────┴────────────────┘
//!  loan    number 1 ────────┘   dropped: reset, and 1 on top
//! ```
//!
//! The numbers of free objects form a stack (Treiber's): `top` is the one returned last, which is the
//! one most likely still in a cache, and `below` says what lies under each. An object is made when its
//! number is first taken; numbers never taken stay at the bottom, so as many objects are made as were
//! ever out at once, and none before the first is asked for.
//!
//! A taker that fell asleep between reading `top` and swapping it may find the same number on top
//! again, with another one below. So `top` counts the numbers taken: 48 bits, since a number fits 16.
//! To be fooled, a thread would have to sleep while its pool gives out 2⁴⁸ objects, a month at one
//! every 10 ns, and wake at the very one.
//!
//! # Orderings
//!
//! | store | pairs with | makes visible |
//! |---|---|---|
//! | `top`, Release (`objects.give`) | `top`, Acquire (`objects.take`) | what the last user and the reset left in the object, and what lies under its number |
//!
//! Every change of `top` is a compare-and-swap, so each extends the release of all that came before:
//! one acquiring load sees every return. The swap that takes a number publishes nothing, and what it
//! needs to see it saw with the load whose value it confirms: relaxed. `below` is written only by
//! whoever has the number; a taker that reads a stale one finds `top` changed.
//!
//! # When a thread dies here
//!
//! A thread that *panics* with an object in hand returns it as its stack unwinds; the reset must do
//! with what it finds. If making an object panics, its number goes back and the next taker tries
//! again; if resetting panics, the object is dropped and its number goes back. A thread that is
//! *stopped* for good, at any instruction, keeps the one number it holds or is about to give back;
//! nobody waits for it, and the others go on with the rest. A loan that is leaked
//! ([`mem::forget`](std::mem::forget)) keeps its number, too.

mod stack;

use crate::sync::{spin_loop, yield_now};
use stack::FreeNumbers;
use std::cell::UnsafeCell;
use std::fmt;
use std::mem::forget;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;
use thiserror::Error;

/// Looks at an empty pool before [`ObjectPool::get`] gives the processor to others between looks.
const LOOKS: u32 = 100;

/// At most `limit` objects, made when first needed, lent out one by one and reset when they return.
///
/// Taking and returning are lock-free, one compare-and-swap each when nobody interferes, and leave the
/// heap alone. A loan borrows the pool ([`Pooled`]), or holds it in an `Arc` ([`OwnedPooled`]): then
/// the pool and its objects live until the last loan is over.
///
/// ```
/// use strait_pools::objects::ObjectPool;
///
/// let buffers = ObjectPool::new("buffers", 100, || Vec::with_capacity(4096), Vec::clear);
/// let mut buffer = buffers.try_get()?;
/// buffer.extend_from_slice(b"35=D");
/// drop(buffer); // cleared, and free again
/// assert!(buffers.try_get()?.is_empty());
/// # Ok::<(), strait_pools::objects::Exhausted>(())
/// ```
pub struct ObjectPool<T> {
    free: FreeNumbers,
    slots: Box<[Slot<T>]>,
    name: Box<str>,
    make: Box<dyn Fn() -> T + Send + Sync>,
    reset: Box<dyn Fn(&mut T) + Send + Sync>,
}

/// An object's place, touched only by whoever has its number.
struct Slot<T>(UnsafeCell<Option<T>>);

// SAFETY: a number is with one thread at a time, and passes from one to the next through `top`; so an
// object is only ever moved between threads, never shared.
unsafe impl<T: Send> Sync for Slot<T> {}

/// Every object of a pool is out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("pool `{pool}` is exhausted: all of its {limit} objects are in use")]
pub struct Exhausted {
    /// The pool's name.
    pub pool: String,
    /// How many objects it has.
    pub limit: u16,
}

impl<T> ObjectPool<T> {
    /// A pool that is called `name` in errors, of at most `limit` objects, which `make` makes and
    /// `reset` restores whenever one returns.
    ///
    /// Both run on the thread that takes or returns the object. A limit of 0 makes a pool that is
    /// always exhausted.
    pub fn new(
        name: &str,
        limit: u16,
        make: impl Fn() -> T + Send + Sync + 'static,
        reset: impl Fn(&mut T) + Send + Sync + 'static,
    ) -> Self {
        Self {
            free: FreeNumbers::new(limit),
            slots: (0..limit).map(|_| Slot(UnsafeCell::new(None))).collect(),
            name: name.into(),
            make: Box::new(make),
            reset: Box::new(reset),
        }
    }

    /// An object, preferably the one that was returned last.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] if all are out. Nothing waits.
    ///
    /// # Panics
    ///
    /// If making the object does; the pool is as before.
    pub fn try_get(&self) -> Result<Pooled<'_, T>, Exhausted> {
        Loan::take(self).ok_or_else(|| self.exhausted())
    }

    /// An object, as soon as there is one: spins for a moment, then yields the processor between
    /// looks. Whoever waits on the thread that has all of the objects waits for ever.
    ///
    /// # Panics
    ///
    /// As [`try_get`](Self::try_get).
    pub fn get(&self) -> Pooled<'_, T> {
        patiently(|| Loan::take(self))
    }

    /// As [`try_get`](Self::try_get), for a loan that may go where the pool cannot be borrowed.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] if all are out. Nothing waits.
    ///
    /// # Panics
    ///
    /// As [`try_get`](Self::try_get).
    pub fn try_get_owned(self: &Arc<Self>) -> Result<OwnedPooled<T>, Exhausted> {
        Loan::take(Arc::clone(self)).ok_or_else(|| self.exhausted())
    }

    /// As [`get`](Self::get), for a loan that may go where the pool cannot be borrowed.
    ///
    /// # Panics
    ///
    /// As [`try_get`](Self::try_get).
    pub fn get_owned(self: &Arc<Self>) -> OwnedPooled<T> {
        patiently(|| Loan::take(Arc::clone(self)))
    }

    /// The pool's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many objects there can be.
    pub fn limit(&self) -> u16 {
        // There is a slot for each, of which `new` made no more.
        u16::try_from(self.slots.len()).unwrap_or(u16::MAX)
    }

    fn exhausted(&self) -> Exhausted {
        Exhausted { pool: self.name().to_owned(), limit: self.limit() }
    }
}

/// What `attempt` gives, as soon as it gives something.
fn patiently<L>(attempt: impl Fn() -> Option<L>) -> L {
    for _ in 0..LOOKS {
        if let Some(loan) = attempt() {
            return loan;
        }
        spin_loop();
    }
    loop {
        if let Some(loan) = attempt() {
            return loan;
        }
        yield_now();
    }
}

impl<T> fmt::Debug for ObjectPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectPool")
            .field("name", &self.name())
            .field("limit", &self.limit())
            .finish_non_exhaustive()
    }
}

/// An object of a pool, on loan: dropped, on whichever thread, it is reset and returns.
///
/// `P` refers to the pool: see [`Pooled`] and [`OwnedPooled`].
pub struct Loan<T, P: Deref<Target = ObjectPool<T>>> {
    /// In the slot of `place`, and made.
    object: NonNull<T>,
    place: Place<T, P>,
}

/// A loan that borrows its pool.
pub type Pooled<'a, T> = Loan<T, &'a ObjectPool<T>>;

/// A loan that keeps its pool.
pub type OwnedPooled<T> = Loan<T, Arc<ObjectPool<T>>>;

/// A number that was taken; dropped, it goes back.
struct Place<T, P: Deref<Target = ObjectPool<T>>> {
    pool: P,
    number: u16,
}

impl<T, P: Deref<Target = ObjectPool<T>>> Place<T, P> {
    fn slot(&self) -> *mut Option<T> {
        self.pool.slots[usize::from(self.number)].0.get()
    }
}

impl<T, P: Deref<Target = ObjectPool<T>>> Drop for Place<T, P> {
    fn drop(&mut self) {
        self.pool.free.give(self.number);
    }
}

impl<T, P: Deref<Target = ObjectPool<T>>> Loan<T, P> {
    fn take(pool: P) -> Option<Self> {
        let number = pool.free.take()?;
        let place = Place { pool, number };
        // SAFETY: the number is ours until `place` is dropped, so nobody else refers to its slot.
        let slot = unsafe { &mut *place.slot() };
        let object = NonNull::from(slot.get_or_insert_with(|| (place.pool.make)()));
        Some(Self { object, place })
    }
}

// SAFETY: a loan moves its object to another thread and back, and what refers to the pool with it.
unsafe impl<T: Send, P: Deref<Target = ObjectPool<T>> + Send> Send for Loan<T, P> {}
// SAFETY: a shared loan gives out nothing but `&T`.
unsafe impl<T: Send + Sync, P: Deref<Target = ObjectPool<T>> + Sync> Sync for Loan<T, P> {}

impl<T, P: Deref<Target = ObjectPool<T>>> Deref for Loan<T, P> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the object stays in its slot, and the slot is this loan's, until it is dropped.
        unsafe { self.object.as_ref() }
    }
}

impl<T, P: Deref<Target = ObjectPool<T>>> DerefMut for Loan<T, P> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for `deref`; the loan is borrowed exclusively.
        unsafe { self.object.as_mut() }
    }
}

impl<T, P: Deref<Target = ObjectPool<T>>> Drop for Loan<T, P> {
    fn drop(&mut self) {
        // A reset that panics leaves an object that nobody should be lent. `place` is dropped after
        // this, either way.
        let doubtful = Discard(self.place.slot());
        // SAFETY: as for `deref_mut`.
        let object = unsafe { self.object.as_mut() };
        (self.place.pool.reset)(object);
        forget(doubtful);
    }
}

impl<T: fmt::Debug, P: Deref<Target = ObjectPool<T>>> fmt::Debug for Loan<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Drops the object of a slot.
struct Discard<T>(*mut Option<T>);

impl<T> Drop for Discard<T> {
    fn drop(&mut self) {
        // SAFETY: the slot is that of the loan whose drop made this, which no longer uses the object.
        let slot = unsafe { &mut *self.0 };
        *slot = None;
    }
}
