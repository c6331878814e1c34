//! Rings in which a faulty process wrote what no ring writes. Each side says so, or goes on; neither
//! panics, hangs, or reads beyond a cell.

mod channel;

use channel::{Numbered, Order, Place, Tick, Words, text};
use std::time::Duration;
use strait_ipc::channel::{Bytes, Receiver, RecvError, SendError, Sender};

const NAME: &str = "flow";
const HOSTILE: [u64; 9] = [0, 1, 5, 99, 1 << 32, i64::MAX as u64, 1 << 63, u64::MAX - 1, u64::MAX];

fn open<T: Numbered>(place: &Place) -> (Sender<T>, Receiver<T>, Words) {
    let sender = place.spsc::<T>(NAME).capacity(4).sender().unwrap();
    let receiver = place.spsc::<T>(NAME).receiver().unwrap();
    (sender, receiver, Words::of(place, NAME))
}

#[test]
fn progress_that_no_receiver_makes() {
    let place = Place::new();
    let (mut sender, _receiver, words) = open::<Tick>(&place);
    sender.send_all(&[0, 1, 2, 3].map(Tick::numbered)).unwrap();
    words.set_consumed(99);
    let corrupt = sender.try_send(&Tick::numbered(4)).unwrap_err();
    insta::assert_snapshot!(corrupt, @"channel `flow` is damaged: the ring's words contradict each other: consumed is 99, which position 4 rules out");
    assert!(matches!(corrupt, SendError::Corrupt(_)));
    assert_eq!(sender.send(&Tick::numbered(4)), Err(corrupt.clone()));
    assert_eq!(sender.send_timeout(&Tick::numbered(4), channel::HANG), Err(corrupt.clone()));
    assert_eq!(sender.loan().map(drop), Err(corrupt.clone()));
    assert_eq!(sender.batch().push(&Tick::numbered(4)), Err(corrupt.clone()));
    assert_eq!(sender.send_all(&[Tick::numbered(4)]), Err((0, corrupt)));
    // Nothing was overwritten, and a word that makes sense again is believed.
    words.set_consumed(0);
    assert_eq!(sender.try_send(&Tick::numbered(4)), Err(SendError::Full));
}

#[test]
fn a_state_that_no_sender_stores() {
    let place = Place::new();
    let (_sender, mut receiver, words) = open::<Tick>(&place);
    words.set_state(0, 77);
    let corrupt = receiver.try_recv().map(drop).unwrap_err();
    insta::assert_snapshot!(corrupt, @"channel `flow` is damaged: the ring's words contradict each other: state is 77, which position 0 rules out");
    assert!(matches!(corrupt, RecvError::Corrupt(_)));
    assert_eq!(receiver.recv().unwrap_err(), corrupt);
    assert_eq!(receiver.recv_timeout(channel::HANG).unwrap_err(), corrupt);
    assert_eq!(receiver.drain(9, |_| ()).unwrap_err(), corrupt);
    assert_eq!(receiver.position(), 0);
}

#[test]
fn a_place_where_no_receiver_can_have_stopped() {
    let place = Place::new();
    let (mut sender, receiver, words) = open::<Tick>(&place);
    sender.send_all(&[0, 1, 2, 3].map(Tick::numbered)).unwrap();
    drop(receiver);
    words.set_cursor(1000);
    insta::assert_snapshot!(text(place.spsc::<Tick>(NAME).receiver(), &place), @"channel `flow` is damaged: the ring's words contradict each other: cursor is 1000, which position 0 rules out; remove the channel");
    words.set_cursor(u64::MAX);
    assert!(place.spsc::<Tick>(NAME).receiver().is_err());
    words.set_cursor(1);
    let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 1);
}

#[test]
fn a_place_where_no_sender_can_have_stopped() {
    let place = Place::new();
    let (mut sender, mut receiver, words) = open::<Tick>(&place);
    sender.send_all(&[0, 1].map(Tick::numbered)).unwrap();
    drop(sender);
    words.set_published(1 << 40);
    insta::assert_snapshot!(text(place.spsc::<Tick>(NAME).sender(), &place), @"channel `flow` is damaged: the ring's words contradict each other: published is 1099511627776, which position 0 rules out; remove the channel");
    // A hint that lags is what hints do: the cells say where to go on.
    for lagging in [0, 1, u64::MAX, 1 << 63] {
        words.set_published(lagging);
        assert_eq!(place.spsc::<Tick>(NAME).sender().unwrap().position(), 2);
    }
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 0);
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 1);
}

