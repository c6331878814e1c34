//! Marks that do something: a process that kills itself, stops itself or dawdles at a chosen step.
//!
//! Tests arm marks in the process under test, by [`arm`] or from a line of text
//! (`producer-written:17:kill`, see [`FailPoint`]), and may have it note in shared memory which mark
//! it passed last ([`watch`]): whoever kills it from outside can then tell in which step it died.
//!
//! Without the feature none of this exists, and a mark is no code at all.

use super::Mark;
use std::fmt;
use std::str::FromStr;
// Local to the process under test, in no ring and in no model: the plain atomics, not the façade.
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What a process does at a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Kills itself with SIGKILL.
    Kill,
    /// Stops itself with SIGSTOP, until somebody sends SIGCONT.
    Pause,
    /// Spins for this long, at this pass and at every later one.
    Delay(Duration),
}

/// A mark, which pass of it, and what to do there: `<mark>:<pass>:kill`, `…:pause` or
/// `…:delay=<microseconds>`. Passes count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailPoint {
    /// Where.
    pub mark: Mark,
    /// At which pass, counted from 1.
    pub pass: u64,
    /// What.
    pub action: Action,
}

/// A text that is no [`FailPoint`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAFailPoint(String);

impl fmt::Display for NotAFailPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = "<mark>:<pass from 1>:<kill | pause | delay=microseconds>";
        write!(f, "`{}` is no fail point: write {expected}", self.0)
    }
}

impl std::error::Error for NotAFailPoint {}

impl FromStr for FailPoint {
    type Err = NotAFailPoint;

    fn from_str(text: &str) -> Result<Self, NotAFailPoint> {
        let parse = || {
            let mut parts = text.split(':');
            let mark = Mark::from_name(parts.next()?)?;
            let pass = parts.next()?.parse().ok().filter(|&pass| pass > 0)?;
            let action = match parts.next()? {
                "kill" => Action::Kill,
                "pause" => Action::Pause,
                delay => {
                    let microseconds = delay.strip_prefix("delay=")?.parse().ok()?;
                    Action::Delay(Duration::from_micros(microseconds))
                }
            };
            parts.next().is_none().then_some(Self { mark, pass, action })
        };
        parse().ok_or_else(|| NotAFailPoint(text.to_owned()))
    }
}

impl fmt::Display for FailPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.mark.name(), self.pass)?;
        match self.action {
            Action::Kill => f.write_str("kill"),
            Action::Pause => f.write_str("pause"),
            Action::Delay(time) => write!(f, "delay={}", time.as_micros()),
        }
    }
}

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
static POINTS: [Point; 128] = [const {
    Point { at: AtomicU64::new(0), action: AtomicU64::new(0), passed: AtomicU64::new(0) }
}; 128];

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
    let passed = point.passed.fetch_add(1, Relaxed) + 1;
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
    fn texts_lead_back() {
        for text in ["producer-written:17:kill", "burial-dated:1:pause", "consumer-told:3:delay=50"]
        {
            assert_eq!(text.parse::<FailPoint>().unwrap().to_string(), text);
        }
        for text in ["", "producer-written", "producer-written:0:kill", "nowhere:1:kill"] {
            assert!(text.parse::<FailPoint>().is_err(), "{text}");
        }
        let wrong = "consumer-told:1:explode".parse::<FailPoint>().unwrap_err();
        assert!(wrong.to_string().starts_with("`consumer-told:1:explode` is no fail point"));
    }

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
