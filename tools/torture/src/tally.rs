//! What is counted, and which steps were reached.

use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use strait_pools::marks::Mark;

/// Everything that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Count {
    /// Rounds.
    Rounds,
    /// Rounds whose sides sleep until they are woken.
    RoundsWithoutSlices,
    /// Actors that killed themselves at a mark.
    AtMarks,
    /// Actors that the supervisor killed at a random moment.
    AtRandom,
    /// Of those, inside an operation.
    Inside,
    /// Kills at a mark of taking over or noticing a death.
    Repairers,
    /// Actors armed with a mark they did not come to; killed from outside, as random kills.
    Missed,
    /// Kills at a mark of falling asleep or waking up.
    Sleepers,
    /// Killed from outside while they slept in the kernel.
    Asleep,
    /// Kills between storing what the other side may sleep for and having woken it.
    Wakers,
    /// Of those, while the other side slept.
    LeavingAsleep,
    /// Stopped and continued.
    Paused,
    /// Stopped and killed while they stood still.
    PausedThenKilled,
    /// Attempts to take a stopped holder's side; all refused.
    Intrusions,
    /// Sides taken over after a death.
    Restarts,
    /// Of those, by receivers standing by.
    StandbyTakeovers,
    /// Victims whose forked child lived on.
    Forks,
    /// Victims whose exec'd child lived on with inherited descriptors.
    Execs,
    /// Kills between two pid namespaces.
    InNamespaces,
    /// Kills among two users of one directory.
    AmongUsers,
    /// Attempts to open the other user's file; all refused.
    Foreigners,
    /// Kills on memory segments.
    OnMemory,
    /// Kills in churned channels.
    InChurn,
    /// Kills on channels whose sides may sleep.
    OnParking,
    /// Of those, where sides sleep until they are woken.
    WithoutSlices,
    /// Kills on channels some of whose messages lie in an arena.
    WithArenas,
    /// Kills on channels whose messages lie in blocks.
    WithBlocks,
    /// Killed while they kept messages.
    Keepers,
    /// Messages that those kept.
    LeftKept,
    /// Segments that were used.
    Segments,
    /// Times that an actor held a side.
    Sessions,
    /// Messages published.
    Sent,
    /// Messages received, repetitions included.
    Received,
    /// Messages that came again after a death, and were marked.
    Redelivered,
    /// Messages kept that were looked at again and given back.
    GivenBack,
    /// Times that all room for large messages was found to be free in the end.
    Audits,
    /// Reports that a holder died.
    Deaths,
    /// Reports that a holder closed.
    Closes,
    /// Survivors whose descriptors and mappings were compared around deaths of their peers.
    Compared,
}

