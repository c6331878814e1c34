//! The ring for several senders and receivers on the heap: threads that are all alive.
#![cfg(not(loom))]

mod histories;
mod random;

use histories::{Clock, Did, History, Operation};
use random::Random;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use strait_ipc::ring::mpmc::{Corrupt, Parties, Receiver, Repair, Sender, Source, Words};
use strait_pools::placement::{Heap, Many};

/// Everybody lives.
struct Threads(Mutex<()>);

impl Parties for Threads {
    fn sender_lives(&self, _: u64) -> bool {
        true
    }
    fn receiver_lives(&self, _: u64) -> bool {
        true
    }
    fn alone<R>(&self, work: impl FnOnce() -> R) -> Option<R> {
        let _alone = self.0.try_lock().ok()?;
        Some(work())
    }
}

/// A ring of numbers.
#[derive(Clone)]
struct Ring {
    words: Words<Heap>,
    bodies: Arc<[AtomicU64]>,
    hands: bool,
}

impl Ring {
    fn new(capacity: u64, hands: bool) -> Self {
        let zero = |_| AtomicU64::new(0);
        Self {
            words: Words {
                tail: Arc::default(),
                head: Arc::default(),
                senders: (0..4).map(|_| Default::default()).collect(),
                receivers: (0..4).map(|_| Default::default()).collect(),
                states: (0..capacity).map(|_| Default::default()).collect(),
            },
            bodies: (0..capacity).map(zero).collect(),
            hands,
        }
    }

    fn sender(&self, me: u64) -> Sender<Heap> {
        Sender::new(self.words.clone(), me, false)
    }

    fn receiver(&self, me: u64) -> Receiver<Heap> {
        Receiver::new(self.words.clone(), me, self.hands, false)
    }

    /// Sends as many of `messages` as there is room for at once.
    fn send(&self, sender: &mut Sender<Heap>, messages: &[u64]) -> usize {
        let mut next = messages.iter();
        let sent = sender.send(messages.len() as u64, |position| {
            self.bodies.at(position).store(*next.next().unwrap(), Relaxed);
        });
        usize::try_from(sent.unwrap()).unwrap()
    }

    fn receive(&self, receiver: &mut Receiver<Heap>, most: u64) -> Option<u64> {
        let mut got = None;
        let taken = receiver.receive(most, |source| {
            let Source::Cell(position) = source else { panic!("nobody died") };
            got = Some(self.bodies.at(position).load(Relaxed));
        });
        assert!(taken.unwrap().is_none_or(|taken| !taken.redelivered));
        got
    }
}

/// The message number `number` of sender `of`.
fn message(of: u64, number: u64) -> u64 {
    of << 32 | number
}

