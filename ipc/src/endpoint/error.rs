//! Why a side of a channel cannot be taken.

use super::{Role, time};
use crate::segment::{ChannelInfo, Segment};
use crate::system::process;
use std::fmt;
use std::io;
use thiserror::Error;

/// Why an endpoint could not be attached.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AttachError {
    /// Somebody else has it.
    #[error("`{channel}` already has a {role}: {}", who(holder.as_ref()))]
    Held {
        /// The channel's label.
        channel: String,
        /// The side.
        role: Role,
        /// Who has it; `None` if it has not written its entry yet.
        holder: Option<Holder>,
    },
    /// Others have all sides in this role.
    #[error("`{channel}` already has its {} {role}s: {}", holders.len(), all(holders))]
    AllHeld {
        /// The channel's label.
        channel: String,
        /// The sides.
        role: Role,
        /// Who has them, as far as they have written it.
        holders: Vec<Option<Holder>>,
    },
    /// This process is a forked child.
    #[error(
        "this process was forked from the one that opened the segment, and does not have it: open \
         it again in the child"
    )]
    Forked,
    /// The segment has fewer endpoints.
    #[error("there is no endpoint {slot}: the segment has {count}, counted from 0")]
    NoSuchSlot {
        /// The endpoint asked for.
        slot: u32,
        /// Endpoints in the segment.
        count: u32,
    },
    /// A system call failed.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl AttachError {
    pub(super) fn no_such_slot(segment: &Segment, slot: u32) -> Self {
        Self::NoSuchSlot { slot, count: segment.endpoint_count() }
    }

    pub(super) fn all_held(segment: &Segment, info: &ChannelInfo, role: Role) -> Self {
        // SAFETY: used only in this function, while the segment is borrowed.
        let entry = |slot| unsafe { segment.slot(slot) };
        let holders = info.sides(role).map(|slot| entry(slot).and_then(|entry| entry.signed()));
        Self::AllHeld { channel: info.label().to_owned(), role, holders: holders.collect() }
    }

    pub(super) fn held(segment: &Segment, slot: u32, role: Role) -> Self {
        let mut channels = segment.channels().iter();
        let channel = channels.find(|channel| channel.endpoints().contains(&slot));
        // SAFETY: used only in this function, while the segment is borrowed.
        let entry = unsafe { segment.slot(slot) };
        Self::Held {
            channel: channel.map_or_else(String::new, |channel| channel.label().to_owned()),
            role,
            holder: entry.and_then(|entry| entry.signed()),
        }
    }
}

/// Who has, or had, an endpoint: what it wrote into its entry. All zero before the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Process id, in its own pid namespace.
    pub pid: u32,
    /// The file name of its program, at most 32 bytes of it.
    pub program: String,
    /// When it attached, in nanoseconds since 1970-01-01 00:00 UTC.
    pub since_unix_ns: u64,
    /// When it closed, or was noticed to be dead; `None` while it is neither.
    pub ended_unix_ns: Option<u64>,
    /// How many times somebody had attached by then.
    pub epoch: u64,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = time::utc(self.since_unix_ns);
        write!(f, "pid {} {}, since {since}", self.pid, self.program)
    }
}

impl Holder {
    /// "at 09:12:31 UTC": when it closed or was noticed to be dead.
    pub fn ended(&self) -> impl fmt::Display + use<> {
        let ended = self.ended_unix_ns.unwrap_or_else(process::unix_nanoseconds);
        format!("at {}", time::utc(ended))
    }
}

fn who(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "a process that is attaching just now".to_owned(), Holder::to_string)
}

fn all(holders: &[Option<Holder>]) -> String {
    let all: Vec<_> = holders.iter().map(|holder| who(holder.as_ref())).collect();
    all.join("; ")
}
