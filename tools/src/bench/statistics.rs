//! Medians, and how far they can be trusted.

use serde::Serialize;

/// Resamples behind an interval.
const RESAMPLES: usize = 4000;

/// Where every interval's resampling starts: the same data give the same interval.
const SEED: u64 = 0x5EED_0F57_4A17_0001;

/// A median with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The median of the values.
    pub median: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

/// The median of `values`; of an even number, the mean of the middle two. `None` of none.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    middle(&sorted)
}

/// The median of sorted values.
fn middle(sorted: &[f64]) -> Option<f64> {
    let half = sorted.len() / 2;
    let upper = *sorted.get(half)?;
    Some(if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[half - 1], upper)
    } else {
        upper
    })
}

/// The median of `values` and its percentile-bootstrap interval: medians of resamples drawn with
/// replacement, of which the middle 95 % are kept.
#[must_use]
pub fn bootstrap(values: &[f64]) -> Option<Interval> {
    let median = median(values)?;
    let mut random = SplitMix(SEED);
    let mut resample = vec![0.0; values.len()];
    let mut medians = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        resample.fill_with(|| values[random.below(values.len())]);
        resample.sort_unstable_by(f64::total_cmp);
        medians.extend(middle(&resample));
    }
    medians.sort_unstable_by(f64::total_cmp);
    let tail = RESAMPLES / 40;
    Some(Interval { median, low: medians[tail], high: medians[RESAMPLES - 1 - tail] })
}

/// Steele, Lea and Flood's generator: ample for resampling, and the same everywhere.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `bound`, which is small enough for the bias not to matter.
    fn below(&mut self, bound: usize) -> usize {
        let scaled = (u128::from(self.next()) * bound as u128) >> 64;
        // Below `bound`, hence a usize.
        #[allow(clippy::cast_possible_truncation)]
        let index = scaled as usize;
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_even_and_no_values() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn equal_values_have_no_spread() {
        let interval = bootstrap(&[0.8; 15]).unwrap();
        assert_eq!(interval, Interval { median: 0.8, low: 0.8, high: 0.8 });
    }

    #[test]
    fn the_interval_is_deterministic_and_encloses_the_median() {
        let values: Vec<f64> = (0..31).map(|value| f64::from(value * 7 % 31)).collect();
        let interval = bootstrap(&values).unwrap();
        assert_eq!(interval, bootstrap(&values).unwrap());
        assert_eq!(interval.median, 15.0);
        // The order statistics that enclose the median of 31 values with 95 % are the 10th and 22nd.
        assert!((8.0..=11.0).contains(&interval.low), "{interval:?}");
        assert!((19.0..=22.0).contains(&interval.high), "{interval:?}");
    }

    #[test]
    fn an_outlier_does_not_move_the_interval() {
        let mut values = vec![1.0; 14];
        values.push(1000.0);
        assert_eq!(bootstrap(&values).unwrap().high, 1.0);
    }

    #[test]
    fn resampling_reaches_every_index() {
        let mut random = SplitMix(SEED);
        let mut seen = [false; 7];
        (0..1000).for_each(|_| seen[random.below(7)] = true);
        assert_eq!(seen, [true; 7]);
    }
}
