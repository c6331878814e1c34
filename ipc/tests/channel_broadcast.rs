//! Broadcast channels: every message to every receiver, and what slow, dead and late ones get.

mod channel;

use channel::{
    Actor, Numbered, Order, Place, SLICE, Tick, eventually, job, tell, text, wait_for_parent,
};
use std::thread;
use std::time::Duration;
use strait_ipc::channel::broadcast::BroadcastBytesReceiver;
use strait_ipc::channel::{
    Broadcast, BroadcastReceiver, BroadcastSender, Bytes, Join, OnFull, OpenError, RecvError,
    SendError, Slow, Wait,
};
use strait_ipc::segment::{Removal, Segment, SegmentName};
use strait_pools::environment::{Liveness, Peer};

const NAME: &str = "news";
const DOMAIN: &str = "test";

/// The channel, polled in a way that leaves others a processor.
fn channel<T>(place: &Place) -> Broadcast<T> {
    Broadcast::named(place.directory.clone(), DOMAIN, NAME)
        .capacity(CAPACITY)
        .wait(Wait::Yield)
        .slice(SLICE)
}

const CAPACITY: u64 = 8;

fn send<T: Numbered>(sender: &mut BroadcastSender<T>, count: u64) {
    for _ in 0..count {
        let number = sender.bytes().position();
        sender.send(&T::numbered(number)).unwrap();
    }
}

/// What is received until there is nothing more: the numbers, and how many are lost.
fn take<T: Numbered>(receiver: &mut BroadcastReceiver<T>) -> (Vec<u64>, u64) {
    let (mut numbers, mut lost) = (Vec::new(), 0);
    loop {
        match receiver.try_recv() {
            Ok(message) => {
                let number = T::number(&message);
                assert_eq!(number, message.position(), "another's message");
                numbers.push(number);
            }
            Err(RecvError::Overrun { lost: more }) => lost += more,
            Err(RecvError::Empty) => return (numbers, lost),
            Err(other) => panic!("{other}"),
        }
    }
}

fn all_receive_everything<T: Numbered>() {
    let place = Place::new();
    let mut sender = channel::<T>(&place).sender().unwrap();
    let gate = channel::<T>(&place).receiver(Join::Oldest, Slow::Gate).unwrap();
    let demote = channel::<T>(&place).receiver(Join::Oldest, Slow::Demote).unwrap();
    let observer = channel::<T>(&place).observer(Join::Oldest).unwrap();
    let mut receivers = [gate, demote, observer];
    for round in 0..10 {
        send(&mut sender, CAPACITY);
        let expected: Vec<u64> = (round * CAPACITY..(round + 1) * CAPACITY).collect();
        for receiver in &mut receivers {
            assert_eq!(take(receiver), (expected.clone(), 0));
        }
    }
    assert_eq!(sender.bytes().receivers().len(), 2, "with an endpoint");
    drop(sender);
    for receiver in &mut receivers {
        assert!(matches!(receiver.recv().map(|_| ()), Err(RecvError::Closed(_))));
    }
}

#[test]
fn plain_messages_go_to_all() {
    all_receive_everything::<Tick>();
}

#[test]
fn rich_messages_go_to_all() {
    all_receive_everything::<Order>();
}

#[test]
fn a_slow_receiver_holds_the_sender_up_if_it_wants_to() {
    let place = Place::new();
    let mut sender = channel::<u64>(&place).on_full(OnFull::Fail).sender().unwrap();
    let mut receiver = channel::<u64>(&place).receiver(Join::Oldest, Slow::Gate).unwrap();
    send(&mut sender, CAPACITY);
    assert_eq!(sender.send(&8), Err(SendError::Full));
    assert_eq!(sender.send_timeout(&8, Duration::from_millis(1)), Err(SendError::Timeout));
    let view = &sender.bytes().receivers()[0];
    assert_eq!((view.behind, view.most_behind, view.waits), (CAPACITY, CAPACITY, 1));
    assert_eq!(view.peer.details().pid, std::process::id());
    assert_eq!(take(&mut receiver).0.len(), 8);
    sender.send(&8).unwrap();
    // It leaves, and nobody waits for it any more.
    drop(receiver);
    send(&mut sender, 10 * CAPACITY);
}

