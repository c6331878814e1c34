//! What a successor is told: which message may have been read before, which sender sent what, and, if
//! it stood by, that the side is free.

mod channel;

use channel::{Actor, HANG, Numbered, Order, Place, Tick, eventually, job, tell, wait_for_parent};
use strait_ipc::channel::{Receiver, RecvError, Sender, Spsc, Standby};
use strait_ipc::endpoint::Condition;
use strait_pools::environment::{Liveness, Peer};

const NAME: &str = "flow";

/// The kinds of messages and cells: all that differs is how a channel is asked for.
trait Kind: Numbered + Sized {
    const HOLD: &str;
    fn channel(place: &Place) -> Spsc<Self> {
        place.spsc(NAME).capacity(8)
    }
}

impl Kind for Tick {
    const HOLD: &str = "hold-ticks";
}

impl Kind for Order {
    const HOLD: &str = "hold-orders";
}

/// In dense cells.
impl Kind for u64 {
    const HOLD: &str = "hold-words";
    fn channel(place: &Place) -> Spsc<Self> {
        place.spsc(NAME).capacity(8).dense()
    }
}

/// Receives `count` messages and dies with the last of them in hand.
fn hold<T: Kind>(place: &Place, count: u64) {
    let mut receiver = T::channel(place).receiver().unwrap();
    for _ in 1..count {
        drop(receiver.recv().unwrap());
    }
    let in_hand = (count > 0).then(|| receiver.recv().unwrap());
    tell("holding");
    wait_for_parent();
    drop(in_hand);
}

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((what, place)) = job() else { return };
    let (kind, number) = what.split_once(' ').unwrap();
    let number: u64 = number.parse().unwrap();
    match kind {
        Tick::HOLD => hold::<Tick>(&place, number),
        Order::HOLD => hold::<Order>(&place, number),
        u64::HOLD => hold::<u64>(&place, number),
        "send-and-die" => {
            let mut sender = Tick::channel(&place).sender().unwrap();
            send(&mut sender, number);
            tell("sent");
            wait_for_parent();
        }
        "stand-by" => {
            let standby = Tick::channel(&place).standby().unwrap();
            tell("standing by");
            let mut receiver = standby.wait().unwrap();
            tell("receiving");
            let (tick_number, again) = next(&mut receiver);
            tell(&format!("{tick_number} {again}"));
            wait_for_parent();
        }
        other => panic!("no such job: {other}"),
    }
}

/// Sends `count` messages, numbered by their positions.
fn send<T: Numbered>(sender: &mut Sender<T>, count: u64) {
    for _ in 0..count {
        sender.try_send(&T::numbered(sender.position())).unwrap();
    }
}

/// Number of the next message, and whether it is delivered again.
fn next<T: Numbered>(receiver: &mut Receiver<T>) -> (u64, bool) {
    let message = receiver.recv().unwrap();
    (T::number(&message), message.redelivered())
}

/// Has a receiver take `count` messages and die with the last in hand.
fn die_holding<T: Kind>(place: &Place, count: u64) {
    let mut holder = Actor::spawn(&format!("{} {count}", T::HOLD), place);
    assert_eq!(holder.hear(), "holding");
    holder.kill();
}

fn the_message_in_hand_is_flagged<T: Kind>() {
    let place = Place::new();
    let mut sender = T::channel(&place).sender().unwrap();
    send(&mut sender, 4);
    die_holding::<T>(&place, 2);
    let mut receiver = T::channel(&place).receiver().unwrap();
    assert_eq!(next(&mut receiver), (1, true));
    assert_eq!(next(&mut receiver), (2, false));
    drop(receiver);
    // Closed in good order: nothing comes again.
    let mut receiver = T::channel(&place).receiver().unwrap();
    assert_eq!(next(&mut receiver), (3, false));
}

#[test]
fn the_message_in_a_dead_receivers_hand_is_flagged() {
    the_message_in_hand_is_flagged::<Tick>();
    the_message_in_hand_is_flagged::<Order>();
    the_message_in_hand_is_flagged::<u64>();
}

