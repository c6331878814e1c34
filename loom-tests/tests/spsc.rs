//! Models of the single-producer single-consumer ring, on the source that ships: one producer, one
//! consumer, both alive. What is left by those that die is in `succession`.

#![cfg(loom)]

use loom::thread;
use strait_loom_tests::ring::{Receiver, Ring, Sender};

/// Every message once, in order, through full, empty and a wrap.
fn transfer(capacity: usize, messages: u64) {
    loom::model(move || {
        let ring = Ring::new(capacity);
        let mut receiver = Receiver::new(&ring, false);
        let sender = thread::spawn(move || Sender::new(&ring).send_until(messages));
        receiver.receive_until(messages);
        sender.join().unwrap();
        assert_eq!(receiver.positions(), (0..messages).collect::<Vec<_>>());
        assert!(!receiver.try_receive(), "a message nobody sent");
    });
}

#[test]
fn transfers_through_one_cell() {
    transfer(1, 3);
}

#[test]
fn transfers_around_the_ring() {
    transfer(2, 3);
}

/// Four cells are enough for the consumer to look ahead, and to fall back.
#[test]
fn transfers_a_stream() {
    transfer(4, 5);
}

#[test]
fn batches_arrive_whole() {
    loom::model(|| {
        let ring = Ring::new(2);
        let mut receiver = Receiver::new(&ring, false);
        let sender = thread::spawn(move || {
            let mut sender = Sender::new(&ring);
            sender.send_until(1);
            sender.send_batch(2);
        });
        receiver.receive_until(2);
        // Back to front: who sees the first of a batch sees the rest.
        assert!(receiver.try_receive(), "half a batch");
        sender.join().unwrap();
        assert_eq!(receiver.positions(), [0, 1, 2]);
    });
}

#[test]
fn an_abandoned_loan_leaves_no_trace() {
    loom::model(|| {
        let ring = Ring::new(1);
        let mut receiver = Receiver::new(&ring, false);
        let sender = thread::spawn(move || {
            let mut sender = Sender::new(&ring);
            // Written, never published; the next message is built in the same cell.
            sender.write(0, (77, 77));
            sender.send_until(2);
        });
        receiver.receive_until(2);
        sender.join().unwrap();
        assert_eq!(receiver.positions(), [0, 1]);
    });
}

/// A full ring changes producers while the consumer frees it: the successor may only write what
/// the consumer has finished reading.
#[test]
fn a_successor_waits_for_the_reader() {
    loom::model(|| {
        let ring = Ring::new(1);
        let mut receiver = Receiver::new(&ring, false);
        let producers = thread::spawn(move || {
            Sender::new(&ring).send_until(1);
            thread::yield_now();
            Sender::new(&ring).send_until(2);
        });
        receiver.receive_until(2);
        producers.join().unwrap();
        assert_eq!(receiver.received, [(0, 1), (1, 2)]);
    });
}
