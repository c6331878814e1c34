//! A ring whose bodies loom watches for unsynchronised access, and the two that use it.

use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;
use strait_ipc::ring::lanes::Seat;
use strait_ipc::ring::parking::Ringer;
use strait_ipc::ring::spsc::{Consumer, Poll, Producer, Words};
use strait_pools::marks::{Mark, pass};
use strait_pools::placement::Heap;
use strait_pools::sync::{AtomicU64, Ordering::Relaxed};

/// What a message says: its position, and which producer wrote it, by its incarnation.
pub type Body = (u64, u64);

/// A ring and the bodies of its cells.
#[derive(Clone, Debug)]
pub struct Ring {
    /// What the two sides share.
    pub words: Words<Heap>,
    bodies: Arc<[UnsafeCell<Body>]>,
    parking: bool,
}

impl Ring {
    /// An empty ring of `capacity` cells, whose sides never sleep.
    pub fn new(capacity: usize) -> Self {
        Self {
            parking: false,
            words: Words {
                producer: Arc::default(),
                consumer: Arc::default(),
                states: (0..capacity).map(|_| AtomicU64::new(0)).collect(),
            },
            bodies: (0..capacity).map(|_| UnsafeCell::new((u64::MAX, 0))).collect(),
        }
    }

    /// An empty ring of `capacity` cells, whose sides sleep when there is nothing to do.
    pub fn parking(capacity: usize) -> Self {
        Self { parking: true, ..Self::new(capacity) }
    }

    /// Nobody waits for a descriptor, unless a model says so.
    fn ringer(&self) -> Option<Ringer> {
        self.parking.then(|| {
            Ringer::new(|line| {
                assert_eq!(line.bell.load(Relaxed), 0, "a bell, and nobody to ring it")
            })
        })
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
        Self::with_ringer(ring, ring.ringer())
    }

    /// Takes the ring over, and rings as `ringer` does.
    pub fn with_ringer(ring: &Ring, ringer: Option<Ringer>) -> Self {
        let producer = Producer::take_over(ring.words.clone(), ringer).expect("sound words");
        Self { ring: ring.clone(), producer }
    }

    /// Takes the ring over, which is one of several lanes.
    pub fn seated(ring: &Ring, seat: Seat<Heap>) -> Self {
        let Self { ring, producer } = Self::new(ring);
        Self { ring, producer: producer.seated(seat) }
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
            self.wait_for_room(1);
            self.write(self.position(), (self.position(), self.incarnation()));
            self.producer.publish();
        }
    }

    /// Waits until `count` positions are free: asleep, if the ring's sides sleep.
    pub fn wait_for_room(&mut self, count: u64) {
        let Self { ring, producer } = self;
        let mut room = || (producer.free(count).expect("sound words") >= count).then_some(());
        while room().is_none() {
            if !ring.parking {
                thread::yield_now();
            } else if ring.words.producer.wait.sleep_unless(None, &mut room).is_some() {
                return;
            }
        }
    }

    /// Wakes the receiver, after something that it waits for beside messages.
    pub fn wake(&mut self) {
        self.producer.wake();
    }

    /// Sends as many at once.
    pub fn send_batch(&mut self, count: u64) {
        self.wait_for_room(count);
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
        let consumer = Consumer::take_over(ring.words.clone(), died, ring.ringer());
        let consumer = consumer.expect("sound words");
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

    /// Looks at the next cell.
    pub fn poll(&mut self) -> Poll {
        self.consumer.poll(1)
    }

    /// Whether there is a message.
    pub fn is_ready(&mut self) -> bool {
        self.poll() != Poll::Empty
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
                self.wait_for(|| false);
            }
        }
    }

    /// Waits until a message is there or `event` has happened: asleep, if the ring's sides sleep. May
    /// come back for nothing.
    pub fn wait_for(&mut self, event: impl Fn() -> bool) {
        if self.ring.parking {
            let consumer = &mut self.consumer;
            let look = || (consumer.poll(1) != Poll::Empty || event()).then_some(());
            self.ring.words.consumer.wait.sleep_unless(None, look);
        } else {
            thread::yield_now();
        }
    }

    /// The positions of the messages received.
    pub fn positions(&self) -> Vec<u64> {
        self.received.iter().map(|body| body.0).collect()
    }
}
