//! How primitives and containers describe themselves.

use rkyv::Archive;
use rkyv::boxed::ArchivedBox;
use rkyv::string::ArchivedString;
use rkyv::vec::ArchivedVec;

use super::SchemaText;
use super::shape::{ArchivedShape, PlainShape, Shape};

/// A type with a canonical description.
///
/// Derived by `#[derive(Message)]`; implemented here for what messages are made of.
///
/// # Safety
///
/// - Equal [`TEXT`](Self::TEXT)s mean equal layouts and meanings of the archived types.
/// - [`ANY_BITS`](Self::ANY_BITS) is true only if every bit pattern is a valid archived value.
/// - The archived type is aligned to at most [`MAX_ALIGN`](super::MAX_ALIGN), takes at least one
///   byte, and holds no shared pointers.
/// - [`Shape`](Self::Shape) is [`PlainShape`] only if the type is [`Plain`](super::Plain).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel in a message",
    label = "has no schema",
    note = "add `#[derive(Message)]` to your own types",
    note = "messages hold numbers of fixed width, `bool`, `char`, `String`, `Box`, `Vec`, \
            `Option`, arrays, tuples and other messages; shared pointers (`Rc`, `Arc`), `usize` \
            and references cannot cross a process boundary"
)]
pub unsafe trait Schema {
    /// The description, in the grammar of [`text`](super::text).
    const TEXT: SchemaText;

    /// Whether every bit pattern is valid, so that nothing has to be checked.
    const ANY_BITS: bool;

    /// How a value is handed to who asked for it: by value, or as the archive that lies there.
    type Shape: Shape;
}

macro_rules! numbers {
    ($($number:ident)*) => {
        $(
            // SAFETY: the text names the number and, where a build changed it, its layout. Every
            // bit pattern is a number.
            unsafe impl Schema for $number {
                const TEXT: SchemaText = SchemaText::word::<<$number as Archive>::Archived>(
                    stringify!($number),
                    size_of::<$number>(),
                    align_of::<$number>(),
                );
                const ANY_BITS: bool = true;
                type Shape = PlainShape;
            }
        )*
    };
}

numbers!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64);

// SAFETY: the text names the type; only 0 and 1 are valid.
unsafe impl Schema for bool {
    const TEXT: SchemaText = SchemaText::word::<<bool as Archive>::Archived>("bool", 1, 1);
    const ANY_BITS: bool = false;
    type Shape = PlainShape;
}

// SAFETY: the text names the type; surrogates and large numbers are invalid.
unsafe impl Schema for char {
    const TEXT: SchemaText = SchemaText::word::<<char as Archive>::Archived>("char", 4, 4);
    const ANY_BITS: bool = false;
    type Shape = PlainShape;
}

// SAFETY: the text names the type and any departure from a 32-bit length and offset.
unsafe impl Schema for String {
    const TEXT: SchemaText = SchemaText::word::<ArchivedString>("string", 8, 4);
    const ANY_BITS: bool = false;
    type Shape = ArchivedShape;
}

// SAFETY: as for `String`; this is the length and offset of a string that is never inline.
unsafe impl Schema for Box<str> {
    const TEXT: SchemaText = SchemaText::word::<ArchivedBox<str>>("str", 8, 4);
    const ANY_BITS: bool = false;
    type Shape = ArchivedShape;
}

// SAFETY: the text holds the element's, and any departure from a 32-bit length and offset. The
// archived vector's own layout does not depend on its element.
unsafe impl<T: Schema> Schema for Vec<T> {
    const TEXT: SchemaText = {
        let mut text = SchemaText::new();
        text.push("[");
        text.push_type(&T::TEXT);
        text.push("]");
        text.push_unusual_layout::<ArchivedVec<()>>(8, 4);
        text
    };
    const ANY_BITS: bool = false;
    type Shape = ArchivedShape;
}

// SAFETY: the text holds the pointee's, and any departure from a 32-bit offset.
unsafe impl<T: Schema> Schema for Box<T> {
    const TEXT: SchemaText = {
        let mut text = SchemaText::new();
        text.push("box(");
        text.push_type(&T::TEXT);
        text.push(")");
        text.push_unusual_layout::<ArchivedBox<()>>(4, 4);
        text
    };
    const ANY_BITS: bool = false;
    type Shape = ArchivedShape;
}

// SAFETY: an archived option is a byte and the value, laid out by the rules of `repr(C)`, so its
// layout follows from the value's, which the text holds.
unsafe impl<T: Schema> Schema for Option<T> {
    const TEXT: SchemaText = {
        let mut text = SchemaText::new();
        text.push("option(");
        text.push_type(&T::TEXT);
        text.push(")");
        text
    };
    const ANY_BITS: bool = false;
    type Shape = ArchivedShape;
}

// SAFETY: the text holds the element's and the length, from which the layout follows.
unsafe impl<T: Schema, const N: usize> Schema for [T; N] {
    const TEXT: SchemaText = {
        assert!(N > 0, "an array in a message holds at least one element");
        let mut text = SchemaText::new();
        text.push("[");
        text.push_type(&T::TEXT);
        text.push(";");
        text.push_number(N as i128);
        text.push("]");
        text
    };
    const ANY_BITS: bool = T::ANY_BITS;
    type Shape = T::Shape;
}

macro_rules! tuples {
    ($($first:ident $($other:ident)*;)*) => {
        $(
            // SAFETY: an archived tuple is laid out by the rules of `repr(C)` from its members,
            // whose texts this one holds.
            unsafe impl<$first: Schema, $($other: Schema),*> Schema for ($first, $($other,)*) {
                const TEXT: SchemaText = {
                    let mut text = SchemaText::new();
                    text.push("(");
                    text.push_type(&$first::TEXT);
                    $(
                        text.push(",");
                        text.push_type(&$other::TEXT);
                    )*
                    text.push(")");
                    text
                };
                const ANY_BITS: bool = $first::ANY_BITS $(&& $other::ANY_BITS)*;
                type Shape = ArchivedShape;
            }
        )*
    };
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
}

/// Stands for a type inside its own description, which would be endless otherwise.
///
/// The derive puts it where a field of `Node` mentions `Node`, as in `Vec<Node>`.
#[derive(Debug)]
pub enum SelfReference {}

// SAFETY: the text means the named type it is written in. It is read by reference only, through a
// vector or box, so it has no part in a layout.
unsafe impl Schema for SelfReference {
    const TEXT: SchemaText = {
        let mut text = SchemaText::new();
        text.push("^");
        text
    };
    const ANY_BITS: bool = false;
    type Shape = ArchivedShape;
}
