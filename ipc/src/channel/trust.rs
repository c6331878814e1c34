//! Whether a received archive is checked before it is looked at.
//!
//! In a segment that only its owner may open, every process that can write runs as this user, who
//! could write this process's memory anyway: reading in place gives nothing away. What remains are
//! faults, and [`Checked`] finds those. `docs/safety.md` says what each choice promises.

use crate::message::{Invalid, Message, access_checked, access_unchecked, type_name};
use std::fmt::Debug;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Checked {}
    impl Sealed for super::Trusted {}
}

/// How a receiver treats what arrives: [`Checked`] or [`Trusted`].
pub trait Trust: sealed::Sealed + Copy + Debug + Send + 'static {
    /// Refers to the message in `body`.
    ///
    /// # Safety
    ///
    /// - `body` is 16-aligned and valid for reads of `room` initialised bytes for `'a`.
    /// - `len` was loaded once, and nobody writes those bytes during `'a`.
    #[doc(hidden)]
    unsafe fn access<'a, T: Message>(
        body: *const u8,
        len: usize,
        room: usize,
    ) -> Result<&'a T::Archived, Invalid>;
}

/// Every message is validated in place before it is handed out. For types without invalid bit
/// patterns the check compiles away.
#[derive(Clone, Copy, Debug)]
pub struct Checked;

/// Messages are handed out as they are: somebody promised that every process in the domain runs a
/// conforming build. See `Domain::trusted`.
#[derive(Clone, Copy, Debug)]
pub struct Trusted;

impl Trust for Checked {
    #[inline(always)]
    unsafe fn access<'a, T: Message>(
        body: *const u8,
        len: usize,
        room: usize,
    ) -> Result<&'a T::Archived, Invalid> {
        // SAFETY: the caller's promise is the callee's precondition, word for word.
        unsafe { access_checked::<T>(body, len, room) }
    }
}

impl Trust for Trusted {
    #[inline(always)]
    unsafe fn access<'a, T: Message>(
        body: *const u8,
        len: usize,
        room: usize,
    ) -> Result<&'a T::Archived, Invalid> {
        // SAFETY: the caller vouches for the memory; whoever made this domain trusted vouched that
        // its writers write archives of the type the channel was opened for.
        let archived = unsafe { access_unchecked::<T>(body, len, room) };
        archived.ok_or_else(|| Invalid::Length { message: type_name(T::SCHEMA), len, room })
    }
}
