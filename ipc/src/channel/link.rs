//! What both sides of a channel hold besides the ring: their endpoint, a view of the peer's, the
//! segment, and where the cells are.

use super::error::{Damaged, DescriptorError, Gone, RecvError, SendError};
use super::wait::{Bed, Patience, Stopped};
use super::{broadcast, latest, mpmc};
use crate::endpoint::{AttachError, Endpoint, PeerView};
use crate::message::Invalid;
use crate::ring::arena::Chunk;
use crate::ring::blocks::Blocks;
use crate::ring::geometry::{CellFormat, Discipline, Store};
use crate::ring::lanes::Board;
use crate::ring::layout::{
    CellHead, KIND_BLOCK, KIND_CHUNK, Meta, PlaceWords, ProducerLines, WaitLine,
};
use crate::ring::spsc::{Corrupt, Words};
use crate::segment::{ChannelInfo, Segment};
use crate::system::bell::Bell;
use crate::system::fork::Guard;
use crate::wait_set::source::{Attachment, Watch};
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;
use strait_pools::environment::{Liveness, Monotonic, Peer};
use strait_pools::placement::{Mapped, MappedMany, MappedOne};
use strait_pools::region::Region;
use strait_pools::sync::AtomicU64;
use strait_pools::sync::Ordering::Relaxed;

/// How the peer ended.
#[derive(Debug)]
pub(super) struct End {
    died: bool,
    gone: Box<Gone>,
}

impl End {
    /// Of whoever held that side of this channel last, if memory says that they are gone.
    pub(super) fn of(peer: &PeerView, channel: &str) -> Option<Self> {
        let (standing, holder) = peer.entry();
        let died = match standing {
            Peer::Closed => false,
            Peer::Died => true,
            Peer::Absent | Peer::Alive => return None,
        };
        Some(Self { died, gone: Box::new(Gone { channel: channel.to_owned(), holder }) })
    }

    /// Of several ends the greatest is worth telling: a death, and the last one.
    pub(super) fn order(&self) -> (bool, Option<u64>) {
        (self.died, self.gone.holder.ended_unix_ns)
    }

    /// Whether it died, and who it was.
    pub(super) fn parts(self) -> (bool, Box<Gone>) {
        (self.died, self.gone)
    }
}

impl From<End> for RecvError {
    fn from(End { died, gone }: End) -> Self {
        if died { Self::PeerDied(gone) } else { Self::Closed(gone) }
    }
}

impl From<End> for SendError {
    fn from(End { died, gone }: End) -> Self {
        if died { Self::PeerDied(gone) } else { Self::Closed(gone) }
    }
}

/// One side's tie to its channel.
#[derive(Debug)]
pub(super) struct Link {
    guard: Guard,
    /// `None` only while dropping.
    tie: Option<Tie>,
    pub(super) channel: String,
    pub(super) patience: Patience,
    /// Whether the channel's sides may sleep.
    parking: bool,
    /// Made for those who wait for a descriptor.
    bell: Option<Bell>,
}

/// Dropped in order: the endpoint closes, then the views of the segment go.
#[derive(Debug)]
struct Tie {
    /// `None` once it is closed. Messages that are kept hold it as well.
    endpoint: Option<Arc<Endpoint>>,
    peer: PeerView,
    segment: Arc<Segment>,
}

impl Link {
    pub(super) fn new(
        segment: Arc<Segment>,
        endpoint: Arc<Endpoint>,
        peer: u32,
        channel: String,
        patience: Patience,
        parking: bool,
    ) -> Result<Self, AttachError> {
        Self::tied(segment, Some(endpoint), peer, channel, patience, parking)
    }

    /// The tie of one that only looks: it has no endpoint.
    pub(super) fn looking_on(
        segment: Arc<Segment>,
        peer: u32,
        channel: String,
        patience: Patience,
    ) -> Result<Self, AttachError> {
        Self::tied(segment, None, peer, channel, patience, false)
    }

    fn tied(
        segment: Arc<Segment>,
        endpoint: Option<Arc<Endpoint>>,
        peer: u32,
        channel: String,
        patience: Patience,
        parking: bool,
    ) -> Result<Self, AttachError> {
        let guard = segment.guard();
        let peer = PeerView::new(&segment, peer)?;
        let tie = Some(Tie { endpoint, peer, segment });
        Ok(Self { guard, tie, channel, patience, parking, bell: None })
    }

