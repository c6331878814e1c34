//! Endpoints: who has which side of a channel, and whether that process still exists.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | [`Endpoint`]: take a side of a channel, and give it back |
//! | [`peer`] | [`PeerView`]: what the other side can know about it |
//! | `candidate` | who is about to take a side, at once or as soon as it is free |
//! | [`slot`] | the words that say who has it, and whether it left in good order |
//! | [`time`] | moments in words |
//! | [`error`] | why a side cannot be taken |
//!
//! A side is held by a kernel lock on one byte of the segment's file, owned by an open description
//! that is used for nothing else and kept alive by a mapping of one page. The kernel releases it
//! when the process ends, however it ends: there are no heartbeats, no timeouts, no process ids that
//! may be reused, and a paused process keeps its side. A forked child gets neither descriptor nor
//! mapping, so it neither keeps the side from being released nor releases it.
//!
//! The slot in the segment says what the lock cannot: that the holder left in good order, who it is,
//! and since when it has been gone.
//!
//! | store | pairs with | makes visible |
//! |---|---|---|
//! | `endpoint.attach`, ACTIVE | `endpoint.state` | the entry: pid, program, time |
//! | `endpoint.close`, CLOSED | `endpoint.state` | everything the side did before it left |
//! | `endpoint.bury`, DEAD | `endpoint.state` | everything the dead side did, and when that was noticed |
//! | `endpoint.closing`, `endpoint.dated`, the moment of an end | `endpoint.ended` | that the state is no earlier holder's |
//! | `endpoint.rewrite`, fence behind ATTACHING | `endpoint.reread`, fence | that what was read of an entry may be another's |
//!
//! **What happens when a process dies here.** The lock goes; the slot stays ATTACHING or ACTIVE. Who
//! sees that state without a lock knows that the holder died, and says so in the slot for all others
//! ([`EndpointSlot::bury`](crate::segment::layout::EndpointSlot::bury)); the next to attach is told so
//! ([`Predecessor::Died`]) and repairs what was left. Dying between the first and the last store of
//! [`Endpoint::attach`] passes the duty on: ATTACHING counts as died, too.

mod candidate;
pub mod error;
pub mod peer;
pub mod slot;
pub mod time;

use candidate::Candidate;
pub use error::{AttachError, Holder};
pub use peer::{Condition, PeerView};

use crate::segment::holders::{self, Held};
use crate::segment::layout::EndpointSlot;
use crate::segment::{ChannelInfo, Segment};
use crate::system::mapping::Mapping;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use strait_pools::placement::MappedOne;

/// A side of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Role {
    /// Writes messages.
    Producer = 1,
    /// Reads messages.
    Consumer = 2,
}

impl Role {
    /// The side across the ring.
    pub fn other(self) -> Self {
        match self {
            Self::Producer => Self::Consumer,
            Self::Consumer => Self::Producer,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        })
    }
}

/// Who had the side before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Predecessor {
    /// Nobody: the channel is new.
    None,
    /// It left in good order.
    Closed,
    /// It died; what it was doing may be half done.
    Died {
        /// Its process id, in its own pid namespace.
        pid: u32,
    },
}

/// A side of a channel, held until dropped or until this process ends.
///
/// Dropping it says that the side was left in good order. In a forked child it is dead, and dropping
/// it does nothing.
#[derive(Debug)]
pub struct Endpoint {
    slot: MappedOne<EndpointSlot>,
    predecessor: Predecessor,
    epoch: u64,
    keep: Keep,
}

/// What the side is held by.
#[derive(Debug)]
enum Keep {
    /// The slot's page, and with it the kernel's lock.
    Process(Mapping),
    /// A place in the list of the segment's endpoints, which no other process has; and its memory.
    Thread { held: Held, slot: u32, memory: Arc<Mapping> },
}

impl Endpoint {
    /// Takes endpoint `slot` of the segment, in this role.
    ///
    /// Fails with [`AttachError::Held`] if another process, or this one, has it. A lock whose holder
    /// the entry does not tell is waited for, 100 ms at most: its holder is just signing or leaving, or
    /// it is kept for a moment by a child that another thread spawned and that has not called `exec`
    /// yet.
    pub fn attach(segment: &Segment, slot: u32, role: Role) -> Result<Self, AttachError> {
        let candidate = Candidate::new(segment, slot, role)?;
        let mut patience = 100;
        while !candidate.try_lock()? {
            if patience == 0 || candidate.finds_a_holder(segment) {
                return Err(AttachError::held(segment, slot, role));
            }
            patience -= 1;
            std::thread::sleep(Duration::from_millis(1));
        }
        candidate.sign()
    }

    /// Takes the first side of a channel of the segment that nobody has in this role; with its number
    /// among those.
    ///
    /// Fails with [`AttachError::AllHeld`] if there is none. A side whose holder is just signing or leaving
    /// counts as held.
    pub fn attach_any(
        segment: &Segment,
        info: &ChannelInfo,
        role: Role,
    ) -> Result<(u32, Self), AttachError> {
        for (slot, index) in info.sides(role).zip(0..) {
            let candidate = Candidate::new(segment, slot, role)?;
            if candidate.try_lock()? {
                return Ok((index, candidate.sign()?));
            }
        }
        Err(AttachError::all_held(segment, info, role))
    }

    /// Takes endpoint `slot` as soon as nobody has it: the kernel wakes the waiting thread as it
    /// releases the holder's lock. Of several that wait, one gets it and the others go on waiting.
    pub fn wait(segment: &Segment, slot: u32, role: Role) -> Result<Self, AttachError> {
        candidate::wait(segment, slot, role)
    }

    /// As [`wait`](Endpoint::wait), looking once a millisecond; `None` after `timeout`.
    pub fn wait_timeout(
        segment: &Segment,
        slot: u32,
        role: Role,
        timeout: Duration,
    ) -> Result<Option<Self>, AttachError> {
        candidate::wait_timeout(segment, slot, role, timeout)
    }

    /// The endpoint whose entry is signed and whose lock lasts as long as `keep`.
    fn new(slot: MappedOne<EndpointSlot>, role: Role, keep: Keep) -> Self {
        let (predecessor, epoch) = slot.sign(role);
        Self { slot, predecessor, epoch, keep }
    }

    /// Who had this side before.
    pub fn predecessor(&self) -> Predecessor {
        self.predecessor
    }

    /// How many times somebody took this side; this time included.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether this process is a forked child, which does not have the endpoint, nor the segment.
    /// One load of local memory.
    #[inline]
    pub fn forked(&self) -> bool {
        match &self.keep {
            Keep::Process(mapping) => mapping.guard().forked(),
            Keep::Thread { memory, .. } => memory.guard().forked(),
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if !self.forked() {
            // Before the lock goes, so that nobody takes a closed side for a dead one.
            self.slot.close();
            if let Keep::Thread { held, slot, .. } = &self.keep {
                holders::release(held, *slot);
            }
        }
    }
}
