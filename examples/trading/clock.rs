//! The clock both processes share, and the cores they do not.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of the monotonic clock, which is the same for every process of this machine.
#[inline]
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    part(now.tv_sec) * 1_000_000_000 + part(now.tv_nsec)
}

/// Pins this thread to the `index`-th of the cores it may run on. Does nothing where there is only
/// one, and nothing where the kernel refuses: a run without pinning is slower, not wrong.
pub(crate) fn pin_to_core(index: usize) {
    let Ok(allowed) = sched_getaffinity(None) else { return };
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect();
    if let [_, _, ..] = cores[..] {
        let mut only = CpuSet::new();
        only.set(cores[index % cores.len()]);
        let _ = sched_setaffinity(None, &only);
    }
}
