//! The numbers of the objects that are free, last in, first out.

use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicU32, AtomicU64, Site, spin_loop};

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

/// Longest pause after a lost swap, as a power of two of pause instructions.
const LONGEST_PAUSE: u32 = 7;

/// Keeps threads that lost a swap apart for a moment, longer each time, so that the winner makes its
/// next one while the line is still its own.
#[derive(Default)]
struct Lost(u32);

impl Lost {
    fn pause(&mut self) {
        for _ in 0..1 << self.0 {
            spin_loop();
        }
        self.0 = (self.0 + 1).min(LONGEST_PAUSE);
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
        let mut lost = Lost::default();
        loop {
            let word = self.top.0.load(Acquire.at("objects.take"));
            let top = Top::unpack(word);
            if top.number == NOBODY {
                return None;
            }
            let below = self.below[usize::from(top.number)].load(Relaxed);
            // Only numbers, of 16 bits, are ever stored there.
            #[allow(clippy::cast_possible_truncation)]
            let next = Top { taken: top.taken + 1, number: below as u16 }.pack();
            if self.top.0.compare_exchange(word, next, Relaxed, Relaxed).is_ok() {
                return Some(top.number);
            }
            lost.pause();
        }
    }

    /// Gives back a number that [`take`](Self::take) gave out.
    pub(super) fn give(&self, number: u16) {
        let mut lost = Lost::default();
        loop {
            let word = self.top.0.load(Relaxed);
            let top = Top::unpack(word);
            self.below[usize::from(number)].store(u32::from(top.number), Relaxed);
            let next = Top { number, ..top }.pack();
            let swapped =
                self.top.0.compare_exchange(word, next, Release.at("objects.give"), Relaxed);
            if swapped.is_ok() {
                return;
            }
            lost.pause();
        }
    }
}
