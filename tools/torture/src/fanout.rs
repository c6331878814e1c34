//! One sender and several receivers of all its messages, or of its latest values: what they tell, and what
//! must be true of it.
//!
//! A message says which it is: its number, which the supervisor gives out, so that a sender that dies leaves
//! a gap in the numbers, and none in the positions. What a receiver says is held against what the senders
//! wrote into their pipes before and after each message.

use std::collections::BTreeMap;
use strait_macros::Message;

/// A message, every word of which follows from its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[message(crate = strait_ipc)]
#[repr(C)]
pub struct Body {
    words: [u64; 12],
}

impl Body {
    /// The message with this number.
    #[must_use]
    pub fn of(number: u64) -> Self {
        let mut words = [number; 12];
        (0..)
            .zip(&mut words)
            .skip(1)
            .for_each(|(index, word)| *word = crate::body::word(number, 0, index));
        Self { words }
    }

    /// Its number; `None` if it is torn.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        (*self == Self::of(self.words[0])).then_some(self.words[0])
    }
}

/// What an actor tells, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A sender is about to send the message with that number, or to set that key to it; or a caller to make
    /// that call, in that [`How`](crate::calls::How).
    About(u64, u64),
    /// It has: the number, and its position; or the number, and the key; or the number of a call, and its
    /// [`End`](crate::calls::End).
    Sent(u64, u64),
    /// A receiver begins at this position; or a server or a caller with that life of the service.
    Begun(u64),
    /// A receiver has the message with that number, at that position; or, of several receivers
    /// of which one gets it, at that moment; or an auditor the value of a key.
    Got(u64, u64),
    /// A receiver has it, and it is said that another, which died, may have had it before.
    Again(u64, u64),
    /// So many messages are lost to a receiver.
    Lost(u64),
    /// A message was torn.
    Torn,
    /// The sender closed, and everything is read; or an actor has come to its end.
    Closed,
    /// What has that number is about to be withdrawn, at that moment.
    Leaving(u64, u64),
    /// It is withdrawn.
    Left(u64, u64),
    /// A look from one moment to the other has come upon all that was got since the look before.
    Seen(u64, u64),
    /// Who offered what has that number is dead, or has withdrawn it, as was asked at that moment.
    Gone(u64, u64),
    /// A caller is about to publish the batch that begins with that call.
    Commits(u64),
}

/// Bytes of what is told once.
pub const BYTES: usize = 17;

impl Told {
    /// As it goes through a pipe.
    #[must_use]
    pub fn encode(self) -> [u8; BYTES] {
        let (kind, one, other) = match self {
            Self::About(number, key) => (1, number, key),
            Self::Sent(number, position) => (2, number, position),
            Self::Begun(position) => (3, position, 0),
            Self::Got(number, position) => (4, number, position),
            Self::Lost(lost) => (5, lost, 0),
            Self::Torn => (6, 0, 0),
            Self::Closed => (7, 0, 0),
            Self::Again(number, when) => (8, number, when),
            Self::Leaving(number, when) => (9, number, when),
            Self::Left(number, when) => (10, number, when),
            Self::Seen(begin, end) => (11, begin, end),
            Self::Gone(number, when) => (12, number, when),
            Self::Commits(number) => (13, number, 0),
        };
        let mut bytes = [kind; BYTES];
        bytes[1..9].copy_from_slice(&one.to_le_bytes());
        bytes[9..].copy_from_slice(&other.to_le_bytes());
        bytes
    }

    /// What such bytes tell, if they tell anything.
    #[must_use]
    pub fn decode(bytes: [u8; BYTES]) -> Option<Self> {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let (one, other) = (word(1), word(9));
        Some(match bytes[0] {
            1 => Self::About(one, other),
            2 => Self::Sent(one, other),
            3 => Self::Begun(one),
            4 => Self::Got(one, other),
            5 => Self::Lost(one),
            6 => Self::Torn,
            7 => Self::Closed,
            8 => Self::Again(one, other),
            9 => Self::Leaving(one, other),
            10 => Self::Left(one, other),
            11 => Self::Seen(one, other),
            12 => Self::Gone(one, other),
            13 => Self::Commits(one),
            _ => return None,
        })
    }
}

