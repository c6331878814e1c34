//! What the hot path costs in accesses to shared memory, to the last load and store.
//!
//! Needs the counting atomics: `cargo xtask budgets`. Bodies are copied without atomics and do not
//! count, nor does the fork check, which reads memory of this process only.
#![cfg(strait_counting)]

#[path = "budgets/calls.rs"]
mod calls;
#[path = "budgets/directory.rs"]
mod directory;
#[path = "hot_path/messages.rs"]
mod messages;
#[path = "budgets/mpmc.rs"]
mod mpmc;
#[path = "hot_path/operations.rs"]
mod operations;
#[path = "budgets/parking.rs"]
mod parking;
#[path = "budgets/several.rs"]
mod several;

use messages::{Numbered, Order, Tick, unnamed};
use operations::operations;
use std::time::Duration;
use strait_ipc::channel::{Bytes, Receiver, RecvError, SendError, Sender, Spsc};
use strait_pools::sync::{Counts, count};

/// Shared loads and stores.
type Cost = (u64, u64);

/// The cost of every operation: in wide cells, which have a length and a kind, and in dense ones.
///
/// Sending, a wide cell costs two stores (length with kind, state); receiving, two loads (state,
/// length) and a store (the receiver's cursor). An eighth of the ring received costs one more store,
/// to report it. A sender that finds the ring full loads the receiver's progress; a receiver that
/// finds it empty reports what it has not, and looks whether the sender has closed. A receiver that
/// has not run dry for a while looks ahead, with up to [`LOOKS`] loads for every sixteen cache lines.
const BUDGET: &[(&str, Cost, Cost)] = &[
    // operation                              wide      dense
    ("send", /*                           */ (0, 2), (0, 1)),
    ("try_send", /*                       */ (0, 2), (0, 1)),
    ("send_timeout", /*                   */ (0, 2), (0, 1)),
    ("send_all of 32", /*                 */ (0, 64), (0, 32)),
    ("batch of 32", /*                    */ (0, 64), (0, 32)),
    ("batch of 32, dropped", /*           */ (0, 32), (0, 0)),
    ("loan, published", /*                */ (0, 2), (0, 1)),
    ("loan, dropped", /*                  */ (0, 0), (0, 0)),
    ("try_send, full", /*                 */ (1, 0), (1, 0)),
    ("send, full, fails", /*              */ (1, 0), (1, 0)),
    ("send, full, drops", /*              */ (2, 1), (2, 1)),
    ("recv", /*                           */ (2, 1), (1, 1)),
    ("try_recv", /*                       */ (2, 1), (1, 1)),
    ("recv_timeout", /*                   */ (2, 1), (1, 1)),
    ("drain of 32", /*                    */ (64, 33), (32, 33)),
    ("drain of 32, asked for more", /*    */ (66, 33), (34, 33)),
    ("try_recv, empty", /*                */ (2, 0), (2, 0)),
    ("try_recv, empty, progress reported", (2, 0), (2, 0)),
    ("try_recv, empty, progress to report", (2, 1), (2, 1)),
];

/// Loads at most in one look ahead.
const LOOKS: u64 = 2;

/// Loads at most for looking ahead, while `messages` are received without running dry from a ring of
/// `capacity`: one look for every sixteen cache lines, or a quarter of the ring.
fn looking_ahead<T: Numbered>(messages: u64, capacity: u64) -> u64 {
    let wide = if T::PLAIN { (size_of::<T>() as u64 + 16).next_multiple_of(64) } else { 256 };
    let cell = if T::DENSE { 16 } else { wide };
    LOOKS * messages.div_ceil((16 * 64 / cell).min(capacity / 4))
}

/// Loads and stores, and that there is nothing dearer.
fn cost(of: &str, counts: Counts) -> Cost {
    assert_eq!((counts.rmws, counts.fences), (0, 0), "read-modify-writes and fences: {of}");
    (counts.loads, counts.stores)
}

fn costs_what_it_should<T: Numbered>() {
    let measured: Vec<(&str, Cost)> = operations::<T>()
        .iter()
        .map(|operation| {
            (operation.name, cost(operation.name, operation.measure(|run| count(run))))
        })
        .collect();
    let of_cells = |(name, wide, dense): &(&'static str, Cost, Cost)| {
        (*name, if T::DENSE { *dense } else { *wide })
    };
    let budget: Vec<(&str, Cost)> = BUDGET.iter().map(of_cells).collect();
    let differences: Vec<String> = measured
        .iter()
        .zip(&budget)
        .filter(|((name, measured), (_, budget))| {
            let ahead =
                if name.starts_with("drain") { looking_ahead::<T>(32, CAPACITY) } else { 0 };
            measured.1 != budget.1 || !(budget.0..=budget.0 + ahead).contains(&measured.0)
        })
        .map(|(measured, budget)| format!("{measured:?} instead of {budget:?}"))
        .collect();
    assert!(differences.is_empty(), "{} messages: {differences:#?}", T::NAME);
    assert_eq!(measured.len(), budget.len(), "a budget for every operation");
}

#[test]
fn plain_messages_cost_what_they_should() {
    costs_what_it_should::<Tick>();
}

#[test]
fn dense_messages_cost_what_they_should() {
    costs_what_it_should::<u64>();
}

#[test]
fn rich_messages_cost_what_plain_ones_do() {
    costs_what_it_should::<Order>();
}

/// Cells of the rings that are lapped.
const CAPACITY: u64 = 64;
const LAPS: u64 = 10;

/// Messages that go through in ten laps.
const PASSED: u64 = CAPACITY * LAPS;

