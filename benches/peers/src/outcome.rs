//! Figures, and ratios within rounds, by placement.

use crate::case::Case;
use crate::peer::Peer;
use crate::rounds::{Measured, Plan, Rounds};
use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use strait_tools::bench::classes::{Classes, are_siblings};
use strait_tools::bench::measured::{Figures, Samples};
use strait_tools::bench::outcome::Tail;
use strait_tools::bench::statistics::{Interval, bootstrap, median};
use strait_tools::environment::{Environment, environment};

/// What a run has shown. Its JSON is what `--json` prints.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) environment: Environment,
    pub(crate) cores: (usize, usize),
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    pub(crate) round_ms: u128,
    /// How long all of it took.
    pub(crate) seconds: f64,
    /// Who took part, and in which version.
    pub(crate) peers: Vec<About>,
    pub(crate) cases: Vec<CaseOutcome>,
}

#[derive(Debug, Serialize)]
pub(crate) struct About {
    pub(crate) name: &'static str,
    /// Of the crate, if it is one.
    pub(crate) version: Option<String>,
    /// "processes" or "threads".
    pub(crate) between: &'static str,
    pub(crate) about: &'static str,
}

#[derive(Debug, Serialize)]
pub(crate) struct CaseOutcome {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) case: Case,
    /// What the others are compared with.
    pub(crate) ours: &'static str,
    /// By placement class, fastest first.
    pub(crate) classes: Vec<ClassOutcome>,
    /// Measurements in whose middle the cores were moved, and which are left out.
    pub(crate) discarded: usize,
    /// Who could not go on, and why.
    pub(crate) failed: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ClassOutcome {
    pub(crate) class: String,
    /// The raw round trip, in nanoseconds.
    pub(crate) raw_rtt_ns: f64,
    pub(crate) peers: Vec<Entry>,
}

/// One peer in one case and class.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    #[serde(rename = "peer", serialize_with = "as_name")]
    pub(crate) peer: Peer,
    pub(crate) rounds: usize,
    /// Medians over rounds.
    #[serde(flatten)]
    pub(crate) figures: Figures,
    /// How many times longer it takes than ours, or how many times more goes through ours, in the same
    /// round: above 1 ours is ahead. `None` of ours.
    pub(crate) ours_ahead: Option<Interval>,
    /// All samples of the class together.
    pub(crate) tail: Option<Tail>,
    #[serde(skip)]
    pub(crate) samples: Option<Samples>,
}

fn as_name<S: serde::Serializer>(peer: &Peer, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(peer.name())
}

impl Outcome {
    pub(crate) fn new(
        plan: Plan,
        chosen: &[Peer],
        cases: Vec<(Case, Rounds)>,
        seconds: f64,
    ) -> Result<Self> {
        let probes = cases.iter().flat_map(|(_, rounds)| &rounds.measured);
        let probes: Vec<f64> = probes.flat_map(|measured| measured.probes).collect();
        // Of the whole run: a class is called the same in every table.
        let classes = Classes::find(&probes, are_siblings(plan.cores.0, plan.cores.1));
        let cases =
            cases.into_iter().map(|(case, rounds)| CaseOutcome::new(case, rounds, &classes));
        Ok(Self {
            environment: environment(),
            cores: plan.cores,
            quick: plan.quick,
            rounds: plan.rounds,
            round_ms: plan.share.as_millis(),
            seconds,
            peers: chosen.iter().map(|&peer| About::new(peer)).collect(),
            cases: cases.collect::<Result<_>>()?,
        })
    }
}

impl About {
    pub(crate) fn new(peer: Peer) -> Self {
        Self {
            name: peer.name(),
            version: peer.package().and_then(version),
            between: peer.between(),
            about: peer.about(),
        }
    }
}

/// The version of a crate that this was built with.
fn version(package: &str) -> Option<String> {
    const LOCK: &str = include_str!("../../../Cargo.lock");
    let (_, after) = LOCK.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    Some(after.split_once('"')?.0.to_owned())
}

/// The case whose distributions are told: of the smallest messages that most send.
pub(crate) fn usual<'a>(cases: &[&'a CaseOutcome]) -> Option<&'a CaseOutcome> {
    cases.iter().find(|case| case.case.size == 64).or(cases.first()).copied()
}

impl CaseOutcome {
    fn new(case: Case, rounds: Rounds, classes: &Classes) -> Result<Self> {
        let ours = case.workload.ours();
        let mut by_class = BTreeMap::<&str, Vec<&Measured>>::new();
        let mut discarded = 0;
        for measured in &rounds.measured {
            match classes.common(&measured.probes) {
                Some(class) => by_class.entry(class).or_default().push(measured),
                None => discarded += 1,
            }
        }
        let in_order = classes.names().filter_map(|class| Some((class, by_class.get(class)?)));
        let found = in_order.map(|(class, all)| ClassOutcome::new(class, ours, all));
        let failed = rounds.failed.iter().map(|(peer, why)| (peer.name(), why.clone())).collect();
        let (name, ours) = (case.name(), ours.name());
        Ok(Self { name, case, ours, classes: found.collect::<Result<_>>()?, discarded, failed })
    }

