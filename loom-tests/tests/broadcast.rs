//! Models of the broadcast ring, on the source that ships: one producer and its readers, all alive. What is
//! left by those that die is in `broadcast_deaths`.

#![cfg(loom)]

use loom::thread;
use strait_ipc::ring::broadcast::Join;
use strait_loom_tests::broadcast::{Listener, Ring, Sender, Watcher};
use strait_loom_tests::explore;

/// Who copies while the producer writes has whole messages, and knows what it lost.
fn observe(capacity: usize, messages: u64) {
    explore(3, move || {
        let ring = Ring::new(capacity, 1);
        let mut watcher = Watcher::new(&ring, Join::Oldest);
        let sender = thread::spawn(move || Sender::new(&ring).send_until(messages));
        watcher.read_until(messages);
        sender.join().unwrap();
        watcher.seen.check(0, messages);
    });
}

#[test]
fn copies_from_one_cell_are_whole() {
    observe(1, 2);
}

#[test]
fn copies_from_around_the_ring_are_whole() {
    observe(2, 3);
}

/// An observer that comes at any time: with the oldest, with the newest, with one that may be gone.
#[test]
fn observers_come_at_any_time() {
    for join in [Join::Oldest, Join::Newest, Join::At(0), Join::At(2)] {
        explore(3, move || {
            let ring = Ring::new(2, 1);
            let sender = thread::spawn({
                let ring = ring.clone();
                move || Sender::new(&ring).send_until(3)
            });
            let mut watcher = Watcher::new(&ring, join);
            let from = watcher.position();
            assert!(!matches!(join, Join::At(at) if from > at), "later than asked for");
            watcher.read_until(3);
            sender.join().unwrap();
            watcher.seen.check(from, 3);
        });
    }
}

/// Who is waited for reads everything, in place.
fn listen(capacity: usize, messages: u64) {
    explore(3, move || {
        let ring = Ring::new(capacity, 1);
        let mut listener = Listener::new(&ring, 0, Join::Oldest, true);
        let sender = thread::spawn(move || Sender::new(&ring).send_until(messages));
        listener.read_until(messages);
        sender.join().unwrap();
        assert_eq!(listener.seen.positions, (0..messages).collect::<Vec<_>>());
    });
}

#[test]
fn who_is_waited_for_reads_everything_in_one_cell() {
    listen(1, 3);
}

#[test]
fn who_is_waited_for_reads_everything_around_the_ring() {
    listen(2, 3);
}

/// Of two that are waited for, the producer waits for the slower one.
#[test]
fn two_are_waited_for() {
    explore(2, || {
        let ring = Ring::new(1, 2);
        let mut listeners = [0, 1].map(|place| Listener::new(&ring, place, Join::Oldest, true));
        let sender = thread::spawn(move || Sender::new(&ring).send_until(2));
        let [first, second] = &mut listeners;
        first.read_until(1);
        second.read_until(2);
        first.read_until(2);
        sender.join().unwrap();
        for listener in &listeners {
            assert_eq!(listener.seen.positions, [0, 1]);
        }
    });
}

/// A reader joins while messages are written over, reads some in place, and leaves: nothing is
/// written over that it reads, and nobody waits for it after that.
#[test]
fn one_joins_and_leaves_while_messages_are_sent() {
    for (join, capacity) in
        [(Join::Oldest, 1), (Join::Oldest, 2), (Join::Newest, 2), (Join::At(0), 2)]
    {
        explore(2, move || {
            let ring = Ring::new(capacity, 1);
            let sender = thread::spawn({
                let ring = ring.clone();
                move || Sender::new(&ring).send_until(3)
            });
            let mut listener = Listener::new(&ring, 0, join, true);
            let from = listener.position();
            for _ in 0..2 {
                listener.try_read();
            }
            let read = listener.seen.positions.len() as u64;
            assert_eq!(listener.seen.positions, (from..from + read).collect::<Vec<_>>());
            listener.leave();
            sender.join().unwrap();
            if join == Join::At(0) && listener.seen.lost + read > 0 {
                assert_eq!(listener.seen.lost, from, "asked for, gone and not told");
            }
        });
    }
}

/// A reader comes to a place where the last one had read further: it is not taken for that one.
#[test]
fn one_joins_where_another_has_left() {
    explore(3, || {
        let ring = Ring::new(2, 1);
        let mut sender = Sender::new(&ring);
        sender.send_until(2);
        Listener::new(&ring, 0, Join::Newest, true).leave();
        let reader = thread::spawn(move || {
            let mut listener = Listener::new(&ring, 0, Join::Oldest, true);
            let from = listener.position();
            listener.read_until(2);
            listener.leave();
            assert_eq!(listener.seen.positions, (from..2).collect::<Vec<_>>());
        });
        sender.send_until(3);
        reader.join().unwrap();
    });
}

/// A producer that does nothing holds nobody up who joins.
#[test]
fn one_joins_an_idle_ring() {
    explore(3, || {
        let ring = Ring::new(2, 1);
        Sender::new(&ring).send_until(3);
        let mut listener = Listener::new(&ring, 0, Join::Oldest, true);
        let from = listener.position();
        assert!(from <= 2, "the newest is there and cannot be read");
        listener.read_until(3);
        assert_eq!(listener.seen.positions, (from..3).collect::<Vec<_>>());
    });
}

/// Nobody waits for a reader that chose not to be waited for, and it reads what it can.
#[test]
fn who_is_not_waited_for_loses_and_is_told() {
    explore(3, || {
        let ring = Ring::new(1, 1);
        let mut listener = Listener::new(&ring, 0, Join::Oldest, false);
        let sender = thread::spawn(move || Sender::new(&ring).send_until(2));
        listener.read_until(2);
        sender.join().unwrap();
        listener.seen.check(0, 2);
    });
}

/// Two ways to read, on one ring and at one time.
#[test]
fn one_is_waited_for_and_one_observes() {
    explore(2, || {
        let ring = Ring::new(1, 1);
        let mut listener = Listener::new(&ring, 0, Join::Oldest, true);
        let mut watcher = Watcher::new(&ring, Join::Oldest);
        let sender = thread::spawn(move || Sender::new(&ring).send_until(2));
        let observer = thread::spawn(move || {
            watcher.try_read();
            watcher
        });
        listener.read_until(2);
        sender.join().unwrap();
        let mut watcher = observer.join().unwrap();
        watcher.read_until(2);
        watcher.seen.check(0, 2);
        assert_eq!(listener.seen.positions, [0, 1]);
    });
}

/// The ring changes producers while a reader is in the way: the successor knows of it.
#[test]
fn a_successor_waits_for_the_reader() {
    explore(3, || {
        let ring = Ring::new(1, 1);
        let mut listener = Listener::new(&ring, 0, Join::Oldest, true);
        let senders = thread::spawn(move || {
            Sender::new(&ring).send_until(1);
            Sender::new(&ring).send_until(2);
        });
        listener.read_until(2);
        senders.join().unwrap();
        assert_eq!(listener.seen.positions, [0, 1]);
    });
}
