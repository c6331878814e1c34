//! What can go wrong on a channel, in words a person can act on.
//!
//! Errors of the hot path are small: the common ones (`Empty`, `Full`) carry nothing, the rare ones
//! one box with the channel's name and the details.

use crate::endpoint::{AttachError, Holder, Role};
use crate::message::{Difference, Fingerprint, Invalid, WriteError};
use crate::ring::geometry::GeometryError;
use crate::ring::spsc::Corrupt;
use crate::segment::{NameError, SegmentError};
use std::{fmt, io};
use thiserror::Error;

/// Why a channel could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The domain's or channel's name is not one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The capacity or cell size is refused.
    #[error("channel `{channel}`: {source}")]
    Geometry {
        /// The channel.
        channel: String,
        /// What is wrong with it.
        source: GeometryError,
    },
    /// The segment could not be made or opened.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The role is taken, or the kernel refused.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The channel exists, for another type.
    #[error(transparent)]
    TypeMismatch(#[from] Box<TypeMismatch>),
    /// The channel exists, with another geometry than the one asked for.
    #[error(
        "channel `{channel}` exists with {what} {found}, and {asked} was asked for: ask for the \
         same on both sides, leave it out on one, or remove the channel"
    )]
    GeometryMismatch {
        /// The channel.
        channel: String,
        /// Which part of the geometry.
        what: &'static str,
        /// What was asked for.
        asked: String,
        /// What the channel has.
        found: String,
    },
    /// The channel of calls is one whose server is gone.
    #[error(
        "the server of `{channel}` is gone, and calls are not resumed: once its clients have left, a new \
         server can make the channel anew"
    )]
    Over {
        /// The channel.
        channel: String,
    },
    /// The channel's discipline has no such sides.
    #[error("channel `{channel}` has no {role}'s side to take")]
    NoSide {
        /// The channel.
        channel: String,
        /// Which side.
        role: Role,
    },
    /// No message of the type fits the cells.
    #[error(
        "channel `{channel}`: a `{message}` takes {needed} bytes and its cells hold {room}: ask for \
         larger cells"
    )]
    CellTooSmall {
        /// The channel.
        channel: String,
        /// The message type.
        message: String,
        /// Bytes that the smallest message takes.
        needed: usize,
        /// Bytes a cell's body holds.
        room: usize,
    },
    /// Dense cells were asked for, and the type's messages are not plain, or longer than a word.
    #[error(
        "channel `{channel}`: dense cells hold plain messages of at most 8 bytes, and `{message}` \
         is not one: leave out `dense()`"
    )]
    NotDense {
        /// The channel.
        channel: String,
        /// The message type.
        message: String,
    },
    /// The channel has no name by which the other side could find it.
    #[error(
        "channel `{channel}` has no name that another process could open: make its `segment()` and \
         hand that over, or take both sides with `pair()`"
    )]
    Unnamed {
        /// What it is called in errors.
        channel: String,
    },
    /// The segment holds no such channel, or more than one.
    #[error("the segment holds {0} channels where one was expected: name the channel")]
    ChannelCount(usize),
    /// The ring's words contradict each other.
    #[error("channel `{channel}` is damaged: {source}; remove the channel")]
    Corrupt {
        /// The channel.
        channel: String,
        /// Which word is wrong.
        source: Corrupt,
    },
}

/// A channel that exists for another type than this program's.
#[derive(Debug, Error)]
#[error(
    "channel `{channel}` was created for `{found}` (fingerprint {found_fingerprint}), this program \
     expects `{expected}` (fingerprint {expected_fingerprint}){}: build both sides from the same \
     definition, or remove the channel",
    described(difference.as_ref())
)]
pub struct TypeMismatch {
    /// The channel.
    pub channel: String,
    /// Name of the type this program expects.
    pub expected: String,
    /// Its fingerprint.
    pub expected_fingerprint: Fingerprint,
    /// Name of the type the channel was created for.
    pub found: String,
    /// Its fingerprint.
    pub found_fingerprint: Fingerprint,
    /// The first field that differs.
    pub difference: Option<Difference>,
}

fn described(difference: Option<&Difference>) -> String {
    difference.map_or_else(String::new, |difference| format!(": {difference}"))
}

