//! Memory of this process for bodies.

use super::encode::Encode;
use super::{Body, MAX_ALIGN, Message, Scratch, WriteError};
use std::cell::Cell;

/// What a body is aligned to, and all of it initialised.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
struct Block([u8; MAX_ALIGN]);

/// How much an empty buffer takes at first, in bytes: most messages fit, and are written once.
const FIRST: usize = 256;

thread_local! {
    /// The serializer's notes, taken while a message is written: writing may write another.
    static SCRATCH: Cell<Option<Scratch>> = const { Cell::new(None) };
}

/// Bodies one after another in memory that grows, each at a multiple of [`MAX_ALIGN`].
#[derive(Debug, Default)]
pub struct Buffer {
    blocks: Vec<Block>,
    /// Bytes used.
    len: usize,
}

impl Buffer {
    /// Writes a body behind those that are there, and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`WriteError::Unsupported`] for what no archive can hold, or no memory. The buffer is as it was.
    pub fn append<E: Encode + ?Sized>(&mut self, value: &E) -> Result<usize, WriteError> {
        let start = self.len.next_multiple_of(MAX_ALIGN);
        let mut scratch = SCRATCH.try_with(Cell::take).ok().flatten();
        let written = self.write(start, value, scratch.get_or_insert_with(|| Scratch::for_body(0)));
        // Where the thread is ending, there is no place for it any more.
        let _ = SCRATCH.try_with(|place| place.set(scratch));
        let written = written?;
        self.len = start + written;
        Ok(written)
    }

    fn write<E: Encode + ?Sized>(
        &mut self,
        start: usize,
        value: &E,
        scratch: &mut Scratch,
    ) -> Result<usize, WriteError> {
        self.reserve(if start == 0 { FIRST } else { start })?;
        loop {
            let room = self.blocks.len() * MAX_ALIGN - start;
            // SAFETY: `start` was reserved.
            let body = unsafe { self.blocks.as_mut_ptr().cast::<u8>().add(start) };
            // SAFETY: blocks are aligned, and so is `start`; `room` bytes follow, which are this
            // buffer's alone.
            match unsafe { value.encode(body, room, scratch) } {
                Err(WriteError::TooLarge { needed, .. }) => self.reserve(start + needed)?,
                outcome => return outcome,
            }
        }
    }

    /// Makes sure that there are so many bytes, used or not.
    fn reserve(&mut self, bytes: usize) -> Result<(), WriteError> {
        let blocks = bytes.div_ceil(MAX_ALIGN);
        if blocks > self.blocks.len() {
            let more = blocks - self.blocks.len();
            self.blocks.try_reserve(more).map_err(|_| WriteError::Unsupported)?;
            self.blocks.resize(blocks, Block([0; MAX_ALIGN]));
        }
        Ok(())
    }

    /// Writes a message to the empty buffer, and refers to its archive.
    ///
    /// It stays where it is when the buffer moves.
    pub(super) fn archive<T: Message>(&mut self, value: &T) -> Result<&T::Archived, WriteError> {
        debug_assert_eq!(self.len, 0);
        let len = self.append(value)?;
        // SAFETY: the blocks are aligned and initialised, and the borrow keeps them; an archive of
        // `T` was just written there.
        let archived =
            unsafe { super::access_unchecked::<T>(self.blocks.as_ptr().cast(), len, len) };
        archived.ok_or(WriteError::Unsupported)
    }

    /// All of it, with what lies between bodies.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes were written or zeroed, and the borrow keeps them.
        unsafe { std::slice::from_raw_parts(self.blocks.as_ptr().cast(), self.len) }
    }

    /// All of it, as one body.
    pub fn body(&self) -> Body<'_> {
        // SAFETY: the blocks are aligned and initialised, and the borrow keeps them as they are.
        unsafe { Body::new(self.blocks.as_ptr().cast(), self.len) }
    }

    /// Forgets what was written, and keeps the memory.
    pub fn clear(&mut self) {
        self.len = 0;
    }
}
