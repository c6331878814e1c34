//! Models of messages in blocks, which their reader may keep, on the source that ships: loom watches every
//! block for unsynchronised access.
//!
//! Those that die are the main thread, and their successors run on it: see `endpoint`.

#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32 as Count, Ordering::Relaxed as Plain};
use strait_ipc::ring::blocks::{Blocks, Owner, Stock};
use strait_ipc::ring::spsc::{Consumer, Poll, Producer, Words};
use strait_loom_tests::deaths::marks_of;
use strait_loom_tests::explore;
use strait_loom_tests::ring::Ring;
use strait_pools::marks::Mark::{self, ConsumerMoved, ProducerPublished, ProducerWritten};
use strait_pools::marks::model::die_at;
use strait_pools::placement::Heap;
use strait_pools::sync::AtomicU64;

const CAPACITY: u64 = 2;
const SENDER: u32 = 0;
const RECEIVER: u32 = 1;

/// What the two sides share: the ring, the block that each cell names, the blocks.
#[derive(Clone)]
struct Shared {
    words: Words<Heap>,
    names: Arc<[UnsafeCell<u64>]>,
    blocks: Blocks<Heap>,
    bodies: Arc<[UnsafeCell<u64>]>,
}

impl Shared {
    fn new(blocks: u64) -> Self {
        let words = (0..blocks).map(|_| AtomicU64::new(0)).collect();
        Self {
            words: Ring::new(2).words,
            names: (0..CAPACITY).map(|_| UnsafeCell::new(u64::MAX)).collect(),
            blocks: Blocks::new(words),
            bodies: (0..blocks).map(|_| UnsafeCell::new(u64::MAX)).collect(),
        }
    }

    fn name(&self, position: u64) -> &UnsafeCell<u64> {
        &self.names[usize::try_from(position % CAPACITY).unwrap()]
    }

    fn named(&self, position: u64) -> u64 {
        // SAFETY: loom checks that nobody writes it meanwhile.
        self.name(position).with(|name| unsafe { *name })
    }

    fn read(&self, block: u64) -> u64 {
        // SAFETY: as above.
        self.bodies[usize::try_from(block).unwrap()].with(|body| unsafe { *body })
    }

    /// How many blocks a sender in a later life could take.
    fn free(&self) -> usize {
        let mut stock = Stock::new(self.blocks.clone(), Owner::new(SENDER, 99));
        std::iter::from_fn(|| {
            let found = stock.find();
            stock.used();
            found
        })
        .count()
    }
}

struct Sender {
    shared: Shared,
    producer: Producer<Heap>,
    stock: Stock<Heap>,
}

impl Sender {
    /// Takes the side over in its life number `epoch`, and sweeps: as `BytesSender` does.
    fn new(shared: &Shared, epoch: u64) -> Self {
        let producer = Producer::take_over(shared.words.clone(), None).expect("sound words");
        let unread = producer.unread().expect("sound words")..producer.position();
        let me = Owner::new(SENDER, epoch);
        let named: Vec<u64> = unread.map(|position| shared.named(position)).collect();
        shared.blocks.sweep(me, |block| named.contains(&block));
        Self { shared: shared.clone(), producer, stock: Stock::new(shared.blocks.clone(), me) }
    }

    fn send(&mut self) {
        let block = loop {
            if self.producer.free(1).expect("sound words") == 1
                && let Some(block) = self.stock.find()
            {
                break block;
            }
            thread::yield_now();
        };
        let position = self.producer.position();
        let body = &self.shared.bodies[usize::try_from(block).unwrap()];
        // SAFETY: loom checks that nobody else accesses it meanwhile.
        body.with_mut(|body| unsafe { *body = position });
        // SAFETY: as above.
        self.shared.name(position).with_mut(|name| unsafe { *name = block });
        self.stock.used();
        self.producer.publish();
        self.stock.publish();
    }
}

struct Receiver {
    shared: Shared,
    consumer: Consumer<Heap>,
    me: Owner,
}

impl Receiver {
    /// Takes the side over in its life number `epoch`, and sweeps: as `BytesReceiver` does.
    fn new(shared: &Shared, epoch: u64) -> Self {
        let died = epoch > 1;
        let consumer = Consumer::take_over(shared.words.clone(), died, None);
        let mut consumer = consumer.expect("sound words");
        let me = Owner::new(RECEIVER, epoch);
        let again = match consumer.poll(1) {
            Poll::Ready(position) => Some(shared.named(position)),
            Poll::Empty | Poll::Corrupt(_) => None,
        };
        shared.blocks.sweep(me, |block| again == Some(block));
        Self { shared: shared.clone(), consumer, me }
    }

