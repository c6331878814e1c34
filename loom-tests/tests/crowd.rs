//! Models of many that sleep on one word, on the source that ships. There is no time here: a wake-up that
//! is lost is a deadlock, which loom reports.
//!
//! Those that die are the main thread: see `endpoint`.

#![cfg(loom)]

use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32 as Count, Ordering::Relaxed as Plain};
use strait_ipc::ring::broadcast::Join;
use strait_loom_tests::broadcast::{Listener, Ring, Sender};
use strait_loom_tests::deaths::marks_of;
use strait_loom_tests::explore;
use strait_pools::marks::Mark;
use strait_pools::marks::model::die_at;

/// Readers that sleep while there is nothing, and a sender that sleeps while they are in the way.
fn transfer(readers: usize, capacity: usize, messages: u64, most: usize) {
    explore(most, move || {
        let ring = Ring::parking(capacity, readers);
        let join = |place| Listener::new(&ring, place as u64, Join::Oldest, true);
        let mut listeners: Vec<_> = (0..readers).map(join).collect();
        let mut last = listeners.pop().unwrap();
        let others: Vec<_> = listeners
            .into_iter()
            .map(|mut listener| thread::spawn(move || listener.read_until(messages)))
            .collect();
        let sender = thread::spawn({
            let ring = ring.clone();
            move || Sender::new(&ring).send_until(messages)
        });
        last.read_until(messages);
        others.into_iter().for_each(|other| other.join().unwrap());
        sender.join().unwrap();
    });
}

#[test]
fn a_sleeping_reader_is_woken() {
    transfer(1, 2, 2, 3);
}

/// The sender sleeps as well.
#[test]
fn a_sleeping_sender_is_woken() {
    transfer(1, 1, 2, 2);
}

/// One reader goes to sleep again while the other is only just about to.
#[test]
fn two_sleeping_readers_are_woken() {
    transfer(2, 4, 2, 2);
}

/// A reader dies that goes to sleep: the next at its place, and the sender, go on.
#[test]
fn sleepers_die() {
    for &mark in marks_of("crowd::sleepers_die") {
        let deaths = Arc::new(Count::new(0));
        let counted = Arc::clone(&deaths);
        explore(2, move || {
            let ring = Ring::parking(2, 1);
            let sender = thread::spawn({
                let ring = ring.clone();
                move || Sender::new(&ring).send_until(2)
            });
            let join = || Listener::new(&ring, 0, Join::Oldest, true);
            if die_at(mark, 0, || join().read_until(2)).is_none() {
                counted.fetch_add(1, Plain);
            }
            join().read_until(2);
            sender.join().unwrap();
        });
        assert_ne!(deaths.load(Plain), 0, "nobody ever died at {mark:?}");
    }
}

/// A sender dies in the middle of waking, or just before: readers sleep until its successor has
/// taken over, and no longer.
#[test]
fn wakers_die() {
    let before = [Mark::BroadcastPublished];
    for &mark in marks_of("crowd::wakers_die").iter().chain(&before) {
        let deaths = Arc::new(Count::new(0));
        let counted = Arc::clone(&deaths);
        explore(2, move || {
            let ring = Ring::parking(2, 1);
            let mut listener = Listener::new(&ring, 0, Join::Oldest, true);
            let reader = thread::spawn(move || listener.read_until(1));
            if die_at(mark, 0, || Sender::new(&ring).send_until(1)).is_none() {
                counted.fetch_add(1, Plain);
            }
            let _successor = Sender::new(&ring);
            reader.join().unwrap();
        });
        assert_ne!(deaths.load(Plain), 0, "nobody ever died at {mark:?}");
    }
}
