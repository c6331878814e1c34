//! Models of an endpoint's slot: what the peer may conclude from it.
//!
//! The lock that decides who may write a slot is the kernel's; here, one thread stands for all
//! successive holders.

#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::Arc as LoomArc;
use loom::thread;
use std::sync::Arc;
use strait_ipc::endpoint::Role;
use strait_ipc::ring::spsc::{Consumer, Poll, Producer, Words};
use strait_ipc::segment::layout::EndpointSlot;
use strait_pools::environment::Peer;
use strait_pools::placement::Heap;
use strait_pools::sync::AtomicU64;

/// A sender publishes its last message and closes. Whoever sees the close and then finds the ring
/// empty may say that everything was read: the last message cannot turn up afterwards.
#[test]
fn nothing_turns_up_after_the_close() {
    loom::model(|| {
        let words = Words::<Heap> {
            producer: Arc::default(),
            consumer: Arc::default(),
            states: (0..1).map(|_| AtomicU64::new(0)).collect(),
        };
        let slot = Arc::new(EndpointSlot::default());
        let mut consumer = Consumer::take_over(words.clone(), false).unwrap();

        let sender = thread::spawn({
            let slot = Arc::clone(&slot);
            move || {
                let mut producer = Producer::take_over(words).unwrap();
                producer.publish();
                slot.close();
            }
        });
        if slot.standing() == Peer::Closed {
            assert!(matches!(consumer.poll(1), Poll::Ready(0)), "lost at the close");
        }
        sender.join().unwrap();
    });
}

/// A side is left in good order and its memory used by whoever sees that.
#[test]
fn what_was_done_before_the_close_is_done() {
    loom::model(|| {
        let slot = Arc::new(EndpointSlot::default());
        let memory = LoomArc::new(UnsafeCell::new(0));
        let holder = thread::spawn({
            let (slot, memory) = (Arc::clone(&slot), LoomArc::clone(&memory));
            move || {
                // SAFETY: loom checks that nobody else accesses it meanwhile.
                memory.with_mut(|cell| unsafe { *cell = 1 });
                slot.close();
            }
        });
        if slot.standing() == Peer::Closed {
            // SAFETY: loom checks that nobody else accesses it meanwhile.
            assert_eq!(memory.with(|cell| unsafe { *cell }), 1);
        }
        holder.join().unwrap();
    });
}

/// Whoever finds a side taken can say by whom: never by nobody, never by half an entry.
///
/// The holder is the main thread, which loom runs first: it does not look for a reader that comes
/// between a thread's load and its own later store of the same word (as `sign` has of `state`), but
/// it does look for earlier places of a load that comes later.
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
