//! A word to sleep on.

use super::AtomicU32;
use std::ops::Deref;
use std::time::Duration;

/// A 32-bit word on which a thread sleeps until another, of whatever process, has changed it.
///
/// It derefs to the word. Who changes it and then calls [`wake`](Futex::wake) wakes a sleeper; one
/// that was just going to sleep finds the word changed and does not.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Futex {
    word: AtomicU32,
    #[cfg(loom)]
    bed: Bed,
}

impl Deref for Futex {
    type Target = AtomicU32;
    #[inline(always)]
    fn deref(&self) -> &AtomicU32 {
        &self.word
    }
}

#[cfg(not(loom))]
impl Futex {
    /// Sleeps while the word is `expected`, for `timeout` at most (`None`: without end).
    ///
    /// Returns on a wake-up, on the timeout, on a signal, and for no reason: look, and sleep again.
    /// The kernel compares and falls asleep in one step.
    #[cold]
    pub fn wait(&self, expected: u32, timeout: Option<Duration>) {
        use rustix::thread::futex::{Flags, Timespec, wait};
        super::note_system_call();
        // A time that the kernel cannot hold is longer than any process lives.
        let timeout = timeout.and_then(|time| Timespec::try_from(time).ok());
        // Every way in which this ends sends the caller back to look.
        let _ = wait(self.kernels(), Flags::empty(), expected, timeout.as_ref());
    }

    /// Wakes one sleeper; whether there was one.
    #[cold]
    pub fn wake(&self) -> bool {
        use rustix::thread::futex::{Flags, wake};
        super::note_system_call();
        // Fails only for an address that is not mapped.
        wake(self.kernels(), Flags::empty(), 1).is_ok_and(|woken| woken > 0)
    }

    /// Wakes everybody who sleeps on it.
    #[cold]
    pub fn wake_all(&self) {
        use rustix::thread::futex::{Flags, wake};
        super::note_system_call();
        // As above. The kernel counts in a signed number.
        let _ = wake(self.kernels(), Flags::empty(), i32::MAX.cast_unsigned());
    }

    /// The word as the kernel knows it; the counting build's is a wrapper around it.
    fn kernels(&self) -> &std::sync::atomic::AtomicU32 {
        // SAFETY: both are atomics of 32 bits, laid out alike in every build that has a kernel.
        unsafe { &*std::ptr::from_ref(&self.word).cast() }
    }
}

/// Where a model's threads sleep: the lock is the one that the kernel holds while it compares.
#[cfg(loom)]
#[derive(Debug, Default)]
struct Bed {
    /// How many sleep and were not woken yet.
    lock: loom::sync::Mutex<usize>,
    woken: loom::sync::Condvar,
}

#[cfg(loom)]
impl Futex {
    /// Sleeps while the word is `expected`. There is no time in models, and no timeout: a wake-up
    /// that is lost is lost for good.
    pub fn wait(&self, expected: u32, _timeout: Option<Duration>) {
        let mut asleep = self.bed.lock.lock().expect("no model panics with it");
        if self.word.load(super::Ordering::Relaxed) == expected {
            *asleep += 1;
            drop(self.bed.woken.wait(asleep).expect("no model panics with it"));
        }
    }

    /// Wakes one sleeper; whether there was one.
    pub fn wake(&self) -> bool {
        let mut asleep = self.bed.lock.lock().expect("no model panics with it");
        let is_one = *asleep > 0;
        *asleep = asleep.saturating_sub(1);
        self.bed.woken.notify_one();
        is_one
    }

    /// Wakes everybody who sleeps on it.
    pub fn wake_all(&self) {
        let mut asleep = self.bed.lock.lock().expect("no model panics with it");
        *asleep = 0;
        self.bed.woken.notify_all();
    }
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Futex>() == 4);

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::Ordering::SeqCst;
    use std::sync::Arc;
    use std::time::Instant;

    #[test]
    fn a_changed_word_is_not_slept_on() {
        let futex = Futex::default();
        futex.wait(1, None);
    }

    #[test]
    fn time_runs_out() {
        let (futex, began) = (Futex::default(), Instant::now());
        futex.wait(0, Some(Duration::from_millis(5)));
        assert!(began.elapsed() >= Duration::from_millis(5));
        // Longer than the kernel can count: until woken.
        futex.store(1, SeqCst);
        futex.wait(0, Some(Duration::MAX));
    }

    #[test]
    fn a_sleeper_is_woken() {
        let futex = Arc::new(Futex::default());
        let other = Arc::clone(&futex);
        let sleeper = std::thread::spawn(move || {
            while other.load(SeqCst) == 0 {
                other.wait(0, None);
            }
        });
        std::thread::sleep(Duration::from_millis(10));
        futex.store(1, SeqCst);
        futex.wake();
        sleeper.join().unwrap();
        assert!(!futex.wake(), "nobody sleeps");
    }
}