/// Every message arrives once, and those of one sender in their order at each receiver.
fn everything_arrives(capacity: u64, hands: bool, senders: u64, receivers: u64, batch: u64) {
    const EACH: u64 = 20_000;
    let ring = Ring::new(capacity, hands);
    let received = AtomicUsize::new(0);
    let all = usize::try_from(senders * EACH).unwrap();
    let got: Vec<Vec<u64>> = std::thread::scope(|scope| {
        for me in 0..senders {
            let ring = &ring;
            scope.spawn(move || {
                let mut sender = ring.sender(me);
                let messages: Vec<u64> = (0..EACH).map(|number| message(me, number)).collect();
                let mut left = messages.as_slice();
                while !left.is_empty() {
                    let some = left.len().min(usize::try_from(batch).unwrap());
                    match ring.send(&mut sender, &left[..some]) {
                        0 => std::thread::yield_now(),
                        sent => left = &left[sent..],
                    }
                }
            });
        }
        let receive = |me| {
            let (ring, received) = (&ring, &received);
            move || {
                let mut receiver = ring.receiver(me);
                let mut got = Vec::new();
                while received.load(Relaxed) < all {
                    match ring.receive(&mut receiver, batch) {
                        Some(message) => {
                            got.push(message);
                            received.fetch_add(1, Relaxed);
                        }
                        None => std::thread::yield_now(),
                    }
                }
                receiver.close();
                got
            }
        };
        let threads: Vec<_> = (0..receivers).map(|me| scope.spawn(receive(me))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for of in 0..senders {
        let own = |got: &Vec<u64>| {
            got.iter().copied().filter(|message| message >> 32 == of).collect::<Vec<u64>>()
        };
        let each: Vec<Vec<u64>> = got.iter().map(own).collect();
        assert!(each.iter().all(|own| own.is_sorted()), "out of order");
        let mut own = each.concat();
        own.sort_unstable();
        assert!(
            own.into_iter().eq((0..EACH).map(|number| message(of, number))),
            "lost or repeated"
        );
    }
    assert!(!ring.words.unread(), "something is left");
}

#[test]
fn everything_arrives_once_and_in_order() {
    for (capacity, hands, batch) in [
        (1, true, 1),
        (2, true, 1),
        (64, true, 1),
        (64, false, 1),
        (64, true, 16),
        (256, false, 64),
    ] {
        for (senders, receivers) in [(1, 1), (2, 1), (1, 2), (2, 2), (4, 4)] {
            everything_arrives(capacity, hands, senders, receivers, batch);
        }
    }
}

/// A queue that several threads may use.
trait Queue: Sync {
    /// Sends as many as there is room for at once.
    fn send(&self, thread: u64, messages: &[u64]) -> usize;
    /// Receives a message.
    fn receive(&self, thread: u64) -> Option<u64>;
}

/// The ring, a side of each kind for each thread.
struct OfRing {
    ring: Ring,
    senders: Vec<Mutex<Sender<Heap>>>,
    receivers: Vec<Mutex<Receiver<Heap>>>,
}

impl OfRing {
    fn new(capacity: u64) -> Self {
        let ring = Ring::new(capacity, true);
        let senders = (0..4).map(|me| Mutex::new(ring.sender(me))).collect();
        let receivers = (0..4).map(|me| Mutex::new(ring.receiver(me))).collect();
        Self { ring, senders, receivers }
    }
}

impl Queue for OfRing {
    fn send(&self, thread: u64, messages: &[u64]) -> usize {
        let mut sender = self.senders[usize::try_from(thread).unwrap()].lock().unwrap();
        self.ring.send(&mut sender, messages)
    }
    fn receive(&self, thread: u64) -> Option<u64> {
        let mut receiver = self.receivers[usize::try_from(thread).unwrap()].lock().unwrap();
        self.ring.receive(&mut receiver, 1)
    }
}

/// A queue that now and then lets a message overtake another.
struct Overtaking(Mutex<VecDeque<u64>>, usize);

impl Queue for Overtaking {
    fn send(&self, _: u64, messages: &[u64]) -> usize {
        let mut queue = self.0.lock().unwrap();
        let sent = messages.len().min(self.1 - queue.len());
        for &message in &messages[..sent] {
            let at = if message % 7 == 0 { 0 } else { queue.len() };
            queue.insert(at, message);
        }
        sent
    }
    fn receive(&self, _: u64) -> Option<u64> {
        self.0.lock().unwrap().pop_front()
    }
}

/// What three threads do that send and receive a few messages each.
fn history(queue: &impl Queue, capacity: usize, seed: u64) -> History {
    const THREADS: u64 = 3;
    let (clock, ready) = (Clock::default(), AtomicU64::new(0));
    let work = |thread: u64| {
        let (clock, ready) = (&clock, &ready);
        move || {
            let mut random = Random(1 + seed * THREADS + thread);
            let mut number = thread * 100 + 1;
            ready.fetch_add(1, SeqCst);
            while ready.load(SeqCst) < THREADS {
                std::thread::yield_now();
            }
            let mut operations: Vec<Operation> = Vec::new();
            for _ in 0..6 {
                operations.push(clock.record(|| {
                    if random.below(2) == 0 {
                        let messages: Vec<u64> = (number..=number + random.below(2)).collect();
                        let sent = queue.send(thread, &messages);
                        number += sent as u64;
                        match sent {
                            0 => Did::WasFull,
                            _ => Did::Sent(messages[..sent].to_vec()),
                        }
                    } else {
                        match queue.receive(thread) {
                            None => Did::WasEmpty,
                            Some(message) => Did::Received(vec![message]),
                        }
                    }
                }));
                if random.below(3) == 0 {
                    std::thread::yield_now();
                }
            }
            operations
        }
    };
    let operations = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(work(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    History::new(operations, capacity)
}

#[test]
fn histories_are_of_a_queue() {
    for seed in 0..2000 {
        let capacity = 1 << (seed % 3);
        let history = history(&OfRing::new(capacity), usize::try_from(capacity).unwrap(), seed);
        assert!(history.is_of_a_queue(), "seed {seed}: {history:#?}");
    }
}

#[test]
fn a_queue_that_lets_messages_overtake_is_caught() {
    let wrong = (0..2000).filter(|&seed| {
        let queue = Overtaking(Mutex::default(), 4);
        !history(&queue, 4, seed).is_of_a_queue()
    });
    assert!(wrong.count() > 30, "hardly any history shows it");
}

#[test]
fn full_and_empty_are_said_when_they_are_true() {
    let ring = Ring::new(2, true);
    let (mut sender, mut receiver) = (ring.sender(0), ring.receiver(0));
    for lap in 0..3 {
        assert_eq!(ring.receive(&mut receiver, 1), None);
        assert_eq!(ring.send(&mut sender, &[lap, lap + 1, lap + 2]), 2);
        assert_eq!(ring.send(&mut sender, &[9]), 0);
        assert_eq!(ring.receive(&mut receiver, 1), Some(lap));
        assert_eq!(ring.receive(&mut receiver, 1), Some(lap + 1));
    }
    assert_eq!(sender.send(0, |_| panic!("nothing is to be sent")), Ok(0));
    assert_eq!(receiver.receive(0, |_| panic!("nothing is to be received")), Ok(None));
}

/// What a hostile process may write is told, and neither followed nor waited for.
#[test]
fn words_that_contradict_each_other_are_told() {
    let all = Threads(Mutex::default());
    for garbage in [5, 1 << 40, u64::MAX] {
        let ring = Ring::new(2, true);
        let (mut sender, mut receiver) = (ring.sender(0), ring.receiver(0));
        ring.words.states.at(0).store(garbage, Relaxed);
        let corrupt = Corrupt { word: "state", found: garbage, position: 0 };
        assert_eq!(sender.send(1, |_| {}), Err(corrupt));
        assert_eq!(receiver.receive(1, |_| {}), Err(corrupt));
    }
    // Intents and hands of all kinds, and indices: whatever comes of them, it comes.
    let mut random = Random(1);
    for _ in 0..20_000 {
        let ring = Ring::new(4, true);
        let lines = |at| (ring.words.senders.at(at), ring.words.receivers.at(at));
        let mut odd = || match random.below(4) {
            0 => 0,
            1 => random.below(20),
            2 => u64::MAX - random.below(20),
            _ => random.below(u64::MAX),
        };
        ring.words.tail.position.store(odd(), Relaxed);
        ring.words.head.position.store(odd(), Relaxed);
        for at in 0..4 {
            lines(at).0.intent.declare(odd(), 1 + odd() % 64);
            lines(at).1.intent.declare(odd(), 1 + odd() % 64);
            lines(at).1.hand.store(odd(), Relaxed);
            ring.words.states.at(at).store(odd(), Relaxed);
        }
        let (mut sender, mut receiver) = (ring.sender(0), ring.receiver(0));
        let _ = sender.send(3, |_| {});
        for _ in 0..4 {
            let _ = receiver.receive(3, |_| {});
            let _: Result<Repair, Corrupt> = receiver.repair(&all, |_| {});
        }
        let _ = ring.words.unread();
    }
}
