//! Which step has somebody die at a mark, and in which rounds.

use super::{Round, Setting, Sleep, Step};
use crate::journal::Side;
use crate::random::Random;
use crate::spec::Kind;
use strait_pools::marks::Mark;

/// The marks of messages in blocks.
pub(super) const OF_BLOCKS: [Mark; 4] =
    [Mark::BlockTaken, Mark::BlockClaimed, Mark::BlockRead, Mark::BlockSwept];

/// Whether a victim can get to the mark in such a round.
pub(super) fn fits(mark: Mark, round: &Round) -> bool {
    let &Round { setting, kind, capacity, .. } = round;
    match mark {
        Mark::ProducerInBatch => !kind.is_bytes(),
        // It takes a batch of two at least.
        Mark::TakeoverErased => !kind.is_bytes() && capacity > 1 && setting != Setting::Churn,
        // Byte channels notice a death only in a wait without a limit, which nobody has in a churn.
        Mark::BurialBegun | Mark::BurialDated | Mark::BurialDone => {
            !kind.is_bytes() || setting != Setting::Churn
        }
        Mark::SegmentComplete
        | Mark::SegmentNamed
        | Mark::SegmentOpened
        | Mark::RemovalLocked
        | Mark::RemovalRetired
        | Mark::RemovalUnlinked => setting != Setting::Memory,
        Mark::SleepNoted
        | Mark::SleepBegun
        | Mark::SleepOver
        | Mark::WakeNoted
        | Mark::WakeDone => !sides_of(mark, round).is_empty(),
        Mark::BlockTaken | Mark::BlockClaimed | Mark::BlockRead => kind == Kind::Kept,
        // In a crowd nobody is sure to come after one that left something to sweep.
        Mark::BlockSwept => kind == Kind::Kept && setting != Setting::Churn,
        _ => true,
    }
}

/// Those who pass the mark.
fn sides_of(mark: Mark, round: &Round) -> Vec<Side> {
    let both = [Side::Sender, Side::Receiver].into_iter();
    match mark {
        Mark::ProducerClaimed
        | Mark::ProducerWritten
        | Mark::ProducerPublished
        | Mark::ProducerInBatch
        | Mark::TakeoverFound
        | Mark::TakeoverErased
        | Mark::TakeoverBegan
        | Mark::TakeoverDone
        | Mark::BlockTaken => vec![Side::Sender],
        Mark::ConsumerInHand
        | Mark::ConsumerMoved
        | Mark::ConsumerTold
        | Mark::SuccessionNoted
        | Mark::SuccessionDone
        | Mark::BlockClaimed
        | Mark::BlockRead => vec![Side::Receiver],
        Mark::SleepNoted | Mark::SleepBegun | Mark::SleepOver => {
            both.filter(|&side| round.naps(side)).collect()
        }
        Mark::WakeNoted | Mark::WakeDone => both.filter(|side| round.naps(side.other())).collect(),
        _ => both.collect(),
    }
}

/// A step whose victim dies at the mark.
pub(super) fn at_mark(mark: Mark, round: &Round, random: &mut Random) -> Step {
    let side = random.pick(&sides_of(mark, round));
    let (pass, times) = (random.between(1, 6), random.between(1, 3));
    let small = |number: u64| u32::try_from(number).unwrap_or(1);
    if round.setting == Setting::Churn {
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
        | Mark::ConsumerTold
        | Mark::SleepNoted
        | Mark::SleepBegun
        | Mark::SleepOver
        | Mark::WakeNoted
        | Mark::WakeDone
        | Mark::BlockTaken
        | Mark::BlockClaimed
        | Mark::BlockRead => Step::Flowing { side, mark, pass: small(pass) },
        Mark::TakeoverErased => Step::Erasing,
        Mark::BlockSwept => Step::Sweeping { side, times: small(times) },
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
            // Without slices nobody notices but who takes the side.
            if round.sleep != Sleep::Endless && random.once_in(2) {
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
        _ => unreachable!("{mark:?} is not of pairs, and in no circle"),
    }
}
