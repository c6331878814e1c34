//! What can be asked for on the command line.

use super::clock;
use super::sides::{Kind, Messages};
use anyhow::{Result, ensure};
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// What every benchmark takes.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Bytes per message.
    #[arg(long, default_value_t = 48)]
    pub size: usize,

    /// What the messages are.
    #[arg(long = "type", value_enum, default_value_t = Kind::Pod)]
    pub kind: Kind,

    /// Use cells of 16 bytes, for messages of 8.
    #[arg(long)]
    pub dense: bool,

    /// The two cores, as A,B: A times, B answers. By default the first two this process may use.
    #[arg(long, value_name = "A,B", value_parser = parse_cores)]
    pub cores: Option<(usize, usize)>,

    /// Rounds to keep, of whatever class; of sides that sleep, so many on one core and on two.
    #[arg(long, default_value_t = 15)]
    pub rounds: usize,

    /// Rounds to keep of each class named, such as near=15,far=15, in place of `--rounds`.
    #[arg(long, value_name = "CLASS=N,…", value_parser = parse_until)]
    pub until: Option<Until>,

    /// Seconds after which to stop, whatever was reached.
    #[arg(long, value_name = "SECONDS", default_value_t = 120.0, value_parser = parse_seconds)]
    pub max_time: f64,

    /// Milliseconds for each thing measured in a round.
    #[arg(long, value_name = "MS", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub round_ms: u64,

    /// A side that polls and sees its clock jump by more nanoseconds was kept from its core.
    #[arg(long, value_name = "NS", default_value_t = 1000)]
    pub gap_ns: u64,

    /// Print one JSON object in place of tables.
    #[arg(long)]
    pub json: bool,

    /// Write histograms, a plot and a page to this folder as well.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

/// How many rounds of which classes.
pub type Until = BTreeMap<String, usize>;

impl Options {
    /// The messages asked for.
    ///
    /// # Errors
    ///
    /// They cannot be sent.
    pub fn messages(&self) -> Result<Messages> {
        let messages = Messages { size: self.size, kind: self.kind, dense: self.dense };
        messages.check()?;
        Ok(messages)
    }

    /// Time for each thing measured in a round.
    #[must_use]
    pub fn share(&self) -> Duration {
        Duration::from_millis(self.round_ms)
    }

    /// The shortest time off its core that a side notes.
    #[must_use]
    pub fn gap(&self) -> Duration {
        Duration::from_nanos(self.gap_ns)
    }

    /// Time for the whole run.
    #[must_use]
    pub fn limit(&self) -> Duration {
        Duration::from_secs_f64(self.max_time)
    }
}

/// The two cores to use: those `chosen`, or the first two this process may use; one and the same only for
/// sides that `may_share` one.
///
/// # Errors
///
/// There are fewer than two, or one is named twice.
pub fn pair_of_cores(chosen: Option<(usize, usize)>, may_share: bool) -> Result<(usize, usize)> {
    let pair = match (chosen, clock::cores().as_slice()) {
        (Some(pair), _) => pair,
        (None, [first, second, ..]) => (*first, *second),
        (None, [only]) if may_share => (*only, *only),
        (None, allowed) => anyhow::bail!(
            "two spinning processes need two cores, and this process may use {allowed:?}"
        ),
    };
    // Before either side is pinned: a pinned process may use one core, and so may its children.
    for core in [pair.0, pair.1] {
        let allowed = clock::cores();
        ensure!(allowed.contains(&core), "no core {core}: this process may use {allowed:?}");
    }
    let enough = may_share || pair.0 != pair.1;
    ensure!(enough, "two spinning processes need two cores, not {} twice", pair.0);
    Ok(pair)
}

/// Two cores from "A,B".
///
/// # Errors
///
/// What should stand there.
pub fn parse_cores(text: &str) -> Result<(usize, usize), String> {
    let numbers = text.split_once(',').map(|(first, second)| (first.parse(), second.parse()));
    match numbers {
        Some((Ok(first), Ok(second))) => Ok((first, second)),
        _ => Err("two core numbers are wanted, such as 0,1".to_owned()),
    }
}

fn parse_until(text: &str) -> Result<Until, String> {
    let part = |part: &str| {
        let (class, rounds) = part.split_once('=')?;
        Some((class.to_owned(), rounds.parse().ok()?))
    };
    let parts: Option<Until> = text.split(',').map(part).collect();
    parts.ok_or_else(|| "classes and rounds are wanted, such as near=15,far=15".to_owned())
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "a number of seconds up to a day is wanted".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_cores_are_parsed() {
        let until = parse_until("near=15,far=3").unwrap();
        assert_eq!(until.into_iter().collect::<Vec<_>>(), [("far".into(), 3), ("near".into(), 15)]);
        assert!(parse_until("near").is_err());
        assert!(parse_until("near=many").is_err());
        assert_eq!(parse_cores("2,5"), Ok((2, 5)));
        assert!(parse_cores("2").is_err());
        assert!(parse_seconds("-1").is_err());
    }
}
