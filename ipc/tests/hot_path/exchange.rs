//! A million messages from one process to another, between which nothing but the ring stands.
//!
//! Half of them go one by one, half in batches; both sides often find the ring full or empty.
//! Warmed up, a side does its part under watch, and its process ends.

use crate::child::Place;
use crate::messages::{Numbered, Order, Tick, unnamed};
use crate::processes::all_end_well;
use std::io::stdin;
use std::ops::Range;
use std::os::fd::AsFd;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;
use strait_ipc::channel::{Receiver, RecvError, SendError, Sender, Spsc};
use strait_ipc::segment::{MapOptions, Segment};

const CAPACITY: u64 = 1024;
const BATCH: usize = 32;

/// Messages before the watched ones: enough to have been everywhere in the ring and the code.
const WARM_UP: u64 = 16 * CAPACITY;
const WATCHED: u64 = 1_000_000;

/// Does the work, finds out whether something happened that must not, and ends the process.
pub(crate) type Watch = fn(&mut dyn FnMut() -> bool) -> !;

/// In the parent: has two processes exchange a million messages, both watched as `watch` says.
///
/// Or else: who failed, and how that process ended.
pub(crate) fn between_two_processes(watch: &str, kind: &str) -> Result<(), (String, ExitStatus)> {
    // One exchange at a time: each side keeps a core busy, and more of them would wait for cores, not
    // for messages.
    let place = Place::new();
    let segment = match kind {
        Tick::NAME => unnamed::<Tick>(CAPACITY).segment(),
        Order::NAME => unnamed::<Order>(CAPACITY).segment(),
        _ => panic!("no such messages: {kind}"),
    };
    let segment = segment.unwrap();
    let role = |side| (format!("{watch} {kind} {side}"), segment.descriptor().unwrap());
    all_end_well(&place, [role("sender"), role("receiver")])
}

/// In a child: plays one side.
pub(crate) fn play(kind: &str, side: &str, watch: Watch) {
    match kind {
        Tick::NAME => play_with::<Tick>(side, watch),
        Order::NAME => play_with::<Order>(side, watch),
        _ => panic!("no such messages: {kind}"),
    }
}

fn play_with<T: Numbered>(side: &str, watch: Watch) -> ! {
    rehearse_waiting::<T>();
    let inherited = stdin().as_fd().try_clone_to_owned().unwrap();
    let segment = Segment::from_descriptor(inherited, MapOptions::default()).unwrap();
    // Nobody is asked whether the peer's process exists: the parent ends both if one fails.
    let channel = Spsc::<T>::given(Arc::new(segment)).slice(Duration::MAX);
    let watched = WARM_UP..WARM_UP + WATCHED;
    match side {
        "sender" => {
            let mut sender = channel.sender().unwrap();
            let mut message = T::first();
            assert!(send(&mut sender, &mut message, 0..WARM_UP));
            watch(&mut || send(&mut sender, &mut message, watched.clone()))
        }
        "receiver" => {
            let mut receiver = channel.receiver().unwrap();
            assert!(receive(&mut receiver, 0..WARM_UP));
            watch(&mut || receive(&mut receiver, watched.clone()))
        }
        _ => panic!("no such side: {side}"),
    }
}

/// Waits for a message and for room, on a ring of its own: whether the warm-up comes to that is
/// chance, and the first to read the clock makes system calls to find out how.
pub(crate) fn rehearse_waiting<T: Numbered>() {
    let brief = Duration::from_millis(1);
    let (mut sender, mut receiver) = unnamed::<T>(1).pair().unwrap();
    assert!(matches!(receiver.recv_timeout(brief), Err(RecvError::Timeout)));
    sender.send(&T::first()).unwrap();
    assert!(matches!(sender.send_timeout(&T::first(), brief), Err(SendError::Timeout)));
}

/// The first half one by one, the second in batches of whatever there is room for.
fn send<T: Numbered>(sender: &mut Sender<T>, message: &mut T, mut numbers: Range<u64>) -> bool {
    let middle = numbers.start.midpoint(numbers.end);
    while numbers.start < middle {
        message.become_number(numbers.start);
        if sender.send(message).is_err() {
            return false;
        }
        numbers.start += 1;
    }
    while !numbers.is_empty() {
        let mut batch = sender.batch();
        for number in numbers.clone().take(BATCH) {
            message.become_number(number);
            match batch.push(message) {
                Ok(()) => numbers.start += 1,
                Err(SendError::Full) => break,
                Err(_) => return false,
            }
        }
        batch.publish();
    }
    true
}

/// The first half one by one, the second as much at a time as there is.
fn receive<T: Numbered>(receiver: &mut Receiver<T>, mut numbers: Range<u64>) -> bool {
    let middle = numbers.start.midpoint(numbers.end);
    while numbers.start < middle {
        if !receiver.recv().is_ok_and(|message| T::is_number(&message, numbers.start)) {
            return false;
        }
        numbers.start += 1;
    }
    let mut right = true;
    while right && !numbers.is_empty() {
        let limit = numbers.clone().take(BATCH).count();
        let drained = receiver.drain(limit, |message| {
            right &= T::is_number(message, numbers.start);
            numbers.start += 1;
        });
        right &= matches!(drained, Ok(_) | Err(RecvError::Empty));
    }
    right
}
