//! What a pool of objects is to be.

use super::FixedPool;
use crate::pool::PoolError;

/// A pool of objects that is not made yet; from [`FixedPool::options`].
#[derive(Debug)]
pub struct FixedPoolOptions<T> {
    pub(super) name: &'static str,
    pub(super) limit: usize,
    pub(super) reset: Option<fn(&mut T)>,
}

impl<T: 'static> FixedPoolOptions<T> {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, limit: usize::MAX, reset: None }
    }

    /// At most `objects` (at least one). All of them, up to 1,024, are made with the pool; without a
    /// bound it grows by 1,024 whenever all are in use.
    #[must_use]
    pub fn bounded(mut self, objects: usize) -> Self {
        self.limit = objects.max(1);
        self
    }

    /// Calls `reset` on each object that comes back, on the thread that drops its handle.
    ///
    /// If that panics, the object is never given out again: it is dropped with the pool.
    #[must_use]
    pub fn reset(mut self, reset: fn(&mut T)) -> Self {
        self.reset = Some(reset);
        self
    }

    /// Makes the pool, and its first objects with `make`.
    ///
    /// # Errors
    ///
    /// [`PoolError::NoMemory`].
    ///
    /// # Panics
    ///
    /// If `make` does; objects made before are dropped.
    pub fn make(self, make: impl FnMut() -> T + 'static) -> Result<FixedPool<T>, PoolError> {
        FixedPool::new(&self, Box::new(make))
    }
}
