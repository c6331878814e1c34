//! What one side learns when the other closes, dies, or merely stands still; who may have a side; and
//! what is left of a channel when both are gone.

mod channel;

use channel::{Actor, HANG, Numbered, Order, Place, SLICE, Tick, job, redact, tell, text};
use channel::{eventually, wait_for_parent};
use strait_ipc::channel::{OnFull, Receiver, RecvError, SendError, Sender};

const NAME: &str = "flow";

fn sender(place: &Place) -> Sender<Tick> {
    place.spsc::<Tick>(NAME).capacity(4).sender().unwrap()
}

fn send(sender: &mut Sender<Tick>, numbers: std::ops::Range<u64>) {
    for number in numbers {
        sender.try_send(&Tick::numbered(number)).unwrap();
    }
}

fn drain(receiver: &mut Receiver<Tick>) -> Vec<u64> {
    let mut numbers = vec![];
    receiver.drain(usize::MAX, |tick| numbers.push(Tick::number(tick))).unwrap();
    numbers
}

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((what, place)) = job() else { return };
    match what.as_str() {
        "send-three" => {
            let mut sender = sender(&place);
            send(&mut sender, 0..3);
            tell("sent");
            wait_for_parent();
        }
        "send-three-and-one" => {
            let mut sender = sender(&place);
            send(&mut sender, 0..3);
            tell("sent");
            wait_for_parent();
            send(&mut sender, 3..4);
        }
        "receive-one" => {
            let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
            tell("open");
            assert_eq!(Tick::number(&receiver.recv().unwrap()), 0);
            tell("received");
            wait_for_parent();
        }
        other => panic!("no such job: {other}"),
    }
}

/// The text of an error about a peer that is gone, whose pid must be the actor's.
#[track_caller]
fn gone(error: &dyn std::fmt::Display, actor: &Actor, place: &Place) -> String {
    let text = error.to_string();
    assert!(text.contains(&format!("pid {} channel_gone", actor.pid())), "{text}");
    redact(&text, place)
}

#[test]
fn a_receiver_gets_everything_and_then_learns_of_the_close() {
    let place = Place::new();
    let mut actor = Actor::spawn("send-three", &place);
    actor.hear();
    let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    actor.go_on();
    actor.finish();
    for number in 0..3 {
        assert_eq!(Tick::number(&receiver.recv().unwrap()), number);
    }
    let closed = receiver.try_recv().unwrap_err();
    insta::assert_snapshot!(gone(&closed, &actor, &place), @"everything was read, and the peer on `flow` (pid [pid] [program], since [time]) closed at [time]");
    assert_eq!(receiver.recv().unwrap_err(), closed);
    assert_eq!(receiver.recv_timeout(HANG).unwrap_err(), closed);
    assert!(matches!(closed, RecvError::Closed(_)));
}

#[test]
fn a_receiver_drains_what_a_killed_sender_left() {
    let place = Place::new();
    let mut actor = Actor::spawn("send-three", &place);
    actor.hear();
    actor.kill();
    let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    for number in 0..3 {
        assert_eq!(Tick::number(&receiver.recv().unwrap()), number);
    }
    // Without a system call, a dead sender is a silent one.
    assert_eq!(receiver.try_recv().unwrap_err(), RecvError::Empty);
    let died = receiver.recv().unwrap_err();
    insta::assert_snapshot!(gone(&died, &actor, &place), @"everything was read, and the peer on `flow` (pid [pid] [program], since [time]) died without closing, as was noticed at [time]");
    assert_eq!(receiver.recv_timeout(HANG).unwrap_err(), died);
    assert!(matches!(died, RecvError::PeerDied(_)));
}

#[test]
fn a_death_during_the_wait_ends_it() {
    let place = Place::new();
    let mut actor = Actor::spawn("send-three", &place);
    actor.hear();
    let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    assert_eq!(drain(&mut receiver), [0, 1, 2]);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| receiver.recv().map(drop));
        std::thread::sleep(5 * SLICE);
        assert!(!waiting.is_finished(), "its sender lives");
        actor.kill();
        assert!(matches!(waiting.join().unwrap(), Err(RecvError::PeerDied(_))));
    });
}

#[test]
fn a_sender_with_a_full_ring_learns_that_its_receiver_closed() {
    let place = Place::new();
    let mut sender = sender(&place);
    send(&mut sender, 0..4);
    let mut actor = Actor::spawn("receive-one", &place);
    assert_eq!((actor.hear(), actor.hear()), ("open".into(), "received".into()));
    actor.go_on();
    actor.finish();
    // There is room for one, for the next receiver.
    sender.send(&Tick::numbered(4)).unwrap();
    let closed = sender.send(&Tick::numbered(5)).unwrap_err();
    insta::assert_snapshot!(gone(&closed, &actor, &place), @"the ring is full, and the peer on `flow` (pid [pid] [program], since [time]) closed at [time]");
    assert!(matches!(closed, SendError::Closed(_)));
    assert_eq!(sender.send_timeout(&Tick::numbered(5), HANG), Err(closed.clone()));
    assert_eq!(sender.loan().map(drop).unwrap_err(), closed);
    let ticks = [Tick::numbered(5)];
    assert_eq!(sender.send_all(&ticks), Err((0, closed)));
    // Not waiting, it does not look.
    assert_eq!(sender.try_send(&Tick::numbered(5)), Err(SendError::Full));
    assert_eq!(sender.position(), 5);
}

