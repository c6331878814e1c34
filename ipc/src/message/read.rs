//! From bytes in shared memory to a reference to the archive.
//!
//! The root of an archive lies at its end. Lengths come from a peer: they are clamped before they
//! become addresses.

use std::num::NonZeroUsize;

use rkyv::api::check_pos_with_context;
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::{Failure, Strategy};
use rkyv::validation::Validator;
use rkyv::validation::archive::ArchiveValidator;
use thiserror::Error;

use super::{Checking, MAX_ALIGN, Message, Plain, type_name};
use crate::ring::geometry::Store;

/// How deep boxes and vectors may nest in a message that is checked.
pub const MAX_DEPTH: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Invalid {
    /// The stated length fits no archive of the type.
    #[error(
        "a message is said to take {len} of {room} bytes, which no `{message}` does: its sender \
         is faulty, or the segment is damaged"
    )]
    Length {
        /// Name of the type.
        message: &'static str,
        /// The length found, in bytes.
        len: usize,
        /// Bytes there are.
        room: usize,
    },
    /// The cell holds something else than a message.
    #[error(
        "a cell of kind {kind} holds no message that this version knows: its sender is newer, \
             or the segment is damaged"
    )]
    Kind {
        /// The kind found.
        kind: u16,
    },
    /// The message is said to lie where it cannot.
    #[error(
        "a message is said to take {bytes} bytes at {at}, where there is only {store}: its sender is \
         faulty, or the segment is damaged"
    )]
    Nowhere {
        /// Where it is said to lie: a position in the arena, or the number of a block.
        at: u64,
        /// Length it is said to have.
        bytes: u64,
        /// What there is.
        store: Store,
    },
    /// A value in the archive is not one of its type, or points where it must not.
    #[error(
        "the bytes of a message are not a valid `{message}`: its sender is faulty, or the segment \
         is damaged"
    )]
    Contents {
        /// Name of the type.
        message: &'static str,
    },
}

/// Checks the archive of `len` bytes in `body` and refers to its root.
///
/// Types for which every bit pattern is valid need no check beyond that of the length.
///
/// # Errors
///
/// [`Invalid`] for any length and any bytes that are not an archive of `T`, including those that
/// nest deeper than [`MAX_DEPTH`].
///
/// # Safety
///
/// - `body` is aligned to [`MAX_ALIGN`] and valid for reads of `room` initialised bytes for `'a`.
/// - `len` was loaded once.
/// - Nobody writes those bytes during `'a`.
#[inline]
pub unsafe fn access_checked<'a, T: Message>(
    body: *const u8,
    len: usize,
    room: usize,
) -> Result<&'a T::Archived, Invalid> {
    let Some(root) = root_position::<T>(len, room) else {
        return Err(invalid_length::<T>(len, room));
    };
    if !T::ANY_BITS {
        // The validator wants a slice, a claim that the bytes stay as they are. They do: a sender
        // fills a cell before it publishes it and leaves it alone until the reader releases it.
        // SAFETY: `len <= room` initialised bytes, which the caller vouches nobody writes.
        let bytes = unsafe { std::slice::from_raw_parts(body, len) };
        let archive = ArchiveValidator::with_max_depth(bytes, Some(MAX_DEPTH));
        let mut context = Validator::new(archive, ());
        if check_pos_with_context::<T::Archived, _, Failure>(bytes, root, &mut context).is_err() {
            return Err(invalid_contents::<T>());
        }
    }
    // SAFETY: `root_position` keeps the root aligned and within `room`; its bytes have been
    // checked, or need no check.
    Ok(unsafe { root_at::<T>(body, root) })
}

/// Refers to the root of the archive of `len` bytes in `body`, unchecked.
///
/// `None` if no archive of `T` has that length.
///
/// # Safety
///
/// As for [`access_checked`], and the bytes are an archive of `T`: they were written by
/// [`write`](super::write()) for a type of the same fingerprint, and have not changed since.
#[inline]
#[must_use]
pub unsafe fn access_unchecked<'a, T: Message>(
    body: *const u8,
    len: usize,
    room: usize,
) -> Option<&'a T::Archived> {
    let root = root_position::<T>(len, room)?;
    // SAFETY: `root_position` keeps the root aligned and within `room`; the caller vouches for the
    // bytes.
    Some(unsafe { root_at::<T>(body, root) })
}

/// Checks the values of a plain type that lie one after another in `len` bytes, and refers to them.
///
/// # Errors
///
/// [`Invalid`] for a length that no number of values has, and for bytes that are none.
///
/// # Safety
///
/// As for [`access_checked`], with a room of `len`.
#[inline]
pub unsafe fn access_slice<'a, T: Plain + Message>(
    body: *const u8,
    len: usize,
) -> Result<&'a [T], Invalid> {
    const { assert!(T::PLAIN) };
    if !len.is_multiple_of(size_of::<T>()) {
        return Err(invalid_length::<T>(len, len));
    }
    let count = len / size_of::<T>();
    if !T::ANY_BITS {
        // SAFETY: `len` initialised bytes, which the caller vouches nobody writes.
        let bytes = unsafe { std::slice::from_raw_parts(body, len) };
        let archive = ArchiveValidator::with_max_depth(bytes, Some(MAX_DEPTH));
        let mut validator = Validator::new(archive, ());
        let context: &mut Checking<'_> = Strategy::wrap(&mut validator);
        for index in 0..count {
            // SAFETY: `index` is below the number of values that fit in `len` bytes.
            let value = unsafe { body.cast::<T::Archived>().add(index) };
            // SAFETY: initialised bytes; the body is aligned for any message, and the size of a
            // type is a multiple of its alignment.
            if unsafe { T::Archived::check_bytes(value, context) }.is_err() {
                return Err(invalid_contents::<T>());
            }
        }
    }
    // SAFETY: `count` values, which have been checked or need no check: a valid archive of a plain
    // type is a value of it.
    Ok(unsafe { std::slice::from_raw_parts(body.cast::<T>(), count) })
}

/// Where the root lies in an archive of `len` bytes, if it can lie there.
#[inline]
fn root_position<T: Message>(len: usize, room: usize) -> Option<usize> {
    const { assert!(align_of::<T::Archived>() <= MAX_ALIGN) };
    let size = size_of::<T::Archived>();
    if len > room {
        return None;
    }
    if T::PLAIN || T::ANY_BITS {
        // Nothing but the root.
        return (len == size).then_some(0);
    }
    let root = len.checked_sub(size)?;
    root.is_multiple_of(align_of::<T::Archived>()).then_some(root)
}

/// # Safety
///
/// `body` has a valid archived `T` at `root`, aligned, that nobody writes during `'a`.
#[inline]
unsafe fn root_at<'a, T: Message>(body: *const u8, root: usize) -> &'a T::Archived {
    // SAFETY: the caller vouches that `root` lies within the body.
    let root = unsafe { body.add(root) };
    // SAFETY: the caller vouches for a valid, aligned value that stays as it is.
    unsafe { &*root.cast::<T::Archived>() }
}

#[cold]
fn invalid_length<T: Message>(len: usize, room: usize) -> Invalid {
    Invalid::Length { message: type_name(T::SCHEMA), len, room }
}

#[cold]
fn invalid_contents<T: Message>() -> Invalid {
    Invalid::Contents { message: type_name(T::SCHEMA) }
}
