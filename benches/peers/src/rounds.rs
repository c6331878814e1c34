//! Rounds of everything in turn, with probes of the placement around each.
//!
//! ```text
//! round:  probe  strait  probe  raw  probe  rtrb  probe …      next round: raw first, strait last
//! ```
//!
//! A hypervisor moves the two cores, and everything becomes several times slower or faster at once. So each
//! measurement has the class of the probes before and after it, none if these differ; figures of different classes
//! are never put together, and ratios are taken between measurements of one round that have the same class.

use crate::case::{BATCH, Case, PACE, Workload};
use crate::contestant::Contestant;
use crate::crowd;
use crate::peer::Peer;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::time::Duration;
use strait_tools::bench::clock::{self, Clock, ticks};
use strait_tools::bench::exercise::one_way::OneWay;
use strait_tools::bench::exercise::round_trip::RoundTrips;
use strait_tools::bench::exercise::stream::Stream;
use strait_tools::bench::exercise::wake::Wakes;
use strait_tools::bench::exercise::{Exercise, Observed};
use strait_tools::bench::measured::{Figures, Samples, central, rate};

/// How all of it is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) quick: bool,
    pub(crate) cores: (usize, usize),
    pub(crate) rounds: usize,
    /// Time for each thing measured in a round.
    pub(crate) share: Duration,
    pub(crate) clock: Clock,
}

/// One peer in one round.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) peer: Peer,
    pub(crate) round: usize,
    /// Raw round trips before and after, in nanoseconds.
    pub(crate) probes: [f64; 2],
    pub(crate) figures: Figures,
    /// Of latencies.
    pub(crate) samples: Option<Samples>,
}

/// What came of a case.
#[derive(Debug)]
pub(crate) struct Rounds {
    pub(crate) measured: Vec<Measured>,
    /// Who could not go on, and why.
    pub(crate) failed: BTreeMap<Peer, String>,
}

/// Beyond this a side is said to have missed its core.
pub(crate) const GAP: Duration = Duration::from_micros(1);

/// Round trips of the first look at a peer's cost.
const FEW: u64 = 16;

/// Round trips in a probe, and in how many blocks.
const PROBE: (u64, u64) = (64, 64);

/// Measures `peers` in a case.
pub(crate) fn run(case: Case, peers: &[Peer], plan: Plan) -> Result<Rounds> {
    clock::pin(plan.cores.0)?;
    let probe = Contestant::open(case, Peer::Raw, plan.clock)?;
    let mut bench = Bench { case, plan, probe, cost: BTreeMap::new() };
    let (mut there, mut failed) = (Vec::new(), BTreeMap::new());
    for &peer in peers {
        match Entrant::open(case, peer, plan.clock) {
            Ok(entrant) => there.push(entrant),
            Err(error) => fail(&mut failed, case, peer, &error)?,
        }
    }
    let mut measured = Vec::new();
    for round in 0..plan.rounds {
        // Another one goes first each time.
        let turn = usize::from(round > 0 && !there.is_empty());
        there.rotate_left(turn);
        let mut before = bench.probe()?;
        for mut entrant in std::mem::take(&mut there) {
            let peer = entrant.peer();
            match bench.measure(&mut entrant) {
                Ok((figures, samples)) => {
                    let after = bench.probe()?;
                    let probes = [before, after];
                    before = after;
                    measured.push(Measured { peer, round, probes, figures, samples });
                    there.push(entrant);
                }
                Err(error) => fail(&mut failed, case, peer, &error)?,
            }
        }
    }
    Ok(Rounds { measured, failed })
}

/// A peer that fails is left out from then on, and said so; without ours there is nothing to compare with.
fn fail(
    failed: &mut BTreeMap<Peer, String>,
    case: Case,
    peer: Peer,
    error: &anyhow::Error,
) -> Result<()> {
    let why = format!("{error:#}");
    ensure!(!peer.is_ours(), "{} in {case}: {why}", peer.name());
    eprintln!("  {} in {case}: {why}", peer.name());
    failed.insert(peer, why);
    Ok(())
}

/// Whoever takes part: two sides, or a crowd, which begins anew each time.
enum Entrant {
    Pair(Box<Contestant>),
    Crowd(Peer),
}

impl Entrant {
    fn open(case: Case, peer: Peer, clock: Clock) -> Result<Self> {
        Ok(match case.workload {
            Workload::Mpmc1 | Workload::Mpmc2 => Self::Crowd(peer),
            _ => Self::Pair(Box::new(Contestant::open(case, peer, clock)?)),
        })
    }

    fn peer(&self) -> Peer {
        match self {
            Self::Pair(contestant) => contestant.peer,
            Self::Crowd(peer) => *peer,
        }
    }
}

struct Bench {
    case: Case,
    plan: Plan,
    probe: Contestant,
    /// Nanoseconds that a round trip or a message takes.
    cost: BTreeMap<Peer, f64>,
}

impl Bench {
    fn far(&self) -> usize {
        self.plan.cores.1
    }

    /// A raw round trip, in nanoseconds.
    fn probe(&mut self) -> Result<f64> {
        let (block, blocks) = PROBE;
        let far = self.far();
        let [here, _] = bounce(&mut self.probe, block, block, blocks, 0, far)?;
        central(&here, self.plan.clock)
    }

