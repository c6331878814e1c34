//! Sides that come and go: closed and opened again, or killed at any moment. Positions go on where
//! they were, no message is lost or torn, and only the one in hand may come twice.

mod channel;
mod random;

use channel::{Actor, Numbered, Order, Place, Tick, job, tell};
use random::Random;
use std::time::Duration;
use strait_ipc::channel::{Receiver, RecvError, SendError, Sender};

const NAME: &str = "flow";
const KILLS: u64 = 25;

impl Random {
    /// Up to 4 ms: some hundred messages.
    fn moment(&mut self) -> Duration {
        Duration::from_micros(self.below(4000))
    }
}

/// Sends the message that belongs to each position, in batches of all sizes, until killed.
fn send_batches<T: Numbered>(sender: &mut Sender<T>, seed: u64) -> ! {
    let mut random = Random(seed);
    tell(&sender.position().to_string());
    loop {
        let start = sender.position();
        let mut batch = sender.batch();
        for number in start..=start + random.below(9) {
            match batch.push(&T::numbered(number)) {
                Ok(()) => {}
                Err(SendError::Full) => break,
                Err(error) => panic!("{error}"),
            }
        }
        batch.publish();
    }
}

/// Sends the message that belongs to each position, whoever receives, until killed.
fn send_for_ever<T: Numbered>(sender: &mut Sender<T>) -> ! {
    tell("ready");
    loop {
        match sender.send(&T::numbered(sender.position())) {
            // The next one will be there in a moment.
            Ok(()) | Err(SendError::PeerDied(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Tells of every message before it is released, until killed.
fn report<T: Numbered>(receiver: &mut Receiver<T>) -> ! {
    loop {
        let message = receiver.recv().unwrap();
        let number = T::number(&message);
        assert_eq!(message.position(), number);
        tell(&number.to_string());
    }
}

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((what, place)) = job() else { return };
    let (kind, number) = what.split_once(' ').unwrap();
    let number: u64 = number.parse().unwrap();
    let ticks = || place.spsc::<Tick>(NAME);
    let orders = || place.spsc::<Order>(NAME);
    match kind {
        "batch-ticks" => send_batches(&mut ticks().sender().unwrap(), number),
        "batch-orders" => send_batches(&mut orders().sender().unwrap(), number),
        "send-ticks" => send_for_ever(&mut ticks().capacity(number).sender().unwrap()),
        "send-orders" => send_for_ever(&mut orders().capacity(number).sender().unwrap()),
        "report-ticks" => report(&mut ticks().receiver().unwrap()),
        "report-orders" => report(&mut orders().receiver().unwrap()),
        other => panic!("no such job: {other}"),
    }
}

/// Receives while one sender after the other is killed.
fn killed_senders<T: Numbered>(job: &str, capacity: u64) {
    let place = Place::new();
    let mut random = Random(0x5eed + capacity);
    let mut receiver = place.spsc::<T>(NAME).capacity(capacity).receiver().unwrap();
    assert_eq!(receiver.sender_incarnation(), (0, 0));
    for incarnation in 1..=KILLS {
        let read = receiver.position();
        let mut actor = Actor::spawn(&format!("{job} {}", random.below(u64::MAX) | 1), &place);
        let began: u64 = actor.hear().parse().unwrap();
        assert_eq!(receiver.sender_incarnation(), (incarnation, began));
        assert_eq!(began, read, "everything the last one published was read");
        let pid = actor.pid();
        let killer = std::thread::spawn({
            let moment = random.moment();
            move || {
                std::thread::sleep(moment);
                actor.kill();
            }
        });
        let died = loop {
            let expected = receiver.position();
            match receiver.recv() {
                Ok(message) => {
                    assert_eq!(message.position(), expected);
                    assert_eq!(T::number(&message), expected);
                }
                Err(error) => break error,
            }
        };
        assert!(died.to_string().contains(&format!("pid {pid} ")), "{died}");
        assert!(matches!(died, RecvError::PeerDied(_)), "{died}");
        killer.join().unwrap();
    }
    assert!(receiver.position() > 0, "nothing was ever sent");
    drop(receiver);
    place.assert_empty();
}

#[test]
fn senders_of_plain_messages_killed_in_their_batches() {
    for capacity in [1, 2, 16] {
        killed_senders::<Tick>("batch-ticks", capacity);
    }
}

#[test]
fn senders_of_rich_messages_killed_in_their_batches() {
    for capacity in [1, 2, 16] {
        killed_senders::<Order>("batch-orders", capacity);
    }
}

/// Sends while one receiver after the other is killed.
fn killed_receivers(sender: &str, report: &str, capacity: u64) {
    let place = Place::new();
    let mut random = Random(0xfeed + capacity);
    let mut sender = Actor::spawn(&format!("{sender} {capacity}"), &place);
    sender.hear();
    let (mut next, mut repeated) = (0, 0);
    for _ in 0..KILLS {
        let mut receiver = Actor::spawn(&format!("{report} 0"), &place);
        let mut told: Vec<String> = (0..3).map(|_| receiver.hear()).collect();
        std::thread::sleep(random.moment());
        told.extend(receiver.kill_and_hear());
        let mut told = told.into_iter().map(|line| line.parse::<u64>().unwrap());
        let first = told.next().unwrap();
        assert!(first == next || first + 1 == next, "{first} after {next} were received");
        repeated += next - first;
        next = first + 1;
        for number in told {
            assert_eq!(number, next);
            next += 1;
        }
    }
    // Each went on where the last one was, and took two new ones at least.
    assert!(next >= 2 * KILLS, "{next} received, {repeated} of them twice");
    sender.kill();
}

#[test]
fn receivers_of_plain_messages_killed_at_any_moment() {
    for capacity in [1, 2, 16] {
        killed_receivers("send-ticks", "report-ticks", capacity);
    }
}

#[test]
fn receivers_of_rich_messages_killed_at_any_moment() {
    for capacity in [1, 2, 16] {
        killed_receivers("send-orders", "report-orders", capacity);
    }
}

/// Opens either side anew for every few messages.
fn clean_restarts<T: Numbered>() {
    let place = Place::new();
    let mut random = Random(0xc1ea);
    let (mut sent, mut received, mut senders) = (0, 0, 0);
    // Never without one side or unread messages: the channel would go, and its positions with it.
    let mut receiver = place.spsc::<T>(NAME).capacity(8).receiver().unwrap();
    for _ in 0..200 {
        let began = sent;
        let mut sender = place.spsc::<T>(NAME).sender().unwrap();
        senders += 1;
        assert_eq!(sender.position(), sent);
        for _ in 0..random.below(5) {
            match sender.try_send(&T::numbered(sent)) {
                Ok(()) => sent += 1,
                Err(error) => assert_eq!((error, sent - received), (SendError::Full, 8)),
            }
        }
        if random.below(2) == 0 {
            drop(receiver);
            receiver = place.spsc::<T>(NAME).receiver().unwrap();
        }
        assert_eq!(receiver.sender_incarnation(), (senders, began));
        assert_eq!(receiver.position(), received);
        for _ in 0..random.below(6).min(sent - received) {
            let message = receiver.recv().unwrap();
            assert_eq!((message.position(), T::number(&message)), (received, received));
            received += 1;
        }
    }
    while received < sent {
        assert_eq!(T::number(&receiver.recv().unwrap()), received);
        received += 1;
    }
    assert!(received > 200);
    drop(receiver);
    place.assert_empty();
}

#[test]
fn clean_restarts_with_plain_messages() {
    clean_restarts::<Tick>();
}

#[test]
fn clean_restarts_with_rich_messages() {
    clean_restarts::<Order>();
}

#[test]
fn what_was_claimed_and_not_published_never_was() {
    let place = Place::new();
    let mut receiver = place.spsc::<Order>(NAME).capacity(4).receiver().unwrap();
    for number in 0..20 {
        let mut sender = place.spsc::<Order>(NAME).sender().unwrap();
        let mut batch = sender.batch();
        for wrong in 0..4 {
            batch.push(&Order::numbered(1000 + wrong)).unwrap();
        }
        assert_eq!(batch.len(), 4);
        let _ = sender.loan().unwrap();
        drop(sender);
        let mut sender = place.spsc::<Order>(NAME).sender().unwrap();
        sender.try_send(&Order::numbered(number)).unwrap();
        assert_eq!(Order::number(&receiver.recv().unwrap()), number);
        assert!(matches!(receiver.try_recv(), Err(RecvError::Empty)));
    }
}
