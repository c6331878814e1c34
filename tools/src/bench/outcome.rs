//! What a run has shown: round by round, and class by class with intervals.

use super::measured::{Figures, Samples};
use super::options::Options;
use super::run::{Round, Rounds, Stopped};
use super::sides::{Kind, Messages, Subject, Waiting};
use super::statistics::{Interval, bootstrap, median};
use super::task::Task;
use crate::environment::{Environment, environment};
use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::BTreeMap;

/// The result of a run. Its JSON is what `--json` prints.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// The benchmark: `rtt`, `oneway`, `stream` or `wake`.
    pub bench: &'static str,
    /// Bytes per message.
    pub size: usize,
    /// What is in the messages.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Whether the channel's cells were dense.
    pub dense: bool,
    /// Messages per batch, in a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u64>,
    /// How Strait's sides waited, if that could be chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// The machine.
    pub environment: Environment,
    /// The cores of the two sides.
    pub cores: [usize; 2],
    /// Where a reader may go wrong.
    pub notes: Vec<String>,
    /// Why it ended.
    pub stopped: Stopped,
    /// A side that sees its clock jump by more has a gap, in nanoseconds.
    pub gap_ns: u64,
    /// Rounds in whose middle the class changed: left out of everything else.
    pub discarded_rounds: usize,
    /// The rounds that were kept, in order.
    pub rounds: Vec<Row>,
    /// What they amount to.
    pub by_class: BTreeMap<String, ClassSummary>,
    /// All samples of each class and subject.
    #[serde(skip)]
    pub samples: BTreeMap<(String, Subject), Samples>,
}

/// One round's figures.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The placement class of all its probes.
    pub class: String,
    /// The yardstick's round trip, in nanoseconds.
    pub raw_rtt_ns: f64,
    /// Messages per second that were sent, in an open loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_per_s: Option<f64>,
    /// Strait's figures.
    #[serde(flatten)]
    pub ours: Figures,
    /// The others'.
    pub peers: BTreeMap<&'static str, Figures>,
}

/// One class's figures: medians over its rounds, and ratios within rounds.
#[derive(Clone, Debug, Serialize)]
pub struct ClassSummary {
    /// Rounds of the class.
    pub rounds: usize,
    /// The yardstick's round trip, in nanoseconds.
    pub raw_rtt_ns: f64,
    /// Strait.
    #[serde(flatten)]
    pub ours: Summary,
    /// The others.
    pub peers: BTreeMap<&'static str, PeerSummary>,
}

/// One subject in one class.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Medians over rounds.
    #[serde(flatten)]
    pub figures: Figures,
    /// Latencies: the median over the yardstick's in the same round. Streams: messages per raw round
    /// trip.
    pub ratio_to_raw: f64,
    /// The lower end of its 95 % interval.
    pub ratio_low: f64,
    /// The upper end of its 95 % interval.
    pub ratio_high: f64,
    /// Latencies: the 99th percentile over the yardstick's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ratio_to_raw: Option<Interval>,
    /// All samples of the class together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tail: Option<Tail>,
}

/// A peer in one class.
#[derive(Clone, Debug, Serialize)]
pub struct PeerSummary {
    /// By itself.
    #[serde(flatten)]
    pub own: Summary,
    /// Strait's central figure over this one's: below 1 is better for latencies, above 1 for streams.
    pub ours_to_peer: Interval,
}

/// The distribution of all samples, in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Tail {
    /// How many there are.
    pub samples: u64,
    /// The median, clock readings included.
    pub p50_ns: f64,
    /// 90 % take at most this.
    pub p90_ns: f64,
    /// 99 % take at most this.
    pub p99_ns: f64,
    /// 99.9 % take at most this.
    pub p999_ns: f64,
    /// 99.99 % take at most this.
    pub p9999_ns: f64,
    /// The longest.
    pub max_ns: f64,
    /// The share of those that took more than three times their round's median.
    pub share_over_3x_p50: f64,
    /// The same, without those during which a side missed its core.
    pub share_over_3x_p50_without_gap: f64,
}

