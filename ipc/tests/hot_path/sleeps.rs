//! The system calls of sides that may sleep: one for each sleep and one for each wake-up, and none
//! while nobody sleeps. Every call is seen by a tracer, which also decides who runs: a side that is to
//! be asleep, is.

use crate::child::{Actor, Place};
use crate::exchange::rehearse_waiting;
use crate::messages::{Numbered, Tick, unnamed};
use crate::processes::{end, verdict};
use crate::tracer::{Call, Traced, submit};
use std::io::stdin;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use strait_ipc::channel::{Spsc, Wait};
use strait_ipc::segment::{MapOptions, Segment};

/// The role of a child: this, its side, whether it parks, and how many messages it sends or receives.
pub(crate) const ROLE: &str = "is-traced";

const SLEEPS: usize = 200;

/// In a child: plays one side, submits to the tracer, and ends.
pub(crate) fn play(side: &str, wait: &str, messages: &str) -> ! {
    // The first to read the clock makes system calls to find out how.
    rehearse_waiting::<Tick>();
    let messages: u64 = messages.parse().unwrap();
    let inherited = stdin().as_fd().try_clone_to_owned().unwrap();
    let segment = Arc::new(Segment::from_descriptor(inherited, MapOptions::default()).unwrap());
    let wait = if wait == "parks" { Wait::Park } else { Wait::BusySpin };
    let channel = Spsc::<Tick>::given(segment).parking().wait(wait).slice(Duration::MAX);
    let right = match side {
        "sender" => {
            let (mut sender, mut message) = (channel.sender().unwrap(), Tick::first());
            submit();
            let right = (0..messages).all(|number| {
                message.become_number(number);
                sender.send(&message).is_ok()
            });
            // It does not close, which would be a wake-up.
            std::mem::forget(sender);
            right
        }
        "receiver" => {
            let mut receiver = channel.receiver().unwrap();
            submit();
            let right = (0..messages).all(|number| {
                receiver.recv().is_ok_and(|message| Tick::is_number(&message, number))
            });
            std::mem::forget(receiver);
            right
        }
        _ => panic!("no such side: {side}"),
    };
    end(if right { verdict::RIGHT } else { verdict::WRONG })
}

/// A sender and a receiver of one channel, traced; each given as whether it parks, and its messages.
fn both(capacity: u64, sender: (&str, u64), receiver: (&str, u64)) -> [Traced; 2] {
    let place = Place::new();
    let segment = unnamed::<Tick>(capacity).parking().segment().unwrap();
    [("sender", sender), ("receiver", receiver)].map(|(side, (wait, messages))| {
        let role = format!("{ROLE} {side} {wait} {messages}");
        Traced::new(Actor::spawn_with(&role, &place, |command| {
            command.stdin(segment.descriptor().unwrap());
        }))
    })
}

/// One falls asleep and the other wakes it, time after time, and neither makes another system call.
fn sleep_and_wake(sleeper: &Traced, waker: &Traced) {
    for turn in 0..SLEEPS {
        assert_eq!(sleeper.run_to_call(), Call::FutexWait, "sleep {turn}");
        sleeper.resume();
        sleeper.falls_asleep();
        assert_eq!(waker.run_to_call(), Call::FutexWake, "wake-up {turn}");
        waker.resume();
        waker.return_from_call();
        sleeper.return_from_call();
    }
}

/// Neither makes a system call until it ends.
fn run_to_the_end(sides: [Traced; 2]) {
    sides.iter().for_each(Traced::resume);
    for side in &sides {
        assert_eq!(side.call(), Call::Exit);
    }
    sides.into_iter().for_each(Traced::finish);
}

#[test]
fn a_receiver_that_sleeps_and_its_sender_make_one_call_each() {
    let messages = SLEEPS as u64;
    let [sender, receiver] = both(1024, ("spins", messages), ("parks", messages));
    sleep_and_wake(&receiver, &sender);
    run_to_the_end([sender, receiver]);
}

#[test]
fn a_sender_that_sleeps_and_its_receiver_make_one_call_each() {
    // The first message finds room.
    let messages = SLEEPS as u64 + 1;
    let [sender, receiver] = both(1, ("parks", messages), ("spins", messages));
    sleep_and_wake(&sender, &receiver);
    run_to_the_end([sender, receiver]);
}

#[test]
fn sides_that_spin_on_a_ring_for_sleepers_make_no_call() {
    let messages = 100_000;
    run_to_the_end(both(64, ("spins", messages), ("spins", messages)));
}

#[test]
fn a_receiver_that_would_sleep_makes_no_call_for_what_is_there() {
    let messages = 1000;
    let [sender, receiver] = both(1024, ("parks", messages), ("parks", messages));
    assert_eq!(sender.run_to_call(), Call::Exit);
    assert_eq!(receiver.run_to_call(), Call::Exit);
    sender.finish();
    receiver.finish();
}
