//! The channel that a spec describes, and the messages in it.

use super::SEGMENT;
use crate::place::{CHANNEL, DOMAIN};
use anyhow::{Context, Result};
use std::fs::File;
use std::mem::offset_of;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;
use strait_ipc::channel::{Bytes, OnFull, OpenError, Spsc, Wait};
use strait_ipc::message::Message;
use strait_ipc::rkyv;
use strait_ipc::segment::layout::{Header, MAGIC};
use strait_ipc::segment::{Directory, MapOptions, Segment, SegmentName};
use strait_macros::Message as DeriveMessage;
use strait_torture::body;
use strait_torture::spec::{Kind, Part, Spec, Waiting};

/// What byte messages mean.
const BYTES_SCHEMA: &str = "id, position, words";

/// Bytes of the arena of typed messages: the longest fill nearly all of it.
const ARENA: u64 = 32 << 10;
/// Words of a message that may be too long for its cell, at most.
const MOST_WORDS: usize = 3400;
/// Bytes of the arena of messages without a type.
const BYTES_ARENA: u64 = 16 << 10;
/// Bytes of a block.
const BLOCK: u64 = 256;

/// A plain message of 48 bytes.
#[derive(Clone, Copy, Debug, PartialEq, DeriveMessage)]
#[message(crate = strait_ipc)]
#[repr(C)]
pub(super) struct Plain {
    id: u64,
    position: u64,
    words: [u64; 4],
}

/// A message of varying length.
#[derive(Debug, PartialEq, rkyv::Archive, rkyv::Serialize, DeriveMessage)]
#[message(crate = strait_ipc)]
#[rkyv(crate = rkyv, compare(PartialEq), derive(Debug))]
pub(super) struct Rich {
    id: u64,
    position: u64,
    text: String,
    words: Vec<u64>,
}

/// A message that may be too long for its cell.
#[derive(Debug, PartialEq, rkyv::Archive, rkyv::Serialize, DeriveMessage)]
#[message(crate = strait_ipc)]
#[rkyv(crate = rkyv, compare(PartialEq), derive(Debug))]
pub(super) struct Large {
    id: u64,
    position: u64,
    text: String,
    words: Vec<u64>,
    lines: Vec<String>,
}

/// What was found in a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) id: u64,
    /// Whether every word of it follows from its id and `position`.
    pub(super) whole: bool,
}

/// A message made from an id and a position.
pub(super) trait Numbered: Message + Sized {
    fn numbered(id: u64, position: u64) -> Self;
    fn look(archived: &Self::Archived, position: u64) -> Seen;
    /// Bytes of its archive, at most; 0 if it fits a cell of the channel's own choice.
    fn longest(&self) -> usize {
        0
    }
    /// Asks for cells of another shape than usual, or for room elsewhere.
    fn shape(channel: Spsc<Self>, _: &Spec) -> Spsc<Self> {
        channel
    }
}

impl Numbered for Plain {
    fn numbered(id: u64, position: u64) -> Self {
        Self { id, position, words: std::array::from_fn(|at| body::word(id, position, at as u64)) }
    }

    fn look(archived: &Self, position: u64) -> Seen {
        // Copied first: what is compared is what is told.
        let message = *archived;
        Seen { id: message.id, whole: message == Self::numbered(message.id, position) }
    }
}

impl Numbered for Rich {
    fn numbered(id: u64, position: u64) -> Self {
        let words = 0..body::length(id, 9) as u64;
        let words = words.map(|index| body::word(id, position, index)).collect();
        Self { id, position, text: body::text(id, position), words }
    }

    fn look(archived: &Self::Archived, position: u64) -> Seen {
        let id = archived.id.to_native();
        Seen { id, whole: *archived == Self::numbered(id, position) }
    }

    fn longest(&self) -> usize {
        size_of::<Self::Archived>() + self.text.len() + 8 * (self.words.len() + 1)
    }

    fn shape(channel: Spsc<Self>, spec: &Spec) -> Spsc<Self> {
        if spec.blocks > 0 { channel.blocks(spec.blocks, BLOCK) } else { channel }
    }
}

impl Numbered for Large {
    fn numbered(id: u64, position: u64) -> Self {
        let words = body::spread(id, MOST_WORDS) as u64;
        let line = |index| body::text(id, position ^ index << 32);
        Self {
            id,
            position,
            text: body::text(id, position),
            words: (0..words).map(|index| body::word(id, position, index)).collect(),
            lines: (1..=words / 64).map(line).collect(),
        }
    }

