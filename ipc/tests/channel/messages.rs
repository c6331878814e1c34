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
    pub tags: Vec<Vec<u64>>,
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
        Self { number, price: number as f64, echo: [number; 10] }
    }

    fn number(archived: &Self) -> u64 {
        assert_eq!(*archived, Self::numbered(archived.number), "torn");
        archived.number
    }
}

impl Numbered for Order {
    fn numbered(number: u64) -> Self {
        let times = |divisor: u64| usize::try_from(number % divisor).unwrap();
        let text = |digits| format!("{number:x}").repeat(digits);
        let leg = |index| Leg { venue: text(index), quantity: number.wrapping_add(index as u64) };
        Self {
            number,
            symbol: text(times(5)),
            legs: (0..times(4)).map(leg).collect(),
            tags: (0..times(3)).map(|len| vec![number; len]).collect(),
            note: (times(3) > 0).then(|| text(times(7))),
        }
    }

    fn number(archived: &Self::Archived) -> u64 {
        let number = archived.number.to_native();
        assert_eq!(*archived, Self::numbered(number), "torn");
        number
    }
}