#[test]
fn what_is_dropped_is_counted() {
    let place = Place::new();
    let mut sender = channel::<u64>(&place).on_full(OnFull::DropNewest).sender().unwrap();
    let mut receiver = channel::<u64>(&place).receiver(Join::Oldest, Slow::Gate).unwrap();
    for number in 0..CAPACITY + 3 {
        sender.send(&number).unwrap();
    }
    assert_eq!((sender.bytes().dropped(), sender.bytes().position()), (3, CAPACITY));
    assert_eq!(take(&mut receiver), ((0..CAPACITY).collect(), 0));
}

/// A message in hand stands in its cell, and stays there.
#[test]
fn a_message_in_hand_is_left_alone() {
    let place = Place::new();
    let mut sender = channel::<Tick>(&place).on_full(OnFull::Fail).sender().unwrap();
    let mut receiver = channel::<Tick>(&place).receiver(Join::Oldest, Slow::Gate).unwrap();
    send(&mut sender, 1);
    let message = receiver.recv().unwrap();
    let mut sent = 1;
    while sender.send(&Tick::numbered(sent)).is_ok() {
        sent += 1;
    }
    assert_eq!((sent, Tick::number(&message)), (CAPACITY, 0));
}

#[test]
fn a_slow_observer_is_told_how_many_it_lost() {
    let place = Place::new();
    let mut sender = channel::<u64>(&place).sender().unwrap();
    let demoted = channel::<u64>(&place).receiver(Join::Oldest, Slow::Demote).unwrap();
    let observer = channel::<u64>(&place).observer(Join::Oldest).unwrap();
    send(&mut sender, 100);
    for mut receiver in [demoted, observer] {
        let (numbers, lost) = take(&mut receiver);
        assert_eq!(numbers, (lost..100).collect::<Vec<_>>());
        assert!((100 - CAPACITY..100).contains(&lost), "half a ring behind the newest: {lost}");
    }
    assert_eq!(sender.bytes().receivers().len(), 0, "they have left");
}

#[test]
fn one_joins_where_it_asked_to() {
    let place = Place::new();
    let mut sender = channel::<u64>(&place).sender().unwrap();
    send(&mut sender, 20);
    let from = |join| {
        let observer = channel::<u64>(&place).observer(join).unwrap();
        let demoted = channel::<u64>(&place).receiver(join, Slow::Demote).unwrap();
        let gated = channel::<u64>(&place).receiver(join, Slow::Gate).unwrap();
        [observer, demoted, gated].map(|mut receiver| take(&mut receiver))
    };
    let numbers = |first| (first..20).collect::<Vec<u64>>();
    assert_eq!(from(Join::Newest), [(numbers(20), 0), (numbers(20), 0), (numbers(20), 0)]);
    assert_eq!(from(Join::At(18)), [(numbers(18), 0), (numbers(18), 0), (numbers(18), 0)]);
    assert_eq!(from(Join::At(99)), [(numbers(20), 0), (numbers(20), 0), (numbers(20), 0)]);
    let [observed, demoted, (gated, missed)] = from(Join::Oldest);
    assert_eq!([observed, demoted], [(numbers(12), 0), (numbers(12), 0)]);
    // What may be written over while it comes is not there for it.
    assert!(missed == 0 && (12..=16).contains(&gated[0]), "{gated:?}");
    // Who asked for what is gone is told so.
    for (read, lost) in from(Join::At(3)) {
        assert_eq!(read, numbers(3 + lost));
    }
}

/// Nobody can be told of an observer, and the memory that it sees cannot be written.
#[test]
fn observers_leave_no_trace() {
    let place = Place::new();
    assert_eq!(
        text(channel::<u64>(&place).observer(Join::Oldest), &place),
        "[dir]/strait-[uid]-test+news: there is no such segment: create it first, or check domain and user"
    );
    let mut sender = channel::<u64>(&place).sender().unwrap();
    send(&mut sender, 4);
    let before = std::fs::read(&place.files()[0]).unwrap();
    let mut observer = channel::<u64>(&place).observer(Join::Oldest).unwrap();
    assert_eq!(take(&mut observer), (vec![0, 1, 2, 3], 0));
    assert!(matches!(
        observer.recv_timeout(Duration::from_millis(3)).map(|_| ()),
        Err(RecvError::Timeout)
    ));
    drop(observer);
    assert_eq!(std::fs::read(&place.files()[0]).unwrap(), before);
}

