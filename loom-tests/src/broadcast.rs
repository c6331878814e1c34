//! A broadcast ring whose bodies loom watches, and those that use it.

use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;
use strait_ipc::ring::broadcast::{Join, Observer, Producer, Read, Reader, Words};
use strait_pools::placement::Heap;
use strait_pools::sync::{AtomicU64, Ordering::Relaxed};

/// A ring, and the bodies of its cells: each is there twice, for those that copy it while it may change,
/// and for those that read it in place, which loom does not let change meanwhile.
#[derive(Clone, Debug)]
pub struct Ring {
    /// What producer and readers share.
    pub words: Words<Heap>,
    copied: Arc<[[AtomicU64; 2]]>,
    in_place: Arc<[UnsafeCell<u64>]>,
    parking: bool,
}

impl Ring {
    /// An empty ring of `capacity` cells and `places` for readers; nobody ever sleeps.
    pub fn new(capacity: usize, places: usize) -> Self {
        Self {
            words: Words {
                head: Arc::default(),
                readers: (0..places).map(|_| Default::default()).collect(),
                states: (0..capacity).map(|_| AtomicU64::new(0)).collect(),
            },
            copied: (0..capacity).map(|_| Default::default()).collect(),
            in_place: (0..capacity).map(|_| UnsafeCell::new(0)).collect(),
            parking: false,
        }
    }

    /// The same, whose sides sleep when there is nothing to do.
    pub fn parking(capacity: usize, places: usize) -> Self {
        Self { parking: true, ..Self::new(capacity, places) }
    }

    fn index(&self, position: u64) -> usize {
        usize::try_from(position).expect("a small number") & (self.copied.len() - 1)
    }

    /// Writes the message with that position, and `by` whom it is.
    pub fn write(&self, position: u64, by: u64) {
        let index = self.index(position);
        self.copied[index][0].store(position, Relaxed);
        self.copied[index][1].store(10 * position + by, Relaxed);
        // SAFETY: loom checks that nobody reads it meanwhile.
        self.in_place[index].with_mut(|body| unsafe { *body = position });
    }

    fn copy(&self, position: u64) -> [u64; 2] {
        let [first, second] = &self.copied[self.index(position)];
        // The last word first: a writer that comes in between is seen from the other end.
        let second = second.load(Relaxed);
        [first.load(Relaxed), second]
    }

    fn in_place(&self, position: u64) -> u64 {
        // SAFETY: loom checks that nobody writes it meanwhile.
        self.in_place[self.index(position)].with(|body| unsafe { *body })
    }
}

/// A producer that numbers its messages.
#[derive(Debug)]
pub struct Sender {
    ring: Ring,
    /// The producer itself.
    pub producer: Producer<Heap>,
}

impl Sender {
    /// Takes the ring over.
    pub fn new(ring: &Ring) -> Self {
        let producer = Producer::take_over(ring.words.clone(), ring.parking);
        Self { ring: ring.clone(), producer: producer.expect("sound words") }
    }

    /// Sends, one by one, until the next message is `end`.
    pub fn send_until(&mut self, end: u64) {
        self.send_past(end, |_| false);
    }

    /// The same; readers in the way that are `dead` are left behind.
    pub fn send_past(&mut self, end: u64, dead: impl Fn(u64) -> bool) {
        while self.producer.position() < end {
            while !self.producer.has_room().expect("sound words") {
                match self.producer.slowest() {
                    Some(reader) if dead(reader.place) => self.producer.evict(reader),
                    _ => self.wait(),
                }
            }
            let by = self.producer.incarnation();
            self.producer.publish(|position| self.ring.write(position, by));
        }
    }

    fn wait(&mut self) {
        let Self { ring, producer } = self;
        if ring.parking {
            let look = || producer.has_room().expect("sound words").then_some(());
            ring.words.head.wait.sleep_unless(None, look);
        } else {
            thread::yield_now();
        }
    }
}

/// What a reader that copies has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// The positions of messages.
    pub positions: Vec<u64>,
    /// How many it was told are lost.
    pub lost: u64,
}

impl Seen {
    fn note(&mut self, read: Read<[u64; 2]>) -> bool {
        match read {
            Read::Message([position, checked]) => {
                assert_eq!(position, checked / 10, "a torn message");
                self.positions.push(position);
            }
            Read::Empty => return false,
            Read::Overrun(lost) => {
                assert_ne!(lost, 0, "an overrun without a loss");
                self.lost += lost;
            }
            Read::Corrupt(corrupt) => panic!("{corrupt}"),
        }
        true
    }

    /// Whether that is all there was between two positions.
    pub fn check(&self, from: u64, to: u64) {
        assert!(self.positions.is_sorted_by(|a, b| a < b), "out of order: {:?}", self.positions);
        assert!(self.positions.iter().all(|at| (from..to).contains(at)));
        assert_eq!(self.positions.len() as u64 + self.lost, to - from, "lost and not told");
    }
}

/// An observer that checks what it reads.
#[derive(Debug)]
pub struct Watcher {
    ring: Ring,
    observer: Observer<Heap>,
    /// What it read.
    pub seen: Seen,
}

impl Watcher {
    /// Begins to read.
    pub fn new(ring: &Ring, join: Join) -> Self {
        let observer = Observer::new(ring.words.clone(), join);
        Self { ring: ring.clone(), observer, seen: Seen::default() }
    }

    /// The position of the next message.
    pub fn position(&self) -> u64 {
        self.observer.position()
    }

    /// Reads what there is next; `false` if there is nothing.
    pub fn try_read(&mut self) -> bool {
        let read = self.observer.read(|position| self.ring.copy(position));
        self.seen.note(read)
    }

    /// Reads until the next message is `end`.
    pub fn read_until(&mut self, end: u64) {
        while self.position() < end {
            if !self.try_read() {
                thread::yield_now();
            }
        }
    }
}

/// A tracked reader that checks what it reads.
#[derive(Debug)]
pub struct Listener {
    ring: Ring,
    reader: Reader<Heap>,
    /// What it read.
    pub seen: Seen,
}

impl Listener {
    /// Joins at `place`.
    pub fn new(ring: &Ring, place: u64, join: Join, waited_for: bool) -> Self {
        let reader = Reader::join(ring.words.clone(), place, join, waited_for, ring.parking);
        Self { ring: ring.clone(), reader: reader.expect("sound words"), seen: Seen::default() }
    }

    /// The position of the next message.
    pub fn position(&self) -> u64 {
        self.reader.position()
    }

    /// Reads what there is next, in place if it is waited for; `false` if there is nothing.
    pub fn try_read(&mut self) -> bool {
        let Self { ring, reader, seen } = self;
        if !reader.waited_for() {
            return seen.note(reader.read(|position| ring.copy(position)));
        }
        match reader.poll() {
            Read::Message(position) => {
                assert_eq!(ring.in_place(position), position, "another's message");
                seen.positions.push(position);
                reader.release();
                true
            }
            Read::Empty => false,
            Read::Overrun(lost) => {
                seen.lost += lost;
                true
            }
            Read::Corrupt(corrupt) => panic!("{corrupt}"),
        }
    }

    /// Reads until the next message is `end`; asleep meanwhile, if the ring's sides sleep.
    pub fn read_until(&mut self, end: u64) {
        while self.position() < end {
            if self.try_read() {
                continue;
            }
            if self.ring.parking {
                let crowd = &self.ring.words.clone().head.crowd;
                crowd.sleep_unless(None, || self.try_read().then_some(()));
            } else {
                thread::yield_now();
            }
        }
    }

    /// Leaves its place.
    pub fn leave(&mut self) {
        self.reader.leave();
    }
}