    fn look(archived: &Self::Archived, position: u64) -> Seen {
        let id = archived.id.to_native();
        Seen { id, whole: *archived == Self::numbered(id, position) }
    }

    fn longest(&self) -> usize {
        let lines = self.lines.iter().map(|line| line.len() + 8).sum::<usize>();
        size_of::<Self::Archived>() + self.text.len() + 8 * (self.words.len() + 2) + lines
    }

    fn shape(channel: Spsc<Self>, _: &Spec) -> Spsc<Self> {
        channel.arena(ARENA)
    }
}

impl Numbered for u64 {
    fn numbered(id: u64, _: u64) -> Self {
        body::dense(id)
    }

    fn look(archived: &Self::Archived, _: u64) -> Seen {
        let id = body::from_dense(archived.to_native());
        Seen { id: id.unwrap_or(0), whole: id.is_some() }
    }

    fn shape(channel: Spsc<Self>, _: &Spec) -> Spsc<Self> {
        channel.dense()
    }
}

fn choices<T>(spec: &Spec) -> Result<Spsc<T>, OpenError> {
    let channel = match spec.directory.as_str() {
        "" => Spsc::given(inherited()?),
        directory => Spsc::named(Directory::from(directory), DOMAIN, CHANNEL),
    };
    let (wait, pauses) = match spec.wait {
        Waiting::BusySpin => (Wait::BusySpin, 0),
        Waiting::Pauses => (Wait::BusySpin, 1),
        Waiting::Backoff => (Wait::Backoff, 0),
        Waiting::Yield => (Wait::Yield, 0),
        Waiting::Park => (Wait::Park, 0),
        Waiting::Adaptive => (Wait::Adaptive, 0),
    };
    let slice = match spec.slice {
        0 => Duration::MAX,
        microseconds => Duration::from_micros(microseconds),
    };
    let channel = channel.capacity(spec.capacity).wait(wait).pauses(pauses).slice(slice);
    // Who looks whether there is room does not wait for it.
    let channel = if spec.part == Part::Auditor { channel.on_full(OnFull::Fail) } else { channel };
    // Who asks to sleep asks for a channel on which that can be done.
    let sleeps = matches!(wait, Wait::Park | Wait::Adaptive);
    Ok(if spec.parking && !sleeps { channel.parking() } else { channel })
}

/// The channel of a message type.
pub(super) fn typed<T: Numbered>(spec: &Spec) -> Result<Spsc<T>, OpenError> {
    Ok(T::shape(choices(spec)?, spec))
}

/// The channel of bytes.
pub(super) fn bytes(spec: &Spec) -> Result<Spsc<Bytes>, OpenError> {
    Ok(raw(choices(spec)?, spec))
}

/// Says what its bytes mean, and asks for room elsewhere where they are many.
pub(super) fn raw(channel: Spsc<Bytes>, spec: &Spec) -> Spsc<Bytes> {
    let channel = channel.schema(BYTES_SCHEMA);
    if spec.kind == Kind::LargeBytes { channel.arena(BYTES_ARENA) } else { channel }
}

/// The memory segment that this process inherited.
fn inherited() -> Result<Arc<Segment>, OpenError> {
    // SAFETY: the supervisor passed the segment at this descriptor, and nobody closes it.
    let descriptor = unsafe { BorrowedFd::borrow_raw(SEGMENT) };
    let own = descriptor.try_clone_to_owned().expect("a descriptor to spare");
    Ok(Arc::new(Segment::from_descriptor(own, MapOptions::default())?))
}

/// Which segment this process has open: the low half of its instance id, read from its file.
///
/// While a segment is open its name leads to it, so anything else that is found there is an error.
pub(super) fn instance(spec: &Spec) -> Result<u64> {
    let file = match spec.directory.as_str() {
        "" => {
            // SAFETY: as in `inherited`.
            let descriptor = unsafe { BorrowedFd::borrow_raw(SEGMENT) };
            File::from(descriptor.try_clone_to_owned()?)
        }
        directory => {
            let path = SegmentName::new(DOMAIN, CHANNEL)?.path(&Directory::from(directory));
            File::open(path).context("the name of a channel that is open")?
        }
    };
    let word = |offset: usize| {
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, offset as u64).map(|()| u64::from_le_bytes(bytes))
    };
    anyhow::ensure!(word(offset_of!(Header, magic))? == MAGIC, "the name leads to no segment");
    Ok(word(offset_of!(Header, instance))?)
}
