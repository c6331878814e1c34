//! The messages that are measured: plain, dense, and with parts out of line. Each can take another
//! number without touching the heap.

use std::fmt::Write;
use strait_ipc::channel::Spsc;
use strait_ipc::message::Message;
use strait_ipc::rkyv;

/// A message whose contents follow from a number.
pub(crate) trait Numbered: Message {
    /// What failures call it.
    const NAME: &'static str;

    /// Whether it travels in dense cells.
    const DENSE: bool = false;

    /// Message number 0.
    fn first() -> Self;

    /// Becomes message `number`. Never touches the heap.
    fn become_number(&mut self, number: u64);

    /// Whether an archive is, in all its parts, that of message `number`. Never touches the heap.
    fn is_number(archived: &Self::Archived, number: u64) -> bool;
}

/// A channel that is about to be opened, of the cells that suit the message.
pub(crate) fn unnamed<T: Numbered>(capacity: u64) -> Spsc<T> {
    let channel = Spsc::unnamed(T::NAME).capacity(capacity);
    if T::DENSE { channel.dense() } else { channel }
}

/// Plain: 48 bytes, which with its head fill a cache line.
#[derive(Clone, Copy, Debug, strait_macros::Message)]
#[message(crate = strait_ipc)]
#[repr(C)]
pub(crate) struct Tick {
    words: [u64; 6],
}

impl Numbered for Tick {
    const NAME: &'static str = "plain";

    fn first() -> Self {
        Self { words: [0; 6] }
    }

    fn become_number(&mut self, number: u64) {
        self.words = [number; 6];
    }

    fn is_number(archived: &Self::Archived, number: u64) -> bool {
        archived.words == [number; 6]
    }
}

/// A word in a dense cell.
impl Numbered for u64 {
    const NAME: &'static str = "dense";
    const DENSE: bool = true;

    fn first() -> Self {
        0
    }

    fn become_number(&mut self, number: u64) {
        *self = number;
    }

    fn is_number(archived: &Self::Archived, number: u64) -> bool {
        *archived == number
    }
}

/// Rich: a string too long to stand inline, and a vector of 0 to 7 elements.
#[derive(Debug, rkyv::Archive, rkyv::Serialize, strait_macros::Message)]
#[rkyv(crate = strait_ipc::rkyv)]
#[message(crate = strait_ipc)]
pub(crate) struct Order {
    account: String,
    sizes: Vec<u64>,
}

impl Order {
    const MOST_SIZES: u64 = 8;
}

impl Numbered for Order {
    const NAME: &'static str = "rich";

    fn first() -> Self {
        let mut order = Self { account: String::with_capacity(64), sizes: Vec::with_capacity(8) };
        order.become_number(0);
        order
    }

    fn become_number(&mut self, number: u64) {
        self.account.clear();
        let written = write!(self.account, "account {number:020}");
        debug_assert!(written.is_ok(), "strings take what they are given");
        self.sizes.clear();
        self.sizes.extend((0..number % Self::MOST_SIZES).map(|place| number + place));
    }

    fn is_number(archived: &Self::Archived, number: u64) -> bool {
        let account = archived.account.strip_prefix("account ").and_then(|text| text.parse().ok());
        account == Some(number)
            && archived
                .sizes
                .iter()
                .copied()
                .eq((0..number % Self::MOST_SIZES).map(|place| number + place))
    }
}