#[test]
fn what_came_after_the_death_is_not_flagged() {
    let place = Place::new();
    let mut sender = Tick::channel(&place).sender().unwrap();
    die_holding::<Tick>(&place, 0);
    let mut receiver = Tick::channel(&place).receiver().unwrap();
    send(&mut sender, 2);
    assert_eq!(next(&mut receiver), (0, false));
    assert_eq!(next(&mut receiver), (1, false));
}

#[test]
fn a_successor_that_reads_nothing_passes_the_flag_on() {
    let place = Place::new();
    let mut sender = Tick::channel(&place).sender().unwrap();
    send(&mut sender, 2);
    die_holding::<Tick>(&place, 1);
    drop(Tick::channel(&place).receiver().unwrap());
    let mut receiver = Tick::channel(&place).receiver().unwrap();
    assert_eq!(next(&mut receiver), (0, true));
    assert_eq!(next(&mut receiver), (1, false));
}

#[test]
fn bytes_are_flagged_too() {
    let place = Place::new();
    let mut sender = Order::channel(&place).sender().unwrap();
    send(&mut sender, 1);
    die_holding::<Order>(&place, 1);
    // A typed channel is a byte channel whose text is the schema.
    use strait_ipc::channel::Bytes;
    use strait_ipc::message::Message;
    let bytes = || place.spsc::<Bytes>(NAME).schema(Order::SCHEMA).capacity(8);
    let mut receiver = bytes().receiver().unwrap();
    let message = receiver.recv().unwrap();
    assert!(message.redelivered());
    assert_eq!((message.position(), message.sender_incarnation()), (0, Some(1)));
}

/// Three senders, of which the second was killed; nothing is read until the end.
fn senders<T: Kind>(expected: [Option<u64>; 3]) {
    let place = Place::new();
    let mut receiver = T::channel(&place).receiver().unwrap();
    for incarnation in 1..=3 {
        let mut sender = T::channel(&place).sender().unwrap();
        assert_eq!(sender.incarnation(), incarnation);
        send(&mut sender, 1);
    }
    for (position, sender) in (0..).zip(expected) {
        let message = receiver.recv().unwrap();
        assert_eq!((message.position(), message.sender_incarnation()), (position, sender));
    }
}

#[test]
fn each_message_tells_which_sender_sent_it() {
    senders::<Tick>([Some(1), Some(2), Some(3)]);
    senders::<Order>([Some(1), Some(2), Some(3)]);
    // Dense cells have no room for it.
    senders::<u64>([None, None, Some(3)]);
}

#[test]
fn what_a_killed_sender_sent_is_told_from_its_successors() {
    let place = Place::new();
    let mut receiver = Tick::channel(&place).receiver().unwrap();
    let mut first = Actor::spawn("send-and-die 2", &place);
    assert_eq!(first.hear(), "sent");
    first.kill();
    let mut second = Tick::channel(&place).sender().unwrap();
    send(&mut second, 1);
    let told: Vec<_> = (0..3).map(|_| receiver.recv().unwrap().sender_incarnation()).collect();
    assert_eq!(told, [Some(1), Some(1), Some(2)]);
}

#[test]
fn a_standby_takes_over_when_the_receiver_is_killed() {
    let place = Place::new();
    let mut sender = Tick::channel(&place).sender().unwrap();
    send(&mut sender, 2);
    let mut first = Actor::spawn(&format!("{} 1", Tick::HOLD), &place);
    assert_eq!(first.hear(), "holding");
    let mut second = Actor::spawn("stand-by 0", &place);
    assert_eq!(second.hear(), "standing by");
    assert_eq!(sender.peer().details().pid, first.pid());
    first.kill();
    assert_eq!((second.hear(), second.hear()), ("receiving".into(), "0 true".into()));
    assert_eq!(sender.peer().details().pid, second.pid());
    assert_eq!(sender.peer().condition(), Condition::Alive);
}

#[test]
fn one_standby_after_the_other_takes_over_when_receivers_close() {
    let place = Place::new();
    let mut sender = Tick::channel(&place).sender().unwrap();
    let first = Tick::channel(&place).receiver().unwrap();
    let names = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let (place, said) = (&place, names.0.clone());
            let standby = Tick::channel(place).standby().unwrap();
            scope.spawn(move || {
                let mut receiver = standby.wait().unwrap();
                said.send(next(&mut receiver)).unwrap();
            });
        }
        send(&mut sender, 3);
        drop(first);
        let heard: Vec<_> = (0..3).map(|_| names.1.recv_timeout(HANG).unwrap()).collect();
        assert_eq!(heard, [(0, false), (1, false), (2, false)]);
    });
    drop(sender);
    place.assert_empty();
}

