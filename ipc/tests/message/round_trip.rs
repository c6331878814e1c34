//! Values written to a body and read from it.

use strait_ipc::message::{Message, Scratch, WriteError, measure};
use strait_ipc::rkyv::api::low::deserialize;
use strait_ipc::rkyv::rancor::Failure;
use strait_ipc::rkyv::{Archived, Deserialize};

use crate::body::Body;
use crate::types::{Fill, Id, Kind, Node, Order, Padded, Pair, Side, Stamped, Tick};

/// Writes `value` into exactly the room it takes, then reads it back both ways.
fn round_trip<T>(value: &T)
where
    T: Message + PartialEq + std::fmt::Debug,
    Archived<T>: Deserialize<T, strait_ipc::rkyv::api::low::LowDeserializer<Failure>>,
{
    let needed = measure(value, &mut Scratch::for_body(0)).unwrap();
    let mut body = Body::new(needed);
    assert_eq!(body.write(value), Ok(needed));
    let archived = body.checked::<T>(needed).unwrap();
    assert_eq!(deserialize::<T, Failure>(archived).unwrap(), *value);
    // SAFETY: the body was just written.
    let unchecked = unsafe { body.unchecked::<T>(needed) };
    assert!(std::ptr::eq(unchecked.unwrap(), archived));

    let room = needed - 1;
    let mut body = Body::new(room);
    assert_eq!(body.write(value), Err(WriteError::TooLarge { needed, room }));
    assert_eq!(Body::new(0).write(value), Err(WriteError::TooLarge { needed, room: 0 }));
}

#[test]
fn plain_messages() {
    round_trip(&Tick::SAMPLE);
    round_trip(&Fill::SAMPLE);
    round_trip(&Side::Buy);
    round_trip(&Id(9));
    round_trip(&7_u64);
    round_trip(&[1.5_f32, 2.5]);
}

#[test]
fn a_plain_message_is_read_as_itself() {
    let mut body = Body::new(64);
    let len = body.write(&Fill::SAMPLE).unwrap();
    let fill: &Fill = body.checked::<Fill>(len).unwrap();
    assert_eq!(fill, &Fill::SAMPLE);
}

#[test]
fn rich_messages() {
    round_trip(&Order::sample());
    round_trip(&Kind::Market);
    round_trip(&Kind::Limit { price: 1.0, post_only: true });
    round_trip(&Node::chain(0));
    round_trip(&Node::chain(20));
    round_trip(&Stamped { at: 1, values: ["x".to_string(), "y".repeat(100)] });
    round_trip(&Stamped { at: 1, values: [Side::Sell; 5] });
    round_trip(&vec![String::new(); 20]);
    round_trip(&Vec::<u64>::new());
    round_trip(&"text".to_string());
}

#[test]
fn fields_are_read_in_place() {
    let mut body = Body::new(4096);
    let order = Order::sample();
    let len = body.write(&order).unwrap();
    let archived = body.checked::<Order>(len).unwrap();
    assert_eq!(archived.symbol, order.symbol);
    assert_eq!(archived.legs[1].quantity, 2);
    assert_eq!(archived.fills.as_slice(), &[Tick::SAMPLE; 2]);
    assert_eq!(archived.tags[0][1], "the second of them");
}

#[test]
fn padding_stays_at_home() {
    let mut body = Body::new(64);
    let len = body.write(&Padded { small: 0xff, large: u64::MAX }).unwrap();
    assert_eq!(len, 16);
    assert_eq!(body.bytes()[1..8], [0; 7]);
}

#[test]
fn an_archive_without_invalid_values_is_just_its_root() {
    let mut body = Body::new(64);
    let len = body.write(&Pair { left: 1, right: 2 }).unwrap();
    assert_eq!(len, 8);
    body.bytes()[..8].fill(0xff);
    assert_eq!(body.checked::<Pair>(len).unwrap().left, u32::MAX);
}

#[test]
fn scratch_grows_when_it_must() {
    // Each string leaves a note until all of them are written.
    let value: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let mut scratch = Scratch::for_body(0);
    assert_eq!(measure(&value, &mut scratch), Ok(200 * 8 + 8));
}

#[test]
fn errors_say_what_to_do() {
    let error = Body::new(8).write(&Tick::SAMPLE).unwrap_err();
    insta::assert_snapshot!(error, @"the message takes 48 bytes and only 8 fit: send less, or create the channel for larger messages");
}