#[test]
fn a_damaged_channel_stays_until_somebody_removes_it() {
    let place = Place::new();
    let (mut sender, receiver, words) = open::<Tick>(&place);
    sender.send_all(&[0, 1].map(Tick::numbered)).unwrap();
    drop((sender, receiver));
    words.set_cursor(1000);
    assert!(place.spsc::<Tick>(NAME).receiver().is_err());
    assert_eq!(place.files(), [place.file(NAME)]);
    words.set_cursor(0);
    let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 0);
}

/// A receiver that takes back what it gave would have the sender write into cells it has promised to
/// a batch.
#[test]
fn progress_that_goes_backwards() {
    let place = Place::new();
    let (mut sender, mut receiver, words) = open::<Tick>(&place);
    sender.send_all(&[0, 1, 2, 3].map(Tick::numbered)).unwrap();
    assert_eq!(receiver.drain(9, |_| ()), Ok(4));
    let mut batch = sender.batch();
    for number in 4..8 {
        batch.push(&Tick::numbered(number)).unwrap();
    }
    words.set_consumed(2);
    assert!(matches!(batch.push(&Tick::numbered(8)), Err(SendError::Corrupt(_))));
    assert_eq!(batch.publish(), 4);
    assert!(matches!(sender.try_send(&Tick::numbered(8)), Err(SendError::Corrupt(_))));
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 4);
}

/// The first of two messages is damaged: it is refused by its position, or still whole, and the
/// second arrives.
fn first_refused<T: Numbered>(damage: impl FnOnce(&Words)) -> Option<String> {
    let place = Place::new();
    let (mut sender, mut receiver, words) = open::<T>(&place);
    sender.send_all(&[T::numbered(3_333_333), T::numbered(1)]).unwrap();
    damage(&words);
    let refused = match receiver.recv() {
        Ok(_) => None,
        Err(RecvError::Invalid(bad)) => {
            assert_eq!((bad.position, bad.channel.as_str()), (0, NAME));
            Some(RecvError::Invalid(bad).to_string())
        }
        Err(error) => panic!("{error}"),
    };
    let second = receiver.recv().unwrap();
    assert_eq!((second.position(), T::number(&second)), (1, 1));
    refused
}

#[test]
fn lengths_that_no_message_has() {
    let tick = first_refused::<Tick>(|words| words.set_len(0, 95)).unwrap();
    insta::assert_snapshot!(tick, @"message 0 of `flow` was passed over: a message is said to take 95 of 112 bytes, which no `Tick` does: its sender is faulty, or the segment is damaged");
    let order = first_refused::<Order>(|words| words.set_len(0, u32::MAX)).unwrap();
    insta::assert_snapshot!(order, @"message 0 of `flow` was passed over: a message is said to take 4294967295 of 240 bytes, which no `Order` does: its sender is faulty, or the segment is damaged");
    for len in [0, 1, 7, 39, 97, 112, 113, 1 << 20, 1 << 31, u32::MAX - 16, u32::MAX] {
        let set = |words: &Words| words.set_len(0, len);
        assert!(first_refused::<Tick>(set).is_some(), "{len}");
    }
    for len in [0, 1, 7, 39, 241, 1 << 20, 1 << 31, u32::MAX - 16, u32::MAX] {
        let set = |words: &Words| words.set_len(0, len);
        assert!(first_refused::<Order>(set).is_some(), "{len}");
    }
}

#[test]
fn kinds_that_no_sender_stores() {
    // Kinds 1 and 2 are of channels with an arena or blocks.
    for kind in [1, 2, 3, 0xff, u32::MAX] {
        let order = first_refused::<Order>(|words| words.set_kind(0, kind));
        let tick = first_refused::<Tick>(|words| words.set_kind(0, kind));
        assert!(order.is_some() && tick.is_some(), "kind {kind}");
    }
    let order = first_refused::<Order>(|words| words.set_kind(0, 1)).unwrap();
    insta::assert_snapshot!(order, @"message 0 of `flow` was passed over: a cell of kind 1 holds no message that this version knows: its sender is newer, or the segment is damaged");
}