impl Tail {
    /// Of these samples.
    #[must_use]
    pub fn new(samples: &Samples) -> Self {
        let count = samples.histogram.len();
        let share = |part: u64| part as f64 / count.max(1) as f64;
        Self {
            samples: count,
            p50_ns: samples.quantile(0.5),
            p90_ns: samples.quantile(0.9),
            p99_ns: samples.quantile(0.99),
            p999_ns: samples.quantile(0.999),
            p9999_ns: samples.quantile(0.9999),
            max_ns: samples.histogram.max() as f64,
            share_over_3x_p50: share(samples.outliers),
            share_over_3x_p50_without_gap: share(samples.outliers_without_gap),
        }
    }
}

impl Outcome {
    pub(super) fn new(task: Task, options: &Options, run: &Rounds) -> Result<Self> {
        let messages = options.messages()?;
        let mut classes = BTreeMap::<&str, Vec<&Round>>::new();
        let mut rows = Vec::new();
        for round in &run.rounds {
            let Some(class) = round.class(&run.classes) else { continue };
            rows.push(row(class, round)?);
            classes.entry(class).or_default().push(round);
        }
        let mut samples = BTreeMap::new();
        let mut by_class = BTreeMap::new();
        for (class, rounds) in classes {
            let merged = merge(&rounds)?;
            by_class.insert(class.to_owned(), summarise(&rounds, &merged)?);
            let named = merged.into_iter().map(|(subject, all)| ((class.to_owned(), subject), all));
            samples.extend(named);
        }
        let batch = if let Task::Stream { batch, .. } = task { Some(batch) } else { None };
        Ok(Self {
            bench: task.name(),
            size: messages.size,
            kind: messages.kind,
            dense: messages.dense,
            batch,
            waiting: task.waiting(),
            environment: environment(),
            cores: [run.cores.0, run.cores.1],
            notes: notes(task, messages),
            stopped: run.stopped,
            gap_ns: options.gap_ns,
            discarded_rounds: run.rounds.len() - rows.len(),
            rounds: rows,
            by_class,
            samples,
        })
    }
}

fn notes(task: Task, messages: Messages) -> Vec<String> {
    let mut notes = vec![match task {
        Task::Wake => "raw is the futex: a word, woken and slept on, with nothing else",
        _ => "raw is the yardstick, bare cache lines in turn, and not a limit: a ring may beat it",
    }];
    notes.push(
        "every word of a message is written by its sender, and read and checked by its receiver",
    );
    match task {
        Task::RoundTrip { .. } => notes.extend([
            "round trips are a closed loop: they say nothing about latency under load",
            if messages.in_arena() {
                "every round trip is timed by itself; there are few of them, so the tail is a coarse one"
            } else {
                "p50 is that of blocks of 64 round trips without clock readings; everything above it \
                 is of single round trips, clock readings included"
            },
            "line is a payload of 48 bytes in the cache line that announces it, whatever --size says",
        ]),
        Task::OneWay { .. } => notes.extend([
            "an open loop: a message is timed from when it was due, by a clock that both processes \
             share",
            "raw has no room for a second message: a later one takes its place, and both count as \
             arrived",
        ]),
        Task::Stream { .. } => notes.push(
            "the ratio to raw is messages per raw round trip; messages are counted where they are read",
        ),
        Task::Wake => notes.extend([
            "a hop is half a round trip, clock readings included; Strait's carries a message, the \
             others' a word",
            "strait sleeps at once and wakes once a slice of 10 ms, as futex-timed does; \
             strait-adaptive polls first while that pays",
            "who sleeps does not look for gaps: the last column says nothing here",
        ]),
    }
    if let Task::RoundTrip { call: true, .. } = task {
        notes.push(
            "call is one of a service's, which waits for its answer in p50, and is made and looked for in \
             everything above it",
        );
    }
    if task.waiting().is_some_and(Waiting::pauses) && matches!(task, Task::RoundTrip { .. }) {
        notes.push("Strait's sides wait as asked in p50, and poll in everything above it");
    }
    let beside = |subject| task.has_peers() && messages.peers().any(|peer| peer == subject);
    if beside(Subject::Memory) {
        notes.push(
            "memory is two buffers each way with two flags each, written and read by the loops that \
             Strait's side uses; both may be in a cache that a ring does not fit",
        );
    }
    if beside(Subject::RtrbChunks) {
        notes.push(
            "rtrb works within one process only: it ran between two threads of this process, on the \
             same two cores",
        );
    }
    notes.into_iter().map(str::to_owned).collect()
}

