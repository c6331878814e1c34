//! What channels with several readers cost: as much for the sender however many there are.

use crate::messages::{Numbered, Tick};
use std::sync::Arc;
use strait_ipc::channel::{Broadcast, BroadcastReceiver, Join, Latest, OnFull, RecvError, Slow};
use strait_pools::sync::{Counts, count};

const CAPACITY: u64 = 64;
const LAPS: u64 = 10;
const PASSED: u64 = CAPACITY * LAPS;

/// Words of a message's body: whole lines of 16 bytes.
const WORDS: u64 = 2 * (size_of::<Tick>() as u64).div_ceil(16);

/// Stores of a message: the cell is busy, its length, its body, it is ready.
const STORES: u64 = 3 + WORDS;

fn drain(receiver: &mut BroadcastReceiver<Tick>) {
    while receiver.try_recv().is_ok() {}
}

/// What the sender pays for ten laps, of a ring whose readers read everything at each half of it.
fn laps(readers: u32, parking: bool) -> Counts {
    let channel = Broadcast::<Tick>::unnamed("budget").capacity(CAPACITY).readers(readers);
    let channel = if parking { channel.parking() } else { channel };
    let segment = Arc::new(channel.segment().unwrap());
    let open = || Broadcast::<Tick>::given(Arc::clone(&segment));
    let mut sender = open().sender().unwrap();
    let mut receivers: Vec<_> =
        (0..readers).map(|_| open().receiver(Join::Oldest, Slow::Gate).unwrap()).collect();
    let message = Tick::first();
    let mut turn = || {
        let (sent, counts) = count(|| (0..CAPACITY / 2).all(|_| sender.send(&message).is_ok()));
        assert!(sent);
        receivers.iter_mut().for_each(drain);
        counts
    };
    // A ring that has been lapped before.
    for _ in 0..4 {
        turn();
    }
    (0..2 * LAPS).map(|_| turn()).fold(Counts::default(), |sum, more| Counts {
        loads: sum.loads + more.loads,
        stores: sum.stores + more.stores,
        rmws: sum.rmws + more.rmws,
        fences: sum.fences + more.fences,
        system_calls: sum.system_calls + more.system_calls,
    })
}

/// Publishing loads nothing. Twice a lap the sender says how far it would like to go, and looks at each
/// reader; four times it leaves a hint. Its fences order stores alone, but for those looks: on x86-64 they
/// are no instructions.
#[test]
fn publishing_costs_the_same_with_1_8_and_64_readers() {
    for readers in [1, 8, 64] {
        let (looks, hints) = (2 * LAPS, 4 * LAPS);
        let expected = Counts {
            // Who is there, how far, and whether that is further behind than ever.
            loads: looks * 3 * u64::from(readers),
            stores: STORES * PASSED + looks + hints,
            fences: PASSED + looks,
            ..Counts::default()
        };
        assert_eq!(laps(readers, false), expected, "{readers} readers");
        // Readers that may sleep all sleep on one word.
        let looked =
            Counts { loads: expected.loads + PASSED, fences: expected.fences + PASSED, ..expected };
        assert_eq!(laps(readers, true), looked, "{readers} readers that may sleep");
    }
}

/// Who reads in place loads state and length. Who copies loads the body too, and the state again; an
/// observer never stores.
#[test]
fn receiving_costs_what_it_should() {
    let segment = Broadcast::<Tick>::unnamed("budget").capacity(CAPACITY).segment().unwrap();
    let segment = Arc::new(segment);
    let open = || Broadcast::<Tick>::given(Arc::clone(&segment));
    let mut sender = open().on_full(OnFull::Fail).sender().unwrap();
    let gate = || open().receiver(Join::Newest, Slow::Gate).unwrap();
    let demote = || open().receiver(Join::Newest, Slow::Demote).unwrap();
    let observe = || open().observer(Join::Newest).unwrap();
    let ways: [(&dyn Fn() -> BroadcastReceiver<Tick>, _); 3] =
        [(&gate, (2, 0, 0)), (&demote, (3 + WORDS, 0, 1)), (&observe, (3 + WORDS, 0, 1))];
    for (receiver, expected) in ways {
        let mut receiver = receiver();
        let mut receive = || {
            sender.send(&Tick::first()).unwrap();
            let (received, counts) = count(|| receiver.recv().is_ok());
            assert!(received);
            (counts.loads, counts.stores, counts.fences)
        };
        assert_eq!(receive(), expected);
        // Every eighth of the ring is told of, by those with an endpoint.
        let stores: u64 = (1..CAPACITY).map(|_| receive().1).sum();
        assert!(stores <= 8, "{stores}");
        // A look at an empty cell, and whether the sender is gone.
        let (empty, counts) = count(|| receiver.try_recv().is_err_and(is_empty));
        assert!(empty);
        assert_eq!((counts.loads, counts.fences, counts.rmws), (2, 0, 0));
    }
}

fn is_empty(error: RecvError) -> bool {
    matches!(error, RecvError::Empty)
}

#[test]
fn latest_values_cost_what_they_should() {
    let segment = Latest::<Tick>::unnamed("budget").keys(4).segment().unwrap();
    let segment = Arc::new(segment);
    let mut writer = Latest::<Tick>::given(Arc::clone(&segment)).writer().unwrap();
    let mut reader = Latest::<Tick>::given(segment).reader().unwrap();
    let cost = |counts: Counts| (counts.loads, counts.stores, counts.fences, counts.rmws);
    for version in 1..10 {
        let (set, counts) = count(|| writer.set(2, &Tick::first()).unwrap());
        assert_eq!((set, cost(counts)), (version, (1, 2 + WORDS, 1, 0)));
        let (found, counts) = count(|| reader.get(2).is_ok_and(|value| value.is_some()));
        assert_eq!((found, cost(counts)), (true, (3 + WORDS, 0, 1, 0)));
        let (same, counts) = count(|| reader.get_if_newer(2, version).unwrap().is_none());
        assert_eq!((same, cost(counts)), (true, (1, 0, 0, 0)));
    }
}
