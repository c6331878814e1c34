//! Models of the single-producer single-consumer ring, on the source that ships.
//!
//! The message at position `p` carries `p` and the incarnation of its producer, in a cell that loom
//! watches for unsynchronised access. A process that dies is an actor that stops at a mark; its
//! successor runs on the same thread, as the kernel's hand-over of the endpoint lock orders them.

#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;
use strait_ipc::ring::spsc::{Consumer, Poll, Producer, Words};
use strait_pools::marks::{Mark, model::die_at};
use strait_pools::placement::Heap;
use strait_pools::sync::AtomicU64;

/// What a message says: its position, and which producer wrote it.
type Body = (u64, u64);

/// A ring and the bodies of its cells.
#[derive(Clone)]
struct Ring {
    words: Words<Heap>,
    bodies: Arc<[UnsafeCell<Body>]>,
}

impl Ring {
    fn new(capacity: usize) -> Self {
        Self {
            words: Words {
                producer: Arc::default(),
                consumer: Arc::default(),
                states: (0..capacity).map(|_| AtomicU64::new(0)).collect(),
            },
            bodies: (0..capacity).map(|_| UnsafeCell::new((u64::MAX, 0))).collect(),
        }
    }

    fn body(&self, position: u64) -> &UnsafeCell<Body> {
        let index = usize::try_from(position).expect("a small number");
        &self.bodies[index & (self.bodies.len() - 1)]
    }
}

/// A producer that numbers its messages.
struct Sender {
    ring: Ring,
    producer: Producer<Heap>,
    incarnation: u64,
}

impl Sender {
    fn new(ring: &Ring, incarnation: u64) -> Self {
        let producer = Producer::take_over(ring.words.clone()).expect("sound words");
        Self { ring: ring.clone(), producer, incarnation }
    }

    fn write(&self, position: u64) {
        strait_pools::marks::pass(Mark::ProducerClaimed);
        let body = (position, self.incarnation);
        // SAFETY: loom checks that nobody else accesses the cell meanwhile.
        self.ring.body(position).with_mut(|cell| unsafe { *cell = body });
    }

    fn send_until(&mut self, end: u64) {
        while self.producer.position() < end {
            if self.producer.free(1).expect("sound words") == 0 {
                thread::yield_now();
                continue;
            }
            self.write(self.producer.position());
            self.producer.publish();
        }
    }

    fn send_batch(&mut self, count: u64) {
        while self.producer.free(count).expect("sound words") < count {
            thread::yield_now();
        }
        let first = self.producer.position();
        (first..first + count).for_each(|position| self.write(position));
        self.producer.publish_batch(count);
    }
}

/// A consumer that checks what it reads.
struct Receiver {
    ring: Ring,
    consumer: Consumer<Heap>,
    received: Vec<Body>,
}

impl Receiver {
    fn new(ring: &Ring) -> Self {
        let consumer = Consumer::take_over(ring.words.clone(), false).expect("sound words");
        Self { ring: ring.clone(), consumer, received: Vec::new() }
    }

    fn try_receive(&mut self) -> bool {
        match self.consumer.poll(1) {
            Poll::Ready(position) => {
                // SAFETY: loom checks that nobody writes the cell meanwhile.
                let body = self.ring.body(position).with(|cell| unsafe { *cell });
                assert_eq!(body.0, position, "a message in another's place");
                self.received.push(body);
                self.consumer.release();
                true
            }
            Poll::Empty => false,
            Poll::Corrupt(corrupt) => panic!("{corrupt}"),
        }
    }

    fn receive_until(&mut self, end: u64) {
        while self.consumer.position() < end {
            if !self.try_receive() {
                thread::yield_now();
            }
        }
    }
}

fn positions(received: &[Body]) -> Vec<u64> {
    received.iter().map(|body| body.0).collect()
}

/// Every message once, in order, through full, empty and a wrap.
fn transfer(capacity: usize, messages: u64) {
    loom::model(move || {
        let ring = Ring::new(capacity);
        let mut receiver = Receiver::new(&ring);
        let sender = thread::spawn(move || Sender::new(&ring, 1).send_until(messages));
        receiver.receive_until(messages);
        sender.join().unwrap();
        assert_eq!(positions(&receiver.received), (0..messages).collect::<Vec<_>>());
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
        let mut receiver = Receiver::new(&ring);
        let sender = thread::spawn(move || {
            let mut sender = Sender::new(&ring, 1);
            sender.send_until(1);
            sender.send_batch(2);
        });
        receiver.receive_until(2);
        // Back to front: who sees the first of a batch sees the rest.
        assert!(receiver.try_receive(), "half a batch");
        sender.join().unwrap();
        assert_eq!(positions(&receiver.received), [0, 1, 2]);
    });
}

#[test]
fn an_abandoned_loan_leaves_no_trace() {
    loom::model(|| {
        let ring = Ring::new(1);
        let mut receiver = Receiver::new(&ring);
        let sender = thread::spawn(move || {
            let mut sender = Sender::new(&ring, 1);
            // Written, never published; the next message is built in the same cell.
            // SAFETY: loom checks that nobody else accesses the cell meanwhile.
            sender.ring.body(0).with_mut(|cell| unsafe { *cell = (77, 77) });
            sender.send_until(2);
        });
        receiver.receive_until(2);
        sender.join().unwrap();
        assert_eq!(positions(&receiver.received), [0, 1]);
    });
}

