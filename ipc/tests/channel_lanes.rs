//! Many senders and one receiver: in order for each, whoever comes, goes or is killed; and nobody waits
//! for ever behind a busier one.

mod channel;

use channel::wait_for_parent;
use channel::{Actor, Numbered, Order, Place, Tick, eventually, job, redact, tell};
use std::collections::BTreeMap;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;
use strait_ipc::channel::{Bytes, Lanes, LanesReceiver, RecvError, SendError, Sender, Wait};
use strait_pools::environment::{Liveness, Peer};

const NAME: &str = "orders";

fn lanes(place: &Place, senders: u32) -> Lanes<Tick> {
    place.lanes::<Tick>(NAME).senders(senders).capacity(8)
}

/// Which lane a sender has: the receiver sees it come.
fn send(sender: &mut Sender<Tick>, numbers: std::ops::Range<u64>) {
    for number in numbers {
        sender.send(&Tick::numbered(number)).unwrap();
    }
}

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((what, place)) = job() else { return };
    let mut sender = lanes(&place, 3).sender().unwrap();
    match what.as_str() {
        "send for ever" => {
            tell("ready");
            for number in sender.position().. {
                sender.send(&Tick::numbered(number)).unwrap();
            }
        }
        "send four" => {
            send(&mut sender, 0..4);
            tell("sent");
            wait_for_parent();
        }
        other => panic!("no such job: {other}"),
    }
}

/// By lane, the numbers that were received until all senders were gone.
fn receive_all(receiver: &mut LanesReceiver<Tick>) -> BTreeMap<u32, Vec<u64>> {
    let mut received = BTreeMap::<u32, Vec<u64>>::new();
    loop {
        let drained = receiver.drain(100, |lane, tick| {
            received.entry(lane).or_default().push(Tick::number(tick));
        });
        match drained {
            Ok(_) => {}
            Err(RecvError::Empty) => thread::yield_now(),
            Err(RecvError::Closed(_)) => return received,
            Err(error) => panic!("{error}"),
        }
    }
}

fn exchange(senders: u32, each: u64, open: impl Fn() -> Lanes<Tick>) {
    let mut receiver = open().receiver().unwrap();
    assert_eq!(receiver.lanes(), senders as usize);
    let received = thread::scope(|scope| {
        // All are there before the first may go, so that each has a lane of its own.
        let all: Vec<_> = (0..senders).map(|_| open().sender().unwrap()).collect();
        for mut sender in all {
            scope.spawn(move || send(&mut sender, 0..each));
        }
        receive_all(&mut receiver)
    });
    let expected = (0..senders).map(|lane| (lane, (0..each).collect())).collect();
    assert_eq!(received, expected);
}

#[test]
fn each_sender_s_messages_arrive_in_order() {
    for senders in [1, 2, 16] {
        let place = Place::new();
        exchange(senders, 2_000, || lanes(&place, senders));
        place.assert_empty();
    }
}

#[test]
fn of_many_senders_each_is_found() {
    for senders in [17, 100, 256] {
        let place = Place::new();
        exchange(senders, 50, || lanes(&place, senders));
    }
}

#[test]
fn a_receiver_of_few_or_many_that_sleeps_is_woken_by_each() {
    for senders in [3, 20] {
        let place = Place::new();
        let open = || lanes(&place, senders).wait(Wait::Park).slice(channel::HANG);
        let mut receiver = open().receiver().unwrap();
        thread::scope(|scope| {
            for _ in 0..senders {
                let mut sender = open().sender().unwrap();
                scope.spawn(move || {
                    // So that the receiver is asleep, mostly.
                    for number in 0..10 {
                        thread::sleep(Duration::from_millis(1));
                        sender.send(&Tick::numbered(number)).unwrap();
                    }
                });
            }
            let mut next = [0; 10];
            for _ in 0..10 * senders {
                let sample = receiver.recv().unwrap();
                let position = usize::try_from(Tick::number(&sample)).unwrap();
                next[position] += 1;
            }
            assert!(next.iter().all(|&times| times == senders), "{next:?}");
            assert!(matches!(receiver.recv(), Err(RecvError::Closed(_))));
        });
    }
}

#[test]
fn a_full_lane_blocks_its_own_sender_only() {
    let place = Place::new();
    let mut receiver = lanes(&place, 2).receiver().unwrap();
    let (mut first, mut second) =
        (lanes(&place, 2).sender().unwrap(), lanes(&place, 2).sender().unwrap());
    send(&mut first, 0..8);
    assert!(matches!(first.try_send(&Tick::numbered(8)), Err(SendError::Full)));
    second.try_send(&Tick::numbered(0)).unwrap();
    drop((first, second));
    let received = receive_all(&mut receiver);
    assert_eq!(received, BTreeMap::from([(0, (0..8).collect()), (1, vec![0])]));
}

