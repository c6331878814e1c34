//! The sending side of a broadcast channel.

use super::Cells;
use crate::channel::copied::Buffer;
use crate::channel::error::SendError;
use crate::channel::link::Link;
use crate::channel::open::OnFull;
use crate::channel::wait::Stopped;
use crate::endpoint::PeerView;
use crate::message::{Message, Scratch, WriteError, write};
use crate::ring::broadcast::{Producer, Slowest};
use crate::ring::spsc::Corrupt;
use std::cell::Cell;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::time::Duration;
use strait_pools::environment::{Liveness, Monotonic, Peer};
use strait_pools::placement::{Many, Mapped};
use strait_pools::sync::Ordering::Relaxed;

/// The sending side of a broadcast channel of bytes. There is one per channel.
#[derive(Debug)]
pub struct BroadcastBytesSender {
    producer: Producer<Mapped>,
    cells: Cells,
    /// Where a message is built: others read the cells at any time.
    built: Buffer,
    on_full: OnFull,
    /// Receivers with an endpoint, by their place.
    receivers: Vec<PeerView>,
    link: Link,
}

/// How a receiver with an endpoint is doing.
#[derive(Clone, Debug)]
pub struct ReceiverView {
    /// Who has the place, or had it last, and how that process is doing.
    pub peer: PeerView,
    /// Messages that it is behind, as far as it has told; it tells every eighth of the ring.
    pub behind: u64,
    /// Messages that a receiver at this place was behind at most, when the sender looked.
    pub most_behind: u64,
    /// How often the sender had to wait for receivers at this place.
    pub waits: u64,
}

impl BroadcastBytesSender {
    pub(in crate::channel) fn new(
        producer: Producer<Mapped>,
        cells: Cells,
        on_full: OnFull,
        receivers: Vec<PeerView>,
        link: Link,
    ) -> Self {
        let built = Buffer::new(cells.room());
        Self { producer, cells, built, on_full, receivers, link }
    }

    /// The longest message, in bytes.
    pub fn max_len(&self) -> usize {
        self.cells.room()
    }

    /// The sequence number of the next message: how many were published before it.
    pub fn position(&self) -> u64 {
        self.producer.position()
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        &self.link.channel
    }

    /// How many senders have owned the channel, this one included.
    pub fn incarnation(&self) -> u64 {
        self.producer.incarnation()
    }

    /// Messages dropped because a receiver was in the way ([`OnFull::DropNewest`]).
    pub fn dropped(&self) -> u64 {
        // A forked child does not have the memory.
        if self.link.forked() { 0 } else { self.producer.words().head.dropped.load(Relaxed) }
    }

    /// The receivers with an endpoint at the moment.
    pub fn receivers(&self) -> Vec<ReceiverView> {
        if self.link.forked() {
            return Vec::new();
        }
        let words = self.producer.words();
        let attached = |(peer, place): (&PeerView, u64)| {
            let lines = words.readers.at(place);
            (lines.gate.load(Relaxed) != 0).then(|| ReceiverView {
                peer: peer.clone(),
                behind: self.position().saturating_sub(lines.cursor.load(Relaxed)),
                most_behind: lines.most_behind.load(Relaxed),
                waits: lines.waits.load(Relaxed),
            })
        };
        self.receivers.iter().zip(0..).filter_map(attached).collect()
    }

