//! Channels with several senders and several receivers, all of one process: what arrives, what is refused,
//! and how a channel ends.

mod channel;

use channel::{Numbered, Order, Place, Tick, text};
use std::sync::Arc;
use std::time::Duration;
use strait_ipc::channel::{Mpmc, MpmcReceiver, MpmcSender, OnFull, RecvError, SendError, Wait};
use strait_ipc::message::WriteError;

const BRIEF: Duration = Duration::from_millis(5);

/// Everything arrives whole and once, and what one sender sent in its order at each receiver.
fn everything_arrives<T>(at_most_once: bool, batch: usize, wait: Wait)
where
    T: Numbered + Send + Sync,
{
    const EACH: u64 = 5_000;
    let channel = || {
        let channel = Mpmc::<T>::unnamed("work").capacity(64).senders(3).receivers(3);
        // Nobody looks around: a wake-up that is lost is lost for good.
        let channel = channel.wait(wait).slice(Duration::MAX);
        if at_most_once { channel.at_most_once() } else { channel }
    };
    let segment = Arc::new(channel().segment().unwrap());
    let given = || {
        let given = Mpmc::<T>::given(Arc::clone(&segment)).wait(wait).slice(Duration::MAX);
        if at_most_once { given.at_most_once() } else { given }
    };
    let send = |of: u64, mut sender: MpmcSender<T>| {
        let messages: Vec<T> = (0..EACH).map(|n| T::numbered(of << 32 | n)).collect();
        if batch > 1 {
            sender.send_all(&messages).unwrap();
        } else {
            messages.iter().for_each(|message| sender.send(message).unwrap());
        }
    };
    let receive = |mut receiver: MpmcReceiver<T>| {
        let mut got = Vec::new();
        loop {
            if batch > 1 && wait == Wait::Yield {
                match receiver.drain(batch, |message| got.push(T::number(message))) {
                    Ok(_) => continue,
                    Err(RecvError::Empty) => std::thread::yield_now(),
                    Err(RecvError::Closed(_)) => break got,
                    Err(error) => panic!("{error}"),
                }
            }
            match receiver.recv() {
                Ok(message) => {
                    assert!(!message.redelivered());
                    got.push(T::number(&message));
                }
                Err(RecvError::Closed(_)) => break got,
                Err(error) => panic!("{error}"),
            }
        }
    };
    let got: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..3).map(|_| given().sender().unwrap()).collect();
        let receivers: Vec<_> = (0..3).map(|_| given().receiver().unwrap()).collect();
        let receiving: Vec<_> =
            receivers.into_iter().map(|receiver| scope.spawn(|| receive(receiver))).collect();
        for (of, sender) in senders.into_iter().enumerate() {
            scope.spawn(move || send(of as u64, sender));
        }
        receiving.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for of in 0..3 {
        let own = |got: &Vec<u64>| got.iter().copied().filter(|n| n >> 32 == of).collect();
        let each: Vec<Vec<u64>> = got.iter().map(own).collect();
        assert!(each.iter().all(|own| own.is_sorted()), "out of order");
        let mut all = each.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq((0..EACH).map(|n| of << 32 | n)), "lost or repeated");
    }
}

#[test]
fn plain_messages_arrive() {
    everything_arrives::<Tick>(false, 1, Wait::Yield);
    everything_arrives::<Tick>(true, 1, Wait::Yield);
    everything_arrives::<Tick>(false, 20, Wait::Yield);
}

/// Senders sleep while the ring is full and receivers while it is empty.
#[test]
fn messages_arrive_between_sides_that_sleep() {
    everything_arrives::<Tick>(false, 1, Wait::Park);
    everything_arrives::<Tick>(false, 20, Wait::Park);
    everything_arrives::<Tick>(true, 1, Wait::Adaptive);
}

/// One that is asked to give a message back has it while the other sleeps: so that is woken for the next.
#[test]
fn a_batch_wakes_as_many_as_it_has_messages() {
    let segment = Arc::new(Mpmc::<u64>::unnamed("work").parking().segment().unwrap());
    let given = || Mpmc::<u64>::given(Arc::clone(&segment)).wait(Wait::Park).slice(Duration::MAX);
    let mut sender = given().sender().unwrap();
    let both_have_one = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let mut receiver = given().receiver().unwrap();
            let both_have_one = &both_have_one;
            scope.spawn(move || {
                let message = receiver.recv().unwrap();
                both_have_one.wait();
                drop(message);
            });
        }
        // They sleep by now, mostly.
        std::thread::sleep(BRIEF);
        sender.send_all(&[1, 2]).unwrap();
    });
}

#[test]
fn rich_messages_arrive() {
    everything_arrives::<Order>(false, 1, Wait::Yield);
    everything_arrives::<Order>(true, 20, Wait::Yield);
}

#[test]
fn a_full_ring_is_as_the_policy_says() {
    let channel = || Mpmc::<u64>::unnamed("work").capacity(2);
    let (mut sender, mut receiver) = channel().on_full(OnFull::Fail).pair().unwrap();
    sender.send_all(&[1, 2]).unwrap();
    assert!(matches!(sender.send(&3), Err(SendError::Full)));
    assert!(matches!(sender.try_send(&3), Err(SendError::Full)));
    assert!(matches!(sender.send_timeout(&3, BRIEF), Err(SendError::Timeout)));
    assert_eq!(*receiver.recv().unwrap(), 1);
    sender.send(&3).unwrap();
    assert_eq!(receiver.drain(9, |_| {}), Ok(2));
    assert!(matches!(receiver.try_recv(), Err(RecvError::Empty)));
    assert!(matches!(receiver.recv_timeout(BRIEF), Err(RecvError::Timeout)));

    let (mut sender, receiver) = channel().on_full(OnFull::DropNewest).pair().unwrap();
    (0..5).for_each(|number| sender.send(&number).unwrap());
    assert_eq!((sender.dropped(), receiver.dropped()), (3, 3));
    drop(receiver);
    // Nobody will make room.
    assert!(matches!(sender.send_timeout(&1, BRIEF), Err(SendError::Closed(_))));
}