/// Who is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The channel.
    pub channel: String,
    /// Who held the other side last.
    pub holder: Holder,
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the peer on `{}` ({})", self.channel, self.holder)
    }
}

/// A ring whose words contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// The channel.
    pub channel: String,
    /// Which word is wrong.
    pub corrupt: Corrupt,
}

/// A message that is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadMessage {
    /// The channel.
    pub channel: String,
    /// The message's position in the ring.
    pub position: u64,
    /// What is wrong with it.
    pub reason: Invalid,
}

/// Why a side has no descriptor.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DescriptorError {
    /// Nobody wakes anybody on this channel.
    #[error(
        "channel `{channel}` was made for sides that never sleep, which have no descriptor: ask for \
         `parking()` or `wait(Wait::Park)` on both sides"
    )]
    NeverSleeps {
        /// The channel.
        channel: String,
    },
    /// The system refused.
    #[error("channel `{channel}`: cannot make a descriptor: {source}")]
    System {
        /// The channel.
        channel: String,
        /// What the system said.
        source: io::Error,
    },
    /// This process is a fork of the one that opened the channel.
    #[error("the channel was opened before fork: open it again in the child")]
    Forked,
}

/// Why nothing was sent. The message was not published, and nothing else is lost.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The ring is full: backpressure.
    #[error("the ring is full: the receiver is behind by its whole capacity")]
    Full,
    /// The ring stayed full for the given time.
    #[error("the ring stayed full until the timeout")]
    Timeout,
    /// The ring is full and its receiver has closed.
    #[error("the ring is full, and {0} closed {at}", at = .0.holder.ended())]
    Closed(Box<Gone>),
    /// The ring is full and its receiver's process ended without closing.
    #[error("the ring is full, and {0} died without closing, as was noticed {at}", at = .0.holder.ended())]
    PeerDied(Box<Gone>),
    /// The message does not fit a cell.
    #[error(transparent)]
    Message(#[from] WriteError),
    /// The ring's words contradict each other.
    #[error("channel `{channel}` is damaged: {corrupt}", channel = .0.channel, corrupt = .0.corrupt)]
    Corrupt(Box<Damaged>),
    /// The asynchronous runtime cannot wait for room.
    #[error("the runtime cannot watch the channel's descriptor: {0}")]
    Runtime(io::ErrorKind),
    /// This process is a fork of the one that opened the channel.
    #[error("the channel was opened before fork: open it again in the child")]
    Forked,
}

/// Why nothing was received. Nothing is lost, but for [`RecvError::Overrun`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecvError {
    /// Nothing is published that was not read.
    #[error("nothing to receive at the moment")]
    Empty,
    /// Nothing came within the given time.
    #[error("nothing came until the timeout")]
    Timeout,
    /// Everything was read, and the sender has closed.
    #[error("everything was read, and {0} closed {at}", at = .0.holder.ended())]
    Closed(Box<Gone>),
    /// Everything was read, and the sender's process ended without closing.
    #[error("everything was read, and {0} died without closing, as was noticed {at}", at = .0.holder.ended())]
    PeerDied(Box<Gone>),
    /// The sender was faster than this receiver, which chose not to be waited for, or asked for messages
    /// that are gone.
    #[error("{lost} messages were written over before they were read; what comes next is there")]
    Overrun {
        /// How many messages it will not see.
        lost: u64,
    },
    /// The message is not a valid one of its type; it was passed over.
    #[error(
        "message {position} of `{channel}` was passed over: {reason}",
        position = .0.position, channel = .0.channel, reason = .0.reason
    )]
    Invalid(Box<BadMessage>),
    /// The ring's words contradict each other.
    #[error("channel `{channel}` is damaged: {corrupt}", channel = .0.channel, corrupt = .0.corrupt)]
    Corrupt(Box<Damaged>),
    /// The asynchronous runtime cannot wait for a message.
    #[error("the runtime cannot watch the channel's descriptor: {0}")]
    Runtime(io::ErrorKind),
    /// This process is a fork of the one that opened the channel.
    #[error("the channel was opened before fork: open it again in the child")]
    Forked,
}
