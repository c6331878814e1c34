//! One wait for many things.

mod channel;

use channel::{Actor, HANG, Place, job, tell, wait_for_parent};
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::thread;
use std::time::{Duration, Instant};
use strait_ipc::channel::{Receiver, RecvError, SendError, Sender, Spsc, Wait};
use strait_ipc::wait_set::{Event, Interest, Key, WaitSet};

fn pair() -> (Sender<u64>, Receiver<u64>) {
    Spsc::<u64>::unnamed("pair").capacity(16).wait(Wait::Park).pair().unwrap()
}

fn wait(set: &WaitSet, timeout: Option<Duration>) -> Vec<Event> {
    let mut events = vec![];
    set.wait(&mut events, timeout).unwrap();
    events
}

/// What is reported at once, or else a failure.
fn reported(set: &WaitSet) -> Vec<Event> {
    let events = wait(set, Some(HANG));
    assert!(!events.is_empty(), "nothing has happened for very long");
    events
}

/// Attaches a receiver, and serves it once, so that it is reported when a message comes.
fn attach(set: &WaitSet, receiver: &mut Receiver<u64>) -> Key {
    let key = set.attach(receiver).unwrap();
    assert_eq!(reported(set), [Event::Ready(key)]);
    assert_eq!(receiver.try_recv().unwrap_err(), RecvError::Empty);
    key
}

const BRIEF: Option<Duration> = Some(Duration::from_millis(5));

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((what, place)) = job() else { return };
    assert_eq!(what, "hold");
    let _sender = place.spsc::<u64>("ticks").parking().sender().unwrap();
    tell("open");
    wait_for_parent();
}

#[test]
fn channels_are_ready_when_there_are_messages_or_room() {
    let set = WaitSet::new().unwrap();
    let [(mut one_in, mut one), (mut other_in, mut other)] = [pair(), pair()];
    let (one_key, other_key) = (attach(&set, &mut one), attach(&set, &mut other));
    assert_eq!(wait(&set, BRIEF), []);

    other_in.send(&7).unwrap();
    assert_eq!(reported(&set), [Event::Ready(other_key)]);
    // Not served, it is reported again.
    assert_eq!(reported(&set), [Event::Ready(other_key)]);
    one_in.send(&8).unwrap();
    let mut both = reported(&set);
    both.sort_by_key(|event| format!("{event:?}"));
    assert_eq!(both, [Event::Ready(one_key), Event::Ready(other_key)]);
    assert_eq!(other.drain(9, |_| {}), Ok(1));
    assert_eq!(one.drain(9, |_| {}), Ok(1));
    assert_eq!(wait(&set, BRIEF), []);

    let room = set.attach(&mut one_in).unwrap();
    assert_eq!(reported(&set), [Event::Ready(room)]);
    while one_in.try_send(&0).is_ok() {}
    assert_eq!(reported(&set), [Event::Ready(one_key)], "messages, and no room");
    one.drain(16, |_| {}).unwrap();
    let events = reported(&set);
    assert!(events.contains(&Event::Ready(room)), "{events:?}");

    drop(other_in);
    let events = reported(&set);
    assert!(events.contains(&Event::Ready(other_key)), "closing is told: {events:?}");
    assert!(matches!(other.try_recv(), Err(RecvError::Closed(_))));
    drop(one);
    while one_in.try_send(&0) == Ok(()) {}
    assert!(matches!(one_in.try_send(&0), Err(SendError::Closed(_))));
}

#[test]
fn a_death_is_reported_at_the_end_of_a_slice() {
    let place = Place::new();
    let mut child = Actor::spawn("hold", &place);
    assert_eq!(child.hear(), "open");
    let mut receiver = place.spsc::<u64>("ticks").parking().receiver().unwrap();
    let set = WaitSet::new().unwrap();
    let key = attach(&set, &mut receiver);
    assert_eq!(wait(&set, BRIEF), [], "the end of a slice is no event");
    child.kill();
    assert_eq!(reported(&set), [Event::Ready(key)]);
    assert!(matches!(receiver.try_recv(), Err(RecvError::PeerDied(_))));
}

#[test]
fn timers_keep_their_beat() {
    let set = WaitSet::new().unwrap();
    let quick = set.attach_timer(Duration::from_millis(2)).unwrap();
    let slow = set.attach_timer(Duration::from_millis(7)).unwrap();
    let mut count = BTreeMap::<Key, u32>::new();
    while count.get(&slow) != Some(&3) {
        for event in reported(&set) {
            let Event::Timer(key) = event else { panic!("{event:?}") };
            *count.entry(key).or_default() += 1;
        }
    }
    assert!(count[&quick] >= 3, "{count:?}");
    assert!(set.attach_timer(Duration::ZERO).is_err());
}