/// Who tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A sender.
    Sender,
    /// A receiver that is waited for.
    Gated,
    /// One that is not.
    Observing,
}

/// What is wrong with what the lives of a round's actors told, in the order in which they began. The first is
/// a receiver that was there from the beginning to the end and was waited for.
#[must_use]
pub fn judge(lives: &[(Who, Vec<Told>)]) -> Vec<String> {
    let mut wrong = Vec::new();
    let Some(((Who::Gated, witness), others)) = lives.split_first() else {
        return vec!["nobody was there from the beginning".to_owned()];
    };
    // What stood at each position, as the witness saw it.
    let mut stream = Vec::new();
    let mut closed = false;
    for &told in witness {
        match told {
            Told::Begun(0) => {}
            Told::Got(number, position) if position == stream.len() as u64 => stream.push(number),
            Told::Closed => closed = true,
            other => wrong.push(format!("the witness: {other:?} after {} messages", stream.len())),
        }
    }
    if !closed {
        wrong.push("the witness is stuck".to_owned());
    }
    let mut about = BTreeMap::new();
    for &(who, ref told) in others {
        if who == Who::Sender {
            told.iter().for_each(|&told| match told {
                Told::About(number, _) => drop(about.insert(number, false)),
                Told::Sent(number, position) => {
                    if about.insert(number, true).is_none() {
                        wrong.push(format!("{number} was published and never begun"));
                    }
                    let there = at(&stream, position);
                    if there != Some(number) {
                        wrong.push(format!(
                            "{number} was published at {position}, where {there:?} is"
                        ));
                    }
                }
                other => wrong.push(format!("a sender: {other:?}")),
            });
        } else {
            receiver(who, told, &stream, &mut wrong);
        }
    }
    if !stream.is_sorted_by(|one, next| one < next) {
        wrong.push("the witness got messages twice, or out of order".to_owned());
    }
    let invented = stream.iter().filter(|number| !about.contains_key(number)).count();
    let lost =
        about.iter().filter(|&(number, &sent)| sent && stream.binary_search(number).is_err());
    for (count, what) in
        [(invented, "that nobody sent"), (lost.count(), "that were published are lost")]
    {
        if count > 0 {
            wrong.push(format!("{count} messages {what}"));
        }
    }
    wrong
}

fn at(stream: &[u64], position: u64) -> Option<u64> {
    stream.get(usize::try_from(position).ok()?).copied()
}

/// One receiver's life: from where it began, every message or what it was told of its loss.
fn receiver(who: Who, told: &[Told], stream: &[u64], wrong: &mut Vec<String>) {
    let mut next = None;
    for &told in told {
        match (told, next) {
            (Told::Begun(position), _) => next = Some(position),
            (Told::Got(number, position), Some(expected)) => {
                if position != expected || at(stream, position) != Some(number) {
                    wrong.push(format!("{who:?}: {number} at {position}, expected {expected}"));
                }
                next = Some(position + 1);
            }
            (Told::Lost(lost), Some(expected)) if who == Who::Observing => {
                next = Some(expected + lost);
            }
            (Told::Closed, Some(expected)) if expected == stream.len() as u64 => {}
            (other, _) => wrong.push(format!("{who:?}: {other:?}, expected {next:?}")),
        }
    }
}

/// What is wrong with the values that an auditor found, after all that writers told until then.
#[must_use]
pub fn judge_values(writers: &[Told], found: &[Told]) -> Vec<String> {
    // The value that each key was set to last, and those that were begun after it: each of their
    // writers may have died with the value set and not told.
    let (mut set, mut begun) = (BTreeMap::new(), BTreeMap::<_, Vec<_>>::new());
    for &told in writers {
        match told {
            Told::About(number, key) => begun.entry(key).or_default().push(number),
            Told::Sent(number, key) => {
                set.insert(key, number);
                begun.remove(&key);
            }
            _ => {}
        }
    }
    let mut wrong = Vec::new();
    for &told in found {
        let Told::Got(number, key) = told else {
            wrong.push(format!("an auditor: {told:?}"));
            continue;
        };
        let begun = begun.get(&key).is_some_and(|begun| begun.contains(&number));
        if Some(&number) != set.get(&key) && !begun {
            wrong.push(format!("key {key} is {number}, was set to {:?}", set.get(&key)));
        }
    }
    let lost = set
        .keys()
        .filter(|&&key| !found.iter().any(|&told| matches!(told, Told::Got(_, k) if k == key)));
    wrong.extend(lost.map(|key| format!("key {key} has no value")));
    wrong
}

