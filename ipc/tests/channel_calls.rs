//! What each call does, within one process: policies, loans, batches, claims, timeouts, both sides of
//! a pair.

mod channel;

use channel::{Numbered, Order, Place, SLICE, Tick, text};
use std::sync::Arc;
use std::time::Duration;
use strait_ipc::channel::{Bytes, OnFull, RecvError, SendError, Spsc, Wait};
use strait_ipc::message::WriteError;

const NAME: &str = "flow";

#[test]
fn fail_returns_at_once() {
    let place = Place::new();
    let open = || place.spsc::<Tick>(NAME);
    let mut sender = open().capacity(2).on_full(OnFull::Fail).sender().unwrap();
    let mut receiver = open().receiver().unwrap();
    sender.send(&Tick::numbered(0)).unwrap();
    sender.send(&Tick::numbered(1)).unwrap();
    assert_eq!(sender.send(&Tick::numbered(2)), Err(SendError::Full));
    assert_eq!(sender.loan().map(drop), Err(SendError::Full));
    assert_eq!((sender.position(), sender.dropped()), (2, 0));
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 0);
    sender.send(&Tick::numbered(2)).unwrap();
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 1);
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 2);
}

#[test]
fn drop_newest_counts_what_it_drops() {
    let place = Place::new();
    let open = || place.spsc::<Tick>(NAME);
    let mut sender = open().capacity(2).on_full(OnFull::DropNewest).sender().unwrap();
    let mut receiver = open().receiver().unwrap();
    for number in 0..5 {
        sender.send(&Tick::numbered(number)).unwrap();
    }
    assert_eq!((sender.position(), sender.dropped(), receiver.dropped()), (2, 3, 3));
    // Whoever asks for certainty gets it: nothing of this is dropped.
    assert_eq!(sender.try_send(&Tick::numbered(5)), Err(SendError::Full));
    assert_eq!(sender.send_timeout(&Tick::numbered(5), Duration::ZERO), Err(SendError::Timeout));
    assert_eq!(sender.loan().map(drop), Err(SendError::Full));
    assert_eq!(sender.batch().push(&Tick::numbered(5)), Err(SendError::Full));
    assert_eq!((sender.position(), receiver.dropped()), (2, 3));

    assert_eq!(Tick::number(&receiver.recv().unwrap()), 0);
    sender.send(&Tick::numbered(6)).unwrap();
    sender.send(&Tick::numbered(7)).unwrap();
    // The count is the channel's: it outlives its sender.
    drop(sender);
    let sender = open().sender().unwrap();
    assert_eq!((sender.dropped(), receiver.dropped()), (4, 4));
    drop(sender);
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 1);
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 6);
    assert!(matches!(receiver.recv(), Err(RecvError::Closed(_))));
}

#[test]
fn block_waits_for_the_receiver() {
    for wait in [Wait::BusySpin, Wait::Backoff, Wait::Yield, Wait::Park, Wait::Adaptive] {
        let (mut sender, mut receiver) =
            Spsc::<Tick>::unnamed("pair").capacity(2).wait(wait).pair().unwrap();
        sender.send(&Tick::numbered(0)).unwrap();
        sender.send(&Tick::numbered(1)).unwrap();
        std::thread::scope(|scope| {
            let blocked = scope.spawn(|| sender.send(&Tick::numbered(2)));
            std::thread::sleep(3 * SLICE);
            assert!(!blocked.is_finished(), "{wait:?} should wait for room");
            assert_eq!(Tick::number(&receiver.recv().unwrap()), 0);
            assert_eq!(blocked.join().unwrap(), Ok(()));
        });
        assert_eq!(Tick::number(&receiver.recv().unwrap()), 1);
        assert_eq!(Tick::number(&receiver.recv().unwrap()), 2);
    }
}

#[test]
fn the_two_sides_of_a_pair_in_two_threads() {
    for wait in [Wait::BusySpin, Wait::Backoff, Wait::Yield, Wait::Park, Wait::Adaptive] {
        let (mut sender, mut receiver) =
            Spsc::<Order>::unnamed("pair").capacity(4).wait(wait).pair().unwrap();
        assert_eq!((sender.channel(), receiver.channel()), ("pair", "pair"));
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for number in 0..300 {
                    sender.send(&Order::numbered(number)).unwrap();
                }
            });
            for number in 0..300 {
                assert_eq!(Order::number(&receiver.recv().unwrap()), number);
            }
            assert!(matches!(receiver.recv(), Err(RecvError::Closed(_))));
        });
    }
}

