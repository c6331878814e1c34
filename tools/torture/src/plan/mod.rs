//! What a seed means: rounds, and the kills of each.
//!
//! Round `r` follows from the seed and `r` alone, so that it can be repeated by itself. Which mark is
//! killed at goes round in a circle over all rounds: no mark waits for chance.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | rounds, their steps, and the random ones |
//! | `marks` | which step has somebody die at a mark, and in which rounds |

mod marks;
#[cfg(test)]
mod tests;

use crate::journal::Side;
use crate::random::Random;
use crate::spec::{Kind, Waiting};
use crate::tally::MARKS;
use marks::{OF_BLOCKS, at_mark, fits};
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

/// What the channel carries, round after round: as many rounds as share no divisor with those of
/// [`SETTINGS`] and [`SLEEPS`]. They begin elsewhere with each seed.
const KINDS: [Kind; 11] = [
    Kind::Plain,
    Kind::Kept,
    Kind::Rich,
    Kind::Large,
    Kind::Dense,
    Kind::Kept,
    Kind::Bytes,
    Kind::Large,
    Kind::Plain,
    Kind::Kept,
    Kind::LargeBytes,
];

/// Whether the sides of a round's channel may sleep: settled when the channel is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sleep {
    /// They never do.
    Never,
    /// For a slice at a time, at whose end they look around.
    Sliced,
    /// Until they are woken. Nothing makes up for a wake-up that is lost, and nobody notices a death by
    /// itself.
    Endless,
}

/// Who sleeps, round after round: as many rounds as share no divisor with those of [`SETTINGS`].
const SLEEPS: [Sleep; 7] = [
    Sleep::Sliced,
    Sleep::Endless,
    Sleep::Never,
    Sleep::Endless,
    Sleep::Sliced,
    Sleep::Never,
    Sleep::Endless,
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
        /// Whose side.
        side: Side,
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
    /// The holder dies with blocks that no message is in, or that it has read; the next dies freeing
    /// them; perhaps several.
    Sweeping {
        /// Whose side.
        side: Side,
        /// So many successors, one after the other.
        times: u32,
    },
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
    /// How many blocks there are for messages that are kept; 0 if none are.
    pub blocks: u64,
    /// Whether its sides may sleep.
    pub sleep: Sleep,
    /// The side whose holders never do, though they may.
    pub awake: Option<Side>,
    /// What is done.
    pub steps: Vec<Step>,
}

impl Round {
    /// Whether the holders of a side sleep when they have nothing to do.
    #[must_use]
    pub fn sleeps(&self, side: Side) -> bool {
        self.sleep != Sleep::Never && self.awake != Some(side)
    }

    /// How the next holder of a side waits. Those that do not sleep are mostly kind to the other
    /// processes of a small machine.
    #[must_use]
    pub fn waiting(&self, side: Side, random: &mut Random) -> Waiting {
        if self.sleeps(side) {
            return random.pick(&[Waiting::Park, Waiting::Adaptive]);
        }
        let kind = Waiting::Yield;
        random.pick(&[kind, kind, kind, Waiting::Backoff, Waiting::Pauses, Waiting::BusySpin])
    }

    /// Whether the holders of a side sleep often, even while messages flow.
    fn naps(&self, side: Side) -> bool {
        // A large ring is rarely full, and nobody waits for bytes in a churn.
        let waits = !self.kind.is_bytes() || self.setting != Setting::Churn;
        let often_full = self.capacity <= OFTEN_FULL || self.kind == Kind::Kept;
        self.sleeps(side) && waits && (side == Side::Receiver || often_full)
    }
}

/// Messages of a ring that is full every now and then, at most.
const OFTEN_FULL: u64 = 16;

/// Steps of a round.
const STEPS: u64 = 16;

/// Steps of a round whose marks come from the circle of all marks: more than half of them, and no
/// divisor of the number of marks, so that each round begins elsewhere.
const FROM_THE_CIRCLE: [u64; 11] = [0, 2, 3, 5, 7, 8, 9, 11, 12, 14, 15];

/// Those of the others that are about blocks, where there are any.
const ABOUT_BLOCKS: [u64; 3] = [1, 6, 13];

/// What round `number` of `seed` does.
#[must_use]
pub fn round(seed: u64, number: u64) -> Round {
    let mut random = Random::derived(seed, number);
    let setting = cycled(&SETTINGS, number);
    let sleep = match cycled(&SLEEPS, number) {
        // A crowd comes and goes as it likes: who waits there may wait for nobody.
        Sleep::Endless if setting == Setting::Churn => Sleep::Sliced,
        sleep => sleep,
    };
    let kind = cycled(&KINDS, number.wrapping_add(seed));
    let capacity = match sleep {
        // The fewer messages fit in, the sooner nobody is left to make up for a lost wake-up.
        Sleep::Endless => random.pick(&[1, 1, 2, 4]),
        Sleep::Never | Sleep::Sliced => random.pick(&[1, 2, 4, 16, 128]),
    };
    let blocks = if kind == Kind::Kept { random.pick(&[2, 4, 4, 8]) } else { 0 };
    let awake = random.pick(&[None, None, Some(Side::Sender), Some(Side::Receiver)]);
    let awake = awake.filter(|_| sleep == Sleep::Sliced);
    let mut round = Round {
        number,
        seed: random.any(),
        setting,
        kind,
        capacity,
        blocks,
        sleep,
        awake,
        steps: Vec::new(),
    };
    let circle = circle(seed);
    let first_of_blocks = random.below(OF_BLOCKS.len() as u64);
    for index in 0..STEPS {
        let place = FROM_THE_CIRCLE.iter().zip(number * FROM_THE_CIRCLE.len() as u64..);
        let place = place.into_iter().find(|&(&from_the_circle, _)| from_the_circle == index);
        let mark = place.and_then(|(_, place)| {
            (0..circle.len() as u64)
                .map(|ahead| cycled(&circle, place + ahead))
                .find(|&mark| fits(mark, &round))
        });
        let about_blocks = ABOUT_BLOCKS.iter().zip(0..).find(|&(&other, _)| other == index);
        let of_blocks = about_blocks.and_then(|(_, place)| {
            (place..place + OF_BLOCKS.len() as u64)
                .map(|place| cycled(&OF_BLOCKS, first_of_blocks + place))
                .find(|&mark| fits(mark, &round))
        });
        let step = match mark.or(of_blocks) {
            Some(mark) => at_mark(mark, &round, &mut random),
            None => at_random(setting, &mut random),
        };
        round.steps.push(step);
    }
    if setting == Setting::Users {
        round.steps.insert(1, Step::Intrusion);
    }
    round
}

/// Every mark of such channels, in an order that follows from the seed.
fn circle(seed: u64) -> Vec<Mark> {
    let mut random = Random::new(seed);
    let mut marks: Vec<(u64, Mark)> = MARKS.iter().map(|&mark| (random.any(), mark)).collect();
    marks.sort_by_key(|&(order, _)| order);
    marks.into_iter().map(|(_, mark)| mark).collect()
}

fn cycled<T: Copy>(list: &[T], index: u64) -> T {
    // Less than the length.
    #[allow(clippy::cast_possible_truncation)]
    let index = (index % list.len() as u64) as usize;
    list[index]
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