/// Holds that a judge finds each of these faults, alone, in lives that are sound: a life, what it told, and
/// what it tells instead.
#[cfg(test)]
pub(crate) fn each_is_found(
    sound: &[(Who, Vec<Told>)],
    faults: &[(usize, usize, Option<Told>)],
    judge: impl Fn(&[(Who, Vec<Told>)]) -> Vec<String>,
) {
    for &(life, index, instead) in faults {
        let mut lives = sound.to_vec();
        lives[life].1.splice(index..=index, instead);
        assert_ne!(judge(&lives), Vec::<String>::new(), "{life} {index} {instead:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::{Told::*, Who::*, *};

    /// Two senders, of which the first dies with message 3 published and the second is told to go on at 4.
    fn sound() -> Vec<(Who, Vec<Told>)> {
        vec![
            (Gated, vec![Begun(0), Got(1, 0), Got(2, 1), Got(3, 2), Got(5, 3), Closed]),
            (Sender, vec![About(1, 0), Sent(1, 0), About(2, 0), Sent(2, 1), About(3, 0)]),
            (Observing, vec![Begun(0), Got(1, 0), Lost(2), Got(5, 3), Closed]),
            (Sender, vec![About(4, 0)]),
            (Sender, vec![About(5, 0), Sent(5, 3)]),
            (Gated, vec![Begun(2), Got(3, 2)]),
        ]
    }

    #[test]
    fn what_is_told_is_told_through_a_pipe() {
        for (_, told) in sound() {
            let others = [Torn, Again(7, 8), Leaving(9, 1), Left(9, 2), Seen(3, 4), Gone(5, 6)];
            for told in told.into_iter().chain(others) {
                assert_eq!(Told::decode(told.encode()), Some(told));
            }
        }
        assert_eq!(Told::decode([99; BYTES]), None);
    }

    #[test]
    fn bodies_tell_whether_they_are_whole() {
        let mut body = Body::of(7);
        assert_eq!(body.number(), Some(7));
        body.words[11] ^= 1;
        assert_eq!(body.number(), None);
    }

    #[test]
    fn a_sound_round_is_sound() {
        assert_eq!(judge(&sound()), Vec::<String>::new());
    }

    /// Each of these is one fault in a sound round.
    #[test]
    fn faults_are_found() {
        let faults: &[(usize, usize, Option<Told>)] = &[
            (0, 2, None),
            (0, 2, Some(Got(1, 1))),
            (0, 2, Some(Torn)),
            (0, 4, Some(Got(6, 3))),
            (0, 5, None),
            (1, 3, Some(Sent(2, 2))),
            (2, 2, Some(Lost(1))),
            (2, 2, None),
            (2, 3, None),
            (2, 3, Some(Got(3, 3))),
            (4, 0, None),
            (5, 0, Some(Begun(1))),
            (5, 1, Some(Lost(1))),
        ];
        each_is_found(&sound(), faults, judge);
    }

    #[test]
    fn values_are_what_was_set_last_or_begun() {
        let told = [About(8, 0), About(1, 0), Sent(1, 0), About(2, 1), Sent(2, 1)];
        let writers = [&told[..], &[About(3, 0), About(4, 0)]].concat();
        for last in [1, 3, 4] {
            assert_eq!(judge_values(&writers, &[Got(last, 0), Got(2, 1)]), Vec::<String>::new());
        }
        for found in [&[Got(8, 0), Got(2, 1)][..], &[Got(1, 0)], &[Torn, Got(2, 1)]] {
            assert_ne!(judge_values(&writers, found), Vec::<String>::new(), "{found:?}");
        }
    }
}
