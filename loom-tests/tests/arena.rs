//! Models of messages that lie in the arena, on the source that ships: loom watches every byte of the
//! arena for unsynchronised access.

#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;
use strait_ipc::ring::arena::{Arena, Chunk};
use strait_ipc::ring::spsc::{Consumer, Poll, Producer, Words};
use strait_loom_tests::explore;
use strait_loom_tests::ring::Ring;
use strait_pools::marks::Mark::{self, ProducerClaimed, ProducerPublished, ProducerWritten};
use strait_pools::marks::{model::die_at, pass};
use strait_pools::placement::Heap;

const CAPACITY: u64 = 2;

/// What the two sides share: the ring, the descriptors in its cells, the arena.
#[derive(Clone)]
struct Shared {
    words: Words<Heap>,
    descriptors: Arc<[UnsafeCell<Chunk>]>,
    bytes: Arc<[UnsafeCell<u64>]>,
}

impl Shared {
    fn new(bytes: usize) -> Self {
        let none = Chunk { start: 0, bytes: 0 };
        Self {
            words: Ring::new(2).words,
            descriptors: (0..CAPACITY).map(|_| UnsafeCell::new(none)).collect(),
            bytes: (0..bytes).map(|_| UnsafeCell::new(u64::MAX)).collect(),
        }
    }

    fn arena(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn descriptor(&self, position: u64) -> &UnsafeCell<Chunk> {
        &self.descriptors[usize::try_from(position % CAPACITY).unwrap()]
    }

    fn chunk(&self, chunk: Chunk) -> &[UnsafeCell<u64>] {
        let offset = usize::try_from(chunk.offset(self.arena()).expect("it lies there")).unwrap();
        &self.bytes[offset..offset + usize::try_from(chunk.bytes).unwrap()]
    }
}

struct Sender {
    shared: Shared,
    producer: Producer<Heap>,
    arena: Arena,
}

impl Sender {
    /// Takes the ring over, and finds the chunks in use: as `BytesSender` does.
    fn new(shared: &Shared) -> Self {
        let mut producer = Producer::take_over(shared.words.clone(), None).expect("sound words");
        let consumed = producer.consumed().expect("sound words");
        let mut arena = Arena::new(shared.arena(), CAPACITY, consumed);
        for position in consumed..producer.position() {
            // SAFETY: loom checks that nobody writes it meanwhile.
            let chunk = shared.descriptor(position).with(|chunk| unsafe { *chunk });
            arena.adopt(position, Some(chunk)).expect("sound chunks");
        }
        Self { shared: shared.clone(), producer, arena }
    }

    fn send(&mut self, bytes: u64) {
        let chunk = loop {
            if self.producer.free(1).expect("sound words") == 1 {
                if let Some(chunk) = self.arena.find(bytes) {
                    break chunk;
                }
                self.arena.free_below(self.producer.consumed().expect("sound words"));
                if let Some(chunk) = self.arena.find(bytes) {
                    break chunk;
                }
            }
            thread::yield_now();
        };
        pass(Mark::ProducerClaimed);
        let position = self.producer.position();
        for byte in self.shared.chunk(chunk) {
            // SAFETY: loom checks that nobody else accesses it meanwhile.
            byte.with_mut(|byte| unsafe { *byte = position });
        }
        // SAFETY: as above.
        self.shared.descriptor(position).with_mut(|words| unsafe { *words = chunk });
        self.arena.take(chunk);
        self.arena.built(position);
        self.producer.publish();
        self.arena.publish();
    }
}

/// Receives so many messages, and checks that each is whole.
fn receive(shared: &Shared, messages: u64) {
    let mut consumer = Consumer::take_over(shared.words.clone(), false, None).expect("sound words");
    while consumer.position() < messages {
        match consumer.poll(1) {
            Poll::Ready(position) => {
                // SAFETY: loom checks that nobody writes it meanwhile.
                let chunk = shared.descriptor(position).with(|chunk| unsafe { *chunk });
                for byte in shared.chunk(chunk) {
                    // SAFETY: as above.
                    assert_eq!(byte.with(|byte| unsafe { *byte }), position, "another's bytes");
                }
                consumer.release();
            }
            Poll::Empty => thread::yield_now(),
            Poll::Corrupt(corrupt) => panic!("{corrupt}"),
        }
    }
}

/// More bytes than there are, in chunks that turn around the end.
#[test]
fn chunks_are_reused_when_they_were_read() {
    for lengths in [&[2, 1, 2], &[1, 1, 1], &[1, 3, 1]] {
        explore(3, move || {
            let shared = Shared::new(3);
            let sender = thread::spawn({
                let shared = shared.clone();
                move || {
                    let mut sender = Sender::new(&shared);
                    lengths.iter().for_each(|&length| sender.send(length));
                }
            });
            receive(&shared, 3);
            sender.join().unwrap();
        });
    }
}

/// A sender dies with a chunk in the making, or just after; its successor leaves alone what is unread.
#[test]
fn a_successor_leaves_unread_chunks_alone() {
    for mark in [ProducerClaimed, ProducerWritten, ProducerPublished] {
        explore(3, move || {
            let shared = Shared::new(3);
            let receiver = thread::spawn({
                let shared = shared.clone();
                move || receive(&shared, 3)
            });
            let died = die_at(mark, 1, || {
                let mut sender = Sender::new(&shared);
                sender.send(1);
                sender.send(2);
            });
            assert!(died.is_none(), "the sender never passed {mark:?}");
            let mut sender = Sender::new(&shared);
            while sender.producer.position() < 3 {
                sender.send(2);
            }
            receiver.join().unwrap();
        });
    }
}
