//! What is due when.

use super::Key;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What happens to a source at some time. A source has one of each at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    /// A timer's period is over.
    Timer,
    /// It has been silent for too long.
    Deadline,
    /// The other side of the channel has to be asked after.
    Slice,
}

/// All that is due, in order of time.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    in_order: BTreeSet<(Instant, Key, Item)>,
    moments: BTreeMap<(Key, Item), Instant>,
}

impl Agenda {
    /// Enters something that is due `after` a moment, unless that is beyond all time.
    pub(super) fn enter(&mut self, key: Key, item: Item, moment: Instant, after: Duration) {
        if let Some(due) = moment.checked_add(after) {
            self.in_order.insert((due, key, item));
            self.moments.insert((key, item), due);
        }
    }

    /// Enters something that was `due` for the next time in its period that is not past.
    pub(super) fn repeat(
        &mut self,
        key: Key,
        item: Item,
        due: Instant,
        period: Duration,
        now: Instant,
    ) {
        let late = now.saturating_duration_since(due).as_nanos();
        // No period is zero that repeats, but a deadline may be: it is due again at once.
        let missed = late.checked_div(period.as_nanos()).unwrap_or(0);
        let skipped = period.saturating_mul(u32::try_from(missed).unwrap_or(u32::MAX));
        self.enter(key, item, due + skipped, period);
    }

    pub(super) fn remove(&mut self, key: Key, item: Item) {
        if let Some(due) = self.moments.remove(&(key, item)) {
            self.in_order.remove(&(due, key, item));
        }
    }

    /// When the next thing is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.in_order.first().map(|&(due, ..)| due)
    }

    /// Takes something that is due out.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(Instant, Key, Item)> {
        let first = self.in_order.first().copied().filter(|&(due, ..)| due <= now)?;
        self.remove(first.1, first.2);
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_due_comes_out_in_order_of_time() {
        let (mut agenda, now) = (Agenda::default(), Instant::now());
        agenda.enter(Key(1), Item::Timer, now, 3 * SECOND);
        agenda.enter(Key(2), Item::Slice, now, SECOND);
        agenda.enter(Key(2), Item::Deadline, now, 2 * SECOND);
        agenda.enter(Key(3), Item::Slice, now, Duration::MAX);
        assert_eq!(agenda.next(), Some(now + SECOND));
        assert_eq!(agenda.take_due(now), None);
        agenda.remove(Key(2), Item::Deadline);
        let later = now + 5 * SECOND;
        assert_eq!(agenda.take_due(later), Some((now + SECOND, Key(2), Item::Slice)));
        assert_eq!(agenda.take_due(later), Some((now + 3 * SECOND, Key(1), Item::Timer)));
        assert_eq!((agenda.take_due(later), agenda.next()), (None, None));
    }

    #[test]
    fn what_repeats_keeps_its_beat_and_skips_what_is_past() {
        let (mut agenda, now) = (Agenda::default(), Instant::now());
        for (late, next) in [(0, 1000), (1, 1000), (999, 1000), (1000, 2000), (5500, 6000)] {
            let late = Duration::from_millis(late);
            agenda.repeat(Key(1), Item::Timer, now, SECOND, now + late);
            assert_eq!(agenda.next(), Some(now + Duration::from_millis(next)));
            agenda.remove(Key(1), Item::Timer);
        }
    }
}
