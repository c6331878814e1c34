//! Messages: Rust types that cross a process boundary without being copied into another shape.
//!
//! A message travels as an rkyv archive. Types whose memory already *is* their archive are copied
//! as they are; others are serialised straight into shared memory. The reader looks at the archive
//! in place. Both sides compare schema texts when they meet, so that a changed field is an error
//! with a name, never a misread byte.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | [`Message`]: what a channel asks of a type |
//! | [`schema`] | [`Schema`]: how primitives and containers describe themselves |
//! | [`text`] | [`SchemaText`]: the description, built at compile time, and its grammar |
//! | [`fingerprint`] | [`Fingerprint`]: 128 bits that stand for a description |
//! | [`plain`] | [`Plain`]: types that are their own archive |
//! | [`tree`] | reading a description that comes from elsewhere |
//! | [`mod@compare`] | two descriptions, and the first [`Difference`] between them |
//! | [`mod@write`] | value → archive in shared memory |
//! | [`read`] | archive in shared memory → reference |
//! | [`encode`] | what can be written as a body: messages, text, rows of plain values |
//! | [`arguments`] | several values in one body, and how they are read |
//! | [`buffer`] | memory of this process for bodies |
//! | [`shape`] | [`Held`]: an archive and what keeps it; plain values are handed out without |

pub mod arguments;
pub mod buffer;
pub mod compare;
pub mod encode;
pub mod fingerprint;
pub mod plain;
pub mod read;
pub mod schema;
pub mod shape;
pub mod text;
pub mod tree;
pub mod write;

pub use arguments::{Arguments, Body};
pub use buffer::Buffer;
pub use compare::{Difference, compare};
pub use encode::Encode;
pub use fingerprint::Fingerprint;
pub use plain::Plain;
pub use read::{Invalid, access_checked, access_slice, access_unchecked};
pub use schema::{Schema, SelfReference};
pub use shape::Held;
pub use text::{SCHEMA_BYTES, SchemaText};
pub use tree::type_name;
pub use write::{Scratch, WriteError, measure, write};

use rkyv::api::low::{LowSerializer, LowValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::primitive::ArchivedU32;
use rkyv::rancor::Failure;
use rkyv::ser::allocator::SubAllocator;
use rkyv::{Archive, Serialize};

/// The largest alignment of an archive, in bytes: message bodies start at multiples of it.
pub const MAX_ALIGN: usize = 16;

/// The serializer of messages: to raw memory, with borrowed scratch space, without shared pointers.
pub type Writing<'a> = LowSerializer<write::BodyWriter, SubAllocator<'a>, Failure>;

/// The context in which archives are checked.
pub type Checking<'a> = LowValidator<'a, Failure>;

/// A type that can travel through a channel.
///
/// Implemented for whatever has a [`Schema`] and rkyv's traits: derive it with
/// `#[derive(Message)]`. Numbers, strings, vectors and arrays of messages are messages too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    note = "a plain message is `repr(C)` and derives `Clone`, `Copy` and `Message`; any other \
            derives `rkyv::Archive`, `rkyv::Serialize` and `Message`"
)]
pub trait Message:
    Schema
    + Archive<Archived: for<'a> CheckBytes<Checking<'a>>>
    + for<'a> Serialize<Writing<'a>>
    + 'static
{
    /// The canonical description of the type, as stored beside every channel.
    const SCHEMA: &'static str;

    /// Stands for [`SCHEMA`](Self::SCHEMA); equal on both sides of a channel.
    const FINGERPRINT: Fingerprint;

    /// Whether a value's bytes are its archive: it is copied, not serialised.
    const PLAIN: bool;
}

impl<T> Message for T
where
    T: Schema
        + Archive<Archived: for<'a> CheckBytes<Checking<'a>>>
        + for<'a> Serialize<Writing<'a>>
        + 'static,
{
    const SCHEMA: &'static str = {
        let text: &'static SchemaText = const { &T::TEXT };
        text.as_str()
    };

    const FINGERPRINT: Fingerprint = Fingerprint::of(Self::SCHEMA);

    const PLAIN: bool =
        T::COPY_OPTIMIZATION.is_enabled() && size_of::<T>() == size_of::<T::Archived>();
}

// Plain messages keep the machine's byte order, and archives must agree with it. The other format
// features of rkyv change sizes or alignments, which the schema text reports.
const _: () = {
    let archived = ArchivedU32::from_native(1);
    // SAFETY: an archived integer is four initialised bytes.
    let bytes = unsafe { core::mem::transmute::<ArchivedU32, [u8; 4]>(archived) };
    assert!(bytes[0] == 1, "archives are little-endian: disable rkyv's feature `big_endian`");
};
