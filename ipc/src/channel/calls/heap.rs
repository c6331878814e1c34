//! Where a server puts answers that are too long for their cells.

use std::collections::BTreeMap;

/// Places begin at multiples of so many bytes: a cache line, so that no two answers share one.
const UNIT: u64 = 64;

/// The room for large answers to one client, as its server keeps books of it: in private memory, because a
/// server that is gone has no successor.
///
/// First fit. There are at most as many places out as the client may have calls.
#[derive(Debug)]
pub(super) struct Heap {
    bytes: u64,
    /// Length of each free stretch, by where it begins. No two touch.
    free: BTreeMap<u64, u64>,
    /// What is out: to the call at which position, and where.
    out: Vec<(u64, u64, u64)>,
}

impl Heap {
    /// Of so many bytes, all of them free.
    pub(super) fn new(bytes: u64) -> Self {
        let mut heap = Self { bytes, free: BTreeMap::new(), out: Vec::new() };
        heap.clear();
        heap
    }

    /// Frees everything: the client is another one.
    pub(super) fn clear(&mut self) {
        self.out.clear();
        self.free.clear();
        if self.bytes > 0 {
            self.free.insert(0, self.bytes);
        }
    }

    /// Where `bytes` bytes are free, now taken for the answer to the call at `position`.
    ///
    /// What the client is done with, as `released` says of a position, is free again.
    pub(super) fn take(
        &mut self,
        position: u64,
        bytes: u64,
        released: impl Fn(u64) -> bool,
    ) -> Option<u64> {
        let (over, out) =
            std::mem::take(&mut self.out).into_iter().partition(|out| released(out.0));
        self.out = out;
        let over: Vec<(u64, u64, u64)> = over;
        over.into_iter().for_each(|(_, start, bytes)| self.give(start, bytes));

        let bytes = bytes.max(1).checked_next_multiple_of(UNIT)?;
        let (&start, &stretch) = self.free.iter().find(|&(_, &stretch)| stretch >= bytes)?;
        self.free.remove(&start);
        if stretch > bytes {
            self.free.insert(start + bytes, stretch - bytes);
        }
        self.out.push((position, start, bytes));
        Some(start)
    }

    /// The answer to the call at `position`, taken last, is nobody's.
    pub(super) fn untake(&mut self, position: u64) {
        if let Some((_, start, bytes)) = self.out.pop_if(|out| out.0 == position) {
            self.give(start, bytes);
        }
    }

    /// A stretch is free again, and one with those that it touches.
    fn give(&mut self, mut start: u64, mut bytes: u64) {
        if let Some(after) = self.free.remove(&(start + bytes)) {
            bytes += after;
        }
        let before = self.free.range(..start).next_back().map(|(&at, &len)| (at, len));
        if let Some((at, len)) = before
            && at + len == start
        {
            (start, bytes) = (at, len + bytes);
        }
        self.free.insert(start, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    #[test]
    fn what_never_fits_is_refused_and_nothing_is_lost() {
        let mut heap = Heap::new(4096);
        for bytes in [4097, u64::MAX] {
            assert_eq!(heap.take(0, bytes, |_| false), None);
        }
        assert_eq!(heap.take(0, 4096, |_| false), Some(0));
        assert_eq!(heap.take(1, 0, |_| false), None);
        heap.untake(0);
        assert_eq!(heap.take(1, 1, |_| false), Some(0));
        assert_eq!(Heap::new(0).take(0, 1, |_| false), None);
    }

    proptest! {
        /// Places lie inside and apart; what is released comes back, in whatever order, as one.
        #[test]
        fn places_never_overlap(steps in prop::collection::vec((0..700_u64, any::<bool>(), 0..8_usize), 1..200)) {
            let mut heap = Heap::new(4096);
            let held = RefCell::new(BTreeSet::new());
            let mut places: Vec<(u64, u64, u64)> = vec![];
            for (position, (bytes, release, which)) in steps.into_iter().enumerate() {
                let position = position as u64;
                if release && !places.is_empty() {
                    let (gone, ..) = places.remove(which % places.len());
                    held.borrow_mut().remove(&gone);
                }
                let taken = heap.take(position, bytes, |position| !held.borrow().contains(&position));
                if let Some(start) = taken {
                    let end = start + bytes.max(1);
                    prop_assert!(end <= 4096);
                    for &(_, from, to) in &places {
                        prop_assert!(end <= from || to <= start);
                    }
                    places.push((position, start, end));
                    held.borrow_mut().insert(position);
                }
            }
            prop_assert_eq!(heap.take(u64::MAX, 1, |_| true), Some(0));
            heap.untake(u64::MAX);
            prop_assert_eq!(heap.free, BTreeMap::from([(0, 4096)]));
        }
    }
}
