//! Sleeping until the other side has moved, and waking the side that sleeps.
//!
//! ```text
//! WaitLine of the side that sleeps             sleeper: AWAKE ◄─────────────┐
//!   0    sleeper   a futex                       │ about to sleep           │ woken, or awake again
//!   4    woken_from, a core                       │                          │
//!   8    bell      leads to its descriptor       ▼                          │
//!                                              ASLEEP (or ARMED) ───────────┘
//! ```
//!
//! Rings are made for sides that may sleep or for sides that never do; the latter contain none of
//! this. A side says that it sleeps *before* it looks at the ring for the last time, and the other
//! publishes *before* it looks whether anybody sleeps. Between the two accesses of each stands a full
//! fence, so one of them sees the other's store: this is Dekker's protocol, and the futex makes the
//! rest of the way safe, from the last look to the kernel. The waker changes the word first: a side
//! that is just falling asleep finds it changed, and does not.
//!
//! The price: a fence and a load for each message or batch, on a line that stays in the publisher's
//! cache while nobody sleeps. System calls are made if somebody sleeps, and one on each side.
//!
//! A side that waits in somebody else's poll loop is [`ARMED`]: it is woken through a descriptor (see
//! [`bell`](crate::system::bell)), and all else is the same.
//!
//! # Orderings
//!
//! | first | then | pairs with | so that |
//! |---|---|---|---|
//! | `sleeper` = ASLEEP | `fence(SeqCst)` `park.sleep`, look at the ring | `park.wake` | either the sleeper sees what was published |
//! | publish | `fence(SeqCst)` `park.wake` or `park.rouse`, look at `sleeper` | `park.sleep` | or the publisher sees that it sleeps |
//!
//! Nothing else follows from `sleeper`: a side that was woken looks at the ring, whose own orderings
//! hold. The same fences show `bell` to whoever has to ring it: it was stored before the sleeper's, and a
//! publisher whose fence came first has nobody to wake. Only a successor, which wakes whoever it finds,
//! may find one that armed itself after its fence: so `park.say` (Release) pairs with `park.roused`
//! (Acquire).
//!
//! # When a process dies here
//!
//! *The sleeper*, asleep or about to be: its word stays ASLEEP. The next to publish changes it and
//! wakes nobody: one system call in vain. Its successor begins awake.
//! *The waker*, between publishing and waking: the sleeper sleeps on. It wakes at the end of its slice,
//! finds the message, and then that the other side is dead. Without slices it sleeps until the dead
//! one's successor has taken over: that calls the kernel and rings the bell, whatever the word says.

use super::layout::{ARMED, ASLEEP, AWAKE, WaitLine};
use std::fmt;
use std::time::Duration;
use strait_pools::environment::current_core;
use strait_pools::marks::{Mark, pass};
use strait_pools::sync::Ordering::{Acquire, Relaxed, Release, SeqCst};
use strait_pools::sync::{Site, fence, step};

impl WaitLine {
    /// Sleeps until woken, for `timeout` at most, unless `look` finds what is waited for.
    ///
    /// Returns what it found in its one look; after a sleep, and perhaps without one, `None`.
    pub fn sleep_unless<R>(
        &self,
        timeout: Option<Duration>,
        look: impl FnOnce() -> Option<R>,
    ) -> Option<R> {
        let found = self.say(ASLEEP, look);
        if found.is_none() {
            pass(Mark::SleepBegun);
            self.sleeper.wait(ASLEEP, timeout);
            pass(Mark::SleepOver);
        }
        self.rise();
        found
    }

    /// From now on the descriptor tells when to look, unless `look` finds something at once.
    pub fn arm_unless<R>(&self, look: impl FnOnce() -> Option<R>) -> Option<R> {
        let found = self.say(ARMED, look);
        if found.is_some() {
            self.rise();
        }
        found
    }

    /// Says that this side sleeps, and looks for the last time.
    fn say<R>(&self, how: u32, look: impl FnOnce() -> Option<R>) -> Option<R> {
        // Pairs with `park.roused`: who finds us armed has the bell's address.
        self.sleeper.swap(how, Release.at("park.say"));
        pass(Mark::SleepNoted);
        // Pairs with `park.wake`: what was published before this is found now, and who publishes
        // after it sees that we sleep.
        fence(SeqCst, "park.sleep");
        if step("park.look") { look() } else { None }
    }

    /// Whether the side was last woken from the core that it is on now: the other side then has to run
    /// here, and cannot while this one polls.
    pub fn shares_its_core(&self) -> bool {
        self.woken_from.load(Relaxed) == current_core().saturating_add(1)
    }

    /// Says that this side is awake.
    pub fn rise(&self) {
        // Swaps here and in `say`, because the waker swaps as well: so there is one order of all
        // changes, and nobody looks at an older one. A store would do in C11, where it could not come
        // before a swap that read the value before it; loom does not see that.
        self.sleeper.swap(AWAKE, Relaxed);
    }

    /// Whether the side waits for its descriptor.
    pub fn is_armed(&self) -> bool {
        self.sleeper.load(Relaxed) == ARMED
    }

    /// Wakes the side if it sleeps, by `ring` if it waits for its descriptor; called after what it may
    /// wait for was stored.
    #[inline(always)]
    pub fn wake(&self, ring: &mut dyn FnMut(&Self)) {
        // Pairs with `park.sleep`.
        fence(SeqCst, "park.wake");
        if self.sleeper.load(Relaxed) != AWAKE {
            self.wake_sleeper(ring);
        }
    }

    /// Wakes the side whatever its word says; done by a successor. A predecessor may have died after
    /// changing the word and before calling the kernel.
    pub(super) fn rouse(&self, ring: &mut dyn FnMut(&Self)) {
        // Pairs with `park.sleep`, for what the predecessor published.
        fence(SeqCst, "park.rouse");
        // Pairs with `park.say`: a side that armed itself since then is rung, not merely disarmed.
        self.sleeper.swap(AWAKE, Acquire.at("park.roused"));
        self.sleeper.wake();
        ring(self);
    }

    #[cold]
    #[inline(never)]
    fn wake_sleeper(&self, ring: &mut dyn FnMut(&Self)) {
        // The word first: who is about to sleep on it does not.
        let slept = if step("park.word") { self.sleeper.swap(AWAKE, Relaxed) } else { ASLEEP };
        self.woken_from.store(current_core().saturating_add(1), Relaxed);
        pass(Mark::WakeNoted);
        match slept {
            AWAKE => {}
            ARMED => ring(self),
            _ => drop(self.sleeper.wake()),
        }
        pass(Mark::WakeDone);
    }
}

/// How to wake a side that waits for its descriptor.
pub struct Ringer(Box<dyn FnMut(&WaitLine) + Send + Sync>);

impl Ringer {
    /// Rings as `ring` does.
    pub fn new(ring: impl FnMut(&WaitLine) + Send + Sync + 'static) -> Self {
        Self(Box::new(ring))
    }

    /// Its way to ring.
    #[inline(always)]
    pub(super) fn way(&mut self) -> &mut dyn FnMut(&WaitLine) {
        &mut *self.0
    }
}

impl fmt::Debug for Ringer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ringer")
    }
}