#[test]
fn the_end_comes_when_the_last_sender_has_left() {
    let segment = Arc::new(Mpmc::<u64>::unnamed("work").segment().unwrap());
    let given = || Mpmc::<u64>::given(Arc::clone(&segment));
    let mut receiver = given().receiver().unwrap();
    assert!(matches!(receiver.try_recv(), Err(RecvError::Empty)), "nobody has come yet");
    let (mut one, other) = (given().sender().unwrap(), given().sender().unwrap());
    one.send(&7).unwrap();
    drop(one);
    assert_eq!(*receiver.recv().unwrap(), 7);
    assert!(matches!(receiver.try_recv(), Err(RecvError::Empty)));
    drop(other);
    assert!(matches!(receiver.try_recv(), Err(RecvError::Closed(_))));
    assert!(matches!(receiver.recv(), Err(RecvError::Closed(_))));
    // Until the next one comes.
    given().sender().unwrap().send(&8).unwrap();
    assert_eq!(*receiver.recv().unwrap(), 8);
}

#[test]
fn messages_that_a_receiver_claimed_and_left_go_to_others() {
    let segment = Arc::new(Mpmc::<u64>::unnamed("work").segment().unwrap());
    let given = || Mpmc::<u64>::given(Arc::clone(&segment));
    let mut sender = given().sender().unwrap();
    sender.send_all(&[1, 2, 3]).unwrap();
    let mut leaver = given().receiver().unwrap();
    let claimed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        leaver.drain(3, |_| std::panic::resume_unwind(Box::new("enough")))
    }));
    assert!(claimed.is_err());
    drop(leaver);
    // Another has the same side, and finds what was left there.
    let mut receiver = given().receiver().unwrap();
    for number in [2, 3] {
        let message = receiver.recv().unwrap();
        assert_eq!((*message, message.redelivered()), (number.into(), true));
    }
}

#[test]
fn what_there_is_not_is_refused() {
    let place = Place::new();
    let work = || place.mpmc::<u64>("work");
    insta::assert_snapshot!(text(work().dense().sender(), &place), @"channel `work`: a ring of 16 senders and 16 receivers has wide cells that hold their messages themselves: leave out `dense()`");
    insta::assert_snapshot!(text(work().arena(4096).sender(), &place), @"channel `work`: a ring of 16 senders and 16 receivers has wide cells that hold their messages themselves: ask for a larger `max_len()`");
    insta::assert_snapshot!(text(work().blocks(4, 64).sender(), &place), @"channel `work`: a ring of 16 senders and 16 receivers has wide cells that hold their messages themselves: ask for a larger `max_len()`");
    insta::assert_snapshot!(text(work().senders(0).receiver(), &place), @"channel `work`: a ring cannot have 0 senders and 16 receivers: 1 to 256 of each kind are possible");
    place.assert_empty();

    let _first = work().senders(2).receivers(2).sender().unwrap();
    let _second = work().sender().unwrap();
    let taken = work().sender().unwrap_err().to_string();
    let pid = std::process::id();
    assert!(taken.starts_with("`work` already has its 2 producers: pid"), "{taken}");
    assert_eq!(taken.matches(&format!("pid {pid} ")).count(), 2, "who has them: {taken}");
    insta::assert_snapshot!(text(work().senders(3).sender(), &place), @"channel `work` exists with sides: 2 senders and 2 receivers, and 3 senders and 16 receivers was asked for: ask for the same on both sides, leave it out on one, or remove the channel");
    insta::assert_snapshot!(text(place.spsc::<u64>("work").sender(), &place), @"channel `work` exists with sides: 2 senders and 2 receivers, and one sender and one receiver was asked for: ask for the same on both sides, leave it out on one, or remove the channel");
    let mut rich = place.mpmc::<Order>("orders").max_len(64).sender().unwrap();
    let refused = (0..50).find_map(|number| rich.try_send(&Order::numbered(number)).err());
    assert!(matches!(refused, Some(SendError::Message(WriteError::TooLarge { room: 64, .. }))));
}

#[test]
fn a_channel_of_another_kind_is_not_taken_for_this_one() {
    let place = Place::new();
    let _sender = place.spsc::<u64>("flow").sender().unwrap();
    insta::assert_snapshot!(text(place.mpmc::<u64>("flow").receiver(), &place), @"channel `flow` exists with sides: one sender and one receiver, and 16 senders and 16 receivers was asked for: ask for the same on both sides, leave it out on one, or remove the channel");
}

/// A segment goes with its last side, if everything was read.
#[test]
fn what_was_not_read_stays() {
    let place = Place::new();
    let mut sender = place.mpmc::<u64>("work").sender().unwrap();
    sender.send(&1).unwrap();
    drop(sender);
    assert_eq!(place.files().len(), 1);
    let mut receiver = place.mpmc::<u64>("work").receiver().unwrap();
    assert_eq!(*receiver.recv().unwrap(), 1);
    drop(receiver);
    place.assert_empty();
}
