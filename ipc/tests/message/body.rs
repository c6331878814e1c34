//! Memory such as a ring's cell has it.

use strait_ipc::message::{
    Invalid, Message, Scratch, WriteError, access_checked, access_unchecked, write,
};

const BODY: usize = 4096;
const GUARD: u8 = 0xa5;

/// Aligned bytes, of which messages use the first `room`.
#[derive(Debug)]
#[repr(C, align(16))]
pub(crate) struct Body {
    bytes: [u8; BODY],
    pub(crate) room: usize,
}

impl Body {
    pub(crate) fn new(room: usize) -> Self {
        Self { bytes: [GUARD; BODY], room }
    }

    /// Writes `value`, and makes sure that nothing beyond the room is touched.
    pub(crate) fn write<T: Message>(&mut self, value: &T) -> Result<usize, WriteError> {
        let mut scratch = Scratch::for_body(self.room);
        let start = self.bytes.as_mut_ptr();
        // SAFETY: `room` is at most the length of the aligned, exclusively borrowed array.
        let outcome = unsafe { write(value, start, self.room, &mut scratch) };
        assert!(self.bytes[self.room..].iter().all(|&byte| byte == GUARD), "wrote beyond the room");
        outcome
    }

    pub(crate) fn checked<T: Message>(&self, len: usize) -> Result<&T::Archived, Invalid> {
        // SAFETY: the array is aligned, initialised, and borrowed as long as the result.
        unsafe { access_checked::<T>(self.bytes.as_ptr(), len, self.room) }
    }

    /// # Safety
    ///
    /// The body holds a `T`.
    pub(crate) unsafe fn unchecked<T: Message>(&self, len: usize) -> Option<&T::Archived> {
        // SAFETY: the array is aligned, initialised, and borrowed as long as the result; the
        // caller vouches for its contents.
        unsafe { access_unchecked::<T>(self.bytes.as_ptr(), len, self.room) }
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.room]
    }
}
