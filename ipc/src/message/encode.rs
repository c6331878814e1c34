//! What can be written as the body of a message: a message, or several values one after another.

use super::write::{Scratch, WriteError, write};
use super::Message;

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
