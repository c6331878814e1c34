//! Models of what producers and readers of a broadcast ring leave that die, and of those that follow them, on
//! the source that ships.
//!
//! Those that die are the main thread, and their successors run on it: see `endpoint`.

#![cfg(loom)]

use loom::sync::atomic::AtomicBool;
use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32 as Count, Ordering::Relaxed as Plain};
use strait_ipc::ring::broadcast::Join;
use strait_loom_tests::broadcast::{Listener, Ring, Sender, Watcher};
use strait_loom_tests::deaths::marks_of;
use strait_loom_tests::explore;
use strait_pools::marks::Mark::{self, BroadcastLooked, BroadcastRaised};
use strait_pools::marks::model::die_at;
use strait_pools::sync::Ordering::{Acquire, Relaxed, Release};

/// Messages that are sent in all.
const MESSAGES: u64 = 3;

/// A sender that sends `until` dies at `mark`, at its `(passes + 1)`-th pass.
fn send_and_die(ring: &Ring, mark: Mark, passes: u32, until: u64) {
    let died = die_at(mark, passes, || Sender::new(ring).send_until(until));
    assert!(died.is_none(), "the sender never passed {mark:?}");
}

/// Where a sender dies, and how often it passes there before: it looks at its readers once for the
/// first messages, and once more when they are read.
fn deaths_of_senders() -> Vec<(Mark, u32)> {
    let marks = marks_of("broadcast_deaths::senders_die");
    let passes = |mark| if matches!(mark, BroadcastRaised | BroadcastLooked) { 0 } else { 1 };
    marks.iter().map(|&mark| (mark, passes(mark))).collect()
}

/// A sender dies, wherever. Who is waited for reads everything that was published, in place; its
/// successor goes on.
#[test]
fn senders_die() {
    for (mark, passes) in deaths_of_senders() {
        explore(2, move || {
            let ring = Ring::new(2, 1);
            let mut listener = Listener::new(&ring, 0, Join::Oldest, true);
            let reader = thread::spawn(move || {
                listener.read_until(MESSAGES);
                listener.seen.positions
            });
            send_and_die(&ring, mark, passes, 2);
            Sender::new(&ring).send_until(MESSAGES);
            assert_eq!(reader.join().unwrap(), (0..MESSAGES).collect::<Vec<_>>());
        });
    }
}

/// A sender dies, wherever, in the middle of writing over what an observer copies: that has whole messages, knows
/// what it lost, and never sticks.
#[test]
fn observers_survive_a_sender() {
    for (mark, passes) in deaths_of_senders() {
        explore(2, move || {
            let ring = Ring::new(1, 1);
            let mut watcher = Watcher::new(&ring, Join::Oldest);
            let reader = thread::spawn(move || {
                watcher.try_read();
                watcher.try_read();
                watcher
            });
            send_and_die(&ring, mark, passes, 2);
            Sender::new(&ring).send_until(2);
            let mut watcher = reader.join().unwrap();
            watcher.read_until(2);
            watcher.seen.check(0, 2);
        });
    }
}

/// Two in a row die while taking over, wherever the first one died.
#[test]
fn senders_die_taking_over() {
    let marks = marks_of("broadcast_deaths::senders_die_taking_over");
    for (first, passes) in deaths_of_senders() {
        for &second in marks {
            explore(2, move || {
                let ring = Ring::new(2, 1);
                let mut listener = Listener::new(&ring, 0, Join::Oldest, true);
                let reader = thread::spawn(move || {
                    listener.read_until(MESSAGES);
                    listener.seen.positions
                });
                send_and_die(&ring, first, passes, 2);
                let took_over = die_at(second, 0, || Sender::new(&ring));
                assert!(took_over.is_none(), "the takeover never passed {second:?}");
                Sender::new(&ring).send_until(MESSAGES);
                assert_eq!(reader.join().unwrap(), (0..MESSAGES).collect::<Vec<_>>());
            });
        }
    }
}

/// A reader joins while a sender dies that looks at its readers, or has just done so: it reads in place
/// what neither the dead one nor its successor writes over.
#[test]
fn one_joins_while_a_sender_dies() {
    for mark in [BroadcastRaised, BroadcastLooked] {
        explore(2, move || {
            let ring = Ring::new(1, 1);
            let reader = thread::spawn({
                let ring = ring.clone();
                move || {
                    let mut listener = Listener::new(&ring, 0, Join::Oldest, true);
                    listener.try_read();
                    listener.leave();
                }
            });
            // It looks before each message.
            send_and_die(&ring, mark, 1, 2);
            Sender::new(&ring).send_until(2);
            reader.join().unwrap();
        });
    }
}

/// A reader that is waited for dies, in those executions in which it gets there: the sender notices
/// and goes on, and one that comes to its place after it is waited for in turn.
#[test]
fn readers_die() {
    for &mark in marks_of("broadcast_deaths::readers_die") {
        a_reader_dies(mark);
    }
}

