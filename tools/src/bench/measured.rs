//! From what the two sides saw to figures.

use super::clock::{Clock, Gap};
use super::exercise::Observed;
use super::statistics::median;
use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::Serialize;

/// The figures of one subject in one round, or their medians over rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Figures {
    /// Times in nanoseconds.
    Latency {
        /// The median: of blocks of 64 without clock readings, for round trips.
        p50_ns: f64,
        /// 99 % take at most this.
        p99_ns: f64,
        /// 99.9 % take at most this.
        p999_ns: f64,
    },
    /// Throughput.
    Rate {
        /// Messages per second.
        msgs_per_s: f64,
        /// Bytes of messages per second.
        bytes_per_s: f64,
    },
}

impl Figures {
    /// The figure that ratios are made of.
    #[must_use]
    pub fn central(self) -> f64 {
        match self {
            Figures::Latency { p50_ns, .. } => p50_ns,
            Figures::Rate { msgs_per_s, .. } => msgs_per_s,
        }
    }

    /// The 99th percentile, of latencies.
    #[must_use]
    pub fn p99(self) -> Option<f64> {
        match self {
            Figures::Latency { p99_ns, .. } => Some(p99_ns),
            Figures::Rate { .. } => None,
        }
    }

    /// The medians, figure by figure.
    #[must_use]
    pub fn medians(all: &[Self]) -> Option<Self> {
        let of = |part: fn(&Self) -> Option<f64>| {
            median(&all.iter().filter_map(part).collect::<Vec<_>>())
        };
        let central = of(|figures| Some(figures.central()))?;
        Some(match all.first()? {
            Figures::Latency { .. } => Figures::Latency {
                p50_ns: central,
                p99_ns: of(|figures| figures.p99())?,
                p999_ns: of(|figures| match figures {
                    Figures::Latency { p999_ns, .. } => Some(*p999_ns),
                    Figures::Rate { .. } => None,
                })?,
            },
            Figures::Rate { .. } => Figures::Rate {
                msgs_per_s: central,
                bytes_per_s: of(|figures| match figures {
                    Figures::Rate { bytes_per_s, .. } => Some(*bytes_per_s),
                    Figures::Latency { .. } => None,
                })?,
            },
        })
    }
}

/// Every latency that was measured, one by one.
#[derive(Clone, Debug)]
pub struct Samples {
    /// In nanoseconds.
    pub histogram: Histogram<u64>,
    /// Those of more than three times their round's median.
    pub outliers: u64,
    /// Outliers during which neither side missed its core for a microsecond.
    pub outliers_without_gap: u64,
}

impl Samples {
    /// None so far.
    ///
    /// # Errors
    ///
    /// Never: the precision is a valid one.
    pub fn new() -> Result<Self> {
        let histogram = Histogram::new(3)?;
        Ok(Self { histogram, outliers: 0, outliers_without_gap: 0 })
    }

    /// Adds those of another round.
    ///
    /// # Errors
    ///
    /// Never: these histograms grow.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        self.histogram.add(&other.histogram)?;
        self.outliers += other.outliers;
        self.outliers_without_gap += other.outliers_without_gap;
        Ok(())
    }

    /// From the samples of one side and the gaps of both.
    ///
    /// # Errors
    ///
    /// Never: these histograms grow.
    pub fn collect(here: &Observed, there: &Observed, clock: Clock) -> Result<Self> {
        let mut samples = Self::new()?;
        for &(began, ended) in &here.samples {
            samples.histogram.record(nanoseconds(clock, ended.saturating_sub(began)))?;
        }
        let limit = 3 * samples.histogram.value_at_quantile(0.5);
        for &(began, ended) in &here.samples {
            if nanoseconds(clock, ended.saturating_sub(began)) > limit {
                let gap =
                    falls_into(&here.gaps, began, ended) || falls_into(&there.gaps, began, ended);
                samples.outliers += 1;
                samples.outliers_without_gap += u64::from(!gap);
            }
        }
        Ok(samples)
    }

    /// The value below which `quantile` of all samples lie, in nanoseconds.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> f64 {
        self.histogram.value_at_quantile(quantile) as f64
    }

    /// The figures, with another median if there is a better one.
    #[must_use]
    pub fn figures(&self, central: Option<f64>) -> Figures {
        Figures::Latency {
            p50_ns: central.unwrap_or_else(|| self.quantile(0.5)),
            p99_ns: self.quantile(0.99),
            p999_ns: self.quantile(0.999),
        }
    }
}

fn nanoseconds(clock: Clock, ticks: u64) -> u64 {
    // Runs are minutes long at most.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let ns = clock.ns(ticks).round() as u64;
    ns
}

/// Whether one of `gaps`, which are in order, overlaps the time from `began` to `ended`.
fn falls_into(gaps: &[Gap], began: u64, ended: u64) -> bool {
    let next = gaps.partition_point(|gap| gap.to <= began);
    gaps.get(next).is_some_and(|gap| gap.from < ended)
}

/// The central figure of round trips, in nanoseconds.
///
/// # Errors
///
/// No block of them was measured.
pub fn central(here: &Observed, clock: Clock) -> Result<f64> {
    let ticks = median(&here.blocks).context("no block of round trips was measured")?;
    Ok(ticks * clock.ns(1))
}

/// What came per second, of messages of so many bytes.
#[must_use]
pub fn rate(here: &Observed, bytes: usize, clock: Clock) -> Figures {
    let (messages, ticks) = here.flow;
    let msgs_per_s = messages as f64 * 1e9 / clock.ns(ticks.max(1));
    Figures::Rate { msgs_per_s, bytes_per_s: msgs_per_s * bytes as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAPS: [Gap; 2] = [Gap { from: 100, to: 200 }, Gap { from: 500, to: 600 }];

    #[test]
    fn a_gap_counts_if_it_overlaps() {
        for (began, ended, expected) in [
            (0, 100, false),
            (0, 101, true),
            (150, 160, true),
            (199, 300, true),
            (200, 500, false),
            (300, 700, true),
            (600, 700, false),
        ] {
            assert_eq!(falls_into(&GAPS, began, ended), expected, "{began}..{ended}");
        }
    }

    #[test]
    fn outliers_are_told_apart_by_gaps_of_either_side() {
        let json = r#"{"ns_per_tick": 1.0, "gap": {"secs": 0, "nanos": 1000}}"#;
        let clock: Clock = serde_json::from_str(json).unwrap();
        let quick = (0..20).map(|index| (1000 + index * 10, 1010 + index * 10));
        let slow = [(100, 150), (510, 560), (700, 750)];
        let here = Observed {
            samples: slow.into_iter().chain(quick).collect(),
            gaps: GAPS[..1].to_vec(),
            ..Observed::default()
        };
        let there = Observed { gaps: GAPS[1..].to_vec(), ..Observed::default() };
        let samples = Samples::collect(&here, &there, clock).unwrap();
        assert_eq!((samples.outliers, samples.outliers_without_gap), (3, 1));
        assert_eq!(samples.quantile(0.5), 10.0);
        assert_eq!(samples.histogram.max(), 50);
    }

    #[test]
    fn medians_are_taken_figure_by_figure() {
        let latency = |p50_ns, p99_ns, p999_ns| Figures::Latency { p50_ns, p99_ns, p999_ns };
        let all = [latency(1.0, 5.0, 7.0), latency(2.0, 4.0, 9.0), latency(3.0, 6.0, 8.0)];
        assert_eq!(Figures::medians(&all), Some(latency(2.0, 5.0, 8.0)));
        assert_eq!(Figures::medians(&[]), None);
    }
}