#[test]
fn a_sender_with_a_full_ring_learns_that_its_receiver_was_killed() {
    let place = Place::new();
    let mut sender = sender(&place);
    let mut actor = Actor::spawn("receive-one", &place);
    assert_eq!(actor.hear(), "open");
    send(&mut sender, 0..1);
    assert_eq!(actor.hear(), "received");
    send(&mut sender, 1..4);
    actor.kill();
    // The one it received may be released or not.
    let died = sender.send_all(&[Tick::numbered(4), Tick::numbered(5)]).unwrap_err().1;
    insta::assert_snapshot!(gone(&died, &actor, &place), @"the ring is full, and the peer on `flow` (pid [pid] [program], since [time]) died without closing, as was noticed at [time]");
    assert!(matches!(died, SendError::PeerDied(_)));
}

#[test]
fn a_stopped_sender_is_not_dead() {
    let place = Place::new();
    let mut actor = Actor::spawn("send-three-and-one", &place);
    actor.hear();
    let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    assert_eq!(drain(&mut receiver), [0, 1, 2]);
    actor.pause();
    actor.go_on();
    assert_eq!(receiver.recv_timeout(20 * SLICE).unwrap_err(), RecvError::Timeout);
    actor.resume();
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 3);
    assert!(matches!(receiver.recv(), Err(RecvError::Closed(_))));
    actor.finish();
}

#[test]
fn a_stopped_receiver_is_not_dead() {
    let place = Place::new();
    let mut sender = sender(&place);
    let mut actor = Actor::spawn("receive-one", &place);
    assert_eq!(actor.hear(), "open");
    actor.pause();
    send(&mut sender, 0..4);
    let timeout = sender.send_timeout(&Tick::numbered(4), 20 * SLICE);
    assert_eq!(timeout, Err(SendError::Timeout));
    actor.resume();
    sender.send(&Tick::numbered(4)).unwrap();
    assert_eq!(actor.hear(), "received");
    actor.go_on();
    actor.finish();
}

#[test]
fn the_last_to_close_removes_a_channel_that_was_read() {
    let place = Place::new();
    let mut actor = Actor::spawn("send-three", &place);
    actor.hear();
    let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    assert_eq!(drain(&mut receiver), [0, 1, 2]);
    drop(receiver);
    assert_eq!(place.files(), [place.file(NAME)], "its sender is still there");
    actor.go_on();
    actor.finish();
    place.assert_empty();
}

#[test]
fn a_channel_with_unread_messages_stays_for_a_later_receiver() {
    let place = Place::new();
    let mut actor = Actor::spawn("send-three", &place);
    actor.hear();
    actor.go_on();
    actor.finish();
    assert_eq!(place.files(), [place.file(NAME)]);

    let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 0);
    drop(receiver);
    assert_eq!(place.files(), [place.file(NAME)], "two are left");

    let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    assert_eq!(receiver.position(), 1);
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 1);
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 2);
    let closed = receiver.recv().unwrap_err();
    assert!(matches!(closed, RecvError::Closed(_)));
    gone(&closed, &actor, &place);
    drop(receiver);
    place.assert_empty();
}

#[test]
fn a_channel_that_outlived_a_death_is_removed_by_the_next_to_close() {
    let place = Place::new();
    let mut actor = Actor::spawn("send-three", &place);
    actor.hear();
    actor.kill();
    let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    assert_eq!(drain(&mut receiver), [0, 1, 2]);
    drop(receiver);
    place.assert_empty();
}

#[test]
fn a_side_belongs_to_one_process() {
    let place = Place::new();
    let mut actor = Actor::spawn("send-three", &place);
    actor.hear();
    let second = place.spsc::<Tick>(NAME).sender();
    assert!(second.as_ref().unwrap_err().to_string().contains(&format!("pid {}", actor.pid())));
    insta::assert_snapshot!(text(second, &place), @"`flow` already has a producer: pid [pid] [program], since [time]");

    // A paused one keeps it, a dead one does not.
    actor.pause();
    assert!(place.spsc::<Tick>(NAME).sender().is_err());
    actor.kill();
    let mut successor = place.spsc::<Tick>(NAME).sender().unwrap();
    assert_eq!(successor.position(), 3);
    send(&mut successor, 3..4);
    let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    assert_eq!(drain(&mut receiver), [0, 1, 2, 3]);
}

#[test]
fn a_side_belongs_to_one_owner_within_a_process() {
    let place = Place::new();
    let _sender = sender(&place);
    let _receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    insta::assert_snapshot!(text(place.spsc::<Tick>(NAME).sender(), &place), @"`flow` already has a producer: pid [pid] [program], since [time]");
    insta::assert_snapshot!(text(place.spsc::<Tick>(NAME).receiver(), &place), @"`flow` already has a consumer: pid [pid] [program], since [time]");
}

#[test]
fn a_policy_that_does_not_wait_never_asks_for_the_receiver() {
    let place = Place::new();
    let mut sender =
        place.spsc::<Order>(NAME).capacity(1).on_full(OnFull::DropNewest).sender().unwrap();
    let receiver = place.spsc::<Order>(NAME).receiver().unwrap();
    drop(receiver);
    for number in 0..10 {
        sender.send(&Order::numbered(number)).unwrap();
    }
    assert_eq!((sender.position(), sender.dropped()), (1, 9));
    let mut receiver = place.spsc::<Order>(NAME).receiver().unwrap();
    assert_eq!(receiver.dropped(), 9);
    assert_eq!(Order::number(&receiver.recv().unwrap()), 0);
    eventually("the freed cell", || sender.try_send(&Order::numbered(10)).is_ok());
    assert_eq!(Order::number(&receiver.recv().unwrap()), 10);
}
