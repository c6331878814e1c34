//! Sides that sleep until the other wakes them, and the descriptors of those that wait elsewhere.
//!
//! Most of it runs with slices switched off: a wake-up that is lost is then a hang.

mod channel;

use channel::{Actor, HANG, Numbered, Place, SLICE, Tick, job, tell};
use channel::{eventually, wait_for_parent};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::BorrowedFd;
use std::thread;
use std::time::Duration;
use strait_ipc::channel::{
    DescriptorError, OpenError, Receiver, RecvError, SendError, Sender, Spsc, Wait,
};

const NAME: &str = "sleepers";
const MESSAGES: u64 = 200;

/// A channel whose sides sleep, and are woken by each other or not at all.
fn sleeping(place: &Place) -> Spsc<Tick> {
    place.spsc(NAME).capacity(4).wait(Wait::Park).slice(Duration::MAX)
}

fn pair(wait: Wait) -> (Sender<Tick>, Receiver<Tick>) {
    Spsc::<Tick>::unnamed("pair").capacity(4).wait(wait).slice(Duration::MAX).pair().unwrap()
}

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((what, place)) = job() else { return };
    match what.as_str() {
        "send-slowly" => {
            let mut sender = sleeping(&place).sender().unwrap();
            for number in 0..MESSAGES {
                if number % 10 == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
                sender.send(&Tick::numbered(number)).unwrap();
            }
        }
        "receive-slowly" => {
            let mut receiver = sleeping(&place).receiver().unwrap();
            tell("open");
            for number in 0..MESSAGES {
                if number % 10 == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
                assert_eq!(Tick::number(&receiver.recv().unwrap()), number);
            }
        }
        "hold" => {
            let _sender = sleeping(&place).sender().unwrap();
            tell("open");
            wait_for_parent();
        }
        "send-when-told" => {
            let mut sender = sleeping(&place).sender().unwrap();
            tell("open");
            for number in 0..2 {
                wait_for_parent();
                sender.send(&Tick::numbered(number)).unwrap();
            }
        }
        other => panic!("no such job: {other}"),
    }
}

#[test]
fn a_receiver_sleeps_until_a_message_comes_or_the_sender_closes() {
    let place = Place::new();
    let mut receiver = sleeping(&place).receiver().unwrap();
    let mut child = Actor::spawn("send-slowly", &place);
    for number in 0..MESSAGES {
        assert_eq!(Tick::number(&receiver.recv().unwrap()), number);
    }
    assert!(matches!(receiver.recv(), Err(RecvError::Closed(_))));
    child.finish();
}

#[test]
fn a_sender_sleeps_until_there_is_room() {
    let place = Place::new();
    let mut child = Actor::spawn("receive-slowly", &place);
    assert_eq!(child.hear(), "open");
    let mut sender = sleeping(&place).sender().unwrap();
    for number in 0..MESSAGES {
        sender.send(&Tick::numbered(number)).unwrap();
    }
    child.finish();
    for number in 0..4 {
        sender.send(&Tick::numbered(number)).unwrap();
    }
    assert!(matches!(sender.send(&Tick::numbered(4)), Err(SendError::Closed(_))));
}

#[test]
fn a_sleeper_notices_a_death_at_the_end_of_its_slice() {
    let place = Place::new();
    let mut child = Actor::spawn("hold", &place);
    assert_eq!(child.hear(), "open");
    let mut receiver = sleeping(&place).slice(SLICE).receiver().unwrap();
    thread::scope(|scope| {
        let receiving = scope.spawn(|| matches!(receiver.recv(), Err(RecvError::PeerDied(_))));
        thread::sleep(2 * SLICE);
        assert!(!receiving.is_finished());
        child.kill();
        assert!(receiving.join().unwrap());
    });
}

#[test]
fn every_strategy_works_on_a_channel_whose_sides_may_sleep() {
    for wait in [Wait::BusySpin, Wait::Backoff, Wait::Yield, Wait::Park, Wait::Adaptive] {
        let channel = Spsc::<Tick>::unnamed("pair").capacity(2).parking().wait(wait).pauses(2);
        let (mut sender, mut receiver) =
            channel.spin(Duration::from_micros(5)).slice(Duration::MAX).pair().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    sender.send(&Tick::numbered(number)).unwrap();
                }
            });
            for number in 0..MESSAGES {
                assert_eq!(Tick::number(&receiver.recv().unwrap()), number);
            }
            assert!(matches!(receiver.recv(), Err(RecvError::Closed(_))), "{wait:?}");
        });
    }
}

#[test]
fn timeouts_of_sleepers() {
    let (mut sender, mut receiver) = pair(Wait::Park);
    for timeout in [Duration::ZERO, Duration::from_millis(5)] {
        assert_eq!(receiver.recv_timeout(timeout).unwrap_err(), RecvError::Timeout);
        for number in 0..4 {
            sender.send_timeout(&Tick::numbered(number), timeout).unwrap();
        }
        assert_eq!(sender.send_timeout(&Tick::numbered(4), timeout), Err(SendError::Timeout));
        receiver.drain(4, |_| {}).unwrap();
    }
}

