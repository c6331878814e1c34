//! How a message is handed to who asked for it.
//!
//! A plain one is copied out: it is smaller than what would keep its place. Of any other there is
//! only the archive, which stays where it is, together with what keeps it there. Which of the two,
//! the type says by its [`Schema::Shape`], so that generated code need not ask.

use super::{Body, Buffer, Invalid, Message, Schema, WriteError};
use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;

/// How values of a type are handed out: [`PlainShape`] or [`ArchivedShape`].
pub trait Shape: sealed::Sealed {
    /// A `T`, of which the archive, if that is what it is, is kept by a `K`.
    type Returned<T: Message, K>;

    /// What lies in a body that stays as it is as long as there is `keeper`.
    ///
    /// # Safety
    ///
    /// This is the shape of `T`. `archived` is a valid archive, and stays one, unwritten and in its
    /// place, until `keeper` is dropped, wherever that moves.
    unsafe fn hand_out<T: Message, K>(
        archived: NonNull<T::Archived>,
        keeper: K,
    ) -> Self::Returned<T, K>;

    /// The value itself, if that is what is handed out.
    ///
    /// # Safety
    ///
    /// This is the shape of `T`, and `archived` is a valid archive.
    unsafe fn copy<T: Message, K>(archived: &T::Archived) -> Option<Self::Returned<T, K>>;

    /// The same of a value of this process.
    ///
    /// # Errors
    ///
    /// [`WriteError::Unsupported`], if it has to be archived and cannot be.
    fn make<T: Message, K: From<Buffer>>(value: T) -> Result<Self::Returned<T, K>, WriteError>;
}

/// What is handed out of a `T`, of which the archive, if that is what it is, is kept by a `K`.
pub type HandedOut<T, K> = <<T as Schema>::Shape as Shape>::Returned<T, K>;

/// Of plain types: by value.
#[derive(Debug)]
pub enum PlainShape {}

/// Of all others: the archive in its place.
#[derive(Debug)]
pub enum ArchivedShape {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::PlainShape {}
    impl Sealed for super::ArchivedShape {}
}

impl Shape for PlainShape {
    type Returned<T: Message, K> = T;

    #[inline]
    unsafe fn hand_out<T: Message, K>(archived: NonNull<T::Archived>, _keeper: K) -> T {
        const { assert!(T::PLAIN) };
        // SAFETY: a type of this shape is plain, so its valid archive is a value of it, and may be
        // copied.
        unsafe { archived.cast::<T>().read() }
    }

    #[inline(always)]
    unsafe fn copy<T: Message, K>(archived: &T::Archived) -> Option<T> {
        const { assert!(T::PLAIN) };
        // SAFETY: as above.
        Some(unsafe { std::ptr::from_ref(archived).cast::<T>().read() })
    }

    #[inline]
    fn make<T: Message, K: From<Buffer>>(value: T) -> Result<T, WriteError> {
        Ok(value)
    }
}

impl Shape for ArchivedShape {
    type Returned<T: Message, K> = Held<T, K>;

    #[inline]
    unsafe fn hand_out<T: Message, K>(archived: NonNull<T::Archived>, keeper: K) -> Held<T, K> {
        Held { archived, keeper }
    }

    #[inline(always)]
    unsafe fn copy<T: Message, K>(_: &T::Archived) -> Option<Held<T, K>> {
        None
    }

    fn make<T: Message, K: From<Buffer>>(value: T) -> Result<Held<T, K>, WriteError> {
        let Held { archived, keeper } = Held::of(&value)?;
        Ok(Held { archived, keeper: keeper.into() })
    }
}

/// A `T`, handed out as its shape says.
///
/// # Errors
///
/// [`Invalid`] if the body holds no `T`.
///
/// # Safety
///
/// The body stays as it is, unwritten and in its place, until `keeper` is dropped, wherever that
/// moves.
#[inline]
pub unsafe fn hand_out<T: Message, K>(
    body: Body<'_>,
    keeper: K,
) -> Result<HandedOut<T, K>, Invalid> {
    let archived = NonNull::from(body.message::<T>()?);
    // SAFETY: it was found valid, and the caller vouches that it stays.
    Ok(unsafe { T::Shape::hand_out::<T, K>(archived, keeper) })
}

/// A `T` that is handed out by value; `None` if it is not.
///
/// # Errors
///
/// [`Invalid`] if the body holds no `T`.
#[inline(always)]
pub fn copy_out<T: Message, K>(body: Body<'_>) -> Option<Result<HandedOut<T, K>, Invalid>> {
    match body.message::<T>() {
        // SAFETY: it was found valid.
        Ok(archived) => unsafe { T::Shape::copy::<T, K>(archived) }.map(Ok),
        Err(invalid) => Some(Err(invalid)),
    }
}

/// An archive in its place, and what keeps it there.
pub struct Held<T: Message, K> {
    /// Valid, and unwritten, until `keeper` is dropped.
    archived: NonNull<T::Archived>,
    keeper: K,
}

impl<T: Message> Held<T, Buffer> {
    /// The archive of a value, in memory of its own.
    ///
    /// # Errors
    ///
    /// [`WriteError::Unsupported`] for what no archive can hold.
    pub fn of(value: &T) -> Result<Self, WriteError> {
        let mut buffer = Buffer::default();
        let archived = NonNull::from(buffer.archive(value)?);
        Ok(Self { archived, keeper: buffer })
    }
}

impl<T: Message, K> Deref for Held<T, K> {
    type Target = T::Archived;

    #[inline]
    fn deref(&self) -> &T::Archived {
        // SAFETY: valid and unwritten as long as there is the keeper.
        unsafe { self.archived.as_ref() }
    }
}

// SAFETY: it refers to an archive that nobody writes, as `&T::Archived` does, and moves the keeper.
unsafe impl<T: Message<Archived: Sync>, K: Send> Send for Held<T, K> {}
// SAFETY: it shares what it refers to; the keeper is not accessible.
unsafe impl<T: Message<Archived: Sync>, K: Sync> Sync for Held<T, K> {}

impl<T: Message<Archived: fmt::Debug>, K> fmt::Debug for Held<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Message<Archived: fmt::Display>, K> fmt::Display for Held<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
