//! From a value to its archive in shared memory.
//!
//! Plain types are copied. Others are serialised by rkyv straight to their final place: the writer
//! holds a raw pointer, never a slice, because a slice would claim memory that another process can
//! reach. Nothing is allocated unless the scratch space turns out too small, and then once.

use rkyv::api::serialize_using;
use rkyv::primitive::FixedIsize;
use rkyv::rancor::Failure;
use rkyv::ser::allocator::SubAllocator;
use rkyv::ser::{Positional, Serializer, Writer};
use thiserror::Error;

use super::Message;

/// The longest archive, in bytes: the reach of its relative pointers, at most 2 GiB.
pub const MAX_ARCHIVE: usize = {
    let reach = FixedIsize::MAX as usize;
    let two_gib = i32::MAX as usize;
    if reach < two_gib { reach } else { two_gib }
};

/// Why a value was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The archive is longer than its place.
    #[error(
        "the message takes {needed} bytes and only {room} fit: send less, or create the channel \
         for larger messages"
    )]
    TooLarge {
        /// Length of the archive, in bytes.
        needed: usize,
        /// Bytes there are.
        room: usize,
    },
    /// No place is large enough.
    #[error(
        "the message cannot be archived: strings end at 1 GiB, archives at 2 GiB, and there must \
         be memory to prepare them"
    )]
    Unsupported,
}

/// Memory in which the serializer keeps its notes while it writes one message.
///
/// Allocated once per sender and reused. It grows if a message needs more than was foreseen.
#[derive(Debug)]
pub struct Scratch {
    /// Always empty, used for its capacity: memory that is never touched costs nothing.
    bytes: Vec<u8>,
}

impl Scratch {
    /// Enough for messages of `body_bytes`: notes are no larger than what they are about, give or
    /// take alignment.
    #[must_use]
    pub fn for_body(body_bytes: usize) -> Self {
        const ALIGNMENT_ALLOWANCE: usize = 256;
        let mut scratch = Self { bytes: Vec::new() };
        scratch.resize(body_bytes.min(MAX_ARCHIVE) + ALIGNMENT_ALLOWANCE);
        scratch
    }

    fn allocator(&mut self) -> SubAllocator<'_> {
        SubAllocator::new(self.bytes.spare_capacity_mut())
    }

    /// Doubles the space. False if there is no memory, or more would be absurd.
    #[cold]
    fn grow(&mut self) -> bool {
        let present = self.bytes.capacity();
        present < MAX_ARCHIVE && self.resize(present * 2)
    }

    /// False if there is no memory.
    fn resize(&mut self, bytes: usize) -> bool {
        self.bytes.try_reserve_exact(bytes).is_ok()
    }
}

/// Writes the archive of `value` to `body` and returns its length in bytes.
///
/// On an error the first `room` bytes of `body` hold nothing meaningful.
///
/// # Errors
///
/// [`WriteError::TooLarge`] with the length the archive would have had.
///
/// # Safety
///
/// `body` is aligned to [`MAX_ALIGN`](super::MAX_ALIGN) and valid for writes of `room` bytes, and
/// nobody else reads or writes them until this returns.
#[inline(always)]
pub unsafe fn write<T: Message>(
    value: &T,
    body: *mut u8,
    room: usize,
    scratch: &mut Scratch,
) -> Result<usize, WriteError> {
    if T::PLAIN {
        let needed = size_of::<T>();
        if needed > room {
            return Err(WriteError::TooLarge { needed, room });
        }
        let source = std::ptr::from_ref(value).cast::<u8>();
        // SAFETY: the caller gives `room` writable bytes, `needed` is no more, and a plain value
        // has no padding, so all its bytes are initialised.
        unsafe { body.copy_from_nonoverlapping(source, needed) };
        return Ok(needed);
    }
    // SAFETY: the caller gives `room` writable bytes; fewer are valid as well.
    let writer = unsafe { BodyWriter::new(body, room.min(MAX_ARCHIVE)) };
    let needed = serialize(value, writer, scratch)?;
    if needed > room { Err(WriteError::TooLarge { needed, room }) } else { Ok(needed) }
}

/// The length of the archive of `value`, in bytes.
///
/// # Errors
///
/// [`WriteError::Unsupported`].
#[inline]
pub fn measure<T: Message>(value: &T, scratch: &mut Scratch) -> Result<usize, WriteError> {
    if T::PLAIN {
        return Ok(size_of::<T>());
    }
    serialize(value, BodyWriter::counting(), scratch)
}

/// The length of the archive, of which `writer` has written what fits.
#[inline(always)]
fn serialize<T: Message>(
    value: &T,
    writer: BodyWriter,
    scratch: &mut Scratch,
) -> Result<usize, WriteError> {
    loop {
        let mut serializer = Serializer::new(writer, scratch.allocator(), ());
        let outcome = serialize_using::<_, Failure>(value, &mut serializer);
        let end = serializer.into_writer();
        if outcome.is_ok() {
            return Ok(end.position);
        }
        // The serializer does not say what failed: unless it was the writer, suppose the scratch.
        if end.exhausted || !scratch.grow() {
            return Err(WriteError::Unsupported);
        }
    }
}

/// Writes an archive to memory, and counts on without writing where the memory ends.
#[derive(Debug, Clone, Copy)]
pub struct BodyWriter {
    start: *mut u8,
    room: usize,
    position: usize,
    exhausted: bool,
}

impl BodyWriter {
    /// # Safety
    ///
    /// `start` is valid for writes of `room` bytes, by this writer alone, as long as it is used.
    unsafe fn new(start: *mut u8, room: usize) -> Self {
        Self { start, room, position: 0, exhausted: false }
    }

    /// A writer without memory.
    fn counting() -> Self {
        Self { start: std::ptr::dangling_mut(), room: 0, position: 0, exhausted: false }
    }
}

impl Positional for BodyWriter {
    #[inline]
    fn pos(&self) -> usize {
        self.position
    }
}

impl Writer<Failure> for BodyWriter {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        // Both terms are below `isize::MAX`.
        let end = self.position + bytes.len();
        if end <= self.room {
            // SAFETY: `position <= end <= room`, within the memory of `new`.
            let target = unsafe { self.start.add(self.position) };
            // SAFETY: `target` has `room - position >= bytes.len()` bytes, which nobody else uses.
            unsafe { target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        } else if end > MAX_ARCHIVE {
            // Beyond the reach of a relative pointer, where rkyv would panic.
            self.exhausted = true;
            return Err(Failure);
        }
        self.position = end;
        Ok(())
    }
}
