//! What only a measurement tells: which cores are near each other, and how often each is taken away.

use super::finding::{Check, Finding, Verdict};
use super::machine::ranges;
use crate::bench::classes::{Classes, are_siblings};
use crate::bench::clock::{Clock, ticks};
use crate::bench::probe;
use crate::bench::statistics::median;
use anyhow::Result;
use serde::Serialize;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Pairs of cores at most, and time for all of them together.
    pairs: usize,
    budget: Duration,
    /// Probes of each pair.
    probes: u64,
    /// Cores at most that are watched, and for how long each.
    cores: usize,
    watched: Duration,
}

pub(super) const FULL: Effort = Effort {
    pairs: 28,
    budget: Duration::from_secs(4),
    probes: 9,
    cores: 8,
    watched: Duration::from_secs(1),
};

pub(super) const QUICK: Effort = Effort {
    pairs: 6,
    budget: Duration::from_millis(500),
    probes: 4,
    cores: 4,
    watched: Duration::from_millis(100),
};

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Measured {
    pub(super) clock: ClockCost,
    pub(super) pairs: Vec<Pair>,
    /// Pairs for which there was no time.
    pub(super) pairs_left_out: usize,
    pub(super) cores: Vec<Absences>,
    /// Cores for which there was no time.
    pub(super) cores_left_out: Vec<usize>,
}

/// What a look at a clock costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct ClockCost {
    /// The processor's counter.
    pub(super) counter_ns: f64,
    /// The least by which it moves on.
    pub(super) step_ns: f64,
    /// The kernel's monotonic clock.
    pub(super) monotonic_ns: f64,
}

/// Two cores.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Pair {
    pub(super) cores: (usize, usize),
    /// The median of its raw round trips.
    pub(super) round_trip_ns: f64,
    /// Null if it changed while it was measured.
    pub(super) class: Option<String>,
}

/// How often a thread that polls was kept from its core.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Absences {
    pub(super) core: usize,
    /// Times per second, of more than so many microseconds.
    pub(super) over_1_us_per_s: f64,
    pub(super) over_10_us_per_s: f64,
    pub(super) over_100_us_per_s: f64,
    pub(super) longest_us: f64,
    /// Which part of the time they were in all.
    pub(super) share: f64,
}

/// Measures on `cores`.
pub(super) fn measure(cores: &[usize], effort: Effort) -> Result<Measured> {
    let clock = Clock::calibrate(Duration::from_micros(1));
    let (pairs, pairs_left_out) = measure_pairs(cores, effort, clock)?;
    let (watched, left) = cores.split_at(cores.len().min(effort.cores));
    let absences = |&core: &usize| {
        let ns = probe::absences(core, effort.watched, clock)?;
        Ok(Absences::of(core, &ns, effort.watched))
    };
    Ok(Measured {
        clock: ClockCost::measure(clock),
        pairs,
        pairs_left_out,
        cores: watched.iter().map(absences).collect::<Result<_>>()?,
        cores_left_out: left.to_vec(),
    })
}

fn measure_pairs(cores: &[usize], effort: Effort, clock: Clock) -> Result<(Vec<Pair>, usize)> {
    let after = |index: usize| cores.iter().skip(index + 1);
    let all: Vec<(usize, usize)> = cores
        .iter()
        .enumerate()
        .flat_map(|(index, &first)| after(index).map(move |&second| (first, second)))
        .collect();
    let began = Instant::now();
    let mut probes = Vec::new();
    for &pair in all.iter().take(effort.pairs) {
        if began.elapsed() >= effort.budget {
            break;
        }
        probes.push((pair, probe::round_trips(pair, effort.probes, clock)?));
    }
    let siblings = all.iter().any(|&(first, second)| are_siblings(first, second));
    let left = all.len() - probes.len();
    Ok((classify(probes, siblings), left))
}

/// Gives each pair the class of all its probes.
fn classify(probes: Vec<((usize, usize), Vec<f64>)>, siblings: bool) -> Vec<Pair> {
    let all: Vec<f64> = probes.iter().flat_map(|(_, trips)| trips).copied().collect();
    let classes = Classes::find(&all, siblings);
    let pair = |(cores, trips): ((usize, usize), Vec<f64>)| Pair {
        cores,
        round_trip_ns: median(&trips).unwrap_or(f64::NAN),
        class: classes.common(&trips).map(str::to_owned),
    };
    probes.into_iter().map(pair).collect()
}

