//! Models of the ring for several senders and several receivers, on the source that ships: what they
//! do among themselves, and what those leave that die.
//!
//! Messages are numbers: 10 and 11 are of the sender 0, 20 and 21 of the sender 1. Those that die are
//! the main thread: see `endpoint`.

#![cfg(loom)]

use loom::thread;
use strait_loom_tests::deaths::marks_of;
use strait_loom_tests::explore;
use strait_loom_tests::mpmc::{Receiving, Ring, finish};
use strait_pools::marks::Mark::{
    self, HeirCleared, HeirCopied, HoleSkipped, TakingClaimed, TakingCopied, TakingFreed,
    TakingIntended, TakingNoted, TicketClaimed, TicketPublished, TicketWritten,
};

/// The messages of one sender among those that one receiver got are in the order in which they were sent.
fn is_in_order(got: &[u64]) {
    for of in [10, 20] {
        let own: Vec<u64> = got.iter().copied().filter(|&n| n / 10 * 10 == of).collect();
        assert!(own.is_sorted(), "out of order: {got:?}");
    }
}

/// All that were sent were got, and once, and nobody was told otherwise.
fn is_complete(receivers: &[Receiving], sent: &[u64]) {
    receivers.iter().for_each(|receiver| is_in_order(&receiver.got));
    let mut got: Vec<u64> = receivers.iter().flat_map(|receiver| receiver.got.clone()).collect();
    got.sort_unstable();
    assert_eq!(got, sent, "lost or repeated");
    assert!(receivers.iter().all(|receiver| receiver.flagged.is_empty()), "flagged");
}

/// Two senders, one receiver that claims up to `most`.
fn senders_compete(capacity: usize, most: u64, of_one: &'static [u64], of_other: &'static [u64]) {
    explore(3, move || {
        let ring = Ring::new(capacity);
        let (one, other) = (ring.sender(0, of_one), ring.sender(1, of_other));
        let one = thread::spawn(move || one.attempt(2));
        let other = thread::spawn(move || other.attempt(2));
        let receiver = ring.receiver(0).attempt(2, most);
        let mut senders = [one.join().unwrap(), other.join().unwrap()];
        let mut receivers = [receiver];
        finish(&mut senders, &mut receivers);
        is_complete(&receivers, &[of_one, of_other].concat());
    });
}

#[test]
fn senders_compete_for_one_cell() {
    senders_compete(1, 1, &[10], &[20]);
}

#[test]
fn senders_compete_around_the_ring() {
    senders_compete(2, 1, &[10, 11], &[20]);
}

#[test]
fn batches_are_claimed_whole() {
    senders_compete(4, 4, &[10, 11], &[20, 21]);
}

/// One sender, two receivers that claim up to `most`.
fn receivers_compete(ring: fn() -> Ring, most: u64, sent: &'static [u64]) {
    explore(3, move || {
        let ring = ring();
        let sender = ring.sender(0, sent);
        let (one, other) = (ring.receiver(0), ring.receiver(1));
        let sender = thread::spawn(move || sender.attempt(2));
        let other = thread::spawn(move || other.attempt(2, most));
        let one = one.attempt(2, most);
        let mut receivers = [one, other.join().unwrap()];
        finish(&mut [sender.join().unwrap()], &mut receivers);
        is_complete(&receivers, sent);
    });
}

#[test]
fn receivers_compete_for_one_cell() {
    receivers_compete(|| Ring::new(1), 1, &[10, 11]);
}

#[test]
fn receivers_compete_at_most_once() {
    receivers_compete(|| Ring::at_most_once(2), 1, &[10, 11]);
}

#[test]
fn receivers_claim_several() {
    receivers_compete(|| Ring::new(2), 2, &[10, 11, 12]);
}

/// A cell is read before it is written again.
#[test]
fn a_cell_is_read_before_it_is_used_again() {
    explore(3, || {
        let ring = Ring::new(1);
        assert!(ring.sender(0, &[10]).send());
        let (sender, receiver) = (ring.sender(0, &[11]), ring.receiver(0));
        let sender = thread::spawn(move || sender.attempt(1));
        let mut receivers = [receiver.attempt(1, 1)];
        finish(&mut [sender.join().unwrap()], &mut receivers);
        is_complete(&receivers, &[10, 11]);
    });
}