    pub(crate) fn class(&self, name: &str) -> Option<&ClassOutcome> {
        self.classes.iter().find(|class| class.class == name)
    }
}

impl ClassOutcome {
    fn new(class: &str, ours: Peer, all: &[&Measured]) -> Result<Self> {
        let probes: Vec<f64> = all.iter().flat_map(|measured| measured.probes).collect();
        let reference: BTreeMap<usize, f64> = all
            .iter()
            .filter(|measured| measured.peer == ours)
            .map(|measured| (measured.round, measured.figures.central()))
            .collect();
        let mut of_peer = BTreeMap::<Peer, Vec<&Measured>>::new();
        for measured in all {
            of_peer.entry(measured.peer).or_default().push(measured);
        }
        let peers = of_peer.into_iter().map(|(peer, all)| {
            let reference = (peer != ours).then_some(&reference);
            Entry::new(peer, &all, reference)
        });
        Ok(Self {
            class: class.to_owned(),
            raw_rtt_ns: median(&probes).context("a class without probes")?,
            peers: peers.collect::<Result<_>>()?,
        })
    }

    /// The shortest times or the lowest rates first.
    pub(crate) fn ascending(&self) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.peers.iter().collect();
        entries.sort_by(|one, other| one.figures.central().total_cmp(&other.figures.central()));
        entries
    }

    pub(crate) fn entry(&self, peer: Peer) -> Option<&Entry> {
        self.peers.iter().find(|entry| entry.peer == peer)
    }
}

impl Entry {
    /// Of what was measured of a peer in a class, beside ours by round.
    fn new(peer: Peer, all: &[&Measured], ours: Option<&BTreeMap<usize, f64>>) -> Result<Self> {
        let figures: Vec<Figures> = all.iter().map(|measured| measured.figures).collect();
        let figures = Figures::medians(&figures).context("nothing was measured")?;
        let ratios = |ours: &BTreeMap<usize, f64>| {
            let ratio = |measured: &&Measured| {
                let (theirs, ours) = (measured.figures.central(), ours.get(&measured.round)?);
                Some(match measured.figures {
                    Figures::Latency { .. } => theirs / ours,
                    Figures::Rate { .. } => ours / theirs,
                })
            };
            bootstrap(&all.iter().filter_map(ratio).collect::<Vec<_>>())
        };
        let mut samples = None;
        for more in all.iter().filter_map(|measured| measured.samples.as_ref()) {
            samples.get_or_insert(Samples::new()?).add(more)?;
        }
        Ok(Self {
            peer,
            rounds: all.len(),
            figures,
            ours_ahead: ours.and_then(ratios),
            tail: samples.as_ref().map(Tail::new),
            samples,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::case::Workload;
    use crate::rounds::GAP;
    use std::time::Duration;
    use strait_tools::bench::clock::Clock;

    /// A run of one case in which ours takes 100 ns and iceoryx2 four times as long, but for one round in whose
    /// middle the cores were moved; and kanal failed.
    pub(crate) fn example() -> Outcome {
        let case = Case { workload: Workload::RoundTrip, size: 64 };
        let (share, clock) = (Duration::from_millis(30), Clock::calibrate(GAP));
        let plan = Plan { quick: true, cores: (0, 1), rounds: 9, share, clock };
        let mut measured = Vec::new();
        for round in 0..9 {
            for (peer, p50_ns) in [(Peer::Strait, 100.0), (Peer::Iceoryx2, 400.0)] {
                let mut samples = Samples::new().unwrap();
                samples.histogram.record(120).unwrap();
                let figures = Figures::Latency { p50_ns, p99_ns: 500.0, p999_ns: 900.0 };
                let moved = (round, peer) == (4, Peer::Iceoryx2);
                let probes = [125.0, if moved { 5000.0 } else { 126.0 }];
                measured.push(Measured { peer, round, probes, figures, samples: Some(samples) });
            }
        }
        let failed = BTreeMap::from([(Peer::Kanal, "it is closed".to_owned())]);
        let chosen = [Peer::Strait, Peer::Iceoryx2, Peer::Kanal];
        Outcome::new(plan, &chosen, vec![(case, Rounds { measured, failed })], 12.0).unwrap()
    }

    #[test]
    fn ratios_are_taken_within_rounds_of_one_class() {
        let outcome = example();
        let case = &outcome.cases[0];
        assert_eq!(case.discarded, 1);
        assert_eq!(case.failed["kanal"], "it is closed");
        let class = case.class("only").unwrap();
        let theirs = class.entry(Peer::Iceoryx2).unwrap();
        assert_eq!((theirs.rounds, theirs.ours_ahead.unwrap().median), (8, 4.0));
        assert_eq!(theirs.tail.unwrap().samples, 8);
        assert!(class.entry(Peer::Strait).unwrap().ours_ahead.is_none());
    }

    #[test]
    fn versions_are_those_of_the_lock_file() {
        for peer in Peer::all() {
            assert_eq!(About::new(peer).version.is_some(), peer.package().is_some(), "{peer:?}");
        }
        assert_eq!(version("no-such-crate"), None);
    }
}
