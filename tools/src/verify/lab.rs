//! Measurements that several figures share are made once.

use super::codec::Codecs;
use super::judge::Percentiles;
use super::memory::Idle;
use anyhow::Result;

/// What was measured so far in this run.
#[derive(Debug, Default)]
pub(super) struct Lab {
    pub(super) round_trip: Option<Percentiles>,
    pub(super) in_place: Option<f64>,
    pub(super) codecs: Option<Codecs>,
    pub(super) idle: Option<Idle>,
    notes: Vec<String>,
}

impl Lab {
    /// Adds a line below the present row.
    pub(super) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }
}

/// What is known, or what `measure` finds, which is then known.
pub(super) fn once<T: Clone>(
    known: &mut Option<T>,
    measure: impl FnOnce() -> Result<T>,
) -> Result<T> {
    match known {
        Some(value) => Ok(value.clone()),
        None => Ok(known.insert(measure()?).clone()),
    }
}

/// Rounds of a measurement, of which the median counts.
pub(super) const ROUNDS: usize = 9;

/// `count`, or a small part of it in a debug build, whose figures mean nothing anyway.
pub(super) const fn effort(count: u64) -> u64 {
    if cfg!(debug_assertions) { count.div_ceil(50) } else { count }
}

/// The value in the middle.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_outlier_does_not_move_the_median() {
        assert_eq!(median(vec![3.0, 1.0, 1000.0]), 3.0);
    }

    #[test]
    fn what_is_known_is_not_measured_again() {
        let mut known = None;
        assert_eq!(once(&mut known, || Ok(1)).unwrap(), 1);
        assert_eq!(once(&mut known, || anyhow::bail!("measured twice")).unwrap(), 1);
    }
}
