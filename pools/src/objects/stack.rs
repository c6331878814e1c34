//! The numbers of the objects that are free, last in, first out.

use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicU32, AtomicU64, Site};

/// The number of no object, below which all numbers are.
const NOBODY: u16 = u16::MAX;

/// A stack of the numbers `0..limit`, each of which is on it or with whoever took it.
#[derive(Debug)]
pub(super) struct FreeNumbers {
    top: Line,
    /// What lies under each number while that is on the stack.
    below: Box<[AtomicU32]>,
}

/// The word that every taker and giver swaps, away from what they only read.
#[derive(Debug)]
#[repr(align(128))]
struct Line(AtomicU64);

/// The topmost number, and how many numbers were ever taken.
#[derive(Clone, Copy)]
struct Top {
    taken: u64,
    number: u16,
}

impl Top {
    fn pack(self) -> u64 {
        (self.taken << 16) | u64::from(self.number)
    }

    fn unpack(word: u64) -> Self {
        // The low 16 bits are the number.
        #[allow(clippy::cast_possible_truncation)]
        Self { taken: word >> 16, number: word as u16 }
    }
}

impl FreeNumbers {
    /// All of `0..limit`, 0 on top.
    pub(super) fn new(limit: u16) -> Self {
        let below = (1..=limit)
            .map(|next| AtomicU32::new(u32::from(if next < limit { next } else { NOBODY })));
        let number = if limit > 0 { 0 } else { NOBODY };
        Self { below: below.collect(), top: Line(AtomicU64::new(Top { taken: 0, number }.pack())) }
    }

    /// Takes the number that was given back last, if any is there.
    pub(super) fn take(&self) -> Option<u16> {
        let mut word = self.top.0.load(Acquire.at("objects.take"));
        loop {
            let top = Top::unpack(word);
            if top.number == NOBODY {
                return None;
            }
            let below = self.below[usize::from(top.number)].load(Relaxed);
            // Only numbers, of 16 bits, are ever stored there.
            #[allow(clippy::cast_possible_truncation)]
            let next = Top { taken: top.taken + 1, number: below as u16 }.pack();
            let again = Acquire.at("objects.take_again");
            match self.top.0.compare_exchange(word, next, Relaxed, again) {
                Ok(_) => return Some(top.number),
                Err(changed) => word = changed,
            }
        }
    }

    /// Gives back a number that [`take`](Self::take) gave out.
    pub(super) fn give(&self, number: u16) {
        let mut word = self.top.0.load(Relaxed);
        loop {
            let top = Top::unpack(word);
            self.below[usize::from(number)].store(u32::from(top.number), Relaxed);
            let next = Top { number, ..top }.pack();
            match self.top.0.compare_exchange(word, next, Release.at("objects.give"), Relaxed) {
                Ok(_) => return,
                Err(changed) => word = changed,
            }
        }
    }
}
