//! Channels: a ring in a segment, with an endpoint at each end.
//!
//! | module | what lives there |
//! |---|---|
//! | [`open`] | [`Channel`] and [`Spsc`]: from a name, a type and a few choices to a sender or a receiver |
//! | [`bytes`] | the byte endpoint: claim, commit, abort; poll, release |
//! | [`calls`] | requests, and an answer to each |
//! | [`sender`] | the typed sender: send, loan, batch |
//! | [`receiver`] | the typed receiver: receive in place, drain |
//! | [`lanes`] | the receiver of many senders |
//! | [`broadcast`] | one sender, all messages to all receivers |
//! | [`latest`] | one writer, the latest value of each key |
//! | `copied` | private copies of what may be written over |
//! | [`mpmc`] | channels with several senders and several receivers |
//! | [`kept`] | a message that is kept beyond the next one |
//! | [`standby`] | a receiver in waiting |
//! | [`asynchronous`] | sides that are awaited, whatever the runtime |
//! | `together` | several peers that stand as one |
//! | [`trust`] | whether a received archive is checked before it is looked at |
//! | [`wait`] | what a side does until the other has moved |
//! | [`error`] | what can go wrong, in words |
//!
//! The typed endpoints are the byte endpoint plus [`message`](crate::message): there is one
//! implementation of everything that touches the ring.

pub mod asynchronous;
pub mod broadcast;
pub mod bytes;
pub mod calls;
mod copied;
pub mod error;
pub mod kept;
pub mod lanes;
pub mod latest;
mod link;
pub mod mpmc;
pub mod open;
pub mod receiver;
mod ringing;
pub mod sender;
pub mod standby;
mod together;
pub mod trust;
pub mod wait;

pub use asynchronous::{AsyncReceiver, AsyncSender};
pub use broadcast::{BroadcastReceiver, BroadcastSender, Join, Slow};
pub use bytes::{Bytes, BytesReceiver, BytesSender, Claim, Received};
pub use error::{DescriptorError, OpenError, RecvError, SendError};
pub use kept::{Owned, OwnedBytes};
pub use lanes::{BytesLanesReceiver, LanesReceiver};
pub use latest::{LatestReader, LatestWriter};
pub use mpmc::{
    MpmcBytesReceiver, MpmcBytesSender, MpmcReceived, MpmcReceiver, MpmcSample, MpmcSender,
};
pub use open::{Broadcast, Channel, Lanes, Latest, Mpmc, OnFull, Spsc};
pub use receiver::{Receiver, Sample};
pub use sender::{Batch, Loan, Sender};
pub use standby::Standby;
pub use trust::{Checked, Trust, Trusted};
pub use wait::Wait;
