//! Messages that are kept beyond the next one: in blocks, which are given back in any order, and by
//! whoever comes after a death.

mod channel;

use channel::{Actor, Numbered, Order, Place, SLICE, Words, job, tell, wait_for_parent};
use proptest::prelude::*;
use std::thread;
use std::time::Duration;
use strait_ipc::channel::{
    Bytes, OnFull, OpenError, Owned, Receiver, RecvError, SendError, Sender, Spsc, Wait,
};
use strait_ipc::endpoint::AttachError;

const NAME: &str = "kept";
const BLOCKS: u64 = 8;

fn channel(place: &Place) -> Spsc<Order> {
    place.spsc(NAME).capacity(16).blocks(BLOCKS, 1000).on_full(OnFull::Fail)
}

fn pair() -> (Sender<Order>, Receiver<Order>) {
    let channel = Spsc::<Order>::unnamed("pair").capacity(16).blocks(BLOCKS, 1000);
    channel.on_full(OnFull::Fail).pair().unwrap()
}

/// How many messages can be sent now.
fn room(sender: &mut Sender<Order>) -> u64 {
    (0..).take_while(|&number| sender.send(&Order::numbered(number)).is_ok()).count() as u64
}

fn keep(receiver: &mut Receiver<Order>) -> Owned<Order> {
    receiver.try_recv().unwrap().keep().unwrap()
}

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((what, place)) = job() else { return };
    match what.as_str() {
        "keep-three" => {
            let mut receiver = channel(&place).receiver().unwrap();
            let kept: Vec<_> = (0..3).map(|_| keep(&mut receiver)).collect();
            // One is in hand, and not released.
            let in_hand = receiver.recv().unwrap();
            assert_eq!(Order::number(&in_hand), 3);
            tell("kept");
            wait_for_parent();
            drop((in_hand, kept));
        }
        "build-three" => {
            let mut sender = channel(&place).sender().unwrap();
            sender.send(&Order::numbered(0)).unwrap();
            let mut batch = sender.batch();
            (1..4).for_each(|number| batch.push(&Order::numbered(number)).unwrap());
            tell("built");
            wait_for_parent();
            assert_eq!(batch.len(), 3);
        }
        other => panic!("no such job: {other}"),
    }
}

#[test]
fn kept_messages_outlive_the_next_ones_and_go_back_in_any_order() {
    let (mut sender, mut receiver) = pair();
    assert_eq!(room(&mut sender), BLOCKS);
    let mut kept: Vec<_> = (0..BLOCKS).map(|_| keep(&mut receiver)).collect();
    assert_eq!(receiver.try_recv().unwrap_err(), RecvError::Empty);
    assert_eq!(room(&mut sender), 0, "all of them are kept");
    for (number, order) in kept.iter().enumerate() {
        assert_eq!(Order::number(order), number as u64);
    }
    for (given_back, index) in (1..).zip([5, 0, 3]) {
        drop(kept.remove(index));
        // What is only read is free again.
        for _ in 0..3 {
            assert_eq!(room(&mut sender), given_back);
            for number in 0..given_back {
                assert_eq!(Order::number(&receiver.try_recv().unwrap()), number);
            }
        }
    }
    // Whatever thread drops them, after the receiver.
    drop(receiver);
    thread::spawn(move || kept.iter().map(|order| Order::number(order)).sum::<u64>())
        .join()
        .unwrap();
    assert_eq!(room(&mut sender), BLOCKS);
}

#[test]
fn a_kept_message_holds_its_receivers_side() {
    let place = Place::new();
    let mut sender = channel(&place).sender().unwrap();
    let mut receiver = channel(&place).receiver().unwrap();
    sender.send(&Order::numbered(7)).unwrap();
    let kept = keep(&mut receiver);
    drop(receiver);
    let refused = channel(&place).receiver().unwrap_err();
    assert!(matches!(refused, OpenError::Attach(AttachError::Held { .. })), "{refused}");
    assert_eq!(Order::number(&kept), 7);
    drop(kept);
    channel(&place).receiver().unwrap();
    drop(sender);
    assert!(!place.file(NAME).exists(), "the last use removes it");
}

