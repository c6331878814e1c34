//! What has gone through a channel, and what is in it, read from its file.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | [`Flow`], whatever the discipline |
//! | `cells` | how far the cells of a ring were published |
//! | `ring` | a ring of one sender and one receiver: alone, as a lane, or of calls |
//! | `mpmc` | a ring for several on both sides |
//! | `broadcast` | a ring whose readers have cursors of their own |
//! | `latest` | the latest value of each key |

pub(super) mod broadcast;
mod cells;
mod latest;
mod mpmc;
mod ring;

pub use broadcast::ReaderFlow;
pub use latest::Values;
pub use ring::LaneFlow;

use super::{Side, read_array};
use crate::ring::geometry::Discipline;
use crate::ring::spsc::{Corrupt, ahead};
use crate::segment::codec::Channel;
use std::fs::File;
use std::io;

/// What has gone through a channel, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Messages that were sent since the segment was made; of latest values, how often one was set.
    pub sent: u64,
    /// Messages that were sent and not read; or which word makes no sense, and so keeps that from
    /// being known.
    ///
    /// Of a broadcast: those that the slowest reader that is waited for has not read; if nobody is waited
    /// for, those that no known reader has. Of latest values: the keys that have one.
    pub unread: Result<u64, Corrupt>,
    /// Messages that were read, since the segment was made: of a broadcast, by the reader that is furthest.
    /// Of latest values nobody knows, and it is 0.
    pub consumed: u64,
    /// Messages dropped because the ring was full.
    pub dropped: u64,
    /// How many producers there have been, present ones included.
    pub producers: u64,
    /// How many consumers there have been, present ones included.
    pub consumers: u64,
    /// What there is to tell of its parts.
    pub parts: Parts,
}

/// What a channel's flow is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parts {
    /// One ring of one sender and one receiver.
    Pair,
    /// Of lanes and of calls: the ring of each sender that ever was, in the order of their sides.
    Lanes(Vec<LaneFlow>),
    /// Of a ring for several on both sides: messages in the hands of receivers.
    InHand(u64),
    /// Of a broadcast: its known readers, present ones and former ones.
    Readers(Vec<ReaderFlow>),
    /// Of latest values.
    Values(Values),
}

impl Flow {
    /// Looks at a channel of a validated segment; `None` if it is a directory.
    pub(super) fn read(file: &File, channel: &Channel, sides: &[Side]) -> io::Result<Option<Self>> {
        Ok(Some(match channel.geometry.discipline() {
            Discipline::Spsc => ring::pair(file, channel, sides)?,
            Discipline::Lanes { .. } | Discipline::Calls { .. } => {
                ring::lanes(file, channel, sides)?
            }
            Discipline::Mpmc { senders, receivers } => {
                mpmc::read(file, channel, (senders, receivers), sides)?
            }
            Discipline::Broadcast { readers } => broadcast::read(file, channel, readers, sides)?,
            Discipline::Latest => latest::read(file, channel)?,
            Discipline::Directory { .. } => return Ok(None),
        }))
    }
}

/// The word at `offset`.
fn word(file: &File, offset: u64) -> io::Result<u64> {
    Ok(u64::from_le_bytes(read_array(file, Some(offset))?))
}

/// How far `position` is ahead of `of`, 0 if behind.
fn distance(position: u64, of: u64) -> u64 {
    u64::try_from(ahead(position, of)).unwrap_or(0)
}

/// The sum of what a hostile file may say.
fn sum(numbers: impl IntoIterator<Item = u64>) -> u64 {
    numbers.into_iter().fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