#[test]
fn the_length_of_bytes_stays_within_the_cell() {
    let place = Place::new();
    let open = || place.spsc::<Bytes>(NAME).schema("raw").capacity(1);
    let mut sender = open().max_len(48).sender().unwrap();
    let mut receiver = open().receiver().unwrap();
    let words = Words::of(&place, NAME);
    for len in [49, 1000, 1 << 31, u32::MAX] {
        let mut claim = sender.try_claim(48).unwrap();
        claim.write(0, &[7; 48]).unwrap();
        claim.commit();
        words.set_len(0, len);
        let refused = receiver.poll().unwrap_err();
        assert!(matches!(refused, RecvError::Invalid(_)), "{refused}");
        sender.try_claim(3).unwrap().commit();
        assert_eq!(receiver.poll().unwrap().len(), 3);
    }
}

#[test]
fn contents_that_are_not_the_type() {
    let mut refusals = vec![];
    let order = || Order::numbered(3_333_333);
    let len = {
        let place = Place::new();
        let (mut sender, _receiver, words) = open::<Order>(&place);
        sender.send(&order()).unwrap();
        words.body(0).len()
    };
    let hostile: [&[u8]; 6] = [
        &[0xff; 8],
        &[0; 8],
        &[0xff, 0xff, 0xff, 0x7f],
        &[0, 0, 0, 0x80],
        // In a text: not UTF-8. In an option: neither some nor none.
        &[0xfe],
        &[2],
    ];
    for bytes in hostile {
        for at in (0..len - 8).step_by(4) {
            let place = Place::new();
            let (mut sender, mut receiver, words) = open::<Order>(&place);
            sender.send_all(&[order(), Order::numbered(1)]).unwrap();
            let mut body = words.body(0);
            body[at..at + bytes.len()].copy_from_slice(bytes);
            words.set_body(0, &body);
            match receiver.recv() {
                // It may be another order now, but is one: all of it can be looked at.
                Ok(message) => drop(format!("{message:?}")),
                Err(error) => refusals.push(error.to_string()),
            }
            let second = receiver.recv().unwrap();
            assert_eq!((second.position(), Order::number(&second)), (1, 1));
        }
    }
    assert!(refusals.len() > 50, "{}", refusals.len());
    refusals.dedup();
    insta::assert_snapshot!(refusals.join("\n"), @"message 0 of `flow` was passed over: the bytes of a message are not a valid `Order`: its sender is faulty, or the segment is damaged");
}

/// Every word of a ring, every hostile value, at every stage of a short exchange: whatever the calls
/// return, they return.
#[test]
fn no_word_makes_a_call_panic_or_hang() {
    let words: [fn(&Words, u64); 6] = [
        |words, value| words.set_consumed(value),
        |words, value| words.set_cursor(value),
        |words, value| words.set_published(value),
        |words, value| words.set_state(0, value),
        |words, value| words.set_state(2, value),
        |words, value| words.set_state(3, value),
    ];
    for set in words {
        for value in HOSTILE {
            for stage in 0..4 {
                let place = Place::new();
                let (mut sender, mut receiver, words) = open::<Order>(&place);
                for step in 0..8 {
                    if step == stage * 2 {
                        set(&words, value);
                    }
                    let order = Order::numbered(step);
                    let _ = sender.try_send(&order);
                    let _ = sender.send_timeout(&order, Duration::ZERO);
                    let mut batch = sender.batch();
                    while batch.push(&order).is_ok() {}
                    batch.publish();
                    let _ = receiver.try_recv().map(|message| format!("{message:?}"));
                    let _ = receiver.recv_timeout(Duration::ZERO).map(drop);
                    let _ = receiver.drain(3, |message| drop(format!("{message:?}")));
                }
                // Whoever comes next may be refused as well.
                drop(sender);
                let _ = place.spsc::<Order>(NAME).sender().map(|mut sender| {
                    let _ = sender.try_send(&Order::numbered(9));
                });
                drop(receiver);
                let _ = place.spsc::<Order>(NAME).receiver().map(|mut receiver| {
                    let _ = receiver.recv_timeout(Duration::ZERO).map(drop);
                });
            }
        }
    }
}
