//! What a call costs beside its own work, while nobody competes: two messages' worth of accesses to shared
//! memory, and one compare-and-swap of the server, which decides whether the call is answered or given up.

use crate::messages::{Numbered, Tick};
use strait_ipc::channel::calls::{Calls, Client, Server, Status};
use strait_pools::sync::{Counts, count};

/// Loads, stores, read-modify-writes, fences; there are no system calls.
fn cost(loads: u64, stores: u64, rmws: u64, fences: u64) -> Counts {
    Counts { loads, stores, rmws, fences, system_calls: 0 }
}

const CAPACITY: u64 = 64;

fn calls() -> Calls {
    Calls::unnamed("calls").capacity(CAPACITY).clients(1)
}

fn exchange(server: &mut Server, client: &Client) {
    let call = client.start(1, &Tick::first()).unwrap();
    serve(server);
    drop(call.wait(None).unwrap());
}

fn serve(server: &mut Server) {
    let answer = Tick::first();
    assert!(server.try_serve(|request| request.answer(Status::Done, &answer)).unwrap());
}

/// Both sides, in the middle of a ring that has been lapped, where nothing else is due.
fn warm(calls: Calls) -> (Server, Client) {
    let (mut server, client) = calls.pair().unwrap();
    for _ in 0..CAPACITY + 2 {
        exchange(&mut server, &client);
    }
    (server, client)
}

#[test]
fn a_call_costs_two_messages_and_one_compare_and_swap() {
    let (mut server, client) = warm(calls());
    let (call, asking) = count(|| client.start(1, &Tick::first()).unwrap());
    let ((), serving) = count(|| serve(&mut server));
    let (answer, waiting) = count(|| call.wait(None).unwrap());
    let ((), dropping) = count(|| drop(answer));
    let measured = [asking, serving, waiting, dropping];
    assert_eq!(
        measured,
        [
            // Whether the place is free; that it is taken, length, state.
            cost(1, 3, 0, 0),
            // State, length, the answer's state; the answer's length, the cursor.
            cost(3, 2, 1, 0),
            // The answer's state and length.
            cost(2, 0, 0, 0),
            // That the place is free.
            cost(0, 1, 0, 0),
        ]
    );
}

#[test]
fn a_service_whose_sides_sleep_costs_two_fences_more() {
    let (mut server, client) = warm(calls().parking());
    let (call, asking) = count(|| client.start(1, &Tick::first()).unwrap());
    let ((), serving) = count(|| serve(&mut server));
    drop(call.wait(None).unwrap());
    assert_eq!((asking.rmws, asking.fences), (0, 1), "whether the server sleeps");
    assert_eq!((serving.rmws, serving.fences), (1, 1), "whether a caller does");
}

#[test]
fn a_notice_costs_one_message() {
    let (mut server, client) = warm(calls());
    let (sent, sending) = count(|| client.notify(1, &Tick::first()).is_ok());
    let (handled, handling) = count(|| server.try_serve(|_| {}).unwrap());
    assert!(sent && handled);
    assert_eq!([sending, handling], [cost(1, 2, 0, 0), cost(2, 1, 0, 0)]);
}

/// A batch of calls tells the server once.
#[test]
fn a_batch_costs_one_fence() {
    let (_server, client) = warm(calls().parking());
    let (committed, counts) = count(|| {
        let mut batch = client.batch().ok()?;
        (0..16).try_for_each(|_| batch.notify(1, &Tick::first())).ok()?;
        batch.commit();
        Some(())
    });
    assert!(committed.is_some());
    assert_eq!((counts.rmws, counts.fences), (0, 1));
}
