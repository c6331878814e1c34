//! Senders and receivers of one channel that are killed, at random moments and, with `fail-points`, at every
//! step: what was published is received, and what is received twice is flagged.
//!
//! Who saw what is known from pipes, not from the channel: a sender tells of a message once it has sent it,
//! a receiver before it is done with it.

mod channel;
mod random;

use channel::{Actor, Numbered, Place, Tick, job, tell};
use random::Random;
use std::collections::HashSet;
use std::time::Duration;
use strait_ipc::channel::{MpmcReceiver, MpmcSender, RecvError, SendError};

const NAME: &str = "work";

/// Sends messages that tell from which sender they are, one by one or a few at a time, until killed.
fn send(mut sender: MpmcSender<Tick>, me: u64) -> ! {
    let mut random = Random(me + 1);
    let mut next = me << 32;
    tell("ready");
    loop {
        let end = next + 1 + random.below(3);
        let messages: Vec<Tick> = (next..end).map(Tick::numbered).collect();
        match sender.send_all(&messages) {
            Ok(()) => next = end,
            // The next receiver will be there in a moment.
            Err((sent, SendError::PeerDied(_))) => next += sent as u64,
            Err((_, error)) => panic!("{error}"),
        }
        tell(&next.to_string());
    }
}

/// Tells of every message before it is done with it, until killed.
fn receive(mut receiver: MpmcReceiver<Tick>) -> ! {
    tell("ready");
    loop {
        match receiver.recv() {
            Ok(message) => {
                tell(&format!("{} {}", Tick::number(&message), message.redelivered()));
            }
            Err(RecvError::PeerDied(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((what, place)) = job() else { return };
    let mut words = what.split(' ');
    let (kind, me) = (words.next().unwrap(), words.next().unwrap().parse().unwrap());
    let channel = || place.mpmc::<Tick>(NAME);
    match kind {
        "send" => {
            let sender = channel().sender().unwrap();
            arm(words.next());
            send(sender, me);
        }
        "receive" => {
            // A successor takes its side with what was left there.
            arm(words.next());
            receive(channel().receiver().unwrap());
        }
        other => panic!("no such job: {other}"),
    }
}

#[cfg(feature = "fail-points")]
fn arm(point: Option<&str>) {
    if let Some(point) = point {
        strait_pools::marks::fail_points::arm(point.parse().unwrap());
    }
}

#[cfg(not(feature = "fail-points"))]
fn arm(point: Option<&str>) {
    assert_eq!(point, None, "built without fail points");
}

/// What was seen of a channel.
#[derive(Default)]
struct Oracle {
    published: HashSet<u64>,
    received: HashSet<u64>,
    senders: u64,
    flagged: u64,
    repeated: u64,
}

impl Oracle {
    fn sender(&mut self, place: &Place, point: &str) -> (u64, Actor) {
        self.senders += 1;
        (self.senders, spawn(&format!("send {} {point}", self.senders), place))
    }

    /// What a sender told that is no more: the number of the message after those it had sent.
    fn sent(&mut self, (me, actor): (u64, Actor)) {
        let next = told(actor).last().map_or(me << 32, |line| line.parse().unwrap());
        self.published.extend(me << 32..next);
    }

    /// What receivers told that are no more.
    fn got(&mut self, lines: &[String]) {
        for line in lines {
            let (number, flagged) = line.split_once(' ').unwrap();
            self.is_received(number.parse().unwrap(), flagged == "true");
        }
    }

    fn is_received(&mut self, number: u64, flagged: bool) {
        let first = self.received.insert(number);
        self.flagged += u64::from(flagged);
        self.repeated += u64::from(!first);
        assert!(first || flagged, "{number:#x} came again, not flagged");
    }

    /// Receives what is left, and holds what was seen against what was done.
    fn drain(&mut self, receiver: &mut MpmcReceiver<Tick>) {
        loop {
            match receiver.recv_timeout(Duration::from_millis(50)) {
                Ok(message) => self.is_received(Tick::number(&message), message.redelivered()),
                Err(RecvError::PeerDied(_) | RecvError::Timeout) => break,
                Err(error) => panic!("{error}"),
            }
        }
        let lost: Vec<_> = self.published.difference(&self.received).collect();
        assert!(lost.is_empty(), "lost: {lost:x?}");
        self.published.clear();
    }
}

fn spawn(what: &str, place: &Place) -> Actor {
    let mut actor = Actor::spawn(what.trim_end(), place);
    actor.hear();
    actor
}

/// Kills an actor, if it has not killed itself; what it told that was not heard.
fn told(mut actor: Actor) -> Vec<String> {
    if actor.ended().is_some() { actor.hear_the_rest() } else { actor.kill_and_hear() }
}

/// Two senders and two receivers are there; all of them die, one by one, and so does a successor.
fn a_round(oracle: &mut Oracle, place: &Place, random: &mut Random) {
    let mut pause = || std::thread::sleep(Duration::from_micros(random.below(3000)));
    let senders = [oracle.sender(place, ""), oracle.sender(place, "")];
    let [one, other] = [spawn("receive 0", place), spawn("receive 1", place)];
    let [first, second] = senders;
    pause();
    let one = told(one);
    pause();
    oracle.sent(first);
    pause();
    let successor = spawn("receive 2", place);
    pause();
    let other = told(other);
    pause();
    let successor = told(successor);
    oracle.sent(second);
    oracle.got(&one);
    oracle.got(&other);
    oracle.got(&successor);
}

#[test]
fn what_was_published_is_received_whoever_is_killed() {
    const ROUNDS: u64 = 25;
    let place = Place::new();
    let mut receiver = place.mpmc::<Tick>(NAME).capacity(8).receiver().unwrap();
    let (mut oracle, mut random) = (Oracle::default(), Random(0x5eed));
    for _ in 0..ROUNDS {
        a_round(&mut oracle, &place, &mut random);
        oracle.drain(&mut receiver);
    }
    // How often somebody is killed with a message in hand is chance; at the marks below it is not.
    println!("{} flagged, {} repeated", oracle.flagged, oracle.repeated);
    assert!(!oracle.received.is_empty(), "nothing was sent");
}

/// A side that was left by the dead can be taken again, as often as there is one.
#[test]
fn sides_of_the_dead_are_taken_again() {
    let place = Place::new();
    let channel = || place.mpmc::<Tick>(NAME);
    let mut receiver = channel().capacity(8).senders(1).receivers(2).receiver().unwrap();
    for _ in 0..5 {
        let mut oracle = Oracle::default();
        let sender = oracle.sender(&place, "");
        assert!(channel().sender().is_err(), "the only side is taken");
        std::thread::sleep(Duration::from_millis(2));
        oracle.sent(sender);
        oracle.drain(&mut receiver);
    }
}

#[cfg(feature = "fail-points")]
mod steps {
    use super::*;
    use channel::eventually;
    use strait_pools::marks::Mark::{self, *};

    /// Waits until an actor has killed itself.
    fn dies(actor: &mut Actor, mark: Mark) {
        eventually(mark.name(), || actor.ended().is_some());
    }

    fn point(mark: Mark, pass: u64) -> String {
        format!("{}:{pass}:kill", mark.name())
    }

    /// One receiver is there all the time; the others die as `scene` says.
    fn play(scene: impl Fn(&mut Oracle, &Place)) {
        let place = Place::new();
        let mut receiver = place.mpmc::<Tick>(NAME).capacity(8).receiver().unwrap();
        let mut oracle = Oracle::default();
        scene(&mut oracle, &place);

        oracle.drain(&mut receiver);
    }

    #[test]
    fn senders_die_at_each_step() {
        for mark in [TicketIntended, TicketClaimed, TicketWritten, TicketPublished] {
            for pass in [1, 4, 12] {
                play(|oracle, place| {
                    let mut victim = oracle.sender(place, &point(mark, pass));
                    let receiver = spawn("receive 0", place);
                    dies(&mut victim.1, mark);
                    let other = oracle.sender(place, "");
                    // The ring goes around all the same.
                    std::thread::sleep(Duration::from_millis(15));
                    oracle.sent(victim);
                    oracle.sent(other);
                    oracle.got(&told(receiver));
                });
            }
        }
    }

    #[test]
    fn receivers_die_at_each_step() {
        let marks =
            [TakingIntended, TakingClaimed, TakingCopied, TakingNoted, TakingFreed, TakingDone];
        for mark in marks {
            for pass in [1, 4, 12] {
                play(|oracle, place| {
                    let sender = oracle.sender(place, "");
                    let mut victim = spawn(&format!("receive 0 {}", point(mark, pass)), place);
                    dies(&mut victim, mark);
                    let other = spawn("receive 1", place);
                    std::thread::sleep(Duration::from_millis(15));
                    oracle.sent(sender);
                    let dead = told(victim);
                    oracle.got(&dead);
                    oracle.got(&told(other));
                });
            }
        }
    }

    /// Whoever repairs dies of it, and so does the next.
    #[test]
    fn heirs_die_at_each_step() {
        let left = [
            (TakingClaimed, HeirCopied),
            (TakingFreed, HeirCopied),
            (TakingFreed, HeirCleared),
            (TakingFreed, HeirReady),
            (TicketClaimed, HoleSkipped),
        ];
        for (first, second) in left {
            play(|oracle, place| {
                let mut dead = Vec::new();
                let die = |mark: Mark, dead: &mut Vec<String>| {
                    let mut victim = spawn(&format!("receive 0 {}", point(mark, 1)), place);
                    dies(&mut victim, mark);
                    dead.extend(told(victim));
                };
                if first == TicketClaimed {
                    let mut victim = oracle.sender(place, &point(first, 2));
                    dies(&mut victim.1, first);
                    oracle.sent(victim);
                    die(second, &mut dead);
                    let sender = oracle.sender(place, "");
                    oracle.sent(sender);
                } else {
                    let sender = oracle.sender(place, "");
                    // Who comes next takes the first side that is free. Its predecessor's hand is in place; to
                    // empty another's, it has to have another side.
                    let beside = (second == HeirCleared).then(|| {
                        let beside = spawn("receive 1", place);
                        beside.pause();
                        beside
                    });
                    die(first, &mut dead);
                    let beside = beside.map(told);
                    die(second, &mut dead);
                    if !matches!(second, HeirCleared | HeirReady) {
                        die(second, &mut dead);
                    }
                    dead.extend(beside.into_iter().flatten());
                    oracle.sent(sender);
                }
                oracle.got(&dead);
            });
        }
    }
}
