//! What rings whose sides may sleep cost more than the others, and what a sleep and a wake-up cost.

use crate::messages::{Numbered, Order, Tick, unnamed};
use crate::operations::{CAPACITY, operations};
use crate::{LAPS, PASSED, REPORTS, drain, lap, receive_each, send_batch, send_each};
use std::time::{Duration, Instant};
use strait_ipc::channel::Wait;
use strait_pools::sync::{Counts, count};

/// How often an operation looks whether the other side sleeps: when it publishes, be it a message or a
/// batch, and when it reports progress. All others never do.
const LOOKS: &[(&str, u64)] = &[
    ("send", 1),
    ("try_send", 1),
    ("send_timeout", 1),
    ("send_all of 32", 1),
    ("batch of 32", 1),
    ("loan, published", 1),
    ("drain of 32", 1),
    ("drain of 32, asked for more", 1),
    ("try_recv, empty, progress to report", 1),
];

/// A look is a fence and a load.
fn with_looks(counts: Counts, looks: u64) -> Counts {
    Counts { loads: counts.loads + looks, fences: counts.fences + looks, ..counts }
}

fn a_look_at_each_report<T: Numbered>() {
    for operation in operations::<T>() {
        let spinning = operation.measure(|run| count(run));
        let parking = unnamed::<T>(CAPACITY).parking();
        let parking = operation.measure_on(parking, |run| count(run));
        let looks = LOOKS.iter().find(|(name, _)| *name == operation.name);
        let expected = with_looks(spinning, looks.map_or(0, |&(_, looks)| looks));
        assert_eq!(parking, expected, "{} of {} messages", operation.name, T::NAME);
    }
}

#[test]
fn while_nobody_sleeps_a_report_costs_a_fence_and_a_load() {
    a_look_at_each_report::<Tick>();
    a_look_at_each_report::<u64>();
    a_look_at_each_report::<Order>();
    let known = |name| operations::<Tick>().iter().any(|operation| operation.name == name);
    assert!(LOOKS.iter().all(|&(name, _)| known(name)), "every operation named above exists");
}

#[test]
fn ten_laps_cost_a_look_for_each_message_or_batch_and_each_report() {
    let channel = || unnamed::<Tick>(crate::CAPACITY);
    let parking = || channel().parking();
    let check = |spinning: (Counts, Counts), parking: (Counts, Counts), published: u64| {
        let expected = (with_looks(spinning.0, published), with_looks(spinning.1, REPORTS));
        assert_eq!(parking, expected, "{published} times published");
    };
    let single = |channel| lap(channel, 1, send_each, receive_each);
    check(single(channel()), single(parking()), PASSED);
    let batches = |channel| lap(channel, crate::CAPACITY / 2, send_batch, drain);
    check(batches(channel()), batches(parking()), 2 * LAPS);
}

/// Loads aside, of which a side that waits makes as many as it likes.
fn dear(counts: Counts) -> Counts {
    Counts { loads: 0, stores: 0, ..counts }
}

/// A sleep: the word says asleep and then awake again, a fence before the last look, one system call.
const SLEEP: Counts = Counts { rmws: 2, fences: 1, system_calls: 1, loads: 0, stores: 0 };

/// A wake-up, beside what the message costs: the look, the word says awake, a note from which core, one
/// system call.
const WAKE: Counts = Counts { rmws: 1, fences: 1, system_calls: 1, loads: 1, stores: 1 };

#[test]
fn a_sleep_and_a_wake_up_cost_what_they_should() {
    let message = Tick::first();
    let (mut sender, mut receiver) =
        unnamed::<Tick>(64).wait(Wait::Park).slice(Duration::MAX).pair().unwrap();
    std::thread::scope(|scope| {
        let (here, from_there) = std::sync::mpsc::channel();
        let sleeper = scope.spawn(move || {
            here.send(rustix::thread::gettid()).unwrap();
            count(|| receiver.recv().is_ok())
        });
        await_sleep(from_there.recv().unwrap().as_raw_nonzero().get());
        let (sent, waking) = count(|| sender.send(&message).is_ok());
        let (received, sleeping) = sleeper.join().unwrap();
        assert!(sent && received);
        assert_eq!(waking, Counts { stores: 2 + WAKE.stores, ..WAKE }, "waking");
        assert_eq!(dear(sleeping), SLEEP, "sleeping");
    });
}

/// Waits until a thread of this process sleeps.
fn await_sleep(thread: i32) {
    let (path, began) = (format!("/proc/self/task/{thread}/stat"), Instant::now());
    let asleep = || {
        let state = std::fs::read_to_string(&path).unwrap();
        state.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
    };
    while !asleep() {
        assert!(began.elapsed() < Duration::from_secs(30), "it does not fall asleep");
        std::thread::sleep(Duration::from_millis(1));
    }
}
