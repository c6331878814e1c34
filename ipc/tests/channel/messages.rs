//! Messages that can tell whether they arrived whole: every part follows from a number.

use strait_ipc::message::Message;
use strait_ipc::rkyv;
use strait_macros::Message as DeriveMessage;

/// A message made from a number.
pub trait Numbered: Message {
    fn numbered(number: u64) -> Self;

    /// The number in an archive.
    ///
    /// # Panics
    ///
    /// If not every part of it follows from that number: the message is torn.
    fn number(archived: &Self::Archived) -> u64;
}

/// Plain, two cache lines with the head.
#[derive(Debug, Clone, Copy, PartialEq, DeriveMessage)]
#[message(crate = strait_ipc)]
#[repr(C)]
pub struct Tick {
    pub number: u64,
    pub price: f64,
    pub echo: [u64; 10],
}

/// Rich: of varying length, nested.
#[derive(Debug, PartialEq, rkyv::Archive, rkyv::Serialize, DeriveMessage)]
#[message(crate = strait_ipc)]
#[rkyv(crate = rkyv, compare(PartialEq), derive(Debug))]
pub struct Order {
    pub number: u64,
    pub symbol: String,
    pub legs: Vec<Leg>,
    pub tags: Vec<Vec<u32>>,
    pub note: Option<String>,
}

#[derive(Debug, PartialEq, rkyv::Archive, rkyv::Serialize, DeriveMessage)]
#[message(crate = strait_ipc)]
#[rkyv(crate = rkyv, compare(PartialEq), derive(Debug))]
pub struct Leg {
    pub venue: String,
    pub quantity: u64,
}

impl Numbered for u64 {
    fn numbered(number: u64) -> Self {
        number
    }

    fn number(archived: &Self::Archived) -> u64 {
        archived.to_native()
    }
}

impl Numbered for Tick {
    fn numbered(number: u64) -> Self {
        // Small enough for a float to be exact.
        Self { number, price: f64::from(number as u32), echo: [number; 10] }
    }

    fn number(archived: &Self) -> u64 {
        assert_eq!(*archived, Self::numbered(archived.number), "torn");
        archived.number
    }
}

impl Numbered for Order {
    fn numbered(number: u64) -> Self {
        let text = |len: u64| format!("{number:x}").repeat(1 + usize::try_from(len).unwrap());
        let leg = |index| Leg { venue: text(index), quantity: number ^ index };
        Self {
            number,
            symbol: text(number % 5),
            legs: (0..number % 4).map(leg).collect(),
            tags: (0..number % 3).map(|len| vec![number as u32; len as usize]).collect(),
            note: (!number.is_multiple_of(3)).then(|| text(number % 7)),
        }
    }

    fn number(archived: &Self::Archived) -> u64 {
        let number = archived.number.to_native();
        assert_eq!(*archived, Self::numbered(number), "torn");
        number
    }
}
