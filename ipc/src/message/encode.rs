//! What can be written as a body: a message, text, a row of plain values, or nothing at all.
//!
//! Several of them in one body are [`Arguments`](super::Arguments).

use super::write::{MAX_ARCHIVE, Scratch, WriteError, write};
use super::{Message, Plain};
use std::convert::Infallible;

/// What can be written to a body as it is asked for.
pub trait Encode {
    /// Writes the bytes to `body` and returns how many there are.
    ///
    /// On an error the first `room` bytes of `body` hold nothing meaningful.
    ///
    /// # Errors
    ///
    /// [`WriteError::TooLarge`] with the number of bytes that there would be.
    ///
    /// # Safety
    ///
    /// `body` is aligned to [`MAX_ALIGN`](super::MAX_ALIGN) and valid for writes of `room` bytes, and
    /// nobody else reads or writes them until this returns.
    unsafe fn encode(
        &self,
        body: *mut u8,
        room: usize,
        scratch: &mut Scratch,
    ) -> Result<usize, WriteError>;
}

impl<T: Message> Encode for T {
    #[inline(always)]
    unsafe fn encode(
        &self,
        body: *mut u8,
        room: usize,
        scratch: &mut Scratch,
    ) -> Result<usize, WriteError> {
        // SAFETY: the caller's promise is the same.
        unsafe { write(self, body, room, scratch) }
    }
}

/// Nothing: no bytes.
impl Encode for () {
    #[inline(always)]
    unsafe fn encode(&self, _: *mut u8, _: usize, _: &mut Scratch) -> Result<usize, WriteError> {
        Ok(0)
    }
}

/// What there never is.
impl Encode for Infallible {
    unsafe fn encode(&self, _: *mut u8, _: usize, _: &mut Scratch) -> Result<usize, WriteError> {
        match *self {}
    }
}

/// The text itself, as UTF-8, with nothing around it.
impl Encode for str {
    #[inline(always)]
    unsafe fn encode(
        &self,
        body: *mut u8,
        room: usize,
        scratch: &mut Scratch,
    ) -> Result<usize, WriteError> {
        // SAFETY: the caller's promise is the same.
        unsafe { self.as_bytes().encode(body, room, scratch) }
    }
}

/// The values one after another, with nothing around them.
impl<T: Plain> Encode for [T] {
    #[inline(always)]
    unsafe fn encode(
        &self,
        body: *mut u8,
        room: usize,
        _: &mut Scratch,
    ) -> Result<usize, WriteError> {
        let needed = size_of_val(self);
        if needed > MAX_ARCHIVE {
            return Err(WriteError::Unsupported);
        }
        if needed > room {
            return Err(WriteError::TooLarge { needed, room });
        }
        // SAFETY: the caller gives `room` writable bytes, `needed` is no more, and plain values
        // have no padding, so all bytes are initialised.
        unsafe { body.copy_from_nonoverlapping(self.as_ptr().cast(), needed) };
        Ok(needed)
    }
}