impl Count {
    /// All of them in the order of reports, with what reports call them.
    pub const ALL: &[(Self, &'static str)] = &[
        (Self::Rounds, "rounds"),
        (Self::RoundsWithoutSlices, "of those, whose sides sleep without slices"),
        (Self::AtMarks, "killed at marks"),
        (Self::AtRandom, "killed at random"),
        (Self::Inside, "of those, inside an operation"),
        (Self::Repairers, "killed repairers"),
        (Self::Missed, "marks not reached (killed at random instead)"),
        (Self::Sleepers, "killed falling asleep or waking up, at marks"),
        (Self::Asleep, "killed asleep in the kernel, at random"),
        (Self::Wakers, "killed before or in waking, at marks"),
        (Self::LeavingAsleep, "of those, while the other side slept"),
        (Self::Paused, "paused and continued"),
        (Self::PausedThenKilled, "paused, then killed"),
        (Self::Intrusions, "attempts on a paused holder's side, refused"),
        (Self::Restarts, "restarts after a death"),
        (Self::StandbyTakeovers, "of those, by a standby"),
        (Self::Forks, "killed, a forked child lives on"),
        (Self::Execs, "killed, an exec'd child lives on"),
        (Self::InNamespaces, "killed in pid namespaces"),
        (Self::AmongUsers, "killed among two users"),
        (Self::Foreigners, "attempts on another user's channel, refused"),
        (Self::OnMemory, "killed on memory segments"),
        (Self::InChurn, "killed in churned channels"),
        (Self::OnParking, "killed on channels whose sides may sleep"),
        (Self::WithoutSlices, "of those, where sides sleep without slices"),
        (Self::WithArenas, "killed on channels with an arena"),
        (Self::WithBlocks, "killed on channels with blocks"),
        (Self::Keepers, "of those, with messages kept"),
        (Self::LeftKept, "messages kept by the killed"),
        (Self::Segments, "segments used"),
        (Self::Sessions, "sides held"),
        (Self::Sent, "messages published"),
        (Self::Received, "messages received"),
        (Self::Redelivered, "of those, redelivered and marked"),
        (Self::GivenBack, "kept messages looked at again and given back"),
        (Self::Audits, "arenas and blocks found to be free in the end"),
        (Self::Deaths, "deaths reported to survivors"),
        (Self::Closes, "closes reported to survivors"),
        (Self::Compared, "survivors whose descriptors and mappings were compared"),
    ];
}

/// A time that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    /// From the SIGKILL until the kernel has released the side's lock.
    Release,
    /// From the lock's release until the survivor is told.
    Noticed,
    /// From the lock's release until the first message of a restart that was at the door.
    Door,
    /// From the lock's release until the first message of a standby.
    Standby,
    /// From the SIGKILL until the first message of a restart that was at the door.
    DoorFromKill,
    /// From the SIGKILL until the first message of a standby.
    StandbyFromKill,
}

impl Span {
    /// All of them in the order of reports, with what reports call them.
    pub const ALL: &[(Self, &'static str)] = &[
        (Self::Release, "kill to release of the lock, by the kernel"),
        (Self::Noticed, "release to the survivor's PeerDied"),
        (Self::Door, "release to the first message of a waiting restart"),
        (Self::Standby, "release to the first message of a standby"),
        (Self::DoorFromKill, "kill to the first message of a waiting restart"),
        (Self::StandbyFromKill, "kill to the first message of a standby"),
    ];
}

/// A minute: nothing that took longer would not have been found stuck before.
const LONGEST: u64 = 60_000_000_000;

/// The marks that the rounds of this plan are to reach: those of channels with one sender and one receiver.
pub static MARKS: LazyLock<Vec<Mark>> = LazyLock::new(|| {
    let all = Mark::ALL.iter().copied();
    all.filter(|mark| mark.is_of_pairs()).collect()
});

/// The sum of what happened.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    counts: BTreeMap<Count, u64>,
    marks: BTreeMap<&'static str, u64>,
    spans: BTreeMap<Span, Vec<u64>>,
    /// What could not be done here, and why.
    pub skipped: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts one more.
    pub fn count(&mut self, what: Count) {
        self.add(what, 1);
    }

    /// Counts several.
    pub fn add(&mut self, what: Count, more: u64) {
        *self.counts.entry(what).or_default() += more;
    }

    /// An actor killed itself at this mark.
    pub fn kill_at(&mut self, mark: Mark) {
        self.count(Count::AtMarks);
        *self.marks.entry(mark.name()).or_default() += 1;
        if repairs(mark) {
            self.count(Count::Repairers);
        }
        if mark.name().starts_with("sleep-") {
            self.count(Count::Sleepers);
        }
    }

    /// Something took so many nanoseconds.
    pub fn took(&mut self, what: Span, nanoseconds: u64) {
        self.spans.entry(what).or_default().push(nanoseconds);
    }

    /// Something could not be done here.
    pub fn skip(&mut self, what: String) {
        *self.skipped.entry(what).or_default() += 1;
    }

    /// How many.
    #[must_use]
    pub fn get(&self, what: Count) -> u64 {
        self.counts.get(&what).copied().unwrap_or(0)
    }