/// Who comes late may know where the head is, and not yet how far the cells are: that is no damage.
#[test]
fn who_comes_late_takes_nothing_for_damage() {
    explore(3, || {
        let ring = Ring::new(1);
        let (one, other) = (ring.receiver(0), ring.receiver(1));
        let sender = ring.sender(0, &[10]);
        let other = thread::spawn(move || other.attempt(1, 1));
        let sender = sender.attempt(1);
        let one = one.attempt(1, 1);
        let mut receivers = [one, other.join().unwrap()];
        finish(&mut [sender], &mut receivers);
        is_complete(&receivers, &[10]);
    });
}

/// One dies that was about to claim a message; another claims it, goes on to the next, and leaves. Who
/// repairs takes nothing from it.
#[test]
fn what_the_living_claim_is_theirs() {
    for leaves in [false, true] {
        explore(3, move || {
            let ring = Ring::new(2);
            assert!(ring.sender(0, &[10, 11]).send());
            let (died, _) = ring.receiver_may_die(0, TakingIntended, 0, Receiving::drain);
            let (one, successor) = (ring.receiver(1), ring.receiver(0));
            let successor = thread::spawn(move || successor.attempt(1, 1));
            let mut one = one.attempt(2, 1);
            if leaves {
                one.close();
            }
            let mut living = [one, successor.join().unwrap()];
            finish(&mut [], &mut living);
            is_delivered(&[died], &living, &[10, 11]);
        });
    }
}

/// A side that was left in good order is taken while somebody repairs: it is not taken for one of the dead.
#[test]
fn who_comes_while_another_repairs_keeps_its_own() {
    explore(3, || {
        let ring = Ring::new(2);
        assert!(ring.sender(0, &[10]).send());
        let (died, _) = ring.receiver_may_die(1, TakingIntended, 0, Receiving::drain);
        let heir = ring.receiver(1);
        let heir = thread::spawn(move || heir.attempt(1, 1));
        let newcomer = ring.receiver(0).attempt(1, 1);
        let mut living = [newcomer, heir.join().unwrap()];
        finish(&mut [], &mut living);
        is_delivered(&[died], &living, &[10]);
    });
}

/// Two senders and two receivers, a message each.
#[test]
fn two_and_two_compete() {
    explore(2, || {
        let ring = Ring::new(2);
        let (one, other) = (ring.sender(0, &[10]), ring.sender(1, &[20]));
        let (mine, others) = (ring.receiver(0), ring.receiver(1));
        let one = thread::spawn(move || one.attempt(1));
        let other = thread::spawn(move || other.attempt(1));
        let others = thread::spawn(move || others.attempt(1, 1));
        let mut receivers = [mine.attempt(1, 1), others.join().unwrap()];
        finish(&mut [one.join().unwrap(), other.join().unwrap()], &mut receivers);
        is_complete(&receivers, &[10, 20]);
    });
}

/// A sender of `messages` dies at a mark, after it has published those that are `left`; a receiver goes on,
/// and with it another sender, or a successor.
fn a_sender_dies(mark: Mark, passes: u32, messages: &'static [u64], left: &'static [u64]) {
    for succeeded in [false, true] {
        explore(2, move || {
            let ring = Ring::new(4);
            let receiver = ring.receiver(0);
            let other = (!succeeded).then(|| ring.sender(1, &[20]));
            let other = other.map(|other| thread::spawn(move || other.attempt(1)));
            let receiver = thread::spawn(move || receiver.attempt(2, 2));
            ring.sender_dies(0, messages, mark, passes);
            let successor = succeeded.then(|| ring.sender(0, &[20]).attempt(1));
            let other = other.map(|other| other.join().unwrap());
            let mut senders: Vec<_> = other.into_iter().chain(successor).collect();
            let mut receivers = [receiver.join().unwrap()];
            finish(&mut senders, &mut receivers);
            is_complete(&receivers, &[left, &[20]].concat());
        });
    }
}

#[test]
fn senders_die() {
    for &mark in marks_of("mpmc::senders_die") {
        a_sender_dies(mark, 0, &[10], if mark == TicketPublished { &[10] } else { &[] });
    }
}

/// A sender dies in a batch: what it had published, back to front, counts.
#[test]
fn senders_die_in_a_batch() {
    a_sender_dies(TicketClaimed, 0, &[10, 11], &[]);
    a_sender_dies(TicketPublished, 0, &[10, 11], &[11]);
    a_sender_dies(TicketPublished, 1, &[10, 11], &[10, 11]);
}

