//! Models of the sides of a ring for several that sleep, on the source that ships. There is no time here,
//! and no slice at whose end a sleeper looks around: a wake-up that is lost is a deadlock, which loom reports.
//!
//! Messages are numbers, as in `mpmc`. Those that die are the main thread: see `endpoint`.

#![cfg(loom)]

use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32 as Count, Ordering::Relaxed as Plain};
use strait_loom_tests::deaths::marks_of;
use strait_loom_tests::explore;
use strait_loom_tests::mpmc::{Receiving, Ring};
use strait_pools::marks::Mark::{self, TakingClaimed, TakingFreed, TicketPublished};

/// Takes a message, or repairs.
fn look(receiver: &mut Receiving) -> bool {
    receiver.try_receive(1)
}

/// One of each kind, whoever sleeps when.
fn transfer(capacity: usize, most: usize) {
    explore(most, move || {
        let ring = Ring::parking(capacity);
        let (sender, mut receiver) = (ring.sender(0, &[10, 11]), ring.receiver(0));
        let sender = thread::spawn(move || sender.send_asleep());
        receiver.receive_asleep(2, Receiving::take);
        sender.join().unwrap();
        assert_eq!(receiver.got, [10, 11]);
    });
}

#[test]
fn a_sleeping_receiver_is_woken() {
    transfer(2, 3);
}

/// The sender sleeps as well.
#[test]
fn a_sleeping_sender_is_woken() {
    transfer(1, 2);
}

/// A batch wakes one receiver, which wakes the other.
#[test]
fn who_is_woken_wakes_the_next_receiver() {
    explore(2, || {
        let ring = Ring::parking(2);
        let sender = ring.sender(0, &[10, 11]);
        let (mut one, mut other) = (ring.receiver(0), ring.receiver(1));
        let other = thread::spawn(move || other.receive_asleep(1, Receiving::take));
        let sender = thread::spawn(move || sender.send_asleep());
        one.receive_asleep(1, Receiving::take);
        other.join().unwrap();
        sender.join().unwrap();
    });
}

/// A batch makes room for two senders, and wakes one, which wakes the other.
#[test]
fn who_is_woken_wakes_the_next_sender() {
    explore(2, || {
        let ring = Ring::parking(2);
        assert!(ring.sender(0, &[10, 11]).send());
        let (one, other) = (ring.sender(0, &[12]), ring.sender(1, &[20]));
        let mut receiver = ring.receiver(0);
        let other = thread::spawn(move || other.send_asleep());
        let receiver =
            thread::spawn(move || while receiver.try_receive(2) && receiver.got.len() < 2 {});
        one.send_asleep();
        other.join().unwrap();
        receiver.join().unwrap();
    });
}

/// The first of two messages is published last: who publishes it wakes for both.
#[test]
fn who_fills_a_hole_wakes_for_all_behind_it() {
    explore(2, || {
        let ring = Ring::parking(2);
        let (one, other) = (ring.sender(0, &[10]), ring.sender(1, &[20]));
        let (mut mine, mut others) = (ring.receiver(0), ring.receiver(1));
        let one = thread::spawn(move || one.send_asleep());
        let others = thread::spawn(move || others.receive_asleep(1, Receiving::take));
        other.send_asleep();
        mine.receive_asleep(1, Receiving::take);
        others.join().unwrap();
        one.join().unwrap();
    });
}

/// A receiver does `work` and dies at `mark`, in those executions in which it gets there; its successor, and
/// the sender, which may sleep as well, go on.
fn a_receiver_dies(mark: Mark) {
    let deaths = Arc::new(Count::new(0));
    let counted = Arc::clone(&deaths);
    explore(2, move || {
        let ring = Ring::parking(1);
        let sender = ring.sender(0, &[10, 11]);
        let sender = thread::spawn(move || sender.send_asleep());
        let (first, died) = ring
            .receiver_may_die(0, mark, 0, |receiver| receiver.receive_asleep(1, Receiving::take));
        counted.fetch_add(u32::from(died), Plain);
        let mut second = ring.receiver(0);
        while !first.got.contains(&11) && !second.got.contains(&11) {
            second.receive_asleep(second.got.len() + 1, look);
        }
        sender.join().unwrap();
    });
    assert_ne!(deaths.load(Plain), 0, "nobody ever died at {mark:?}");
}

/// A receiver dies that goes to sleep, or that was woken and has not done what it was woken for, or has
/// not told the sender.
#[test]
fn sleepers_die() {
    for &mark in marks_of("crowd::sleepers_die").iter().chain(&[TakingClaimed, TakingFreed]) {
        a_receiver_dies(mark);
    }
}

/// A sender dies that was about to wake a receiver, or to wake again whoever fell asleep meanwhile: those
/// sleep until a successor has come, and no longer.
#[test]
fn wakers_die() {
    for &mark in marks_of("crowd::wakers_die").iter().chain(&[TicketPublished]) {
        let deaths = Arc::new(Count::new(0));
        let counted = Arc::clone(&deaths);
        explore(2, move || {
            let ring = Ring::parking(2);
            let mut receiver = ring.receiver(0);
            let receiver = thread::spawn(move || receiver.receive_asleep(1, Receiving::take));
            let died = ring.sender_may_die(0, &[10], mark, 0);
            counted.fetch_add(u32::from(died), Plain);
            let _successor = ring.sender(0, &[]);
            receiver.join().unwrap();
        });
        assert_ne!(deaths.load(Plain), 0, "nobody ever died at {mark:?}");
    }
}
