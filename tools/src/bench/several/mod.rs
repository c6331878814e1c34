//! What is measured between threads of this process: a broadcast beside a pair, latest values beside
//! locks, many to many beside other queues, and calls of a service.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | rounds of everything in turn, and ratios within rounds |
//! | `fanout` | what publishing costs with 1, 8 and 64 receivers; what goes through to one |
//! | `latest` | setting and reading a value, alone and under each other's hands |
//! | `registry` | the registry of services: not a channel, and measured the same way |
//! | `mpmc` | round trips and streams of the channel of several senders and receivers, one of each |
//! | `observed` | streams while `strait top` looks at them, and what a look costs |
//! | `call` | calls of a service: local, through shared memory, one at a time and many |
//!
//! What is timed with many receivers is timed on one core, where they take turns: eight of them that
//! run at once need as many cores.

mod call;
mod fanout;
mod latest;
mod mpmc;
mod observed;
pub(crate) mod registry;

use super::clock::{self, Clock};
use super::options::pair_of_cores;
use super::statistics::{Interval, bootstrap, median};
use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// What these benchmarks take.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Rounds.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..))]
    pub rounds: u64,
    /// Messages or values for each thing measured in a round.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1024..))]
    pub count: u64,
    /// The two cores, as A,B. By default the first two this process may use.
    #[arg(long, value_name = "A,B", value_parser = super::options::parse_cores)]
    pub cores: Option<(usize, usize)>,
    /// Print one JSON object in place of a table.
    #[arg(long)]
    pub json: bool,
}

/// The benchmarks of this module.
#[derive(Clone, Copy, Debug)]
pub enum Bench {
    /// A broadcast.
    Fanout,
    /// Latest values.
    Latest,
    /// Each message to one of several receivers.
    Mpmc,
    /// The registry of services.
    Registry,
    /// Calls of a service.
    Call,
    /// Streams that somebody looks at.
    Observed,
}

/// A ratio to be told: this over that.
type Ratio = (&'static str, &'static str);

/// A figure, and what it is to be at most.
type Target = (Figure, f64);

/// What is taken from each round.
enum Figure {
    /// This over that.
    Ratio(&'static str, &'static str),
    /// Nanoseconds that this takes more than that.
    Added(&'static str, &'static str),
    /// Nanoseconds.
    Time(&'static str),
}

impl Figure {
    fn name(&self) -> String {
        match self {
            Self::Ratio(this, that) => format!("{this} / {that}"),
            Self::Added(this, that) => format!("{this} - {that}"),
            Self::Time(this) => (*this).to_owned(),
        }
    }

