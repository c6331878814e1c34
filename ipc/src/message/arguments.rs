//! Several values in one body.
//!
//! ```text
//! none        no bytes
//! one         the value, as it would stand alone
//! several     u32 lengths, one for each │ up to a multiple of 16 │ value │ up to a multiple of 16 │ value …
//! ```
//!
//! Lengths come from a peer: each is read once, and is an error unless the values fill the body.

use super::encode::Encode;
use super::read::{Invalid, access_checked, access_slice};
use super::{MAX_ALIGN, Message, Plain, Scratch, WriteError};
use std::fmt;
use std::marker::PhantomData;

/// References to up to eight values, to be written as one body.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<T>(pub T);

impl Encode for Arguments<()> {
    #[inline(always)]
    unsafe fn encode(&self, _: *mut u8, _: usize, _: &mut Scratch) -> Result<usize, WriteError> {
        Ok(0)
    }
}

impl<A: Encode + ?Sized> Encode for Arguments<(&A,)> {
    #[inline(always)]
    unsafe fn encode(
        &self,
        body: *mut u8,
        room: usize,
        scratch: &mut Scratch,
    ) -> Result<usize, WriteError> {
        // SAFETY: the caller's promise is the same.
        unsafe { self.0.0.encode(body, room, scratch) }
    }
}

macro_rules! several {
    ($($count:literal: $($value:ident)*;)*) => {
        $(
            impl<$($value: Encode + ?Sized),*> Encode for Arguments<($(&$value,)*)> {
                #[inline(always)]
                #[allow(non_snake_case, reason = "named like their types")]
                unsafe fn encode(
                    &self,
                    body: *mut u8,
                    room: usize,
                    scratch: &mut Scratch,
                ) -> Result<usize, WriteError> {
                    let Arguments(($($value,)*)) = self;
                    let mut writing = Writing { body, room, at: values_at($count) };
                    // SAFETY: the memory is the one that the caller promised.
                    let lengths: [u32; $count] = [$(unsafe { writing.value(*$value, scratch) }?),*];
                    // SAFETY: as above.
                    unsafe { writing.finish(&lengths) }
                }
            }
        )*
    };
}

several! {
    2: A B;
    3: A B C;
    4: A B C D;
    5: A B C D E;
    6: A B C D E F;
    7: A B C D E F G;
    8: A B C D E F G H;
}

/// Where the first of several values lies.
const fn values_at(count: usize) -> usize {
    (count * size_of::<u32>()).next_multiple_of(MAX_ALIGN)
}

/// A body that is being filled.
struct Writing {
    body: *mut u8,
    room: usize,
    /// Where the last value ends; may be beyond the room.
    at: usize,
}

impl Writing {
    /// Writes the next value, or goes on counting where there is no room, and returns its length.
    ///
    /// # Safety
    ///
    /// `body` and `room` are as [`Encode::encode`] asks.
    #[inline(always)]
    unsafe fn value<E: Encode + ?Sized>(
        &mut self,
        value: &E,
        scratch: &mut Scratch,
    ) -> Result<u32, WriteError> {
        let start = self.at.next_multiple_of(MAX_ALIGN);
        let room = self.room.saturating_sub(start);
        let body = self.body.wrapping_add(start);
        // SAFETY: aligned like the body; `room` bytes follow, or none are written.
        let len = match unsafe { value.encode(body, room, scratch) } {
            Ok(len) | Err(WriteError::TooLarge { needed: len, .. }) => len,
            Err(unsupported) => return Err(unsupported),
        };
        self.at = start + len;
        u32::try_from(len).map_err(|_| WriteError::Unsupported)
    }

    /// Writes the lengths, and returns that of the whole.
    ///
    /// # Safety
    ///
    /// As for [`value`](Self::value).
    #[inline(always)]
    unsafe fn finish(self, lengths: &[u32]) -> Result<usize, WriteError> {
        if self.at > self.room {
            return Err(WriteError::TooLarge { needed: self.at, room: self.room });
        }
        // SAFETY: the body is aligned and has room for the values, which come after the lengths.
        unsafe {
            self.body.cast::<u32>().copy_from_nonoverlapping(lengths.as_ptr(), lengths.len())
        };
        Ok(self.at)
    }
}

/// The bytes of a body that came, not yet believed to be anything.
#[derive(Clone, Copy)]
pub struct Body<'a> {
    start: *const u8,
    len: usize,
    bytes: PhantomData<&'a [u8]>,
}

impl<'a> Body<'a> {
    /// `len` bytes from `start` on.
    ///
    /// # Safety
    ///
    /// `start` is aligned to [`MAX_ALIGN`] and valid for reads of `len` initialised bytes for `'a`,
    /// which nobody writes meanwhile. `len` was loaded once.
    #[inline]
    pub unsafe fn new(start: *const u8, len: usize) -> Self {
        Self { start, len, bytes: PhantomData }
    }

    /// A message in its place.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if there is none of that type.
    #[inline]
    pub fn message<T: Message>(self) -> Result<&'a T::Archived, Invalid> {
        // SAFETY: as `new` was promised.
        unsafe { access_checked::<T>(self.start, self.len, self.len) }
    }

    /// A plain value in its place.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if there is none of that type.
    #[inline]
    pub fn plain<T: Plain + Message>(self) -> Result<&'a T, Invalid> {
        const { assert!(T::PLAIN) };
        let archived = std::ptr::from_ref(self.message::<T>()?);
        // SAFETY: a valid archive of a plain type is a value of it.
        Ok(unsafe { &*archived.cast::<T>() })
    }

    /// A row of plain values in its place.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if there is none of that type.
    #[inline]
    pub fn slice<T: Plain + Message>(self) -> Result<&'a [T], Invalid> {
        // SAFETY: as `new` was promised.
        unsafe { access_slice(self.start, self.len) }
    }

    /// Text in its place.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if it is not UTF-8.
    #[inline]
    pub fn text(self) -> Result<&'a str, Invalid> {
        str::from_utf8(self.slice()?).map_err(|_| Invalid::Contents { message: "str" })
    }

    /// As many values as [`Arguments`] had.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if the body is not filled by so many.
    #[inline]
    pub fn split<const N: usize>(self) -> Result<[Body<'a>; N], Invalid> {
        let mut values = [self; N];
        if N == 0 && self.len > 0 {
            return Err(self.invalid_length());
        }
        if N > 1 {
            let lengths = self.part(0, N * size_of::<u32>())?.slice::<u32>()?;
            let mut end = values_at(N);
            for (value, len) in values.iter_mut().zip(lengths) {
                let start = end.next_multiple_of(MAX_ALIGN);
                *value = self.part(start, *len as usize)?;
                end = start + value.len;
            }
            if end != self.len {
                return Err(self.invalid_length());
            }
        }
        Ok(values)
    }

    /// `len` bytes at `start`, a multiple of [`MAX_ALIGN`].
    ///
    /// # Errors
    ///
    /// [`Invalid`] if they are not within the body.
    #[inline]
    pub fn part(self, start: usize, len: usize) -> Result<Body<'a>, Invalid> {
        match start.checked_add(len) {
            Some(end) if end <= self.len && start.is_multiple_of(MAX_ALIGN) => {
                let start = self.start.wrapping_add(start);
                Ok(Body { start, len, ..self })
            }
            _ => Err(self.invalid_length()),
        }
    }

    #[cold]
    fn invalid_length(self) -> Invalid {
        Invalid::Length { message: "values", len: self.len, room: self.len }
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("len", &self.len).finish_non_exhaustive()
    }
}