#[test]
fn timeouts() {
    let place = Place::new();
    let mut sender = place.spsc::<u64>(NAME).capacity(1).sender().unwrap();
    let mut receiver = place.spsc::<u64>(NAME).receiver().unwrap();
    for timeout in [Duration::ZERO, SLICE / 2, 3 * SLICE] {
        assert_eq!(receiver.recv_timeout(timeout).unwrap_err(), RecvError::Timeout);
        sender.send_timeout(&7, timeout).unwrap();
        assert_eq!(sender.send_timeout(&8, timeout), Err(SendError::Timeout));
        assert_eq!(*receiver.recv_timeout(timeout).unwrap(), 7);
    }
    insta::assert_snapshot!(text(receiver.recv_timeout(SLICE), &place), @"nothing came until the timeout");
    insta::assert_snapshot!(text(receiver.try_recv(), &place), @"nothing to receive at the moment");
    sender.send(&9).unwrap();
    insta::assert_snapshot!(text(sender.send_timeout(&9, SLICE), &place), @"the ring stayed full until the timeout");
    insta::assert_snapshot!(text(sender.try_send(&9), &place), @"the ring is full: the receiver is behind by its whole capacity");
    // Longer than any clock runs: not an overflow.
    assert_eq!(*receiver.recv_timeout(Duration::MAX).unwrap(), 9);
    sender.send_timeout(&9, Duration::MAX).unwrap();
}

#[test]
fn a_loan_is_published_or_never_was() {
    let place = Place::new();
    let mut sender = place.spsc::<Tick>(NAME).capacity(1).sender().unwrap();
    let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    let _ = sender.loan().unwrap();
    assert_eq!(receiver.try_recv().unwrap_err(), RecvError::Empty);

    sender.loan().unwrap().publish(&Tick::numbered(0)).unwrap();
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 0);

    let mut loan = sender.loan().unwrap();
    let (tick, len) = loan.as_mut_ptr();
    assert!(tick.is_aligned() && len >= size_of::<Tick>());
    // SAFETY: the loan's body is aligned, ours alone, and long enough.
    unsafe { tick.write(Tick::numbered(1)) };
    assert_eq!(receiver.try_recv().unwrap_err(), RecvError::Empty);
    // SAFETY: a tick was just written there.
    unsafe { loan.publish_in_place() };
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 1);
    assert_eq!((sender.position(), receiver.position()), (2, 2));
}

#[test]
fn a_batch_is_visible_as_a_whole_or_not_at_all() {
    let place = Place::new();
    let mut sender = place.spsc::<Order>(NAME).capacity(4).sender().unwrap();
    let mut receiver = place.spsc::<Order>(NAME).receiver().unwrap();
    assert_eq!(sender.batch().publish(), 0);

    let mut batch = sender.batch();
    assert!(batch.is_empty());
    for number in 0..4 {
        batch.push(&Order::numbered(number)).unwrap();
        assert_eq!(receiver.try_recv().unwrap_err(), RecvError::Empty);
    }
    assert_eq!(batch.push(&Order::numbered(4)), Err(SendError::Full));
    assert_eq!(batch.len(), 4);
    assert_eq!(batch.publish(), 4);
    for number in 0..4 {
        assert_eq!(Order::number(&receiver.try_recv().unwrap()), number);
    }

    sender.batch().push(&Order::numbered(99)).unwrap();
    assert_eq!(receiver.try_recv().unwrap_err(), RecvError::Empty);
    sender.try_send(&Order::numbered(4)).unwrap();
    assert_eq!(Order::number(&receiver.try_recv().unwrap()), 4);
}

#[test]
fn a_message_is_held_until_it_is_dropped() {
    let place = Place::new();
    let mut sender = place.spsc::<u64>(NAME).capacity(1).sender().unwrap();
    let mut receiver = place.spsc::<u64>(NAME).receiver().unwrap();
    sender.try_send(&1).unwrap();
    let message = receiver.recv().unwrap();
    assert_eq!(sender.try_send(&2), Err(SendError::Full));
    assert_eq!((*message, message.position()), (1.into(), 0));
    drop(message);
    assert_eq!(sender.try_send(&2), Ok(()));
}

