//! Many that sleep on one word, and who wakes them.
//!
//! ```text
//! CrowdLine
//!   0    bed   a futex: odd while somebody may sleep; grows by one when all are woken
//! ```
//!
//! Readers of one producer sleep together: who wakes them asks one word, however many they are. As in
//! [`parking`](super::parking) a sleeper says so *before* it looks for the last time, and the waker
//! publishes *before* it looks whether anybody sleeps, with a full fence between the two accesses of each.
//! What is new is that one sleeper's word must not put another to sleep: to sleep is to make the number
//! odd, to wake is to make it even again and one larger, and each sleeper goes to sleep on the number that it
//! saw. One that was late finds another number, and looks again.
//!
//! Readers that may not write to the segment do not sleep here.
//!
//! Where each message is for one of those that sleep, whoever publishes wakes one ([`CrowdLine::wake_one`]),
//! and the number stays odd: others may sleep on. Once the kernel finds nobody to wake, the number is made
//! even. One that fell asleep in between, on the number before, is then woken with whoever else has.
//! Several may wake at a time. At worst they leave the number odd while nobody sleeps: the next one wakes in
//! vain. What always holds: whoever sleeps does so on an odd number, or somebody is about to wake all.
//!
//! # Orderings
//!
//! | first | then | pairs with | so that |
//! |---|---|---|---|
//! | `bed` odd | `fence(SeqCst)` `crowd.sleep`, look | `crowd.wake` | either the sleeper sees what was published |
//! | publish | `fence(SeqCst)` `crowd.wake` or `crowd.wake_one`, look at `bed` | `crowd.sleep` | or the waker sees that somebody sleeps |
//!
//! # When a process dies here
//!
//! *A sleeper*: the number stays odd, and the next waker makes one system call in vain.
//! *The waker*, between the number and the kernel: those that sleep sleep on to the end of their slice, or
//! until a successor has taken over, which wakes whoever sleeps ([`CrowdLine::rouse`]).
//! *The one that was woken*, before it has taken what it was woken for: as the waker.

use std::time::Duration;
use strait_pools::marks::{Mark, pass};
use strait_pools::region::Shared;
use strait_pools::sync::Ordering::{Relaxed, SeqCst};
use strait_pools::sync::{Futex, fence, step};

/// Where many sleep.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct CrowdLine {
    /// Odd while somebody may sleep.
    pub bed: Futex,
}

// SAFETY: repr(C), an atomic, zero is valid, nothing to drop.
unsafe impl Shared for CrowdLine {}

impl CrowdLine {
    /// Sleeps until woken, for `timeout` at most, unless `look` finds what is waited for.
    ///
    /// Returns what it found in its one look; after a sleep, and perhaps without one, `None`.
    pub fn sleep_unless<R>(
        &self,
        timeout: Option<Duration>,
        look: impl FnOnce() -> Option<R>,
    ) -> Option<R> {
        let asleep = self.lie_down();
        pass(Mark::CrowdNoted);
        // Pairs with `crowd.wake`: what was published before this is found now, and who publishes
        // after it sees that somebody sleeps.
        fence(SeqCst, "crowd.sleep");
        let found = if step("crowd.look") { look() } else { None };
        if found.is_none() {
            self.bed.wait(asleep, timeout);
        }
        found
    }

    /// Makes the number odd, if it is not, and returns it.
    fn lie_down(&self) -> u32 {
        let mut seen = self.bed.load(Relaxed);
        while seen.is_multiple_of(2) {
            match self.bed.compare_exchange(seen, seen + 1, Relaxed, Relaxed) {
                Ok(_) => return seen + 1,
                Err(now) => seen = now,
            }
        }
        seen
    }

    /// Wakes everybody who sleeps; called after what they may wait for was stored.
    #[inline(always)]
    pub fn wake(&self) {
        // Pairs with `crowd.sleep`.
        fence(SeqCst, "crowd.wake");
        if self.is_occupied() {
            self.wake_sleepers();
        }
    }

    /// Wakes one who sleeps; called after what one of them may wait for was stored.
    #[inline(always)]
    pub fn wake_one(&self) {
        // Pairs with `crowd.sleep`.
        fence(SeqCst, "crowd.wake_one");
        if self.is_occupied() {
            self.wake_sleeper();
        }
    }

    /// Whether somebody may sleep.
    #[inline(always)]
    pub fn is_occupied(&self) -> bool {
        !self.bed.load(Relaxed).is_multiple_of(2)
    }

    /// Wakes everybody whatever the number says; done by a successor. A predecessor may have died before
    /// calling the kernel.
    pub fn rouse(&self) {
        self.wake();
        self.bed.wake_all();
    }

    #[cold]
    #[inline(never)]
    fn wake_sleepers(&self) {
        // The number first: who is about to sleep on it does not.
        if step("crowd.number") {
            // Even again, as only wakers make it.
            self.bed.fetch_add(1, Relaxed);
        }
        pass(Mark::CrowdWoken);
        self.bed.wake_all();
    }

    /// Wakes one who sleeps; if there is nobody, the number says so from now on.
    #[cold]
    #[inline(never)]
    pub(super) fn wake_sleeper(&self) {
        let seen = self.bed.load(Relaxed);
        if self.bed.wake() || seen.is_multiple_of(2) {
            return;
        }
        let even = seen.wrapping_add(1);
        if self.bed.compare_exchange(seen, even, Relaxed, Relaxed).is_ok() {
            pass(Mark::CrowdWoken);
            // Who has fallen asleep since the kernel looked did so on the number before.
            if step("crowd.late") {
                self.bed.wake_all();
            }
        }
    }
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<CrowdLine>() == 128);
