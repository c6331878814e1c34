//! What a heap may do, and what it did.

/// What a heap does when it may not grow, or is asked for more than its largest blocks hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fallback {
    /// It takes memory from the program's global allocator, and counts it.
    #[default]
    System,
    /// It refuses.
    Refuse,
}

/// A heap's name, its limit, and what it does beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapOptions {
    pub(super) name: &'static str,
    pub(super) limit: usize,
    pub(super) fallback: Fallback,
}

impl HeapOptions {
    /// A heap with this name, without a limit, that falls back to the system.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, limit: usize::MAX, fallback: Fallback::System }
    }

    /// At most `bytes` in chunks. A heap takes 128 KiB at once for small blocks, 272 KiB for medium and
    /// 1,025 KiB for large ones.
    #[must_use]
    pub const fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// What to do beyond the limit, and beyond the largest blocks.
    #[must_use]
    pub const fn fallback(mut self, fallback: Fallback) -> Self {
        self.fallback = fallback;
        self
    }
}

/// What a heap did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapStatistics {
    /// Bytes in its chunks.
    pub bytes: usize,
    /// Allocations that the system served.
    pub fallbacks: u64,
    /// Allocations that it refused.
    pub refusals: u64,
}
