//! Several values in one body.

use proptest::prelude::*;
use strait_ipc::message::{Arguments, Buffer, Encode, Held, Invalid, Scratch, WriteError};

use crate::types::{Fill, Order, Side, Tick};

/// The body of `value`.
fn encoded<E: Encode>(value: &E) -> Buffer {
    let mut buffer = Buffer::default();
    let len = buffer.append(value).unwrap();
    assert_eq!(buffer.bytes().len(), len);
    buffer
}

/// Bytes that somebody else wrote.
fn foreign(bytes: &[u8]) -> Buffer {
    encoded(&Arguments((bytes,)))
}

#[test]
fn one_value_is_its_archive_and_none_is_nothing() {
    assert_eq!(encoded(&Arguments(())).bytes(), []);
    let tick = encoded(&Arguments((&Tick::SAMPLE,)));
    assert_eq!(tick.bytes().len(), 48);
    let [value] = tick.body().split().unwrap();
    assert_eq!(value.plain::<Tick>(), Ok(&Tick::SAMPLE));
    assert_eq!(encoded(&Arguments(("text",))).bytes(), b"text");
    assert_eq!(encoded(&Arguments((&[1_u16, 2][..],))).bytes(), [1, 0, 2, 0]);
}

#[test]
fn several_values_follow_their_lengths() {
    let buffer = encoded(&Arguments((&1_u64, "abc", &[Side::Buy, Side::Sell][..])));
    let mut expected = [0; 50];
    for (at, byte) in [(0, 8), (4, 3), (8, 2), (16, 1), (48, 1), (49, 0xff)] {
        expected[at] = byte;
    }
    expected[32..35].copy_from_slice(b"abc");
    assert_eq!(buffer.bytes(), expected);
}

#[test]
fn rows_of_values_are_checked() {
    assert_eq!(foreign(&[1, 0xff, 1]).body().slice::<Side>().map(<[_]>::len), Ok(3));
    let invalid = foreign(&[1, 2, 1]);
    assert_eq!(invalid.body().slice::<Side>(), Err(Invalid::Contents { message: "Side" }));
    let odd = foreign(&[0; 7]);
    let error = Invalid::Length { message: "u16", len: 7, room: 7 };
    assert_eq!(odd.body().slice::<u16>(), Err(error));
    assert_eq!(foreign(&[]).body().slice::<u128>(), Ok(&[][..]));
    let latin = foreign(b"caf\xe9");
    assert_eq!(latin.body().text(), Err(Invalid::Contents { message: "str" }));
}

#[test]
fn a_number_of_values_that_is_not_there_is_refused() {
    let two = encoded(&Arguments((&1_u64, &2_u64)));
    assert!(two.body().split::<2>().is_ok());
    assert!(two.body().split::<0>().is_err());
    assert!(two.body().split::<3>().is_err());
    assert!(encoded(&Arguments(())).body().split::<2>().is_err());
    // Bytes behind the last value belong to nobody.
    let mut bytes = two.bytes().to_vec();
    bytes.push(0);
    assert!(foreign(&bytes).body().split::<2>().is_err());
}

#[test]
fn a_buffer_holds_bodies_at_multiples_of_16() {
    let mut buffer = Buffer::default();
    assert_eq!(buffer.append("abc"), Ok(3));
    assert_eq!(buffer.append(&Order::sample()).map(|len| len % 4), Ok(0));
    let order = buffer.bytes().len() - 16;
    assert_eq!(buffer.append(&7_u64), Ok(8));
    let body = buffer.body();
    assert_eq!(body.part(0, 3).and_then(|text| text.text()), Ok("abc"));
    let symbol = body.part(16, order).and_then(|order| order.message::<Order>());
    assert_eq!(symbol.map(|order| &*order.symbol), Ok(&*Order::sample().symbol));
    let end = (16 + order).next_multiple_of(16);
    assert_eq!(body.part(end, 8).and_then(|number| number.plain::<u64>()), Ok(&7));
    assert!(body.part(end, 9).is_err() && body.part(8, 1).is_err());
    assert!(body.part(usize::MAX - 15, 16).is_err());
    buffer.clear();
    assert_eq!(buffer.bytes(), []);
}

