//! Models of an endpoint's slot: what the peer may conclude from it.
//!
//! The lock that decides who may write a slot is the kernel's; here, one thread stands for all
//! successive holders. What becomes of a holder that dies is in `burial`.
//!
//! The holder is the main thread, which loom runs first: it does not look for a reader that comes
//! between a thread's load and its own later store of the same word (as `sign` and `close` have of
//! `state`), but it does look for earlier places of a load that comes later.

#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::Arc as LoomArc;
use loom::thread;
use std::sync::Arc;
use strait_ipc::endpoint::Role;
use strait_ipc::segment::layout::{ENDPOINT_ATTACHING, EndpointSlot};
use strait_loom_tests::ring::{Receiver, Ring, Sender};
use strait_loom_tests::side::Side;
use strait_pools::environment::Peer;
use strait_pools::sync::Ordering::Relaxed;

/// A sender publishes its last message and closes. Whoever sees the close and then finds the ring
/// empty may say that everything was read: the last message cannot turn up afterwards.
#[test]
fn nothing_turns_up_after_the_close() {
    loom::model(|| {
        let ring = Ring::new(1);
        let slot = Arc::new(EndpointSlot::default());
        let mut receiver = Receiver::new(&ring, false);
        let reader = thread::spawn({
            let slot = Arc::clone(&slot);
            move || {
                if slot.standing() == Peer::Closed {
                    assert!(receiver.try_receive(), "lost at the close");
                }
            }
        });
        Sender::new(&ring).send_until(1);
        slot.close();
        reader.join().unwrap();
    });
}

/// A side is left in good order and its memory used by whoever sees that.
#[test]
fn what_was_done_before_the_close_is_done() {
    loom::model(|| {
        let slot = Arc::new(EndpointSlot::default());
        let memory = LoomArc::new(UnsafeCell::new(0));
        let other = thread::spawn({
            let (slot, memory) = (Arc::clone(&slot), LoomArc::clone(&memory));
            move || {
                if slot.standing() == Peer::Closed {
                    // SAFETY: loom checks that nobody else accesses it meanwhile.
                    assert_eq!(memory.with(|cell| unsafe { *cell }), 1);
                }
            }
        });
        // SAFETY: loom checks that nobody else accesses it meanwhile.
        memory.with_mut(|cell| unsafe { *cell = 1 });
        slot.close();
        other.join().unwrap();
    });
}

/// Whoever finds a side taken can say by whom: never by nobody, never by half an entry.
#[test]
fn an_entry_is_whole() {
    loom::model(|| {
        let slot = Arc::new(EndpointSlot::default());
        let reader = thread::spawn({
            let slot = Arc::clone(&slot);
            move || {
                if let Some(holder) = slot.signed() {
                    assert_eq!((holder.pid, holder.epoch), (std::process::id(), 1));
                    assert!(!holder.program.is_empty() && holder.since_unix_ns > 0);
                }
            }
        });
        slot.sign(Role::Producer);
        reader.join().unwrap();
    });
}

/// Whoever asks who left a side is not told half of that one and half of its successor.
#[test]
fn an_entry_is_of_one_holder() {
    /// No process has it: the kernel's are positive as signed numbers.
    const NOBODY: u32 = u32::MAX;
    loom::model(|| {
        let side = Arc::new(Side::default());
        side.attach();
        side.slot.pid.store(NOBODY, Relaxed);
        side.leave();
        let reader = thread::spawn({
            let side = Arc::clone(&side);
            move || {
                let state = side.slot.state();
                if let Some(holder) = side.slot.holder(state) {
                    let whole = state.status() != ENDPOINT_ATTACHING;
                    let pid = if state.epoch() == 1 { NOBODY } else { std::process::id() };
                    assert!(!whole || holder.pid == pid, "{holder:?} in {state:?}");
                }
            }
        });
        side.attach();
        reader.join().unwrap();
    });
}
