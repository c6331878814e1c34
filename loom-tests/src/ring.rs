//! A ring whose bodies loom watches for unsynchronised access, and the two that use it.

use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;
use strait_ipc::ring::spsc::{Consumer, Poll, Producer, Words};
use strait_pools::marks::{Mark, pass};
use strait_pools::placement::Heap;
use strait_pools::sync::AtomicU64;

/// What a message says: its position, and which producer wrote it, by its incarnation.
pub type Body = (u64, u64);

/// A ring and the bodies of its cells.
#[derive(Clone, Debug)]
pub struct Ring {
    words: Words<Heap>,
    bodies: Arc<[UnsafeCell<Body>]>,
}

impl Ring {
    /// An empty ring of `capacity` cells.
    pub fn new(capacity: usize) -> Self {
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
#[derive(Debug)]
pub struct Sender {
    ring: Ring,
    producer: Producer<Heap>,
}

impl Sender {
    /// Takes the ring over.
    pub fn new(ring: &Ring) -> Self {
        let producer = Producer::take_over(ring.words.clone()).expect("sound words");
        Self { ring: ring.clone(), producer }
    }

    /// How many producers have owned the ring, this one included.
    pub fn incarnation(&self) -> u64 {
        self.producer.incarnation()
    }

    /// The position of the next message.
    pub fn position(&self) -> u64 {
        self.producer.position()
    }

    /// Writes `body` where the message at `position` is to stand.
    pub fn write(&self, position: u64, body: Body) {
        pass(Mark::ProducerClaimed);
        // SAFETY: loom checks that nobody else accesses the cell meanwhile.
        self.ring.body(position).with_mut(|cell| unsafe { *cell = body });
    }

    /// Sends, one by one, until the next message is `end`.
    pub fn send_until(&mut self, end: u64) {
        while self.position() < end {
            if self.producer.free(1).expect("sound words") == 0 {
                thread::yield_now();
                continue;
            }
            self.write(self.position(), (self.position(), self.incarnation()));
            self.producer.publish();
        }
    }

    /// Sends as many at once.
    pub fn send_batch(&mut self, count: u64) {
        while self.producer.free(count).expect("sound words") < count {
            thread::yield_now();
        }
        let first = self.position();
        for position in first..first + count {
            self.write(position, (position, self.incarnation()));
        }
        self.producer.publish_batch(count);
    }
}

/// A consumer that checks what it reads.
#[derive(Debug)]
pub struct Receiver {
    ring: Ring,
    consumer: Consumer<Heap>,
    /// What it read; the last one may not be released.
    pub received: Vec<Body>,
    /// Positions of messages among them that a predecessor may have read.
    pub redelivered: Vec<u64>,
    /// Positions of messages among them that the latest producer is known to have sent.
    pub by_latest: Vec<u64>,
}

impl Receiver {
    /// Takes the ring over, from a predecessor that `died` or did not.
    pub fn new(ring: &Ring, died: bool) -> Self {
        let consumer = Consumer::take_over(ring.words.clone(), died).expect("sound words");
        Self {
            ring: ring.clone(),
            consumer,
            received: Vec::new(),
            redelivered: Vec::new(),
            by_latest: Vec::new(),
        }
    }

    /// The position of the next message.
    pub fn position(&self) -> u64 {
        self.consumer.position()
    }

    /// Receives a message if there is one.
    ///
    /// # Panics
    ///
    /// If it is in another's place, or is said to be by a producer that did not write it.
    pub fn try_receive(&mut self) -> bool {
        match self.consumer.poll(1) {
            Poll::Ready(position) => {
                // SAFETY: loom checks that nobody writes the cell meanwhile.
                let body = self.ring.body(position).with(|cell| unsafe { *cell });
                assert_eq!(body.0, position, "a message in another's place");
                if let Some(by) = self.consumer.by_latest(position) {
                    assert_eq!(body.1, by, "a message attributed to another producer");
                    self.by_latest.push(position);
                }
                if self.consumer.redelivered(position) {
                    self.redelivered.push(position);
                }
                self.received.push(body);
                self.consumer.release();
                true
            }
            Poll::Empty => false,
            Poll::Corrupt(corrupt) => panic!("{corrupt}"),
        }
    }

    /// Receives until the next message is `end`.
    pub fn receive_until(&mut self, end: u64) {
        while self.position() < end {
            if !self.try_receive() {
                thread::yield_now();
            }
        }
    }

    /// The positions of the messages received.
    pub fn positions(&self) -> Vec<u64> {
        self.received.iter().map(|body| body.0).collect()
    }
}
