//! Two processes exchange messages: either side first, plain and rich, through rings that wrap many
//! times, one by one and in batches, by name and by descriptor.

mod channel;

use channel::{Actor, HANG, Numbered, Order, Place, Tick, job, tell, wait_for_parent};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use strait_ipc::channel::{Bytes, Receiver, RecvError, SendError, Sender, Spsc};
use strait_ipc::segment::{MapOptions, Segment};

const NAME: &str = "flow";

fn send_all<T: Numbered>(sender: &mut Sender<T>, count: u64) {
    for number in 0..count {
        sender.send(&T::numbered(number)).unwrap();
    }
}

/// Takes `count` messages, which must be the right ones in order, and then the sender's farewell.
fn receive_all<T: Numbered>(receiver: &mut Receiver<T>, count: u64) {
    for number in 0..count {
        let message = receiver.recv().unwrap();
        assert_eq!(message.position(), number);
        assert_eq!(T::number(&message), number);
    }
    assert!(matches!(receiver.recv(), Err(RecvError::Closed(_))));
    assert!(matches!(receiver.try_recv(), Err(RecvError::Closed(_))));
}

/// In a child: says that its side is open.
fn ready<T>(side: T) -> T {
    tell("ready");
    side
}

fn batches(sender: &mut Sender<Order>, count: u64) {
    let mut next = 0;
    while next < count {
        let mut batch = sender.batch();
        for number in next..count {
            match batch.push(&Order::numbered(number)) {
                Ok(()) => {}
                Err(SendError::Full) => break,
                Err(error) => panic!("{error}"),
            }
        }
        next += batch.publish() as u64;
        std::thread::yield_now();
    }
}

