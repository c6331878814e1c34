//! Where a thread runs.

use super::error::Refusal;
use super::list::List;
use core_affinity::CoreId;
use rustix::thread::{CpuSet, sched_getaffinity};

/// Pins the calling thread to `core` and reads back where it may run.
pub(super) fn pin(core: usize) -> Result<(), Refusal> {
    let refused = |got| Refusal::Core { asked: core, got };
    // Beyond the set, `core_affinity` would index out of it.
    let known = core < CpuSet::MAX_CPU && core_affinity::set_for_current(CoreId { id: core });
    let got = allowed();
    if known && got.numbers() == [core] { Ok(()) } else { Err(refused(got)) }
}

/// The processors that the calling thread may run on.
fn allowed() -> List {
    // It fails only on machines with more processors than a set holds.
    let set = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    (0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect()
}
