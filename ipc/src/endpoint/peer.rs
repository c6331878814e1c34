//! What can be known about the holder of a side.

use super::error::{AttachError, Holder};
use crate::segment::Segment;
use crate::segment::layout::EndpointSlot;
use crate::system::process;
use std::sync::Arc;
use strait_pools::environment::{Liveness, Peer};
use strait_pools::placement::MappedOne;

/// Watches one endpoint from outside. Costs the watched side nothing.
#[derive(Clone, Debug)]
pub struct PeerView {
    // Dropped before the segment it points into.
    entry: MappedOne<EndpointSlot>,
    slot: u32,
    segment: Arc<Segment>,
}

/// How a side is doing, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nobody has attached yet.
    Absent,
    /// Held by a process that exists.
    Alive,
    /// Held by a process that is stopped, by a signal or a debugger. It keeps the side.
    ///
    /// A hint: its process id may belong to another pid namespace.
    Paused,
    /// Left in good order.
    Closed,
    /// Its process ended without closing.
    Died,
}

impl Condition {
    /// How a holder in this standing is doing; `pid` is asked for only if it is alive.
    pub(crate) fn of(standing: Peer, pid: impl FnOnce() -> u32) -> Self {
        match standing {
            Peer::Absent => Self::Absent,
            Peer::Closed => Self::Closed,
            Peer::Died => Self::Died,
            Peer::Alive if process::is_paused(pid()) => Self::Paused,
            Peer::Alive => Self::Alive,
        }
    }

    /// Whether its process exists, and has not left: a paused one keeps the side.
    pub fn lives(self) -> bool {
        matches!(self, Self::Alive | Self::Paused)
    }
}

impl PeerView {
    /// Watches endpoint `slot` of the segment. Fails if it has fewer.
    pub fn new(segment: &Arc<Segment>, slot: u32) -> Result<Self, AttachError> {
        if segment.guard().forked() {
            return Err(AttachError::Forked);
        }
        // SAFETY: the view keeps the segment alive and hands out no clone but with it.
        let entry = unsafe { segment.slot(slot) };
        let entry = entry.ok_or_else(|| AttachError::no_such_slot(segment, slot))?;
        Ok(Self { entry, slot, segment: Arc::clone(segment) })
    }

    /// The endpoint's number.
    pub(crate) fn slot(&self) -> u32 {
        self.slot
    }

    /// Who holds it, or held it last.
    pub fn details(&self) -> Holder {
        self.entry().1
    }

    /// What memory says about the holder, and who that is.
    pub(crate) fn entry(&self) -> (Peer, Holder) {
        if self.segment.guard().forked() {
            return (Peer::Absent, Holder::default());
        }
        // Each attempt that fails is another process attaching; a damaged slot must not keep us.
        for _ in 0..1000 {
            let state = self.entry.state();
            if let Some(holder) = self.entry.holder(state) {
                let standing = state.standing();
                // Memory cannot be told of a death through a segment that is only looked at.
                let asked = standing == Peer::Alive && !self.segment.writable();
                return (if asked { self.probe() } else { standing }, holder);
            }
        }
        (Peer::Alive, Holder::default())
    }

    /// How many times somebody had attached.
    pub(crate) fn epoch(&self) -> u64 {
        self.entry.state().epoch()
    }

    /// Whether memory says that the holder of this epoch has it. The process is no forked child.
    pub(crate) fn is_held_by(&self, epoch: u64) -> bool {
        let state = self.entry.state();
        state.epoch() == epoch && state.standing() == Peer::Alive
    }

    /// Whether it is attached, paused, closed or dead.
    pub fn condition(&self) -> Condition {
        Condition::of(self.probe(), || self.details().pid)
    }
}

impl Liveness for PeerView {
    fn glance(&self) -> Peer {
        // A forked child does not have the memory. To it, nobody is there.
        if self.segment.guard().forked() {
            return Peer::Absent;
        }
        self.entry.standing()
    }

    fn probe(&self) -> Peer {
        if self.segment.guard().forked() {
            return Peer::Absent;
        }
        // When in doubt it lives: nobody is robbed because a query failed.
        let lock = || self.segment.holders().is_held(self.slot).unwrap_or(true);
        if !self.segment.writable() {
            let standing = self.entry.standing();
            return if standing == Peer::Alive && !lock() { Peer::Died } else { standing };
        }
        self.entry.probe(lock).standing()
    }
}