#[test]
fn places_run_out() {
    let place = Place::new();
    let channel = || channel::<u64>(&place).readers(2);
    let first = channel().receiver(Join::Oldest, Slow::Gate).unwrap();
    let _second = channel().receiver(Join::Oldest, Slow::Gate).unwrap();
    let refused = text(channel().receiver(Join::Oldest, Slow::Gate), &place);
    assert!(refused.starts_with("`news` already has its 2 consumers: "), "{refused}");
    let other = Broadcast::<u64>::named(place.directory.clone(), DOMAIN, NAME).readers(3);
    assert_eq!(
        text(other.sender(), &place),
        "channel `news` exists with sides: one sender and 2 readers of all, and one sender and 3 \
         readers of all was asked for: ask for the same on both sides, leave it out on one, or \
         remove the channel"
    );
    drop(first);
    channel().receiver(Join::Oldest, Slow::Gate).unwrap();
}

#[test]
fn what_rings_of_all_cannot_have_is_refused() {
    let place = Place::new();
    assert_eq!(
        text(channel::<u64>(&place).dense().sender(), &place),
        "channel `news`: a ring of one sender and 16 readers of all has wide cells that hold their \
         messages themselves: leave out `dense()`"
    );
    assert_eq!(
        text(channel::<u64>(&place).arena(4096).sender(), &place),
        "channel `news`: a ring of one sender and 16 readers of all has wide cells that hold their \
         messages themselves: ask for a larger `max_len()`"
    );
    place.assert_empty();
}

/// A channel stays while there is something in it that nobody with a place has read.
#[test]
fn the_last_to_leave_removes_what_was_read() {
    let place = Place::new();
    drop(channel::<u64>(&place).sender().unwrap());
    place.assert_empty();
    let mut sender = channel::<u64>(&place).sender().unwrap();
    send(&mut sender, 3);
    drop(sender);
    let mut observer = channel::<u64>(&place).observer(Join::Oldest).unwrap();
    assert_eq!(take_until_closed(&mut observer), [0, 1, 2]);
    drop(observer);
    let mut receiver = channel::<u64>(&place).receiver(Join::Oldest, Slow::Gate).unwrap();
    assert_eq!(take_until_closed(&mut receiver), [0, 1, 2]);
    drop(receiver);
    place.assert_empty();
}