    /// Sends a message to all receivers.
    ///
    /// While a receiver that is waited for is behind by the whole ring, the channel's [`OnFull`] policy
    /// decides: wait for it (the default), fail, or drop this message and count it. Receivers whose
    /// processes have ended are left behind.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] under [`OnFull::Fail`]; [`SendError::Message`] if it does not fit a cell;
    /// [`SendError::Corrupt`] if the ring's words are damaged; [`SendError::Forked`] in a child.
    #[inline]
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        let len = self.build(bytes)?;
        if self.make_room()? {
            self.publish(len);
        }
        Ok(())
    }

    /// Sends a message if no receiver is in the way; never waits, drops nothing.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] if one is; otherwise as for [`send`](Self::send).
    pub fn try_send(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        let len = self.build(bytes)?;
        self.room_now()?;
        self.publish(len);
        Ok(())
    }

    fn build(&mut self, bytes: &[u8]) -> Result<usize, WriteError> {
        let (needed, room) = (bytes.len(), self.cells.room());
        if needed > room {
            return Err(WriteError::TooLarge { needed, room });
        }
        // SAFETY: the buffer holds `room` bytes, which nobody else has.
        unsafe { self.built.as_mut_ptr().copy_from_nonoverlapping(bytes.as_ptr(), needed) };
        Ok(needed)
    }

    /// Whether a message may be published now, by the channel's policy: `false` drops it.
    #[inline(always)]
    fn make_room(&mut self) -> Result<bool, SendError> {
        if self.has_room()? { Ok(true) } else { self.when_full() }
    }

    #[inline(always)]
    fn has_room(&mut self) -> Result<bool, SendError> {
        if self.link.forked() {
            return Err(SendError::Forked);
        }
        self.producer.has_room().map_err(|corrupt| corrupted(&self.link, corrupt))
    }

    fn room_now(&mut self) -> Result<(), SendError> {
        let there = self.has_room()? || self.left_behind()?;
        if there { Ok(()) } else { Err(SendError::Full) }
    }

    /// Whether there is room now that a receiver in the way was found to be gone, from memory alone.
    #[cold]
    fn left_behind(&mut self) -> Result<bool, SendError> {
        let Self { producer, receivers, link, .. } = self;
        let watch = Watch::new(receivers);
        watch.look_for_room(producer).map_err(|corrupt| corrupted(link, corrupt))?;
        watch.glance();
        watch.look_for_room(producer).map_err(|corrupt| corrupted(link, corrupt))
    }

    #[cold]
    fn when_full(&mut self) -> Result<bool, SendError> {
        if self.left_behind()? {
            return Ok(true);
        }
        match self.on_full {
            OnFull::Block => self.wait_for_room(None).map(|()| true),
            OnFull::Fail => Err(SendError::Full),
            OnFull::DropNewest => {
                self.producer.count_drop();
                Ok(false)
            }
        }
    }

    /// Waits until the slowest receiver has moved, or is gone.
    #[cold]
    fn wait_for_room(&mut self, timeout: Option<Duration>) -> Result<(), SendError> {
        if self.has_room()? {
            return Ok(());
        }
        let Self { producer, receivers, link, .. } = self;
        producer.count_wait();
        let watch = Watch::new(receivers);
        let head = producer.words().head.clone();
        let room = || Ok(watch.look_for_room(producer)?.then_some(()));
        let mut patience = link.patience;
        let nobody = || None::<Infallible>;
        let result = patience.poll_until(timeout, &head.wait, &watch, &Monotonic, nobody, room);
        link.patience = patience;
        result.map_err(|stopped| match stopped {
            Stopped::Failed(corrupt) => corrupted(link, corrupt),
            Stopped::Timeout => SendError::Timeout,
            Stopped::Gone(never) => match never {},
        })
    }

    /// Publishes what was built.
    #[inline(always)]
    fn publish(&mut self, len: usize) {
        let Self { producer, cells, built, .. } = self;
        let (words, incarnation) = (producer.words().clone(), producer.incarnation());
        producer.publish(|position| cells.at(&words, position).put(built, len, incarnation));
    }
}

#[cold]
fn corrupted(link: &Link, corrupt: Corrupt) -> SendError {
    SendError::Corrupt(link.damaged(corrupt))
}

impl Drop for BroadcastBytesSender {
    fn drop(&mut self) {
        if !self.link.forked() {
            self.producer.hint();
            self.link.close(&self.producer.words().head.wait);
            self.producer.wake();
        }
    }
}