    #[inline(always)]
    pub(super) fn forked(&self) -> bool {
        self.guard.forked()
    }

    /// Polls until there is a result, the peer is gone, or `timeout` has passed; sleeps on `bed` if
    /// this side sleeps.
    pub(super) fn poll_until<R, E>(
        &mut self,
        timeout: Option<Duration>,
        bed: &impl Bed,
        poll: impl FnMut() -> Result<Option<R>, E>,
    ) -> Result<R, Stopped<E, End>> {
        let mut patience = self.patience;
        let end = || self.end();
        let result = patience.poll_until(timeout, bed, &*self, &Monotonic, end, poll);
        self.patience = patience;
        result
    }

    /// The bell of this side, whose line it is; made if there is none.
    pub(super) fn bell(&mut self, line: &WaitLine) -> Result<&mut Bell, DescriptorError> {
        if self.forked() {
            return Err(DescriptorError::Forked);
        }
        let channel = || self.channel.clone();
        if !self.parking {
            return Err(DescriptorError::NeverSleeps { channel: channel() });
        }
        let bell = match self.bell.take() {
            Some(bell) => bell,
            None => Bell::new()
                .map_err(|source| DescriptorError::System { channel: channel(), source })?,
        };
        line.bell.store(bell.key(), Relaxed);
        Ok(self.bell.insert(bell))
    }

    /// A descriptor that tells when to look.
    pub(super) fn descriptor(
        &mut self,
        line: &WaitLine,
    ) -> Result<BorrowedFd<'_>, DescriptorError> {
        let (slice, channel) = (self.patience.slice().0, self.channel.clone());
        let ticking = self.bell(line)?.ticking(slice);
        ticking.map_err(|source| DescriptorError::System { channel, source })
    }

    /// What a [`WaitSet`](crate::wait_set::WaitSet) waits for. That asks after the peer itself.
    pub(super) fn attachment(
        &mut self,
        line: &WaitLine,
    ) -> Result<Attachment<'_>, DescriptorError> {
        self.bell(line)?;
        match (&self.bell, &self.tie) {
            (Some(bell), Some(Tie { peer, segment, .. })) => Ok(Attachment {
                channel: &self.channel,
                descriptor: bell.rung(),
                watch: Watch::new(segment, peer.slot(), self.patience.slice().0),
            }),
            _ => Err(DescriptorError::Forked),
        }
    }

    /// Nothing was found. A side that waits for its descriptor is from now on told by that, unless
    /// `look` finds something now; once a slice, the kernel is asked how the peer is.
    pub(super) fn arm<R>(
        &mut self,
        line: &WaitLine,
        look: impl FnOnce() -> Option<R>,
    ) -> Option<R> {
        if self.hush() {
            self.probe();
        }
        line.arm_unless(look)
    }

    /// Makes the descriptor unreadable. Whether it is time to ask the kernel how the peer is.
    pub(super) fn hush(&mut self) -> bool {
        self.bell.as_mut().is_some_and(Bell::hush)
    }

    /// Whether this side waits for its descriptor.
    pub(super) fn has_bell(&self) -> bool {
        self.bell.is_some()
    }

    /// What must live as long as a message that is kept: this side, and the memory.
    pub(super) fn hold(&self) -> Option<(Arc<Endpoint>, Arc<Segment>)> {
        let Tie { endpoint, segment, .. } = self.tie.as_ref()?;
        Some((Arc::clone(endpoint.as_ref()?), Arc::clone(segment)))
    }

    /// Whether the channel's sides may sleep.
    pub(super) fn parking(&self) -> bool {
        self.parking
    }

    /// Says that this side was left in good order. What is mapped stays mapped.
    pub(super) fn close(&mut self, line: &WaitLine) {
        if self.bell.is_some() {
            line.bell.store(0, Relaxed);
        }
        self.end_side();
    }

    /// The same, of a side without a bell.
    pub(super) fn end_side(&mut self) {
        if let Some(tie) = &mut self.tie {
            tie.endpoint = None;
        }
    }

    /// A view of the other side.
    pub(super) fn peer(&self) -> &PeerView {
        &self.tie.as_ref().expect("a link is tied until it is dropped").peer
    }

    /// Who is gone, if memory says so.
    ///
    /// Whatever the one that is gone published can be seen after this: only then is an empty ring
    /// empty for good.
    #[cold]
    pub(super) fn end(&self) -> Option<End> {
        End::of(&self.tie.as_ref()?.peer, &self.channel)
    }

    /// Gives the side back and leaves the segment where it is, for whoever looks into the damage.
    pub(super) fn abandon(mut self) -> String {
        self.tie = None;
        std::mem::take(&mut self.channel)
    }

    #[cold]
    pub(super) fn damaged(&self, corrupt: Corrupt) -> Box<Damaged> {
        Box::new(Damaged { channel: self.channel.clone(), corrupt })
    }
}

