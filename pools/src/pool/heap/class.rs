//! The sizes of blocks.

use std::alloc::Layout;

/// A size of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SizeClass {
    /// Up to 64 B: a cache line.
    Small,
    /// Up to 1 KiB.
    Medium,
    /// Up to 64 KiB.
    Large,
}

/// The alignment of every block: a cache line.
pub const BLOCK_ALIGN: usize = 64;

impl SizeClass {
    /// All of them, the smallest first.
    pub const ALL: [Self; 3] = [Self::Small, Self::Medium, Self::Large];

    /// The class whose blocks hold this, or `None` for what is larger than 64 KiB, or aligned to more
    /// than a cache line.
    ///
    /// ```
    /// use std::alloc::Layout;
    /// use strait_pools::pool::SizeClass;
    ///
    /// let class = |bytes| SizeClass::of(Layout::array::<u8>(bytes).unwrap());
    /// assert_eq!(class(64), Some(SizeClass::Small));
    /// assert_eq!(class(65), Some(SizeClass::Medium));
    /// assert_eq!(class(65_537), None);
    /// ```
    #[inline(always)]
    #[must_use]
    pub const fn of(layout: Layout) -> Option<Self> {
        if layout.align() > BLOCK_ALIGN {
            return None;
        }
        match layout.size() {
            0..=64 => Some(Self::Small),
            65..=1_024 => Some(Self::Medium),
            1_025..=65_536 => Some(Self::Large),
            _ => None,
        }
    }

    /// Bytes of a block.
    #[inline(always)]
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::Small => 64,
            Self::Medium => 1_024,
            Self::Large => 65_536,
        }
    }

    /// Blocks of a chunk: 128 KiB of the small ones, a quarter and a whole megabyte of the others.
    pub(super) const fn per_chunk(self) -> usize {
        match self {
            Self::Small => 1_024,
            Self::Medium => 256,
            Self::Large => 16,
        }
    }

    /// The layout of a block.
    pub(super) const fn layout(self) -> Layout {
        match Layout::from_size_align(self.size(), BLOCK_ALIGN) {
            Ok(layout) => layout,
            // No size of a class is near the limits of a layout.
            Err(_) => Layout::new::<()>(),
        }
    }
}
