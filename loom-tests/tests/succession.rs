//! Models of what a producer or a consumer leaves that dies, and of those that take over, on the
//! source that ships.
//!
//! A process that dies is an actor that stops at a mark; its successor runs on the same thread, as
//! the kernel's hand-over of the endpoint's lock orders them. The other side goes on meanwhile.
//! Those that die are the main thread: see `endpoint`.

#![cfg(loom)]

use loom::thread;
use strait_loom_tests::deaths::marks_of;
use strait_loom_tests::explore;
use strait_loom_tests::ring::{Receiver, Ring, Sender};
use strait_pools::marks::Mark::{
    self, ConsumerTold, ProducerInBatch, TakeoverBegan, TakeoverDone, TakeoverErased, TakeoverFound,
};
use strait_pools::marks::model::die_at;

/// Sends the message 0, and then `batch` messages, all at once if they are more than one; dies at
/// `mark`, at its `(passes + 1)`-th pass.
fn send_and_die(ring: &Ring, mark: Mark, passes: u32, batch: u64) {
    let died = die_at(mark, passes, || {
        let mut sender = Sender::new(ring);
        sender.send_until(1);
        if batch > 1 { sender.send_batch(batch) } else { sender.send_until(2) }
    });
    assert!(died.is_none(), "the sender never passed {mark:?}");
}

/// A new producer dies while it takes the ring over.
fn take_over_and_die(ring: &Ring, mark: Mark) {
    let died = die_at(mark, 0, || Sender::new(ring)).is_none();
    assert!(died, "the takeover never passed {mark:?}");
}

/// The senders of one model: the first dies, then each that takes over, until one carries on.
#[derive(Clone, Copy)]
struct Senders {
    capacity: usize,
    first: (Mark, u32),
    batch: u64,
    takeovers: &'static [Mark],
    messages: u64,
}

impl Senders {
    /// Everything that was published arrives, once and in order, from whoever published it.
    fn explore(self) {
        explore(if self.takeovers.len() > 1 { 2 } else { 3 }, move || {
            let ring = Ring::new(self.capacity);
            let mut receiver = Receiver::new(&ring, false);
            let receiver = thread::spawn(move || {
                receiver.receive_until(self.messages);
                receiver.received
            });
            let (mark, passes) = self.first;
            send_and_die(&ring, mark, passes, self.batch);
            self.takeovers.iter().for_each(|&mark| take_over_and_die(&ring, mark));
            let mut last = Sender::new(&ring);
            let began = last.position();
            last.send_until(self.messages);
            let received = receiver.join().unwrap();
            let by = |position| if position < began { 1 } else { last.incarnation() };
            let all: Vec<_> = (0..self.messages).map(|position| (position, by(position))).collect();
            assert_eq!(received, all, "lost, repeated, or of a dead batch");
        });
    }
}

/// Where a first sender dies, how often it passes there before, and the size of its batch.
fn deaths_of_senders() -> Vec<(Mark, u32, u64)> {
    let mut deaths = Vec::new();
    for &mark in marks_of("succession::senders_die") {
        if mark == ProducerInBatch {
            // With half of it published, and with all of it.
            deaths.extend([(mark, 0, 2), (mark, 1, 2)]);
        } else {
            deaths.push((mark, 1, 1));
        }
    }
    deaths
}

#[test]
fn senders_die() {
    for (mark, passes, batch) in deaths_of_senders() {
        let first = (mark, passes);
        Senders { capacity: 2, first, batch, takeovers: &[], messages: 4 }.explore();
    }
}

/// Two in a row die while taking over, wherever the first one died.
#[test]
fn senders_die_taking_over() {
    for (mark, passes, batch) in deaths_of_senders() {
        let explore = |takeovers: Vec<Mark>| {
            // Half a batch is erased, and by the first that gets that far.
            let mut erasable = (mark, passes) == (ProducerInBatch, 0);
            for &mark in &takeovers {
                if mark == TakeoverErased && !erasable {
                    return;
                }
                erasable &= mark == TakeoverFound;
            }
            Senders {
                capacity: 2,
                first: (mark, passes),
                batch,
                takeovers: Vec::leak(takeovers),
                messages: 3,
            }
            .explore();
        };
        let marks = marks_of("succession::senders_die_taking_over");
        for &second in marks {
            explore(vec![second]);
            marks.iter().for_each(|&third| explore(vec![second, third]));
        }
    }
}

/// Of a dead batch, each of two that take over erases one cell and dies.
#[test]
fn a_dead_batch_is_erased_bit_by_bit() {
    let first = (ProducerInBatch, 1);
    let takeovers = &[TakeoverErased, TakeoverErased];
    Senders { capacity: 4, first, batch: 3, takeovers, messages: 4 }.explore();
    loom::model(|| {
        let ring = Ring::new(4);
        send_and_die(&ring, ProducerInBatch, 1, 3);
        for _ in 0..2 {
            let died = die_at(TakeoverErased, 0, || Sender::new(&ring)).is_none();
            assert!(died, "there was nothing left to erase");
        }
        assert_eq!(Sender::new(&ring).position(), 1);
    });
}

/// Which sender a message is from is never told wrongly, and of the latest one's always in the end.
#[test]
fn messages_are_attributed_to_their_senders() {
    for takeover in [None, Some(TakeoverFound), Some(TakeoverBegan), Some(TakeoverDone)] {
        loom::model(move || {
            let ring = Ring::new(2);
            let mut receiver = Receiver::new(&ring, false);
            let reader = thread::spawn(move || {
                // Each message is held against what `by_latest` says of it.
                receiver.try_receive();
                receiver
            });
            Sender::new(&ring).send_until(1);
            takeover.iter().for_each(|&mark| take_over_and_die(&ring, mark));
            Sender::new(&ring).send_until(2);
            let mut receiver = reader.join().unwrap();
            receiver.receive_until(2);
            assert!(receiver.by_latest.contains(&1), "the latest sender's message is not its own");
        });
    }
}

