//! Models of calls and their answers, on the source that ships. Those that die are the main thread: see
//! `endpoint`.

#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32 as Count, Ordering::Relaxed as Plain};
use strait_ipc::ring::answers::places::Places;
use strait_ipc::ring::answers::{Outcome, Words};
use strait_ipc::ring::spsc::Poll;
use strait_loom_tests::deaths::marks_of;
use strait_loom_tests::explore;
use strait_loom_tests::ring::{Receiver, Ring, Sender};
use strait_pools::marks::model::die_at;
use strait_pools::placement::Heap;
use strait_pools::sync::{AtomicU64, Ordering::Relaxed};

/// A client's lane and the answers beside it, whose bodies loom watches. The answer to the request at position
/// `p` is `100 + p`.
#[derive(Clone, Debug)]
struct Desk {
    requests: Ring,
    words: Words<Heap>,
    bodies: Arc<[UnsafeCell<u64>]>,
    places: Arc<Places>,
    parking: bool,
}

impl Desk {
    fn new(capacity: usize) -> Self {
        let states = || (0..capacity).map(|_| AtomicU64::new(0)).collect();
        let words = Words { crowd: Arc::default(), states: states(), released: states() };
        Self {
            requests: Ring::new(capacity),
            words,
            bodies: (0..capacity).map(|_| UnsafeCell::new(0)).collect(),
            places: Arc::new(Places::new(capacity as u64)),
            parking: false,
        }
    }

    fn parking() -> Self {
        Self { parking: true, ..Self::new(1) }
    }

    fn body(&self, position: u64) -> &UnsafeCell<u64> {
        &self.bodies[usize::try_from(position).unwrap() & (self.bodies.len() - 1)]
    }

    /// Sends the next request, once its place is free; returns its position.
    fn ask(&self, sender: &mut Sender) -> u64 {
        let position = sender.position();
        while !self.places.is_vacant(position) {
            thread::yield_now();
        }
        self.places.occupy(position);
        sender.send_until(position + 1);
        position
    }

    /// Waits for the answer, asleep if the client's threads sleep.
    fn wait(&self, position: u64) {
        let look = || (self.words.look(position) == Ok(Outcome::Answered)).then_some(());
        while look().is_none() {
            if self.parking {
                self.words.crowd.sleep_unless(None, look);
            } else {
                thread::yield_now();
            }
        }
    }

    /// Reads the answer that is there, and gives its place back.
    fn read(&self, position: u64) {
        // SAFETY: loom checks that nobody writes the cell meanwhile.
        let body = self.body(position).with(|body| unsafe { *body });
        assert_eq!(body, 100 + position, "the answer to another call");
        self.places.vacate(position);
    }

    /// Handles the next request if there is one; whether it was, and whether somebody took the answer.
    fn handle(&self, receiver: &mut Receiver) -> Option<bool> {
        let Poll::Ready(position) = receiver.poll() else { return None };
        let taken = match self.words.asked(position).unwrap() {
            Outcome::Open(open) => {
                // SAFETY: loom checks that nobody reads or writes the cell meanwhile.
                self.body(position).with_mut(|body| unsafe { *body = 100 + position });
                self.words.answer(position, open, self.parking)
            }
            Outcome::GivenUp => false,
            Outcome::Answered => panic!("answered before it was asked"),
        };
        assert!(receiver.try_receive());
        Some(taken)
    }

    /// Handles that many requests; which of the answers were taken.
    fn serve(&self, count: usize) -> Vec<bool> {
        let mut receiver = Receiver::new(&self.requests, false);
        let mut taken = vec![];
        while taken.len() < count {
            match self.handle(&mut receiver) {
                Some(by_somebody) => taken.push(by_somebody),
                None => receiver.wait_for(|| false),
            }
        }
        taken
    }

    fn serve_in_a_thread(&self, count: usize) -> thread::JoinHandle<Vec<bool>> {
        let desk = self.clone();
        thread::spawn(move || desk.serve(count))
    }
}

/// Around a ring of one cell, each call has its own answer, whole.
#[test]
fn each_call_has_its_own_answer() {
    explore(3, || {
        let desk = Desk::new(1);
        let server = desk.serve_in_a_thread(2);
        let mut sender = Sender::new(&desk.requests);
        for _ in 0..2 {
            let position = desk.ask(&mut sender);
            desk.wait(position);
            desk.read(position);
        }
        assert_eq!(server.join().unwrap(), [true, true]);
    });
}

/// A caller sleeps until it is answered, and is woken.
#[test]
fn a_sleeping_caller_is_woken() {
    explore(3, || {
        let desk = Desk::parking();
        let server = desk.serve_in_a_thread(1);
        let position = desk.ask(&mut Sender::new(&desk.requests));
        desk.wait(position);
        desk.read(position);
        server.join().unwrap();
    });
}

