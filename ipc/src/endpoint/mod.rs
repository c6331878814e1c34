//! Endpoints: who has which side of a channel, and whether that process still exists.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | [`Endpoint`]: take a side of a channel, and give it back |
//! | [`peer`] | [`PeerView`]: what the other side can know about it |
//! | [`slot`] | the words that say who has it, and whether it left in good order |
//! | [`error`] | why a side cannot be taken |
//!
//! A side is held by a kernel lock on one byte of the segment's file, owned by an open description
//! that is used for nothing else and kept alive by a mapping of one page. The kernel releases it
//! when the process ends, however it ends: there are no heartbeats, no timeouts, no process ids that
//! may be reused, and a paused process keeps its side. A forked child gets neither descriptor nor
//! mapping, so it neither keeps the side from being released nor releases it.
//!
//! The slot in the segment says what the lock cannot: that the holder left in good order, and who it
//! is.
//!
//! | store | pairs with | makes visible |
//! |---|---|---|
//! | `endpoint.attach`, ACTIVE | `endpoint.state` | the entry: pid, program, time, epoch |
//! | `endpoint.close`, CLOSED | `endpoint.state` | everything the side did before it left |
//!
//! **What happens when a process dies here.** The lock goes; the slot stays ATTACHING or ACTIVE. Who
//! sees that state without a lock knows that the holder died; the next to attach is told so
//! ([`Predecessor::Died`]) and repairs what was left. Dying between the first and the last store of
//! [`Endpoint::attach`] passes the duty on: ATTACHING counts as died, too.

pub mod error;
pub mod peer;
pub mod slot;
mod time;

pub use error::{AttachError, Holder};
pub use peer::{Condition, PeerView};

use crate::segment::Segment;
use crate::segment::layout::{EndpointSlot, endpoint_byte};
use crate::system::mapping::Mapping;
use crate::system::{file, lock};
use std::fmt;
use std::io;
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
    /// The slot's page, and with it the lock.
    mapping: Mapping,
}

impl Endpoint {
    /// Takes endpoint `slot` of the segment, in this role.
    ///
    /// Fails with [`AttachError::Held`] if another process, or this one, has it. A lock without a
    /// live entry is waited for, 100 ms at most: its holder is just signing or leaving, or it is
    /// kept for a moment by a child that another thread spawned and that has not called `exec` yet.
    pub fn attach(segment: &Segment, slot: u32, role: Role) -> Result<Self, AttachError> {
        if segment.guard().forked() {
            return Err(AttachError::Forked);
        }
        let offset =
            segment.slot_offset(slot).ok_or_else(|| AttachError::no_such_slot(segment, slot))?;
        let failed = |action| move |source: io::Error| AttachError::System { action, source };
        let own = file::reopen(segment.probe()).map_err(failed("reopen the segment"))?;
        let mut patience = 100;
        while !lock::try_lock(&own, endpoint_byte(slot), lock::Mode::Exclusive)
            .map_err(failed("lock the endpoint"))?
        {
            if patience == 0 || is_signed(segment, slot) {
                return Err(AttachError::held(segment, slot, role));
            }
            patience -= 1;
            std::thread::sleep(Duration::from_millis(1));
        }
        // The page that holds the slot; the descriptor is closed on return.
        let page = rustix::param::page_size();
        let start = offset - offset % page as u64;
        let mapping = Mapping::new(&own, start, page).map_err(failed("map the endpoint"))?;
        // Less than a page.
        #[allow(clippy::cast_possible_truncation)]
        let offset = (offset - start) as usize;
        // SAFETY: the endpoint owns the mapping, uses the slot only while it has it, and hands out
        // no clone of it.
        let slot = unsafe { MappedOne::<EndpointSlot>::new(&mapping.region(), offset) };
        let slot = slot.ok_or(AttachError::System {
            action: "map the endpoint",
            source: io::ErrorKind::InvalidData.into(),
        })?;
        let (predecessor, epoch) = slot.sign(role);
        Ok(Self { slot, predecessor, epoch, mapping })
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
        self.mapping.guard().forked()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if !self.forked() {
            // Before the lock goes, so that nobody takes a closed side for a dead one.
            self.slot.close();
        }
    }
}

/// Whether the entry says that somebody is attached.
fn is_signed(segment: &Segment, slot: u32) -> bool {
    // SAFETY: used only in this function, while the segment is borrowed.
    let entry = unsafe { segment.slot(slot) };
    entry.is_some_and(|entry| entry.signed())
}
