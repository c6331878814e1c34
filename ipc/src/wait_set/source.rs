//! What a side of a channel must tell to be waited for.

use crate::channel::{BytesReceiver, BytesSender, DescriptorError, Receiver, Sender, Trust};
use crate::endpoint::PeerView;
use crate::message::Message;
use crate::segment::Segment;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Weak};
use std::time::Duration;
use strait_pools::environment::{Liveness, Peer};

mod sealed {
    pub trait Sealed {}
}
use sealed::Sealed;

/// A side of a channel: a sender or a receiver, typed or of bytes.
pub trait Source: Sealed {
    /// What to wait for.
    #[doc(hidden)]
    fn attachment(&mut self) -> Result<Attachment<'_>, DescriptorError>;
}

/// What there is to wait for.
#[derive(Debug)]
pub struct Attachment<'a> {
    pub(crate) channel: &'a str,
    pub(crate) descriptor: BorrowedFd<'a>,
    pub(crate) watch: Watch,
}

/// A view of the other side that keeps nothing alive.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    segment: Weak<Segment>,
    peer: u32,
    slice: Duration,
}

impl Watch {
    /// Watches endpoint `peer` of the segment, once a slice.
    pub(crate) fn new(segment: &Arc<Segment>, peer: u32, slice: Duration) -> Self {
        Self { segment: Arc::downgrade(segment), peer, slice }
    }

    pub(super) fn slice(&self) -> Duration {
        self.slice
    }

    /// How the other side is, as the kernel knows; alive, if this side is not there any more.
    pub(super) fn probe(&self) -> Peer {
        let view = self.segment.upgrade().and_then(|it| PeerView::new(&it, self.peer).ok());
        view.map_or(Peer::Alive, |view| view.probe())
    }
}

impl Sealed for BytesReceiver {}
impl Source for BytesReceiver {
    fn attachment(&mut self) -> Result<Attachment<'_>, DescriptorError> {
        self.attach()
    }
}

impl Sealed for BytesSender {}
impl Source for BytesSender {
    fn attachment(&mut self) -> Result<Attachment<'_>, DescriptorError> {
        self.attach()
    }
}

impl<T: Message, V: Trust> Sealed for Receiver<T, V> {}
impl<T: Message, V: Trust> Source for Receiver<T, V> {
    fn attachment(&mut self) -> Result<Attachment<'_>, DescriptorError> {
        self.bytes().attach()
    }
}

impl<T: Message> Sealed for Sender<T> {}
impl<T: Message> Source for Sender<T> {
    fn attachment(&mut self) -> Result<Attachment<'_>, DescriptorError> {
        self.bytes().attach()
    }
}
