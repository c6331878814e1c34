//! Placement classes: which of a few speeds the path between the two cores had at a time.
//!
//! On bare metal a pair of cores has one raw round trip. Under a hypervisor the two virtual cores
//! move between physical ones every few seconds, and the raw round trip jumps between levels that
//! differ by factors. Figures from different levels must not be mixed, so the probes of a run are
//! clustered and every round gets the class of its probes. No level is known beforehand.

/// Neighbouring values further apart than this factor belong to different classes.
const SPLIT: f64 = 1.35;

/// Values within this factor of each other are neighbours.
const NEAR_BY: f64 = 1.10;

/// A value belongs to a class if it is within this factor of the class's range.
const MARGIN: f64 = 1.15;

/// The class of rounds whose sides share a core: there is no path between them to tell apart.
pub const SAME_CORE: &str = "same-core";

/// The classes found in the probes of a run, fastest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Classes(Vec<Class>);

/// One level of the raw round trip.
#[derive(Clone, Debug, PartialEq)]
struct Class {
    name: String,
    low: f64,
    high: f64,
}

impl Classes {
    /// Clusters `values`, positive and of any order, into classes, and names them.
    ///
    /// Values with few neighbours are strays, caught while the cores were being moved: they neither
    /// make a class nor bridge two. What is left is cut wherever it leaves a gap.
    ///
    /// `siblings` says that the two cores are hardware threads of one physical core.
    #[must_use]
    pub fn find(values: &[f64], siblings: bool) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let dense: Vec<f64> =
            sorted.iter().copied().filter(|&value| !is_stray(&sorted, value)).collect();
        let range = |values: &[f64]| Some((*values.first()?, *values.last()?));
        let ranges: Vec<_> = if dense.is_empty() {
            // Too few values to tell: all of them are one class.
            range(&sorted).into_iter().collect()
        } else {
            dense.chunk_by(|lower, upper| *upper < lower * SPLIT).filter_map(range).collect()
        };
        let count = ranges.len();
        let named = |(index, (low, high))| Class { name: name(index, count, siblings), low, high };
        Self(ranges.into_iter().enumerate().map(named).collect())
    }

    /// The class that all `values` belong to, if there is one.
    #[must_use]
    pub fn common(&self, values: &[f64]) -> Option<&str> {
        let holds = |class: &&Class| {
            values.iter().all(|&value| value >= class.low / MARGIN && value <= class.high * MARGIN)
        };
        self.0.iter().find(holds).map(|class| class.name.as_str())
    }

    /// The names, fastest first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|class| class.name.as_str())
    }
}

/// Whether fewer than 3 % of the values, and fewer than two others, are near `value`.
fn is_stray(sorted: &[f64], value: f64) -> bool {
    let from = sorted.partition_point(|&other| other < value / NEAR_BY);
    let to = sorted.partition_point(|&other| other <= value * NEAR_BY);
    to - from < (sorted.len() / 33).max(3)
}

/// What class number `index` of `count` is called.
///
/// A single level is `only`: nothing says what it is near to. Two are `near` and `far`, after the
/// cache that the cores share or do not; a third, faster one is `smt`, for threads of one core. Where
/// the system knows the two as such threads, the fastest is `smt` in any case.
fn name(index: usize, count: usize, siblings: bool) -> String {
    let names: &[&str] = match (count, siblings) {
        (1, false) => &["only"],
        (1, true) => &["smt"],
        (2, false) => &["near", "far"],
        (2, true) => &["smt", "near"],
        (3, _) => &["smt", "near", "far"],
        _ => &[],
    };
    names.get(index).map_or_else(|| format!("level-{}", index + 1), |&name| name.to_owned())
}

/// Whether the system knows two cores as hardware threads of one physical core.
#[must_use]
pub fn are_siblings(first: usize, second: usize) -> bool {
    let path = format!("/sys/devices/system/cpu/cpu{first}/topology/thread_siblings_list");
    first != second && std::fs::read_to_string(path).is_ok_and(|list| list_holds(&list, second))
}

/// Whether a list of the kernel's, such as `0-3,8`, holds `number`.
pub(crate) fn list_holds(list: &str, number: usize) -> bool {
    list.trim().split(',').any(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.parse::<usize>(), last.parse()) {
            (Ok(first), Ok(last)) => (first..=last).contains(&number),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` values spread evenly over ±5 % around `centre`.
    fn level(centre: f64, count: u32) -> Vec<f64> {
        let offset = |index| (f64::from(index) / f64::from(count) - 0.5) / 10.0;
        (0..count).map(|index| centre * (1.0 + offset(index))).collect()
    }

    fn names(classes: &Classes) -> Vec<&str> {
        classes.names().collect()
    }

    #[test]
    fn one_level_is_the_only_class() {
        let classes = Classes::find(&level(130.0, 40), false);
        assert_eq!(names(&classes), ["only"]);
        assert_eq!(names(&Classes::find(&level(55.0, 40), true)), ["smt"]);
        assert_eq!(classes.common(&[128.0, 133.0]), Some("only"));
        assert_eq!(classes.common(&[128.0, 260.0]), None);
    }

    #[test]
    fn two_levels_are_near_and_far() {
        let classes = Classes::find(&[level(550.0, 20), level(130.0, 60)].concat(), false);
        assert_eq!(names(&classes), ["near", "far"]);
        assert_eq!(classes.common(&[127.0, 131.0, 125.0]), Some("near"));
        assert_eq!(classes.common(&[560.0]), Some("far"));
        assert_eq!(classes.common(&[127.0, 560.0]), None, "changed in the middle");
    }

    #[test]
    fn three_levels_have_the_threads_of_one_core_first() {
        let values = [level(55.0, 10), level(130.0, 60), level(550.0, 20)].concat();
        assert_eq!(names(&Classes::find(&values, false)), ["smt", "near", "far"]);
        let four = [values, level(1500.0, 10)].concat();
        let classes = Classes::find(&four, false);
        assert_eq!(names(&classes), ["level-1", "level-2", "level-3", "level-4"]);
    }

    #[test]
    fn strays_neither_make_nor_bridge_classes() {
        let strays = vec![160.0, 205.0, 260.0, 330.0, 420.0, 2000.0];
        let values = [level(130.0, 60), level(550.0, 40), strays].concat();
        let classes = Classes::find(&values, false);
        assert_eq!(names(&classes), ["near", "far"]);
        assert_eq!(classes.common(&[260.0]), None);
        assert_eq!(classes.common(&[2000.0]), None);
    }

    #[test]
    fn a_gradual_spread_is_one_class() {
        let values: Vec<f64> = (0..100).map(|index| 100.0 + f64::from(index)).collect();
        assert_eq!(names(&Classes::find(&values, false)), ["only"]);
    }

    #[test]
    fn few_values_are_one_class_whatever_they_are() {
        let classes = Classes::find(&[131.0, 400.0], false);
        assert_eq!(classes.common(&[400.0, 131.0]), Some("only"));
        assert_eq!(names(&Classes::find(&[], false)), [""; 0]);
    }

    #[test]
    fn the_kernels_lists_are_understood() {
        assert!(list_holds("0-3,8\n", 8));
        assert!(list_holds("0-3,8\n", 2));
        assert!(!list_holds("0-3,8\n", 5));
        assert!(!list_holds("", 0));
    }
}
