//! What the marks of this process do when they are passed.

use super::{Action, FailPoint};
use crate::marks::Mark;
// Local to the process under test, in no ring and in no model: the plain atomics, not the façade.
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What is armed at one mark.
#[derive(Debug)]
struct Point {
    /// The pass at which to act; 0: not armed.
    at: AtomicU64,
    /// 1: kill, 2: pause, 3 and above: delay by so many nanoseconds, less 3.
    action: AtomicU64,
    /// How often the mark was passed.
    passed: AtomicU64,
}

/// One for each possible number of a mark.
static POINTS: [Point; 256] = [const {
    Point { at: AtomicU64::new(0), action: AtomicU64::new(0), passed: AtomicU64::new(0) }
}; 256];

static WATCHED: AtomicPtr<AtomicU32> = AtomicPtr::new(std::ptr::null_mut());

/// Arms a mark, counting its passes from now. Each mark has one action at a time.
pub fn arm(point: FailPoint) {
    let action = match point.action {
        Action::Kill => 1,
        Action::Pause => 2,
        Action::Delay(time) => u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 2) + 3,
    };
    let armed = &POINTS[point.mark as usize];
    armed.action.store(action, Relaxed);
    armed.at.store(armed.passed.load(Relaxed) + point.pass, Relaxed);
}

/// How often this process has passed a mark.
pub fn passes(mark: Mark) -> u64 {
    POINTS[mark as usize].passed.load(Relaxed)
}

/// From now on, the number of each mark passed is stored in `word`.
pub fn watch(word: &'static AtomicU32) {
    WATCHED.store(std::ptr::from_ref(word).cast_mut(), Relaxed);
}

/// Passes a mark.
#[inline]
pub fn pass(mark: Mark) {
    // SAFETY: null, or the address of a word that lives for ever.
    if let Some(word) = unsafe { WATCHED.load(Relaxed).as_ref() } {
        word.store(mark as u32, Relaxed);
    }
    let point = &POINTS[mark as usize];
    // No locked instruction: it would be a fence, and hide from every test that one is missing. If two
    // threads pass a mark at a time, one pass is not counted; none goes beyond the armed one unseen.
    let passed = point.passed.load(Relaxed) + 1;
    point.passed.store(passed, Relaxed);
    let at = point.at.load(Relaxed);
    if at != 0 && passed >= at {
        act(point.action.load(Relaxed), passed == at);
    }
}

#[cold]
fn act(action: u64, now: bool) {
    match action {
        1 if now => raise(libc::SIGKILL),
        2 if now => raise(libc::SIGSTOP),
        1 | 2 => {}
        delay => {
            let (time, start) = (Duration::from_nanos(delay - 3), std::time::Instant::now());
            while start.elapsed() < time {
                std::hint::spin_loop();
            }
        }
    }
}

fn raise(signal: libc::c_int) {
    // SAFETY: no pointers; both signals take their default action.
    unsafe { libc::raise(signal) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_are_counted_watched_and_delayed_from_the_armed_one_on() {
        static WORD: AtomicU32 = AtomicU32::new(0);
        watch(&WORD);
        let (mark, time) = (Mark::ConsumerTold, Duration::from_millis(5));
        let before = passes(mark);
        arm(FailPoint { mark, pass: 2, action: Action::Delay(time) });
        pass(mark);
        assert_eq!(WORD.load(Relaxed), mark as u32);
        let start = std::time::Instant::now();
        pass(mark);
        pass(mark);
        assert!(start.elapsed() >= 2 * time);
        assert_eq!(passes(mark), before + 3);
    }
}
