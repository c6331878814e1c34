//! Messages that are kept beyond the next one.

use super::link::leave;
use super::ringing::ring;
use super::trust::{Checked, Trust};
use crate::endpoint::Endpoint;
use crate::message::Message;
use crate::ring::blocks::{Blocks, Owner};
use crate::ring::spsc::Words;
use crate::segment::Segment;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;
use strait_pools::placement::Mapped;

/// A block that its reader has not given back.
///
/// It holds the receiver's side of the channel: nobody takes it over, and frees what it left, before
/// the last message is given back or this process ends.
#[derive(Debug)]
pub(super) struct Kept {
    blocks: Blocks<Mapped>,
    index: u64,
    me: Owner,
    words: Words<Mapped>,
    parking: bool,
    /// `None` only while dropping.
    hold: Option<(Arc<Endpoint>, Arc<Segment>)>,
}

impl Kept {
    pub(super) fn new(
        blocks: Blocks<Mapped>,
        index: u64,
        me: Owner,
        words: Words<Mapped>,
        parking: bool,
        hold: (Arc<Endpoint>, Arc<Segment>),
    ) -> Self {
        Self { blocks, index, me, words, parking, hold: Some(hold) }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let Some((endpoint, segment)) = self.hold.take() else { return };
        // A forked child does not have the memory.
        if segment.guard().forked() {
            return;
        }
        self.blocks.free(self.index, self.me);
        if self.parking {
            self.words.producer.wait.wake(&mut |line| ring(&mut None, line));
        }
        drop(endpoint);
        leave(segment);
    }
}

/// A message in shared memory that outlives the next one, its receiver, and the thread it came to.
///
/// Its block goes back to the sender when it is dropped, in whatever order. See
/// [`Sample::keep`](super::Sample::keep).
pub struct Owned<T: Message, V: Trust = Checked> {
    archived: NonNull<T::Archived>,
    _block: Kept,
    of: PhantomData<fn() -> V>,
}

impl<T: Message, V: Trust> Owned<T, V> {
    /// The archive that lies in the block.
    pub(super) fn new(archived: NonNull<T::Archived>, block: Kept) -> Self {
        Self { archived, _block: block, of: PhantomData }
    }
}

impl<T: Message, V: Trust> Deref for Owned<T, V> {
    type Target = T::Archived;
    fn deref(&self) -> &T::Archived {
        // SAFETY: the block is this value's alone until it is dropped, it was found valid when it was
        // received, and its segment stays mapped.
        unsafe { self.archived.as_ref() }
    }
}

// SAFETY: it refers to an archive that nobody writes, as `&T::Archived` does, and gives it back by
// atomic operations.
unsafe impl<T: Message<Archived: Sync>, V: Trust> Send for Owned<T, V> {}
// SAFETY: as above.
unsafe impl<T: Message<Archived: Sync>, V: Trust> Sync for Owned<T, V> {}

impl<T: Message<Archived: fmt::Debug>, V: Trust> fmt::Debug for Owned<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A message without a type that is kept; see [`Owned`].
#[derive(Debug)]
pub struct OwnedBytes {
    start: *const u8,
    len: usize,
    _block: Kept,
}

impl OwnedBytes {
    pub(super) fn new(start: *const u8, len: usize, block: Kept) -> Self {
        Self { start, len, _block: block }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the message has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The address of the body, valid until the message is dropped.
    pub fn as_ptr(&self) -> *const u8 {
        self.start
    }
}

// SAFETY: an address of memory that nobody writes until the value is dropped.
unsafe impl Send for OwnedBytes {}
// SAFETY: as above.
unsafe impl Sync for OwnedBytes {}