fn a_reader_dies(mark: Mark) {
    let deaths = Arc::new(Count::new(0));
    let counted = Arc::clone(&deaths);
    explore(1, move || {
        let ring = Ring::new(1, 1);
        let dead = Arc::new(AtomicBool::new(false));
        let sender = thread::spawn({
            let (ring, dead) = (ring.clone(), Arc::clone(&dead));
            // The kernel's lock is free: whoever sees that sees what was done before.
            move || Sender::new(&ring).send_past(2, |_| dead.load(Acquire))
        });
        let live = || {
            let mut listener = Listener::new(&ring, 0, Join::Oldest, true);
            listener.try_read();
            listener.leave();
        };
        let died = die_at(mark, 0, live).is_none();
        counted.fetch_add(u32::from(died), Plain);
        if died {
            dead.store(true, Release);
            // Its successor has the place, and the lock.
            dead.store(false, Release);
        }
        let mut listener = Listener::new(&ring, 0, Join::Oldest, true);
        let from = listener.position();
        listener.read_until(2);
        sender.join().unwrap();
        assert_eq!(listener.seen.positions, (from..2).collect::<Vec<_>>());
    });
    assert_ne!(deaths.load(Plain), 0, "nobody ever died at {mark:?}");
}

/// A reader dies and nobody follows it: the sender, which it held up, takes its gate away.
#[test]
fn a_dead_reader_holds_nobody_up() {
    for &mark in marks_of("broadcast_deaths::readers_die") {
        explore(2, move || {
            let ring = Ring::new(1, 1);
            let dead = Arc::new(AtomicBool::new(false));
            let sender = thread::spawn({
                let (ring, dead) = (ring.clone(), Arc::clone(&dead));
                move || Sender::new(&ring).send_past(MESSAGES, |_| dead.load(Acquire))
            });
            die_at(mark, 0, || {
                let mut listener = Listener::new(&ring, 0, Join::Oldest, true);
                listener.read_until(1);
                listener.leave();
            });
            dead.store(true, Release);
            sender.join().unwrap();
        });
    }
}

/// A sender dies that is about to take a dead reader's gate away: its successor does it.
#[test]
fn senders_die_evicting() {
    for &mark in marks_of("broadcast_deaths::senders_die_evicting") {
        explore(3, move || {
            let ring = Ring::new(1, 1);
            let watcher = thread::spawn({
                let ring = ring.clone();
                move || {
                    let mut watcher = Watcher::new(&ring, Join::At(0));
                    watcher.read_until(2);
                    watcher.seen.check(0, 2);
                }
            });
            // Read nothing, and is dead.
            Listener::new(&ring, 0, Join::Oldest, true);
            let evict = || Sender::new(&ring).send_past(2, |_| true);
            assert!(die_at(mark, 0, evict).is_none(), "the sender never passed {mark:?}");
            Sender::new(&ring).send_past(2, |_| true);
            watcher.join().unwrap();
        });
    }
}

/// What was meant for a dead reader does not hit the one that has come to its place.
#[test]
fn a_late_eviction_hits_nobody() {
    explore(3, || {
        let ring = Ring::new(1, 1);
        // Reads nothing, holds the sender up, and is dead.
        Listener::new(&ring, 0, Join::Oldest, true);
        let mut sender = Sender::new(&ring);
        sender.send_until(1);
        assert!(!sender.producer.has_room().unwrap(), "nobody waits for the dead one");
        let dead = sender.producer.slowest().unwrap();
        let sender = thread::spawn(move || {
            sender.producer.evict(dead);
            sender.send_until(2);
        });
        let mut listener = Listener::new(&ring, 0, Join::Oldest, true);
        let from = listener.position();
        listener.read_until(2);
        sender.join().unwrap();
        assert_eq!(listener.seen.positions, (from..2).collect::<Vec<_>>());
    });
}

/// A reader comes to the place of a dead one, and is slow: the sender, which asks memory alone, does not take
/// it for that one.
#[test]
fn who_has_come_is_not_taken_for_the_dead() {
    explore(3, || {
        let ring = Ring::new(1, 1);
        let dead = Arc::new(AtomicBool::new(true));
        let reader = thread::spawn({
            let (ring, dead) = (ring.clone(), Arc::clone(&dead));
            move || {
                dead.store(false, Relaxed);
                let mut listener = Listener::new(&ring, 0, Join::Oldest, true);
                let from = listener.position();
                listener.read_until(2);
                assert_eq!(listener.seen.positions, (from..2).collect::<Vec<_>>());
            }
        });
        Sender::new(&ring).send_past(2, |_| dead.load(Relaxed));
        reader.join().unwrap();
    });
}
