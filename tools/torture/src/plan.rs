//! What a seed means: rounds, and the kills of each.
//!
//! Round `r` follows from the seed and `r` alone, so that it can be repeated by itself. Which mark is
//! killed at goes round in a circle over all rounds: no mark waits for chance.

use crate::journal::Side;
use crate::random::Random;
use crate::spec::{Kind, Waiting};
use strait_pools::marks::Mark;

/// What surrounds the kills of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setting {
    /// A named channel.
    Named,
    /// A memory segment that every actor inherits.
    Memory,
    /// A named channel with receivers standing by.
    Standby,
    /// A named channel that several open, use and close all the time.
    Churn,
    /// A named channel whose victims leave children behind.
    Children,
    /// Sender and receiver in two pid namespaces.
    Namespaces,
    /// Two users with channels of the same name in one directory.
    Users,
}

/// The settings, round after round.
const SETTINGS: [Setting; 12] = [
    Setting::Named,
    Setting::Churn,
    Setting::Memory,
    Setting::Standby,
    Setting::Named,
    Setting::Children,
    Setting::Churn,
    Setting::Namespaces,
    Setting::Named,
    Setting::Users,
    Setting::Standby,
    Setting::Memory,
];

/// Who takes a killed holder's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heir {
    /// Somebody who is started afterwards.
    Fresh,
    /// Somebody who has been asking for the side all the time.
    AtTheDoor,
    /// A receiver standing by.
    StandingBy,
}

/// One thing done to the actors of a channel. Each costs one or more lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The holder kills itself at this pass of a mark while messages flow.
    Flowing {
        /// Where.
        mark: Mark,
        /// At which pass from now on.
        pass: u32,
    },
    /// The holder is killed, and so is its successor, at a mark of taking over; perhaps several.
    Succeeding {
        /// Whose side.
        side: Side,
        /// Where.
        mark: Mark,
        /// So many successors, one after the other.
        times: u32,
    },
    /// The last of a batch is published when its sender dies; the next dies erasing it.
    Erasing,
    /// The holder is killed, and the other kills itself at a mark of noticing that.
    Noticing {
        /// Who notices.
        side: Side,
        /// Where.
        mark: Mark,
    },
    /// Both holders are killed, and the next notices when it takes the side, and dies.
    NoticingLate {
        /// Whose side.
        side: Side,
        /// Where.
        mark: Mark,
    },
    /// The holder kills itself at a mark of closing.
    Closing {
        /// Whose side.
        side: Side,
        /// Where.
        mark: Mark,
    },
    /// All close, and the last kills itself at a mark of removing the segment.
    Removing {
        /// Where.
        mark: Mark,
    },
    /// All close, and the first to come kills itself at a mark of making the segment.
    Creating {
        /// Who comes first.
        side: Side,
        /// Where.
        mark: Mark,
    },
    /// The supervisor kills the holder.
    Random {
        /// Which.
        side: Side,
        /// So many microseconds from now.
        moment: u64,
        /// Who comes after it.
        heir: Heir,
    },
    /// The supervisor kills both holders.
    Both {
        /// So many microseconds from now.
        moment: u64,
    },
    /// The holder is stopped for a while.
    Paused {
        /// Which.
        side: Side,
        /// For so many milliseconds.
        milliseconds: u64,
        /// And is killed while it stands still.
        killed: bool,
    },
    /// The holder has a child, is killed, and the child lives on.
    Orphaned {
        /// Which.
        side: Side,
        /// The child runs another program, with descriptors that it inherited.
        exec: bool,
    },
    /// In a churn: whoever is there is killed, at a mark if one is given.
    Churned {
        /// Whose side.
        side: Side,
        /// Where, and at which pass.
        mark: Option<(Mark, u32)>,
        /// If at no mark: so many microseconds from now.
        moment: u64,
    },
    /// A user tries to open the other user's channel: must be refused.
    Intrusion,
}

/// One round: a channel, its actors, and what is done to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// Its number.
    pub number: u64,
    /// Where the choices that the plan leaves open come from.
    pub seed: u64,
    /// What surrounds it.
    pub setting: Setting,
    /// What the channel carries.
    pub kind: Kind,
    /// How many messages the ring holds.
    pub capacity: u64,
    /// What is done.
    pub steps: Vec<Step>,
}

