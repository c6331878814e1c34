//! An MPMC ring whose bodies loom watches for unsynchronised access, and those that use it.

use loom::cell::UnsafeCell;
use loom::sync::atomic::AtomicBool;
use std::sync::Arc;
use strait_ipc::ring::mpmc::{Parties, Receiver, Repair, Sender, Source, Taken, Words};
use strait_pools::marks::{Mark, model::die_at};
use strait_pools::placement::Heap;
use strait_pools::sync::AtomicU64;
use strait_pools::sync::Ordering::AcqRel;

/// How many sides of each kind there are.
const SIDES: usize = 2;

/// A ring, the bodies of its cells and hands, and what the kernel knows of its sides.
#[derive(Clone, Debug)]
pub struct Ring {
    /// What the sides share.
    pub words: Words<Heap>,
    bodies: Arc<[UnsafeCell<u64>]>,
    hands: Arc<[UnsafeCell<u64>]>,
    kernel: Arc<Kernel>,
    at_least_once: bool,
    parking: bool,
}

/// Which sides are held by a process that lives, and whether somebody repairs. The kernel guards its locks
/// by a lock of its own: each call sees what was done before the calls before it, also one that only looks.
#[derive(Debug, Default)]
pub struct Kernel {
    senders: [AtomicBool; SIDES],
    receivers: [AtomicBool; SIDES],
    repairing: AtomicBool,
}

fn set(flag: &[AtomicBool; SIDES], index: u64, value: bool) {
    flag[usize::try_from(index).unwrap()].swap(value, AcqRel);
}

fn is_set(flag: &[AtomicBool; SIDES], index: u64) -> bool {
    flag[usize::try_from(index).unwrap()].fetch_or(false, AcqRel)
}

impl Parties for Kernel {
    fn sender_lives(&self, index: u64) -> bool {
        is_set(&self.senders, index)
    }

    fn receiver_lives(&self, index: u64) -> bool {
        is_set(&self.receivers, index)
    }

    fn alone<R>(&self, work: impl FnOnce() -> R) -> Option<R> {
        if self.repairing.swap(true, AcqRel) {
            return None;
        }
        // Dropped also by a death, as the kernel does.
        let _lock = Unlock(&self.repairing);
        Some(work())
    }
}

struct Unlock<'a>(&'a AtomicBool);

impl Drop for Unlock<'_> {
    fn drop(&mut self) {
        self.0.swap(false, AcqRel);
    }
}

impl Ring {
    /// An empty ring of `capacity` cells, which delivers at least once.
    pub fn new(capacity: usize) -> Self {
        let body = |_| UnsafeCell::new(u64::MAX);
        Self {
            words: Words {
                tail: Arc::default(),
                head: Arc::default(),
                senders: (0..SIDES).map(|_| Default::default()).collect(),
                receivers: (0..SIDES).map(|_| Default::default()).collect(),
                states: (0..capacity).map(|_| AtomicU64::new(0)).collect(),
            },
            bodies: (0..capacity).map(body).collect(),
            hands: (0..SIDES).map(body).collect(),
            kernel: Arc::default(),
            at_least_once: true,
            parking: false,
        }
    }

    /// The same, of sides that may sleep.
    pub fn parking(capacity: usize) -> Self {
        Self { parking: true, ..Self::new(capacity) }
    }

    /// An empty ring of `capacity` cells, which delivers at most once.
    pub fn at_most_once(capacity: usize) -> Self {
        Self { at_least_once: false, ..Self::new(capacity) }
    }

    fn body(&self, position: u64) -> &UnsafeCell<u64> {
        &self.bodies[usize::try_from(position).unwrap() & (self.bodies.len() - 1)]
    }

    fn hand(&self, receiver: u64) -> &UnsafeCell<u64> {
        &self.hands[usize::try_from(receiver).unwrap()]
    }

    /// Takes the sending side `me`, to send `messages`.
    pub fn sender(&self, me: u64, messages: &[u64]) -> Sending {
        set(&self.kernel.senders, me, true);
        let sender = Sender::new(self.words.clone(), me, self.parking);
        Sending { ring: self.clone(), sender, left: messages.to_vec() }
    }

    /// Takes the receiving side `me`.
    pub fn receiver(&self, me: u64) -> Receiving {
        set(&self.kernel.receivers, me, true);
        let (words, parking) = (self.words.clone(), self.parking);
        let receiver = Receiver::new(words, me, self.at_least_once, parking);
        Receiving { ring: self.clone(), me, receiver, got: Vec::new(), flagged: Vec::new() }
    }

    /// The holder of the sending side `me` sends `messages` at once, and dies at `mark`, at its
    /// `(passes + 1)`-th pass.
    ///
    /// # Panics
    ///
    /// If it never gets there.
    pub fn sender_dies(&self, me: u64, messages: &[u64], mark: Mark, passes: u32) {
        let died = self.sender_may_die(me, messages, mark, passes);
        assert!(died, "the sender never passed {mark:?}");
    }

    /// The same for one that need not get there; whether it died. If not, it leaves.
    pub fn sender_may_die(&self, me: u64, messages: &[u64], mark: Mark, passes: u32) -> bool {
        let died = die_at(mark, passes, || self.sender(me, messages).send()).is_none();
        set(&self.kernel.senders, me, false);
        died
    }