#[test]
fn draining_stops_at_its_limit_and_at_the_end() {
    let place = Place::new();
    let mut sender = place.spsc::<u64>(NAME).capacity(8).sender().unwrap();
    let mut receiver = place.spsc::<u64>(NAME).receiver().unwrap();
    sender.send_all(&[0, 1, 2, 3, 4]).unwrap();
    let mut drained = vec![];
    let mut drain = |limit| receiver.drain(limit, |number| drained.push(number.to_native()));
    assert_eq!(drain(0), Ok(0));
    assert_eq!(drain(3), Ok(3));
    assert_eq!(drain(3), Ok(2));
    assert_eq!(drain(3), Err(RecvError::Empty));
    sender.send(&5).unwrap();
    drop(sender);
    assert_eq!(drain(3), Ok(1));
    assert!(matches!(drain(3), Err(RecvError::Closed(_))));
    assert_eq!(drained, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn bytes_are_claimed_and_committed() {
    let place = Place::new();
    let open = || place.spsc::<Bytes>(NAME).schema("any bytes");
    let mut sender = open().capacity(2).max_len(100).sender().unwrap();
    let mut receiver = open().receiver().unwrap();
    assert_eq!((sender.max_len(), receiver.max_len()), (112, 112), "whole cache lines");
    assert_eq!(receiver.poll().unwrap_err(), RecvError::Empty);

    let mut claim = sender.try_claim(5).unwrap();
    claim.write(0, b"he").unwrap();
    claim.write(2, b"llo").unwrap();
    assert_eq!(claim.write(3, b"abc"), Err(WriteError::TooLarge { needed: 6, room: 5 }));
    let far = claim.write(usize::MAX, b"abc");
    assert_eq!(far, Err(WriteError::TooLarge { needed: usize::MAX, room: 5 }));
    assert_eq!(claim.len(), 5);
    claim.commit();
    assert_eq!(sender.position(), 1);

    // Neither of these was ever there.
    sender.claim(7).unwrap().abort();
    let _ = sender.try_claim(7).unwrap();
    let empty = sender.claim(0).unwrap();
    assert!(empty.is_empty());
    empty.commit();
    assert_eq!(sender.try_claim(1).map(drop), Err(SendError::Full));

    let message = receiver.poll().unwrap();
    assert_eq!((message.position(), message.len(), message.to_vec()), (0, 5, b"hello".to_vec()));
    assert!(message.as_ptr().cast::<u128>().is_aligned());
    drop(message);
    assert!(receiver.recv().unwrap().is_empty());
    assert_eq!(receiver.poll().map(drop), Err(RecvError::Empty));

    let too_large = sender.claim(113).map(drop);
    let expected = WriteError::TooLarge { needed: 113, room: 112 };
    assert_eq!(too_large, Err(SendError::Message(expected)));
    drop(sender);
    assert!(matches!(receiver.poll(), Err(RecvError::Closed(_))));
}

#[test]
fn bytes_in_dense_cells_are_words() {
    let place = Place::new();
    let open = || place.spsc::<Bytes>(NAME).schema("words").dense();
    let mut sender = open().capacity(4).sender().unwrap();
    let mut receiver = open().receiver().unwrap();
    for word in 0..10_u64 {
        let mut claim = sender.claim(8).unwrap();
        claim.write(0, &word.to_le_bytes()).unwrap();
        claim.commit();
        assert_eq!(receiver.recv().unwrap().to_vec(), word.to_le_bytes());
    }
}

#[test]
fn both_sides_of_a_segment_given_in_one_process() {
    let segment = Arc::new(Spsc::<Tick>::unnamed("given").capacity(2).segment().unwrap());
    let open = || Spsc::<Tick>::given(Arc::clone(&segment));
    let mut sender = open().capacity(2).sender().unwrap();
    let mut receiver = open().receiver().unwrap();
    sender.send(&Tick::numbered(0)).unwrap();
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 0);
    drop(sender);
    drop(receiver);
    // The segment lives on, and with it where they were.
    assert_eq!(open().sender().unwrap().position(), 1);
}
