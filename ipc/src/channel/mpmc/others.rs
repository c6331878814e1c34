//! Who else is at a channel, and whether they live.

use crate::channel::link::{End, leave};
use crate::channel::together;
use crate::channel::wait::Patience;
use crate::endpoint::{AttachError, Endpoint, PeerView, Role};
use crate::ring::mpmc::Parties;
use crate::segment::holders::Hold;
use crate::segment::{ChannelInfo, Segment};
use crate::system::fork::Guard;
use std::sync::Arc;
use strait_pools::environment::{Liveness, Peer};

/// All sides of a channel in one role.
#[derive(Debug)]
pub(in crate::channel) struct Sides(Vec<PeerView>);

impl Sides {
    fn new(segment: &Arc<Segment>, info: &ChannelInfo, role: Role) -> Result<Self, AttachError> {
        info.sides(role)
            .map(|slot| PeerView::new(segment, slot))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn lives(&self, index: u64) -> bool {
        // There may be fewer sides than lines: the others' are nobody's.
        let view = usize::try_from(index).ok().and_then(|index| self.0.get(index));
        view.is_some_and(|view| view.probe() == Peer::Alive)
    }

    pub(in crate::channel) fn views(&self) -> &[PeerView] {
        &self.0
    }
}

/// As a whole: a side waits for any of those across the ring.
impl Liveness for Sides {
    fn glance(&self) -> Peer {
        together::standing(self.0.iter(), PeerView::glance)
    }

    fn probe(&self) -> Peer {
        together::standing(self.0.iter(), PeerView::probe)
    }
}

/// One side's tie to its channel, and to all others.
#[derive(Debug)]
pub(in crate::channel) struct Tie {
    pub(in crate::channel) guard: Guard,
    pub(in crate::channel) channel: String,
    pub(in crate::channel) patience: Patience,
    role: Role,
    /// `None` only while dropping.
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    endpoint: Option<Endpoint>,
    senders: Sides,
    receivers: Sides,
    /// The turn to repair is taken with this.
    repair: Hold,
    segment: Arc<Segment>,
}

impl Tie {
    pub(in crate::channel) fn new(
        segment: Arc<Segment>,
        info: &ChannelInfo,
        endpoint: Endpoint,
        role: Role,
        patience: Patience,
    ) -> Result<Self, AttachError> {
        let action = "reopen the segment";
        let repair = segment.holders().hold();
        let held = Held {
            endpoint: Some(endpoint),
            senders: Sides::new(&segment, info, Role::Producer)?,
            receivers: Sides::new(&segment, info, Role::Consumer)?,
            repair: repair.map_err(|source| AttachError::System { action, source })?,
            segment,
        };
        let (guard, channel) = (held.segment.guard(), info.label().to_owned());
        Ok(Self { guard, channel, patience, role, held: Some(held) })
    }

    /// The memory.
    pub(in crate::channel) fn segment(&self) -> &Segment {
        &self.held().segment
    }

    fn held(&self) -> &Held {
        self.held.as_ref().expect("a side is tied until it is dropped")
    }

    /// Those across the ring.
    pub(in crate::channel) fn others(&self) -> &Sides {
        match self.role {
            Role::Producer => &self.held().receivers,
            Role::Consumer => &self.held().senders,
        }
    }

    /// How all those across the ring ended, if memory says that they did.
    #[cold]
    pub(in crate::channel) fn ended(&self) -> Option<End> {
        together::end(self.others().0.iter(), &self.channel)
    }

    /// Says that this side was left in good order. What is mapped stays mapped.
    pub(in crate::channel) fn close(&mut self) {
        if let Some(held) = &mut self.held {
            held.endpoint = None;
        }
    }
}

impl Parties for Tie {
    fn sender_lives(&self, index: u64) -> bool {
        self.held().senders.lives(index)
    }

    fn receiver_lives(&self, index: u64) -> bool {
        self.held().receivers.lives(index)
    }

    fn alone<R>(&self, work: impl FnOnce() -> R) -> Option<R> {
        let Held { repair, segment, .. } = self.held();
        // When in doubt, somebody else repairs.
        if !repair.try_lock(segment.turn()).unwrap_or(false) {
            return None;
        }
        let result = work();
        // What cannot be unlocked is unlocked when this side is left.
        let _ = repair.unlock(segment.turn());
        Some(result)
    }
}

impl Drop for Tie {
    /// Closes this side, and removes the segment if nobody uses it and everything was read.
    fn drop(&mut self) {
        let Some(Held { endpoint, senders, receivers, segment, .. }) = self.held.take() else {
            return;
        };
        drop(endpoint);
        drop((senders, receivers));
        leave(segment);
    }
}