fn ours(round: &Round) -> Result<Figures> {
    Ok(round.measured.get(&Subject::Strait).context("a round without Strait")?.figures)
}

/// The yardstick's round trip: measured at length if the task is round trips, else by the probes.
fn raw_rtt(round: &Round) -> f64 {
    let probes = || median(&round.probes).unwrap_or(f64::NAN);
    round.raw_round_trips().unwrap_or_else(probes)
}

fn row(class: &str, round: &Round) -> Result<Row> {
    let others = round.measured.iter().filter(|(subject, _)| **subject != Subject::Strait);
    Ok(Row {
        class: class.to_owned(),
        raw_rtt_ns: raw_rtt(round),
        sent_per_s: round.rate,
        ours: ours(round)?,
        peers: others.map(|(subject, measured)| (subject.name(), measured.figures)).collect(),
    })
}

/// All samples of some rounds together, by subject.
fn merge(rounds: &[&Round]) -> Result<BTreeMap<Subject, Samples>> {
    let mut merged = BTreeMap::new();
    for (&subject, measured) in rounds.iter().flat_map(|round| &round.measured) {
        if let Some(samples) = &measured.samples {
            match merged.entry(subject) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(samples.clone());
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    entry.get_mut().add(samples)?;
                }
            }
        }
    }
    Ok(merged)
}

fn summarise(rounds: &[&Round], merged: &BTreeMap<Subject, Samples>) -> Result<ClassSummary> {
    let subjects = rounds.first().context("a class without rounds")?.measured.keys();
    let mut peers = BTreeMap::new();
    for &subject in subjects.filter(|subject| **subject != Subject::Strait) {
        let ratio =
            |round: &&Round| Some(ours(round).ok()?.central() / figures(round, subject)?.central());
        let ours_to_peer = ratios(rounds, ratio)?;
        let own = summary(rounds, subject, merged)?;
        peers.insert(subject.name(), PeerSummary { own, ours_to_peer });
    }
    let raw: Vec<f64> = rounds.iter().map(|round| raw_rtt(round)).collect();
    Ok(ClassSummary {
        rounds: rounds.len(),
        raw_rtt_ns: median(&raw).unwrap_or(f64::NAN),
        ours: summary(rounds, Subject::Strait, merged)?,
        peers,
    })
}

fn figures(round: &Round, subject: Subject) -> Option<Figures> {
    round.measured.get(&subject).map(|measured| measured.figures)
}

fn ratios(rounds: &[&Round], ratio: impl Fn(&&Round) -> Option<f64>) -> Result<Interval> {
    bootstrap(&rounds.iter().filter_map(ratio).collect::<Vec<_>>()).context("no ratio")
}

fn summary(
    rounds: &[&Round],
    subject: Subject,
    merged: &BTreeMap<Subject, Samples>,
) -> Result<Summary> {
    let all: Vec<Figures> = rounds.iter().filter_map(|round| figures(round, subject)).collect();
    let yardstick = rounds.first().context("a class without rounds")?.task.yardstick();
    let to_raw = ratios(rounds, |round| match figures(round, subject)? {
        Figures::Latency { p50_ns, .. } => Some(p50_ns / figures(round, yardstick)?.central()),
        Figures::Rate { msgs_per_s, .. } => Some(msgs_per_s * raw_rtt(round) / 1e9),
    })?;
    let p99_ratio = ratios(rounds, |round| {
        Some(figures(round, subject)?.p99()? / figures(round, yardstick)?.p99()?)
    });
    Ok(Summary {
        figures: Figures::medians(&all).context("a subject without figures")?,
        ratio_to_raw: to_raw.median,
        ratio_low: to_raw.low,
        ratio_high: to_raw.high,
        p99_ratio_to_raw: p99_ratio.ok(),
        tail: merged.get(&subject).map(Tail::new),
    })
}
