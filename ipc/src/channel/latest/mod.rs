//! Channels of latest values: one writer, and readers that see the newest value of each key.
//!
//! | module | what lives there |
//! |---|---|
//! | [`writer`] | the writing side |
//! | [`reader`] | the reading side |
//!
//! Readers take no endpoint: nobody waits for them, and there may be any number. A channel keeps its
//! values when everybody has left.

pub mod reader;
pub mod writer;

pub use reader::{LatestReader, ReadError, Value};
pub use writer::{LatestWriter, SetError};

use super::copied::OpenCell;
use crate::ring::latest::layout::KEY_HEAD;
use crate::ring::latest::{Slot, Words};
use crate::segment::ChannelInfo;
use strait_pools::placement::{Many, Mapped, MappedMany, MappedOne};

/// Where the values are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values {
    keys: u64,
    /// Bytes of a slot.
    slot: usize,
    /// Bytes of a value.
    room: usize,
}

impl Values {
    /// The cell of a value.
    #[inline(always)]
    fn at(self, words: &Words<Mapped>, Slot { key, index }: Slot) -> OpenCell {
        // An index is below the handful of slots of a key.
        #[allow(clippy::cast_possible_truncation)]
        let offset = KEY_HEAD + index as usize * self.slot;
        // SAFETY: behind its version, a key has as many slots as there are indices.
        let start = unsafe { words.versions.address(key).add(offset) };
        // SAFETY: a slot has a head and that room, and whoever has the words keeps them mapped.
        unsafe { OpenCell::new(start, self.room) }
    }
}

/// The words and values in a channel's region.
///
/// # Safety
///
/// The segment stays mapped for as long as either is used; if it is mapped for reading alone, nothing is
/// stored.
///
/// # Panics
///
/// Never: the segment's regions were cut to the geometry's sizes.
pub(super) unsafe fn map_values(info: &ChannelInfo) -> (Words<Mapped>, Values) {
    const CUT: &str = "regions are cut to the geometry when the segment is opened";
    let (region, geometry) = (info.producer_region(), info.geometry());
    let offset = geometry.cells_offset();
    let keys = region.window(offset, region.len() - offset).expect(CUT);
    // SAFETY: the caller keeps the segment mapped.
    let head = unsafe { MappedOne::new(&region, 0) }.expect(CUT);
    // SAFETY: as above.
    let versions = unsafe { MappedMany::new(&keys, geometry.stride(), geometry.capacity()) };
    let (slot, room) = (geometry.cell().stride(), geometry.cell().body_bytes());
    let words = Words { head, versions: versions.expect(CUT) };
    (words, Values { keys: geometry.capacity(), slot, room })
}

/// Whether no key was ever set.
pub(super) fn nothing_set(words: &Words<Mapped>) -> bool {
    (0..words.versions.len()).all(|key| words.version(key) == 0)
}
