#![doc = include_str!("../README.md")]

#[cfg(not(loom))]
mod domain;
pub mod registry;
pub mod service;
// Its threads are of the operating system: models have others.
#[cfg(not(loom))]
pub mod services;

#[cfg(not(loom))]
pub use domain::Domain;
pub use registry::{Filter, Properties, Registry};
pub use service::{CallError, Delivered, Service, service};
#[cfg(not(loom))]
pub use services::{FindError, Services, Serving};
pub use strait_ipc::channel::latest::{ReadError, SetError};
pub use strait_ipc::channel::{
    AsyncReceiver, AsyncSender, Batch, Broadcast, BroadcastReceiver, BroadcastSender, Bytes,
    BytesReceiver, BytesSender, Checked, Claim, DescriptorError, Join, Lanes, LanesReceiver,
    Latest, LatestReader, LatestWriter, Loan, Mpmc, MpmcReceiver, MpmcSample, MpmcSender, OnFull,
    OpenError, Owned, OwnedBytes, Received, Receiver, RecvError, Sample, SendError, Sender, Slow,
    Spsc, Standby, Trust, Trusted, Wait,
};
pub use strait_ipc::endpoint::{Condition, Holder, PeerView};
pub use strait_ipc::segment::Segment;
pub use strait_ipc::wait_set::{Event, Interest, Key, WaitSet};
pub use strait_ipc::{message, rkyv};
pub use strait_macros::Message;
