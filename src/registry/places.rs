//! Where services are: numbered places that stay where they are, in blocks of which each is twice as
//! large as the one before.

use super::offer::Offer;
use std::sync::OnceLock;
use strait_pools::snapshot::{Reading, Snapshot};

/// Places of the first block.
const FIRST: u32 = if cfg!(loom) { 4 } else { 64 };

/// Together, more places than a number of 32 bits can name.
const BLOCKS: usize = 32;

type Place = Snapshot<Offer>;

#[derive(Debug)]
pub(super) struct Places {
    blocks: [OnceLock<Box<[Place]>>; BLOCKS],
}

/// The block of a place, and its number there.
fn locate(place: u32) -> (usize, usize) {
    let block = (place / FIRST + 1).ilog2();
    (block as usize, (place - FIRST * ((1 << block) - 1)) as usize)
}

impl Places {
    pub(super) fn new() -> Self {
        Self { blocks: [const { OnceLock::new() }; BLOCKS] }
    }

    /// What is at a place, if it is the service of that number: the place may have been given away.
    #[inline]
    pub(super) fn get<'a>(&'a self, place: u32, reading: &'a Reading) -> Option<&'a Offer> {
        let (block, number) = locate(place);
        self.blocks[block].get()?[number].read(reading)
    }

    /// The place itself, with its block made if need be.
    pub(super) fn at(&self, place: u32) -> &Place {
        let (block, number) = locate(place);
        let length = FIRST as usize * (1 << block);
        let make = || (0..length).map(|_| Place::empty()).collect();
        &self.blocks[block].get_or_init(make)[number]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_each_other() {
        let mut expected = (0, 0);
        for place in 0..10_000 {
            assert_eq!(locate(place), expected);
            expected.1 += 1;
            if expected.1 == FIRST as usize * (1 << expected.0) {
                expected = (expected.0 + 1, 0);
            }
        }
        let (block, number) = locate(u32::MAX);
        assert!(block < BLOCKS && number < FIRST as usize * (1 << block));
    }
}