#[test]
fn the_last_kept_message_removes_the_segment() {
    let place = Place::new();
    let mut sender = channel(&place).sender().unwrap();
    let mut receiver = channel(&place).receiver().unwrap();
    sender.send(&Order::numbered(7)).unwrap();
    let kept = keep(&mut receiver);
    drop((sender, receiver));
    assert!(place.file(NAME).exists());
    assert_eq!(Order::number(&kept), 7);
    drop(kept);
    assert!(!place.file(NAME).exists());
}

#[test]
fn what_a_dead_receiver_kept_is_free_and_what_it_had_in_hand_comes_again() {
    let place = Place::new();
    let mut sender = channel(&place).sender().unwrap();
    assert_eq!(room(&mut sender), BLOCKS);
    let mut child = Actor::spawn("keep-three", &place);
    assert_eq!(child.hear(), "kept");
    assert_eq!(room(&mut sender), 0);
    child.kill();
    let mut receiver = channel(&place).receiver().unwrap();
    assert_eq!(room(&mut sender), 3, "those that it kept");
    let again = receiver.recv().unwrap();
    assert!(again.redelivered());
    assert_eq!(Order::number(&again), 3);
    let kept = again.keep().unwrap();
    let rest: Vec<u64> = (0..7).map(|_| Order::number(&receiver.try_recv().unwrap())).collect();
    assert_eq!(rest, [4, 5, 6, 7, 0, 1, 2]);
    assert_eq!(room(&mut sender), BLOCKS - 1);
    drop(kept);
}

#[test]
fn what_a_dead_sender_built_is_free_and_what_it_sent_is_not() {
    let place = Place::new();
    let mut child = Actor::spawn("build-three", &place);
    assert_eq!(child.hear(), "built");
    let mut receiver = channel(&place).receiver().unwrap();
    child.kill();
    let mut sender = channel(&place).sender().unwrap();
    assert_eq!(sender.position(), 1);
    assert_eq!(room(&mut sender), BLOCKS - 1);
    for number in [0].into_iter().chain(0..BLOCKS - 1) {
        assert_eq!(Order::number(&receiver.try_recv().unwrap()), number);
    }
    assert_eq!(room(&mut sender), BLOCKS);
}

#[test]
fn a_sender_asleep_is_woken_by_what_is_given_back() {
    let channel = Spsc::<Order>::unnamed("pair").capacity(16).blocks(2, 1000).wait(Wait::Park);
    let (mut sender, mut receiver) = channel.slice(Duration::MAX).pair().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..100 {
                sender.send(&Order::numbered(number)).unwrap();
            }
        });
        let mut before: Option<Owned<Order>> = None;
        for number in 0..100 {
            let kept = receiver.recv().unwrap().keep().unwrap();
            assert_eq!(Order::number(&kept), number);
            if let Some(before) = before.replace(kept) {
                thread::sleep(Duration::from_micros(50));
                assert_eq!(Order::number(&before), number - 1);
            }
        }
    });
}

#[test]
fn loans_batches_and_claims_that_are_dropped_leave_nothing_behind() {
    let (mut sender, mut receiver) = pair();
    for _ in 0..3 * BLOCKS {
        assert!(sender.loan_len(900).is_ok());
        let mut batch = sender.batch();
        for number in 0..BLOCKS {
            batch.push(&Order::numbered(number)).unwrap();
        }
        assert_eq!(batch.push(&Order::numbered(8)), Err(SendError::Full));
    }
    assert!(sender.loan_len(1025).is_err());
    sender.loan_len(900).unwrap().publish(&Order::numbered(7)).unwrap();
    assert_eq!(Order::number(&receiver.try_recv().unwrap()), 7);
    assert_eq!(room(&mut sender), BLOCKS);
}

