//! Streams: one side sends without pause, the other reads, and what arrives per second counts. The
//! ring wraps many times, so neither side can run ahead of the other for long.

use super::{Observed, Side};
use crate::bench::clock::ticks;
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// How many messages, and from which number on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Stream {
    /// The number of the first message.
    pub first: u64,
    /// Not measured.
    pub warm_up: u64,
    /// Timed.
    pub measured: u64,
    /// Messages per batch; 1 sends and receives them one by one.
    pub batch: u64,
}

impl Stream {
    /// Message numbers used.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.warm_up + self.measured
    }
}

#[inline(never)]
pub(super) fn send(side: &mut impl Side, plan: &Stream) -> Result<Observed> {
    let end = plan.first + plan.total();
    let mut number = plan.first;
    if plan.batch == 1 {
        (number..end).try_for_each(|number| side.send(number))?;
    } else {
        while number < end {
            let count = plan.batch.min(end - number);
            side.send_batch(number, count)?;
            number += count;
        }
    }
    Ok(Observed::default())
}

#[inline(never)]
pub(super) fn receive(side: &mut impl Side, plan: &Stream) -> Result<Observed> {
    let (mut number, start) = (plan.first, plan.first + plan.warm_up);
    let mut until = |end: u64| -> Result<u64> {
        if plan.batch == 1 {
            (number..end).try_for_each(|number| side.receive(number))?;
            number = end;
        } else {
            while number < end {
                number += side.receive_batch(number, plan.batch.min(end - number))?;
            }
        }
        Ok(ticks())
    };
    let began = until(start)?;
    let ended = until(start + plan.measured)?;
    Ok(Observed { flow: (plan.measured, ended.saturating_sub(began)), ..Observed::default() })
}