/// Sends each message back with its bytes reversed, in place.
fn echo(place: &Place) {
    let open = |name| place.spsc::<Bytes>(name).schema("reversible").capacity(4);
    let mut there = open("there").receiver().unwrap();
    let mut back = open("back").sender().unwrap();
    tell("ready");
    loop {
        match there.recv() {
            Ok(message) => {
                let bytes: Vec<u8> = message.to_vec().into_iter().rev().collect();
                let mut claim = back.claim(bytes.len()).unwrap();
                claim.write(0, &bytes).unwrap();
                claim.commit();
            }
            Err(RecvError::Closed(_)) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

fn receive_by_descriptor(count: u64) {
    let descriptor = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let segment = Segment::from_descriptor(descriptor, MapOptions::default()).unwrap();
    let receiver = Spsc::<Order>::given(Arc::new(segment)).receiver();
    receive_all(&mut ready(receiver.unwrap()), count);
}

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((what, place)) = job() else { return };
    let mut words = what.split(' ');
    let kind = words.next().unwrap();
    let mut number = || words.next().map_or(0, |word| word.parse::<u64>().unwrap());
    let (count, capacity) = (number(), number());
    let ticks = || place.spsc::<Tick>(NAME).capacity(capacity);
    let orders = || place.spsc::<Order>(NAME).capacity(capacity);
    let integers = || place.spsc::<u64>(NAME).capacity(capacity).dense();
    match kind {
        "send-ticks" => send_all(&mut ready(ticks().sender().unwrap()), count),
        "send-orders" => send_all(&mut ready(orders().sender().unwrap()), count),
        "send-dense" => send_all(&mut ready(integers().sender().unwrap()), count),
        "batch-orders" => batches(&mut ready(orders().sender().unwrap()), count),
        "send-slice" => {
            let messages: Vec<Tick> = (0..count).map(Tick::numbered).collect();
            ticks().sender().unwrap().send_all(&messages).unwrap();
        }
        "receive-ticks" => receive_all(&mut ready(ticks().receiver().unwrap()), count),
        "receive-orders" => receive_all(&mut ready(orders().receiver().unwrap()), count),
        "wait-and-receive" => {
            let mut receiver = ready(ticks().receiver().unwrap());
            wait_for_parent();
            receive_all(&mut receiver, count);
        }
        "echo" => echo(&place),
        "receive-by-descriptor" => receive_by_descriptor(count),
        other => panic!("no such job: {other}"),
    }
}

/// A ring that wraps hundreds of times; a ring of one wakes the other side for each message.
const LOADS: [(u64, u64); 3] = [(1, 500), (2, 1000), (64, 20_000)];

fn sender_first<T: Numbered>(job: &str) {
    for (capacity, count) in LOADS {
        let place = Place::new();
        let mut sender = Actor::spawn(&format!("{job} {count} {capacity}"), &place);
        sender.hear();
        receive_all(&mut place.spsc::<T>(NAME).receiver().unwrap(), count);
        sender.finish();
        place.assert_empty();
    }
}

fn receiver_first<T: Numbered>(job: &str) {
    for (capacity, count) in LOADS {
        let place = Place::new();
        let mut receiver = Actor::spawn(&format!("{job} {count} {capacity}"), &place);
        receiver.hear();
        // The receiver made the channel: its sender need not ask for anything.
        send_all(&mut place.spsc::<T>(NAME).sender().unwrap(), count);
        receiver.finish();
        place.assert_empty();
    }
}

#[test]
fn plain_messages_when_the_sender_is_first() {
    sender_first::<Tick>("send-ticks");
}

#[test]
fn plain_messages_when_the_receiver_is_first() {
    receiver_first::<Tick>("receive-ticks");
}

#[test]
fn rich_messages_when_the_sender_is_first() {
    sender_first::<Order>("send-orders");
}

#[test]
fn rich_messages_when_the_receiver_is_first() {
    receiver_first::<Order>("receive-orders");
}

#[test]
fn batches_arrive_in_order() {
    for (capacity, count) in LOADS {
        let place = Place::new();
        let mut sender = Actor::spawn(&format!("batch-orders {count} {capacity}"), &place);
        let mut receiver = place.spsc::<Order>(NAME).capacity(capacity).receiver().unwrap();
        receive_all(&mut receiver, count);
        sender.finish();
    }
}

#[test]
fn a_slice_longer_than_the_ring_is_drained_in_pieces() {
    for (capacity, count) in LOADS {
        let place = Place::new();
        let mut sender = Actor::spawn(&format!("send-slice {count} {capacity}"), &place);
        let mut receiver = place.spsc::<Tick>(NAME).capacity(capacity).receiver().unwrap();
        let mut next = 0;
        let farewell = loop {
            let limit = 7;
            let handled = receiver.drain(limit, |tick| {
                assert_eq!(Tick::number(tick), next);
                next += 1;
            });
            match handled {
                Ok(handled) => assert!((1..=limit).contains(&handled)),
                Err(RecvError::Empty) => std::thread::yield_now(),
                Err(error) => break error,
            }
        };
        assert!(matches!(farewell, RecvError::Closed(_)), "{farewell}");
        assert_eq!(next, count);
        sender.finish();
    }
}

#[test]
fn dense_cells() {
    for (capacity, count) in LOADS {
        let place = Place::new();
        let mut sender = Actor::spawn(&format!("send-dense {count} {capacity}"), &place);
        let open = place.spsc::<u64>(NAME).dense().capacity(capacity);
        receive_all(&mut open.receiver().unwrap(), count);
        sender.finish();
    }
}

#[test]
fn bytes_there_and_back() {
    let place = Place::new();
    let mut actor = Actor::spawn("echo", &place);
    let open = |name| place.spsc::<Bytes>(name).schema("reversible").capacity(4);
    let mut there = open("there").sender().unwrap();
    let mut back = open("back").receiver().unwrap();
    // More than the two rings hold would wait for ever: one at a time.
    for len in 0..=there.max_len() {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(len).collect();
        let mut claim = there.claim(len).unwrap();
        claim.write(0, &bytes).unwrap();
        claim.commit();
        let answer = back.recv().unwrap();
        assert_eq!(answer.to_vec(), bytes.into_iter().rev().collect::<Vec<_>>());
    }
    drop(there);
    actor.finish();
    drop(back);
    place.assert_empty();
}

#[test]
fn a_memory_segment_handed_over_by_descriptor() {
    let place = Place::new();
    let count = 5000;
    let segment = Spsc::<Order>::unnamed("handed over").capacity(8).segment().unwrap();
    let descriptor: OwnedFd = segment.descriptor().unwrap();
    let job = format!("receive-by-descriptor {count}");
    let mut actor = Actor::spawn_with(&job, &place, |command| {
        command.stdin(descriptor);
    });
    actor.hear();
    let mut sender = Spsc::<Order>::given(Arc::new(segment)).sender().unwrap();
    assert_eq!(sender.channel(), "handed over");
    send_all(&mut sender, count);
    drop(sender);
    actor.finish();
    place.assert_empty();
}

#[test]
fn a_full_ring_blocks_until_the_other_process_reads() {
    let place = Place::new();
    let mut sender = place.spsc::<Tick>(NAME).capacity(4).sender().unwrap();
    let mut actor = Actor::spawn("wait-and-receive 5 4", &place);
    actor.hear();
    send_all(&mut sender, 4);
    // The receiver sits still, and lives: the wait ends only by its timeout.
    let late = sender.send_timeout(&Tick::numbered(4), 10 * channel::SLICE);
    assert_eq!(late, Err(SendError::Timeout));
    assert_eq!(sender.try_send(&Tick::numbered(4)), Err(SendError::Full));
    assert_eq!(sender.position(), 4);
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| sender.send(&Tick::numbered(4)));
        std::thread::sleep(10 * channel::SLICE);
        assert!(!blocked.is_finished(), "it should wait for room");
        actor.go_on();
        assert_eq!(blocked.join().unwrap(), Ok(()));
    });
    drop(sender);
    actor.finish();
    place.assert_empty();
}

#[test]
fn a_wait_ends_when_the_message_comes() {
    let place = Place::new();
    let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    assert!(matches!(receiver.recv_timeout(3 * channel::SLICE), Err(RecvError::Timeout)));
    let mut actor = Actor::spawn("send-ticks 1 1024", &place);
    assert_eq!(Tick::number(&receiver.recv_timeout(HANG).unwrap()), 0);
    actor.finish();
}