    fn measure(&mut self, entrant: &mut Entrant) -> Result<(Figures, Option<Samples>)> {
        match (self.case.workload, entrant) {
            (Workload::RoundTrip | Workload::Calls, Entrant::Pair(pair)) => self.round_trips(pair),
            (Workload::Asleep, Entrant::Pair(pair)) => self.hops(pair),
            (Workload::Paced, Entrant::Pair(pair)) => self.paced(pair),
            (_, Entrant::Pair(pair)) => Ok((self.stream(pair)?, None)),
            (_, Entrant::Crowd(peer)) => Ok((self.crowd(*peer)?, None)),
        }
    }

    /// How many operations of so many nanoseconds fill a round's share.
    fn fitting(&self, cost: f64) -> u64 {
        // A share is seconds at most, an operation nanoseconds at least.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let count = (self.plan.share.as_nanos() as f64 / cost) as u64;
        count
    }

    fn round_trips(&mut self, pair: &mut Contestant) -> Result<(Figures, Option<Samples>)> {
        let far = self.far();
        let cost = match self.cost.get(&pair.peer) {
            Some(&cost) => cost,
            None => {
                // Enough to touch every cell once, unless each trip takes a system call or two.
                let [here, _] = bounce(pair, 2 * FEW, 1, FEW, 0, far)?;
                let cost = central(&here, self.plan.clock)?;
                let cells = (self.case.capacity() as u64).min(self.fitting(cost));
                let [here, _] = bounce(pair, 2 * cells, 1, FEW, 0, far)?;
                central(&here, self.plan.clock)?
            }
        };
        // Half of the share without clock readings inside, so that reading the clock does not count.
        let half = (self.fitting(cost) / 2).max(FEW);
        let block = (half / 16).clamp(1, 64);
        let [here, there] = bounce(pair, block, block, half / block, half.min(1 << 20), far)?;
        let middle = central(&here, self.plan.clock)?;
        self.cost.insert(pair.peer, middle);
        let samples = Samples::collect(&here, &there, self.plan.clock)?;
        Ok((samples.figures(Some(middle)), Some(samples)))
    }

    fn hops(&self, pair: &mut Contestant) -> Result<(Figures, Option<Samples>)> {
        let mut pass = |bench: &Self, measured| {
            let plan = Wakes { first: pair.next(), warm_up: FEW, measured };
            let [here, there] = pair.play(Exercise::Wakes(plan), plan.total(), bench.far())?;
            Samples::collect(&here, &there, bench.plan.clock)
        };
        // A hop is half of what it takes.
        let hop = pass(self, FEW)?.quantile(0.5);
        let samples = pass(self, self.fitting(2.0 * hop).max(FEW))?;
        Ok((samples.figures(None), Some(samples)))
    }

    fn paced(&self, pair: &mut Contestant) -> Result<(Figures, Option<Samples>)> {
        let period = 1e9 / PACE / self.plan.clock.ns(1);
        let measured = self.fitting(1e9 / PACE).max(100);
        let warm_up = measured / 10;
        // Time for both sides to get ready: the samples' memory is touched beforehand.
        let ready = Duration::from_millis(2) + Duration::from_nanos(20 * measured);
        let start = ticks() + self.plan.clock.ticks_in(ready);
        let plan = OneWay { first: pair.next(), warm_up, measured, start, period };
        let [here, there] = pair.play(Exercise::OneWay(plan), plan.total(), self.far())?;
        let samples = Samples::collect(&here, &there, self.plan.clock)?;
        Ok((samples.figures(None), Some(samples)))
    }

    fn stream(&mut self, pair: &mut Contestant) -> Result<Figures> {
        let batch = if self.case.workload == Workload::Batches { BATCH } else { 1 };
        let (peer, least) = (pair.peer, 4 * self.case.capacity() as u64);
        let mut pass = |bench: &Self, warm_up, measured| {
            let plan = Stream { first: pair.next(), warm_up, measured, batch };
            let [here, _] = pair.play(Exercise::Stream(plan), plan.total(), bench.far())?;
            Ok::<_, anyhow::Error>(rate(&here, bench.case.size, bench.plan.clock))
        };
        let cost = match self.cost.get(&peer) {
            Some(&cost) => cost,
            None => 1e9 / pass(self, least, least)?.central(),
        };
        let figures = pass(self, least, self.fitting(cost).max(least))?;
        self.cost.insert(peer, 1e9 / figures.central());
        Ok(figures)
    }

    fn crowd(&mut self, peer: Peer) -> Result<Figures> {
        let sides = if self.case.workload == Workload::Mpmc2 { 2 } else { 1 };
        let cost = self.cost.get(&peer).copied();
        let count = cost.map_or(1 << 14, |cost| self.fitting(cost).max(1 << 12));
        let spent = crowd::run(peer, sides, count, self.plan.cores)?;
        let each = self.plan.clock.ns(spent) / count as f64;
        self.cost.insert(peer, each);
        if cost.is_none() {
            return self.crowd(peer);
        }
        let msgs_per_s = 1e9 / each;
        Ok(Figures::Rate { msgs_per_s, bytes_per_s: msgs_per_s * self.case.size as f64 })
    }
}

/// Round trips: warm-up, then blocks of them, then some that are timed one by one.
fn bounce(
    pair: &mut Contestant,
    warm_up: u64,
    block: u64,
    blocks: u64,
    stamped: u64,
    far: usize,
) -> Result<[Observed; 2]> {
    let plan = RoundTrips { first: pair.next(), warm_up, block, blocks, stamped };
    let name = pair.peer.name();
    pair.play(Exercise::RoundTrips(plan), plan.total(), far).context(name)
}
