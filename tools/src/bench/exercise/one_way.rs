//! One-way latency: the open loop. Messages are due at given times whatever became of those before,
//! and each is timed from when it was due, so a stall counts for every message that it delayed.

use super::{Observed, Side, room_for};
use crate::bench::clock::{Clock, Watch, ticks};
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// Which messages are due when.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct OneWay {
    /// The number of the first message.
    pub first: u64,
    /// Not measured.
    pub warm_up: u64,
    /// Timed.
    pub measured: u64,
    /// When the first message is due, in ticks.
    pub start: u64,
    /// Ticks between messages; 0 sends as fast as there is room, which finds the saturation.
    pub period: f64,
}

impl OneWay {
    /// Message numbers used.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.warm_up + self.measured
    }

    /// When message `first + index` is due.
    #[inline(always)]
    fn due(&self, index: u64) -> u64 {
        let after = index as f64 * self.period;
        // A run is minutes long at most.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let after = after as u64;
        self.start + after
    }
}

#[inline(never)]
pub(super) fn send(side: &mut impl Side, plan: &OneWay, clock: Clock) -> Result<Observed> {
    let mut watch = Watch::start(clock);
    for index in 0..plan.total() {
        let due = plan.due(index);
        while watch.look() < due {}
        side.send(plan.first + index)?;
    }
    Ok(Observed { gaps: watch.into_gaps(), ..Observed::default() })
}

#[inline(never)]
pub(super) fn receive(side: &mut impl Side, plan: &OneWay, clock: Clock) -> Result<Observed> {
    let mut samples = room_for(plan.measured)?;
    let mut watch = Watch::start(clock);
    let mut began = ticks();
    let mut last = began;
    for index in 0..plan.total() {
        while !side.try_receive(plan.first + index)? {
            watch.wait(last)?;
        }
        last = watch.look();
        if index < plan.warm_up {
            began = last;
        } else {
            samples.push((plan.due(index), last));
        }
    }
    let flow = (plan.measured, last.saturating_sub(began));
    Ok(Observed { samples, gaps: watch.into_gaps(), flow, ..Observed::default() })
}