/// A producer dies at `mark`; its successor carries on while the consumer reads.
fn producer_dies(mark: Mark, passes: u32, batch: bool) {
    const MESSAGES: u64 = 4;
    loom::model(move || {
        let ring = Ring::new(2);
        let mut receiver = Receiver::new(&ring);
        let producers = thread::spawn(move || {
            let survived = die_at(mark, passes, || {
                let mut first = Sender::new(&ring, 1);
                first.send_until(1);
                if batch { first.send_batch(2) } else { first.send_until(3) }
            });
            let mut second = Sender::new(&ring, 2);
            let began = second.producer.position();
            if survived.is_some() {
                assert_eq!(began, 3, "a published message was forgotten");
            }
            second.send_until(MESSAGES);
            began
        });
        receiver.receive_until(MESSAGES);
        let began = producers.join().unwrap();
        assert_eq!(positions(&receiver.received), (0..MESSAGES).collect::<Vec<_>>());
        for (position, incarnation) in receiver.received {
            let expected = if position < began { 1 } else { 2 };
            assert_eq!(incarnation, expected, "message {position} is a dead batch's");
        }
    });
}

#[test]
fn producer_dies_claimed() {
    producer_dies(Mark::ProducerClaimed, 1, false);
}

#[test]
fn producer_dies_written() {
    producer_dies(Mark::ProducerWritten, 1, false);
}

#[test]
fn producer_dies_published() {
    producer_dies(Mark::ProducerPublished, 1, false);
}

#[test]
fn producer_dies_in_batch() {
    producer_dies(Mark::ProducerInBatch, 0, true);
}

#[test]
fn producer_dies_after_batch() {
    producer_dies(Mark::ProducerInBatch, 1, true);
}

/// A producer dies inside a batch; the one that takes over dies too, at `mark`; a third carries on.
fn takeover_dies(mark: Mark) {
    const MESSAGES: u64 = 3;
    loom::model(move || {
        let ring = Ring::new(2);
        let mut receiver = Receiver::new(&ring);
        let producers = thread::spawn(move || {
            let _ = die_at(Mark::ProducerInBatch, 0, || Sender::new(&ring, 1).send_batch(2));
            let second = die_at(mark, 0, || Sender::new(&ring, 2));
            assert!(second.is_none(), "the takeover never passed {mark:?}");
            Sender::new(&ring, 3).send_until(MESSAGES);
        });
        receiver.receive_until(MESSAGES);
        producers.join().unwrap();
        assert_eq!(receiver.received, [(0, 3), (1, 3), (2, 3)]);
    });
}

#[test]
fn takeover_dies_having_found() {
    takeover_dies(Mark::TakeoverFound);
}

#[test]
fn takeover_dies_having_erased() {
    takeover_dies(Mark::TakeoverErased);
}

#[test]
fn takeover_dies_when_done() {
    takeover_dies(Mark::TakeoverDone);
}

/// A full ring changes producers while the consumer frees it: the successor may only write what
/// the consumer has finished reading.
#[test]
fn a_successor_waits_for_the_reader() {
    loom::model(|| {
        let ring = Ring::new(1);
        let mut receiver = Receiver::new(&ring);
        let producers = thread::spawn(move || {
            Sender::new(&ring, 1).send_until(1);
            thread::yield_now();
            Sender::new(&ring, 2).send_until(2);
        });
        receiver.receive_until(2);
        producers.join().unwrap();
        assert_eq!(receiver.received, [(0, 1), (1, 2)]);
    });
}

/// A consumer dies at `mark`; its successor misses nothing and repeats at most what was in hand.
fn consumer_dies(mark: Mark, passes: u32) {
    const MESSAGES: u64 = 3;
    loom::model(move || {
        let ring = Ring::new(2);
        let senders_ring = ring.clone();
        let sender = thread::spawn(move || Sender::new(&senders_ring, 1).send_until(MESSAGES));

        let mut first = Receiver::new(&ring);
        let survived = die_at(mark, passes, || first.receive_until(2));
        assert!(survived.is_none(), "the consumer never passed {mark:?}");
        let read_by_first = first.received.len() as u64;
        let mut second = Receiver::new(&ring);
        second.receive_until(MESSAGES);
        sender.join().unwrap();

        let start = second.received[0].0;
        assert!(start == read_by_first || start + 1 == read_by_first, "lost or repeated too much");
        assert_eq!(positions(&second.received), (start..MESSAGES).collect::<Vec<_>>());
    });
}

#[test]
fn consumer_dies_in_hand() {
    consumer_dies(Mark::ConsumerInHand, 1);
}

#[test]
fn consumer_dies_moved() {
    consumer_dies(Mark::ConsumerMoved, 1);
}

#[test]
fn consumer_dies_told() {
    consumer_dies(Mark::ConsumerTold, 0);
}
