//! Time as both processes read it, and the times at which a thread did not get to run.

use anyhow::{Result, ensure};
use core_affinity::CoreId;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a side waits for the other before it takes it for stuck.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the tick rate is measured.
const CALIBRATION: Duration = Duration::from_millis(20);

/// What the processor's tick counter counts. The same in every process of the machine.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Clock {
    ns_per_tick: f64,
    /// A thread that polls without pause and sees the counter jump by more was not running.
    gap: Duration,
}

/// A stretch of ticks in which a thread did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// When it last ran.
    pub from: u64,
    /// When it ran again.
    pub to: u64,
}

impl Clock {
    /// Measures the tick rate against the monotonic clock. A jump of more than `gap` between two polls
    /// will be taken for a time in which the thread did not run.
    #[must_use]
    pub fn calibrate(gap: Duration) -> Self {
        let (began_ns, began) = (monotonic_ns(), ticks());
        let mut now_ns = began_ns;
        while u128::from(now_ns - began_ns) < CALIBRATION.as_nanos() {
            now_ns = monotonic_ns();
        }
        let passed = ticks().saturating_sub(began).max(1);
        Self { ns_per_tick: (now_ns - began_ns) as f64 / passed as f64, gap }
    }

    /// Nanoseconds in `ticks`.
    #[must_use]
    pub fn ns(self, ticks: u64) -> f64 {
        ticks as f64 * self.ns_per_tick
    }

    /// Ticks in a duration.
    #[must_use]
    pub fn ticks_in(self, duration: Duration) -> u64 {
        let ticks = duration.as_nanos() as f64 / self.ns_per_tick;
        // Durations here are minutes at most.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let ticks = ticks as u64;
        ticks
    }
}

fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

/// The tick counter, read once everything before it has happened.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[must_use]
pub fn ticks() -> u64 {
    let mut core = 0;
    // SAFETY: `core` is a place for the core's number; every x86-64 processor of the last fifteen
    // years has the instruction.
    unsafe { std::arch::x86_64::__rdtscp(&raw mut core) }
}

/// The tick counter: here, the monotonic clock's nanoseconds.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
#[must_use]
pub fn ticks() -> u64 {
    monotonic_ns()
}

/// Looks at the clock between polls and notes when it has jumped.
#[derive(Debug)]
pub(super) struct Watch {
    last: u64,
    threshold: u64,
    patience: u64,
    gaps: Vec<Gap>,
}

impl Watch {
    pub(super) fn start(clock: Clock) -> Self {
        let (threshold, patience) = (clock.ticks_in(clock.gap), clock.ticks_in(PATIENCE));
        // Touched beforehand: a page fault would be a gap.
        let mut gaps = vec![Gap { from: 1, to: 1 }; 1 << 14];
        std::hint::black_box(&mut gaps).clear();
        Self { last: ticks(), threshold, patience, gaps }
    }

    /// The time; since the last look the thread ran, or a gap is noted.
    #[inline(always)]
    pub(super) fn look(&mut self) -> u64 {
        let now = ticks();
        if now.wrapping_sub(self.last) > self.threshold {
            self.note(now);
        }
        self.last = now;
        now
    }

    /// As [`look`](Watch::look), for one who has been waiting since `since`.
    #[inline(always)]
    pub(super) fn wait(&mut self, since: u64) -> Result<()> {
        let waited = self.look().wrapping_sub(since);
        ensure!(waited < self.patience, STUCK);
        Ok(())
    }

    #[cold]
    fn note(&mut self, now: u64) {
        // A counter that another core has read a moment later is not a gap.
        if now > self.last {
            self.gaps.push(Gap { from: self.last, to: now });
        }
    }

    pub(super) fn into_gaps(self) -> Vec<Gap> {
        self.gaps
    }
}

const STUCK: &str = "the other side has not answered for ten seconds";

/// Polls until there is a result, with nothing between the polls.
///
/// # Errors
///
/// That of a poll; or ten seconds have passed.
#[inline(always)]
pub fn spin<R>(mut poll: impl FnMut() -> Result<Option<R>>) -> Result<R> {
    const BURST: u32 = 1 << 16;
    let mut began = None;
    loop {
        for _ in 0..BURST {
            if let Some(result) = poll()? {
                return Ok(result);
            }
        }
        out_of_patience(&mut began)?;
    }
}

#[cold]
fn out_of_patience(began: &mut Option<std::time::Instant>) -> Result<()> {
    let began = began.get_or_insert_with(std::time::Instant::now);
    ensure!(began.elapsed() < PATIENCE, STUCK);
    Ok(())
}

/// The cores this process may run on.
#[must_use]
pub fn cores() -> Vec<usize> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    cores.into_iter().map(|core| core.id).collect()
}

/// Keeps the calling thread on one core.
///
/// # Errors
///
/// The kernel refuses: there is no such core, or this process may not use it.
pub fn pin(core: usize) -> Result<()> {
    let pinned = core_affinity::set_for_current(CoreId { id: core });
    ensure!(pinned, "cannot run on core {core}: this process may use {:?}", cores());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_time() {
        let clock = Clock::calibrate(Duration::from_micros(1));
        let began = ticks();
        std::thread::sleep(Duration::from_millis(20));
        let slept = clock.ns(ticks() - began);
        assert!((15e6..20e9).contains(&slept), "{slept} ns");
    }

    #[test]
    fn a_pause_is_a_gap() {
        let clock = Clock::calibrate(Duration::from_micros(1));
        let mut watch = Watch::start(clock);
        std::thread::sleep(Duration::from_millis(2));
        let now = watch.look();
        let gaps = watch.into_gaps();
        let last = gaps.last().unwrap();
        assert_eq!(last.to, now);
        assert!(clock.ns(last.to - last.from) > 1.9e6);
    }
}
