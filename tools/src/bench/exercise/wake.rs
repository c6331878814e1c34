//! Round trips between sides that sleep until the other wakes them, halved into hops. The clock is
//! read around each: that is little beside two system calls.

use super::{Observed, Side, room_for};
use crate::bench::clock::ticks;
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// How many round trips, and from which message number on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Wakes {
    /// The number of the first message.
    pub first: u64,
    /// Not measured.
    pub warm_up: u64,
    /// Timed.
    pub measured: u64,
}

impl Wakes {
    /// Message numbers used.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.warm_up + self.measured
    }
}

#[inline(never)]
pub(super) fn serve(side: &mut impl Side, plan: &Wakes) -> Result<Observed> {
    let mut samples = room_for(plan.measured)?;
    for index in 0..plan.total() {
        let number = plan.first + index;
        let began = ticks();
        side.send(number)?;
        side.receive(number)?;
        let hop = (ticks() - began) / 2;
        if index >= plan.warm_up {
            samples.push((began, began + hop));
        }
    }
    Ok(Observed { samples, ..Observed::default() })
}

#[inline(never)]
pub(super) fn echo(side: &mut impl Side, plan: &Wakes) -> Result<Observed> {
    for number in plan.first..plan.first + plan.total() {
        side.receive(number)?;
        side.send(number)?;
    }
    Ok(Observed::default())
}