    /// Kills, of whatever kind.
    #[must_use]
    pub fn kills(&self) -> u64 {
        self.get(Count::AtMarks) + self.get(Count::AtRandom)
    }

    /// How many killed themselves at this mark.
    #[must_use]
    pub fn at(&self, mark: Mark) -> u64 {
        self.marks.get(mark.name()).copied().unwrap_or(0)
    }

    /// The marks at which nobody was killed.
    #[must_use]
    pub fn uncovered(&self) -> Vec<Mark> {
        MARKS.iter().copied().filter(|&mark| self.at(mark) == 0).collect()
    }

    /// The part of the random kills that was inside an operation, in percent.
    #[must_use]
    pub fn percent_inside(&self) -> u64 {
        100 * self.get(Count::Inside) / self.get(Count::AtRandom).max(1)
    }

    /// How long something took: every time, sorted into classes of a thousandth. In nanoseconds.
    #[must_use]
    pub fn span(&self, what: Span) -> Histogram<u64> {
        let mut histogram =
            Histogram::new_with_bounds(1, LONGEST, 3).expect("bounds and a precision");
        for &nanoseconds in self.spans.get(&what).into_iter().flatten() {
            histogram.saturating_record(nanoseconds);
        }
        histogram
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: Self) {
        for (what, more) in other.counts {
            self.add(what, more);
        }
        for (mark, more) in other.marks {
            *self.marks.entry(mark).or_default() += more;
        }
        for (what, mut times) in other.spans {
            self.spans.entry(what).or_default().append(&mut times);
        }
        for (what, more) in other.skipped {
            *self.skipped.entry(what).or_default() += more;
        }
    }
}

/// Whether whoever passes this mark is repairing what a dead process left.
#[must_use]
pub fn repairs(mark: Mark) -> bool {
    let kinds = ["takeover-", "succession-", "burial-", "block-swept"];
    kinds.iter().any(|kind| mark.name().starts_with(kind))
}

/// Whether whoever passes this mark, where sides may sleep, has stored what the other may sleep for and
/// is about to wake it, or has just done so.
#[must_use]
pub fn wakes(mark: Mark) -> bool {
    let before = [Mark::ProducerPublished, Mark::ConsumerTold, Mark::EndpointClosed];
    before.contains(&mark) || mark.name().starts_with("wake-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_covered_by_a_kill_at_it_and_by_nothing_else() {
        let mut tally = Tally::default();
        assert_eq!(tally.uncovered().len(), MARKS.len());
        tally.count(Count::AtRandom);
        for &mark in &MARKS[1..] {
            tally.kill_at(mark);
        }
        assert_eq!(tally.uncovered(), [MARKS[0]]);
        let mut sum = Tally::default();
        sum.kill_at(MARKS[0]);
        sum.merge(tally);
        assert_eq!(sum.uncovered(), []);
        assert_eq!(sum.kills(), MARKS.len() as u64 + 1);
        // Four of takeover, two of succession, three of burial, one of blocks.
        assert_eq!(sum.get(Count::Repairers), 10);
        assert_eq!(sum.get(Count::Sleepers), 3);
    }

    #[test]
    fn a_waker_is_one_that_may_leave_a_sleeper_behind() {
        let wakers: Vec<_> = MARKS.iter().copied().filter(|&mark| wakes(mark)).collect();
        let (before, during) = wakers.split_at(3);
        assert_eq!(before, [Mark::ProducerPublished, Mark::ConsumerTold, Mark::EndpointClosed]);
        assert_eq!(during, [Mark::WakeNoted, Mark::WakeDone]);
    }

    #[test]
    fn everything_countable_is_reported_under_a_name_of_its_own() {
        let mut names: Vec<_> = Count::ALL.iter().map(|(_, name)| name).collect();
        names.extend(Span::ALL.iter().map(|(_, name)| name));
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert_eq!(Count::ALL.len(), Count::Compared as usize + 1);
        assert_eq!(Span::ALL.len(), Span::StandbyFromKill as usize + 1);
    }
}
