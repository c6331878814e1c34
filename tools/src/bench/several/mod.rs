//! Channels with several receivers, measured between threads of this process: a broadcast beside a
//! pair, latest values beside locks, and many to many beside other queues.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | rounds of everything in turn, and ratios within rounds |
//! | `fanout` | what publishing costs with 1, 8 and 64 receivers; what goes through to one |
//! | `latest` | setting and reading a value, alone and under each other's hands |
//! | `registry` | the registry of services: not a channel, and measured the same way |
//! | `mpmc` | round trips and streams of the channel of several senders and receivers, one of each |
//!
//! What is timed with many receivers is timed on one core, where they take turns: eight of them that
//! run at once need as many cores.

mod fanout;
mod latest;
mod mpmc;
pub(crate) mod registry;

use super::clock::{self, Clock};
use super::statistics::{Interval, bootstrap, median};
use anyhow::{Context, Result, ensure};
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
}

/// A ratio to be told: this over that.
type Ratio = (&'static str, &'static str);

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
}

/// Measures, and returns what is to be printed.
///
/// # Errors
///
/// There are not two cores, or a channel failed.
pub fn command(bench: Bench, options: &Options) -> Result<String> {
    let cores = match (options.cores, clock::cores().as_slice()) {
        (Some(cores), _) => cores,
        (None, &[first, second, ..]) => (first, second),
        (None, allowed) => anyhow::bail!("two cores are needed, and there are {allowed:?}"),
    };
    ensure!(cores.0 != cores.1, "two cores are needed, not {} twice", cores.0);
    clock::pin(cores.0)?;
    let clock = Clock::calibrate(Duration::from_micros(1));
    let mut rows = Vec::new();
    for _ in 0..options.rounds {
        rows.push(match bench {
            Bench::Fanout => fanout::round(options.count, cores.1, clock)?,
            Bench::Latest => latest::round(options.count, cores.1, clock)?,
            Bench::Mpmc => mpmc::round(options.count, cores.1, clock)?,
            Bench::Registry => registry::round(options.count, cores.1, clock)?,
        });
    }
    let (name, ratios) = match bench {
        Bench::Fanout => ("fanout", fanout::RATIOS),
        Bench::Latest => ("latest", latest::RATIOS),
        Bench::Mpmc => ("mpmc", mpmc::RATIOS),
        Bench::Registry => ("registry", registry::RATIOS),
    };
    let outcome = Outcome {
        bench: name,
        cores,
        rounds: options.rounds,
        nanoseconds: medians(&rows),
        ratios: ratios.iter().map(|ratio| of_rounds(&rows, *ratio)).collect::<Result<_>>()?,
    };
    Ok(if options.json { serde_json::to_string(&outcome)? } else { outcome.text() })
}

fn medians(rows: &[Row]) -> BTreeMap<&'static str, f64> {
    let names = rows.first().into_iter().flat_map(BTreeMap::keys);
    let of = |name| {
        median(&rows.iter().filter_map(|row: &Row| row.get(name).copied()).collect::<Vec<_>>())
    };
    names.filter_map(|name| Some((*name, of(name)?))).collect()
}

fn of_rounds(rows: &[Row], (this, that): Ratio) -> Result<(String, Interval)> {
    let ratio = |row: &Row| Some(row.get(this)? / row.get(that)?);
    let ratios: Vec<f64> = rows.iter().filter_map(ratio).collect();
    let interval = bootstrap(&ratios).with_context(|| format!("{this} over {that}"))?;
    Ok((format!("{this} / {that}"), interval))
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
