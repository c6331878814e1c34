//! Types that are their own archive.

use super::Schema;

/// A type whose bytes can be copied to another process as they are.
///
/// `#[derive(Message)]` implements it for `repr(C)` and `repr(transparent)` structs and for
/// field-less enums with an integer `repr`, once it has made sure that they qualify.
///
/// # Safety
///
/// The layout is the same in every build for the same target, no byte is padding, there is no
/// pointer and no interior mutability, and the alignment is at most [`MAX_ALIGN`](super::MAX_ALIGN).
/// What is a valid archive of the type is a valid value of it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not plain",
    label = "not plain",
    note = "plain messages (`repr(C)`) hold integers, floats, `bool`, `char`, arrays and other \
            plain messages",
    note = "for strings, vectors and options remove `repr(C)` and derive `rkyv::Archive` and \
            `rkyv::Serialize` beside `Message`",
    note = "methods of services take plain messages by value or by reference, and all others as \
            `&Archived<Type>`"
)]
pub unsafe trait Plain: Copy + Schema + 'static {}

macro_rules! plain {
    ($($primitive:ty)*) => {
        $(
            // SAFETY: a primitive of fixed size, without padding, aligned to at most 16.
            unsafe impl Plain for $primitive {}
        )*
    };
}

plain!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 bool char);

// SAFETY: elements follow one another without padding, and each one is plain.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}
