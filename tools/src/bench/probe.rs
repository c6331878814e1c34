//! For `strait doctor`: what a core is worth, without a benchmark. Bare cache lines between any two of
//! them, and how often each is taken away from a thread that wants nothing else.

use super::clock::{self, Clock, Watch};
use super::effort::BLOCK;
use super::exercise::round_trip::RoundTrips;
use super::exercise::{Exercise, Player, Role};
use super::measured;
use super::run::shared;
use super::sides::lines::{self, Lines};
use anyhow::{Result, anyhow};
use std::thread;
use std::time::Duration;

/// Blocks of round trips in a probe: a millisecond or a few.
const BLOCKS: u64 = 128;

/// Raw round trips between two threads, in nanoseconds: a median of each probe.
pub(crate) fn round_trips(cores: (usize, usize), probes: u64, clock: Clock) -> Result<Vec<f64>> {
    let file = shared("strait-yardstick", lines::BYTES)?;
    let side = |core, role| -> Result<Vec<f64>> {
        clock::pin(core)?;
        let mut line = Lines::map(&file)?.bare(role);
        let mut first = 0;
        let mut trips = Vec::new();
        for _ in 0..probes {
            let plan =
                RoundTrips { first, warm_up: 4 * BLOCK, block: BLOCK, blocks: BLOCKS, stamped: 0 };
            first += plan.total();
            let seen = line.play(&Exercise::RoundTrips(plan), role, clock)?;
            if role == Role::Here {
                trips.push(measured::central(&seen, clock)?);
            }
        }
        Ok(trips)
    };
    // Both are threads of their own: this one stays where it was.
    thread::scope(|scope| {
        let there = scope.spawn(|| side(cores.1, Role::There));
        let here = scope.spawn(|| side(cores.0, Role::Here));
        let panicked = |_| anyhow!("a side of the round trip panicked");
        let (here, there) = (here.join().map_err(panicked)?, there.join().map_err(panicked)?);
        there.and(here)
    })
}

/// Nanoseconds of each time for which a thread that polled the clock on `core` was kept from it.
pub(crate) fn absences(core: usize, watched: Duration, clock: Clock) -> Result<Vec<f64>> {
    let watching = thread::spawn(move || -> Result<Vec<f64>> {
        clock::pin(core)?;
        let mut watch = Watch::start(clock);
        let end = watch.look() + clock.ticks_in(watched);
        while watch.look() < end {}
        let gaps = watch.into_gaps();
        Ok(gaps.iter().map(|gap| clock.ns(gap.to - gap.from)).collect())
    });
    watching.join().map_err(|_| anyhow!("the thread that watches core {core} panicked"))?
}
