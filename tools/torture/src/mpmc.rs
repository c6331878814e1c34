//! Several senders and several receivers: what they tell ([`Told`]), and what must be true of it.
//!
//! Receivers say when they have a message, before they are done with it. So of all who have had the same
//! message, whoever said so last may have lived on; the others said nothing any more. But for one thing: an
//! heir that dies on its way leaves the message in two places, and so to two others, which both say that it
//! is delivered again.

use crate::fanout::{Told, Who};
use std::collections::BTreeMap;

/// Places at which dead heirs may leave the same message: one for each receiver there may be.
const PLACES: usize = 4;

/// Once that a message was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Receipt {
    when: u64,
    life: usize,
    flagged: bool,
    /// Whether it is the last of which that life told.
    is_last: bool,
}

/// What is wrong with what the lives of a round's actors told; the last is that of a receiver which came when
/// all others were gone. Numbers say whose they are: each life of a sender has its own, which rise.
#[must_use]
pub fn judge(lives: &[(Who, Vec<Told>)], at_most_once: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    // Whose life each number is of, and whether it was published.
    let mut about = BTreeMap::new();
    let of = |sender| {
        lives.iter().enumerate().filter(move |(_, (who, _))| sender == (*who == Who::Sender))
    };
    for (life, (_, told)) in of(true) {
        for &told in told {
            match told {
                Told::About(number, _) => drop(about.insert(number, (life, false))),
                Told::Sent(number, _) => drop(about.insert(number, (life, true))),
                other => wrong.push(format!("life {life}, a sender: {other:?}")),
            }
        }
    }
    let mut receipts = BTreeMap::<u64, Vec<Receipt>>::new();
    let mut deaths = 0;
    for (life, (_, told)) in of(false) {
        deaths += usize::from(told.last() != Some(&Told::Closed));
        // The last number of each sender's life, as this one saw it.
        let mut last = BTreeMap::new();
        for (index, &told_now) in told.iter().enumerate() {
            let (number, when, flagged) = match told_now {
                Told::Got(number, when) => (number, when, false),
                Told::Again(number, when) => (number, when, true),
                Told::Closed if index + 1 == told.len() => continue,
                other => {
                    wrong.push(format!("life {life}, a receiver: {other:?}"));
                    continue;
                }
            };
            let Some(&(sender, _)) = about.get(&number) else {
                wrong.push(format!("life {life} received {number}, which nobody sent"));
                continue;
            };
            if !flagged && last.insert(sender, number).is_some_and(|before| before >= number) {
                wrong.push(format!("life {life} received {number} out of order"));
            }
            let is_last = index + 1 == told.len();
            receipts.entry(number).or_default().push(Receipt { when, life, flagged, is_last });
        }
    }
    for (number, receipts) in &mut receipts {
        receipts.sort_unstable();
        let mut copies = 1;
        for pair in receipts.windows(2) {
            let what = match (pair[0], pair[1]) {
                _ if at_most_once => "at most once",
                (_, Receipt { flagged: false, .. }) => "not flagged",
                (Receipt { is_last: false, flagged: true, .. }, _) if copies < PLACES => {
                    copies += 1;
                    continue;
                }
                (Receipt { is_last: false, .. }, _) => "though the former was done with it",
                _ => continue,
            };
            wrong.push(format!("{number} was received twice, {what}: {pair:?}"));
        }
    }
    if lives.last().is_none_or(|(_, told)| told.last() != Some(&Told::Closed)) {
        wrong.push("the last receiver is stuck".to_owned());
    }
    let lost = about.iter().filter(|&(number, &(_, sent))| sent && !receipts.contains_key(number));
    let lost: Vec<_> = lost.map(|(number, (life, _))| (number, life)).collect();
    // One for each receiver that may have had it in hand and died before it told.
    if lost.len() > if at_most_once { deaths } else { 0 } {
        let all = lost.iter().map(|(number, life)| {
            format!("{number}, which life {life} published, is lost; {deaths} receivers died")
        });
        wrong.extend(all);
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::{Told::*, Who::*, *};

    /// Two senders at once, of which each dies with a message begun, one of them published; two receivers
    /// that die with one in hand; an heir that dies of it; and one that takes all.
    fn sound() -> Vec<(Who, Vec<Told>)> {
        vec![
            (Sender, vec![About(1, 0), About(2, 0), Sent(1, 0), Sent(2, 0), About(3, 0)]),
            (Sender, vec![About(11, 0), Sent(11, 0), About(12, 0)]),
            (Gated, vec![Got(1, 10), Got(2, 11)]),
            (Gated, vec![Got(11, 9)]),
            (Gated, vec![Again(2, 20)]),
            (Sender, vec![About(20, 0), Sent(20, 0), About(21, 0), Sent(21, 0)]),
            (
                Gated,
                vec![Got(20, 30), Again(11, 31), Got(21, 32), Again(2, 33), Got(12, 34), Closed],
            ),
        ]
    }

    /// Where nothing comes again, and three are lost with their receivers.
    fn sound_at_most_once() -> Vec<(Who, Vec<Told>)> {
        let mut lives = sound();
        lives[2].1.pop();
        lives[4].1.clear();
        lives[6].1 = vec![Got(20, 30), Got(21, 32), Again(12, 33), Closed];
        lives
    }

    #[test]
    fn sound_rounds_are_sound() {
        assert_eq!(judge(&sound(), false), Vec::<String>::new());
        assert_eq!(judge(&sound_at_most_once(), true), Vec::<String>::new());
    }

    /// What is wrong with a sound round in which something else was told.
    fn with(
        mut lives: Vec<(Who, Vec<Told>)>,
        at_most_once: bool,
        (life, index, instead): (usize, usize, Option<Told>),
    ) -> String {
        lives[life].1.splice(index..=index, instead);
        let wrong = judge(&lives, at_most_once);
        assert_ne!(wrong, Vec::<String>::new(), "{life} {index} {instead:?}");
        wrong.join("; ")
    }

    /// Each of these is one fault in a sound round.
    #[test]
    fn faults_are_found() {
        let faults = [
            ((2, 0, None), "1, which life 0 published, is lost"),
            ((6, 0, None), "20, which life 5 published, is lost"),
            ((2, 0, Some(Got(99, 10))), "received 99, which nobody sent"),
            ((6, 4, Some(Again(99, 34))), "received 99, which nobody sent"),
            ((2, 0, Some(Torn)), "Torn"),
            ((0, 4, Some(Torn)), "Torn"),
            ((2, 0, Some(Closed)), "Closed"),
            ((4, 0, Some(Got(2, 20))), "2 was received twice, not flagged"),
            ((6, 1, Some(Got(11, 31))), "11 was received twice, not flagged"),
            // The heir's came first.
            ((4, 0, Some(Again(2, 8))), "2 was received twice, not flagged"),
            // Whoever had it first went on.
            ((6, 4, Some(Again(1, 34))), "1 was received twice, though"),
            ((6, 4, Some(Again(20, 34))), "20 was received twice, though"),
            ((2, 1, Some(Got(1, 11))), "received 1 out of order"),
            ((6, 5, None), "the last receiver is stuck"),
        ];
        for (fault, expected) in faults {
            let wrong = with(sound(), false, fault);
            assert!(wrong.contains(expected), "{fault:?}: {wrong}");
        }
        let mut swapped = sound();
        swapped[6].1.swap(0, 2);
        assert!(judge(&swapped, false).join("; ").contains("received 20 out of order"));
    }

    #[test]
    fn an_heir_that_died_may_have_left_a_message_to_two_others() {
        let mut lives = sound();
        lives[4].1.push(Again(11, 21));
        assert_eq!(judge(&lives, false), Vec::<String>::new());
        lives[4].1.splice(1..1, [Again(2, 22), Again(2, 23)]);
        assert_eq!(judge(&lives, false), Vec::<String>::new());
        lives[4].1.insert(1, Again(2, 24));
        assert!(judge(&lives, false).join("; ").contains("2 was received twice, though"));
    }

    #[test]
    fn at_most_once_each_receiver_that_died_may_have_lost_one() {
        let mut lives = sound_at_most_once();
        // Three died; this is the fourth that is lost, with 2.
        lives[5].1.extend([About(22, 0), Sent(22, 0), About(23, 0), Sent(23, 0)]);
        assert_eq!(judge(&lives, true), Vec::<String>::new());
        lives[5].1.extend([About(24, 0), Sent(24, 0)]);
        assert_eq!(judge(&lives, true).len(), 4);

        let again = (6, 2, Some(Again(11, 33)));
        assert!(with(sound_at_most_once(), true, again).contains("11 was received twice, at most"));
    }
}