impl Liveness for Link {
    fn glance(&self) -> Peer {
        self.tie.as_ref().map_or(Peer::Absent, |tie| tie.peer.glance())
    }

    fn probe(&self) -> Peer {
        self.tie.as_ref().map_or(Peer::Absent, |tie| tie.peer.probe())
    }
}

impl Drop for Link {
    /// Closes this side, and removes the segment if nobody uses it and everything was read.
    fn drop(&mut self) {
        let Some(Tie { endpoint, peer, segment }) = self.tie.take() else { return };
        drop(endpoint);
        drop(peer);
        leave(segment);
    }
}

/// Ends a use of the segment. The last one removes it if everything was read.
pub(super) fn leave(segment: Arc<Segment>) {
    if let Some(segment) = Arc::into_inner(segment) {
        // Left behind, the segment is merely still there: not worth an error.
        let _ = segment.close(everything_read);
    }
}

/// Whether no channel of the segment holds a message that was not read.
fn everything_read(segment: &Segment) -> bool {
    segment.channels().iter().all(|info| match info.geometry().discipline() {
        Discipline::Broadcast { .. } => {
            // SAFETY: the segment is borrowed for longer than the words live.
            let (words, _) = unsafe { broadcast::map_ring(info) };
            broadcast::everything_read(&words)
        }
        Discipline::Latest => {
            // SAFETY: as above.
            let (words, _) = unsafe { latest::map_values(info) };
            latest::nothing_set(&words)
        }
        Discipline::Mpmc { .. } => {
            // SAFETY: as above.
            let (words, _) = unsafe { mpmc::map(info) };
            !words.unread()
        }
        // Calls are not resumed: what was not answered never will be.
        Discipline::Calls { .. } => true,
        _ => {
            // SAFETY: as above.
            let pending = |ring| unsafe { map_ring(info, ring, 0) }.0.pending();
            !(0..info.geometry().rings()).any(pending)
        }
    })
}

/// The shape of a ring's cells; the ring's words say where they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cells {
    /// Bytes a body holds.
    room: usize,
    /// Dense cells have no head.
    dense: bool,
    store: Store,
    /// Where the arena, or the first block, begins.
    base: NonNull<u8>,
}

/// Where a message lies that does not stand in its cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the arena.
    Chunk(Chunk),
    /// In a block.
    Block {
        /// Which.
        index: u64,
        /// Length of the message.
        bytes: u64,
    },
}

impl Place {
    /// Where it is, as its cell says, and the length of the message.
    pub(super) fn words(self) -> (u64, u64) {
        match self {
            Self::Chunk(chunk) => (chunk.start, chunk.bytes),
            Self::Block { index, bytes } => (index, bytes),
        }
    }
}

// SAFETY: an address and a length; the memory belongs to all threads of all processes.
unsafe impl Send for Cells {}
// SAFETY: as above.
unsafe impl Sync for Cells {}

/// One cell: where its body is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    start: NonNull<u8>,
    dense: bool,
}

/// What the producers of one ring of a channel write.
fn producer_region(info: &ChannelInfo, ring: u32) -> Option<Region> {
    let bytes = info.geometry().ring_bytes();
    info.producer_region().window(ring as usize * bytes, bytes)
}

/// The owner words of the blocks of one ring of a channel, if it has blocks.
///
/// # Safety
///
/// The segment stays mapped for as long as they are used.
pub(super) unsafe fn map_blocks(info: &ChannelInfo, ring: u32) -> Option<Blocks<Mapped>> {
    let Store::Blocks { count, .. } = info.geometry().store() else { return None };
    let region = producer_region(info, ring)?;
    let words = cut(info.geometry().store().words());
    let region = region.window(info.geometry().store_offset(), words)?;
    // SAFETY: the caller keeps the segment mapped.
    let owners = unsafe { MappedMany::new(&region, size_of::<AtomicU64>(), count) }?;
    Some(Blocks::new(owners))
}

