//! The messages that the tests send.

use strait_ipc::rkyv;
use strait_macros::Message;

/// A field-less enum, plain.
#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[message(crate = strait_ipc)]
#[repr(i8)]
pub(crate) enum Side {
    Buy = 1,
    Sell = -1,
}

/// Plain, and every bit pattern is valid.
#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[message(crate = strait_ipc)]
#[repr(C)]
pub(crate) struct Tick {
    pub(crate) price: f64,
    pub(crate) size: u64,
    pub(crate) levels: [u32; 8],
}

impl Tick {
    pub(crate) const SAMPLE: Self =
        Self { price: 101.25, size: 300, levels: [1, 2, 3, 4, 5, 6, 7, 8] };
}

/// Plain, with a plain type inside and values that must be checked.
#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[message(crate = strait_ipc)]
#[repr(C)]
pub(crate) struct Fill {
    pub(crate) tick: Tick,
    pub(crate) id: Id,
    pub(crate) side: Side,
    pub(crate) last: bool,
    pub(crate) reserved: [u8; 2],
    pub(crate) venue: char,
}

impl Fill {
    pub(crate) const SAMPLE: Self = Self {
        tick: Tick::SAMPLE,
        id: Id(7),
        side: Side::Sell,
        last: true,
        reserved: [0; 2],
        venue: 'λ',
    };
}

/// Plain, a tuple struct around one value.
#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[message(crate = strait_ipc)]
#[repr(transparent)]
pub(crate) struct Id(pub(crate) u64);

/// An enum with data.
#[derive(Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, Message)]
#[message(crate = strait_ipc)]
#[rkyv(crate = rkyv)]
pub(crate) enum Kind {
    Market,
    Limit { price: f64, post_only: bool },
    Peg(Id, Option<f32>),
}

#[derive(Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, Message)]
#[message(crate = strait_ipc)]
#[rkyv(crate = rkyv)]
pub(crate) struct Leg {
    pub(crate) symbol: String,
    pub(crate) quantity: u32,
}

/// Everything there is.
#[derive(Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, Message)]
#[message(crate = strait_ipc)]
#[rkyv(crate = rkyv)]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) symbol: String,
    pub(crate) kind: Kind,
    pub(crate) side: Side,
    pub(crate) legs: Vec<Leg>,
    pub(crate) tags: Vec<Vec<String>>,
    pub(crate) note: Option<Box<str>>,
    pub(crate) parent: Option<Box<Id>>,
    pub(crate) span: (u32, f64),
    pub(crate) fills: Vec<Tick>,
    pub(crate) r#type: [u16; 3],
}

impl Order {
    pub(crate) fn sample() -> Self {
        let leg = |symbol: &str, quantity| Leg { symbol: symbol.into(), quantity };
        Self {
            id: 42,
            symbol: "a symbol that is not inline".into(),
            kind: Kind::Peg(Id(5), Some(0.5)),
            side: Side::Buy,
            legs: vec![leg("short", 1), leg("longer than eight", 2)],
            tags: vec![vec!["one".into(), "the second of them".into()], vec![], vec!["x".into()]],
            note: Some("a note".into()),
            parent: Some(Box::new(Id(41))),
            span: (3, 4.0),
            fills: vec![Tick::SAMPLE; 2],
            r#type: [1, 2, 3],
        }
    }
}

/// Holds itself.
#[derive(Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, Message)]
#[message(crate = strait_ipc)]
#[rkyv(
    crate = rkyv,
    serialize_bounds(
        __S: rkyv::ser::Writer + rkyv::ser::Allocator,
        __S::Error: rkyv::rancor::Source,
    ),
    deserialize_bounds(__D::Error: rkyv::rancor::Source),
    bytecheck(bounds(
        __C: rkyv::validation::ArchiveContext + rkyv::rancor::Fallible,
        <__C as rkyv::rancor::Fallible>::Error: rkyv::rancor::Source,
    )),
)]
pub(crate) struct Node {
    pub(crate) value: u32,
    #[rkyv(omit_bounds)]
    pub(crate) children: Vec<Node>,
    #[rkyv(omit_bounds)]
    pub(crate) next: Option<Box<Self>>,
}

impl Node {
    /// A node in a chain of `depth` boxes.
    pub(crate) fn chain(depth: u32) -> Self {
        let mut node = Self { value: 0, children: vec![], next: None };
        for value in 1..=depth {
            node = Self { value, children: vec![], next: Some(Box::new(node)) };
        }
        node
    }
}

/// With parameters.
#[derive(Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, Message)]
#[message(crate = strait_ipc)]
#[rkyv(crate = rkyv)]
pub(crate) struct Stamped<T, const N: usize> {
    pub(crate) at: u64,
    pub(crate) values: [T; N],
}

/// Archived although it could be plain.
#[derive(Debug, rkyv::Archive, rkyv::Serialize, Message)]
#[message(crate = strait_ipc, archive)]
#[rkyv(crate = rkyv)]
#[repr(C)]
pub(crate) struct Padded {
    pub(crate) small: u8,
    pub(crate) large: u64,
}

/// Archived, without padding or invalid values.
#[derive(Debug, rkyv::Archive, rkyv::Serialize, Message)]
#[message(crate = strait_ipc)]
#[rkyv(crate = rkyv)]
pub(crate) struct Pair {
    pub(crate) left: u32,
    pub(crate) right: u32,
}