    fn of(&self, row: &Row) -> Option<f64> {
        match self {
            Self::Ratio(this, that) => Some(row.get(this)? / row.get(that)?),
            Self::Added(this, that) => Some(row.get(this)? - row.get(that)?),
            Self::Time(this) => row.get(this).copied(),
        }
    }
}

/// Nanoseconds per operation of everything that was measured in one round, by name.
type Row = BTreeMap<&'static str, f64>;

/// What was measured.
#[derive(Debug, Serialize)]
struct Outcome {
    bench: &'static str,
    cores: (usize, usize),
    rounds: u64,
    /// Medians over the rounds, in nanoseconds.
    nanoseconds: BTreeMap<&'static str, f64>,
    /// Ratios within rounds, with 95 % intervals.
    ratios: BTreeMap<String, Interval>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    targets: Vec<Judged>,
}

/// A target, and what there is beside it.
#[derive(Debug, Serialize)]
struct Judged {
    figure: String,
    at_most: f64,
    #[serde(flatten)]
    found: Interval,
    /// Whether the interval ends at no more than a tenth above the target.
    met: bool,
}

/// Measures, and returns what is to be printed.
///
/// # Errors
///
/// There are not two cores, or a channel failed.
pub fn command(bench: Bench, options: &Options) -> Result<String> {
    let cores = pair_of_cores(options.cores, false)?;
    clock::pin(cores.0)?;
    let clock = Clock::calibrate(Duration::from_micros(1));
    let mut rows = Vec::new();
    for turn in 0..options.rounds {
        rows.push(match bench {
            Bench::Fanout => fanout::round(options.count, cores.1, clock)?,
            Bench::Latest => latest::round(options.count, cores.1, clock)?,
            Bench::Mpmc => mpmc::round(options.count, cores.1, clock)?,
            Bench::Registry => registry::round(options.count, cores.1, clock)?,
            Bench::Call => call::round(turn, options.count, cores, clock)?,
            Bench::Observed => observed::round(turn, options.count, cores, clock)?,
        });
    }
    let (name, ratios, targets): (_, _, &[Target]) = match bench {
        Bench::Fanout => ("fanout", fanout::RATIOS, &[]),
        Bench::Latest => ("latest", latest::RATIOS, &[]),
        Bench::Mpmc => ("mpmc", mpmc::RATIOS, &[]),
        Bench::Call => ("call", call::RATIOS, call::TARGETS),
        Bench::Observed => ("observed", observed::RATIOS, &[]),
        Bench::Registry => ("registry", registry::RATIOS, &[]),
    };
    let outcome = Outcome {
        bench: name,
        cores,
        rounds: options.rounds,
        nanoseconds: medians(&rows),
        ratios: ratios
            .iter()
            .map(|&(this, that)| of_rounds(&rows, &Figure::Ratio(this, that)))
            .collect::<Result<_>>()?,
        targets: targets.iter().map(|target| judge(&rows, target)).collect::<Result<_>>()?,
    };
    Ok(if options.json { serde_json::to_string(&outcome)? } else { outcome.text() })
}

/// All of them, beginning with another each round.
fn in_turn<T>(turn: u64, all: &[T]) -> impl Iterator<Item = &T> {
    // Less than there are.
    #[allow(clippy::cast_possible_truncation)]
    let first = (turn % all.len() as u64) as usize;
    let (later, sooner) = all.split_at(first);
    sooner.iter().chain(later)
}

fn medians(rows: &[Row]) -> BTreeMap<&'static str, f64> {
    let names = rows.first().into_iter().flat_map(BTreeMap::keys);
    let of = |name| {
        median(&rows.iter().filter_map(|row: &Row| row.get(name).copied()).collect::<Vec<_>>())
    };
    names.filter_map(|name| Some((*name, of(name)?))).collect()
}

fn of_rounds(rows: &[Row], figure: &Figure) -> Result<(String, Interval)> {
    let (name, all) = (figure.name(), rows.iter().filter_map(|row| figure.of(row)));
    let interval = bootstrap(&all.collect::<Vec<_>>()).with_context(|| name.clone())?;
    Ok((name, interval))
}

fn judge(rows: &[Row], (figure, at_most): &Target) -> Result<Judged> {
    let (figure, found) = of_rounds(rows, figure)?;
    Ok(Judged { figure, at_most: *at_most, found, met: found.high <= at_most * 1.1 })
}

impl Outcome {
    fn text(&self) -> String {
        let Self { bench, cores, rounds, .. } = self;
        let mut lines =
            vec![format!("{bench}, cores {} and {}, {rounds} rounds", cores.0, cores.1)];
        lines.push("median ns per operation".to_owned());
        lines.extend(self.nanoseconds.iter().map(|(name, ns)| format!("  {name:<44}{ns:>9.1}")));
        lines.push("ratio within rounds, with its 95 % interval".to_owned());
        lines.extend(self.ratios.iter().map(|(name, Interval { median, low, high })| {
            format!("  {name:<60}{median:>7.2} ({low:.2}-{high:.2})")
        }));
        if !self.targets.is_empty() {
            lines
                .push("targets, met if the interval ends at no more than a tenth above".to_owned());
        }
        lines.extend(self.targets.iter().map(|Judged { figure, at_most, found, met }| {
            let (Interval { median, low, high }, verdict) =
                (found, if *met { "met" } else { "short" });
            format!("  {figure:<60}{median:>7.2} ({low:.2}-{high:.2}) <= {at_most}: {verdict}")
        }));
        lines.join("\n")
    }
}

/// A message or value: 48 bytes that follow from a number.
#[derive(Clone, Copy, Debug, PartialEq, strait::Message)]
#[repr(C)]
struct Body {
    words: [u64; 6],
}

impl Body {
    fn of(number: u64) -> Self {
        Self { words: [number; 6] }
    }

    /// Its number; all of it is looked at.
    #[inline(always)]
    fn number(&self) -> u64 {
        let number = self.words[0];
        assert!(self.words == [number; 6], "a torn value");
        number
    }
}