/// Steps of a round.
const STEPS: u64 = 16;

/// Steps of a round whose marks come from the circle of all marks: more than half of them, and no
/// divisor of the number of marks, so that each round begins elsewhere.
const FROM_THE_CIRCLE: [u64; 10] = [0, 2, 3, 5, 7, 8, 10, 11, 13, 15];

/// What round `number` of `seed` does.
#[must_use]
pub fn round(seed: u64, number: u64) -> Round {
    let mut random = Random::derived(seed, number);
    let setting = cycled(&SETTINGS, number);
    let kind = random.pick(&[Kind::Plain, Kind::Plain, Kind::Rich, Kind::Bytes, Kind::Dense]);
    let capacity = random.pick(&[1, 2, 4, 16, 128]);
    let mut steps = Vec::new();
    let circle = circle(seed);
    for index in 0..STEPS {
        let place = FROM_THE_CIRCLE.iter().zip(number * FROM_THE_CIRCLE.len() as u64..);
        let place = place.into_iter().find(|&(&from_the_circle, _)| from_the_circle == index);
        let fitting = |&mark: &Mark| fits(mark, setting, kind, capacity);
        let mark = place.and_then(|(_, place)| {
            (0..circle.len() as u64).map(|ahead| cycled(&circle, place + ahead)).find(fitting)
        });
        steps.push(match mark {
            Some(mark) => at_mark(mark, setting, &mut random),
            None => at_random(setting, &mut random),
        });
    }
    if setting == Setting::Users {
        steps.insert(1, Step::Intrusion);
    }
    Round { number, seed: random.any(), setting, kind, capacity, steps }
}

/// Every mark, in an order that follows from the seed.
fn circle(seed: u64) -> Vec<Mark> {
    let mut random = Random::new(seed);
    let mut marks: Vec<(u64, Mark)> = Mark::ALL.iter().map(|&mark| (random.any(), mark)).collect();
    marks.sort_by_key(|&(order, _)| order);
    marks.into_iter().map(|(_, mark)| mark).collect()
}

fn cycled<T: Copy>(list: &[T], index: u64) -> T {
    // Less than the length.
    #[allow(clippy::cast_possible_truncation)]
    let index = (index % list.len() as u64) as usize;
    list[index]
}

/// Whether a victim can get to the mark in such a round.
fn fits(mark: Mark, setting: Setting, kind: Kind, capacity: u64) -> bool {
    let named = setting != Setting::Memory;
    match mark {
        Mark::ProducerInBatch => kind != Kind::Bytes,
        // It takes a batch of two at least.
        Mark::TakeoverErased => kind != Kind::Bytes && capacity > 1 && setting != Setting::Churn,
        // Byte channels notice a death only in a wait without a limit, which nobody has in a churn.
        Mark::BurialBegun | Mark::BurialDated | Mark::BurialDone => {
            kind != Kind::Bytes || setting != Setting::Churn
        }
        Mark::SegmentComplete
        | Mark::SegmentNamed
        | Mark::SegmentOpened
        | Mark::RemovalLocked
        | Mark::RemovalRetired
        | Mark::RemovalUnlinked => named,
        _ => true,
    }
}

/// Who passes the mark; by chance if both do.
fn side_of(mark: Mark, random: &mut Random) -> Side {
    match mark {
        Mark::ProducerClaimed
        | Mark::ProducerWritten
        | Mark::ProducerPublished
        | Mark::ProducerInBatch
        | Mark::TakeoverFound
        | Mark::TakeoverErased
        | Mark::TakeoverBegan
        | Mark::TakeoverDone => Side::Sender,
        Mark::ConsumerInHand
        | Mark::ConsumerMoved
        | Mark::ConsumerTold
        | Mark::SuccessionNoted
        | Mark::SuccessionDone => Side::Receiver,
        _ => random.pick(&[Side::Sender, Side::Receiver]),
    }
}