#[test]
fn whether_sides_may_sleep_is_settled_when_the_channel_is_made() {
    let place = Place::new();
    let _sender = place.spsc::<u64>(NAME).sender().unwrap();
    for asking in [place.spsc::<u64>(NAME).wait(Wait::Adaptive), place.spsc(NAME).parking()] {
        let refused = asking.receiver().unwrap_err();
        assert!(matches!(refused, OpenError::GeometryMismatch { .. }));
        insta::allow_duplicates! {
            insta::assert_snapshot!(refused, @"channel `sleepers` exists with sides that never sleep, and sides that may sleep was asked for: ask for the same on both sides, leave it out on one, or remove the channel");
        }
    }
    // The other way round, whoever does not sleep need not know.
    let mut sender = place.spsc::<u64>("other").parking().sender().unwrap();
    let mut receiver = place.spsc::<u64>("other").wait(Wait::BusySpin).receiver().unwrap();
    sender.send(&7).unwrap();
    assert_eq!(*receiver.recv().unwrap(), 7);
}

fn readable(descriptor: BorrowedFd<'_>, within: Duration) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::try_from(within).unwrap())).unwrap() == 1
}

const NOW: Duration = Duration::ZERO;

#[test]
fn a_descriptor_is_readable_when_there_is_a_message() {
    let (mut sender, mut receiver) = pair(Wait::Park);
    sender.send(&Tick::numbered(0)).unwrap();
    assert!(readable(receiver.descriptor().unwrap(), NOW), "a message was there before");
    assert_eq!(Tick::number(&receiver.try_recv().unwrap()), 0);
    assert!(readable(receiver.descriptor().unwrap(), NOW), "nobody has said that it is empty");
    assert_eq!(receiver.try_recv().unwrap_err(), RecvError::Empty);
    assert!(!readable(receiver.descriptor().unwrap(), NOW));

    for number in 1..4 {
        sender.send(&Tick::numbered(number)).unwrap();
    }
    assert!(readable(receiver.descriptor().unwrap(), HANG));
    assert_eq!(receiver.drain(usize::MAX, |_| {}), Ok(3));
    assert!(!readable(receiver.descriptor().unwrap(), NOW), "draining has found it empty");

    // It does not matter how it was received in the meantime.
    sender.send(&Tick::numbered(4)).unwrap();
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 4);
    assert_eq!(receiver.try_recv().unwrap_err(), RecvError::Empty);
    assert!(!readable(receiver.descriptor().unwrap(), NOW));

    drop(sender);
    assert!(readable(receiver.descriptor().unwrap(), HANG), "closing rings");
    assert!(matches!(receiver.try_recv(), Err(RecvError::Closed(_))));
}

#[test]
fn a_senders_descriptor_is_readable_when_there_is_room() {
    let (mut sender, mut receiver) = pair(Wait::Park);
    assert!(readable(sender.descriptor().unwrap(), NOW));
    let fill = |sender: &mut Sender<Tick>| {
        while sender.try_send(&Tick::numbered(0)).is_ok() {}
    };
    fill(&mut sender);
    assert!(!readable(sender.descriptor().unwrap(), NOW));
    receiver.drain(4, |_| {}).unwrap();
    assert!(readable(sender.descriptor().unwrap(), HANG));
    fill(&mut sender);
    drop(receiver);
    assert!(readable(sender.descriptor().unwrap(), HANG), "closing rings");
    assert!(matches!(sender.try_send(&Tick::numbered(0)), Err(SendError::Closed(_))));
}

#[test]
fn a_descriptor_is_rung_from_another_process() {
    let place = Place::new();
    let mut child = Actor::spawn("send-when-told", &place);
    assert_eq!(child.hear(), "open");
    let mut receiver = sleeping(&place).receiver().unwrap();
    receiver.descriptor().unwrap();
    for number in 0..2 {
        assert_eq!(receiver.try_recv().unwrap_err(), RecvError::Empty);
        child.go_on();
        assert!(readable(receiver.descriptor().unwrap(), HANG));
        assert_eq!(Tick::number(&receiver.try_recv().unwrap()), number);
    }
    child.finish();
}

#[test]
fn a_descriptor_tells_of_a_death_at_the_end_of_a_slice() {
    let place = Place::new();
    let mut child = Actor::spawn("hold", &place);
    assert_eq!(child.hear(), "open");
    let mut receiver = sleeping(&place).slice(SLICE).receiver().unwrap();
    receiver.descriptor().unwrap();
    child.kill();
    eventually("the news of the death", || {
        assert!(readable(receiver.descriptor().unwrap(), HANG));
        match receiver.try_recv().unwrap_err() {
            RecvError::PeerDied(_) => true,
            RecvError::Empty => false,
            other => panic!("{other}"),
        }
    });
}

#[test]
fn a_bell_is_gone_with_its_receiver_and_the_next_one_has_its_own() {
    let place = Place::new();
    let mut sender = sleeping(&place).sender().unwrap();
    for number in 0..3 {
        let mut receiver = sleeping(&place).receiver().unwrap();
        receiver.descriptor().unwrap();
        assert_eq!(receiver.try_recv().unwrap_err(), RecvError::Empty);
        sender.send(&Tick::numbered(number)).unwrap();
        assert!(readable(receiver.descriptor().unwrap(), HANG));
        assert_eq!(Tick::number(&receiver.try_recv().unwrap()), number);
        assert_eq!(receiver.try_recv().unwrap_err(), RecvError::Empty);
    }
    // Nobody is there to be woken.
    sender.send(&Tick::numbered(3)).unwrap();
}

#[test]
fn there_is_no_descriptor_where_nobody_sleeps() {
    let (mut sender, mut receiver) = Spsc::<u64>::unnamed("raw").pair().unwrap();
    let refused = receiver.descriptor().unwrap_err();
    assert!(matches!(refused, DescriptorError::NeverSleeps { .. }));
    insta::assert_snapshot!(refused, @"channel `raw` was made for sides that never sleep, which have no descriptor: ask for `parking()` or `wait(Wait::Park)` on both sides");
    assert!(sender.descriptor().is_err());
}