fn take_until_closed(receiver: &mut BroadcastReceiver<u64>) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        match receiver.recv() {
            Ok(message) => numbers.push(message.to_native()),
            Err(RecvError::Closed(_)) => return numbers,
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn bytes_of_any_length_go_to_all() {
    let place = Place::new();
    let channel = || channel::<Bytes>(&place).max_len(1000);
    let mut sender = channel().sender().unwrap();
    let mut receivers = [
        channel().receiver(Join::Oldest, Slow::Gate).unwrap(),
        channel().receiver(Join::Oldest, Slow::Demote).unwrap(),
        channel().observer(Join::Oldest).unwrap(),
    ];
    let next = |receiver: &mut BroadcastBytesReceiver| receiver.recv().unwrap().to_vec();
    for len in (0..=1000).step_by(41) {
        let bytes: Vec<u8> = (0..len).map(|byte| u8::try_from(byte % 251).unwrap()).collect();
        sender.send(&bytes).unwrap();
        for receiver in &mut receivers {
            assert_eq!(next(receiver), bytes);
        }
    }
    let longest = sender.max_len();
    assert!(sender.send(&vec![0; longest + 1]).is_err());
    sender.try_send(&vec![7; longest]).unwrap();
}

/// Threads that sleep while there is nothing, and a sender that sleeps while they are in the way.
#[test]
fn all_sleep_and_are_woken() {
    const MESSAGES: u64 = 20_000;
    let segment = Broadcast::<u64>::unnamed(NAME).capacity(8).parking().segment().unwrap();
    let segment = std::sync::Arc::new(segment);
    // So long that a wake-up that is lost is noticed.
    let channel = || {
        let slice = Duration::from_secs(20);
        Broadcast::<u64>::given(segment.clone()).wait(Wait::Park).slice(slice)
    };
    let mut receivers: Vec<_> =
        (0..3).map(|_| channel().receiver(Join::Oldest, Slow::Gate).unwrap()).collect();
    receivers.push(channel().receiver(Join::Oldest, Slow::Demote).unwrap());
    let started = std::time::Instant::now();
    thread::scope(|scope| {
        for receiver in &mut receivers {
            scope.spawn(|| {
                let mut next = 0;
                while next < MESSAGES {
                    match receiver.recv() {
                        Ok(message) => {
                            assert_eq!(message.to_native(), next);
                            next += 1;
                        }
                        Err(RecvError::Overrun { lost }) => next += lost,
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
        let mut sender = channel().sender().unwrap();
        (0..MESSAGES).for_each(|number| sender.send(&number).unwrap());
    });
    assert!(started.elapsed() < Duration::from_secs(19), "a wake-up was lost");
}

/// Observers beside a sender that never stops: whole messages, and exact losses.
#[test]
fn what_is_copied_under_the_senders_hands_is_whole() {
    const MESSAGES: u64 = 200_000;
    let place = Place::new();
    let mut sender = channel::<Tick>(&place).sender().unwrap();
    let mut observers: Vec<_> = (0..2)
        .map(|_| channel::<Tick>(&place).wait(Wait::BusySpin).observer(Join::Oldest).unwrap())
        .collect();
    thread::scope(|scope| {
        for observer in &mut observers {
            scope.spawn(|| {
                let (mut seen, mut lost) = (0, 0);
                loop {
                    match observer.recv() {
                        Ok(message) => {
                            assert_eq!(Tick::number(&message), seen + lost, "lost and not told");
                            seen += 1;
                        }
                        Err(RecvError::Overrun { lost: more }) => lost += more,
                        Err(RecvError::Closed(_)) => break,
                        Err(other) => panic!("{other}"),
                    }
                }
                assert_eq!(seen + lost, MESSAGES);
            });
        }
        send(&mut sender, MESSAGES);
        drop(sender);
    });
}

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((what, place)) = job() else { return };
    match what.as_str() {
        "send" => {
            let mut sender = channel::<Tick>(&place).sender().unwrap();
            tell("sending");
            loop {
                send(&mut sender, 1);
            }
        }
        "hold" => {
            let mut receiver = channel::<Tick>(&place).receiver(Join::Oldest, Slow::Gate).unwrap();
            let message = receiver.recv().unwrap();
            tell("holding");
            wait_for_parent();
            drop(message);
        }
        "receive" => {
            let mut receiver = channel::<Tick>(&place).receiver(Join::Newest, Slow::Gate).unwrap();
            tell("receiving");
            loop {
                match receiver.recv() {
                    Ok(message) => assert_eq!(Tick::number(&message), message.position()),
                    // The next sender may not have come yet.
                    Err(RecvError::PeerDied(_)) => {}
                    Err(other) => panic!("{other}"),
                }
            }
        }
        "observe" => {
            let theirs = || channel::<Tick>(&place).of_user(0);
            assert!(matches!(theirs().sender().map(|_| ()), Err(OpenError::Segment(_))));
            let mut observer = theirs().observer(Join::Oldest).unwrap();
            tell("observing");
            while Tick::number(&observer.recv().unwrap()) < CAPACITY - 1 {}
            tell("observed");
            let ended = observer.recv().map(|_| ());
            assert!(matches!(ended, Err(RecvError::Closed(_))), "{ended:?}");
        }
        other => panic!("no such job: {other}"),
    }
}

/// A receiver dies with a message in hand: the sender, which it held up, leaves it behind.
#[test]
fn a_dead_receiver_is_left_behind() {
    let place = Place::new();
    let mut sender = channel::<Tick>(&place).sender().unwrap();
    let mut holder = Actor::spawn("hold", &place);
    let mut receiver = channel::<Tick>(&place).receiver(Join::Oldest, Slow::Gate).unwrap();
    eventually("the other receiver", || sender.bytes().receivers().len() == 2);
    send(&mut sender, CAPACITY);
    assert_eq!(holder.hear(), "holding");
    assert_eq!(take(&mut receiver).0.len(), 8);
    assert_eq!(sender.try_send(&Tick::numbered(8)), Err(SendError::Full));
    holder.pause();
    assert_eq!(
        sender.send_timeout(&Tick::numbered(8), 10 * SLICE),
        Err(SendError::Timeout),
        "a paused receiver is alive"
    );
    holder.kill();
    send(&mut sender, CAPACITY);
    assert_eq!(take(&mut receiver).0.len(), 8);
    assert_eq!(sender.bytes().receivers().len(), 1);
}

/// A sender is killed at any moment, again and again. Who is waited for misses nothing that was published,
/// in whatever order others come and go; an observer has whole messages and exact losses; nobody sticks.
#[test]
fn senders_and_receivers_are_killed_at_any_moment() {
    let place = Place::new();
    let mut receiver = channel::<Tick>(&place).receiver(Join::Oldest, Slow::Gate).unwrap();
    let mut observer = channel::<Tick>(&place).observer(Join::Oldest).unwrap();
    let (mut received, mut seen, mut lost) = (0, 0, 0);
    for round in 0..60_u64 {
        let mut sender = Actor::spawn("send", &place);
        let mut others = Actor::spawn("receive", &place);
        assert_eq!(sender.hear(), "sending");
        // Slow now and then, so that the sender dies waiting as well.
        let until = received + 1 + round * 977 % 20_000;
        while received < until {
            let message = receiver.recv().unwrap();
            assert_eq!(Tick::number(&message), received, "lost or repeated");
            received += 1;
            drop(message);
            match observer.try_recv() {
                Ok(message) => {
                    assert_eq!(Tick::number(&message), seen + lost);
                    seen += 1;
                }
                Err(RecvError::Overrun { lost: more }) => lost += more,
                Err(RecvError::Empty) => {}
                Err(other) => panic!("{other}"),
            }
        }
        if round % 2 == 0 {
            others.kill();
            let message = receiver.recv().unwrap();
            assert_eq!(Tick::number(&message), received);
            received += 1;
        }
        sender.kill();
    }
    let peer = receiver.bytes().peer().probe();
    assert_eq!(peer, Peer::Died);
    loop {
        match receiver.recv() {
            Ok(message) => {
                assert_eq!(Tick::number(&message), received, "lost or repeated");
                received += 1;
            }
            Err(RecvError::PeerDied(_)) => break,
            Err(other) => panic!("{other}"),
        }
    }
    let mut sender = channel::<Tick>(&place).sender().unwrap();
    assert_eq!(sender.bytes().position(), received, "what was published, and no more");
    send(&mut sender, 1);
    assert_eq!(take(&mut receiver), (vec![received], 0));
    let (numbers, more) = take(&mut observer);
    assert_eq!(seen + lost + more + numbers.len() as u64, received + 1, "lost and not told");
}

/// An observer that nobody tells of a death finds out by itself.
#[test]
fn observers_learn_of_a_death() {
    let place = Place::new();
    let mut sender = Actor::spawn("send", &place);
    assert_eq!(sender.hear(), "sending");
    let mut observer = channel::<Tick>(&place).observer(Join::Newest).unwrap();
    sender.kill();
    loop {
        match observer.recv().map(|_| ()) {
            Ok(()) | Err(RecvError::Overrun { .. }) => {}
            Err(RecvError::PeerDied(gone)) => {
                assert_eq!(gone.holder.pid, sender.pid());
                break;
            }
            Err(other) => panic!("{other}"),
        }
    }
    let name = SegmentName::new(DOMAIN, NAME).unwrap();
    drop(observer);
    assert!(Segment::remove(&place.directory, &name).unwrap());
    assert_eq!(Segment::remove_if(&place.directory, &name, |_| true).unwrap(), Removal::Absent);
}

/// Another user observes a channel that was made for that, and no other.
#[test]
fn another_user_observes_what_it_may() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    if !rustix::process::geteuid().is_root() {
        println!("skipped: two users: it takes root");
        return;
    }
    let place = Place::new();
    // Whoever may go through the directory, in which all may make files.
    let open = std::fs::Permissions::from_mode(0o1777);
    std::fs::set_permissions(place.path(), open).unwrap();
    let mut sender = channel::<Tick>(&place).readable_by_others().sender().unwrap();
    let mode = std::fs::metadata(place.file(NAME)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    let mut observer = Actor::spawn_with("observe", &place, |command| {
        command.uid(61_001).gid(61_001);
    });
    assert_eq!(observer.hear(), "observing");
    send(&mut sender, CAPACITY);
    assert_eq!(observer.hear(), "observed");
    assert_eq!(sender.bytes().receivers().len(), 0, "it has no place");
    drop(sender);
    observer.finish();
    // The channel stays, as nobody with a place has read it; but others may not see every channel.
    let private = Broadcast::<Tick>::named(place.directory.clone(), DOMAIN, "private");
    let _sender = private.sender().unwrap();
    let mode = std::fs::metadata(place.file("private")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
