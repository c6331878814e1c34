//! Several senders and one receiver: what they tell ([`Told`]), and what must be true of it.

use crate::fanout::{Told, Who};
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with what the lives of a round's actors told, the receivers' in the order in which they
/// lived. Numbers say whose they are: each life of a sender has its own, which rise.
#[must_use]
pub fn judge(lives: &[(Who, Vec<Told>)]) -> Vec<String> {
    let mut wrong = Vec::new();
    // Whose life each number is of, and whether it was published.
    let mut about = BTreeMap::new();
    for (life, (_, told)) in lives.iter().enumerate().filter(|(_, (who, _))| *who == Who::Sender) {
        for &told in told {
            match told {
                Told::About(number, _) => drop(about.insert(number, (life, false))),
                Told::Sent(number, _) => drop(about.insert(number, (life, true))),
                other => wrong.push(format!("a sender: {other:?}")),
            }
        }
    }
    // What receivers that died had in hand: whoever comes to that lane gets it again, once for each death.
    let (mut got, mut in_hand) = (BTreeSet::new(), BTreeSet::new());
    // The last number of each sender's life.
    let mut last = BTreeMap::new();
    let receivers = lives.iter().filter(|(who, _)| *who != Who::Sender);
    for (_, told) in receivers {
        for &told in told {
            let Told::Got(number, _) = told else {
                if told != Told::Closed {
                    wrong.push(format!("a receiver: {told:?}"));
                }
                continue;
            };
            let Some(&(life, _)) = about.get(&number) else {
                wrong.push(format!("{number} was received, and nobody sent it"));
                continue;
            };
            if !got.insert(number) {
                if !in_hand.remove(&number) {
                    wrong.push(format!("{number} was received twice"));
                }
            } else if last.insert(life, number).is_some_and(|before| before > number) {
                wrong.push(format!("{number} was received out of order"));
            }
        }
        in_hand.extend(told.iter().rev().find_map(|&told| match told {
            Told::Got(number, _) => Some(number),
            _ => None,
        }));
    }
    let ended = lives.iter().rev().find(|(who, _)| *who != Who::Sender);
    if ended.is_none_or(|(_, told)| told.last() != Some(&Told::Closed)) {
        wrong.push("the last receiver is stuck".to_owned());
    }
    let lost = about.iter().filter(|&(number, &(_, sent))| sent && !got.contains(number));
    wrong.extend(lost.map(|(number, _)| format!("{number} was published and is lost")));
    wrong
}

#[cfg(test)]
mod tests {
    use super::{Told::*, Who::*, *};
    use crate::fanout::each_is_found;

    /// Two senders at once, of which one dies with a message published and one begun; and a receiver that
    /// dies with one in hand.
    fn sound() -> Vec<(Who, Vec<Told>)> {
        vec![
            (Sender, vec![About(1, 0), Sent(1, 0), About(2, 0), Sent(2, 1), About(3, 0)]),
            (Sender, vec![About(11, 0), Sent(11, 0), About(12, 0)]),
            (Gated, vec![Got(1, 0), Got(11, 0), Got(2, 1)]),
            (Gated, vec![]),
            (Sender, vec![About(20, 0), Sent(20, 2)]),
            (Gated, vec![Got(2, 1), Got(20, 2), Got(12, 1), Closed]),
        ]
    }

    #[test]
    fn a_sound_round_is_sound() {
        assert_eq!(judge(&sound()), Vec::<String>::new());
    }

    /// Each of these is one fault in a sound round.
    #[test]
    fn faults_are_found() {
        let faults: &[(usize, usize, Option<Told>)] = &[
            (2, 0, None),
            (2, 1, None),
            (2, 2, Some(Got(99, 1))),
            (2, 0, Some(Got(2, 1))),
            (2, 1, Some(Torn)),
            (2, 1, Some(Got(1, 0))),
            (5, 0, Some(Got(11, 0))),
            (5, 1, None),
            (5, 3, None),
            (5, 3, Some(Got(12, 1))),
            (0, 0, Some(Torn)),
        ];
        each_is_found(&sound(), faults, judge);
        let mut swapped = sound();
        swapped[2].1.swap(0, 2);
        assert_ne!(judge(&swapped), Vec::<String>::new());
    }
}