#[test]
fn a_silent_source_misses_its_deadline_again_and_again() {
    let set = WaitSet::new().unwrap();
    let (mut sender, mut receiver) = pair();
    let key = attach(&set, &mut receiver);
    assert!(set.set_deadline(key, Some(Duration::from_millis(3))));
    assert_eq!(reported(&set), [Event::Missed(key)]);
    assert_eq!(reported(&set), [Event::Missed(key)]);
    sender.send(&7).unwrap();
    while !reported(&set).contains(&Event::Ready(key)) {}
    receiver.drain(9, |_| {}).unwrap();
    assert_eq!(reported(&set), [Event::Missed(key)]);
    assert!(set.set_deadline(key, None));
    assert_eq!(wait(&set, BRIEF), []);
    assert!(set.detach(key));
    assert!(!set.set_deadline(key, None), "it is not attached any more");
}

#[test]
fn foreign_descriptors() {
    let set = WaitSet::new().unwrap();
    let (reader, mut writer) = pipe().unwrap();
    let readable = set.attach_descriptor(&reader, Interest::Readable).unwrap();
    assert_eq!(wait(&set, BRIEF), []);
    let writable = set.attach_descriptor(&writer, Interest::Writable).unwrap();
    assert_eq!(reported(&set), [Event::Ready(writable)]);
    assert!(set.detach(writable));
    writer.write_all(b"x").unwrap();
    assert_eq!(reported(&set), [Event::Ready(readable)]);
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    assert!(set.attach_descriptor(&file, Interest::Readable).is_err(), "never waits");
}

/// Many sources that are ready all the time: each has its turn, in every two waits.
#[test]
fn no_source_starves_while_others_are_busy() {
    const SOURCES: usize = 100;
    let set = WaitSet::new().unwrap();
    let busy: Vec<(PipeReader, PipeWriter)> = (0..SOURCES)
        .map(|_| {
            let (reader, mut writer) = pipe().unwrap();
            writer.write_all(b"never read").unwrap();
            set.attach_descriptor(&reader, Interest::Readable).unwrap();
            (reader, writer)
        })
        .collect();
    let (mut sender, mut receiver) = pair();
    let quiet = set.attach(&mut receiver).unwrap();
    let timer = set.attach_timer(Duration::from_micros(1)).unwrap();
    let mut turns = BTreeMap::<Key, usize>::new();
    for _ in 0..50 {
        sender.send(&7).unwrap();
        // However many there are, two waits report all of them.
        for event in [reported(&set), reported(&set)].concat() {
            match event {
                Event::Ready(key) => *turns.entry(key).or_default() += 1,
                Event::Timer(key) => assert_eq!(key, timer),
                Event::Missed(key) => panic!("{key:?} has no deadline"),
            }
        }
        assert_eq!(receiver.drain(16, |_| {}), Ok(1));
    }
    assert_eq!(turns.len(), SOURCES + 1);
    assert!(turns[&quiet] >= 50, "it waited for longer than two waits: {turns:?}");
    let (least, most) = (turns.values().min().unwrap(), turns.values().max().unwrap());
    assert!(*least >= 50 && *most <= 100, "somebody was passed over: {turns:?}");
    drop(busy);
}

/// A set with several sources sleeps while nothing happens.
#[test]
fn waiting_for_several_sources_takes_no_time_of_the_processor() {
    let set = WaitSet::new().unwrap();
    let mut channels: Vec<_> = (0..10).map(|_| pair()).collect();
    for (_, receiver) in &mut channels {
        attach(&set, receiver);
    }
    let busy = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let (began, used) = (Instant::now(), busy());
    assert_eq!(wait(&set, Some(Duration::from_millis(200))), []);
    let (waited, used) = (began.elapsed(), busy() - used);
    assert!(waited >= Duration::from_millis(200));
    assert!(used < waited / 2, "{used:?} of {waited:?}");
}

#[test]
fn others_attach_and_detach_during_a_wait() {
    let set = WaitSet::new().unwrap();
    let (mut sender, mut receiver) = pair();
    let silent = attach(&set, &mut receiver);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| reported(&set));
        thread::sleep(Duration::from_millis(5));
        assert!(set.detach(silent));
        sender.send(&7).unwrap();
        thread::sleep(Duration::from_millis(5));
        assert!(!waiting.is_finished(), "a source that is not attached is not reported");
        let timer = set.attach_timer(Duration::from_millis(1)).unwrap();
        assert_eq!(waiting.join().unwrap(), [Event::Timer(timer)]);
        assert!(set.detach(timer));

        let waiting = scope.spawn(|| reported(&set));
        thread::sleep(Duration::from_millis(5));
        let again = set.clone().attach(&mut receiver).unwrap();
        assert_ne!(again, silent);
        assert_eq!(waiting.join().unwrap(), [Event::Ready(again)]);
        assert!(!set.detach(silent), "it is detached already");
    });
    assert_eq!(*receiver.try_recv().unwrap(), 7);
}

#[test]
fn a_side_that_was_dropped_is_reported_no_more() {
    let set = WaitSet::new().unwrap();
    let (mut sender, mut receiver) = pair();
    let key = attach(&set, &mut receiver);
    drop(receiver);
    sender.send(&7).unwrap();
    assert_eq!(wait(&set, BRIEF), []);
    assert!(set.detach(key));
}