#[test]
fn senders_come_and_go_while_it_runs() {
    let place = Place::new();
    let mut receiver = lanes(&place, 2).receiver().unwrap();
    assert!(matches!(receiver.try_recv(), Err(RecvError::Empty)), "nobody has come yet");
    for round in 0..50 {
        let mut first = lanes(&place, 2).sender().unwrap();
        let mut second = lanes(&place, 2).sender().unwrap();
        assert_eq!((first.position(), second.position()), (round, round));
        send(&mut first, round..round + 1);
        drop(first);
        // One is still there.
        assert_eq!(Tick::number(&receiver.recv().unwrap()), round);
        assert!(matches!(receiver.try_recv(), Err(RecvError::Empty)));
        send(&mut second, round..round + 1);
        drop(second);
        assert_eq!(Tick::number(&receiver.recv().unwrap()), round);
        assert!(matches!(receiver.recv(), Err(RecvError::Closed(_))));
    }
}

#[test]
fn that_all_lanes_are_taken_is_an_error_that_names_who_has_them() {
    let place = Place::new();
    let _both = (lanes(&place, 2).sender().unwrap(), lanes(&place, 2).sender().unwrap());
    let error = lanes(&place, 2).sender().unwrap_err().to_string();
    let pid = format!("pid {} channel_lanes", std::process::id());
    assert!(error.contains("`orders` already has its 2 producers: "), "{error}");
    assert_eq!(error.matches(&pid).count(), 2, "{error}");
    let _receiver = lanes(&place, 2).receiver().unwrap();
    let error = lanes(&place, 2).receiver().unwrap_err().to_string();
    assert!(error.contains("`orders` already has a consumer: pid "), "{error}");
}

#[test]
fn another_number_of_lanes_or_another_discipline_is_refused() {
    let place = Place::new();
    let _receiver = lanes(&place, 2).receiver().unwrap();
    let other = lanes(&place, 3).receiver().unwrap_err().to_string();
    insta::assert_snapshot!(other, @"channel `orders` exists with sides: 2 senders with a ring each, and one receiver, and 3 senders with a ring each, and one receiver was asked for: ask for the same on both sides, leave it out on one, or remove the channel");
    let spsc = place.spsc::<Tick>(NAME).receiver().unwrap_err().to_string();
    insta::assert_snapshot!(spsc, @"channel `orders` exists with sides: 2 senders with a ring each, and one receiver, and one sender and one receiver was asked for: ask for the same on both sides, leave it out on one, or remove the channel");
    insta::assert_snapshot!(lanes(&place, 0).sender().unwrap_err().to_string(), @"channel `orders`: a ring cannot have 0 senders with a ring each, and one receiver: 1 to 256 of each kind are possible");
    // Whoever asks for no number takes what there is.
    let default = place.lanes::<Tick>(NAME).sender().unwrap();
    assert_eq!(default.channel(), NAME);
}

#[test]
fn a_sender_that_is_killed_loses_nothing_and_holds_up_nobody() {
    let place = Place::new();
    let mut receiver = lanes(&place, 3).receiver().unwrap();
    let mut own = lanes(&place, 3).sender().unwrap();
    for round in 0..20 {
        let mut busy = Actor::spawn("send for ever", &place);
        assert_eq!(busy.hear(), "ready");
        let next = receiver.position(1).unwrap();
        for number in next..next + 100 {
            assert_eq!(Tick::number(&receiver.recv().unwrap()), number, "in lane 1");
        }
        busy.kill();
        // What it published is there, without a gap; and then it is the next one's turn.
        let mut next = next + 100;
        while let Ok(sample) = receiver.try_recv() {
            assert_eq!(Tick::number(&sample), next);
            next += 1;
        }
        own.send(&Tick::numbered(round)).unwrap();
        assert_eq!(Tick::number(&receiver.recv().unwrap()), round, "round {round}");
    }
    drop(own);
    let error = receiver.recv().unwrap_err();
    assert!(matches!(error, RecvError::PeerDied(_)), "of all that are gone one has died: {error}");
    assert!(redact(&error.to_string(), &place).contains("died"), "{error}");
    assert!(matches!(receiver.peer(1).unwrap().condition(), strait_ipc::endpoint::Condition::Died));
}

#[test]
fn a_receiver_s_successor_reads_on_in_all_lanes() {
    let place = Place::new();
    let mut first = lanes(&place, 3).receiver().unwrap();
    let mut children: Vec<_> = (0..3).map(|_| Actor::spawn("send four", &place)).collect();
    for child in &mut children {
        assert_eq!(child.hear(), "sent");
    }
    let mut taken = first.drain(5, |_, _| {}).unwrap();
    drop(first);
    let mut second = lanes(&place, 3).receiver().unwrap();
    eventually("all twelve are read", || {
        taken += second.drain(100, |_, _| {}).unwrap_or(0);
        taken == 12
    });
    for mut child in children {
        child.kill();
    }
    eventually("their deaths are noticed", || {
        matches!(second.recv_timeout(Duration::from_millis(5)), Err(RecvError::PeerDied(_)))
    });
}

