//! The receiving side of a broadcast channel of bytes.

use super::Cells;
use crate::channel::copied::{Buffer, length};
use crate::channel::error::{BadMessage, RecvError};
use crate::channel::link::Link;
use crate::channel::wait::Nap;
use crate::endpoint::PeerView;
use crate::message::Invalid;
use crate::ring::broadcast::{Observer, Read, Reader, Words};
use crate::ring::layout::Meta;
use crate::ring::spsc::Corrupt;
use std::time::Duration;
use strait_pools::environment::{Liveness, Peer};
use strait_pools::placement::Mapped;

/// The receiving side of a broadcast channel of bytes.
#[derive(Debug)]
pub struct BroadcastBytesReceiver {
    stream: Stream,
    link: Link,
}

/// The messages, one after the other.
#[derive(Debug)]
struct Stream {
    ways: Ways,
    cells: Cells,
    /// The message in hand, unless that is read in place.
    copied: Buffer,
    /// A message that is read in place is in hand.
    in_hand: bool,
}

/// How it reads.
#[derive(Debug)]
pub(in crate::channel) enum Ways {
    /// With an endpoint; in place if the sender waits for it.
    Tracked(Reader<Mapped>),
    /// Without.
    Observing(Observer<Mapped>),
}

/// Where a message lies that is ready.
#[derive(Clone, Copy, Debug)]
pub(in crate::channel) struct Body {
    pub(in crate::channel) position: u64,
    pub(in crate::channel) start: *const u8,
    pub(in crate::channel) meta: Meta,
    /// Bytes there are, from its start on.
    pub(in crate::channel) room: usize,
}

/// Why there is no message, but for there being none.
enum Failed {
    Overrun(u64),
    Corrupt(Corrupt),
}

impl BroadcastBytesReceiver {
    pub(in crate::channel) fn new(ways: Ways, cells: Cells, link: Link) -> Self {
        let copied = Buffer::new(cells.room());
        Self { stream: Stream { ways, cells, copied, in_hand: false }, link }
    }

    /// The longest message, in bytes.
    pub fn max_len(&self) -> usize {
        self.stream.cells.room()
    }

    /// The sequence number of the next message: how many were published before it.
    pub fn position(&self) -> u64 {
        match &self.stream.ways {
            Ways::Tracked(reader) => reader.position(),
            Ways::Observing(observer) => observer.position(),
        }
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        &self.link.channel
    }

    /// Who sends, or did last, and how that process is doing.
    pub fn peer(&self) -> &PeerView {
        self.link.peer()
    }

    /// The next message if it is there; never waits, never enters the kernel.
    ///
    /// # Errors
    ///
    /// As for [`BroadcastReceiver::try_recv`](super::BroadcastReceiver::try_recv).
    pub fn poll(&mut self) -> Result<BroadcastReceived<'_>, RecvError> {
        let body = self.ready_now()?;
        self.received(body)
    }

    /// The next message, waiting for it.
    ///
    /// # Errors
    ///
    /// As for [`BroadcastReceiver::recv`](super::BroadcastReceiver::recv).
    pub fn recv(&mut self) -> Result<BroadcastReceived<'_>, RecvError> {
        let body = self.ready(None)?;
        self.received(body)
    }

    #[inline(always)]
    pub(in crate::channel) fn ready_now(&mut self) -> Result<Body, RecvError> {
        if self.link.forked() {
            return Err(RecvError::Forked);
        }
        match self.stream.look() {
            Ok(Some(body)) => Ok(body),
            Ok(None) => self.when_empty(),
            Err(failed) => Err(self.failed(failed)),
        }
    }

    #[inline(always)]
    pub(in crate::channel) fn ready(
        &mut self,
        timeout: Option<Duration>,
    ) -> Result<Body, RecvError> {
        if self.link.forked() {
            return Err(RecvError::Forked);
        }
        match self.stream.look() {
            Ok(Some(body)) => Ok(body),
            Ok(None) => self.wait(timeout),
            Err(failed) => Err(self.failed(failed)),
        }
    }

    /// An empty ring may mean that the sender is gone: one load tells, if anybody has noticed.
    #[cold]
    fn when_empty(&mut self) -> Result<Body, RecvError> {
        if !matches!(self.link.glance(), Peer::Closed | Peer::Died) {
            return Err(RecvError::Empty);
        }
        // A successor may have come since.
        let end = self.link.end();
        // What was published before the end counts.
        match self.stream.look() {
            Ok(Some(body)) => Ok(body),
            Ok(None) => Err(end.map_or(RecvError::Empty, RecvError::from)),
            Err(failed) => Err(self.failed(failed)),
        }
    }

    #[cold]
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Body, RecvError> {
        let Self { stream, link } = self;
        let head = stream.words().head.clone();
        let waited = match stream.ways {
            Ways::Tracked(_) => link.poll_until(timeout, &head.crowd, || stream.look()),
            // Who may not write cannot say that it sleeps.
            Ways::Observing(_) => link.poll_until(timeout, &Nap, || stream.look()),
        };
        waited.map_err(|stopped| stopped.told(RecvError::Timeout, |failed| self.failed(failed)))
    }

    fn received(&mut self, body: Body) -> Result<BroadcastReceived<'_>, RecvError> {
        match length(body.meta, body.room) {
            Ok(len) => Ok(BroadcastReceived { receiver: self, body, len }),
            Err(reason) => Err(self.pass_over(body.position, reason)),
        }
    }

    /// Gives the message in hand back, if it is read in place. In a forked child, which may have inherited
    /// it, nothing.
    #[inline(always)]
    pub(in crate::channel) fn release(&mut self) {
        let Stream { ways, in_hand, .. } = &mut self.stream;
        if *in_hand
            && !self.link.forked()
            && let Ways::Tracked(reader) = ways
        {
            *in_hand = false;
            reader.release();
        }
    }

    /// Releases a message that is none.
    #[cold]
    #[inline(never)]
    pub(in crate::channel) fn pass_over(&mut self, position: u64, reason: Invalid) -> RecvError {
        self.release();
        let channel = self.link.channel.clone();
        RecvError::Invalid(Box::new(BadMessage { channel, position, reason }))
    }

    #[cold]
    #[inline(never)]
    fn failed(&self, failed: Failed) -> RecvError {
        match failed {
            Failed::Overrun(lost) => RecvError::Overrun { lost },
            Failed::Corrupt(corrupt) => RecvError::Corrupt(self.link.damaged(corrupt)),
        }
    }
}