    /// Receives a message and keeps its block, which is returned with its position.
    fn keep(&mut self) -> (u64, u64) {
        let position = loop {
            match self.consumer.poll(1) {
                Poll::Ready(position) => break position,
                Poll::Empty => thread::yield_now(),
                Poll::Corrupt(corrupt) => panic!("{corrupt}"),
            }
        };
        let block = self.shared.named(position);
        assert_eq!(self.shared.read(block), position, "another's block");
        self.shared.blocks.claim(block, self.me);
        self.consumer.release();
        (position, block)
    }

    fn receive_until(&mut self, end: u64) {
        while self.consumer.position() < end {
            let (position, block) = self.keep();
            assert_eq!(self.shared.read(block), position, "kept, and written to");
            assert!(self.shared.blocks.free(block, self.me), "its own block");
        }
    }
}

#[test]
fn blocks_are_reused_when_they_were_read() {
    for blocks in [1, 2] {
        explore(3, move || {
            let shared = Shared::new(blocks);
            let sender = thread::spawn({
                let shared = shared.clone();
                move || {
                    let mut sender = Sender::new(&shared, 1);
                    (0..3).for_each(|_| sender.send());
                    sender.stock.close();
                }
            });
            Receiver::new(&shared, 1).receive_until(3);
            sender.join().unwrap();
            assert_eq!(shared.free() as u64, blocks, "a block was lost");
        });
    }
}

/// A sender dies with a block taken, written, or just published. What its successor sweeps is in no
/// cell, and not in the hands of the receiver, which keeps the first message while it does.
#[test]
fn senders_die() {
    let others = [ProducerWritten, ProducerPublished];
    for &mark in marks_of("blocks::senders_die").iter().chain(&others) {
        explore(2, move || {
            let shared = Shared::new(2);
            let receiver = thread::spawn({
                let shared = shared.clone();
                move || {
                    let mut receiver = Receiver::new(&shared, 1);
                    let (position, block) = receiver.keep();
                    receiver.receive_until(2);
                    assert_eq!(shared.read(block), position, "kept, and written to");
                    assert!(shared.blocks.free(block, receiver.me), "its own block");
                }
            });
            let died = die_at(mark, 1, || {
                let mut sender = Sender::new(&shared, 1);
                (0..2).for_each(|_| sender.send());
            });
            assert!(died.is_none(), "the sender never passed {mark:?}");
            let mut sender = Sender::new(&shared, 2);
            while sender.producer.position() < 2 {
                sender.send();
            }
            receiver.join().unwrap();
            sender.stock.close();
            assert_eq!(shared.free(), 2, "a block was lost");
        });
    }
}

/// A receiver dies with a message in hand, or kept, or half given back: none is lost, and no block.
#[test]
fn receivers_die() {
    let others = [ConsumerMoved];
    for &mark in marks_of("blocks::receivers_die").iter().chain(&others) {
        explore(2, move || {
            let shared = Shared::new(1);
            let sender = thread::spawn({
                let shared = shared.clone();
                move || {
                    let mut sender = Sender::new(&shared, 1);
                    (0..2).for_each(|_| sender.send());
                    sender.stock.close();
                }
            });
            let died = die_at(mark, 0, || Receiver::new(&shared, 1).receive_until(2));
            assert!(died.is_none(), "the receiver never passed {mark:?}");
            Receiver::new(&shared, 2).receive_until(2);
            sender.join().unwrap();
            assert_eq!(shared.free(), 1, "a block was lost");
        });
    }
}

/// Those that sweep die, and the next does the rest.
#[test]
fn sweepers_die() {
    for &mark in marks_of("blocks::sweepers_die") {
        let deaths = Arc::new(Count::new(0));
        let counted = Arc::clone(&deaths);
        explore(2, move || {
            let shared = Shared::new(2);
            let receiver = thread::spawn({
                let shared = shared.clone();
                move || Receiver::new(&shared, 1).receive_until(1)
            });
            let died = die_at(Mark::BlockTaken, 1, || {
                let mut sender = Sender::new(&shared, 1);
                (0..2).for_each(|_| sender.send());
            });
            assert!(died.is_none(), "the sender never took a second block");
            if die_at(mark, 0, || Sender::new(&shared, 2)).is_none() {
                counted.fetch_add(1, Plain);
            }
            Sender::new(&shared, 3).stock.close();
            receiver.join().unwrap();
            assert_eq!(shared.free(), 2, "a block was lost");
        });
        assert_ne!(deaths.load(Plain), 0, "nobody ever died at {mark:?}");
    }
}