/// Asks after the receiver that is in the way. The sender itself is never told that anybody is gone: it goes
/// on without.
struct Watch<'a> {
    receivers: &'a [PeerView],
    /// Who is in the way.
    slowest: Cell<Option<Slowest>>,
    /// Whether it is gone.
    gone: Cell<bool>,
}

impl<'a> Watch<'a> {
    fn new(receivers: &'a [PeerView]) -> Self {
        Self { receivers, slowest: Cell::new(None), gone: Cell::new(false) }
    }

    /// Whether there is room, once those that are known to be gone are left behind.
    fn look_for_room(&self, producer: &mut Producer<Mapped>) -> Result<bool, Corrupt> {
        if self.gone.take()
            && let Some(slowest) = self.slowest.get()
        {
            producer.evict(slowest);
        }
        let room = producer.has_room()?;
        self.slowest.set(producer.slowest());
        Ok(room)
    }

    fn note(&self, ask: impl Fn(&PeerView) -> Peer) -> Peer {
        let place = self.slowest.get().and_then(|slowest| usize::try_from(slowest.place).ok());
        let peer = place.and_then(|place| self.receivers.get(place));
        if peer.is_some_and(|peer| matches!(ask(peer), Peer::Closed | Peer::Died)) {
            self.gone.set(true);
        }
        Peer::Alive
    }
}

impl Liveness for Watch<'_> {
    fn glance(&self) -> Peer {
        self.note(PeerView::glance)
    }

    fn probe(&self) -> Peer {
        self.note(PeerView::probe)
    }
}

/// Sends messages of type `T` to all receivers. There is one per channel: it is not `Clone`, and `&mut`
/// to use.
#[derive(Debug)]
pub struct BroadcastSender<T: Message> {
    bytes: BroadcastBytesSender,
    scratch: Scratch,
    of: PhantomData<fn(&T)>,
}

impl<T: Message> BroadcastSender<T> {
    pub(in crate::channel) fn new(bytes: BroadcastBytesSender) -> Self {
        let scratch = Scratch::for_body(if T::PLAIN { 0 } else { bytes.max_len() });
        Self { bytes, scratch, of: PhantomData }
    }

    /// Sends a message to all receivers.
    ///
    /// # Errors
    ///
    /// As for [`BroadcastBytesSender::send`].
    #[inline(always)]
    pub fn send(&mut self, message: &T) -> Result<(), SendError> {
        let len = self.build(message)?;
        if self.bytes.make_room()? {
            self.bytes.publish(len);
        }
        Ok(())
    }

    /// Sends a message if no receiver is in the way; never waits, drops nothing.
    ///
    /// # Errors
    ///
    /// As for [`BroadcastBytesSender::try_send`].
    #[inline]
    pub fn try_send(&mut self, message: &T) -> Result<(), SendError> {
        let len = self.build(message)?;
        self.bytes.room_now()?;
        self.bytes.publish(len);
        Ok(())
    }

    /// Sends a message, waiting up to `timeout` for the slowest receiver.
    ///
    /// # Errors
    ///
    /// [`SendError::Timeout`] if it was in the way all that time; otherwise as for [`send`](Self::send).
    pub fn send_timeout(&mut self, message: &T, timeout: Duration) -> Result<(), SendError> {
        let len = self.build(message)?;
        self.bytes.wait_for_room(Some(timeout))?;
        self.bytes.publish(len);
        Ok(())
    }

    #[inline(always)]
    fn build(&mut self, message: &T) -> Result<usize, WriteError> {
        let room = self.bytes.cells.room();
        // SAFETY: the buffer holds `room` bytes, 16-aligned, which nobody else has.
        unsafe { write(message, self.bytes.built.as_mut_ptr(), room, &mut self.scratch) }
    }

    /// The channel under the types.
    pub fn bytes(&self) -> &BroadcastBytesSender {
        &self.bytes
    }
}
