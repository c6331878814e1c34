//! Private memory for messages, and cells that some write while others read.
//!
//! Both sides go word by word, so that a reader that comes at the wrong moment has a mixture of two messages,
//! which it notices and drops, and not undefined behaviour. What is handed out, and what is validated, is
//! a copy that nobody else has.

use crate::message::{Invalid, MAX_ALIGN};
use crate::ring::layout::{CellHead, Meta};
use std::ptr::NonNull;
use strait_pools::sync::AtomicU64;
use strait_pools::sync::Ordering::Relaxed;

/// Private memory for one message.
#[derive(Debug)]
pub(super) struct Buffer {
    lines: Box<[u128]>,
    /// What was noted of the message in it.
    meta: Meta,
}

const LINE: usize = size_of::<u128>();
const _: () = assert!(align_of::<u128>() >= MAX_ALIGN);
// Lines are taken apart into words, low half first.
const _: () = assert!(cfg!(target_endian = "little"));

impl Buffer {
    /// For messages of up to `room` bytes.
    pub(super) fn new(room: usize) -> Self {
        Self { lines: vec![0; room.div_ceil(LINE)].into(), meta: Meta(0) }
    }

    /// Its bytes: 16-aligned, initialised, `room` at least.
    pub(super) fn as_ptr(&self) -> *const u8 {
        self.lines.as_ptr().cast()
    }

    /// The same, to be written.
    pub(super) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.lines.as_mut_ptr().cast()
    }

    /// What was noted of the message in it.
    pub(super) fn meta(&self) -> Meta {
        self.meta
    }

    /// Notes something of the message in it.
    pub(super) fn describe(&mut self, meta: Meta) {
        self.meta = meta;
    }
}

/// Length of a message that stands in its cell.
///
/// # Errors
///
/// It is said to be of another kind, or longer than the cell.
#[inline(always)]
pub(super) fn length(meta: Meta, room: usize) -> Result<usize, Invalid> {
    let message = "message";
    match meta.inline_len().map(|len| len as usize) {
        Some(len) if len <= room => Ok(len),
        Some(len) => Err(Invalid::Length { message, len, room }),
        None => Err(Invalid::Kind { kind: meta.kind() }),
    }
}

/// A wide cell that others may read or write at any time, but for its state.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenCell {
    start: NonNull<u8>,
    room: usize,
}

impl OpenCell {
    /// The cell at `start`, with room for `room` bytes.
    ///
    /// # Safety
    ///
    /// A head and `room` bytes, a multiple of 16, are mapped there, 16-aligned, while it is used.
    #[inline(always)]
    pub(super) unsafe fn new(start: NonNull<u8>, room: usize) -> Self {
        Self { start, room }
    }

    #[inline(always)]
    fn head(&self) -> &CellHead {
        // SAFETY: `new`'s caller vouches for it; it is made of atomics.
        unsafe { self.start.cast().as_ref() }
    }

    /// The address of the body.
    #[inline(always)]
    pub(super) fn body(self) -> *const u8 {
        // SAFETY: the cell begins with its head.
        unsafe { self.start.add(size_of::<CellHead>()) }.as_ptr()
    }

    /// Two words of the body: line `index` of 16 bytes.
    #[inline(always)]
    fn line(&self, index: usize) -> &[AtomicU64; 2] {
        debug_assert!((index + 1) * LINE <= self.room);
        // SAFETY: callers keep to the room that `new`'s caller vouches for.
        let line = unsafe { self.body().add(index * LINE) };
        // SAFETY: as above; it is aligned, and every bit pattern is a valid atomic.
        unsafe { &*line.cast() }
    }

    /// What is noted of the message, loaded once.
    #[inline(always)]
    pub(super) fn meta(self) -> Meta {
        Meta(self.head().meta.load(Relaxed))
    }

    /// Writes the first `len` bytes of `from`, a message of this incarnation of its sender.
    #[inline(always)]
    pub(super) fn put(self, from: &Buffer, len: usize, incarnation: u64) {
        debug_assert!(len <= self.room);
        // A body has at most MAX_CELL_BYTES.
        #[allow(clippy::cast_possible_truncation)]
        let noted = Meta::inline(len as u32, incarnation);
        self.head().meta.store(noted.0, Relaxed);
        for (index, line) in from.lines[..len.div_ceil(LINE)].iter().enumerate() {
            let [low, high] = self.line(index);
            // Those are the halves of the line, in the machine's order.
            #[allow(clippy::cast_possible_truncation)]
            low.store(*line as u64, Relaxed);
            #[allow(clippy::cast_possible_truncation)]
            high.store((*line >> 64) as u64, Relaxed);
        }
    }

    /// Copies the message, which others may be writing over.
    #[inline(always)]
    pub(super) fn take(self, into: &mut Buffer) {
        into.meta = self.meta();
        let len = length(into.meta, self.room).unwrap_or(0);
        for (index, line) in into.lines[..len.div_ceil(LINE)].iter_mut().enumerate() {
            let [low, high] = self.line(index);
            *line = u128::from(low.load(Relaxed)) | u128::from(high.load(Relaxed)) << 64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever length a cell tells of, no more is copied than there is.
    #[test]
    fn lengths_are_held_to_the_room() {
        const ROOM: usize = 48;
        let mut memory = [0_u128; 4];
        let start = NonNull::from(&mut memory).cast();
        // SAFETY: four lines of 16 bytes are a head and 48 bytes, and nobody else has them.
        let cell = unsafe { OpenCell::new(start, ROOM) };
        let mut buffer = Buffer::new(ROOM);
        for (len, found) in
            [(0, Some(0)), (1, Some(1)), (48, Some(48)), (49, None), (u32::MAX, None)]
        {
            cell.head().meta.store(Meta::inline(len, 7).0, Relaxed);
            cell.take(&mut buffer);
            assert_eq!(length(buffer.meta(), ROOM).ok(), found, "{len}");
        }
        cell.head().meta.store(Meta::elsewhere(1, 7).0, Relaxed);
        cell.take(&mut buffer);
        assert_eq!(length(buffer.meta(), ROOM), Err(Invalid::Kind { kind: 1 }));
    }

    #[test]
    fn what_is_put_is_taken() {
        const ROOM: usize = 48;
        let mut memory = [u128::MAX; 4];
        let start = NonNull::from(&mut memory).cast();
        // SAFETY: as above.
        let cell = unsafe { OpenCell::new(start, ROOM) };
        let (mut from, mut into) = (Buffer::new(ROOM), Buffer::new(ROOM));
        for len in 0..=ROOM {
            let bytes: Vec<u8> = (0..len).map(|byte| u8::try_from(byte + len).unwrap()).collect();
            // SAFETY: `len` is no more than the buffer has.
            unsafe { from.as_mut_ptr().copy_from_nonoverlapping(bytes.as_ptr(), len) };
            cell.put(&from, len, 3);
            cell.take(&mut into);
            assert_eq!(length(into.meta(), ROOM), Ok(len));
            // SAFETY: as above.
            let taken = unsafe { std::slice::from_raw_parts(into.as_ptr(), len) };
            assert_eq!(taken, bytes);
        }
    }
}