#[test]
fn rich_and_large_messages_lie_in_each_lane_s_own_arena() {
    let place = Place::new();
    let open = || place.lanes::<Order>(NAME).senders(2).capacity(4).max_len(64).arena(8 << 10);
    let mut receiver = open().receiver().unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            let mut sender = open().sender().unwrap();
            scope.spawn(move || {
                (0..500).for_each(|number| sender.send(&Order::numbered(number)).unwrap());
            });
        }
        let mut next = [0, 0];
        while next != [500, 500] {
            let drained = receiver.drain(100, |lane, order| {
                let next = &mut next[lane as usize];
                assert_eq!(Order::number(order), *next, "in lane {lane}");
                *next += 1;
            });
            if drained.is_err() {
                thread::yield_now();
            }
        }
    });
}

#[test]
fn bytes_come_with_the_number_of_their_lane() {
    let place = Place::new();
    let open = || place.lanes::<Bytes>(NAME).senders(2).schema("text").max_len(64);
    let mut receiver = open().receiver().unwrap();
    let mut senders = [open().sender().unwrap(), open().sender().unwrap()];
    for (lane, sender) in (0_u8..).zip(&mut senders) {
        let mut claim = sender.claim(1).unwrap();
        claim.write(0, &[lane]).unwrap();
        claim.commit();
    }
    let mut seen = vec![];
    for _ in 0..2 {
        let (lane, message) = receiver.poll().unwrap();
        seen.push((lane, message.to_vec()));
    }
    assert_eq!(seen, [(0, vec![0]), (1, vec![1])]);
    assert!(matches!(receiver.poll(), Err(RecvError::Empty)));
}

#[test]
fn a_descriptor_tells_of_messages_in_any_lane() {
    let place = Place::new();
    let open = || lanes(&place, 20).parking().slice(channel::HANG);
    let mut receiver = open().receiver().unwrap();
    let mut senders: Vec<_> = (0..20).map(|_| open().sender().unwrap()).collect();
    let descriptor = receiver.descriptor().unwrap().as_raw_fd();
    let readable = |patience: i32| {
        let mut one = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, valid during the call.
        (unsafe { libc::poll(&raw mut one, 1, patience) }) == 1
    };
    for lane in [0, 7, 19] {
        while !matches!(receiver.try_recv(), Err(RecvError::Empty)) {}
        assert!(!readable(0));
        senders[lane].send(&Tick::numbered(7)).unwrap();
        assert!(readable(10_000), "lane {lane}");
        assert_eq!(Tick::number(&receiver.try_recv().unwrap()), 7);
    }
}

#[test]
fn senders_learn_that_the_receiver_is_gone() {
    let place = Place::new();
    let open = || lanes(&place, 2).wait(Wait::Park).slice(channel::HANG);
    let receiver = open().receiver().unwrap();
    let mut senders = [open().sender().unwrap(), open().sender().unwrap()];
    for sender in &mut senders {
        send(sender, 0..8);
    }
    thread::scope(|scope| {
        let waiting: Vec<_> = senders
            .iter_mut()
            .map(|sender| scope.spawn(|| sender.send(&Tick::numbered(8))))
            .collect();
        thread::sleep(Duration::from_millis(20));
        drop(receiver);
        // At once: the slice is longer than the test may take.
        for sender in waiting {
            assert!(matches!(sender.join().unwrap(), Err(SendError::Closed(_))));
        }
    });
    assert_eq!(senders[0].peer().glance(), Peer::Closed);
}

#[test]
fn damage_in_one_lane_is_told_and_the_others_are_read() {
    let place = Place::new();
    let mut receiver = lanes(&place, 2).receiver().unwrap();
    let (mut first, mut second) =
        (lanes(&place, 2).sender().unwrap(), lanes(&place, 2).sender().unwrap());
    send(&mut first, 0..1);
    send(&mut second, 0..3);
    let file = std::fs::OpenOptions::new().write(true).open(place.file(NAME)).unwrap();
    // The state of lane 0's first cell: header, channel table and endpoints take a page each.
    std::os::unix::fs::FileExt::write_all_at(&file, &77_u64.to_le_bytes(), 3 * 4096 + 256).unwrap();
    let (mut read, mut told) = (0, 0);
    for _ in 0..20 {
        match receiver.try_recv() {
            Ok(_) => read += 1,
            Err(error) => {
                assert!(error.to_string().contains("state is 77"), "{error}");
                told += 1;
            }
        }
    }
    assert_eq!(read, 3);
    assert!(told > 0);
}