/// What the receivers of one channel did, one after the other.
#[derive(Default)]
struct Receivers {
    /// Position of the first message that nobody has read.
    unread: u64,
    /// Position of the first message that nobody has released.
    unreleased: u64,
    /// Whether the last one died.
    died: bool,
    /// Where the last one was that died.
    died_at: Option<u64>,
}

impl Receivers {
    /// Takes over and reads until the next message is `end`, or dies at `death`.
    fn next(&mut self, ring: &Ring, end: u64, death: Option<(Mark, u32)>) {
        // Outlives its death: what it had read, it had read.
        let mut receiver = None;
        let mut live = || receiver.insert(Receiver::new(ring, self.died)).receive_until(end);
        self.died = match death {
            None => {
                live();
                false
            }
            Some((mark, passes)) => {
                assert!(die_at(mark, passes, live).is_none(), "no receiver passed {mark:?}");
                true
            }
        };
        if let Some(receiver) = receiver {
            self.check(&receiver);
        }
        if self.died {
            self.died_at = Some(self.unreleased);
        }
    }

    fn check(&mut self, receiver: &Receiver) {
        let read = receiver.positions();
        let start = self.unreleased;
        assert_eq!(read, (start..).take(read.len()).collect::<Vec<_>>(), "lost or repeated");
        // Only the first it finds may have been read, and only by one that died.
        let flagged = receiver.redelivered.as_slice();
        let may_be_flagged = flagged == [start] && self.died_at == Some(start);
        assert!(flagged.is_empty() || may_be_flagged, "flagged without a reason");
        let repeats = !read.is_empty() && start < self.unread;
        assert!(!repeats || flagged == [start], "a repeat that is not flagged");
        self.unread = self.unread.max(start + read.len() as u64);
        self.unreleased = receiver.position();
        assert!(self.unread - self.unreleased <= 1, "more than one in hand");
    }
}

/// Receivers die one after the other, or leave having read one, until the last reads the rest.
fn receivers_end(ends: Vec<Option<(Mark, u32)>>) {
    const MESSAGES: u64 = 3;
    loom::model(move || {
        let ring = Ring::new(2);
        let senders_ring = ring.clone();
        let sender = thread::spawn(move || Sender::new(&senders_ring).send_until(MESSAGES));
        let mut receivers = Receivers::default();
        for &end in &ends {
            receivers.next(&ring, if end.is_some() { MESSAGES } else { 1 }, end);
        }
        receivers.next(&ring, MESSAGES, None);
        sender.join().unwrap();
        assert_eq!((receivers.unread, receivers.unreleased), (MESSAGES, MESSAGES));
    });
}

#[test]
fn receivers_die() {
    for &mark in marks_of("succession::receivers_die") {
        receivers_end(vec![Some((mark, 0))]);
        receivers_end(vec![Some((mark, 1))]);
        // The next one dies as well, with what may be the same message.
        for &second in marks_of("succession::receivers_die") {
            receivers_end(vec![Some((mark, 0)), Some((second, 0))]);
        }
    }
}

/// Two in a row die while taking over, or one does and one leaves, wherever the first one died.
#[test]
fn receivers_die_taking_over() {
    let marks = marks_of("succession::receivers_die_taking_over");
    for &first in marks_of("succession::receivers_die") {
        for &second in marks {
            receivers_end(vec![Some((first, 0)), Some((second, 0))]);
            receivers_end(vec![Some((first, 0)), Some((second, 0)), None]);
            for &third in marks {
                receivers_end(vec![Some((first, 0)), Some((second, 0)), Some((third, 0))]);
            }
        }
    }
}

/// Nothing is said to be read before that cannot have been: after one that left in good order.
#[test]
fn what_follows_a_good_end_is_not_flagged() {
    receivers_end(vec![None, None]);
    receivers_end(vec![None, Some((ConsumerTold, 0)), None]);
}

/// A sender and a receiver die, each anywhere, and their successors carry on.
#[test]
fn both_sides_die() {
    const MESSAGES: u64 = 3;
    for (mark, passes, batch) in deaths_of_senders() {
        for &receivers_mark in marks_of("succession::receivers_die") {
            let senders = move |ring: &Ring| {
                send_and_die(ring, mark, passes, batch);
                Sender::new(ring).send_until(MESSAGES);
            };
            let receivers = move |ring: &Ring| {
                let mut receivers = Receivers::default();
                receivers.next(ring, MESSAGES, Some((receivers_mark, 0)));
                receivers.next(ring, MESSAGES, None);
                assert_eq!((receivers.unread, receivers.unreleased), (MESSAGES, MESSAGES));
            };
            beside(senders, receivers);
            beside(receivers, senders);
        }
    }
}

/// Explores two that use a ring at a time. It matters which of them is the main thread: see `endpoint`.
fn beside(
    first: impl Fn(&Ring) + Copy + Send + Sync + 'static,
    second: impl Fn(&Ring) + Copy + Send + Sync + 'static,
) {
    loom::model(move || {
        let ring = Ring::new(2);
        let others_ring = ring.clone();
        let other = thread::spawn(move || second(&others_ring));
        first(&ring);
        other.join().unwrap();
    });
}
