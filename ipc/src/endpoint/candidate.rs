//! A process about to take a side, at once or when it becomes free.

use super::{AttachError, Endpoint, Keep, Role};
use crate::segment::Segment;
use crate::segment::holders::{Hold, Holders};
use crate::segment::layout::{EndpointSlot, endpoint_byte};
use crate::system::mapping::Mapping;
use crate::system::{file, lock, process};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strait_pools::marks::{Mark, pass};
use strait_pools::placement::MappedOne;

/// Has the description whose lock will make it the holder, and has not locked it yet.
///
/// It lives for a moment only: a child forked meanwhile would share the description, and keep the lock
/// after this process's death.
#[derive(Debug)]
pub(super) struct Candidate {
    hold: Hold,
    /// The segment's, used where the side needs no mapping of its own.
    memory: Arc<Mapping>,
    slot: u32,
    /// Where the slot is in the file.
    offset: u64,
    role: Role,
}

fn failed(action: &'static str) -> impl FnOnce(io::Error) -> AttachError {
    move |source| AttachError::System { action, source }
}

impl Candidate {
    pub(super) fn new(segment: &Segment, slot: u32, role: Role) -> Result<Self, AttachError> {
        if segment.guard().forked() {
            return Err(AttachError::Forked);
        }
        let offset = segment.slot_offset(slot);
        let offset = offset.ok_or_else(|| AttachError::no_such_slot(segment, slot))?;
        let hold = segment.holders().hold().map_err(failed("reopen the segment"))?;
        Ok(Self { hold, memory: Arc::clone(segment.memory()), slot, offset, role })
    }

    /// Takes the side's lock if it is free.
    pub(super) fn try_lock(&self) -> Result<bool, AttachError> {
        self.hold.try_lock(self.slot).map_err(failed("lock the endpoint"))
    }

    /// Whether the entry says who has the side. One that a dead process left does not: somebody else
    /// has the lock, and is about to sign. (A process of another pid namespace looks dead.)
    pub(super) fn finds_a_holder(&self, segment: &Segment) -> bool {
        // SAFETY: used only in this function, while the segment is borrowed.
        let entry = unsafe { segment.slot(self.slot) };
        let holder = entry.and_then(|entry| entry.signed());
        holder.is_some_and(|holder| process::exists(holder.pid))
    }

    /// Becomes the holder. The lock is held.
    pub(super) fn sign(self) -> Result<Endpoint, AttachError> {
        pass(Mark::EndpointLocked);
        let own = match self.hold {
            Hold::Process(own) => own,
            Hold::Thread(held) => {
                let slot = at(&self.memory, self.offset)?;
                let keep = Keep::Thread { held, slot: self.slot, memory: self.memory };
                return Ok(Endpoint::new(slot, self.role, keep));
            }
        };
        // The page that holds the slot; the descriptor is closed on return.
        let page = rustix::param::page_size();
        let start = self.offset - self.offset % page as u64;
        let mapping = Mapping::new(&own, start, page).map_err(failed("map the endpoint"))?;
        let slot = at(&mapping, self.offset - start)?;
        Ok(Endpoint::new(slot, self.role, Keep::Process(mapping)))
    }
}

/// The slot at an offset in a mapping that the endpoint will own.
fn at(mapping: &Mapping, offset: u64) -> Result<MappedOne<EndpointSlot>, AttachError> {
    let missing = || AttachError::System {
        action: "map the endpoint",
        source: io::ErrorKind::InvalidData.into(),
    };
    let offset = usize::try_from(offset).map_err(|_| missing())?;
    // SAFETY: the endpoint owns the mapping, uses the slot only while it has it, and hands out
    // no clone of it.
    unsafe { MappedOne::<EndpointSlot>::new(&mapping.region(), offset) }.ok_or_else(missing)
}

/// Takes the side as soon as it is free: the kernel wakes the waiting thread as it releases the
/// holder's lock.
pub(super) fn wait(segment: &Segment, slot: u32, role: Role) -> Result<Endpoint, AttachError> {
    let Holders::Processes(probe) = segment.holders() else {
        loop {
            if let Some(endpoint) = wait_timeout(segment, slot, role, Duration::from_secs(60))? {
                return Ok(endpoint);
            }
        }
    };
    // Waited with through another description than the one to hold the side by: a child forked during
    // the wait shares this one.
    let bell = file::reopen(probe).map_err(failed("reopen the segment"))?;
    loop {
        lock::wait_exclusively(&bell, endpoint_byte(slot))
            .map_err(failed("wait for the endpoint's lock"))?;
        let candidate = Candidate::new(segment, slot, role)?;
        lock::unlock(&bell, endpoint_byte(slot)).map_err(failed("unlock the endpoint"))?;
        if candidate.try_lock()? {
            return candidate.sign();
        }
    }
}

/// As [`wait`], for `timeout` at most; looks once a millisecond.
pub(super) fn wait_timeout(
    segment: &Segment,
    slot: u32,
    role: Role,
    timeout: Duration,
) -> Result<Option<Endpoint>, AttachError> {
    let start = Instant::now();
    loop {
        let held = segment.holders().is_held(slot);
        if !held.map_err(failed("look at the endpoint's lock"))? {
            let candidate = Candidate::new(segment, slot, role)?;
            if candidate.try_lock()? {
                return candidate.sign().map(Some);
            }
        }
        let left = timeout.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        std::thread::sleep(left.min(Duration::from_millis(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Predecessor;
    use crate::ring::geometry::{CellFormat, Geometry};
    use crate::segment::{ChannelSpec, MapOptions, SegmentSpec};
    use strait_pools::sync::Ordering::Relaxed;

    /// No process has it: the kernel's are positive as signed numbers.
    const NOBODY: u32 = u32::MAX;

    fn segment() -> Segment {
        let channel = ChannelSpec {
            label: "orders",
            geometry: Geometry::new(2, CellFormat::Wide { bytes: 64 }).unwrap(),
            fingerprint: 1,
            schema: "u64",
        };
        let spec = SegmentSpec { channels: &[channel] };
        Segment::in_memory(&spec, MapOptions::default()).unwrap()
    }

    #[test]
    fn a_side_that_another_is_just_taking_from_the_dead_is_waited_for() {
        let segment = segment();
        // SAFETY: the segment outlives it.
        let entry = unsafe { segment.slot(0) }.unwrap();
        entry.sign(Role::Producer);
        entry.pid.store(NOBODY, Relaxed);
        let other = Candidate::new(&segment, 0, Role::Producer).unwrap();
        assert!(other.try_lock().unwrap());
        std::thread::scope(|scope| {
            let attaching = scope.spawn(|| Endpoint::attach(&segment, 0, Role::Producer));
            std::thread::sleep(Duration::from_millis(5));
            // It dies as well, before it has signed.
            drop(other);
            let endpoint = attaching.join().unwrap().unwrap();
            assert_eq!(endpoint.predecessor(), Predecessor::Died { pid: NOBODY });
        });
    }

    #[test]
    fn of_several_that_wait_each_gets_the_side_in_the_end() {
        let segment = segment();
        let first = Endpoint::attach(&segment, 1, Role::Consumer).unwrap();
        std::thread::scope(|scope| {
            let wait = || wait(&segment, 1, Role::Consumer).unwrap().epoch();
            let waiting: Vec<_> = (0..4).map(|_| scope.spawn(wait)).collect();
            drop(first);
            let mut epochs: Vec<u64> = waiting.into_iter().map(|t| t.join().unwrap()).collect();
            epochs.sort_unstable();
            assert_eq!(epochs, [2, 3, 4, 5]);
        });
    }
}
