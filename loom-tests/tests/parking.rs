//! Models of sides that sleep and are woken, on the source that ships. There is no time here, and no
//! slice at whose end a sleeper looks around: a wake-up that is lost is a deadlock, which loom reports.
//!
//! Those that die are the main thread: see `endpoint`.

#![cfg(loom)]

use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32 as Count, Ordering::Relaxed as Plain};
use strait_ipc::endpoint::Role;
use strait_ipc::ring::parking::Ringer;
use strait_ipc::segment::layout::EndpointSlot;
use strait_loom_tests::deaths::marks_of;
use strait_loom_tests::explore;
use strait_loom_tests::ring::{Receiver, Ring, Sender};
use strait_pools::environment::Peer;
use strait_pools::marks::Mark::{self, ConsumerTold, ProducerPublished};
use strait_pools::marks::model::die_at;
use strait_pools::sync::Futex;
use strait_pools::sync::Ordering::Relaxed;

/// Every message arrives, whoever sleeps when.
fn transfer(capacity: usize, messages: u64) {
    explore(3, move || {
        let ring = Ring::parking(capacity);
        let mut receiver = Receiver::new(&ring, false);
        let sender = thread::spawn(move || Sender::new(&ring).send_until(messages));
        receiver.receive_until(messages);
        sender.join().unwrap();
        assert_eq!(receiver.positions(), (0..messages).collect::<Vec<_>>());
    });
}

/// The receiver sleeps while the ring is empty.
#[test]
fn a_sleeping_receiver_is_woken() {
    transfer(2, 2);
}

/// The sender sleeps while the ring is full, and the receiver while it is empty.
#[test]
fn a_sleeping_sender_is_woken() {
    transfer(1, 3);
}

#[test]
fn a_batch_wakes_once_for_all_of_it() {
    explore(3, || {
        let ring = Ring::parking(2);
        let mut receiver = Receiver::new(&ring, false);
        let sender = thread::spawn(move || {
            let mut sender = Sender::new(&ring);
            sender.send_batch(2);
            sender.send_batch(2);
        });
        receiver.receive_until(4);
        sender.join().unwrap();
        assert_eq!(receiver.positions(), [0, 1, 2, 3]);
    });
}

/// A receiver asleep learns that the sender has closed: from the wake-up after it.
#[test]
fn closing_wakes_the_receiver() {
    explore(3, || {
        let ring = Ring::parking(2);
        let slot = Arc::new(EndpointSlot::default());
        slot.sign(Role::Producer);
        let mut receiver = Receiver::new(&ring, false);
        let sender = thread::spawn({
            let slot = Arc::clone(&slot);
            move || {
                let mut sender = Sender::new(&ring);
                sender.send_until(1);
                slot.close();
                sender.wake();
            }
        });
        let closed = || slot.standing() == Peer::Closed;
        receiver.receive_until(1);
        while !closed() {
            receiver.wait_for(closed);
        }
        sender.join().unwrap();
    });
}

/// A receiver that waits for its descriptor is woken through it, by one who has its address.
#[test]
fn an_armed_bell_is_rung() {
    const ADDRESS: u64 = 77;
    explore(3, || {
        let ring = Ring::parking(2);
        let bell = Arc::new(Futex::default());
        let mut receiver = Receiver::new(&ring, false);
        let sender = thread::spawn({
            let (ring, bell) = (ring.clone(), Arc::clone(&bell));
            move || {
                let ringer = Ringer::new(move |line| {
                    if line.bell.load(Relaxed) == ADDRESS {
                        bell.store(1, Relaxed);
                        bell.wake();
                    }
                });
                Sender::with_ringer(&ring, Some(ringer)).send_until(1);
            }
        });
        let line = &ring.words.consumer.wait;
        line.bell.store(ADDRESS, Relaxed);
        if line.arm_unless(|| receiver.is_ready().then_some(())).is_none() {
            // As whoever waits for a descriptor: until it is readable.
            while bell.load(Relaxed) == 0 {
                bell.wait(0, None);
            }
        }
        receiver.receive_until(1);
        sender.join().unwrap();
    });
}

/// `dying` dies at `mark` if it gets there.
fn may_die_at(mark: Mark, deaths: &Count, dying: impl FnOnce()) {
    if die_at(mark, 0, dying).is_none() {
        deaths.fetch_add(1, Plain);
    }
}

/// A receiver dies at `mark`, in those executions in which it gets there, while it receives until the next
/// message is `until`. Its successor misses nothing, and the sender, which may sleep as well, goes on.
fn a_receiver_dies(mark: Mark, until: u64) {
    let deaths = Arc::new(Count::new(0));
    let counted = Arc::clone(&deaths);
    explore(2, move || {
        let ring = Ring::parking(1);
        let sender = thread::spawn({
            let ring = ring.clone();
            move || Sender::new(&ring).send_until(2)
        });
        let mut first = Receiver::new(&ring, false);
        may_die_at(mark, &counted, || first.receive_until(until));
        let mut second = Receiver::new(&ring, true);
        second.receive_until(2);
        sender.join().unwrap();
    });
    assert_ne!(deaths.load(Plain), 0, "nobody ever died at {mark:?}");
}

/// A receiver is killed that goes to sleep, sleeps or wakes up.
#[test]
fn sleepers_die() {
    for &mark in marks_of("parking::sleepers_die") {
        a_receiver_dies(mark, 2);
    }
}

/// A sender is killed in the middle of waking the receiver, or just before: the receiver sleeps until
/// the successor has taken over, and no longer.
#[test]
fn wakers_die() {
    let before = [ProducerPublished];
    for &mark in marks_of("parking::wakers_die").iter().chain(&before) {
        let deaths = Arc::new(Count::new(0));
        let counted = Arc::clone(&deaths);
        explore(2, move || {
            let ring = Ring::parking(2);
            let mut receiver = Receiver::new(&ring, false);
            let receiver = thread::spawn(move || {
                receiver.receive_until(1);
                receiver.positions()
            });
            let mut first = Sender::new(&ring);
            may_die_at(mark, &counted, || first.send_until(1));
            let _second = Sender::new(&ring);
            assert_eq!(receiver.join().unwrap(), [0]);
        });
        assert_ne!(deaths.load(Plain), 0, "nobody ever died at {mark:?}");
    }
}

/// The same, of a receiver that wakes the sender.
#[test]
fn receivers_that_wake_die() {
    let before = [ConsumerTold];
    for &mark in marks_of("parking::wakers_die").iter().chain(&before) {
        a_receiver_dies(mark, 1);
    }
}
