//! What a row claims, what was found, and what follows from the two.
//!
//! Nobody writes a verdict: a figure that has a measurement is compared, one that has none is
//! UNBUILT, and a row is no better than the worst of its figures.

use super::lab::Lab;
use anyhow::{Context, Result};
use serde::Serialize;

/// One row of the guide.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: &'static str,
    pub(super) what: &'static str,
    pub(super) figures: &'static [Figure],
}

/// One figure of a row.
#[derive(Debug)]
pub(super) struct Figure {
    /// Which part of the row it is about.
    pub(super) part: &'static str,
    /// What the guide says, in our words.
    pub(super) guide: &'static str,
    pub(super) proof: Proof,
}

/// How a figure is compared with ours.
#[derive(Debug)]
pub(super) enum Proof {
    /// There is nothing yet to measure.
    Unbuilt,
    /// The guide's figure is an upper bound of ours.
    AtMost(f64, Unit, fn(&mut Lab) -> Result<Amount>),
    /// The guide's figure is a lower bound of ours.
    AtLeast(f64, Unit, fn(&mut Lab) -> Result<Amount>),
    /// The guide names a way without a figure: that way is measured beside ours.
    NoWorse(Unit, fn(&mut Lab) -> Result<Beside>),
    /// The guide asks for a behaviour.
    Holds(fn(&mut Lab) -> Result<Behaviour>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Nanoseconds,
    Bytes,
    BytesPerSecond,
    PerSecond,
    Calls,
    Cores,
}

/// What was measured, in the figure's unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amount {
    pub(super) value: f64,
    /// Of latencies.
    pub(super) percentiles: Option<Percentiles>,
}

impl From<f64> for Amount {
    fn from(value: f64) -> Self {
        Self { value, percentiles: None }
    }
}

/// The parts of a distribution that a row shows, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Percentiles {
    pub(super) p50_ns: u64,
    pub(super) p99_ns: u64,
    pub(super) p999_ns: u64,
}

/// Two costs, measured in turn in one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside {
    pub(super) ours: f64,
    pub(super) other: f64,
}

/// Whether something holds, and what was seen.
#[derive(Clone, Debug)]
pub(super) struct Behaviour {
    pub(super) holds: bool,
    pub(super) seen: String,
}

/// The order is that of a row's verdict: the last of its figures' verdicts wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) enum Verdict {
    #[serde(rename = "pass")]
    Pass,
    #[serde(rename = "UNBUILT")]
    Unbuilt,
    #[serde(rename = "short")]
    Short,
}

impl Verdict {
    fn of(met: bool) -> Self {
        if met { Self::Pass } else { Self::Short }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Unbuilt => "UNBUILT",
            Self::Short => "short",
        }
    }
}

/// A row with ours beside it.
#[derive(Debug, Serialize)]
pub(super) struct JudgedRow {
    pub(super) id: &'static str,
    pub(super) what: &'static str,
    pub(super) guide: String,
    pub(super) ours: String,
    pub(super) verdict: Verdict,
    /// How many times better than the guide the worst of the measured figures is.
    pub(super) factor: Option<f64>,
    pub(super) command: String,
    pub(super) figures: Vec<JudgedFigure>,
    /// What else was measured on the way.
    pub(super) notes: Vec<String>,
}

/// A figure with ours beside it.
#[derive(Debug, Serialize)]
pub(super) struct JudgedFigure {
    pub(super) part: &'static str,
    pub(super) guide: &'static str,
    pub(super) ours: String,
    pub(super) verdict: Verdict,
    /// How many times better than the guide; below 1 it is worse.
    pub(super) factor: Option<f64>,
    #[serde(flatten)]
    pub(super) percentiles: Option<Percentiles>,
}

impl Row {
    /// Measures what there is to measure and compares.
    pub(super) fn judge(&self, lab: &mut Lab) -> Result<JudgedRow> {
        let figures: Vec<JudgedFigure> = self
            .figures
            .iter()
            .map(|figure| {
                figure.judge(lab).with_context(|| format!("{}, {}", self.id, figure.part))
            })
            .collect::<Result<_>>()?;
        let parts = |text: fn(&JudgedFigure) -> &str| {
            let part = |figure: &JudgedFigure| format!("{}: {}", figure.part, text(figure));
            figures.iter().map(part).collect::<Vec<_>>().join("; ")
        };
        let verdict = figures.iter().map(|figure| figure.verdict).max();
        let all_unbuilt = figures.iter().all(|figure| figure.verdict == Verdict::Unbuilt);
        Ok(JudgedRow {
            id: self.id,
            what: self.what,
            guide: parts(|figure| figure.guide),
            ours: if all_unbuilt { "UNBUILT".to_owned() } else { parts(|figure| &figure.ours) },
            verdict: verdict.unwrap_or(Verdict::Unbuilt),
            factor: figures.iter().filter_map(|figure| figure.factor).reduce(f64::min),
            command: format!("strait verify {}", self.id),
            notes: lab.take_notes(),
            figures,
        })
    }
}

