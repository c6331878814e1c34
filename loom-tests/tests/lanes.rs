//! Models of many senders and one receiver, on the source that ships. The receiver looks only at lanes that
//! are marked, and sleeps without time: a message that it is not told of is a deadlock, which loom
//! reports.
//!
//! Those that die are the main thread: see `endpoint`.

#![cfg(loom)]

use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32 as Count, Ordering::Relaxed as Plain};
use strait_ipc::ring::lanes::{Board, FEW, Round, Seat};
use strait_ipc::ring::spsc::Poll;
use strait_loom_tests::deaths::marks_of;
use strait_loom_tests::explore;
use strait_loom_tests::ring::{Receiver, Ring, Sender};
use strait_pools::marks::Mark::{LaneMarked, ProducerPublished};
use strait_pools::marks::model::die_at;
use strait_pools::placement::Heap;

/// So many that they are marked. Nobody ever sends in most of them.
const MANY: u32 = FEW + 1;

/// Some lanes, and what all have in common.
#[derive(Clone)]
struct Lanes {
    rings: Vec<Ring>,
    board: Arc<Board>,
}

impl Lanes {
    fn new(count: usize) -> Self {
        Self { rings: (0..count).map(|_| Ring::parking(1)).collect(), board: Arc::default() }
    }

    fn sender(&self, lane: u32) -> Sender {
        let seat = Seat::new(Arc::clone(&self.board), lane, MANY);
        Sender::seated(&self.rings[lane as usize], seat)
    }

    fn receiver(&self, died: bool) -> AllReceiver {
        AllReceiver {
            lanes: self.rings.iter().map(|ring| Receiver::new(ring, died)).collect(),
            round: Round::new(Arc::clone(&self.board), MANY),
            board: Arc::clone(&self.board),
        }
    }
}

struct AllReceiver {
    lanes: Vec<Receiver>,
    round: Round<Heap>,
    board: Arc<Board>,
}

impl AllReceiver {
    /// Receives until each lane's next message is its `end`.
    fn receive_until(&mut self, ends: &[u64]) {
        let Self { lanes, round, board } = self;
        let at_end =
            |lanes: &[Receiver]| lanes.iter().zip(ends).all(|(lane, &end)| lane.position() >= end);
        while !at_end(lanes) {
            let mut next = || {
                let poll = |lane| lanes.get_mut(lane as usize).map_or(Poll::Empty, Receiver::poll);
                round.next_marked(poll)
            };
            match next() {
                Some((lane, _)) => assert!(lanes[lane as usize].try_receive()),
                None => drop(board.wait.sleep_unless(None, next)),
            }
        }
    }

    fn positions(&self) -> Vec<Vec<u64>> {
        self.lanes.iter().map(Receiver::positions).collect()
    }
}

/// Each sender sends so many, and the receiver gets them all.
fn transfer(most: usize, senders: u32, each: u64) {
    explore(most, move || {
        let lanes = Lanes::new(senders as usize);
        let mut receiver = lanes.receiver(false);
        let senders: Vec<_> = (0..senders)
            .map(|lane| {
                let lanes = lanes.clone();
                thread::spawn(move || lanes.sender(lane).send_until(each))
            })
            .collect();
        receiver.receive_until(&vec![each; senders.len()]);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        assert!(receiver.positions().iter().all(|got| got.iter().copied().eq(0..each)));
    });
}

#[test]
fn a_sleeping_receiver_is_woken_and_told_by_whom() {
    transfer(2, 1, 1);
}

#[test]
fn a_sleeping_receiver_is_woken_by_each() {
    transfer(1, 2, 1);
}

/// A sender dies having published and not marked, or marked and not woken: its successor makes up for it.
#[test]
fn senders_die() {
    for &mark in marks_of("lanes::senders_die").iter().chain(&[ProducerPublished]) {
        // Who takes a lane over marks it, before it has sent anything.
        let before = u32::from(mark == LaneMarked);
        let deaths = Arc::new(Count::new(0));
        let counted = Arc::clone(&deaths);
        explore(2, move || {
            let lanes = Lanes::new(1);
            let mut receiver = lanes.receiver(false);
            let receiver = thread::spawn(move || {
                receiver.receive_until(&[1]);
                receiver.positions()
            });
            if die_at(mark, before, || lanes.sender(0).send_until(1)).is_none() {
                counted.fetch_add(1, Plain);
            }
            let _successor = lanes.sender(0);
            assert_eq!(receiver.join().unwrap(), [[0]]);
        });
        assert_ne!(deaths.load(Plain), 0, "nobody ever died at {mark:?}");
    }
}

/// A receiver dies having cleared the bits of lanes that it has not looked at: its successor looks at all.
#[test]
fn receivers_die() {
    for &mark in marks_of("lanes::receivers_die") {
        let deaths = Arc::new(Count::new(0));
        let counted = Arc::clone(&deaths);
        explore(2, move || {
            let lanes = Lanes::new(1);
            let sender = thread::spawn({
                let lanes = lanes.clone();
                move || lanes.sender(0).send_until(1)
            });
            let mut first = lanes.receiver(false);
            if die_at(mark, 0, || first.receive_until(&[1])).is_none() {
                counted.fetch_add(1, Plain);
            }
            let mut second = lanes.receiver(true);
            second.receive_until(&[1]);
            sender.join().unwrap();
        });
        assert_ne!(deaths.load(Plain), 0, "nobody ever died at {mark:?}");
    }
}