/// The words and cells of one ring in a channel's regions; in dense cells every message has `dense_len`
/// bytes.
///
/// # Safety
///
/// The segment stays mapped for as long as either is used.
///
/// # Panics
///
/// Never: the segment's regions were cut to the geometry's sizes.
pub(super) unsafe fn map_ring(
    info: &ChannelInfo,
    ring: u32,
    dense_len: usize,
) -> (Words<Mapped>, Cells) {
    const CUT: &str = "regions are cut to the geometry when the segment is opened";
    let (producer, consumer) = (producer_region(info, ring).expect(CUT), info.consumer_region());
    let (cell, capacity) = (info.geometry().cell(), info.geometry().capacity());
    let lines = size_of::<ProducerLines>();
    let region = producer.window(lines, producer.len() - lines).expect(CUT);
    let store = info.geometry().store();
    let base = info.geometry().store_offset() + cut(store.words());
    let base = producer.window(base, cut(store.longest())).expect(CUT).base();
    // SAFETY: the caller keeps the segment mapped.
    let producer = unsafe { MappedOne::new(&producer, 0) }.expect(CUT);
    // SAFETY: as above.
    let consumer = unsafe { MappedOne::new(&consumer, info.geometry().consumer_offset(ring)) };
    let consumer = consumer.expect(CUT);
    // SAFETY: as above.
    let states = unsafe { MappedMany::new(&region, cell.stride(), capacity) }.expect(CUT);
    let dense = cell == CellFormat::Dense;
    let room = match store {
        _ if dense => dense_len.min(cell.body_bytes()),
        // So that their reader may keep them, all of them.
        Store::Blocks { .. } => 0,
        Store::None | Store::Arena { .. } => cell.body_bytes(),
    };
    (Words { producer, consumer, states }, Cells { room, dense, store, base })
}

/// A length in a segment that is mapped.
#[allow(clippy::cast_possible_truncation)]
fn cut(bytes: u64) -> usize {
    bytes as usize
}

/// What the rings of a channel have in common, if they are lanes.
///
/// # Safety
///
/// The segment stays mapped for as long as it is used.
pub(super) unsafe fn map_board(info: &ChannelInfo) -> Option<MappedOne<Board>> {
    let (Discipline::Lanes { .. } | Discipline::Calls { .. }) = info.geometry().discipline() else {
        return None;
    };
    // SAFETY: the caller keeps the segment mapped.
    unsafe { MappedOne::new(&info.consumer_region(), 0) }
}

impl Cells {
    /// Wide cells with room for `room` bytes, and a store at `base`.
    pub(super) fn of(room: usize, store: Store, base: NonNull<u8>) -> Self {
        Self { room, dense: false, store, base }
    }

    /// Bytes a body holds.
    #[inline(always)]
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// Bytes of the longest message.
    pub(super) fn max_len(&self) -> usize {
        self.room.max(cut(self.store.longest()))
    }

    /// Where messages lie that do not stand in their cells.
    pub(super) fn store(&self) -> Store {
        self.store
    }

    /// The address of a message, aligned to a cache line; `None` if it cannot lie there.
    pub(super) fn address(&self, place: Place) -> Option<*mut u8> {
        let offset = match (place, self.store) {
            (Place::Chunk(chunk), Store::Arena { bytes }) => chunk.offset(bytes)?,
            (Place::Block { index, bytes }, Store::Blocks { count, bytes: most }) => {
                (index < count && bytes <= most).then(|| index * most)?
            }
            _ => return None,
        };
        // SAFETY: `offset` is less than the length of what is mapped there.
        Some(unsafe { self.base.add(cut(offset)) }.as_ptr())
    }

    /// The cell of the message at `position`.
    #[inline(always)]
    pub(super) fn at(&self, states: &MappedMany<AtomicU64>, position: u64) -> Cell {
        Cell { start: states.address(position), dense: self.dense }
    }
}