impl Stream {
    fn words(&self) -> &Words<Mapped> {
        match &self.ways {
            Ways::Tracked(reader) => reader.words(),
            Ways::Observing(observer) => observer.words(),
        }
    }

    /// Looks for the next message.
    #[inline(always)]
    fn look(&mut self) -> Result<Option<Body>, Failed> {
        let Self { ways, cells, copied, in_hand, .. } = self;
        let (cells, room) = (*cells, cells.room());
        let read = match ways {
            Ways::Tracked(reader) if reader.waited_for() => {
                let found = reader.poll();
                if let Read::Message(position) = found {
                    *in_hand = true;
                    let cell = cells.at(reader.words(), position);
                    let (start, meta) = (cell.body(), cell.meta());
                    return Ok(Some(Body { position, start, meta, room }));
                }
                found
            }
            Ways::Tracked(reader) => {
                let words = reader.words().clone();
                reader.read(|position| {
                    cells.at(&words, position).take(copied);
                    position
                })
            }
            Ways::Observing(observer) => {
                let words = observer.words().clone();
                observer.read(|position| {
                    cells.at(&words, position).take(copied);
                    position
                })
            }
        };
        match read {
            Read::Message(position) => {
                let (start, meta) = (copied.as_ptr(), copied.meta());
                Ok(Some(Body { position, start, meta, room }))
            }
            Read::Empty => Ok(None),
            Read::Overrun(lost) => Err(Failed::Overrun(lost)),
            Read::Corrupt(corrupt) => Err(Failed::Corrupt(corrupt)),
        }
    }
}

impl Drop for BroadcastBytesReceiver {
    fn drop(&mut self) {
        if self.link.forked() {
            return;
        }
        if let Ways::Tracked(reader) = &mut self.stream.ways {
            reader.tell();
            reader.leave();
        }
    }
}

/// A message: in place, if the sender waits for this receiver, else a private copy.
///
/// A forked child inherits the value but perhaps not the memory: there, it may only be dropped.
#[derive(Debug)]
pub struct BroadcastReceived<'a> {
    receiver: &'a mut BroadcastBytesReceiver,
    body: Body,
    len: usize,
}

impl BroadcastReceived<'_> {
    /// The message's sequence number: how many were published before it.
    pub fn position(&self) -> u64 {
        self.body.position
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the message has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The address of the body, 16-aligned, valid until the message is dropped.
    pub fn as_ptr(&self) -> *const u8 {
        self.body.start
    }

    /// A copy of the message.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len];
        // SAFETY: `len` bytes are there, which nobody writes until the message is released, and the vector
        // has as many.
        unsafe { bytes.as_mut_ptr().copy_from_nonoverlapping(self.body.start, self.len) };
        bytes
    }
}

impl Drop for BroadcastReceived<'_> {
    fn drop(&mut self) {
        self.receiver.release();
    }
}
