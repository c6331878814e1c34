//! Lengths and bytes that no sender writes.

use strait_ipc::message::{Invalid, Message};

use crate::body::Body;
use crate::types::{Fill, Node, Order, Side, Tick};

/// A small generator (xorshift), so that failures repeat.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// Damages archives of `value` over and over; `read` visits all that a valid one refers to.
fn damage<T: Message>(value: &T, read: impl Fn(&T::Archived)) -> (u32, u32) {
    const ROUNDS: u32 = 20_000;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut valid, mut invalid) = (0, 0);
    let mut body = Body::new(2048);
    for _ in 0..ROUNDS {
        let mut len = body.write(value).unwrap();
        for _ in 0..=random.below(4) {
            let (at, bit) = (random.below(len), random.below(8));
            body.bytes()[at] ^= 1 << bit;
        }
        if random.below(8) == 0 {
            len = random.below(4096);
        }
        match body.checked::<T>(len) {
            Ok(archived) => {
                read(archived);
                valid += 1;
            }
            Err(_) => invalid += 1,
        }
    }
    (valid, invalid)
}

#[test]
fn damaged_archives_are_refused_or_readable() {
    let (valid, invalid) = damage(&Order::sample(), |order| {
        let text = |text: &str| assert!(text.chars().all(|c| u32::from(c) < 0x11_0000));
        text(&order.symbol);
        order.note.iter().for_each(|note| text(note));
        order.legs.iter().for_each(|leg| text(&leg.symbol));
        order.tags.iter().flat_map(|tags| tags.iter()).for_each(|tag| text(tag));
        assert!(matches!(order.side, Side::Buy | Side::Sell));
        assert!(order.fills.iter().all(|fill| fill.levels.len() == 8));
    });
    // Both happen often, or the test is none.
    assert!(valid > 1000 && invalid > 1000, "{valid} valid, {invalid} invalid");
}

#[test]
fn damaged_plain_messages_are_refused_or_readable() {
    let (valid, invalid) = damage(&Fill::SAMPLE, |fill| {
        assert!(matches!(fill.side, Side::Buy | Side::Sell));
        assert!(u32::from(fill.venue) < 0x11_0000);
    });
    assert!(valid > 1000 && invalid > 1000, "{valid} valid, {invalid} invalid");
}

#[test]
fn invalid_values_are_refused() {
    let mut body = Body::new(64);
    let len = body.write(&Side::Buy).unwrap();
    body.bytes()[0] = 2;
    assert_eq!(body.checked::<Side>(len), Err(Invalid::Contents { message: "Side" }));
    body.bytes()[0] = 0xff;
    assert_eq!(body.checked::<Side>(len), Ok(&Side::Sell));

    let len = body.write(&Fill::SAMPLE).unwrap();
    let last = std::mem::offset_of!(Fill, last);
    body.bytes()[last] = 2;
    assert_eq!(body.checked::<Fill>(len), Err(Invalid::Contents { message: "Fill" }));
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let mut body = Body::new(512);
    let tick = body.write(&Tick::SAMPLE).unwrap();
    for len in [0, tick - 1, tick + 1, tick + 16, 513, usize::MAX] {
        let error = Invalid::Length { message: "Tick", len, room: 512 };
        assert_eq!(body.checked::<Tick>(len), Err(error));
        // SAFETY: every bit pattern is a `Tick`.
        assert_eq!(unsafe { body.unchecked::<Tick>(len) }, None);
    }

    let order = body.write(&Order::sample()).unwrap();
    for len in [0, size_of::<<Order as strait_ipc::rkyv::Archive>::Archived>() - 1, order - 1, 513]
    {
        assert!(matches!(body.checked::<Order>(len), Err(Invalid::Length { .. })), "{len}");
        // SAFETY: no reference is made for these lengths.
        assert!(unsafe { body.unchecked::<Order>(len) }.is_none());
    }
}

#[test]
fn nesting_is_bounded() {
    let mut body = Body::new(4096);
    let len = body.write(&Node::chain(20)).unwrap();
    assert!(body.checked::<Node>(len).is_ok());
    let len = body.write(&Node::chain(80)).unwrap();
    assert!(matches!(body.checked::<Node>(len), Err(Invalid::Contents { message: "Node" })));
}