#[test]
fn a_held_archive_moves_with_what_keeps_it() {
    let held = vec![Held::of(&Order::sample()).unwrap(), Held::of(&Order::sample()).unwrap()];
    let other = std::thread::spawn(move || held.into_iter().next_back().unwrap()).join().unwrap();
    assert_eq!(&*other.symbol, &*Order::sample().symbol);
}

fn orders() -> impl Strategy<Value = Order> {
    let words = prop::collection::vec(prop::collection::vec(".{0,12}", 0..3), 0..4);
    (any::<u64>(), ".{0,40}", words).prop_map(|(id, symbol, tags)| Order {
        id,
        symbol,
        tags,
        ..Order::sample()
    })
}

/// Writes to a room that may be too small, with a guard behind it.
fn write_in(room: usize, value: &impl Encode) -> Result<usize, WriteError> {
    const GUARD: u128 = 0xa5a5_a5a5_a5a5_a5a5_a5a5_a5a5_a5a5_a5a5;
    let mut memory = vec![GUARD; room / 16 + 2];
    let start = memory.as_mut_ptr().cast();
    // SAFETY: aligned to 16, longer than the room, and borrowed by nobody else.
    let outcome = unsafe { value.encode(start, room, &mut Scratch::for_body(0)) };
    let bytes: Vec<u8> = memory.iter().flat_map(|word| word.to_le_bytes()).collect();
    assert!(bytes[room..].iter().all(|&byte| byte == 0xa5), "wrote beyond the room");
    outcome
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn values_come_as_they_went(
        number: u32,
        text in ".{0,60}",
        row in prop::collection::vec(any::<u64>(), 0..20),
        order in orders(),
        room in 0_usize..1200,
    ) {
        let values = Arguments((&number, &*text, &row[..], &order, &Fill::SAMPLE));
        let buffer = encoded(&values);
        let [a, b, c, d, e] = buffer.body().split().unwrap();
        prop_assert_eq!(a.plain::<u32>(), Ok(&number));
        prop_assert_eq!(b.text(), Ok(&*text));
        prop_assert_eq!(c.slice::<u64>(), Ok(&row[..]));
        let archived = d.message::<Order>().unwrap();
        prop_assert_eq!((archived.id.to_native(), &*archived.symbol), (order.id, &*order.symbol));
        for (archived, tags) in archived.tags.iter().zip(&order.tags) {
            prop_assert!(archived.iter().map(|tag| &**tag).eq(tags.iter()));
        }
        prop_assert_eq!(e.plain::<Fill>(), Ok(&Fill::SAMPLE));

        // However little room there is: all of it, or what it would take.
        let needed = buffer.bytes().len();
        let expected = if needed > room {
            Err(WriteError::TooLarge { needed, room })
        } else {
            Ok(needed)
        };
        prop_assert_eq!(write_in(room, &values), expected);
    }

    #[test]
    fn damaged_bodies_are_refused_or_readable(
        order in orders(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        lengths in prop::array::uniform4(prop::option::of(any::<u32>())),
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = encoded(&Arguments((&7_u64, "text", &[Side::Buy][..], &order)));
        let mut bytes = whole.bytes().to_vec();
        for (at, byte) in damage {
            *at.get_mut(&mut bytes) = byte;
        }
        for (index, length) in lengths.into_iter().enumerate() {
            if let Some(length) = length {
                bytes[4 * index..][..4].copy_from_slice(&length.to_le_bytes());
            }
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        let buffer = foreign(&bytes);
        if let Ok([a, b, c, d]) = buffer.body().split() {
            let _ = a.plain::<u64>();
            prop_assert!(b.text().map_or(true, |text| text.len() <= bytes.len()));
            let valid = |&side: &Side| side == Side::Buy || side == Side::Sell;
            prop_assert!(c.slice::<Side>().map_or(true, |row| row.iter().all(valid)));
            if let Ok(order) = d.message::<Order>() {
                let tags = order.tags.iter().flat_map(|tags| tags.iter());
                prop_assert!(tags.flat_map(|tag| tag.chars()).all(|c| u32::from(c) < 0x11_0000));
            }
        }
    }
}