    /// The holder of the receiving side `me` does `work`, and dies at `mark` if it gets there, at its
    /// `(passes + 1)`-th pass. What it got, and whether it died: the last message may be unfinished.
    pub fn receiver_may_die(
        &self,
        me: u64,
        mark: Mark,
        passes: u32,
        work: impl FnOnce(&mut Receiving),
    ) -> (Receiving, bool) {
        let mut receiver = None;
        let dies = || work(receiver.insert(self.receiver(me)));
        let died = die_at(mark, passes, dies).is_none();
        if died {
            set(&self.kernel.receivers, me, false);
        }
        (receiver.expect("taking a side passes no mark"), died)
    }

    /// Nobody has the receiving side any more.
    pub fn receiver_is_gone(&self, me: u64) {
        set(&self.kernel.receivers, me, false);
    }
}

/// A side that sends numbers.
#[derive(Debug)]
pub struct Sending {
    ring: Ring,
    sender: Sender<Heap>,
    /// What is not sent yet.
    pub left: Vec<u64>,
}

impl Sending {
    /// Sends as much as there is room for at once; whether that was all.
    pub fn send(&mut self) -> bool {
        let Self { ring, sender, left } = self;
        let mut next = left.iter();
        let sent = sender.send(left.len() as u64, |position| {
            let message = *next.next().expect("no more than there are");
            // SAFETY: loom checks that nobody else accesses the cell meanwhile.
            ring.body(position).with_mut(|body| unsafe { *body = message });
        });
        left.drain(..usize::try_from(sent.expect("sound words")).unwrap());
        left.is_empty()
    }

    /// Sends all that is left, asleep while there is no room.
    pub fn send_asleep(mut self) {
        let words = self.ring.words.clone();
        while !self.send() {
            let before = self.left.len();
            let sent = || (self.send() || self.left.len() < before).then_some(());
            words.tail.crowd.sleep_unless(None, sent);
        }
    }

    /// Tries to send `times` times.
    pub fn attempt(mut self, times: usize) -> Self {
        for _ in 0..times {
            if self.send() {
                break;
            }
        }
        self
    }
}

/// A side that receives numbers.
#[derive(Debug)]
pub struct Receiving {
    ring: Ring,
    me: u64,
    receiver: Receiver<Heap>,
    /// What it got.
    pub got: Vec<u64>,
    /// What of that may have been got before.
    pub flagged: Vec<u64>,
}

impl Receiving {
    /// Takes one message if there is one, or repairs something; whether it did either. Claims up to `most`
    /// messages at once.
    pub fn try_receive(&mut self, most: u64) -> bool {
        self.look(most, true)
    }

    /// Takes one message if there is one; whether there was. Repairs nothing.
    pub fn take(&mut self) -> bool {
        self.look(1, false)
    }

    fn look(&mut self, most: u64, repairs: bool) -> bool {
        let Self { ring, me, receiver, .. } = self;
        let mut copied = None;
        let mut copy = |source| {
            let from = match source {
                Source::Cell(position) => ring.body(position),
                Source::Hand(receiver) => ring.hand(receiver),
            };
            // SAFETY: loom checks that nobody writes it meanwhile.
            let body = from.with(|body| unsafe { *body });
            copied = Some(body);
            if ring.at_least_once {
                // SAFETY: loom checks that nobody else accesses the hand meanwhile.
                ring.hand(*me).with_mut(|hand| unsafe { *hand = body });
            }
        };
        let taken = match receiver.receive(most, &mut copy).expect("sound words") {
            Some(taken) => taken,
            None if !repairs => return false,
            None => match receiver.repair(&*ring.kernel, &mut copy).expect("sound words") {
                Repair::Message(taken) => taken,
                Repair::Progress => return true,
                Repair::Nothing | Repair::Busy => return false,
            },
        };
        // What was in place in a predecessor's hand was not copied.
        // SAFETY: as above.
        let body = copied.unwrap_or_else(|| ring.hand(*me).with(|hand| unsafe { *hand }));
        self.deliver(taken, body);
        true
    }

    fn deliver(&mut self, taken: Taken, body: u64) {
        self.got.push(body);
        if taken.redelivered {
            self.flagged.push(body);
        }
    }

    /// Has `count` messages, asleep while `look` finds none: to take one, or also to repair.
    pub fn receive_asleep(&mut self, count: usize, look: impl Fn(&mut Self) -> bool) {
        let words = self.ring.words.clone();
        while self.got.len() < count {
            if !look(self) {
                words.head.crowd.sleep_unless(None, || look(self).then_some(()));
            }
        }
    }

    /// Tries to take a message `times` times, claiming up to `most` at once.
    pub fn attempt(mut self, times: usize, most: u64) -> Self {
        for _ in 0..times {
            self.try_receive(most);
        }
        self
    }

    /// Receives and repairs until there is nothing more; the last message is released.
    pub fn drain(&mut self) {
        while self.try_receive(1) {}
    }

    /// Gives the side back in good order.
    pub fn close(&mut self) {
        self.receiver.close();
        self.ring.receiver_is_gone(self.me);
    }
}

/// All that is not sent yet is sent, and all that is there is got. What nobody does at a time with
/// others, nobody need wait for: a model in which two wait for a third explores how they do.
pub fn finish(senders: &mut [Sending], receivers: &mut [Receiving]) {
    loop {
        let unsent = senders.iter_mut().map(Sending::send).filter(|sent| !sent).count();
        receivers.iter_mut().for_each(Receiving::drain);
        if unsent == 0 {
            break;
        }
    }
}