impl ClockCost {
    fn measure(clock: Clock) -> Self {
        const READS: u32 = 10_000;
        let began = ticks();
        let mut step = u64::MAX;
        let mut last = began;
        for _ in 0..READS {
            let now = ticks();
            // Another core's counter may be behind.
            let moved = now.saturating_sub(last);
            step = if moved > 0 { step.min(moved) } else { step };
            last = now;
        }
        let read = ticks();
        for _ in 0..READS {
            black_box(Instant::now());
        }
        let asked = ticks();
        let each = |from: u64, to: u64| clock.ns(to.saturating_sub(from)) / f64::from(READS);
        Self {
            counter_ns: each(began, read),
            step_ns: clock.ns(step),
            monotonic_ns: each(read, asked),
        }
    }
}

impl Absences {
    /// From the nanoseconds of each.
    fn of(core: usize, ns: &[f64], watched: Duration) -> Self {
        let seconds = watched.as_secs_f64();
        let over = |least: f64| ns.iter().filter(|&&gap| gap > least).count() as f64 / seconds;
        Self {
            core,
            over_1_us_per_s: over(1e3),
            over_10_us_per_s: over(1e4),
            over_100_us_per_s: over(1e5),
            longest_us: ns.iter().copied().fold(0.0, f64::max) / 1e3,
            // The last may have gone on beyond the time.
            share: (ns.iter().sum::<f64>() / 1e9 / seconds).min(1.0),
        }
    }
}

/// What is to be said of it.
pub(super) fn findings(measured: &Measured) -> Vec<Finding> {
    vec![core_to_core(measured), hiccups(measured), clock_cost(measured)]
}

fn core_to_core(measured: &Measured) -> Finding {
    let check = Check::new(
        "core-to-core",
        "one class",
        "Nothing is faster than the raw round trip of a cache line. Where pairs of cores differ, put \
         the two ends of a channel onto a near one.",
    );
    let Some(nearest) = measured
        .pairs
        .iter()
        .min_by(|one, other| one.round_trip_ns.total_cmp(&other.round_trip_ns))
    else {
        return check.unknown();
    };
    let farthest = measured.pairs.iter().map(|pair| pair.round_trip_ns).fold(0.0, f64::max);
    let steady = measured.pairs.iter().all(|pair| pair.class.is_some());
    let one = measured.pairs.iter().all(|pair| pair.class == nearest.class);
    let (near, (first, second)) = (nearest.round_trip_ns, nearest.cores);
    if measured.pairs.len() == 1 {
        let change = if steady { "" } else { ", changing while it was measured" };
        let verdict = if steady { Verdict::Ok } else { Verdict::Note };
        check.judged(verdict, format!("{near:.0} ns{change}"))
    } else if !steady {
        check.note(format!("{near:.0} to {farthest:.0} ns, changing while it was measured"))
    } else if one {
        check.ok(format!("{near:.0} to {farthest:.0} ns"))
    } else {
        check.note(format!("{near:.0} ns (cores {first} and {second}) to {farthest:.0} ns"))
    }
}

fn hiccups(measured: &Measured) -> Finding {
    let check = Check::new(
        "hiccups",
        "none over 1 ms, 1 % of the time at most",
        "How long a thread that only polls was kept from its core, by timers, interrupts, other \
         programs, or a hypervisor. Whatever the channel does, its tail is no shorter.",
    );
    let longest =
        measured.cores.iter().max_by(|one, other| one.longest_us.total_cmp(&other.longest_us));
    let Some(worst) = longest else { return check.unknown() };
    let share = measured.cores.iter().map(|core| core.share).fold(0.0, f64::max);
    let (us, core, percent) = (worst.longest_us, worst.core, share * 100.0);
    let found = format!("{us:.0} µs at most (core {core}), {percent:.2} % of the time at most");
    if us > 1000.0 || share > 0.01 {
        check.warning(found)
    } else if us > 100.0 {
        check.note(found)
    } else {
        check.ok(found)
    }
}

fn clock_cost(measured: &Measured) -> Finding {
    let check = Check::new(
        "clock-cost",
        "below 200 ns",
        "What a look at the monotonic clock takes. More is a system call: see clock-source.",
    );
    let ClockCost { monotonic_ns, .. } = measured.clock;
    let found = format!("{monotonic_ns:.0} ns");
    if monotonic_ns < 200.0 { check.ok(found) } else { check.warning(found) }
}

