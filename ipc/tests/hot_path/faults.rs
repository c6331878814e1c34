//! A million messages between two processes, and the page tables stay as they are.

use crate::child::job;
use crate::exchange::between_two_processes;
use crate::messages::{Numbered, Order, Tick};
use crate::processes::{end, verdict};
use std::mem::MaybeUninit;
use strait_ipc::channel::Spsc;

/// Role of children.
pub(crate) const EXCHANGE: &str = "without-page-faults";

/// Page faults so far that took no disk: of the whole process, or of this thread.
fn minor_faults(whose: i32) -> i64 {
    let mut usage = MaybeUninit::uninit();
    // SAFETY: the kernel fills in the structure, which is ours to write.
    assert_eq!(unsafe { libc::getrusage(whose, usage.as_mut_ptr()) }, 0);
    // SAFETY: the call succeeded.
    let usage: libc::rusage = unsafe { usage.assume_init() };
    usage.ru_minflt
}

/// Watches an exchange.
pub(crate) fn without(work: &mut dyn FnMut() -> bool) -> ! {
    let before = minor_faults(libc::RUSAGE_SELF);
    let right = work();
    let faults = minor_faults(libc::RUSAGE_SELF) - before;
    if faults != 0 {
        eprintln!("{faults} page faults in {:?}", job().map(|(role, _)| role));
    }
    end(match (right, faults) {
        (false, _) => verdict::WRONG,
        (true, 0) => verdict::RIGHT,
        (true, _) => verdict::DISTURBED,
    })
}

#[test]
fn plain_messages_cause_no_page_fault() {
    assert_eq!(between_two_processes(EXCHANGE, Tick::NAME), Ok(()));
}

#[test]
fn rich_messages_cause_no_page_fault() {
    assert_eq!(between_two_processes(EXCHANGE, Order::NAME), Ok(()));
}

/// A message of two pages: opening a channel looks at the head of every cell, which touches only
/// some of the pages.
type Pages = [u64; 1024];

/// Page faults of this thread in the first lap of a ring, by code that has run before.
fn faults_of_first_lap(prefault: bool) -> i64 {
    let capacity = 256;
    let message: Pages = [7; 1024];
    let mut faults = 0;
    for _ in 0..2 {
        let channel = Spsc::<Pages>::unnamed("pages").capacity(capacity).prefault(prefault);
        let (mut sender, mut receiver) = channel.pair().unwrap();
        let before = minor_faults(libc::RUSAGE_THREAD);
        for _ in 0..capacity {
            sender.try_send(&message).unwrap();
            assert!(*receiver.try_recv().unwrap() == message);
        }
        faults = minor_faults(libc::RUSAGE_THREAD) - before;
    }
    faults
}

#[test]
fn a_ring_that_was_faulted_in_causes_no_page_fault_from_the_first_lap_on() {
    assert_ne!(faults_of_first_lap(false), 0, "a ring that was not: faults are noticed");
    assert_eq!(faults_of_first_lap(true), 0);
}