#[test]
fn bytes_are_kept_as_well_and_other_channels_keep_nothing() {
    let (mut sender, mut receiver) = Spsc::<Bytes>::unnamed("raw").blocks(2, 100).pair().unwrap();
    let mut claim = sender.claim(128).unwrap();
    claim.write(100, b"kept").unwrap();
    claim.commit();
    let kept = receiver.recv().unwrap().keep().unwrap();
    assert_eq!((kept.len(), kept.as_ptr().addr() % 64), (128, 0));
    // SAFETY: 128 bytes, kept.
    let bytes = unsafe { std::slice::from_raw_parts(kept.as_ptr(), kept.len()) };
    assert_eq!(&bytes[100..104], b"kept");

    let (mut sender, mut receiver) = Spsc::<u64>::unnamed("cells").arena(4096).pair().unwrap();
    sender.send(&7).unwrap();
    let Err(sample) = receiver.recv().unwrap().keep() else { panic!("it stands in a cell") };
    assert_eq!(*sample, 7);
    drop(sample);
    sender.send(&8).unwrap();
    assert_eq!(*receiver.recv().unwrap(), 8);
}

#[test]
fn a_block_that_does_not_exist_is_passed_over() {
    let place = Place::new();
    let open = || place.spsc::<Bytes>(NAME).capacity(4).blocks(4, 64).slice(SLICE);
    let (mut sender, mut receiver) = (open().sender().unwrap(), open().receiver().unwrap());
    let words = Words::of(&place, NAME);
    for (index, bytes) in [(4u64, 1u64), (0, 65), (u64::MAX, 64), (0, u64::MAX)] {
        sender.claim(10).unwrap().commit();
        let lie = [index.to_le_bytes(), bytes.to_le_bytes()];
        words.set_body((sender.position() - 1) % 4, lie.as_flattened());
        let Err(RecvError::Invalid(bad)) = receiver.recv() else { panic!("{index} {bytes}") };
        assert!(bad.reason.to_string().contains("only 4 blocks of 64 bytes"), "{bad:?}");
    }
    let refused = place.spsc::<Bytes>(NAME).blocks(8, 64).sender().unwrap_err();
    assert!(
        refused.to_string().contains("room for large messages: 4 blocks of 64 bytes"),
        "{refused}"
    );
    let refused = place.spsc::<Bytes>("odd").blocks(3, 64).sender().unwrap_err();
    assert!(refused.to_string().contains("there cannot be 3 blocks of 64 bytes"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Against a list of what is kept: nothing that is kept changes, and nothing leaks.
    #[test]
    fn what_is_kept_stays_as_it_is(choices in prop::collection::vec(0u8..5, 1..200)) {
        let (mut sender, mut receiver) = pair();
        let (mut next, mut due, mut unread) = (0, 0, 0);
        let mut kept: Vec<(u64, Owned<Order>)> = Vec::new();
        for choice in choices {
            match choice {
                0 | 1 => {
                    let sent = sender.send(&Order::numbered(next)).is_ok();
                    prop_assert_eq!(sent, unread + (kept.len() as u64) < BLOCKS);
                    if sent {
                        next += 1;
                        unread += 1;
                    }
                }
                2 if unread > 0 => {
                    kept.push((due, keep(&mut receiver)));
                    due += 1;
                    unread -= 1;
                }
                3 if unread > 0 => {
                    prop_assert_eq!(Order::number(&receiver.try_recv().unwrap()), due);
                    due += 1;
                    unread -= 1;
                }
                4 if !kept.is_empty() => {
                    let (number, order) = kept.swap_remove(usize::try_from(next).unwrap() % kept.len());
                    prop_assert_eq!(Order::number(&order), number);
                }
                _ => {}
            }
            for (number, order) in &kept {
                prop_assert_eq!(Order::number(order), *number);
            }
        }
    }
}