/// Either the call is given up or it is answered, both sides know which, and the next call in its place has an
/// answer of its own.
#[test]
fn a_call_is_given_up_or_answered() {
    explore(3, || {
        let desk = Desk::new(1);
        let server = desk.serve_in_a_thread(2);
        let mut sender = Sender::new(&desk.requests);
        let position = desk.ask(&mut sender);
        let answered = match desk.words.give_up(position).unwrap() {
            Outcome::Answered => {
                desk.read(position);
                true
            }
            outcome => {
                assert_eq!(outcome, Outcome::GivenUp);
                desk.places.vacate(position);
                false
            }
        };
        let next = desk.ask(&mut sender);
        desk.wait(next);
        desk.read(next);
        assert_eq!(server.join().unwrap(), [answered, true]);
    });
}

/// One thread reads an answer while another is about to call in the same place.
#[test]
fn a_place_is_not_taken_before_its_answer_was_read() {
    explore(2, || {
        let desk = Desk::new(1);
        let mut sender = Sender::new(&desk.requests);
        let first = desk.ask(&mut sender);
        let mut receiver = Receiver::new(&desk.requests, false);
        assert_eq!(desk.handle(&mut receiver), Some(true));
        let reader = thread::spawn({
            let desk = desk.clone();
            move || desk.read(first)
        });
        let server = thread::spawn({
            let desk = desk.clone();
            move || {
                while desk.handle(&mut receiver).is_none() {
                    thread::yield_now();
                }
            }
        });
        let second = desk.ask(&mut sender);
        desk.wait(second);
        desk.read(second);
        reader.join().unwrap();
        server.join().unwrap();
    });
}

/// The room of a large answer is used again once the client is done with it, and not before.
#[test]
fn room_is_used_again_once_it_was_read() {
    explore(3, || {
        // A cell of the answers stands for the room.
        let desk = Desk::new(2);
        let reader = thread::spawn({
            let desk = desk.clone();
            move || {
                // SAFETY: loom checks that nobody writes it meanwhile.
                assert_eq!(desk.body(0).with(|room| unsafe { *room }), 0);
                desk.words.release(0);
            }
        });
        if desk.words.is_released(0) {
            // SAFETY: loom checks that nobody reads it meanwhile.
            desk.body(0).with_mut(|room| unsafe { *room = 8 });
        }
        reader.join().unwrap();
    });
}

/// The server dies: the call is answered, whole, or it is known to have been in hand.
#[test]
fn servers_die() {
    for &mark in marks_of("answers::servers_die") {
        let deaths = Arc::new(Count::new(0));
        let counted = Arc::clone(&deaths);
        explore(3, move || {
            let desk = Desk::new(2);
            let caller = thread::spawn({
                let desk = desk.clone();
                move || {
                    let mut sender = Sender::new(&desk.requests);
                    [desk.ask(&mut sender), desk.ask(&mut sender)]
                }
            });
            if die_at(mark, 0, || desk.serve(1)).is_none() {
                counted.fetch_add(1, Plain);
            }
            let calls = caller.join().unwrap();
            // What the kernel's word on the death orders, the join does here.
            let cursor = desk.requests.words.consumer.cursor.load(Relaxed);
            for position in calls {
                match desk.words.look(position).unwrap() {
                    Outcome::Answered => {
                        desk.read(position);
                        assert_eq!(position, 0);
                    }
                    _ => assert!(position >= cursor, "a call that was handled has no answer"),
                }
            }
        });
        assert_ne!(deaths.load(Plain), 0, "nobody ever died at {mark:?}");
    }
}

/// A client dies that has given a call up: its successor's calls are answered, and its own are nobody's.
#[test]
fn callers_die() {
    for &mark in marks_of("answers::callers_die") {
        let deaths = Arc::new(Count::new(0));
        let counted = Arc::clone(&deaths);
        explore(2, move || {
            let desk = Desk::new(1);
            let server = desk.serve_in_a_thread(2);
            let died = die_at(mark, 0, || {
                let position = desk.ask(&mut Sender::new(&desk.requests));
                desk.words.give_up(position).unwrap()
            });
            if died.is_none() {
                counted.fetch_add(1, Plain);
            }
            // Another process: it has no calls yet.
            let successor = Desk { places: Arc::new(Places::new(1)), ..desk };
            let position = successor.ask(&mut Sender::new(&successor.requests));
            successor.wait(position);
            successor.read(position);
            let [first, second] = server.join().unwrap()[..] else { panic!("two requests") };
            assert!(second && (!first || died == Some(Outcome::Answered)));
        });
        assert_ne!(deaths.load(Plain), 0, "nobody ever died at {mark:?}");
    }
}
