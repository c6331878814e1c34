//! The yardstick: bare cache lines, of which each side writes its own and watches the other's.
//!
//! ```text
//! pair 0              pair 1            …  pair 63
//! ┌────────┬────────┐┌────────┬────────┐
//! │ here's │ there's││ here's │ there's│     lines of 128 bytes, so that a prefetched
//! └────────┴────────┘└────────┴────────┘     neighbour disturbs nobody
//! ```
//!
//! Behind them lie as many pairs with a payload, and two words to sleep on (see `futex`).
//!
//! How fast two given lines are depends on which slice of the last-level cache their addresses hash
//! to, by some ten percent. So the yardstick moves to another pair every 64 messages, as a ring moves
//! on anyway. It is a yardstick, not a limit: a ring may beat it.

use super::futex::Words;
use super::payload::{sum, sum_of, word};
use crate::bench::clock::spin;
use crate::bench::exercise::{Role, Side};
use anyhow::{Result, ensure};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::File;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};

/// Pairs of lines.
const PAIRS: usize = 64;

/// Messages on one pair before it is the next one's turn.
const TURN: u64 = 64;

/// Words of payload that share a line of 64 bytes with the word that announces them.
const PAYLOAD: usize = 6;

#[repr(C, align(128))]
struct Line {
    state: AtomicU64,
    payload: [AtomicU64; PAYLOAD],
}

/// All lines of one yardstick.
#[repr(C)]
struct Pairs {
    pairs: [[Line; 2]; PAIRS],
}

/// A word to sleep on, with a line to itself.
#[repr(C, align(128))]
pub(super) struct Word(pub(super) AtomicU32);

/// The memory that both processes map.
#[repr(C)]
struct Yardsticks {
    bare: Pairs,
    loaded: Pairs,
    words: [Word; 2],
}

/// Bytes of the file that [`Lines`] maps.
pub const BYTES: u64 = size_of::<Yardsticks>() as u64;

/// A mapping of the yardsticks.
#[derive(Debug)]
pub struct Lines {
    address: NonNull<Yardsticks>,
}

impl Lines {
    /// Maps a file of [`BYTES`] bytes.
    ///
    /// # Errors
    ///
    /// It has another length, or cannot be mapped.
    pub fn map(file: &File) -> Result<Rc<Self>> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let (any, len) = (std::ptr::null_mut(), size_of::<Yardsticks>());
        ensure!(file.metadata()?.len() == BYTES, "the yardstick's file is not {BYTES} bytes long");
        // SAFETY: no address is asked for, so no existing mapping is touched.
        let address = unsafe { mmap(any, len, access, MapFlags::SHARED, file, 0)? };
        let address = NonNull::new(address.cast()).ok_or_else(|| anyhow::anyhow!("mapped at 0"))?;
        Ok(Rc::new(Self { address }))
    }

    fn all(&self) -> &Yardsticks {
        // SAFETY: mapped, page-aligned, and as long as the type, until dropped; atomics only, for
        // which any bytes are valid.
        unsafe { self.address.as_ref() }
    }

    pub(super) fn words(&self) -> &[Word; 2] {
        &self.all().words
    }

    /// The words to sleep on, as one side sees them: until woken, or in slices.
    pub(in crate::bench) fn sleeping(
        self: &Rc<Self>,
        role: Role,
        in_slices: bool,
    ) -> Result<Words> {
        Words::new(Rc::clone(self), own(role), in_slices)
    }

    /// The bare lines, as one side sees them.
    #[must_use]
    pub fn bare(self: &Rc<Self>, role: Role) -> Bare {
        Bare { lines: Rc::clone(self), own: own(role) }
    }

    /// The lines with a payload, as one side sees them.
    #[must_use]
    pub fn loaded(self: &Rc<Self>, role: Role) -> Loaded {
        Loaded { lines: Rc::clone(self), own: own(role) }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let len = size_of::<Yardsticks>();
        // SAFETY: mapped by `map`, with this length; the sides that use it keep it alive.
        let unmapped = unsafe { munmap(self.address.as_ptr().cast(), len) };
        debug_assert!(unmapped.is_ok());
    }
}

fn own(role: Role) -> usize {
    match role {
        Role::Here => 0,
        Role::There => 1,
    }
}

#[inline(always)]
fn pair(pairs: &Pairs, number: u64) -> &[Line; 2] {
    // Less than `PAIRS`.
    #[allow(clippy::cast_possible_truncation)]
    let index = (number / TURN % PAIRS as u64) as usize;
    &pairs.pairs[index]
}

/// The bare yardstick: the message is its number, and nothing else.
#[derive(Debug)]
pub struct Bare {
    lines: Rc<Lines>,
    own: usize,
}

impl Side for Bare {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        pair(&self.lines.all().bare, number)[self.own].state.store(number + 1, Release);
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self, number: u64) -> Result<()> {
        let line = &pair(&self.lines.all().bare, number)[1 - self.own];
        spin(|| Ok((line.state.load(Acquire) > number).then_some(())))
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        // In an open loop a later message may have taken its place: it has come all the same.
        Ok(pair(&self.lines.all().bare, number)[1 - self.own].state.load(Acquire) > number)
    }
}

/// A payload of 48 bytes in the line that announces it: what a message costs without a ring.
#[derive(Debug)]
pub struct Loaded {
    lines: Rc<Lines>,
    own: usize,
}

impl Side for Loaded {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        let line = &pair(&self.lines.all().loaded, number)[self.own];
        for (index, slot) in line.payload.iter().enumerate() {
            slot.store(word(number, index), Relaxed);
        }
        line.state.store(number + 1, Release);
        Ok(())
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        let line = &pair(&self.lines.all().loaded, number)[1 - self.own];
        if line.state.load(Acquire) != number + 1 {
            return Ok(false);
        }
        let read = sum(line.payload.iter().map(|word| word.load(Relaxed)));
        ensure!(read == sum_of(number, PAYLOAD), "message {number} on a bare line is torn");
        Ok(true)
    }
}