impl Figure {
    fn judge(&self, lab: &mut Lab) -> Result<JudgedFigure> {
        let judged = |ours: String, verdict, factor, percentiles| JudgedFigure {
            part: self.part,
            guide: self.guide,
            ours,
            verdict,
            factor,
            percentiles,
        };
        Ok(match self.proof {
            Proof::Unbuilt => judged("UNBUILT".to_owned(), Verdict::Unbuilt, None, None),
            Proof::AtMost(bound, unit, measure) => {
                let Amount { value, percentiles } = measure(lab)?;
                let verdict = Verdict::of(value <= bound);
                judged(unit.words(value), verdict, Some(bound / value), percentiles)
            }
            Proof::AtLeast(bound, unit, measure) => {
                let Amount { value, percentiles } = measure(lab)?;
                let verdict = Verdict::of(value >= bound);
                judged(unit.words(value), verdict, Some(value / bound), percentiles)
            }
            Proof::NoWorse(unit, measure) => {
                let Beside { ours, other } = measure(lab)?;
                let words = format!("{} against {}", unit.words(ours), unit.words(other));
                judged(words, Verdict::of(ours <= other), Some(other / ours), None)
            }
            Proof::Holds(observe) => {
                let Behaviour { holds, seen } = observe(lab)?;
                judged(seen, Verdict::of(holds), None, None)
            }
        })
    }
}

impl Unit {
    /// `value` to three digits, in the multiple of the unit that suits it.
    pub(super) fn words(self, value: f64) -> String {
        let (steps, thousand): (&[&str], f64) = match self {
            Self::Nanoseconds => (&["ns", "µs", "ms", "s"], 1e3),
            Self::Bytes => (&["B", "KiB", "MiB", "GiB"], 1024.0),
            Self::BytesPerSecond => (&["B/s", "kB/s", "MB/s", "GB/s", "TB/s"], 1e3),
            Self::PerSecond => (&["/s", "thousand/s", "million/s", "billion/s"], 1e3),
            Self::Calls => (&["calls"], 1e3),
            Self::Cores => (&["cores"], 1e3),
        };
        let (mut value, mut step) = (value, 0);
        while value >= thousand && step + 1 < steps.len() {
            value /= thousand;
            step += 1;
        }
        let digits = match value {
            ..9.995 if value.fract() != 0.0 => 2,
            ..99.95 if value.fract() != 0.0 => 1,
            _ => 0,
        };
        format!("{value:.digits$} {}", steps[step])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(figures: &'static [Figure]) -> JudgedRow {
        Row { id: "X1", what: "a row", figures }.judge(&mut Lab::default()).unwrap()
    }

    const UNBUILT: Figure = Figure { part: "remote", guide: "5 ms", proof: Proof::Unbuilt };
    const FAST: Figure = Figure {
        part: "here",
        guide: "10 ns",
        proof: Proof::AtMost(10.0, Unit::Nanoseconds, |_| Ok(Amount::from(5.0))),
    };
    const NARROW: Figure = Figure {
        part: "wide",
        guide: "1 GB/s",
        proof: Proof::AtLeast(1e9, Unit::BytesPerSecond, |_| Ok(Amount::from(5e8))),
    };

    #[test]
    fn a_row_is_no_better_than_its_worst_figure() {
        assert_eq!(row(&[FAST]).verdict, Verdict::Pass);
        assert_eq!(row(&[FAST, UNBUILT]).verdict, Verdict::Unbuilt);
        assert_eq!(row(&[FAST, UNBUILT, NARROW]).verdict, Verdict::Short);
    }

    #[test]
    fn the_factor_says_how_many_times_better() {
        assert_eq!(row(&[FAST]).factor, Some(2.0));
        assert_eq!(row(&[FAST, NARROW]).factor, Some(0.5));
        assert_eq!(row(&[UNBUILT]).factor, None);
    }

    #[test]
    fn words_name_every_part() {
        let judged = row(&[FAST, UNBUILT]);
        assert_eq!(judged.guide, "here: 10 ns; remote: 5 ms");
        assert_eq!(judged.ours, "here: 5 ns; remote: UNBUILT");
        assert_eq!(row(&[UNBUILT]).ours, "UNBUILT");
    }

    #[test]
    fn what_is_measured_beside_must_be_no_worse() {
        const EVEN: Proof = Proof::NoWorse(Unit::Bytes, |_| Ok(Beside { ours: 8.0, other: 8.0 }));
        const WORSE: Proof = Proof::NoWorse(Unit::Bytes, |_| Ok(Beside { ours: 9.0, other: 8.0 }));
        assert_eq!(row(&[Figure { proof: EVEN, ..FAST }]).verdict, Verdict::Pass);
        assert_eq!(row(&[Figure { proof: WORSE, ..FAST }]).verdict, Verdict::Short);
    }

    #[test]
    fn amounts_are_written_in_the_unit_that_suits_them() {
        assert_eq!(Unit::Nanoseconds.words(5.0), "5 ns");
        assert_eq!(Unit::Nanoseconds.words(1234.0), "1.23 µs");
        assert_eq!(Unit::Bytes.words(4096.0), "4 KiB");
        assert_eq!(Unit::BytesPerSecond.words(12.34e9), "12.3 GB/s");
        assert_eq!(Unit::Nanoseconds.words(123.4), "123 ns");
    }
}
