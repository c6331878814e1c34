//! The yardstick of sides that sleep: two words, each side writing its own and sleeping on the
//! other's, with nothing between them and the kernel.

use super::lines::Lines;
use crate::bench::exercise::Side;
use anyhow::Result;
use rustix::io::Errno;
use rustix::thread::futex::{self, Flags, Timespec};
use std::rc::Rc;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;

/// As long as a slice of Strait's, by default.
const SLICE: Duration = Duration::from_millis(10);

/// One side. The message is the lower half of its number, plus one.
pub(in crate::bench) struct Words {
    lines: Rc<Lines>,
    own: usize,
    /// After which time the kernel is to wake the side in any case.
    timeout: Option<Timespec>,
}

impl Words {
    /// Sides that sleep until woken, or for a slice at most.
    pub(super) fn new(lines: Rc<Lines>, own: usize, in_slices: bool) -> Result<Self> {
        let timeout = in_slices.then(|| Timespec::try_from(SLICE)).transpose()?;
        Ok(Self { lines, own, timeout })
    }
}

#[inline(always)]
fn message(number: u64) -> u32 {
    // Whole numbers are not needed: both sides know which one is next.
    #[allow(clippy::cast_possible_truncation)]
    let lower = number as u32;
    lower.wrapping_add(1)
}

impl Side for Words {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        let word = &self.lines.words()[self.own].0;
        word.store(message(number), Release);
        futex::wake(word, Flags::empty(), 1)?;
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self, number: u64) -> Result<()> {
        let word = &self.lines.words()[1 - self.own].0;
        loop {
            let found = word.load(Acquire);
            if found == message(number) {
                return Ok(());
            }
            match futex::wait(word, Flags::empty(), found, self.timeout.as_ref()) {
                Ok(()) | Err(Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn try_receive(&mut self, number: u64) -> Result<bool> {
        Ok(self.lines.words()[1 - self.own].0.load(Acquire) == message(number))
    }
}