#[test]
fn a_standby_whose_time_runs_out_is_given_back() {
    let place = Place::new();
    let mut sender = Tick::channel(&place).sender().unwrap();
    let first = Tick::channel(&place).receiver().unwrap();
    let standby: Standby<Tick> = Tick::channel(&place).standby().unwrap();
    let standby = standby.wait_timeout(std::time::Duration::from_millis(3)).unwrap().unwrap_err();
    drop(first);
    send(&mut sender, 1);
    let mut receiver = standby.wait_timeout(HANG).unwrap().unwrap();
    assert_eq!(next(&mut receiver), (0, false));
}

#[test]
fn a_standby_of_another_type_is_refused() {
    let place = Place::new();
    let _receiver = Tick::channel(&place).receiver().unwrap();
    let refused = Order::channel(&place).standby().unwrap_err().to_string();
    assert!(refused.starts_with("channel `flow` was created for `Tick`"), "{refused}");
}

/// The child has a copy of every descriptor that its parent waits with.
#[test]
fn a_forked_child_does_not_keep_what_its_parents_standby_won() {
    let place = Place::new();
    let mut sender = Tick::channel(&place).sender().unwrap();
    let receiver = Tick::channel(&place).receiver().unwrap();
    let standby = Tick::channel(&place).standby().unwrap();
    let (mut pipe_out, pipe_in) = std::io::pipe().unwrap();
    let child = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| standby.wait().unwrap());
        eventually("the wait in the kernel", || {
            let locks = std::fs::read_to_string("/proc/locks").unwrap();
            locks.lines().any(|line| line.contains("-> OFDLCK"))
        });
        // SAFETY: the child makes two system calls, both async-signal-safe.
        let child = unsafe { libc::fork() };
        assert!(child >= 0, "fork");
        if child == 0 {
            use std::os::fd::AsRawFd;
            let mut byte = 0u8;
            let fd = pipe_out.as_raw_fd();
            // SAFETY: `byte` is ours to write.
            unsafe { libc::close(pipe_in.as_raw_fd()) };
            // SAFETY: as above; returns at the end of the pipe, when the parent closes its side.
            unsafe { libc::read(fd, (&raw mut byte).cast(), 1) };
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(0) };
        }
        drop(receiver);
        drop(waiting.join().unwrap());
        child
    });
    // The winner has closed; were its lock shared with the child, the side would still be held.
    send(&mut sender, 1);
    let mut successor = Tick::channel(&place).receiver().unwrap();
    assert_eq!(next(&mut successor), (0, false));
    assert_eq!(sender.peer().probe(), Peer::Alive);
    drop(pipe_in);
    let mut status = 0;
    // SAFETY: `child` is our child, and `status` is ours to write.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(std::io::Read::read(&mut pipe_out, &mut [0]).unwrap(), 0);
}

#[test]
fn once_anybody_has_noticed_a_death_nobody_needs_to_ask_the_kernel() {
    let place = Place::new();
    let mut receiver = Tick::channel(&place).receiver().unwrap();
    let mut sender = Actor::spawn("send-and-die 1", &place);
    assert_eq!(sender.hear(), "sent");
    sender.kill();
    assert_eq!(next(&mut receiver), (0, false));
    assert!(matches!(receiver.try_recv(), Err(RecvError::Empty)), "nobody has noticed");
    eventually("the lock's release", || receiver.peer().condition() == Condition::Died);
    assert!(matches!(receiver.try_recv(), Err(RecvError::PeerDied(_))));
    let holder = receiver.peer().details();
    assert_eq!(holder.pid, sender.pid());
    assert!(holder.ended_unix_ns.unwrap() >= holder.since_unix_ns);
    // The next one is silent, not dead.
    let _sender = Tick::channel(&place).sender().unwrap();
    assert!(matches!(receiver.try_recv(), Err(RecvError::Empty)));
}
