//! What channels with several senders and receivers cost, while nobody competes and nobody died.
//!
//! A message costs each side one compare-and-swap, whatever the ring: that is Vyukov's queue. Beside it a
//! side stores its intent, and a receiver that delivers at least once what it has in hand, and that it has
//! not any more: all on lines that nobody else uses. Length and kind, which his queue does not have, are
//! a store for the sender, and for the receiver a load, or two and a store if it copies them to its hand.

use crate::messages::{Numbered, Tick};
use strait_ipc::channel::{Mpmc, MpmcReceiver, MpmcSender, RecvError, SendError};
use strait_pools::sync::{Counts, count};

/// Loads, stores, read-modify-writes; there are no fences and no system calls.
fn cost(loads: u64, stores: u64, rmws: u64) -> Counts {
    Counts { loads, stores, rmws, fences: 0, system_calls: 0 }
}

const BATCH: u64 = 32;
const CAPACITY: u64 = 32;

fn channel() -> Mpmc<Tick> {
    Mpmc::unnamed("work").capacity(CAPACITY)
}

/// A message there and back, on a ring that has been lapped.
fn warm(channel: Mpmc<Tick>) -> (MpmcSender<Tick>, MpmcReceiver<Tick>) {
    let (mut sender, mut receiver) = channel.pair().unwrap();
    for _ in 0..=CAPACITY {
        sender.send(&Tick::first()).unwrap();
        receiver.recv().unwrap();
    }
    (sender, receiver)
}

#[test]
fn a_message_costs_one_compare_and_swap_on_each_side() {
    let (mut sender, mut receiver) = warm(channel());
    let message = Tick::first();
    // Tail, state; intent, length, state.
    assert_eq!(count(|| sender.send(&message).is_ok()), (true, cost(2, 3, 1)));
    // Head, state, length, length in hand; intent, length, hand, state, hand.
    assert_eq!(count(|| receiver.recv().is_ok()), (true, cost(4, 5, 1)));
    let (mut sender, mut receiver) = warm(channel().at_most_once());
    sender.send(&message).unwrap();
    // Head, state, length; intent, state.
    assert_eq!(count(|| receiver.try_recv().is_ok()), (true, cost(3, 2, 1)));
}

#[test]
fn a_batch_costs_one_compare_and_swap_on_each_side() {
    let (mut sender, mut receiver) = warm(channel());
    let messages: Vec<Tick> = (0..BATCH).map(|_| Tick::first()).collect();
    let (sent, sending) = count(|| sender.send_all(&messages).is_ok());
    assert_eq!((sent, sending), (true, cost(1 + BATCH, 1 + 2 * BATCH, 1)));
    let all = messages.len();
    let (received, receiving) = count(|| receiver.drain(all, |_| {}) == Ok(all));
    assert_eq!((received, receiving), (true, cost(1 + 3 * BATCH, 1 + 4 * BATCH, 1)));
}

/// With sides that may sleep, and do not: a fence and a load more for each message or batch, on each side.
#[test]
fn while_nobody_sleeps_a_message_or_a_batch_costs_a_fence_and_a_load() {
    let look = |counts: Counts| Counts { loads: counts.loads + 1, fences: 1, ..counts };
    let (mut sender, mut receiver) = warm(channel().parking());
    let message = Tick::first();
    assert_eq!(count(|| sender.send(&message).is_ok()), (true, look(cost(2, 3, 1))));
    assert_eq!(count(|| receiver.recv().is_ok()), (true, look(cost(4, 5, 1))));
    let messages: Vec<Tick> = (0..BATCH).map(|_| Tick::first()).collect();
    let (sent, sending) = count(|| sender.send_all(&messages).is_ok());
    assert_eq!((sent, sending), (true, look(cost(1 + BATCH, 1 + 2 * BATCH, 1))));
    let all = messages.len();
    let (received, receiving) = count(|| receiver.drain(all, |_| {}) == Ok(all));
    assert_eq!((received, receiving), (true, look(cost(1 + 3 * BATCH, 1 + 4 * BATCH, 1))));
    // Who has found nothing may have been woken for more than it takes, and asks for others that sleep.
    assert!(matches!(receiver.try_recv(), Err(RecvError::Empty)));
    sender.send(&message).unwrap();
    let (received, after_nothing) = count(|| receiver.recv().is_ok());
    assert_eq!((received, after_nothing), (true, look(cost(5, 5, 1))));
}

#[test]
fn a_full_ring_costs_three_loads() {
    let (mut sender, _receiver) = warm(channel());
    let message = Tick::first();
    while sender.try_send(&message).is_ok() {}
    let full = || matches!(sender.try_send(&message), Err(SendError::Full));
    assert_eq!(count(full), (true, cost(3, 0, 0)));
}

/// Whoever looks for a message that is not there leaves the lines of all others alone.
#[test]
fn an_empty_ring_costs_no_store() {
    let (_sender, mut receiver) = warm(channel());
    let mut empty = || matches!(receiver.try_recv(), Err(RecvError::Empty));
    // The first look also asks after the dead.
    assert!(empty());
    let (is_empty, counts) = count(empty);
    assert_eq!((is_empty, counts.stores, counts.rmws, counts.fences), (true, 0, 0, 0));
}
