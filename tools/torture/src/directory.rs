//! A directory: what those tell who offer, withdraw and look ([`Told`]), and what must be true of it.
//!
//! Everybody says when: the clock is the machine's. Of one that died it is known that it lived until the last
//! thing that it told.

use crate::fanout::{Told, Who};
use crate::random::mix;
use std::collections::{BTreeMap, BTreeSet};

/// The properties of the offer with this number: so many words as it says, all of which follow from it.
#[must_use]
pub fn properties(number: u64) -> Vec<u8> {
    let words =
        (0..2 + number % 8).map(|index| if index == 0 { number } else { mix(number ^ index) });
    words.flat_map(u64::to_le_bytes).collect()
}

/// Whose properties those are; `None` if they are torn.
#[must_use]
pub fn number(properties: &[u8]) -> Option<u64> {
    let number = u64::from_le_bytes(*properties.first_chunk()?);
    (properties == self::properties(number)).then_some(number)
}

/// What is known of one offer.
#[derive(Clone, Copy, Debug)]
struct Life {
    /// When it was begun.
    about: u64,
    /// When it was made, if it was.
    made: Option<u64>,
    /// When its withdrawal was begun, or its process lived last.
    until: u64,
    /// When it was withdrawn, if it was.
    left: Option<u64>,
}

/// What is wrong with what the lives of a round's actors told.
#[must_use]
pub fn judge(lives: &[(Who, Vec<Told>)]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut offers = BTreeMap::new();
    for (_, told) in lives.iter().filter(|(who, _)| *who == Who::Sender) {
        offers_of(told, &mut offers, &mut wrong);
    }
    for (_, told) in lives.iter().filter(|(who, _)| *who != Who::Sender) {
        looker(told, &offers, &mut wrong);
    }
    wrong
}

/// Notes what one process told of its offers.
fn offers_of(told: &[Told], offers: &mut BTreeMap<u64, Life>, wrong: &mut Vec<String>) {
    let when = |told: &Told| match *told {
        Told::About(_, when)
        | Told::Sent(_, when)
        | Told::Leaving(_, when)
        | Told::Left(_, when) => when,
        _ => 0,
    };
    let until = told.iter().map(when).max().unwrap_or(0);
    for &told in told {
        let (Told::About(number, when)
        | Told::Sent(number, when)
        | Told::Leaving(number, when)
        | Told::Left(number, when)) = told
        else {
            wrong.push(format!("one that offers: {told:?}"));
            continue;
        };
        let life = Life { about: when, made: None, until, left: None };
        let life = offers.entry(number).or_insert(life);
        match told {
            Told::Sent(..) => life.made = Some(when),
            Told::Leaving(..) => life.until = when,
            Told::Left(..) => life.left = Some(when),
            _ => {}
        }
    }
}

/// What one that looks has seen: all that stood all the time, and nothing that was gone before.
fn looker(told: &[Told], offers: &BTreeMap<u64, Life>, wrong: &mut Vec<String>) {
    let (mut seen, mut gone) = (BTreeSet::new(), BTreeSet::new());
    for &told in told {
        match told {
            Told::Got(number, _) => {
                if !seen.insert(number) {
                    wrong.push(format!("{number} was seen twice in one look"));
                }
            }
            Told::Seen(begin, end) => {
                for number in &seen {
                    let was_there = |life: &Life| {
                        life.about <= end && life.left.is_none_or(|left| left >= begin)
                    };
                    if !offers.get(number).is_some_and(was_there) {
                        let life = offers.get(number);
                        wrong.push(format!("{number} was seen from {begin} to {end}: {life:?}"));
                    }
                }
                for (number, life) in offers {
                    let stood = life.made.is_some_and(|made| made <= begin) && life.until >= end;
                    if stood && !seen.contains(number) {
                        wrong
                            .push(format!("{number} was not seen from {begin} to {end}: {life:?}"));
                    }
                }
                wrong
                    .extend(seen.intersection(&gone).map(|n| format!("{n} was gone, and is seen")));
                seen.clear();
            }
            Told::Gone(number, when) => {
                let lives = |life: &Life| life.made.is_some() && life.until > when;
                if offers.get(&number).is_some_and(lives) {
                    wrong.push(format!("{number} was said to be gone at {when}, and lived"));
                }
                gone.insert(number);
            }
            Told::Closed => {}
            other => wrong.push(format!("one that looks: {other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fanout::each_is_found;
    use Told::{About, Gone, Got, Leaving, Left, Seen, Sent, Torn};

    #[test]
    fn properties_tell_whether_they_are_whole() {
        for one in 0..20 {
            let mut bytes = properties(one);
            assert_eq!(number(&bytes), Some(one));
            *bytes.last_mut().unwrap() ^= 1;
            assert_eq!(number(&bytes), None);
            bytes.pop();
            assert_eq!(number(&bytes), None);
        }
    }

    fn sound() -> Vec<(Who, Vec<Told>)> {
        let offers =
            vec![About(1, 10), Sent(1, 12), About(2, 13), Sent(2, 14), Leaving(1, 20), Left(1, 22)];
        let dies = vec![About(3, 11), Sent(3, 15), About(4, 16)];
        let looks = vec![
            Got(1, 0),
            Got(2, 0),
            Got(3, 0),
            Seen(15, 16),
            // 4 may be there or not, and so may 1.
            Got(2, 0),
            Got(4, 0),
            Got(3, 0),
            Seen(19, 21),
            Gone(3, 25),
            Got(2, 0),
            Seen(26, 27),
        ];
        vec![(Who::Sender, offers), (Who::Observing, looks), (Who::Sender, dies)]
    }

    #[test]
    fn a_sound_round_is_sound() {
        assert_eq!(judge(&sound()), Vec::<String>::new());
    }

    /// Each of these is one fault in a sound round.
    #[test]
    fn faults_are_found() {
        let faults: &[(usize, usize, Option<Told>)] = &[
            (0, 0, Some(Torn)),
            (1, 0, None),
            (1, 1, Some(Torn)),
            (1, 2, None),
            (1, 9, Some(Got(3, 0))),
            (1, 9, Some(Got(1, 0))),
            (1, 9, Some(Got(5, 0))),
            (1, 5, Some(Got(2, 0))),
            (1, 8, Some(Gone(2, 13))),
            (2, 2, Some(About(4, 22))),
        ];
        each_is_found(&sound(), faults, judge);
    }
}
