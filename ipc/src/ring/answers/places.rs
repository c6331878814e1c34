//! Which of its cells a client has in use: private to its process, shared by its threads.

use strait_pools::sync::Ordering::{Acquire, Relaxed, Release};
use strait_pools::sync::{AtomicU64, Site};

/// A word for each cell: `position + 1` of the call that has it, until its answer was read or is not waited
/// for any more; 0 if none has.
///
/// A request is sent to a position only if its cell is nobody's. So the request orders the reads of the answer
/// that was there before what the server writes next, whichever threads those two are:
///
/// | store | pairs with | makes visible |
/// |---|---|---|
/// | word, Release (`places.vacate`) | word, Acquire (`places.vacant`) | that the reads are over |
#[derive(Debug)]
pub struct Places {
    words: Box<[AtomicU64]>,
}

impl Places {
    /// For that many cells, a power of two; all of them nobody's.
    pub fn new(capacity: u64) -> Self {
        Self { words: (0..capacity).map(|_| AtomicU64::new(0)).collect() }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.words.len()
    }

    #[inline(always)]
    fn word(&self, position: u64) -> &AtomicU64 {
        // The mask is below the length, a `usize`.
        #[allow(clippy::cast_possible_truncation)]
        &self.words[(position & (self.words.len() as u64 - 1)) as usize]
    }

    /// The cell of the call at `position` is in use. Done by whoever is about to send the request.
    #[inline(always)]
    pub fn occupy(&self, position: u64) {
        self.word(position).store(position.wrapping_add(1), Relaxed);
    }

    /// It is nobody's.
    #[inline(always)]
    pub fn vacate(&self, position: u64) {
        // Pairs with `places.vacant`: the reads are over.
        self.word(position).store(0, Release.at("places.vacate"));
    }

    /// Whether the cell of `position` is nobody's.
    #[inline(always)]
    pub fn is_vacant(&self, position: u64) -> bool {
        // Pairs with `places.vacate`.
        self.word(position).load(Acquire.at("places.vacant")) == 0
    }
}