/// The sender leaves a hint at each half of the ring, and the receiver reports each eighth.
const HINTS: u64 = 2 * LAPS;
const REPORTS: u64 = 8 * LAPS;

/// What both sides pay in ten laps of a ring that has been lapped before, if they take turns at
/// sending and receiving `stride` messages.
fn lap<T: Numbered>(
    channel: Spsc<T>,
    stride: u64,
    send: fn(&mut Sender<T>, &[T]) -> bool,
    receive: fn(&mut Receiver<T>, u64) -> bool,
) -> (Counts, Counts) {
    let (mut sender, mut receiver) = channel.pair().unwrap();
    let messages: Vec<T> = (0..stride).map(|_| T::first()).collect();
    let mut turn = || {
        let (sent, sending) = count(|| send(&mut sender, &messages));
        let (received, receiving) = count(|| receive(&mut receiver, stride));
        assert!(sent && received);
        (sending, receiving)
    };
    let turns = CAPACITY / stride;
    for _ in 0..turns {
        turn();
    }
    let add = |sum: Counts, more: Counts| Counts {
        loads: sum.loads + more.loads,
        stores: sum.stores + more.stores,
        rmws: sum.rmws + more.rmws,
        fences: sum.fences + more.fences,
        system_calls: sum.system_calls + more.system_calls,
    };
    (0..turns * LAPS).fold(<(Counts, Counts)>::default(), |(sending, receiving), _| {
        let (sent, received) = turn();
        (add(sending, sent), add(receiving, received))
    })
}

fn send_each<T: Numbered>(sender: &mut Sender<T>, messages: &[T]) -> bool {
    messages.iter().all(|message| sender.send(message).is_ok())
}

fn send_batch<T: Numbered>(sender: &mut Sender<T>, messages: &[T]) -> bool {
    let mut batch = sender.batch();
    messages.iter().all(|message| batch.push(message).is_ok()) && batch.publish() == messages.len()
}

fn receive_each<T: Numbered>(receiver: &mut Receiver<T>, messages: u64) -> bool {
    (0..messages).all(|_| receiver.recv().is_ok())
}

fn drain<T: Numbered>(receiver: &mut Receiver<T>, messages: u64) -> bool {
    let limit = usize::try_from(messages).unwrap();
    receiver.drain(limit, |_| {}) == Ok(limit)
}

/// Over whole laps the sender loads shared memory once per lap, however the laps are made.
fn laps_cost_what_they_should<T: Numbered>() {
    let (stores, loads) = if T::DENSE { (1, 1) } else { (2, 2) };
    let sending = (LAPS, stores * PASSED + HINTS);
    let receiving = loads * PASSED..=loads * PASSED + looking_ahead::<T>(PASSED, CAPACITY);
    let check = |(sent, received): (Counts, Counts), how: &str| {
        let (sent, received) = (cost(how, sent), cost(how, received));
        assert_eq!((sent, received.1), (sending, PASSED + REPORTS), "{} messages, {how}", T::NAME);
        assert!(receiving.contains(&received.0), "{} messages, {how}: {received:?}", T::NAME);
    };
    let channel = || unnamed::<T>(CAPACITY);
    check(lap(channel(), 1, send_each, receive_each), "one at a time");
    check(lap(channel(), CAPACITY, send_each, receive_each), "a ring full at a time");
    check(lap(channel(), CAPACITY / 2, send_batch, drain), "in batches");
}

#[test]
fn ten_laps_cost_what_they_should() {
    laps_cost_what_they_should::<Tick>();
    laps_cost_what_they_should::<u64>();
    laps_cost_what_they_should::<Order>();
}

/// A wait may poll as often as it likes, but leaves the other side's cache lines alone.
#[test]
fn waiting_stores_nothing() {
    let (mut sender, mut receiver) = unnamed::<Tick>(CAPACITY).pair().unwrap();
    let brief = Duration::from_millis(1);
    let (timeout, counts) = count(|| receiver.recv_timeout(brief).is_err_and(is_timeout));
    assert!(timeout);
    assert_eq!(cost("recv_timeout", counts).1, 0, "stores of a receiver that waits");

    assert!((0..CAPACITY).all(|_| sender.try_send(&Tick::first()).is_ok()));
    let (result, counts) = count(|| sender.send_timeout(&Tick::first(), brief));
    assert!(matches!(result, Err(SendError::Timeout)));
    assert_eq!(cost("send_timeout", counts).1, 0, "stores of a sender that waits");
}

fn is_timeout(error: RecvError) -> bool {
    matches!(error, RecvError::Timeout)
}

#[test]
fn bytes_cost_what_they_should() {
    let segment = Spsc::<Bytes>::unnamed("bytes").capacity(CAPACITY).segment().unwrap();
    let segment = std::sync::Arc::new(segment);
    let mut sender = Spsc::<Bytes>::given(segment.clone()).sender().unwrap();
    let mut receiver = Spsc::<Bytes>::given(segment).receiver().unwrap();

    let (_, aborted) = count(|| sender.try_claim(8).unwrap().abort());
    assert_eq!(cost("abort", aborted), (0, 0), "a claim, aborted");
    let (_, committed) = count(|| {
        let mut claim = sender.claim(8).unwrap();
        claim.write(0, &[7; 8]).unwrap();
        claim.commit();
    });
    assert_eq!(cost("commit", committed), (0, 2), "a claim, committed");
    let (len, polled) = count(|| receiver.poll().unwrap().len());
    assert_eq!((len, cost("poll", polled)), (8, (2, 1)), "a message, polled and its length read");
}