/// A sender dies that has the only cell; the next lap is another's.
#[test]
fn a_hole_goes_around_with_the_ring() {
    for mark in [TicketClaimed, TicketWritten] {
        explore(3, move || {
            let ring = Ring::new(1);
            let receiver = ring.receiver(0);
            let other = ring.sender(1, &[20]);
            ring.sender_dies(0, &[10], mark, 0);
            let other = thread::spawn(move || other.attempt(2));
            let mut receivers = [receiver.attempt(2, 1)];
            finish(&mut [other.join().unwrap()], &mut receivers);
            is_complete(&receivers, &[20]);
        });
    }
}

/// What receivers got that `died`, one after the other, and those that did not: nothing is lost, nothing is
/// got twice by the living, and nothing again of what a dead one got but by one who was told so.
fn is_delivered(died: &[Receiving], living: &[Receiving], sent: &[u64]) {
    let all = |receivers: &[Receiving]| -> Vec<u64> {
        receivers.iter().flat_map(|receiver| receiver.got.clone()).collect()
    };
    for (at, receiver) in died.iter().chain(living).enumerate() {
        let before = all(&died[..at.min(died.len())]);
        let repeated = |message| before.contains(message) && !receiver.flagged.contains(message);
        assert!(!receiver.got.iter().any(repeated), "came again, not flagged");
    }
    let mut got = all(living);
    got.sort_unstable();
    // Only what an heir left that died may come to two, and then both are told so.
    let told = |message| {
        living.iter().all(|one| !one.got.contains(message) || one.flagged.contains(message))
    };
    let twice =
        got.windows(2).find(|pair| pair[0] == pair[1] && !(died.len() > 1 && told(&pair[0])));
    assert!(twice.is_none(), "two that live got the same: {got:?}");
    got.extend(all(died));
    got.sort_unstable();
    got.dedup();
    assert_eq!(got, sent, "lost");
}

/// A receiver dies at a mark; another one is there, and then a successor.
fn a_receiver_dies(mark: Mark, passes: u32, most: u64) {
    explore(2, move || {
        let ring = Ring::new(2);
        assert!(ring.sender(0, &[10, 11]).send());
        let other = ring.receiver(1);
        let other = thread::spawn(move || other.attempt(1, 1));
        let drain = |receiver: &mut Receiving| while receiver.try_receive(most) {};
        let (first, has_died) = ring.receiver_may_die(0, mark, passes, drain);
        let mut successor = ring.receiver(0).attempt(1, 1);
        let mut other = other.join().unwrap();
        successor.drain();
        other.drain();
        if has_died {
            is_delivered(&[first], &[other, successor], &[10, 11]);
        } else {
            is_delivered(&[], &[first, other, successor], &[10, 11]);
        }
        // The cells are free again.
        assert!(ring.sender(0, &[12, 13]).send());
    });
}

#[test]
fn receivers_die() {
    for &mark in marks_of("mpmc::receivers_die") {
        a_receiver_dies(mark, 0, 1);
        a_receiver_dies(mark, 1, 1);
    }
}

#[test]
fn receivers_die_in_a_batch() {
    for mark in [TakingClaimed, TakingNoted, TakingFreed] {
        a_receiver_dies(mark, 0, 2);
    }
}

/// Who takes a message over from a hand has read it before the next holder of that hand writes there.
#[test]
fn a_hand_is_read_before_it_is_used_again() {
    explore(3, || {
        let ring = Ring::new(2);
        assert!(ring.sender(0, &[10]).send());
        let one = ring.receiver_may_die(0, TakingFreed, 0, Receiving::drain).0;
        // Dies with the message in its hand, and nothing on record.
        let (two, died) = ring.receiver_may_die(1, HeirCleared, 0, Receiving::drain);
        assert!(died && ring.sender(0, &[11]).send());
        let others_ring = ring.clone();
        let last = thread::spawn(move || others_ring.receiver(1).attempt(2, 1));
        let other = ring.receiver(0).attempt(2, 1);
        let mut living = [other, last.join().unwrap()];
        finish(&mut [], &mut living);
        is_delivered(&[one, two], &living, &[10, 11]);
    });
}