/// A step whose victim dies at the mark.
fn at_mark(mark: Mark, setting: Setting, random: &mut Random) -> Step {
    let side = side_of(mark, random);
    let (pass, times) = (random.between(1, 6), random.between(1, 3));
    let small = |number: u64| u32::try_from(number).unwrap_or(1);
    if setting == Setting::Churn {
        let pass = small(random.between(1, 2));
        return Step::Churned { side, mark: Some((mark, pass)), moment: 0 };
    }
    match mark {
        Mark::ProducerClaimed
        | Mark::ProducerWritten
        | Mark::ProducerPublished
        | Mark::ProducerInBatch
        | Mark::ConsumerInHand
        | Mark::ConsumerMoved
        | Mark::ConsumerTold => Step::Flowing { mark, pass: small(pass) },
        Mark::TakeoverErased => Step::Erasing,
        Mark::TakeoverFound
        | Mark::TakeoverBegan
        | Mark::TakeoverDone
        | Mark::SuccessionNoted
        | Mark::SuccessionDone
        | Mark::EndpointLocked
        | Mark::EndpointSigning
        | Mark::EndpointSigned
        | Mark::SegmentOpened => Step::Succeeding { side, mark, times: small(times) },
        Mark::BurialBegun | Mark::BurialDated | Mark::BurialDone => {
            if random.once_in(2) {
                Step::Noticing { side, mark }
            } else {
                Step::NoticingLate { side, mark }
            }
        }
        Mark::EndpointClosing | Mark::EndpointClosed => Step::Closing { side, mark },
        Mark::RemovalLocked | Mark::RemovalRetired | Mark::RemovalUnlinked => {
            Step::Removing { mark }
        }
        Mark::SegmentComplete | Mark::SegmentNamed => Step::Creating { side, mark },
    }
}

/// A step whose victim dies at some moment.
fn at_random(setting: Setting, random: &mut Random) -> Step {
    let side = random.pick(&[Side::Sender, Side::Receiver]);
    let moment = random.below(3000);
    match setting {
        Setting::Churn => return Step::Churned { side, mark: None, moment },
        Setting::Standby if !random.once_in(3) => {
            return Step::Random { side: Side::Receiver, moment, heir: Heir::StandingBy };
        }
        Setting::Children if !random.once_in(3) => {
            return Step::Orphaned { side, exec: random.once_in(2) };
        }
        _ => {}
    }
    match random.below(8) {
        0 | 1 => {
            let killed = random.once_in(2);
            Step::Paused { side, milliseconds: random.between(5, 50), killed }
        }
        2 => Step::Both { moment },
        3 | 4 => Step::Random { side, moment, heir: Heir::AtTheDoor },
        _ => Step::Random { side, moment, heir: Heir::Fresh },
    }
}

/// How an actor waits: mostly kind to the other processes of a small machine.
#[must_use]
pub fn waiting(random: &mut Random) -> Waiting {
    random.pick(&[Waiting::Yield, Waiting::Yield, Waiting::Yield, Waiting::Pause, Waiting::Spin])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_seed_means_the_same_rounds_every_time() {
        for number in 0..40 {
            assert_eq!(round(7, number), round(7, number));
            assert_ne!(round(7, number).steps, round(8, number).steps);
            assert_ne!(round(7, number).seed, round(7, number + 1).seed);
        }
    }

    #[test]
    fn every_mark_and_every_setting_comes_up_in_the_gates_rounds() {
        for seed in [1, 7, 42] {
            let rounds: Vec<Round> = (0..16).map(|number| round(seed, number)).collect();
            let settings: HashSet<Setting> = rounds.iter().map(|round| round.setting).collect();
            assert_eq!(settings.len(), 7);
            let steps = rounds.iter().flat_map(|round| &round.steps);
            let marks: HashSet<Mark> = steps.filter_map(target).collect();
            let missing: Vec<_> = Mark::ALL.iter().filter(|mark| !marks.contains(mark)).collect();
            assert!(missing.is_empty(), "seed {seed}: {missing:?}");
        }
    }

    fn target(step: &Step) -> Option<Mark> {
        match *step {
            Step::Flowing { mark, .. }
            | Step::Succeeding { mark, .. }
            | Step::Noticing { mark, .. }
            | Step::NoticingLate { mark, .. }
            | Step::Closing { mark, .. }
            | Step::Removing { mark }
            | Step::Creating { mark, .. } => Some(mark),
            Step::Churned { mark, .. } => mark.map(|(mark, _)| mark),
            Step::Erasing => Some(Mark::TakeoverErased),
            _ => None,
        }
    }
}