impl Measured {
    /// Lines of text, without those that [`findings`] say.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut classes: Vec<Option<&str>> = Vec::new();
        for pair in &self.pairs {
            let class = pair.class.as_deref();
            if !classes.contains(&class) {
                classes.push(class);
            }
        }
        if !classes.is_empty() {
            lines.push("raw round trip between two cores, in ns".to_owned());
        }
        for class in classes {
            let of: Vec<String> = self
                .pairs
                .iter()
                .filter(|pair| pair.class.as_deref() == class)
                .map(|Pair { cores: (first, second), round_trip_ns: ns, .. }| {
                    format!("{first}-{second}: {ns:.0}")
                })
                .collect();
            let name = class.unwrap_or("changing");
            lines.extend(of.chunks(6).enumerate().map(|(index, some)| {
                format!("  {:<9} {}", if index == 0 { name } else { "" }, some.join("  "))
            }));
        }
        if self.pairs_left_out > 0 {
            lines.push(format!("  left out: {} pairs", self.pairs_left_out));
        }
        if !self.cores.is_empty() {
            lines.push("times per second that a polling thread was kept from its core".to_owned());
            lines.push("  core    > 1 µs   > 10 µs  > 100 µs    longest  of the time".to_owned());
        }
        for core in &self.cores {
            let Absences { over_1_us_per_s, over_10_us_per_s, over_100_us_per_s, .. } = core;
            lines.push(format!(
                "  {:<4}{over_1_us_per_s:>10.0}{over_10_us_per_s:>10.0}{over_100_us_per_s:>10.0}\
                 {:>8.0} µs{:>11.3} %",
                core.core,
                core.longest_us,
                core.share * 100.0
            ));
        }
        if !self.cores_left_out.is_empty() {
            lines.push(format!("  left out: cores {}", ranges(&self.cores_left_out)));
        }
        let ClockCost { counter_ns, step_ns, monotonic_ns } = self.clock;
        lines.push(format!(
            "a look at the counter {counter_ns:.0} ns (its step {step_ns:.1} ns), at the clock \
             {monotonic_ns:.0} ns"
        ));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_get_the_class_of_all_their_probes() {
        let near = |cores| (cores, vec![100.0, 101.0, 102.0, 103.0]);
        let far = |cores| (cores, vec![400.0, 402.0, 404.0, 406.0]);
        let moved = ((2, 3), vec![100.0, 400.0, 401.0, 402.0]);
        let pairs = classify(vec![near((0, 1)), far((0, 2)), moved], false);
        let classes: Vec<Option<&str>> = pairs.iter().map(|pair| pair.class.as_deref()).collect();
        assert_eq!(classes, [Some("near"), Some("far"), None]);
        let told = |pairs: &[Pair]| {
            let measured = Measured { pairs: pairs.to_vec(), ..Measured::default() };
            core_to_core(&measured)
        };
        assert_eq!(told(&pairs[..1]).verdict, Verdict::Ok);
        assert_eq!(told(&pairs[..2]).found.as_deref(), Some("102 ns (cores 0 and 1) to 403 ns"));
        assert_eq!(told(&pairs).verdict, Verdict::Note);
        assert_eq!(told(&[]).verdict, Verdict::Unknown);
    }

    #[test]
    fn absences_are_counted_by_length() {
        let watched = Duration::from_millis(500);
        let found = Absences::of(3, &[2e3, 5e3, 2e4, 2e6], watched);
        assert_eq!(
            found,
            Absences {
                core: 3,
                over_1_us_per_s: 8.0,
                over_10_us_per_s: 4.0,
                over_100_us_per_s: 2.0,
                longest_us: 2000.0,
                share: 2_027_000.0 / 500e6,
            }
        );
        let told = |ns: &[f64]| {
            let cores = vec![Absences::of(0, ns, watched)];
            hiccups(&Measured { cores, ..Measured::default() }).verdict
        };
        assert_eq!(told(&[]), Verdict::Ok);
        assert_eq!(told(&[9e4]), Verdict::Ok);
        assert_eq!(told(&[2e5]), Verdict::Note);
        assert_eq!(told(&[2e6]), Verdict::Warning);
        assert_eq!(told(&[9e4; 100]), Verdict::Warning);
        assert_eq!(hiccups(&Measured::default()).verdict, Verdict::Unknown);
    }
}