/// A receiver that dies leaves a message in its cell or in its hand; who takes it over dies as well, and
/// then does who takes over from that one, wherever.
#[test]
fn repairers_die() {
    let left = [TakingClaimed, TakingCopied, TakingNoted, TakingFreed];
    let dies_at = [HeirCopied, TakingNoted, TakingFreed, HeirCleared];
    for first in left {
        for second in dies_at {
            for third in dies_at {
                explore(2, move || {
                    let ring = Ring::new(1);
                    assert!(ring.sender(0, &[10]).send());
                    let one = ring.receiver_may_die(0, first, 0, Receiving::drain);
                    assert!(one.1, "nobody passed {first:?}");
                    let two = ring.receiver_may_die(1, second, 0, Receiving::drain);
                    let living = ring.receiver(1);
                    let living = thread::spawn(move || living.attempt(1, 1));
                    let three = ring.receiver_may_die(0, third, 0, Receiving::drain);
                    let mut living = living.join().unwrap();
                    living.drain();
                    let mut last = ring.receiver(0);
                    last.drain();
                    let ended = [one, two, three];
                    let (died, lived): (Vec<_>, Vec<_>) =
                        ended.into_iter().partition(|(_, died)| *died);
                    let of = |receivers: Vec<(Receiving, bool)>| -> Vec<Receiving> {
                        receivers.into_iter().map(|(receiver, _)| receiver).collect()
                    };
                    let mut lived = of(lived);
                    lived.extend([living, last]);
                    is_delivered(&of(died), &lived, &[10]);
                    assert!(ring.sender(0, &[11]).send(), "the cell is lost");
                });
            }
        }
    }
}

/// Who skips a hole dies; two others do it again at a time, and the ring goes on.
#[test]
fn skippers_die() {
    for &mark in marks_of("mpmc::repairers_die") {
        if mark != HoleSkipped {
            continue;
        }
        for passes in 0..2 {
            explore(2, move || {
                let ring = Ring::new(2);
                ring.sender_dies(0, &[10, 11], TicketClaimed, 0);
                let (_, died) = ring.receiver_may_die(0, mark, passes, Receiving::drain);
                assert!(died, "nobody passed {mark:?}");
                let other = ring.receiver(1);
                let other = thread::spawn(move || other.attempt(2, 1));
                let one = ring.receiver(0).attempt(2, 1);
                let mut receivers = [one, other.join().unwrap()];
                finish(&mut [ring.sender(1, &[20, 21])], &mut receivers);
                is_complete(&receivers, &[20, 21]);
            });
        }
    }
}

/// A successor dies when it has just finished what was left, beside a living receiver.
#[test]
fn successors_die() {
    for &mark in marks_of("mpmc::successors_die") {
        for left in [TakingClaimed, TakingFreed] {
            explore(2, move || {
                let ring = Ring::new(2);
                assert!(ring.sender(0, &[10, 11]).send());
                let one = ring.receiver_may_die(0, left, 0, Receiving::drain).0;
                let other = ring.receiver(1);
                let other = thread::spawn(move || other.attempt(1, 1));
                let two = ring.receiver_may_die(0, mark, 0, Receiving::drain).0;
                let mut other = other.join().unwrap();
                other.drain();
                let mut last = ring.receiver(0);
                last.drain();
                is_delivered(&[one, two], &[other, last], &[10, 11]);
            });
        }
    }
}

/// Who leaves with messages claimed leaves them to others.
#[test]
fn what_is_claimed_when_a_receiver_leaves_is_not_lost() {
    explore(2, || {
        let ring = Ring::new(4);
        assert!(ring.sender(0, &[10, 11, 12]).send());
        let other = ring.receiver(1);
        let other = thread::spawn(move || other.attempt(1, 1));
        let mut one = ring.receiver(0);
        one.try_receive(3);
        one.close();
        let mut other = other.join().unwrap();
        other.drain();
        is_delivered(&[], &[one, other], &[10, 11, 12]);
    });
}

/// A ring without hands loses at most what was out of its cell, and repeats nothing.
#[test]
fn at_most_once_is_at_most_once() {
    for mark in [TakingClaimed, TakingCopied, TakingFreed] {
        explore(2, move || {
            let ring = Ring::at_most_once(2);
            assert!(ring.sender(0, &[10, 11]).send());
            let other = ring.receiver(1);
            let other = thread::spawn(move || other.attempt(1, 1));
            let (dead, died) = ring.receiver_may_die(0, mark, 0, Receiving::drain);
            let mut other = other.join().unwrap();
            other.drain();
            let mut got = [dead.got, other.got].concat();
            got.sort_unstable();
            let lost = 2 - got.len();
            got.dedup();
            assert_eq!(2 - got.len(), lost, "repeated");
            assert!(lost == 0 || died && lost == 1 && mark == TakingFreed, "lost: {lost}");
        });
    }
}
