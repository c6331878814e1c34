//! Round trips: the closed loop. It says how long a message takes there and back while nothing else
//! is going on; it says nothing about latency under load.

use super::{Observed, Side, room_for};
use crate::bench::clock::{Clock, Watch, ticks};
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// How many round trips, and from which message number on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct RoundTrips {
    /// The number of the first message.
    pub first: u64,
    /// Not measured.
    pub warm_up: u64,
    /// Round trips per block.
    pub block: u64,
    /// Blocks of round trips without a clock reading inside: the central figure.
    pub blocks: u64,
    /// Round trips timed one by one, with both sides watching for gaps: the tail.
    pub stamped: u64,
}

impl RoundTrips {
    /// Message numbers used.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.warm_up + self.blocks * self.block + self.stamped
    }
}

#[inline(never)]
pub(super) fn serve(side: &mut impl Side, plan: &RoundTrips, clock: Clock) -> Result<Observed> {
    let mut samples = room_for(plan.stamped)?;
    let mut number = plan.first;
    let mut bounce = |count| -> Result<()> {
        for _ in 0..count {
            side.round_trip(number)?;
            number += 1;
        }
        Ok(())
    };
    bounce(plan.warm_up)?;
    let mut blocks = Vec::new();
    for _ in 0..plan.blocks {
        let began = ticks();
        bounce(plan.block)?;
        blocks.push((ticks() - began) as f64 / plan.block as f64);
    }

    let mut watch = Watch::start(clock);
    let mut began = watch.look();
    for number in number..number + plan.stamped {
        side.send(number)?;
        while !side.try_receive(number)? {
            watch.wait(began)?;
        }
        let ended = watch.look();
        samples.push((began, ended));
        began = ended;
    }
    Ok(Observed { blocks, samples, gaps: watch.into_gaps(), ..Observed::default() })
}

#[inline(never)]
pub(super) fn echo(side: &mut impl Side, plan: &RoundTrips, clock: Clock) -> Result<Observed> {
    let stamped_from = plan.first + plan.warm_up + plan.blocks * plan.block;
    for number in plan.first..stamped_from {
        side.receive(number)?;
        side.send(number)?;
    }
    let mut watch = Watch::start(clock);
    let mut since = watch.look();
    for number in stamped_from..plan.first + plan.total() {
        while !side.try_receive(number)? {
            watch.wait(since)?;
        }
        side.send(number)?;
        since = watch.look();
    }
    Ok(Observed { gaps: watch.into_gaps(), ..Observed::default() })
}