impl Cell {
    /// The address of the body: 16-aligned (8-aligned in dense cells).
    #[inline(always)]
    pub(super) fn body(self) -> *mut u8 {
        let offset = if self.dense { size_of::<AtomicU64>() } else { size_of::<CellHead>() };
        // SAFETY: the stride holds the head and the body, so the body is inside the cell.
        unsafe { self.start.add(offset) }.as_ptr()
    }

    #[inline(always)]
    fn head(&self) -> Option<&CellHead> {
        // SAFETY: a wide cell begins with its head, of atomics only, and stays mapped as long as
        // the ring that the cell was taken from.
        (!self.dense).then(|| unsafe { self.start.cast().as_ref() })
    }

    /// Notes the length of the archive in the body, and which producer built it. Published by the
    /// state that follows.
    #[inline(always)]
    pub(super) fn describe(self, len: usize, incarnation: u64) {
        self.describe_tagged(len, incarnation, 0);
    }

    /// Notes that a message of `len` bytes lies elsewhere, which producer built it, and its tag.
    pub(super) fn describe_tagged_at(self, place: Place, len: usize, incarnation: u64, tag: u16) {
        let (kind, at) = match place {
            Place::Chunk(chunk) => (KIND_CHUNK, chunk.start),
            Place::Block { index, .. } => (KIND_BLOCK, index),
        };
        if let (Some(head), Some(words)) = (self.head(), self.place_words()) {
            words.at.store(at, Relaxed);
            words.bytes.store(len as u64, Relaxed);
            head.meta.store(Meta::elsewhere(kind, incarnation).tagged(tag).0, Relaxed);
        }
    }

    /// As [`describe`](Self::describe), of a message with a tag.
    #[inline(always)]
    pub(super) fn describe_tagged(self, len: usize, incarnation: u64, tag: u16) {
        if let Some(head) = self.head() {
            // A body has at most MAX_CELL_BYTES.
            #[allow(clippy::cast_possible_truncation)]
            head.meta.store(Meta::inline(len as u32, incarnation).tagged(tag).0, Relaxed);
        }
    }

    /// Where a message lies that does not stand in its cell, as that says; loaded once. Ordered by the
    /// state that was read.
    ///
    /// # Errors
    ///
    /// The kind, if it is another one.
    pub(super) fn place(self) -> Result<Place, Invalid> {
        let meta = self.head().map_or(Meta(0), |head| Meta(head.meta.load(Relaxed)));
        let unknown = Invalid::Kind { kind: meta.kind() };
        let words = self.place_words().ok_or(unknown)?;
        let (at, bytes) = (words.at.load(Relaxed), words.bytes.load(Relaxed));
        match meta.kind() {
            KIND_CHUNK => Ok(Place::Chunk(Chunk { start: at, bytes })),
            KIND_BLOCK => Ok(Place::Block { index: at, bytes }),
            _ => Err(unknown),
        }
    }

    fn place_words(&self) -> Option<&PlaceWords> {
        // SAFETY: a wide cell's body is 16-aligned and has 48 bytes at least, of which any are valid
        // here; it stays mapped as long as the ring that the cell was taken from.
        (!self.dense).then(|| unsafe { &*self.body().cast::<PlaceWords>() })
    }

    /// What was noted of a message with a tag, loaded once. Ordered by the state that was read.
    #[inline(always)]
    pub(super) fn tagged(self) -> (Meta, u16) {
        self.head().map_or(Meta(0), |head| Meta(head.meta.load(Relaxed))).untagged()
    }

    /// What was noted, loaded once; `room` in dense cells. Ordered by the state that was read.
    ///
    /// # Errors
    ///
    /// The kind, if it is not a message in the body.
    #[inline(always)]
    pub(super) fn len(self, room: usize) -> Result<usize, Invalid> {
        let Some(head) = self.head() else { return Ok(room) };
        let meta = Meta(head.meta.load(Relaxed));
        match meta.inline_len() {
            Some(len) => Ok(len as usize),
            None => Err(Invalid::Kind { kind: meta.kind() }),
        }
    }

    /// Which producer built it, if cells of this format say so and it is one of the 65,536 up to
    /// `latest`.
    pub(super) fn incarnation(self, latest: u64) -> Option<u64> {
        self.head().map(|head| Meta(head.meta.load(Relaxed)).incarnation(latest))
    }
}
